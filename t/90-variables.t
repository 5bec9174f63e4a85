# What the steps leave for logs and answers.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

our $body = '{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages"}]}]}';

run_tests();

__DATA__

=== TEST 1: all, after an enqueue
--- http_config
    sluice_limit_zone $arg_k zone=v2:64k;
--- config
    location /x {
        sluice_verify meta secret=old "secret=an app secret";
        sluice_limit zone=v2 rate=1r/s;
        sluice_enqueue messages tenant=$arg_t id=$arg_i;
        sluice_respond 200 "$sluice_tenant $sluice_queue $sluice_event_id $sluice_job_id $sluice_event_type $sluice_verify_status $sluice_secret_index $sluice_limit_status $sluice_enqueue_status $sluice_enqueue_time";
    }
--- request eval: "POST /x?t=acme&i=7&k=1\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- response_body_like chomp
^acme messages  e-7 meta\.messages valid 2 passed accepted 0\.\d\d\d$


=== TEST 2: a duplicate
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q id=$arg_i;
        sluice_respond 200 "$sluice_verify_status $sluice_enqueue_status";
    }
--- request eval: [("POST /x?i=1\n{}") x 2]
--- response_body eval: ["none accepted", "none duplicate"]


=== TEST 3: in the access log, refused
--- http_config
    log_format s "<$sluice_verify_status|$sluice_limit_status|$sluice_enqueue_status|$sluice_tenant|$sluice_job_id|$sluice_enqueue_time>";
--- config
    location /x {
        access_log logs/access.log s;
        sluice_verify meta secret=k;
        sluice_enqueue q;
    }
--- request
POST /x
{}
--- more_headers
X-Hub-Signature-256: sha256=00
--- error_code: 401
--- access_log
<malformed|-|-|-|-|->


=== TEST 4: in the access log, a handshake and one refused
--- http_config
    log_format s "<$sluice_verify_status>";
--- config
    location /x {
        access_log logs/access.log s;
        sluice_verify meta secret=k verify_token=t;
        sluice_enqueue q;
    }
--- request: GET /x?hub.mode=subscribe&hub.verify_token=no&hub.challenge=1
--- error_code: 403
--- access_log
<handshake_refused>


=== TEST 5: in the access log, limited
--- http_config
    sluice_limit_zone $arg_k zone=v6:64k;
    log_format s "<$sluice_limit_status>";
--- config
    location /x {
        access_log logs/access.log s;
        sluice_limit zone=v6 rate=1r/h;
        sluice_respond 200 in;
    }
--- pipelined_requests eval: [("GET /x?k=1") x 2]
--- error_code eval: [200, 429]
--- access_log
<passed>
<limited>


=== TEST 6: where nothing of this module is
--- config
    location /x { return 200 "<$sluice_job_id$sluice_verify_status$sluice_limit_status$sluice_secret_index$sluice_enqueue_time>"; }
--- request: GET /x
--- response_body chomp
<>


=== TEST 7: read in a map before its step, it is not frozen
--- http_config
    map $sluice_tenant $known { acme 1; default 0; }
--- config
    location /x {
        set $before $sluice_tenant;
        sluice_verify none;
        sluice_enqueue q tenant=acme;
        sluice_respond 200 "[$before][$sluice_tenant][$known]";
    }
--- request
POST /x
{}
--- response_body chomp
[][acme][1]


=== TEST 8: in a subrequest they are those of the request
--- config
    location /x {
        sluice_verify api_key secret=k;
        add_after_body /sub;
        sluice_respond 200 text/html "a";
    }
    location /sub { return 200 "<$sluice_verify_status>"; }
--- request: GET /x
--- more_headers
Authorization: Bearer k
--- response_body chomp
a<valid>
