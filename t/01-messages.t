# What nginx -t warns of, and what it does not show.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

run_tests();

__DATA__

=== TEST 1: an endless body is warned about
--- config
location /a { client_max_body_size 0; sluice_verify none; sluice_enqueue q; }
location = /ok { client_max_body_size 0; return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- grep_error_log eval: qr/in location "[^"]+" allows more than the 32m/
--- grep_error_log_out
in location "/a" allows more than the 32m
--- no_error_log
[emerg]


=== TEST 2: so is one above a job's, where it is only looked into
--- config
location /a { client_max_body_size 33m; sluice_json $x /x; }
location = /ok { client_max_body_size 32m; sluice_json $y /y; return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- grep_error_log eval: qr/in location "[^"]+" allows more than the 32m/
--- grep_error_log_out
in location "/a" allows more than the 32m
--- no_error_log
[emerg]


=== TEST 3: a misspelt secret= is not shown
--- config
location /a { sluice_verify meta secert=Top5ecret; }
--- must_die
--- error_log
invalid parameter "secert=" of "sluice_verify meta"
--- no_error_log
op5ecret


=== TEST 4: a secret without its name is not shown
--- config
location /a { sluice_verify meta Top5ecret==; }
--- must_die
--- error_log
invalid parameter "..." of "sluice_verify meta"
--- no_error_log
op5ecret


=== TEST 5: a secret in the scheme's place is not shown
--- config
location /a { sluice_verify secret=Top5ecret meta; }
--- must_die
--- error_log
unknown scheme "secret=" in "sluice_verify"
--- no_error_log
op5ecret


=== TEST 6: a variable that a secret with "$" makes is not shown
--- config
location /a { sluice_verify meta "secret=x$Top5ecret"; }
--- must_die
--- error_log
unknown variable in "secret=" or "verify_token="
--- no_error_log
op5ecret


=== TEST 7: a password in a wrong place is not shown
--- http_config
sluice_redis redis://127.0.0.1 password=hunter2;
--- config
location /a { return 200; }
--- must_die
--- error_log
invalid parameter "password=" of "sluice_redis"
--- no_error_log
hunter2


=== TEST 8: variables of secrets, of all kinds
--- http_config
geo $dollar { default "$"; }
--- config
location /a { sluice_verify meta secret=$late secret=$arg_x secret=a${dollar}b verify_token=$http_x; sluice_respond 200 x; }
location ~ ^/b/(?<cap>.*) { sluice_verify hmac secret=$cap secret=$cap; sluice_respond 200 x; }
location /c { sluice_verify api_key secret=a${dollar}b header=X-K; sluice_respond 200 in; }
set $late x;
--- request
GET /c
--- more_headers
X-K: a$b
--- response_body chomp
in
--- no_error_log
[emerg]


=== TEST 9: credentials are not kept: Authorization
--- config
location /a { sluice_verify none; sluice_enqueue q headers=X-A,Authorization; }
--- must_die
--- error_log
"headers=" of "sluice_enqueue q" may not have "authorization"
--- no_error_log
[crit]


=== TEST 10: credentials are not kept: Cookie
--- config
location /a { sluice_verify none; sluice_enqueue q headers=cookie; }
--- must_die
--- error_log
"headers=" of "sluice_enqueue q" may not have "cookie"
--- no_error_log
[crit]


=== TEST 11: credentials are not kept: Proxy-Authorization
--- config
location /a { sluice_verify none; sluice_enqueue q headers=Proxy-Authorization; }
--- must_die
--- error_log
"headers=" of "sluice_enqueue q" may not have "proxy-authorization"
--- no_error_log
[crit]


=== TEST 12: credentials are not kept: the signature of the server
--- config
sluice_verify hmac secret=k header=X-Sig; location /a { sluice_enqueue q headers=X-Sig; }
--- must_die
--- error_log
"headers=" of "sluice_enqueue q" may not have "x-sig"
--- no_error_log
[crit]


=== TEST 13: a zone with the name of the counters'
--- http_config
sluice_limit_zone $arg_k zone=sluice_status:172k;
--- config
location /a { return 200; }
--- must_die
--- error_log
zone "sluice_status" is already declared for a different use
--- no_error_log
[crit]


=== TEST 14: a rate that the rounding would change
--- http_config
sluice_limit_zone $arg_k zone=k:64k;
--- config
location /a { sluice_limit zone=k rate=120000r/s; }
--- must_die
--- error_log
the rate "120000r/s" in "sluice_limit" is above 100000r/s
--- no_error_log
[crit]


=== TEST 15: the highest rate
--- http_config
sluice_limit_zone $arg_k zone=k:64k;
--- config
location /a { sluice_limit zone=k rate=100000r/s; sluice_respond 200 in; }
--- request
GET /a?k=1
--- response_body chomp
in


=== TEST 16: a Redis that no one can find
--- http_config
sluice_redis redis://no-such-host.invalid;
--- config
location /a { return 200; }
--- request
GET /a
--- error_log
"sluice_redis" no-such-host.invalid:6379 has no address and "http" has no "resolver"
--- no_error_log
[emerg]


=== TEST 17: a Redis that a resolver may find
--- http_config
resolver 127.0.0.1:9;
sluice_redis redis://no-such-host.invalid;
--- config
location /a { return 200; }
--- request
GET /a
--- error_log
host not found
--- no_error_log
has no "resolver"


=== TEST 18: two contents: the counters and a queue
--- config
location /a { sluice_status; sluice_verify none; sluice_enqueue q; }
--- must_die
--- error_log
"sluice_enqueue" directive is beside another content of sluice
--- no_error_log
[crit]


=== TEST 19: two contents: a queue and health
--- config
location /a { sluice_verify none; sluice_enqueue q; sluice_health; }
--- must_die
--- error_log
"sluice_health" directive is beside another content of sluice
--- no_error_log
[crit]


=== TEST 20: two contents: an answer and the counters
--- config
location /a { sluice_respond 200 x; sluice_status; }
--- must_die
--- error_log
has "sluice_respond" beside another content
--- no_error_log
[crit]
