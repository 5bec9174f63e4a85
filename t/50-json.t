# sluice_json: what is found, and what is refused.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

run_tests();

__DATA__

=== TEST 1: values of all types
--- config
    location /x {
        sluice_json $s /s; sluice_json $n /n; sluice_json $t /t;
        sluice_json $f /f; sluice_json $z /z; sluice_json $o /o;
        sluice_json $a /a/1; sluice_json $m /missing; sluice_json $e /e~1f;
        sluice_json $w "";
        sluice_respond 200 "$s|$n|$t|$f|$z|$o|$a|$m|$e";
    }
--- request
POST /x
{"s":"text","n":-1.5e3,"t":true,"f":false,"z":null,"o":{"b": 1},"a":[1,"two"],"e/f":"slash"}
--- response_body chomp
text|-1.5e3|true|false||{"b": 1}|two||slash


=== TEST 2: escapes are decoded, and encoded again in a JSON answer
--- config
    location /x {
        sluice_json $s /s;
        sluice_respond 200 application/json '{"s":"$s","u":"${s}!"}';
    }
--- request
POST /x
{"s":"q\"b\\n\u00e9\ud83d\ude00"}
--- response_headers
Content-Type: application/json
--- response_body eval
"{\"s\":\"q\\\"b\\\\n\xc3\xa9\xf0\x9f\x98\x80\","
. "\"u\":\"q\\\"b\\\\n\xc3\xa9\xf0\x9f\x98\x80!\"}"


=== TEST 3: a variable cannot break out of a JSON answer
--- config
    location /x {
        sluice_respond 202 application/json '{"a":"$arg_a$http_x"}';
    }
--- request
GET /x
--- more_headers
X: "},{"b":"\
--- error_code: 202
--- response_body eval: '{"a":"\\"},{\\"b\\":\\"\\\\"}'


=== TEST 4: required
--- config
    location /x { sluice_json $a /a/b required; sluice_respond 200 "$a"; }
--- request eval: ["POST /x\n{\"a\":{}}", "POST /x\n{\"a\":{\"b\":1}}"]
--- error_code eval: [400, 200]
--- response_body eval
['{"type":"about:blank","title":"Bad Request","status":400,'
 . '"detail":"/a/b is missing"}' . "\n", "1"]


=== TEST 5: a duplicate member on the way
--- config
    location /x { sluice_json $a /a/b; sluice_respond 200 "$a"; }
--- request eval
["POST /x\n{\"a\":{\"b\":1},\"a\":{\"b\":2}}", "POST /x\n{\"c\":1,\"c\":2}"]
--- error_code eval: [400, 200]
--- response_body_like eval: ["duplicate.* at byte", ""]


=== TEST 6: malformed, named with its byte
--- config
    location /x { sluice_json $a /a; sluice_respond 200 "$a"; }
--- request eval
["POST /x\n{\"a\":1", "POST /x\n{\"a\":01}", "POST /x\n{'a':1}",
 "POST /x\n{} x", "POST /x\nnull"]
--- more_headers
Content-Type: application/json
--- error_code eval: [400, 400, 400, 400, 200]
--- response_body_like eval
["malformed JSON at byte 6", "malformed JSON at byte", "malformed JSON at byte 1",
 "malformed JSON at byte 3", ""]


=== TEST 7: bytes that are not UTF-8
--- config
    location /x { sluice_json $a /a; sluice_respond 200 "$a"; }
--- request eval: "POST /x\n{\"a\":\"\xff\"}"
--- more_headers
Content-Type: application/vnd.x+json; charset=utf-8
--- error_code: 400


=== TEST 8: verified first, parsed after
--- config
    location /x {
        sluice_verify meta secret=k; sluice_json $a /a required;
        sluice_respond 200 "$a";
    }
--- request eval: "POST /x\nnot json"
--- more_headers
X-Hub-Signature-256: sha256=00
--- error_code: 401


=== TEST 9: inherited, and replaced
--- config
    sluice_json $a /a;
    location /x { sluice_respond 200 "$a|$b"; }
    location /y { sluice_json $b /b; sluice_respond 200 "$a|$b"; }
--- request eval
["POST /x\n{\"a\":1,\"b\":2}", "POST /y\n{\"a\":1,\"b\":2}"]
--- response_body eval: ["1|", "|2"]


=== TEST 10: without sluice_json the type decides
--- config
    location /x { sluice_verify none; sluice_enqueue q; }
--- request eval: [("POST /x\nnot json") x 5]
--- more_headers eval
["Content-Type: application/json", "Content-Type: Application/JSON; charset=x",
 "Content-Type: application/cloudevents+json", "Content-Type: text/plain",
 "X-Nothing: 1"]
--- error_code eval: [400, 400, 400, 200, 200]


=== TEST 11: before the body is read there is nothing
--- config
    location /x {
        sluice_json $a /a;
        set $early "<$a>";
        sluice_respond 200 "$early$a";
    }
--- request
POST /x
{"a":"b"}
--- response_body chomp
<>b


=== TEST 12: no control character comes out of a variable
--- config
    location /x {
        sluice_json $s /s;
        sluice_json $a /a;
        add_header X-S $s;
        add_header X-A $a;
        sluice_respond 200 "$s|$a";
    }
--- request eval
"POST /x\n" . '{"s":"a\r\nSet-Cookie: evil=1","a":[' . "\r\n\t1\n\n]}"
--- response_headers eval
"X-S: a\\r\\nSet-Cookie: evil=1\nX-A: [   1  ]\nSet-Cookie: "
--- response_body eval
'a\r\nSet-Cookie: evil=1|[   1  ]'


=== TEST 12: pages below a server's sluice_json, and below a required one
--- config
    sluice_json $a /a;
    location /page { sluice_respond 200 "page"; }
    location /must { sluice_json $a /a required; sluice_respond 200 "$a"; }
--- request eval: ["GET /page", "GET /must", "POST /page\n"]
--- error_code eval: [200, 400, 400]


=== TEST 13: what does not say that it is JSON, and is not
--- config
    location /x { sluice_json $a /a; sluice_respond 200 "$a"; }
    location /r { sluice_verify none; sluice_enqueue q envelope=raw; }
--- request eval
["POST /x\na=1", "POST /x\n{\"a\":1}", "POST /r\na=1", "POST /r\n{\"a\":1}",
 "POST /x\n{\"a\":1,\"a\":2}", "POST /x\n" . ("[" x 129) . ("]" x 129), "POST /x\n"]
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- error_code eval: [415, 200, 415, 200, 400, 400, 400]
--- response_headers eval
["Accept: application/json\nAccept-Encoding:\nContent-Type: application/problem+json",
 "Accept:", "Accept: application/json", "Accept:", "Accept:", "Accept:", "Accept:"]
--- response_body_like eval
['^\{"type":"about:blank","title":"Unsupported Media Type","status":415,"detail":"malformed JSON at byte 0"\}$',
 '^1$', '"status":415', '', 'duplicate member', 'deep', 'empty']


=== TEST 14: no type at all, and a type that only looks like JSON
--- config
    location /x { sluice_json $a /a; sluice_respond 200 "$a"; }
--- request eval: ["POST /x\nnot", "POST /x\nnot", "POST /x\nnot", "POST /x\nnot"]
--- more_headers eval
["", "Content-Type: application/jsonx", "Content-Type: text/json",
 "Content-Type: APPLICATION/JSON;charset=utf-8"]
--- error_code eval: [415, 415, 415, 400]


=== TEST 15: a body with a content coding
--- config
    location /x { sluice_json $a /a; sluice_respond 200 "$a"; }
    location /e { sluice_verify none; sluice_enqueue q;
                  sluice_respond 200 $sluice_enqueue_status; }
--- request eval
["POST /x\n\x1f\x8b\x08", "POST /e\n\x1f\x8b\x08", "POST /x\nnot", "POST /x\nnot",
 "POST /x\n{\"a\":1}", "POST /x\nnot"]
--- more_headers eval
["Content-Type: application/json\nContent-Encoding: gzip",
 "Content-Type: application/json\nContent-Encoding: gzip",
 "Content-Type: application/json\nContent-Encoding: Identity",
 "Content-Type: application/json\nContent-Encoding:",
 "Content-Type: application/json\nContent-Encoding: gzip",
 "Content-Type: application/json\nContent-Encoding: identity\nContent-Encoding: br"]
--- error_code eval: [415, 415, 400, 400, 200, 415]
--- response_headers eval
["Accept-Encoding: identity\nAccept:", "Accept-Encoding: identity", "Accept-Encoding:",
 "Accept-Encoding:", "Accept-Encoding:", "Accept-Encoding: identity"]
--- response_body_like eval
["the body has a content coding", "the body has a content coding", "malformed JSON",
 "malformed JSON", "^1\$", "content coding"]


=== TEST 16: a coded body that is not to be read is kept as bytes
--- config
    location /e { sluice_verify none; sluice_enqueue q;
                  sluice_respond 200 $sluice_enqueue_status; }
--- request eval: "POST /e\n\x1f\x8b\x08"
--- more_headers
Content-Type: text/plain
Content-Encoding: gzip
--- response_body: accepted


=== TEST 17: counted as other bodies that are refused
--- config
    location /x { sluice_verify none; sluice_enqueue q envelope=raw; }
    location /s { sluice_status; }
--- request eval: ["POST /x\na=1", "GET /s"]
--- error_code eval: [415, 200]
--- response_body_like eval
# over a HUP the counters go on
my $n = $ENV{TEST_NGINX_USE_HUP} ? '[1-9]\d*' : 1;
["", qq/"events":\\{"received":$n,.*"refused":$n,.*"in_flight":0\\}.*"body":$n/]
