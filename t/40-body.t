# Where NGINX leaves a body: in memory, in pieces, in a file, nowhere.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

our $large = '{"object":"x","text":"' . "a" x 20000 . '"}';
our $huge = '{"object":"x","text":"' . "b" x (3 * 1024 * 1024 - 24) . '"}';
our $nul = "a\0b" . "\0" x 10;
our $deep = '[' x 100 . ']' x 100;
our $deeper = '[' x 200 . ']' x 200;
our $meta = 'sluice_verify meta "secret=an app secret"; '
            . 'sluice_enqueue q envelope=raw;';

# the only job's data is what was sent
sub same {
    my ($sent) = @_;

    Test::Nginx::Socket::add_response_body_check(sub {
        my ($block) = @_;

        return if !defined $block->sent;

        my $job = SluiceTest::one_job('bull:q');
        my $want = eval $block->sent;

        Test::More::ok($job && $job->{data} eq $want,
                       $block->name . " - stored as it came");
    });
}

same();
run_tests();

__DATA__

=== TEST 1: in memory
--- config eval: "location /hook { $::meta }"
--- request eval: "POST /hook\n{\"a\": [1,  2]}"
--- more_headers eval: SluiceTest::signed('{"a": [1,  2]}')
--- error_code: 200
--- sent: '{"a": [1,  2]}'


=== TEST 2: in a temporary file
--- config eval: "client_body_buffer_size 1k; location /hook { $::meta }"
--- request eval: "POST /hook\n$::large"
--- more_headers eval: SluiceTest::signed($::large)
--- error_code: 200
--- sent: $::large
--- error_log
a client request body is buffered to a temporary file
--- no_error_log
[alert]
[error]


=== TEST 3: 3 MB in memory
--- config eval
"client_body_buffer_size 4m; location /hook { $::meta }"
--- request eval: "POST /hook\n$::huge"
--- more_headers eval: SluiceTest::signed($::huge)
--- error_code: 200
--- sent: $::huge
--- no_error_log
[error]


=== TEST 4: 3 MB in a file
--- config eval
"client_body_buffer_size 16k; location /hook { $::meta }"
--- request eval: "POST /hook\n$::huge"
--- more_headers eval: SluiceTest::signed($::huge)
--- error_code: 200
--- sent: $::huge
--- no_error_log
[error]


=== TEST 5: a forged body in a file
--- config eval: "client_body_buffer_size 1k; location /hook { $::meta }"
--- request eval: "POST /hook\n$::large"
--- more_headers eval: SluiceTest::signed($::large . ' ')
--- error_code: 401
--- redis
KEYS * =>


=== TEST 6: a body in a file and only in a file
--- config eval
"client_body_in_file_only clean; location /hook { $::meta }"
--- request eval: "POST /hook\n{\"a\":1}"
--- more_headers eval: SluiceTest::signed('{"a":1}')
--- error_code: 200
--- sent: '{"a":1}'
--- error_log
a client request body is buffered to a temporary file
--- no_error_log
[alert]


=== TEST 7: chunked, in many small pieces
--- config eval: "location /hook { $::meta }"
--- raw_request eval
"POST /hook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n"
. CORE::join("\r\n", split /\n/, SluiceTest::signed('{"a":"bcd"}')) . "\r\n\r\n"
. CORE::join('', map { "1\r\n$_\r\n" } split //, '{"a":"bcd"}') . "0\r\n\r\n"
--- error_code: 200
--- sent: '{"a":"bcd"}'


=== TEST 8: chunked, into a file
--- config eval: "client_body_buffer_size 1k; location /hook { $::meta }"
--- raw_request eval
"POST /hook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n"
. CORE::join("\r\n", split /\n/, SluiceTest::signed($::large)) . "\r\n\r\n"
. CORE::join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
           unpack '(a777)*', $::large) . "0\r\n\r\n"
--- error_code: 200
--- sent: $::large
--- error_log
a client request body is buffered to a temporary file


=== TEST 9: a slow sender: the body comes after its header
--- config eval: "location /hook { $::meta }"
--- raw_request eval
["POST /hook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Content-Length: 7\r\n"
 . CORE::join("\r\n", split /\n/, SluiceTest::signed('{"a":1}')) . "\r\n\r\n",
 '{"a"', ':1}']
--- raw_request_middle_delay: 0.1
--- error_code: 200
--- sent: '{"a":1}'


=== TEST 10: over the limit, told by its length
--- config eval
"location /hook { client_max_body_size 1k; $::meta }"
--- no_http2
--- request eval: "POST /hook\n$::large"
--- more_headers eval: SluiceTest::signed($::large)
--- error_code: 413
--- error_log
client intended to send too large body
--- redis
KEYS * =>


=== TEST 11: over the limit, chunked
--- config eval
"location /hook { client_max_body_size 1k; $::meta }"
--- raw_request eval
"POST /hook HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
. "Connection: close\r\n\r\n"
. CORE::join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
           unpack '(a777)*', $::large) . "0\r\n\r\n"
--- error_code: 413
--- error_log
client intended to send too large chunked body
--- redis
KEYS * =>


=== TEST 12: no body
--- config eval: "location /hook { $::meta }"
--- request eval: "POST /hook\n"
--- more_headers eval: SluiceTest::signed('')
--- error_code: 400
--- response_body
{"type":"about:blank","title":"Bad Request","status":400,"detail":"the body is empty"}
--- redis
KEYS * =>


=== TEST 13: no body and no length
--- config eval: "location /hook { $::meta }"
--- raw_request eval
"POST /hook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. CORE::join("\r\n", split /\n/, SluiceTest::signed('')) . "\r\n\r\n"
--- error_code: 400


=== TEST 14: an empty chunked body
--- config eval: "location /hook { $::meta }"
--- raw_request eval
"POST /hook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n"
. CORE::join("\r\n", split /\n/, SluiceTest::signed('')) . "\r\n\r\n0\r\n\r\n"
--- error_code: 400


=== TEST 15: nothing but white space
--- config eval: "location /hook { $::meta }"
--- raw_request eval
"POST /hook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Content-Length: 3\r\n"
. CORE::join("\r\n", split /\n/, SluiceTest::signed(" \t ")) . "\r\n\r\n \t "
--- error_code: 400


=== TEST 16: NUL bytes are bytes: base64
--- config
    location /hook { sluice_verify none; sluice_enqueue q; }
--- request eval: "POST /hook\n$::nul"
--- more_headers
Content-Type: application/octet-stream
--- error_code: 200
--- redis
EVAL return{cjson.decode(redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',0),'data')).data_base64} 0 => YQBiAAAAAAAAAAAAAA==


=== TEST 17: NUL bytes in JSON are no JSON
--- config
    location /hook { sluice_verify none; sluice_enqueue q; }
--- request eval: "POST /hook\n{\"a\":\"\0\"}"
--- more_headers
Content-Type: application/json
--- error_code: 400
--- response_body_like: malformed JSON at byte 6


=== TEST 18: deep JSON
--- config
    location /hook { sluice_verify none; sluice_enqueue q; }
--- request eval: ["POST /hook\n$::deep", "POST /hook\n$::deeper"]
--- more_headers
Content-Type: application/json
--- error_code eval: [200, 400]
--- response_body_like eval: ["", "at byte 128"]


=== TEST 19: a body that another module has read before
--- config eval
"location /hook { $::meta mirror /copy; } location /copy { return 204; }"
--- request eval: "POST /hook\n$::large"
--- more_headers eval: SluiceTest::signed($::large)
--- error_code: 200
--- sent: $::large


=== TEST 20: the body is still there for a proxy
--- config
    client_body_buffer_size 1k;
    location /hook {
        sluice_verify meta "secret=an app secret";
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back;
    }
    location /back {
        sluice_verify none;
        sluice_enqueue q envelope=raw;
    }
--- request eval: "POST /hook\n$::large"
--- more_headers eval: SluiceTest::signed($::large)
--- error_code: 200
--- sent: $::large


=== TEST 21: Expect: 100-continue
--- config eval: "location /hook { $::meta }"
--- raw_request eval
["POST /hook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
 . "Content-Length: 7\r\nExpect: 100-continue\r\n"
 . CORE::join("\r\n", split /\n/, SluiceTest::signed('{"a":1}')) . "\r\n\r\n",
 '{"a":1}']
--- raw_request_middle_delay: 0.1
--- ignore_response
--- no_error_log
[alert]
[error]
