# A verification that only says what it would do, and how loud it says so.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

our $body = '{"object":"page"}';
our $dry = 'location /x { sluice_verify meta "secret=an app secret";
                          sluice_verify_dry_run on; sluice_enqueue q;
                          sluice_respond 200 $sluice_verify_status; }
            location /s { sluice_status; }';

run_tests();

__DATA__

=== TEST 1: a wrong signature passes, and the event says so
--- config eval: $::dry
--- request eval: "POST /x\n$::body"
--- more_headers eval: SluiceTest::signed($::body, 'another')
--- response_body chomp
mismatch_dry_run
--- error_log
[info]
sluice lets the request pass, dry run: signature or key does not match
--- no_error_log
refused the request
--- redis
LLEN bull:q:wait => 1
EVAL return(redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',0),'data')) 0 => /"verified":false/


=== TEST 2: a right one is verified
--- config eval: $::dry
--- request eval: "POST /x\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- response_body chomp
valid
--- no_error_log
dry run
--- redis
EVAL return(redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',0),'data')) 0 => /"verified":true/


=== TEST 3: no signature, a malformed one, an empty secret
--- config eval
"$::dry
location /e { sluice_verify meta secret=\$arg_none; sluice_verify_dry_run on;
              sluice_respond 200 \$sluice_verify_status; }"
--- request eval: ["POST /x\n{}", "POST /x\n{}", "POST /e\n{}"]
--- more_headers eval: ["", ("X-Hub-Signature-256: sha256=00") x 2]
--- response_body_like eval
["^missing_dry_run\$", "^malformed_dry_run\$", "^(malformed|empty_secret)_dry_run\$"]


=== TEST 4: counted apart from what is refused
--- config eval: $::dry
--- request eval: ["POST /x\n{}", "GET /s"]
--- response_body_like eval
["^missing_dry_run\$", '"verify_dry_run":\{"missing":[1-9]']


=== TEST 5: the method is refused all the same
--- config eval: $::dry
--- request
PUT /x
--- error_code: 405


=== TEST 6: an unverified event gives no id to go by
--- config
location /x { sluice_verify stripe secret=k; sluice_verify_dry_run on;
              sluice_enqueue q id=$sluice_event_id;
              sluice_respond 200 "<$sluice_event_id> $sluice_event_type"; }
--- request
POST /x
{"id":"evt_1","type":"charge.failed"}
--- response_body chomp
<> stripe


=== TEST 7: in front of what was there before
--- config
location /x { sluice_verify api_key secret=k; sluice_verify_dry_run on;
              proxy_pass http://127.0.0.1:$server_port/back; }
location /back { return 200 reached; }
--- request
GET /x
--- response_body chomp
reached
--- error_log
sluice lets the request pass, dry run: no signature or key


=== TEST 8: around the verification: said, and let pass
--- config
location /x { satisfy any; allow all; sluice_verify api_key secret=k;
              sluice_verify_dry_run on; sluice_enqueue q;
              sluice_respond 200 $sluice_verify_status; }
--- request
POST /x
{}
--- response_body chomp
unverified_dry_run
--- error_log
dry run: not verified


=== TEST 9: off again in a location below
--- config
sluice_verify_dry_run on;
location /x { sluice_verify api_key secret=k; sluice_verify_dry_run off;
              sluice_respond 200 in; }
--- request
GET /x
--- error_code: 401


=== TEST 10: as loud as it is told
--- config
sluice_verify_log_level warn;
location /x { sluice_verify api_key secret=k; sluice_respond 200 in; }
--- request
GET /x
--- error_code: 401
--- error_log eval: qr/\[warn\].*sluice refused the request: no signature/


=== TEST 11: a level that is none
--- config
sluice_verify_log_level debug;
--- must_die
--- error_log
invalid value "debug"
--- no_error_log
[crit]


=== TEST 12: a handshake that is signed is answered, counted and not enqueued
--- config
location /x { sluice_verify slack secret=k; sluice_enqueue q;
              sluice_respond 200 $sluice_verify_status; }
--- request
POST /x
{"type":"url_verification","challenge":"abc"}
--- more_headers eval
my $t = time;
"X-Slack-Request-Timestamp: $t\nX-Slack-Signature: v0="
. SluiceTest::hmac("v0:$t:" . '{"type":"url_verification","challenge":"abc"}', 'k')
--- response_body chomp
{"challenge":"abc"}
--- response_headers
X-Content-Type-Options: nosniff
--- redis
KEYS * =>


=== TEST 13: a CRC, and the POST of the same sender
--- config
location /x { sluice_verify hmac secret=k encoding=base64 prefix=sha256=
                            header=X-Twitter-Webhooks-Signature crc=crc_token;
              sluice_enqueue q; }
--- request eval: ["GET /x?crc_token=abc", "POST /x\n{}", "GET /x"]
--- more_headers eval
["", "X-Twitter-Webhooks-Signature: sha256="
     . Digest::SHA::hmac_sha256_base64('{}', 'k') . "=", ""]
--- response_body_like eval
['^\{"response_token":"sha256=' . quotemeta(Digest::SHA::hmac_sha256_base64('abc', 'k')) . '="\}$', '^$', '"status":405']
--- error_code eval: [200, 200, 405]


=== TEST 14: the URL as it came, with Host and port
--- config
location /x { sluice_verify square secret=k; sluice_respond 200 in; }
--- request
POST /x?a=1
{}
--- more_headers eval
"Host: hooks.example.com:8443\nx-square-hmacsha256-signature: "
. Digest::SHA::hmac_sha256_base64('http://hooks.example.com:8443/x?a=1{}', 'k') . "="
--- response_body chomp
in


=== TEST 15: a body in a temporary file, in pieces and as a whole
--- config
location /x { client_body_in_file_only clean; sluice_verify hmac secret=k; sluice_respond 200 in; }
location /y { client_body_in_file_only clean; sluice_verify mailgun secret=k tolerance=0; sluice_respond 200 in; }
--- request eval
["POST /x\n" . "a" x 100000,
 "POST /y\n" . '{"signature":{"timestamp":"1795000000","token":"t","signature":"' . SluiceTest::hmac('1795000000t', 'k') . '"},"event-data":{"x":"' . "a" x 100000 . '"}}']
--- more_headers eval
["X-Signature: " . SluiceTest::hmac("a" x 100000, 'k'), "Content-Type: application/json"]
--- response_body eval: ["in", "in"]
--- no_error_log
[error]


=== TEST 16: what the scheme says of the event is kept, once
--- config
location /x { sluice_verify github secret=k; client_max_body_size 32m; sluice_enqueue q headers=X-GitHub-Event,X-A id=$sluice_event_id; }
--- request
POST /x
{}
--- more_headers eval
"Content-Type: application/json\nX-GitHub-Event: ping\nX-A: b\nX-GitHub-Delivery: d-1\nX-Hub-Signature: sha1=00\nX-Hub-Signature-256: sha256="
. SluiceTest::hmac('{}', 'k')
--- redis
HGET bull:q:e-d-1 data => /"x-github-event":"ping","x-a":"b","x-github-delivery":"d-1"/
HGET bull:q:e-d-1 name => github.ping
EVAL return(string.find(redis.call('HGET','bull:q:e-d-1','data'),'sha256=')or(0)) 0 => 0
EVAL return(string.find(redis.call('HGET','bull:q:e-d-1','data'),'sha1=')or(0)) 0 => 0


=== TEST 17: a scheme's signature is not to be listed
--- config
location /x { sluice_verify shopify secret=k; sluice_enqueue q headers=X-Shopify-Hmac-Sha256; }
--- must_die
--- error_log
"headers=" of "sluice_enqueue q" may not have "x-shopify-hmac-sha256"
--- no_error_log
[crit]


=== TEST 18: a public URL that is none
--- config
location /x { sluice_verify square secret=k public_url=hooks.example.com/Top5ecret; sluice_respond 200 in; }
--- must_die
--- error_log
invalid parameter "public_url=" of "sluice_verify square": is not a URL
--- no_error_log
op5ecret


=== TEST 19: a secret that is no key of the scheme
--- config
location /x { sluice_verify discord secret=Top5ecret; sluice_respond 200 in; }
--- must_die
--- error_log
"secret=" in "sluice_verify discord":
--- no_error_log
op5ecret


=== TEST 20: a variable that is no key of the scheme
--- config
location /x { sluice_verify discord secret=$arg_k; sluice_respond 200 in; }
--- request
POST /x?k=zz
{}
--- more_headers eval: "X-Signature-Timestamp: 1795000000\nX-Signature-Ed25519: " . "00" x 64
--- error_code: 401
--- error_log
sluice refused the request: the secret is empty or unusable


=== TEST 21: what GitHub sends does not fit
--- config
location /x { sluice_verify github secret=k; client_max_body_size 24m; sluice_enqueue q; }
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- error_log
"client_max_body_size" in location "/x" is below the 25m that the scheme "github" may send
--- no_error_log
[emerg]
