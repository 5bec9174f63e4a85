# Rates: who is charged, when, and what the refusal says.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

our $body = '{"a":1}';

run_tests();

__DATA__

=== TEST 1: a burst, then 429 with the time to wait
--- http_config
    sluice_limit_zone $arg_k zone=a1:64k;
--- config
    location /x { sluice_limit zone=a1 rate=1r/m burst=2; sluice_respond 200 in; }
--- request eval: [("GET /x?k=1") x 4]
--- error_code eval: [200, 200, 200, 429]
--- response_headers_like eval
["Retry-After: ", "Retry-After: ", "Retry-After: ",
 "Retry-After: (60|59)\nRateLimit-Policy: \"a1\";q=3;w=180\n"
 . "RateLimit: \"a1\";r=0;t=(60|59)\nContent-Type: application/problem\\+json"]
--- response_body eval
["in", "in", "in",
 '{"type":"about:blank","title":"Too Many Requests","status":429,'
 . '"detail":"the rate is exceeded"}' . "\n"]


=== TEST 2: keys are apart, an empty key is not limited
--- http_config
    sluice_limit_zone $arg_k zone=a2:64k;
--- config
    location /x { sluice_limit zone=a2 rate=1r/h; sluice_respond 200 in; }
--- request eval
["GET /x?k=1", "GET /x?k=1", "GET /x?k=2", "GET /x", "GET /x"]
--- error_code eval: [200, 429, 200, 200, 200]


=== TEST 3: variable rate, burst and cost; an empty rate does not limit
--- http_config
    sluice_limit_zone $arg_k zone=a3:64k;
--- config
    location /x {
        sluice_limit zone=a3 rate=$arg_rate burst=$arg_burst cost=$arg_cost;
        sluice_respond 200 in;
    }
--- request eval
["GET /x?k=1&rate=1r/h&burst=4&cost=5", "GET /x?k=1&rate=1r/h&burst=4",
 "GET /x?k=2&rate=1r/h&burst=1", "GET /x?k=2&rate=1r/h&burst=1",
 "GET /x?k=2&rate=1r/h&burst=1", "GET /x?k=1"]
--- error_code eval: [200, 429, 200, 200, 429, 200]


=== TEST 4: a value that is no rate is told, and does not limit
--- http_config
    sluice_limit_zone $arg_k zone=a4:64k;
--- config
    location /x { sluice_limit zone=a4 rate=$arg_rate; sluice_respond 200 in; }
--- request eval: [("GET /x?k=1&rate=fast") x 2]
--- error_code eval: [200, 200]
--- error_log
the value of "$arg_rate" is not a rate


=== TEST 5: several are charged together or not at all
--- http_config
    sluice_limit_zone $arg_a zone=a5:64k;
    sluice_limit_zone $arg_b zone=b5:64k;
--- config
    location /x {
        sluice_limit zone=b5 rate=1r/h;
        sluice_limit zone=a5 rate=1r/h burst=1;
        sluice_respond 200 in;
    }
--- request eval
["GET /x?a=1&b=1", "GET /x?a=1&b=1", "GET /x?a=1&b=2", "GET /x?a=1&b=3"]
--- error_code eval: [200, 429, 200, 429]


=== TEST 6: a forger does not use up a tenant's rate
--- http_config
    sluice_limit_zone $arg_k zone=a6:64k;
--- config
    location /x {
        sluice_verify api_key secret=k;
        sluice_limit zone=a6 rate=1r/h;
        sluice_respond 200 in;
    }
--- request eval: [("GET /x?k=1") x 4]
--- more_headers eval
["Authorization: Bearer no", "Authorization: Bearer no",
 "Authorization: Bearer k", "Authorization: Bearer k"]
--- error_code eval: [401, 401, 200, 429]


=== TEST 7: early limits come before the verification
--- http_config
    sluice_limit_zone $arg_k zone=a7:64k;
--- config
    location /x {
        sluice_verify api_key secret=k;
        sluice_limit zone=a7 rate=1r/h early;
        sluice_respond 200 in;
    }
--- request eval: [("GET /x?k=1") x 2]
--- more_headers
Authorization: Bearer no
--- error_code eval: [401, 429]


=== TEST 8: an early refusal leaves the connection and drops the body
--- http_config
    sluice_limit_zone $arg_k zone=a8:64k;
--- config
    location /x {
        sluice_limit zone=a8 rate=1r/h early;
        sluice_verify none;
        sluice_enqueue q;
    }
--- pipelined_requests eval
["POST /x?k=1\n{}", "POST /x?k=1\nGET /x HTTP/1.1", "POST /x?k=2\n{}"]
--- more_headers
Content-Type: application/json
--- error_code eval: [200, 429, 200]
--- last_request: 2
--- redis
LLEN bull:q:wait => 2


=== TEST 9: what is limited is not enqueued
--- http_config
    sluice_limit_zone $arg_k zone=a9:64k;
--- config
    location /x {
        sluice_limit zone=a9 rate=1r/h;
        sluice_verify none;
        sluice_enqueue q;
    }
--- request eval: [("POST /x?k=1\n{}") x 3]
--- more_headers
Content-Type: application/json
--- error_code eval: [200, 429, 429]
--- last_request: 2
--- redis
LLEN bull:q:wait => 1


=== TEST 10: the key may come from the body
--- http_config
    sluice_limit_zone $account zone=a10:64k;
--- config
    location /x {
        sluice_verify none;
        sluice_json $account /account required;
        sluice_limit zone=a10 rate=1r/h;
        sluice_enqueue q;
    }
--- request eval
["POST /x\n{\"account\":\"a\"}", "POST /x\n{\"account\":\"a\"}",
 "POST /x\n{\"account\":\"b\"}"]
--- error_code eval: [200, 429, 200]


=== TEST 11: another status
--- http_config
    sluice_limit_zone $arg_k zone=a11:64k;
--- config
    location /x { sluice_limit zone=a11 rate=1r/h; sluice_limit_status 503;
                  sluice_respond 200 in; }
--- request eval: [("GET /x?k=1") x 2]
--- error_code eval: [200, 503]


=== TEST 12: an internal redirect is charged once, also by error_page
--- http_config
    sluice_limit_zone $arg_k zone=a12:64k;
--- config
    sluice_limit zone=a12 rate=1r/h burst=1;
    location /x { error_page 404 = /y?k=1; root nowhere; }
    location /y { sluice_respond 200 "$sluice_limit_status"; }
--- request eval: [("GET /x?k=1") x 3]
--- error_code eval: [200, 200, 429]
--- no_error_log
[alert]


=== TEST 13: the page of a 429 is not limited again
--- http_config
    sluice_limit_zone $arg_k zone=a13:64k;
--- config
    sluice_limit zone=a13 rate=1r/h;
    location /x { error_page 429 /busy?k=1; sluice_respond 200 in; }
    location /busy { sluice_respond 200 "busy $sluice_limit_status"; }
--- request eval: [("GET /x?k=1") x 2]
--- error_code eval: [200, 429]
--- response_headers_like eval: ["", "Retry-After: \\d+"]
--- response_body eval: ["in", "busy limited"]


=== TEST 14: strangers fill a zone: the oldest key makes room
--- http_config
    sluice_limit_zone $arg_k zone=a14:32k;
--- config
    location /x { sluice_limit zone=a14 rate=1r/h; sluice_respond 200 in; }
    location /s { sluice_status; }
--- pipelined_requests eval
[(map { "GET /x?k=$_" . "x" x 40 } 1 .. 400), "GET /x?k=400" . "x" x 40,
 "GET /s"]
--- error_code eval: [(200) x 400, 429, 200]
--- response_body_like eval: [(".") x 401, '"evicted":[1-9]']
--- timeout: 20


=== TEST 15: a long key is as good as a short one
--- http_config
    sluice_limit_zone $arg_k zone=a15:64k;
--- config
    location /x { sluice_limit zone=a15 rate=1r/h; sluice_respond 200 in; }
--- request eval
["GET /x?k=" . "y" x 500 . "1", "GET /x?k=" . "y" x 500 . "2",
 "GET /x?k=" . "y" x 500 . "1"]
--- error_code eval: [200, 200, 429]


=== TEST 16: in front of another handler
--- http_config
    sluice_limit_zone $arg_k zone=a16:64k;
--- config
    location /x { sluice_limit zone=a16 rate=1r/h; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/y; }
    location /y { return 200 proxied; }
--- request eval: [("GET /x?k=1") x 2]
--- error_code eval: [200, 429]


=== TEST 17: what was refused is not stored by its error_page
--- http_config
    sluice_limit_zone $arg_k zone=a17:64k;
--- config
    location /x { sluice_limit zone=a17 rate=1r/h; sluice_verify none; sluice_enqueue q; error_page 429 = @slow; }
    location @slow { sluice_limit zone=a17 rate=1r/h; sluice_verify none; sluice_enqueue slow; }
    location /wide { sluice_limit zone=a17 rate=1r/h; sluice_verify none; sluice_enqueue q; error_page 429 = @wide; }
    location @wide { sluice_limit zone=a17 rate=1r/h burst=5; sluice_verify none; sluice_enqueue q; sluice_respond 200 "$sluice_limit_status"; }
--- request eval
["POST /x?k=1\n{}", "POST /x?k=1\n{}", "POST /wide?k=1\n{}"]
--- error_code eval: [200, 429, 200]
--- last_request: 2
--- response_body_like eval: ["", "rate is exceeded", "^passed\$"]
--- redis
EXISTS bull:slow:wait => 0
LLEN bull:q:wait => 2
