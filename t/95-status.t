# Counters, the ledger, health.

use Test::Nginx::Socket;
use SluiceTest;

# the zone of the counters survives a reload, and these count from nothing
if ($ENV{TEST_NGINX_USE_HUP}) {
    plan(skip_all => 'counters survive a reload');
}

plan('no_plan');
setup();

# received is the sum of all others, in both groups
Test::Nginx::Socket::add_response_body_check(sub {
    my ($block, $body) = @_;

    return if $body !~ /^\{"events"/;

    my $status = json($body);

    for my $group (qw(events guarded)) {
        my %c = %{ $status->{$group} };
        my $received = delete $c{received};
        my $sum = 0;
        $sum += $_ for values %c;
        is($sum, $received, $block->name . " - $group balance");
    }
});

run_tests();

__DATA__

=== TEST 1: every outcome is counted once
--- http_config
    sluice_limit_zone $arg_k zone=c1:64k;
--- config
    location /x {
        sluice_verify api_key secret=k;
        sluice_limit zone=c1 rate=1r/h;
        sluice_enqueue q id=$arg_i tenant=$arg_t;
    }
    location /g { sluice_verify api_key secret=k; sluice_respond 200 in; }
    location /s { sluice_status json; }
--- request eval
["POST /x?t=a&i=1\n{}", "POST /x?t=a&i=1\n{}", "POST /x?t=a&k=1\n{}",
 "POST /x?t=a&k=1\n{}", "GET /x", "POST /x?t=a\n", "POST /x?t=*\n{}",
 "GET /g", "GET /s"]
--- more_headers
Authorization: Bearer k
--- error_code eval: [200, 200, 200, 429, 405, 400, 401, 200, 200]
--- response_headers_like eval
[("") x 8, "Cache-Control: no-store\nContent-Type: application/json"]
--- response_body_like eval
[("") x 8,
 '"events":\{"received":7,"enqueued":2,"spooled":0,"duplicate":1,"passed":0,"limited":1,'
 . '"refused":3,"failed":0,"aborted":0,"in_flight":0\},'
 . '"guarded":\{"received":1,"enqueued":0,"spooled":0,"duplicate":0,"passed":1,.*'
 . '"tenant":1,"body":1,"method":1']


=== TEST 2: refusals by their reason, handshakes apart
--- config
    location /x { sluice_verify meta secret=k verify_token=t; sluice_enqueue q; }
    location /s { sluice_status; }
--- request eval
["POST /x\n{}", "POST /x\n{}", "POST /x\n{}",
 "GET /x?hub.mode=subscribe&hub.verify_token=t&hub.challenge=1",
 "GET /x?hub.mode=subscribe&hub.verify_token=u&hub.challenge=1", "GET /s"]
--- more_headers eval
["A: b", "X-Hub-Signature-256: x", "X-Hub-Signature-256: sha256=" . "0" x 64,
 "A: b", "A: b", "A: b"]
--- error_code eval: [401, 401, 401, 200, 403, 200]
--- response_body_like eval
[("") x 5,
 '"received":3,.*"refused":3.*"refused":\{"missing":1,"malformed":1,'
 . '"mismatch":1,.*"handshakes":\{"answered":1,"refused":1\}']


=== TEST 3: an early refusal is counted too
--- http_config
    sluice_limit_zone $arg_k zone=c3:64k;
--- config
    location /x { sluice_verify none; sluice_limit zone=c3 rate=1r/h early;
                  sluice_enqueue q; }
    location /s { sluice_status; }
--- request eval: ["POST /x?k=1\n{}", "GET /x?k=1", "GET /s"]
--- error_code eval: [200, 429, 200]
--- response_body_like eval
["", "", '"received":2,"enqueued":1,.*"limited":1.*"zones":\[\{"name":"c3","bytes":65536,"keys":1,"evicted":0\}\]']


=== TEST 4: state of Redis
--- config
    location /x { sluice_verify none; sluice_enqueue q; }
    location /s { sluice_status; }
--- request eval: ["POST /x\n{}", "GET /s"]
--- response_body_like eval
["", '"redis":\[\{"name":"default","pending":0,"connects":1,"losses":0,"version":\d+,"evicts":0,"no_aof":1,"connections":\{"unused":0,.*,"ready":1\}\}\]']


=== TEST 5: other methods
--- config
    location /s { sluice_status; }
    location /h { sluice_health; }
--- request eval: ["POST /s\n{}", "DELETE /h", "HEAD /s"]
--- error_code eval: [405, 405, 200]


=== TEST 6: ready once Redis was used
--- config
    location /x { sluice_verify none; sluice_enqueue q; }
    location /h { sluice_health; }
--- request eval: ["POST /x\n{}", "GET /h"]
--- error_code eval: [200, 200]
--- response_body eval: ["", "{\"status\":\"ready\"}\n"]


=== TEST 7: not ready without Redis
--- http_config
    sluice_redis unix:$TEST_NGINX_RUN/nowhere.sock name=lost;
--- config
    location /h { sluice_health; }
--- request: GET /h
--- error_code: 503
--- response_body
{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"redis \"lost\" is down"}
--- error_log
No such file or directory


=== TEST 8: ready without any sluice_redis
--- no_redis
--- config
    location /h { sluice_health; }
--- request: GET /h
--- response_body
{"status":"ready"}


=== TEST 8: stored after all by an error_page
--- http_config
    sluice_redis unix:$TEST_NGINX_RUN/nowhere.sock name=lost;
    sluice_redis unix:$TEST_NGINX_REDIS_SOCKET;
    sluice_limit_zone $arg_k zone=st8:64k;
--- config
    location /failed { sluice_verify none; sluice_enqueue q redis=lost; error_page 503 = @store; }
    location /limited { sluice_limit zone=st8 rate=1r/h; sluice_verify none; sluice_enqueue q; error_page 429 = @store; }
    location /refused { sluice_verify api_key secret=k; sluice_enqueue q; error_page 401 = @store; }
    location @store { sluice_verify none; sluice_enqueue q; }
    location /s { sluice_status; }
--- request eval
["POST /failed\n{}", "POST /limited?k=1\n{}", "POST /limited?k=1\n{}",
 "POST /refused\n{}", "GET /s"]
--- error_code eval: [200, 200, 200, 200, 200]
--- response_headers eval: [("Retry-After:") x 4, ""]
--- last_request: 4
--- redis
LLEN bull:q:wait => 4
--- response_body_like eval
[("") x 4, '"events":\{"received":4,"enqueued":4,"spooled":0,"duplicate":0,"passed":0,"limited":0,"refused":0,"failed":0,"aborted":0,"in_flight":0\}.*"refused":\{"missing":0,']
--- no_error_log
[alert]


=== TEST 9: what fails is what it was, whatever page it has
--- http_config
    sluice_redis unix:$TEST_NGINX_RUN/nowhere.sock;
    sluice_limit_zone $arg_k zone=st9:64k;
--- config
    location /x { sluice_verify none; sluice_enqueue q; error_page 503 /page; }
    location /y { sluice_limit zone=st9 rate=1r/h; sluice_verify none; sluice_enqueue q; error_page 429 503 = @again; }
    location @again { sluice_verify none; sluice_enqueue q; }
    location /page { sluice_limit zone=st9 rate=1r/h; sluice_respond 200 page; }
    location /s { sluice_status; }
--- request eval
["POST /x\n{}", "POST /y?k=1\n{}", "POST /y?k=1\n{}", "GET /s"]
--- error_code eval: [503, 503, 503, 200]
--- response_body_like eval
[("") x 3, '"events":\{"received":3,"enqueued":0,"spooled":0,"duplicate":0,"passed":0,"limited":0,"refused":0,"failed":3,"aborted":0,"in_flight":0\}']
--- no_error_log
[alert]


=== TEST 10: an event only by its error_page is in both groups
--- http_config
    sluice_limit_zone $arg_k zone=st10:64k;
--- config
    location /p { sluice_limit zone=st10 rate=9r/s; proxy_pass http://127.0.0.1:1; error_page 502 = @store; }
    location @store { sluice_verify none; sluice_enqueue q; }
    location /s { sluice_status; }
--- request eval: ["POST /p?k=1\n{}", "GET /s"]
--- error_code eval: [200, 200]
--- response_body_like eval
["", '"events":\{"received":1,"enqueued":1,.*"in_flight":0\},"guarded":\{"received":1,"enqueued":0,"spooled":0,"duplicate":0,"passed":1,.*"in_flight":0\}']
--- no_error_log
[alert]
