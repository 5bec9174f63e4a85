# sluice_spool: what nginx -t says to it.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

run_tests();

__DATA__

=== TEST 1: without a size
--- http_config
sluice_spool spool sync=always;
--- config

--- must_die
--- error_log
"sluice_spool" directive must have "size="
--- no_error_log
[crit]


=== TEST 2: too small
--- http_config
sluice_spool spool size=100k;
--- config

--- must_die
--- error_log
invalid parameter "size=100k" of "sluice_spool"
--- no_error_log
[crit]


=== TEST 3: a segment larger than all
--- http_config
sluice_spool spool size=1m segment=2m;
--- config

--- must_die
--- error_log
"sluice_spool" directive has a "segment=" larger than its "size="
--- no_error_log
[crit]


=== TEST 4: a way to sync that there is not
--- http_config
sluice_spool spool size=1m sync=never;
--- config

--- must_die
--- error_log
invalid parameter "sync=never" of "sluice_spool"
--- no_error_log
[crit]


=== TEST 5: a bad age
--- http_config
sluice_spool spool size=1m age=0;
--- config

--- must_die
--- error_log
invalid parameter "age=0" of "sluice_spool"
--- no_error_log
[crit]


=== TEST 6: twice
--- http_config
sluice_spool spool size=1m;
sluice_spool other size=1m;
--- config

--- must_die
--- error_log
"sluice_spool" directive is duplicate
--- no_error_log
[crit]


=== TEST 7: not a directory
--- http_config
sluice_spool conf/nginx.conf size=1m;
--- config

--- must_die
--- error_log
nginx.conf" of "sluice_spool" is not a directory
--- no_error_log
[crit]


=== TEST 8: open to others
--- http_config
sluice_spool html size=1m;
--- config
location = /x { return 200 pong; }
--- request
GET /x
--- response_body: pong
--- error_log
is open to other users
--- no_error_log
[crit]


=== TEST 9: all parameters, Redis being there
--- http_config
sluice_redis unix:$TEST_NGINX_REDIS_SOCKET;
sluice_spool $TEST_NGINX_RUN/conf-spool size=1g segment=1m sync=interval age=2h;
--- config
location = /x { sluice_verify none; sluice_enqueue q id=a;
                sluice_respond 200 $sluice_enqueue_status; }
--- request
POST /x
{}
--- response_body: accepted
--- redis
ZCARD bull::sluice:edge:none => 0
LRANGE bull:q:wait 0 -1 => e-a
--- no_error_log
[error]


=== TEST 10: events over a number, and no spool
--- config
location = /x { sluice_verify none; sluice_enqueue q;
                sluice_queue_limit 10 medium=5 low=2 over=spool; }
--- must_die
--- error_log
"over=spool" of "sluice_queue_limit" in "/x" needs "sluice_spool"
--- no_error_log
[crit]


=== TEST 11: they go nowhere else
--- http_config
sluice_spool $TEST_NGINX_RUN/conf-spool size=1g;
--- config
location = /x { sluice_verify none; sluice_enqueue q;
                sluice_queue_limit 10 over=disk; }
--- must_die
--- error_log
invalid parameter "over=disk" of "sluice_queue_limit"
--- no_error_log
[crit]


=== TEST 12: the spool may stand after it, and a level below may turn it off
--- http_config
sluice_queue_limit 10 over=spool;
sluice_redis unix:$TEST_NGINX_REDIS_SOCKET;
sluice_spool $TEST_NGINX_RUN/conf-spool size=1g;
--- config
location = /x { sluice_verify none; sluice_enqueue q; sluice_queue_limit off;
                sluice_respond 200 $sluice_enqueue_status; }
--- request
POST /x
{}
--- response_body: accepted
