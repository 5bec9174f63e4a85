# sluice_redis: what nginx -t says to it.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

run_tests();

__DATA__

=== TEST 1: TLS parameters without rediss
--- http_config
sluice_redis redis://localhost tls_verify=off;
--- config

--- must_die
--- error_log
"sluice_redis" directive has "tls_" parameters without "rediss://"
--- no_error_log
[crit]


=== TEST 2: a client certificate without its key
--- http_config
sluice_redis rediss://localhost tls_cert=cert.pem;
--- config

--- must_die
--- error_log
"sluice_redis" directive needs "tls_cert" and "tls_key" together
--- no_error_log
[crit]


=== TEST 3: an authority for what is not verified
--- http_config
sluice_redis rediss://localhost tls_ca=ca.pem tls_verify=off;
--- config

--- must_die
--- error_log
"sluice_redis" directive has "tls_ca" beside "tls_verify=off"
--- no_error_log
[crit]


=== TEST 4: an authority that is not there
--- http_config
sluice_redis rediss://localhost tls_ca=no-such.pem;
--- config

--- must_die
--- error_log eval
qr/no-such\.pem.*No such file/
--- no_error_log
[crit]


=== TEST 5: an empty parameter of TLS
--- http_config
sluice_redis rediss://localhost tls_name=;
--- config

--- must_die
--- error_log
invalid parameter "tls_name=" of "sluice_redis"
--- no_error_log
[crit]


=== TEST 6: neither on nor off
--- http_config
sluice_redis rediss://localhost tls_verify=maybe;
--- config

--- must_die
--- error_log
invalid parameter "tls_verify=" of "sluice_redis"
--- no_error_log
[crit]


=== TEST 7: TLS by name, never tried
--- http_config
sluice_redis rediss://u:p@localhost:6380/1 tls_name=redis.internal tls_verify=on;
--- config
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]


=== TEST 8: a time to wait for nobody
--- http_config
sluice_redis redis://127.0.0.1 wait_timeout=1s;
--- config

--- must_die
--- error_log
"sluice_redis" directive has "wait_timeout" without "wait_replicas"
--- no_error_log
[crit]


=== TEST 9: waiting for longer than the timeout lets
--- http_config
sluice_redis redis://127.0.0.1 timeout=1s wait_replicas=1 wait_timeout=501ms;
--- config

--- must_die
--- error_log
"sluice_redis" directive has a "wait_timeout" above half of its "timeout"
--- no_error_log
[crit]


=== TEST 10: no replicas
--- http_config
sluice_redis redis://127.0.0.1 wait_replicas=0;
--- config

--- must_die
--- error_log
invalid parameter "wait_replicas=" of "sluice_redis"
--- no_error_log
[crit]


=== TEST 11: replicas and the time for them
--- http_config
sluice_redis redis://127.0.0.1 wait_replicas=2 wait_timeout=400ms;
--- config
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]


=== TEST 12: no connections
--- http_config
sluice_redis redis://127.0.0.1 connections=0;
--- config

--- must_die
--- error_log
invalid parameter "connections=" of "sluice_redis"
--- no_error_log
[crit]


=== TEST 13: more connections than a process makes
--- http_config
sluice_redis redis://127.0.0.1 connections=17;
--- config

--- must_die
--- error_log
invalid parameter "connections=" of "sluice_redis"
--- no_error_log
[crit]


=== TEST 14: as many as it may
--- http_config
sluice_redis redis://127.0.0.1 connections=16;
--- config
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]
