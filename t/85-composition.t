# With NGINX's other modules: nothing may lead around the verification.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

our $body = '{"a":1}';

run_tests();

__DATA__

=== TEST 1: satisfy any, allowed by address: not verified, so refused
--- config
    location /x {
        satisfy any; allow all;
        sluice_verify api_key secret=k;
        sluice_respond 200 in;
    }
--- request: GET /x
--- error_code: 403
--- response_body_like: the request was not verified
--- error_log
around the verification


=== TEST 2: satisfy any, denied by address, right key
--- config
    location /x {
        satisfy any; deny all;
        sluice_verify api_key secret=k;
        sluice_respond 200 in;
    }
--- request: GET /x
--- more_headers
Authorization: Bearer k
--- error_code: 200


=== TEST 3: satisfy any, denied by address, wrong key
--- config
    location /x {
        satisfy any; deny all;
        sluice_verify api_key secret=k;
        sluice_respond 200 in;
    }
--- request: GET /x
--- more_headers
Authorization: Bearer x
--- error_code: 401


=== TEST 3a: satisfy any, denied by address: a dry run lets nobody in
--- config
    location /x {
        satisfy any; deny all;
        sluice_verify api_key secret=k;
        sluice_verify_dry_run on;
        sluice_respond 200 in;
    }
--- request eval: ["GET /x", "GET /x"]
--- more_headers eval: ["Authorization: Bearer x", "Authorization: Bearer k"]
--- error_code eval: [403, 200]


=== TEST 4: denied by address comes first: the key is not looked at
--- config
    location /x {
        deny all;
        sluice_verify api_key secret=k;
        sluice_respond 200 "in";
    }
--- request: GET /x
--- more_headers
Authorization: Bearer x
--- error_code: 403
--- error_log
access forbidden by rule
--- no_error_log
sluice refused


=== TEST 5: auth_request before, which refuses
--- config
    location /x {
        auth_request /auth;
        sluice_verify api_key secret=k;
        sluice_respond 200 in;
    }
    location /auth { return 401; }
--- request: GET /x
--- more_headers
Authorization: Bearer k
--- error_code: 401


=== TEST 6: auth_request before, which allows: the key counts
--- config
    location /x {
        auth_request /auth;
        sluice_verify api_key secret=k;
        sluice_respond 200 in;
    }
    location /auth { return 204; }
--- request eval: ["GET /x", "GET /x"]
--- more_headers eval: ["Authorization: Bearer k", "Authorization: Bearer no"]
--- error_code eval: [200, 401]


=== TEST 7: a verified location as the target of auth_request
--- config
    location /x { auth_request /auth; sluice_respond 200 in; }
    location /auth { sluice_verify api_key secret=k; sluice_respond 200 ok; }
--- request: GET /x
--- more_headers
Authorization: Bearer k
--- error_code: 403


=== TEST 8: as the target of mirror: nothing is enqueued
--- config
    location /x { mirror /copy; sluice_respond 200 in; }
    location /copy { sluice_verify none; sluice_enqueue q; }
    location /copy2 { sluice_verify api_key secret=k; sluice_enqueue q; }
--- request
POST /x
{}
--- error_code: 200
--- redis
KEYS * =>


=== TEST 9: in front of a proxy, right and wrong
--- config
    location /x {
        sluice_verify meta "secret=an app secret";
        sluice_json $a /a;
        proxy_set_header X-A $a;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back;
    }
    location /back {
        sluice_json $b /a;
        sluice_respond 200 "back $http_x_a $b";
    }
--- request eval: ["POST /x\n$::body", "POST /x\n$::body"]
--- more_headers eval
[SluiceTest::signed($::body), SluiceTest::signed("$::body ")]
--- error_code eval: [200, 401]
--- response_body_like eval: ["^back 1 1\$", "authenticated"]


=== TEST 10: an internal redirect to a location of another key is verified anew
--- config
    location /x {
        sluice_verify api_key secret=k;
        try_files /none /y;
    }
    location /y { sluice_verify api_key secret=other; sluice_respond 200 in; }
--- request: GET /x
--- more_headers
Authorization: Bearer k
--- error_code: 401


=== TEST 11: an internal redirect under one verification is verified once
--- config
    sluice_verify meta "secret=an app secret";
    location /x { try_files /none /y; }
    location /y { sluice_respond 200 "in $sluice_verify_status"; }
--- request eval: "POST /x\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- response_body chomp
in valid


=== TEST 12: error_page of a refusal, and of one that inherits the verification
--- config
    location /x {
        sluice_verify api_key secret=k;
        error_page 401 /denied;
        sluice_respond 200 in;
    }
    location /denied { sluice_verify none; sluice_respond 200 "denied $sluice_verify_status"; }
    location /z {
        sluice_verify api_key secret=k;
        error_page 401 /z/denied;
        location /z/denied { sluice_respond 200 "never"; }
    }
--- request eval: ["GET /x", "GET /z"]
--- error_code eval: [401, 401]
--- response_body_like eval: ["^denied missing\$", "could not be authenticated"]


=== TEST 13: error_page 503 of an enqueue into another, which stores it
--- http_config
    sluice_redis unix:$TEST_NGINX_RUN/nowhere.sock;
    sluice_redis unix:$TEST_NGINX_REDIS_SOCKET name=second;
--- config
    location /x {
        sluice_verify meta "secret=an app secret";
        error_page 503 = @second;
        sluice_enqueue q;
    }
    location @second {
        sluice_verify none;
        sluice_enqueue q redis=second;
        sluice_respond 200 "second";
    }
--- request eval: "POST /x\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- error_code: 200
--- response_body chomp
second
--- error_log
No such file or directory
--- no_error_log
[alert]
--- redis
LLEN bull:q:wait => 1


=== TEST 14: error_page of a 503 answered later, by the timeout
--- http_config
    sluice_redis redis://127.0.0.1:$TEST_NGINX_FAKE_PORT timeout=300ms;
--- config
    location /x {
        sluice_verify none;
        error_page 503 = /busy;
        sluice_enqueue q;
    }
    location /busy { sluice_respond 200 "busy $sluice_enqueue_status"; }
--- tcp_listen: $TEST_NGINX_FAKE_PORT
--- tcp_no_close
--- tcp_reply:
--- request
POST /x
{}
--- error_code: 200
--- response_body chomp
busy away
--- error_log
timed out
--- no_error_log
[alert]


=== TEST 15: rewrite last into a verified location
--- config
    location /x { rewrite ^ /y last; }
    location /y { sluice_verify api_key secret=k; sluice_respond 200 in; }
--- request: GET /x
--- error_code: 401


=== TEST 16: an if block inherits all
--- config
    location /x {
        sluice_verify api_key secret=k;
        if ($arg_a) { set $b 1; }
        sluice_respond 200 in;
    }
--- request: GET /x?a=1
--- error_code: 401


=== TEST 17: limits and JSON on a static file
--- http_config
    sluice_limit_zone $arg_k zone=s17:64k;
--- user_files
>>> a.txt
file
--- config
    location /a.txt { sluice_limit zone=s17 rate=1r/h; }
--- request eval: [("GET /a.txt?k=1") x 2]
--- error_code eval: [200, 429]


=== TEST 18: "if" and "limit_except" keep what the location does
--- config
    location /if {
        sluice_verify none;
        if ($arg_a) { set $foo 1; }
        sluice_enqueue q;
    }
    location /except {
        sluice_verify none;
        sluice_enqueue q;
        limit_except GET { allow all; }
    }
    location /respond {
        if ($arg_a) { set $foo 1; }
        sluice_respond 200 "here";
    }
--- request eval
["POST /if?a=1\n{}", "POST /except\n{}", "GET /respond?a=1"]
--- more_headers
Content-Type: application/json
--- error_code eval: [200, 200, 200]


=== TEST 19: a variable that sets another one of the same answer
--- http_config
    map $arg_x $long { default ""; "~^(?<cap>.*)$" yes; }
--- config
    location ~ ^/cap/(?<cap>.*)$ { sluice_respond 200 "$cap-$long-$cap"; }
--- request eval
"GET /cap/abc?x=" . ("A" x 4000)
--- response_body eval
"abc-yes-" . ("A" x 4000)


=== TEST 20: auth_basic before: both have to be right
--- config
    location /x {
        auth_basic closed;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
        sluice_verify api_key header=X-Key secret=k;
        sluice_respond 200 in;
    }
--- user_files
>>> users
u:{PLAIN}p
--- request eval
["GET /x", "GET /x", "GET /x", "GET /x"]
--- more_headers eval
["X-Key: k",
 "Authorization: Basic dTpw",
 "X-Key: x\nAuthorization: Basic dTpw",
 "X-Key: k\nAuthorization: Basic dTpw"]
--- error_code eval
[401, 401, 401, 200]
--- response_body_like eval
["Authorization Required", "problem|about:blank", "problem|about:blank", "^in"]
