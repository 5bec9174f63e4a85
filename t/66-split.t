# sluice_split: a job for each item of a webhook of Meta.

use Test::Nginx::Socket;
use SluiceTest;

if ($ENV{TEST_NGINX_USE_HUP}) {
    plan(skip_all => 'counters survive a reload');
}

plan('no_plan');
setup();

sub value {
    my ($number, @lists) = @_;
    return '{"value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"'
           . $number . '"},' . join(',', @lists) . '},"field":"messages"}';
}

sub message { return '{"id":"wamid.' . $_[0] . '","from":"' . ($_[1] || 5) . '","type":"text"}' }
sub status { return '{"id":"wamid.' . $_[0] . '","status":"' . $_[1] . '","timestamp":"1"}' }
sub messages { return '"messages":[' . join(',', map { message($_) } @_) . ']' }
sub webhook {
    return '{"object":"whatsapp_business_account","entry":[{"id":"77","changes":['
           . join(',', @_) . ']}]}';
}

our $two = webhook(value(1, '"contacts":[{"wa_id":"6"},{"wa_id":"5"}]',
                         '"messages":[' . message('a') . ',{ "id":"wamid.b", "from":"6" }]'));
our $three = webhook(value(1, messages('a')), value(2, messages('b')),
                     '{"field":"account_update","value":{}}');

our $reload = 0;

# what the jobs of a queue hold, by the ids of their messages and statuses
sub main::data {
    my ($base) = @_;
    my @found;
    for my $id (@{ SluiceTest::redis('LRANGE', "$base:wait", 0, -1) }) {
        my %job = @{ SluiceTest::redis('HGETALL', "$base:$id") };
        my $data = $job{data};
        $data =~ s/^.*"data":(\{.*\})\}$/$1/s if $data =~ /^\{"specversion/;
        push @found, $data;
    }
    return reverse @found;
}

# --- jobs: queue and data of each of its jobs, in their order
Test::Nginx::Socket::add_response_body_check(sub {
    my ($block, $body, $index) = @_;

    return if !defined $block->jobs;
    return if defined $block->last_request && $index < $block->last_request;

    my %want;
    for my $line (split /\n/, $block->jobs) {
        my ($base, $data) = split ' ', $line, 2;
        $want{$base} ||= [];
        push @{ $want{$base} }, $data if defined $data;
    }
    for my $base (sort keys %want) {
        is(join("\n", main::data($base)), join("\n", @{ $want{$base} }),
           $block->name . " - jobs of $base");
    }
});

run_tests();

__DATA__

=== TEST 1: each message is a job, its bytes unchanged, with what is around it
--- config
    location /x {
        sluice_verify meta "secret=an app secret";
        sluice_enqueue q tenant=acme;
        sluice_split meta;
        sluice_respond 202 application/json '{"id":"$sluice_job_id"}';
    }
--- request eval: "POST /x\n$::two"
--- more_headers eval: SluiceTest::signed($::two)
--- error_code: 202
--- response_body_like: ^\{"id":"e-[0-9a-f]{40}"\}$
--- jobs
{acme}:q {"object":"whatsapp_business_account","entry":[{"id":"77","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1"},"contacts":[{"wa_id":"5"}],"messages":[{"id":"wamid.a","from":"5","type":"text"}]}}]}]}
{acme}:q {"object":"whatsapp_business_account","entry":[{"id":"77","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1"},"contacts":[{"wa_id":"6"}],"messages":[{ "id":"wamid.b", "from":"6" }]}}]}]}
--- redis
LLEN {acme}:q:wait => 2


=== TEST 2: a single item is the webhook as it came
--- config
    location /x {
        sluice_verify none; sluice_enqueue q envelope=raw; sluice_split meta;
    }
--- request
POST /x
{ "object":1, "entry":[ {"changes":[{"value":{"messages":[ {"a":1} ]},"field":"messages"}], "id":"7" } ] }
--- jobs
bull:q { "object":1, "entry":[ {"changes":[{"value":{"messages":[ {"a":1} ]},"field":"messages"}], "id":"7" } ] }


=== TEST 3: again, in another batch: what is there is a duplicate
--- config
    location /x {
        sluice_verify none; sluice_enqueue q; sluice_split meta;
        sluice_respond 200 $sluice_enqueue_status;
    }
    location /status { sluice_status; }
--- request eval
["POST /x\n" . main::webhook(main::value(1, main::messages('a'))),
 "POST /x\n" . main::webhook(main::value(1, main::messages('b', 'a'))),
 "POST /x\n" . main::webhook(main::value(1, main::messages('a', 'b'))),
 "GET /status"]
--- response_body_like eval
[qr/^accepted$/, qr/^accepted$/, qr/^duplicate$/,
 qr/"events":\{"received":5,"enqueued":2,"spooled":0,"duplicate":3,/]
--- last_request: 3
--- redis
LLEN bull:q:wait => 2


=== TEST 4: twice in one
--- config
    location /x {
        sluice_verify none; sluice_enqueue q; sluice_split meta;
        sluice_respond 200 $sluice_enqueue_status;
    }
--- request eval: "POST /x\n" . main::webhook(main::value(1, main::messages('a', 'a', 'a')))
--- response_body: accepted
--- redis
LLEN bull:q:wait => 1


=== TEST 5: what is an event of its own has an id of its own
--- config
    location /x { sluice_verify none; sluice_enqueue q; sluice_split meta; }
--- request eval
"POST /x\n" . main::webhook(main::value(1, main::messages('a'), '"statuses":['
    . join(',', map { main::status('a', $_) } qw(sent delivered read)) . ']'),
    main::value(2, main::messages('a')), '{"field":"x","value":1}')
--- redis
LLEN bull:q:wait => 6


=== TEST 6: nothing in it
--- config
    location /x {
        sluice_verify none; sluice_enqueue q; sluice_split meta;
        sluice_respond 200 "$sluice_job_id;";
    }
    location /status { sluice_status; }
--- request eval: ["POST /x\n{\"object\":\"page\",\"entry\":[]}", "GET /status"]
--- response_body_like eval: [qr/^;$/, qr/"events":\{"received":1,"enqueued":0,"spooled":0,"duplicate":0,"passed":1,/]
--- last_request: 1
--- redis
EXISTS bull:q:wait => 0


=== TEST 7: not a webhook of Meta
--- config
    location /x { sluice_verify none; sluice_enqueue q; sluice_split meta; }
--- request eval: ["POST /x\n{\"id\":7}", "POST /x\n{\"entry\":{}}", "POST /x\n[]", "POST /x\n{\"entry\":[],\"entry\":[]}", "POST /x\n{\"entry\":"]
--- error_code eval: [400, 400, 400, 400, 415]
--- response_body_like eval
[qr{/entry is missing}, qr{/entry must be an array}, qr{must be an object},
 qr{duplicate member}, qr{malformed JSON}]
--- last_request: 4
--- redis
EXISTS bull:q:wait => 0


=== TEST 8: the tenant of each item, by a map that is no volatile one
--- http_config
map $sluice_item_number $tenant { 1 acme; 2 globex; }
--- config
    location /x {
        sluice_verify none; sluice_enqueue q tenant=$tenant; sluice_split meta;
    }
    location /status { sluice_status; }
--- request eval: ["POST /x\n$::three", "GET /status"]
--- response_body_like eval: [qr/^$/, qr/"events":\{"received":3,"enqueued":3,.*"split":\{"items":3,"quarantined":1\}/s]
--- last_request: 1
--- redis
LLEN {acme}:q:wait => 1
LLEN {globex}:q:wait => 1
LLEN bull:quarantine:wait => 1
SMEMBERS sluice:queues => /quarantine/


=== TEST 9: what another's secret has signed
--- http_config
map "$sluice_secret_index $sluice_item_number" $tenant { "1 1" acme; "2 2" globex; }
--- config
    location /x {
        sluice_verify meta secret=s-acme secret=s-globex;
        sluice_enqueue q tenant=$tenant;
        sluice_split meta quarantine=strays;
    }
--- request eval: ["POST /x\n$::three", "POST /x\n$::three"]
--- more_headers eval: [SluiceTest::signed($::three, 's-acme'), SluiceTest::signed($::three, 's-globex')]
--- last_request: 1
--- redis
LLEN {acme}:q:wait => 1
LLEN {globex}:q:wait => 1
LLEN bull:strays:wait => 3
EVAL local--[[]]d=redis.call('HGET','bull:strays:'..redis.call('LINDEX','bull:strays:wait',-1),'data')return{d:find('"tenant"')and'tenant'or'none'} 0 => none


=== TEST 10: an item over its rate is delayed, none is refused
--- http_config
sluice_limit_zone $sluice_item_number zone=n:1m;
--- config
    location /x {
        sluice_verify none; sluice_enqueue q; sluice_split meta;
        sluice_limit zone=n rate=1r/m burst=1;
    }
--- request eval: "POST /x\n" . main::webhook(main::value(1, main::messages('a' .. 'd')), main::value(2, main::messages('e')))
--- redis
LLEN bull:q:wait => 3
ZCARD bull:q:delayed => 2
EVAL local--[[]]d={}for--[[]]_,i--[[]]in--[[]]ipairs(redis.call('ZRANGE','bull:q:delayed',0,-1))do--[[]]local--[[]]j=redis.call('HMGET','bull:q:'..i,'delay','opts')d[#d+1]=math.floor(j[1]/1000+0.5)..(j[2]:find('"delay":'..j[1],1,true)and''or'?')end--[[]]return--[[]]d 0 => 60 120


=== TEST 11: names of items, and a delay that is longer
--- http_config
map $sluice_item_number $d { 1 5s; default 0; } map $sluice_item_number $n { 1 one; }
--- config
    location /x {
        sluice_verify none; sluice_enqueue q name=$n delay=$d; sluice_split meta;
    }
--- request eval: "POST /x\n$::three"
--- redis
ZCARD bull:q:delayed => 1
EVAL return{redis.call('HGET','bull:q:'..redis.call('ZRANGE','bull:q:delayed',0,0)[1],'name'),redis.call('HGET','bull:q:'..redis.call('LINDEX','bull:q:wait',1),'name')} 0 => one none


=== TEST 12: the field of each is its type
--- config
    location /x { sluice_verify meta "secret=an app secret"; sluice_enqueue q; sluice_split meta; }
--- request eval: "POST /x\n$::three"
--- more_headers eval: SluiceTest::signed($::three)
--- redis
EVAL local--[[]]n={}for--[[]]_,i--[[]]in--[[]]ipairs(redis.call('LRANGE','bull:q:wait',0,-1))do--[[]]n[#n+1]=redis.call('HGET','bull:q:'..i,'name')end--[[]]return--[[]]n 0 => meta.account_update meta.messages meta.messages


=== TEST 13: with sluice_dedupe also when the jobs are gone
--- config
    location /x {
        sluice_verify none; sluice_enqueue q; sluice_split meta; sluice_dedupe event ttl=7d;
        sluice_respond 200 $sluice_enqueue_status;
    }
    location /gone { sluice_verify none; sluice_enqueue other; }
--- request eval: ["POST /x\n$::two", "POST /gone\n{}", "POST /x\n$::two"]
--- response_body eval: ["accepted", "", "duplicate"]
--- last_request: 2
--- redis
EVAL return{#redis.call('KEYS','bull:q:de:*')} 0 => 2
LLEN bull:q:wait => 2


=== TEST 14: a thousand in one
--- config
    location /x {
        client_max_body_size 4m;
        sluice_verify none; sluice_enqueue q; sluice_split meta;
    }
    location /status { sluice_status; }
--- request eval: ["POST /x\n" . main::webhook(main::value(1, main::messages(1 .. 1000))), "POST /x\n" . main::webhook(main::value(1, main::messages(1 .. 1001))), "GET /status"]
--- response_body_like eval: [qr/^$/, qr/^$/, qr/"received":2001,"enqueued":1001,"spooled":0,"duplicate":1000,.*"in_flight":0/]
--- last_request: 2
--- redis
LLEN bull:q:wait => 1001
EVAL return{#redis.call('KEYS','bull:q:e-*')} 0 => 1001


=== TEST 15: too many
--- config
    location /x {
        client_max_body_size 4m;
        sluice_verify none; sluice_enqueue q; sluice_split meta;
    }
--- request eval: "POST /x\n" . main::webhook(main::value(1, '"messages":[' . '1,' x 2048 . '1]'))
--- error_code: 413
--- redis
EXISTS bull:q:wait => 0


=== TEST 16: together they would be too large
--- config
    location /x {
        client_max_body_size 4m;
        sluice_verify none; sluice_enqueue q; sluice_split meta;
    }
--- request eval: "POST /x\n" . main::webhook(main::value(1, '"x":"' . 'x' x 200000 . '"', main::messages(1 .. 400)))
--- error_code: 413
--- redis
EXISTS bull:q:wait => 0


=== TEST 17: Redis is away
--- http_config
sluice_redis unix:/nowhere;
--- config
    location /x { sluice_verify none; sluice_enqueue q; sluice_split meta; }
    location /status { sluice_status; }
--- request eval: ["POST /x\n$::three", "GET /status"]
--- error_code eval: [503, 200]
--- response_body_like eval: [qr/"status":503/, qr/"received":3,"enqueued":0,.*"failed":3,/]
--- no_error_log
[alert]


=== TEST 18: one queue refuses, the rest is there when it comes again
--- http_config
map $sluice_item_number $tenant { 1 acme; 2 globex; default x; }
--- config
    location /x { sluice_verify none; sluice_enqueue q tenant=$tenant; sluice_split meta; }
    location /status { sluice_status; }
--- init
SluiceTest::redis('SET', '{globex}:q:wait', 'wrong');
--- request eval: ["POST /x\n$::three", "GET /status"]
--- error_code eval: [503, 200]
--- response_body_like eval: [qr/./, qr/"received":3,"enqueued":2,.*"failed":1,/]
--- last_request: 1
--- redis
LLEN {acme}:q:wait => 1
LLEN {x}:q:wait => 1


=== TEST 19: entries of Messenger, and the test button of Meta's dashboard
--- config
    location /x { sluice_verify none; sluice_enqueue q envelope=raw; sluice_split meta; }
--- request eval: ["POST /x\n{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"time\":5,\"messaging\":[{\"a\":1},{\"a\":2}]}]}", "POST /x\n{\"field\":\"messages\",\"value\":{\"messages\":[{},{}]}}"]
--- last_request: 1
--- jobs
bull:q {"object":"page","entry":[{"id":"1","time":5,"messaging":[{"a":1}]}]}
bull:q {"object":"page","entry":[{"id":"1","time":5,"messaging":[{"a":2}]}]}
bull:q {"field":"messages","value":{"messages":[{},{}]}}


=== TEST 20: HTTP/2 and a body in pieces, in a file
--- config
    location /x {
        client_body_in_file_only clean;
        sluice_verify none; sluice_enqueue q; sluice_split meta;
    }
--- request eval: "POST /x\n$::three"
--- redis
LLEN bull:q:wait => 3


=== TEST 21: a conversation is a group: who wrote, or is told
--- config
    location /x { sluice_verify none; sluice_enqueue q group=$sluice_item_contact; sluice_split meta; }
--- request eval: "POST /x\n" . main::webhook(main::value(1, '"messages":[' . main::message('a') . ',{"id":"b","from":"6","from_user_id":"DE.\u0036"}],"statuses":[' . main::status('c', 'read') . ',{"id":"d","status":"read","timestamp":"1","recipient_id":"5"}]'))
--- redis
EVAL local--[[]]n={}for--[[]]_,i--[[]]in--[[]]ipairs(redis.call('LRANGE','bull:q:wait',0,-1))do--[[]]n[#n+1]=cjson.decode(redis.call('HGET','bull:q:'..i,'opts')).groupKey--[[]]or'none'end--[[]]return--[[]]n 0 => 5 none DE.6 5
