# Limits together: several zones, the cost of a size, dry run, what the fields
# of a refusal say, memory.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

run_tests();

__DATA__

=== TEST 1: tenant, address and all: none is charged when one refuses
--- http_config
    sluice_limit_zone $arg_t zone=m1t:64k;
    sluice_limit_zone $arg_a zone=m1a:64k;
    sluice_limit_zone all    zone=m1:64k;
--- config
    location /x {
        sluice_limit zone=m1t rate=1r/h;
        sluice_limit zone=m1a rate=1r/h burst=1;
        sluice_limit zone=m1  rate=1r/h burst=3;
        sluice_respond 200 in;
    }
--- request eval
["GET /x?t=1&a=1", "GET /x?t=1&a=1", "GET /x?t=1&a=1", "GET /x?t=2&a=1",
 "GET /x?t=3&a=1", "GET /x?t=3&a=2", "GET /x?t=4&a=2", "GET /x?t=5&a=3"]
--- error_code eval: [200, 429, 429, 200, 429, 200, 200, 429]
--- response_headers_like eval
["", "RateLimit: \"m1t\";r=0;t=3(600|5\\d\\d)", "RateLimit: \"m1t\".*", "",
 "RateLimit: \"m1a\".*", "", "",
 "RateLimit-Policy: \"m1\";q=4;w=14400\nRateLimit: \"m1\";r=0;t=3(600|5\\d\\d)"]


=== TEST 2: early ones and the others are charged apart
--- http_config
    sluice_limit_zone $arg_a zone=m2a:64k;
    sluice_limit_zone $arg_t zone=m2t:64k;
--- config
    location /x {
        sluice_limit zone=m2a rate=1r/h burst=2 early;
        sluice_limit zone=m2t rate=1r/h;
        sluice_respond 200 in;
    }
--- request eval
["GET /x?a=1&t=1", "GET /x?a=1&t=1", "GET /x?a=1&t=2", "GET /x?a=1&t=3"]
--- error_code eval: [200, 429, 200, 429]
--- response_headers_like eval: ["", "RateLimit: \"m2t\".*", "", "RateLimit: \"m2a\".*"]


=== TEST 3: a started kilobyte is a unit
--- http_config
    sluice_limit_zone $arg_k zone=m3:64k;
--- config
    location /x { sluice_limit zone=m3 rate=1r/h burst=3 cost=size/1k; sluice_verify none; sluice_enqueue q; }
--- request eval
["POST /x?k=1\n" . '"' . "a" x 1022 . '"', "POST /x?k=1\n" . '"' . "a" x 1023 . '"',
 "POST /x?k=1\n" . '"' . "a" x 1023 . '"', "POST /x?k=1\n1"]
--- error_code eval: [200, 200, 429, 200]
--- response_headers_like eval
["", "", "RateLimit-Policy: \"m3\";q=4;w=14400\nRateLimit: \"m3\";r=1;t=3600", ""]


=== TEST 4: more than there ever is takes all, and passes when all is there
--- http_config
    sluice_limit_zone $arg_k zone=m4:64k;
--- config
    location /x { sluice_limit zone=m4 rate=1r/h burst=3 cost=size/10; sluice_verify none; sluice_enqueue q; }
--- request eval
["POST /x?k=1\n\"" . "a" x 200 . '"', "POST /x?k=1\n1",
 "POST /x?k=2\n1", "POST /x?k=2\n\"" . "a" x 200 . '"']
--- error_code eval: [200, 429, 200, 429]
--- response_headers_like eval
["", "Retry-After: 3600", "", "Retry-After: 3600\nRateLimit: \"m4\";r=3;t=3600"]


=== TEST 5: the size of a body in a file
--- http_config
    sluice_limit_zone $arg_k zone=m5:64k;
--- config
    client_body_in_file_only clean;
    location /x { sluice_limit zone=m5 rate=1r/h burst=3 cost=size/10; sluice_verify none; sluice_enqueue q; }
--- request eval
["POST /x?k=1\n\"" . "a" x 28 . '"', "POST /x?k=1\n1", "POST /x?k=1\n1"]
--- error_code eval: [200, 200, 429]


=== TEST 6: before the body is read its Content-Length counts
--- http_config
    sluice_limit_zone $arg_k zone=m6:64k;
--- config
    location /x { sluice_limit zone=m6 rate=1r/h burst=3 cost=size/10 early; sluice_verify none; sluice_enqueue q; }
--- request eval
["POST /x?k=1\n\"" . "a" x 28 . '"', "POST /x?k=1\n1", "POST /x?k=1\n"]
--- error_code eval: [200, 200, 429]


=== TEST 7: the size without a body
--- http_config
    sluice_limit_zone $arg_k zone=m7:64k;
--- config
    location /x { sluice_limit zone=m7 rate=1r/h cost=size/10; sluice_respond 200 in; }
--- request eval: [("GET /x?k=1") x 2]
--- error_code eval: [200, 429]


=== TEST 8: an invalid size
--- http_config
    sluice_limit_zone $arg_k zone=m8:64k;
--- config
    location /x { sluice_limit zone=m8 rate=1r/h cost=size/0; sluice_respond 200 in; }
--- must_die
--- error_log
invalid size in "cost=size/0" of "sluice_limit"


=== TEST 9: dry run: counted, told, let pass
--- http_config
    sluice_limit_zone $arg_k zone=m9:64k;
    sluice_limit_dry_run on;
    sluice_limit_log_level warn;
--- config
    location /x { sluice_limit zone=m9 rate=1r/h; sluice_respond 200 "$sluice_limit_status"; }
    location /e { sluice_limit zone=m9 rate=1r/h; sluice_verify none; sluice_enqueue q; sluice_respond 200 "$sluice_limit_status"; }
    location /off { sluice_limit_dry_run off; sluice_limit zone=m9 rate=1r/h; sluice_respond 200 in; }
    location /s { sluice_status; }
--- pipelined_requests eval
["GET /x?k=1", "GET /x?k=1", "POST /e?k=1\n{}", "GET /off?k=1", "GET /s"]
--- error_code eval: [200, 200, 200, 429, 200]
--- response_body_like eval
["^passed\$", "^limited_dry_run\$", "^limited_dry_run\$", "", '"limits":\{"dry_run":[2-9],']


=== TEST 10: levels that there are not
--- config
    sluice_limit_log_level loud;
--- must_die
--- error_log
invalid value "loud"


=== TEST 11: a limit that became shorter does not lock a key out
--- http_config
    sluice_limit_zone $arg_k zone=m12:64k;
--- config
    location /x { sluice_limit zone=m12 rate=$arg_r burst=9; sluice_respond 200 in; }
--- request eval
["GET /x?k=1&r=1r/h", "GET /x?k=1&r=1r/h", "GET /x?k=1&r=100r/s",
 "GET /x?k=1&r=100r/s"]
--- error_code eval: [200, 200, 429, 200]
--- delay: 0.05


=== TEST 12: a lower class has a lower number
--- config
    sluice_queue_limit 10 medium=20;
--- must_die
--- error_log
"sluice_queue_limit" directive has a lower class with a higher number


=== TEST 13: not a number
--- config
    sluice_queue_limit 10 low=few;
--- must_die
--- error_log
invalid number "low=few" in "sluice_queue_limit"


=== TEST 14: not a class
--- config
    sluice_queue_limit 10 urgent=5;
--- must_die
--- error_log
invalid parameter "urgent=5" of "sluice_queue_limit"


=== TEST 15: twice
--- config
    sluice_queue_limit 10;
    sluice_queue_limit off;
--- must_die
--- error_log
"sluice_queue_limit" directive is duplicate


=== TEST 16: off with more
--- config
    sluice_queue_limit off low=5;
--- must_die
--- error_log
invalid number "off" in "sluice_queue_limit"
