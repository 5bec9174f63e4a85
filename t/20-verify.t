# Signatures, keys and handshakes: who is let in, and what others are told.

use Test::Nginx::Socket;
use Digest::SHA qw(hmac_sha1_hex hmac_sha1_base64 hmac_sha384_hex
                   hmac_sha512_base64);
use SluiceTest;

plan('no_plan');
setup();

our $body = '{"object":"whatsapp_business_account","entry":[]}';
our $meta = 'location /hook { sluice_verify meta "secret=an app secret" '
            . 'verify_token=tok; sluice_enqueue messages; }';
our $refused = '{"type":"about:blank","title":"Unauthorized","status":401,'
               . '"detail":"the request could not be authenticated"}' . "\n";

run_tests();

__DATA__

=== TEST 1: a right signature
--- config eval: $::meta
--- request eval: "POST /hook\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- error_code: 200
--- redis
LLEN bull:messages:wait => 1


=== TEST 2: a signature of another body
--- config eval: $::meta
--- request eval: "POST /hook\n$::body"
--- more_headers eval: SluiceTest::signed($::body . ' ')
--- error_code: 401
--- response_body eval: $::refused
--- response_headers
Content-Type: application/problem+json
--- error_log
sluice refused the request: signature or key does not match
--- redis
KEYS * =>


=== TEST 3: with another secret
--- config eval: $::meta
--- request eval: "POST /hook\n$::body"
--- more_headers eval: SluiceTest::signed($::body, 'another')
--- error_code: 401
--- response_body eval: $::refused
--- redis
KEYS * =>


=== TEST 4: no signature
--- config eval: $::meta
--- request eval: "POST /hook\n$::body"
--- error_code: 401
--- response_body eval: $::refused
--- error_log
sluice refused the request: no signature or key


=== TEST 5: two signature headers, both right
--- config eval: $::meta
--- request eval: "POST /hook\n$::body"
--- more_headers eval
SluiceTest::signed($::body) . "\nX-Hub-Signature-256: sha256="
. SluiceTest::hmac($::body)
--- error_code: 401
--- response_body eval: $::refused
--- error_log
sluice refused the request: malformed signature or key


=== TEST 6: the prefix is missing
--- config eval: $::meta
--- request eval: "POST /hook\n$::body"
--- more_headers eval: "X-Hub-Signature-256: " . SluiceTest::hmac($::body)
--- error_code: 401


=== TEST 7: cut, and longer by one
--- config eval: $::meta
--- request eval: ["POST /hook\n$::body", "POST /hook\n$::body"]
--- more_headers eval
["X-Hub-Signature-256: sha256=" . substr(SluiceTest::hmac($::body), 0, 63),
 "X-Hub-Signature-256: sha256=" . SluiceTest::hmac($::body) . "0"]
--- error_code eval: [401, 401]


=== TEST 8: an empty signature, and one that is no hex
--- config eval: $::meta
--- request eval: ["POST /hook\n$::body", "POST /hook\n$::body"]
--- more_headers eval
["X-Hub-Signature-256: sha256=", "X-Hub-Signature-256: sha256=" . "zz" x 32]
--- error_code eval: [401, 401]


=== TEST 9: upper case hex is hex
--- config eval: $::meta
--- request eval: "POST /hook\n$::body"
--- more_headers eval
"Content-Type: application/json\n"
. "X-Hub-Signature-256: sha256=" . uc SluiceTest::hmac($::body)
--- error_code: 200


=== TEST 10: the second of two secrets, and which one it was
--- config
    location /hook {
        sluice_verify meta secret=new "secret=an app secret";
        sluice_respond 200 "$sluice_secret_index $sluice_verify_status";
    }
--- request eval: "POST /hook\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- response_body chomp
2 valid


=== TEST 11: a secret from a variable
--- http_config
    map $arg_app $secret { one "an app secret"; two ""; }
--- config
    location /hook {
        sluice_verify meta secret=$secret;
        sluice_respond 200 in;
    }
--- request eval: "POST /hook?app=one\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- response_body chomp
in


=== TEST 12: an empty variable never matches, not even a MAC with the empty key
--- http_config
    map $arg_app $secret { one "an app secret"; two ""; }
--- config
    location /hook {
        sluice_verify meta secret=$secret;
        sluice_respond 200 in;
    }
--- request eval: "POST /hook?app=two\n$::body"
--- more_headers eval: SluiceTest::signed($::body, '')
--- error_code: 401
--- error_log
sluice refused the request: the secret is empty


=== TEST 13: an unset variable
--- config
    location /hook {
        sluice_verify api_key secret=$http_nothing;
        sluice_respond 200 in;
    }
--- request: GET /hook
--- more_headers
Authorization: Bearer 
--- error_code: 401


=== TEST 14: an empty variable beside a right secret
--- config
    location /hook {
        sluice_verify meta secret=$arg_none "secret=an app secret";
        sluice_respond 200 "$sluice_secret_index";
    }
--- request eval: "POST /hook\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- response_body chomp
2


=== TEST 15: hmac as it is
--- config
    location /hook { sluice_verify hmac secret=k; sluice_respond 200 in; }
--- request eval: "POST /hook\n$::body"
--- more_headers eval: "X-Signature: " . SluiceTest::hmac($::body, 'k')
--- response_body chomp
in


=== TEST 16: hmac sha1 base64 of another header with a prefix
--- config
    location /hook {
        sluice_verify hmac secret=k algorithm=sha1 encoding=base64
                      header=X-Mine prefix=v1=;
        sluice_respond 200 in;
    }
--- request eval: "POST /hook\n$::body"
--- more_headers eval
"x-mine: v1=" . Digest::SHA::hmac_sha1_base64($::body, 'k') . "="
--- response_body chomp
in


=== TEST 17: hmac sha384 hex
--- config
    location /hook {
        sluice_verify hmac secret=k algorithm=sha384; sluice_respond 200 in;
    }
--- request eval: "POST /hook\n$::body"
--- more_headers eval
"X-Signature: " . Digest::SHA::hmac_sha384_hex($::body, 'k')
--- response_body chomp
in


=== TEST 18: hmac sha512 base64url
--- config
    location /hook {
        sluice_verify hmac secret=k algorithm=sha512 encoding=base64url;
        sluice_respond 200 in;
    }
--- request eval: "POST /hook\n$::body"
--- more_headers eval
my $s = Digest::SHA::hmac_sha512_base64($::body, 'k'); $s =~ tr{+/}{-_};
"X-Signature: $s=="
--- response_body chomp
in


=== TEST 19: hmac over an empty body
--- config
    location /hook { sluice_verify hmac secret=k; sluice_respond 200 in; }
--- request: GET /hook
--- more_headers eval: "X-Signature: " . SluiceTest::hmac('', 'k')
--- response_body chomp
in


=== TEST 20: api_key
--- config
    location /api { sluice_verify api_key secret=k1 secret=k2;
                    sluice_respond 200 "$sluice_secret_index"; }
--- request: GET /api
--- more_headers
Authorization: bearer k2
--- response_body chomp
2


=== TEST 21: api_key wrong, longer, shorter, without Bearer, empty
--- config
    location /api { sluice_verify api_key secret=key; sluice_respond 200 in; }
--- request eval: [("GET /api") x 6]
--- more_headers eval
["Authorization: Bearer kez", "Authorization: Bearer keyy",
 "Authorization: Bearer ke", "Authorization: key", "Authorization: Bearer ",
 "Authorization: Basic a2V5"]
--- error_code eval: [(401) x 6]
--- response_headers eval: [("WWW-Authenticate: Bearer") x 6]


=== TEST 22: api_key bare in a header of its own
--- config
    location /api { sluice_verify api_key secret=key header=X-Api-Key;
                    sluice_respond 200 in; }
--- request eval: ["GET /api", "GET /api"]
--- more_headers eval: ["X-API-Key: key", "X-API-Key: Bearer key"]
--- error_code eval: [200, 401]


=== TEST 23: another status
--- config
    location /api { sluice_verify api_key secret=key; sluice_verify_status 403;
                    sluice_respond 200 in; }
--- request: GET /api
--- error_code: 403
--- response_body
{"type":"about:blank","title":"Forbidden","status":403,"detail":"the request could not be authenticated"}


=== TEST 24: the handshake
--- config eval: $::meta
--- request: GET /hook?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=tok
--- error_code: 200
--- response_headers
Content-Type: text/plain
X-Content-Type-Options: nosniff
--- response_body chomp
1158201444
--- redis
KEYS * =>


=== TEST 25: the handshake with an encoded token
--- config
    location /hook { sluice_verify meta secret=x "verify_token=a b+c"; }
--- request: GET /hook?hub.mode=subscribe&hub.challenge=7&hub.verify_token=a%20b%2Bc
--- response_body chomp
7


=== TEST 26: the handshake refused: token, mode, no token, no challenge
--- config eval: $::meta
--- request eval
["GET /hook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=tik",
 "GET /hook?hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=tok",
 "GET /hook?hub.mode=subscribe&hub.challenge=1",
 "GET /hook?hub.mode=subscribe&hub.verify_token=tok",
 "GET /hook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
 "GET /hook?hub.mode=subscribe&hub.challenge=&hub.verify_token=tok"]
--- error_code eval: [(403) x 6]
--- response_body_like eval: [("cannot be confirmed") x 6]


=== TEST 27: a challenge that is too long, or markup
--- config eval: $::meta
--- request eval
["GET /hook?hub.mode=subscribe&hub.verify_token=tok&hub.challenge=" . "1" x 129,
 "GET /hook?hub.mode=subscribe&hub.verify_token=tok&hub.challenge=%3Cb%3E",
 "GET /hook?hub.mode=subscribe&hub.verify_token=tok&hub.challenge=" . "1" x 128]
--- error_code eval: [403, 403, 200]


=== TEST 28: no handshake without verify_token=
--- config
    location /hook { sluice_verify meta secret=x; }
--- request: GET /hook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=
--- error_code: 403


=== TEST 29: a body with NUL bytes is signed as it is
--- config
    location /hook { sluice_verify hmac secret=k; sluice_respond 200 in; }
--- request eval: "POST /hook\na\0b\0"
--- more_headers eval: "X-Signature: " . SluiceTest::hmac("a\0b\0", 'k')
--- response_body chomp
in


=== TEST 30: the secret and the expected signature are in no log
--- config eval: $::meta
--- request eval: "POST /hook\n$::body"
--- more_headers
X-Hub-Signature-256: sha256=00
--- error_code: 401
--- no_error_log eval
["an app secret", SluiceTest::hmac($::body)]


=== TEST 31: bad signature and bad tenant are answered alike
--- config
    location /hook {
        sluice_verify api_key secret=k;
        sluice_enqueue q tenant=$arg_t;
    }
--- request eval
["POST /hook?t=a\n", "POST /hook?t=a%2Fb\n{}", "POST /hook\n{}"]
--- more_headers eval
["Authorization: Bearer x", "Authorization: Bearer k",
 "Authorization: Bearer k"]
--- error_code eval: [401, 401, 401]
--- response_body eval: [$::refused, $::refused, $::refused]
--- redis
KEYS * =>


=== TEST 32: a bad tenant where nothing is verified
--- config
    location /hook { sluice_verify none; sluice_enqueue q tenant=$arg_t; }
--- request eval: "POST /hook?t=a:b\n{}"
--- error_code: 404
--- response_body
{"type":"about:blank","title":"Not Found","status":404,"detail":"there is no such queue"}
--- redis
KEYS * =>


=== TEST 33: a redirect is verified again when the secret is a variable
--- config
    sluice_verify api_key secret=$uri header=X-Key;
    location /a { try_files /none /b; }
    location /c { try_files /none /d; }
    location /b { sluice_respond 200 in; }
    location /d { satisfy any; allow all; sluice_respond 200 in; }
--- request eval: ["GET /a", "GET /b", "GET /c", "GET /d"]
--- more_headers eval: ["X-Key: /a", "X-Key: /b", "X-Key: /c", "X-Key: /d"]
--- error_code eval: [401, 200, 403, 403]


=== TEST 34: so is one with a body
--- config
    sluice_verify hmac "secret=an app secret$arg_more";
    location /a { try_files /none /b?$args; }
    location /b { sluice_respond 200 in; }
    location /c { try_files /none /b?more=x; }
--- request eval
["POST /a\n$::body", "POST /c\n$::body"]
--- more_headers eval
[("X-Signature: " . SluiceTest::hmac($::body)) x 2]
--- error_code eval: [200, 401]


=== TEST 35: what a page of another scheme stores is not verified
--- config
    location /a { sluice_verify api_key secret=k; sluice_json $x /x required; error_page 400 = @any; sluice_respond 200 in; }
    location @any { sluice_verify none; sluice_enqueue q id=1; }
--- request
POST /a
{"y":1}
--- more_headers
Content-Type: application/json
Authorization: Bearer k
--- redis
HGET bull:q:e-1 data => /"signaturescheme":"none","verified":false/
