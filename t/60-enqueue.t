# The job in Redis as BullMQ has it, and the answer.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

our $body = '{"object":"whatsapp_business_account","entry":[{"id":"7",'
            . '"changes":[{"field":"messages","value":{"a": 1}}]}]}';

# --- job: field matches of the only job of --- base, --- data of its data
Test::Nginx::Socket::add_response_body_check(sub {
    my ($block) = @_;

    return if !defined $block->base;

    my $name = $block->name;
    my $base = $block->base;
    my $job = one_job($base);

    ok($job, "$name - one job in $base");
    $job ||= {};

    for my $line (split /\n/, $block->job || '') {
        my ($field, $want) = $line =~ /^(\w+) (.*)$/ or next;
        my $got = defined $job->{$field} ? $job->{$field} : '(none)';

        if ($want =~ m{^/(.*)/$}) {
            like($got, qr/^$1$/, "$name - $field");
        } else {
            is($got, $want, "$name - $field");
        }
    }

    my $data = eval { json($job->{data}) } || {};

    for my $line (split /\n/, $block->data || '') {
        my ($field, $want) = $line =~ /^(\w+) (.*)$/ or next;
        my $got = $data->{$field};
        $got = JSON::PP->new->canonical->encode($got) if ref $got eq 'HASH';
        $got = '(none)' if !defined $got;

        if ($want =~ m{^/(.*)/$}) {
            like($got, qr/^$1$/, "$name - data $field");
        } else {
            is($got, $want, "$name - data $field");
        }
    }

    is($data->{id}, $job->{id}, "$name - one id") if !$block->raw;
});

run_tests();

__DATA__

=== TEST 1: a webhook of Meta as a CloudEvent
--- config
    location /hooks/meta {
        sluice_verify meta "secret=an app secret";
        sluice_enqueue messages tenant=acme;
    }
--- request eval: "POST /hooks/meta?x=1\n$::body"
--- more_headers eval: SluiceTest::signed($::body)
--- base chomp
{acme}:messages
--- job
id /e-[0-9a-f]{32}/
name meta.messages
opts {"attempts":0}
delay 0
priority 0
timestamp /\d{13}/
--- data
specversion 1.0
source /hooks/meta
type meta.messages
time /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ/
tenant acme
signaturescheme meta
verified 1
datacontenttype application/json
headers (none)
--- redis
SMEMBERS sluice:queues => {acme}:messages
ZRANGE {acme}:messages:marker 0 -1 => 0
GET {acme}:messages:id => 1
EVAL return{redis.call('XLEN','{acme}:messages:events')} 0 => /^[1-9]/


=== TEST 2: the body's bytes are not changed
--- config
    location /x { sluice_verify none; sluice_enqueue q; }
--- request
POST /x
{ "b":1e2,  "a":"\u00e9\/" }
--- more_headers
Content-Type: application/json
--- base: bull:q
--- job
name none
data /.*"data":\{ "b":1e2,  "a":"\\u00e9\\\/" \}\}/
--- data
verified 0


=== TEST 3: the type without a field, and without anything
--- config
    location /x {
        sluice_verify meta "secret=an app secret"; sluice_enqueue q;
    }
--- request eval
["POST /x\n{\"object\":\"page\"}", "POST /x\n{}", "POST /x\n{\"object\":\"a b\"}",
 "POST /x\n{\"object\":7}"]
--- more_headers eval
[map { SluiceTest::signed($_) } '{"object":"page"}', '{}', '{"object":"a b"}',
 '{"object":7}']
--- last_request: 3
--- redis
EVAL return{redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',0),'name'),redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',1),'name'),redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',2),'name'),redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',3),'name')} 0 => meta meta meta meta.page


=== TEST 4: names and ids from the request; the kind is literal
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q name=$arg_n id=m-$arg_i;
    }
--- request
POST /x?n=send&i=abc
{}
--- more_headers
Content-Type: application/json
--- base: bull:q
--- job
id m-abc
name send


=== TEST 5: an id that is no name is digested, an e- that is literal is dropped
--- config
    location /x { sluice_verify none; sluice_enqueue q id=e-$arg_i; }
--- request
POST /x?i=a/b:c
{}
--- base: bull:q
--- job
id /e-[0-9a-f]{40}/


=== TEST 6: a request cannot choose the kind
--- config
    location /x { sluice_verify none; sluice_enqueue q id=$arg_i; }
--- request
POST /x?i=m-1
{}
--- base: bull:q
--- job
id e-m-1


=== TEST 7: an empty id is made
--- config
    location /x { sluice_verify none; sluice_enqueue q id=m-$arg_i; }
--- request
POST /x
{}
--- base: bull:q
--- job
id /m-[0-9a-f]{32}/


=== TEST 8: a duplicate is answered like the first
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q id=$arg_i;
        sluice_respond 202 application/json '{"id":"$sluice_job_id"}';
    }
--- request eval: [("POST /x?i=7\n{}") x 3]
--- error_code eval: [202, 202, 202]
--- response_body eval: [('{"id":"e-7"}') x 3]
--- last_request: 2
--- redis
LLEN bull:q:wait => 1


=== TEST 9: options
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q attempts=4 backoff=exponential:5s priority=medium;
    }
--- request
POST /x
{}
--- no_wait
--- redis
EVAL return{redis.call('HGET','bull:q:'..redis.call('ZRANGE','bull:q:prioritized',0,0)[1],'opts')} 0 => {"attempts":4,"backoff":{"type":"exponential","delay":5000},"priority":10}


=== TEST 10: options from variables, a wrong one is told and left out
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q priority=$arg_p delay=$arg_d;
    }
--- request eval: ["POST /x?p=low&d=1h\n{}", "POST /x?p=never\n{}"]
--- error_code eval: [200, 200]
--- last_request: 1
--- redis
EVAL return{redis.call('HGET','bull:q:'..redis.call('ZRANGE','bull:q:delayed',0,0)[1],'opts')} 0 => {"attempts":0,"priority":100,"delay":3600000}
EVAL return{redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',0),'opts')} 0 => {"attempts":0}


=== TEST 11: prefix and queue from variables, in braces too
--- config
    location /x { sluice_verify none; sluice_enqueue $arg_q prefix=$http_p; }
--- request eval
["POST /x?q=a\n{}", "POST /x?q=b\n{}", "POST /x?q=c\n{}", "POST /x?q=\n{}",
 "POST /x?q=d\n{}"]
--- more_headers eval: ["P: one", "P: {two}", "P: x:y", "P: one", "Q: none"]
--- error_code eval: [200, 200, 404, 404, 404]
--- last_request: 4
--- redis
LLEN one:a:wait => 1
LLEN {two}:b:wait => 1
SCARD sluice:queues => 2


=== TEST 12: the names of tenants are checked
--- config
    location /x { sluice_verify none; sluice_enqueue q tenant=$arg_t; }
--- request eval
["POST /x?t=" . "a" x 64 . "\n{}", "POST /x?t=" . "a" x 65 . "\n{}",
 "POST /x?t=a%7Bb\n{}"]
--- error_code eval: [200, 404, 404]


=== TEST 13: text is a string
--- config
    location /x { sluice_verify none; sluice_enqueue q; }
--- request eval: "POST /x\na=1&b=\"q\"\xc3\xa9"
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- base: bull:q
--- data eval
"data a=1&b=\"q\"\xe9\ndatacontenttype application/x-www-form-urlencoded\n"


=== TEST 14: raw is the body itself
--- config
    location /x { sluice_verify none; sluice_enqueue q envelope=raw; }
--- request
POST /x
[1, 2]
--- base: bull:q
--- raw: 1
--- job
data [1, 2]


=== TEST 15: raw must be JSON, whatever its type
--- config
    location /x { sluice_verify none; sluice_enqueue q envelope=raw; }
--- request
POST /x
a=1
--- error_code: 415


=== TEST 16: headers in the envelope, only those listed
--- config
    location /x {
        sluice_verify none; sluice_enqueue q headers=X-Topic,x-none,X-Trace;
    }
--- request
POST /x
{}
--- more_headers
X-TOPIC: orders "x"
X-Trace: a=b
X-Other: no
--- base: bull:q
--- data
headers {"x-topic":"orders \"x\"","x-trace":"a=b"}


=== TEST 17: two Redis servers, by name
--- http_config
    sluice_redis unix:$TEST_NGINX_REDIS_SOCKET?db=0;
    sluice_redis unix:$TEST_NGINX_REDIS_SOCKET?db=3 name=other;
--- config
    location /a { sluice_verify none; sluice_enqueue q; }
    location /b { sluice_verify none; sluice_enqueue q redis=other; }
--- request eval: ["POST /a\n{}", "POST /b\n{}"]
--- last_request: 1
--- redis
LLEN bull:q:wait => 1
EVAL redis.call('SELECT',3)return{redis.call('LLEN','bull:q:wait')} 0 => 1


=== TEST 18: SCRIPT FLUSH between two requests
--- config
    location /x { sluice_verify none; sluice_enqueue q; }
    location /flush { sluice_verify none; sluice_enqueue f; }
--- request eval: ["POST /x\n{}", "POST /x\n{}"]
--- last_request: 0
--- redis
SCRIPT FLUSH => OK
--- error_code eval: [200, 200]


=== TEST 19: a BullMQ 5 queue that is paused
--- config
    location /x { sluice_verify none; sluice_enqueue q bullmq=5; }
--- init
SluiceTest::redis('HSET', 'bull:q:meta', 'paused', '1');
--- request
POST /x
{}
--- redis
LLEN bull:q:paused => 1


=== TEST 20: many on one connection
--- config
    location /x { sluice_verify none; sluice_enqueue q; }
--- pipelined_requests eval: [("POST /x\n{}") x 30]
--- error_code eval: [(200) x 30]
--- last_request: 29
--- redis
LLEN bull:q:wait => 30
GET bull:q:id => 30


=== TEST 21: 204
--- config
    location /x { sluice_verify none; sluice_enqueue q; sluice_respond 204 ""; }
--- request
POST /x
{}
--- error_code: 204


=== TEST 22: the registry is a set
--- config
    location /x { sluice_verify none; sluice_enqueue q; }
--- request
POST /x
{}
--- redis
TYPE sluice:queues => set


=== TEST 23: of two fields the event has the first
--- config
    location /x { sluice_verify none; sluice_enqueue q id=one headers=X-Id; }
--- request
POST /x
{}
--- more_headers
X-Id: first
X-Id: second
--- redis
HGET bull:q:e-one data => /"x-id":"first"/


=== TEST 24: what is not to be stored
--- config
    location /x {
        sluice_verify none;
        sluice_json $key /key;
        sluice_enqueue q id=$arg_i envelope=raw redact=/key redact=/a/1 redact=/a/1/b redact=/none redact=/o;
        sluice_respond 200 $key;
    }
--- request eval
["POST /x?i=1\n{ \"key\":\"s\\u00e9\\\"cret\", \"a\":[1, {\"b\":2} ,3], \"o\":{\"x\":[]}}",
 "POST /x?i=2\n{ \"a\" : [ ] }", "POST /x?i=3\n{\"key\":1,\"key\":2}", "POST /x?i=4\nkey=1"]
--- error_code eval: [200, 200, 400, 415]
--- response_body_like eval: [qr/^s.*cret$/, qr/^$/, qr/duplicate member/, qr/malformed JSON/]
--- last_request: 3
--- redis
HGET bull:q:e-1 data => { "key":"[redacted]", "a":[1, "[redacted]" ,3], "o":"[redacted]"}
HGET bull:q:e-2 data => { "a" : [ ] }
LLEN bull:q:wait => 2


=== TEST 25: in an envelope
--- config
    location /x { sluice_verify none; sluice_enqueue q id=1 redact=/key; }
--- request
POST /x
{"key":"secret","b":1}
--- more_headers
Content-Type: application/json
--- redis
HGET bull:q:e-1 data => /"data":\{"key":"\[redacted\]","b":1\}\}$/


=== TEST 26: the API key that Evolution has in every event
--- config
    location /x {
        sluice_verify evolution secret=k;
        sluice_verify_dry_run on;
        sluice_enqueue q id=1;
    }
--- request
POST /x
{"event":"a","apikey":"a key","b":1}
--- more_headers
Content-Type: application/json
--- redis
HGET bull:q:e-1 data => /"data":\{"event":"a","apikey":"\[redacted\]","b":1\}\}$/


=== TEST 27: a group, from a variable and as it is configured
--- http_config
map $arg_g $long { default $arg_g; long kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk; }
--- config
    location /x { sluice_verify none; sluice_enqueue q id=$arg_i group=$long; }
    location /j {
        sluice_verify none; sluice_json $from /from;
        sluice_enqueue q id=$arg_i group=$from priority=low;
    }
    location /c { sluice_verify none; sluice_enqueue q id=$arg_i "group=a b"; }
--- request eval
["POST /x?i=1&g=15551234567\n{}", "POST /x?i=2\n{}", "POST /x?i=3&g=long\n{}", "POST /c?i=4\n{}",
 "POST /j?i=5\n{\"from\":\"+49 \\\"3\\u00e9\"}", "POST /j?i=6\n{}"]
--- last_request: 5
--- redis
HGET bull:q:e-1 opts => {"attempts":0,"groupKey":"15551234567"}
HGET bull:q:e-2 opts => {"attempts":0}
HGET bull:q:e-3 opts => {"attempts":0,"groupKey":"#b4cc423df271afe3df9415c3778f5e7f557e8a29"}
HGET bull:q:e-4 opts => {"attempts":0,"groupKey":"a b"}
HGET bull:q:e-5 opts => /^\{"attempts":0,"priority":100,"groupKey":"\+49 \\"3.+"\}$/
HGET bull:q:e-6 opts => {"attempts":0,"priority":100}


=== TEST 28: an empty group
--- config
    location /x { sluice_verify none; sluice_enqueue q group=; }
--- must_die
--- error_log
invalid value in "group="
