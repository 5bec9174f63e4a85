# sluice_dedupe: an event once, whatever became of its job meanwhile.  A
# command has no spaces but between its arguments: Lua has comments there.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

our $event = '{"id":"evt_1","type":"a.b","data":{"object":{}}}';

sub main::stripe {
    my ($body, $at) = @_;
    $at ||= time;
    return "Content-Type: application/json\nStripe-Signature: t=$at,v1="
           . SluiceTest::hmac("$at.$body", 'whsec_x');
}

run_tests();

__DATA__

=== TEST 1: the second is answered like the first, with its id
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q;
        sluice_dedupe $arg_k ttl=1h;
        sluice_respond 202 application/json '{"id":"$sluice_job_id","is":"$sluice_enqueue_status"}';
    }
--- request eval: ["POST /x?k=a-1\n{\"n\":1}", "POST /x?k=a-1\n{\"n\":2}", "POST /x?k=a-2\n{\"n\":3}"]
--- error_code eval: [202, 202, 202]
--- response_body_like eval
[qr/^\{"id":"(e-[0-9a-f]{32})","is":"accepted"\}$/,
 qr/^\{"id":"(e-[0-9a-f]{32})","is":"duplicate"\}$/, qr/"accepted"/]
--- last_request: 2
--- redis
LLEN bull:q:wait => 2
EVAL local--[[]]id=redis.call('LINDEX','bull:q:wait',-1)local--[[]]j=redis.call('HMGET','bull:q:'..id,'deid','opts')return{j[1],j[2],redis.call('GET','bull:q:de:a-1')==id--[[]]and--[[]]'owner'--[[]]or--[[]]'another'} 0 => a-1 {"attempts":0,"de":{"id":"a-1","ttl":3600000}} owner
EVAL local--[[]]t=redis.call('PTTL','bull:q:de:a-1')return{t>3500000--[[]]and--[[]]t<=3600000--[[]]and--[[]]'ttl'--[[]]or--[[]]t} 0 => ttl
EVAL local--[[]]e={}for--[[]]_,x--[[]]in--[[]]ipairs(redis.call('XRANGE','bull:q:events','-','+'))do--[[]]if--[[]]x[2][2]=='deduplicated'--[[]]then--[[]]e[#e+1]=x[2][6]end--[[]]end--[[]]return--[[]]e 0 => a-1


=== TEST 2: the job is gone, the key is not
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q id=$arg_i;
        sluice_dedupe $arg_k;
        sluice_respond 200 $sluice_job_id,$sluice_enqueue_status;
    }
--- init
SluiceTest::redis('SET', 'bull:q:de:k', 'e-long-ago', 'PX', 60000);
--- request eval: ["POST /x?i=7&k=k\n{}", "POST /x?i=7\n{}", "POST /x?i=7\n{}"]
--- response_body eval: ["e-long-ago,duplicate", "e-7,accepted", "e-7,duplicate"]
--- last_request: 2
--- redis
LLEN bull:q:wait => 1


=== TEST 3: a key that is no name is digested, an empty one is none
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q;
        sluice_dedupe $http_x_key;
    }
--- request eval: ["POST /x\n{}", "POST /x\n{}", "POST /x\n{}"]
--- more_headers eval: ["X-Key: a/b:{c}", "X-Key: a/b:{c}", ""]
--- last_request: 2
--- redis
LLEN bull:q:wait => 2
EVAL return--[[]]redis.call('KEYS','bull:q:de:*') 0 => bull:q:de:0e32dc0bfa752c85d1bb3d81f6dbd5924964408d


=== TEST 4: the sender's own id of the event
--- config
    location /x {
        sluice_verify stripe secret=whsec_x;
        sluice_enqueue q tenant=acme;
        sluice_dedupe event ttl=3d;
        sluice_respond 200 $sluice_job_id,$sluice_enqueue_status;
    }
--- request eval: [("POST /x\n$::event") x 2]
--- more_headers eval: [main::stripe($::event), main::stripe($::event, time - 9)]
--- response_body eval: ["e-stripe-evt_1,accepted", "e-stripe-evt_1,duplicate"]
--- last_request: 1
--- redis
GET {acme}:q:de:stripe-evt_1 => e-stripe-evt_1
HGET {acme}:q:e-stripe-evt_1 deid => stripe-evt_1


=== TEST 5: after its job was removed
--- config
    location /x {
        sluice_verify stripe secret=whsec_x;
        sluice_enqueue q;
        sluice_dedupe event;
        sluice_respond 200 $sluice_job_id,$sluice_enqueue_status;
    }
--- init
SluiceTest::redis('SET', 'bull:q:de:stripe-evt_1', 'e-stripe-evt_1', 'PX', 60000);
--- request eval: "POST /x\n$::event"
--- more_headers eval: main::stripe($::event)
--- response_body: e-stripe-evt_1,duplicate
--- redis
EXISTS bull:q:wait => 0


=== TEST 6: a key for each queue
--- config
    location ~ ^/(?<t>[a-z]+)$ {
        sluice_verify none;
        sluice_enqueue q tenant=$t;
        sluice_dedupe $arg_k;
    }
--- request eval: ["POST /a?k=1\n{}", "POST /b?k=1\n{}", "POST /a?k=1\n{}"]
--- last_request: 2
--- redis
LLEN {a}:q:wait => 1
LLEN {b}:q:wait => 1


=== TEST 7: many at once are one
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q;
        sluice_dedupe $arg_k;
    }
    location /status { sluice_status; }
--- pipelined_requests eval: [("POST /x?k=1\n{}") x 20]
--- error_code eval: [(200) x 20]
--- last_request: 19
--- redis
LLEN bull:q:wait => 1


=== TEST 8: a key of a wrong type is no duplicate
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q;
        sluice_dedupe $arg_k;
    }
--- init
SluiceTest::redis('LPUSH', 'bull:q:de:1', 'x');
--- request
POST /x?k=1
{}
--- error_code: 503
--- redis
EXISTS bull:q:wait => 0


=== TEST 9: a stock client's key without a ttl holds while its job is there
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q;
        sluice_dedupe $arg_k;
        sluice_respond 200 $sluice_enqueue_status;
    }
--- init
SluiceTest::redis('SET', 'bull:q:de:a', '7');
SluiceTest::redis('HSET', 'bull:q:7', 'name', 'n');
SluiceTest::redis('SET', 'bull:q:de:b', '8');
--- request eval: ["POST /x?k=a\n{}", "POST /x?k=b\n{}"]
--- response_body eval: ["duplicate", "accepted"]
--- last_request: 1
--- redis
LLEN bull:q:wait => 1


=== TEST 10: BullMQ 5
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q bullmq=5;
        sluice_dedupe $arg_k;
    }
--- request eval: [("POST /x?k=a\n{}") x 2]
--- last_request: 1
--- redis
EVAL local--[[]]e={}for--[[]]_,x--[[]]in--[[]]ipairs(redis.call('XRANGE','bull:q:events','-','+'))do--[[]]e[#e+1]=x[2][2]end--[[]]return--[[]]e 0 => added waiting debounced deduplicated


=== TEST 11: in an "if" and a "limit_except" as in their location
--- config
    location /x {
        sluice_verify none;
        sluice_enqueue q;
        sluice_dedupe $arg_k;
        if ($arg_z) { set $z 1; }
    }
--- request eval: ["POST /x?k=a&z=1\n{}", "POST /x?k=a\n{}"]
--- last_request: 1
--- redis
LLEN bull:q:wait => 1
