# Which methods a location takes, and what it says to the others.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

our $body = '{"object":"whatsapp_business_account","entry":[]}';

run_tests();

__DATA__

=== TEST 1: GET without a handshake
--- config
    location /hook {
        sluice_verify meta "secret=an app secret" verify_token=tok;
        sluice_enqueue messages;
    }
--- request
GET /hook
--- error_code: 405
--- response_headers
Allow: POST
Content-Type: application/problem+json
--- response_body
{"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"events are sent by POST"}
--- redis
KEYS * =>


=== TEST 2: PUT is no POST
--- config
    location /hook {
        sluice_verify none;
        sluice_enqueue messages;
    }
--- request
PUT /hook
--- error_code: 405
--- redis
KEYS * =>


=== TEST 3: HEAD
--- config
    location /hook {
        sluice_verify none;
        sluice_enqueue messages;
    }
--- request
HEAD /hook
--- error_code: 405
--- redis
KEYS * =>


=== TEST 4: POST
--- config
    location /hook {
        sluice_verify meta "secret=an app secret" verify_token=tok;
        sluice_enqueue messages;
    }
--- request eval
"POST /hook\n$::body"
--- more_headers eval
SluiceTest::signed($::body)
--- error_code: 200
--- response_body:
--- redis
LLEN bull:messages:wait => 1


=== TEST 5: deny comes before the method
--- config
    location /hook {
        deny all;
        sluice_verify meta "secret=an app secret";
        sluice_enqueue messages;
    }
--- request
GET /hook
--- error_code: 403
--- error_log
access forbidden by rule


=== TEST 6: any method where nothing is enqueued
--- config
    location /hook {
        sluice_verify api_key secret=k;
        sluice_respond 200 "here";
    }
--- request
DELETE /hook
--- more_headers
Authorization: Bearer k
--- error_code: 200
--- response_body chomp
here


=== TEST 7: two POSTs on one connection
--- config
    location /hook {
        sluice_verify none;
        sluice_enqueue messages;
    }
--- pipelined_requests eval
["POST /hook\n{}", "POST /hook\n{}", "POST /hook\n{}"]
--- more_headers
Content-Type: application/json
--- error_code eval
[200, 200, 200]
--- last_request: 2
--- redis
LLEN bull:messages:wait => 3


=== TEST 8: a refusal leaves the connection open, its body is not the next request
--- config
    location /hook {
        sluice_verify none;
        sluice_enqueue messages;
    }
--- pipelined_requests eval
["PUT /hook\nGET /hook HTTP/1.1", "POST /hook\n{}"]
--- more_headers
Content-Type: application/json
--- error_code eval
[405, 200]
--- last_request: 1
--- redis
LLEN bull:messages:wait => 1
