# The tenant table: who a request belongs to, changes without a reload, what is
# wrong with an entry, Redis away, full zones, processes that end and die.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/tenants.sock";
my $redis;

sub r { return redis_try($sock, @_) }

sub bump { return r('INCR', '{sluice:tenants}:version') }

# entries by their id, undef removes; the version last, as writers do
sub tenants {
    my (%entry) = @_;

    for my $id (sort keys %entry) {
        defined $entry{$id} ? r('HSET', 'sluice:tenants', $id, $entry{$id})
                            : r('HDEL', 'sluice:tenants', $id);
    }

    return bump();
}

# until the table is of this version or a later one
sub loaded {
    my ($version) = @_;

    return wait_for(sub {
        grep { $_ >= $version } log_text() =~ /loaded version "(\d+)"/g;
    });
}

# the answer's body
sub told {
    my ($path, $body, %headers) = @_;
    my ($status, $text) = post($path, $body, %headers);
    $text =~ s/.*?\r\n\r\n//s;
    return $status == 200 ? $text : $status;
}

sub table { return status_of()->{tenants}[0] }

my $http = "sluice_redis unix:$sock timeout=2s;
            sluice_tenants zone=tenants:1m refresh=100ms;";

my $server = '
    location /h/ {
        sluice_verify  none;
        sluice_tenant  $uri by=path quarantine=lost;
        sluice_enqueue $sluice_tenant_queue priority=$sluice_tenant_class;
        sluice_respond 200 "$sluice_tenant/$sluice_queue/$sluice_job_id";
    }
    location /id {
        sluice_verify  none;
        sluice_tenant  $arg_t;
        sluice_enqueue q;
        sluice_respond 200 "$sluice_tenant,$sluice_tenant_rate,$sluice_tenant_burst,$sluice_tenant_class,$sluice_tenant_queue";
    }
    location /other {
        sluice_verify  none;
        sluice_tenant  $arg_t;
        sluice_enqueue q tenant=fixed;
    }
    location /key {
        sluice_tenant  $http_authorization by=api_key;
        sluice_respond 200 "$sluice_tenant";
    }
    location /number {
        sluice_tenant  $number by=number;
        sluice_json    $number /metadata/phone_number_id;
        sluice_verify  none;
        sluice_enqueue q;
        sluice_respond 200 "$sluice_tenant";
    }
    location /guard {
        sluice_tenant  $arg_t;
        proxy_pass     http://127.0.0.1:' . port() . '/ping;
    }
    location /rate {
        sluice_verify  none;
        sluice_tenant  $arg_t;
        sluice_limit   zone=r rate=$sluice_tenant_rate
                       burst=$sluice_tenant_burst;
        sluice_respond 200 in;
    }
    location /early {
        sluice_tenant  $arg_t;
        sluice_limit   zone=r rate=1r/h early;
        sluice_respond 200 in;
    }
    location /signed {
        sluice_verify  hmac secret=k;
        sluice_tenant  $arg_t;
        sluice_respond 200 "$sluice_tenant";
    }
';

my %conf = (workers => 2, server => $server,
            http => "$http sluice_limit_zone \$sluice_tenant zone=r:64k;");

# ---- before the first load: not the sender's fault

my $master = nginx(%conf);

for my $path ('/h/acme', '/id?t=acme', '/guard?t=acme', '/signed?t=acme') {
    my ($status, $text) = post($path, '{}', 'X-Signature' => hmac('{}', 'k'));
    is($status, 503, "$path: 503 while the table is not there");
    like($text, qr/^Retry-After: \d+/m, 'with Retry-After');
}

is(table()->{loaded}, 0, 'sluice_status says so');

# an empty Redis is a table without tenants

$redis = start_redis($sock);
ok(wait_for(sub { post('/id?t=acme', '{}') == 404 }), 'loaded: nobody');

my $acme = '{"id":"acme","paths":["/h/acme","/h/a"],"rate":"5r/h","burst":1,'
           . '"class":"low","queue":"in","numbers":["111","+49 30"],'
           . '"api_keys":["' . sha256_hex('key one') . '","'
           . sha256_hex('key two') . '"]}';

ok(loaded(tenants(acme => $acme, globex => '{"rate":"1000r/s","burst":9}',
                  off => '{"enabled":false,"paths":["/h/off"]}')), 'loaded');

# ---- who it is

is(told('/id?t=acme', '{}'), 'acme,5r/h,1,low,in', 'by id');
is(told('/id?t=globex', '{}'), 'globex,1000r/s,9,,events', 'defaults');
is(r('LLEN', '{globex}:q:wait'), 1, 'the queue is the tenant\'s');
is(r('LLEN', '{acme}:q:wait'), 1, 'each its own');
is(told('/id?t=off', '{}'), 404, 'a disabled tenant');
is(told('/id?t=nobody', '{}'), 404, 'an unknown one');
is(told('/id?t=', '{}'), 404, 'none');
is(told('/id?t=' . 'a' x 5000, '{}'), 404, 'a long one');
is(post('/other?t=acme', '{}'), 200, 'a known one, another queue');
is(r('LLEN', '{fixed}:q:wait'), 1, 'tenant= decides');
is(post('/other?t=nobody', '{}'), 404, 'and an unknown one is refused');

like(told('/h/acme', '{}'), qr{^acme/in/e-}, 'by path');
like(told('/h/a', '{}'), qr{^acme/in/e-}, 'another path');
is(r('ZCARD', '{acme}:in:prioritized'), 2, 'the class is the priority');

is(told('/key', '{}', Authorization => 'Bearer key two'), 'acme', 'by key');
is(told('/key', '{}', Authorization => 'bearer key one'), 'acme', 'by key 1');
is(told('/key', '{}', Authorization => 'key one'), 'acme', 'without Bearer');
is(told('/key', '{}', Authorization => 'Bearer key'), 404, 'a wrong key');
is(told('/key', '{}'), 404, 'no key');

is(told('/number', '{"metadata":{"phone_number_id":"111"}}'), 'acme',
   'by number');
is(told('/number', '{"metadata":{"phone_number_id":"+49 30"}}'), 'acme',
   'whatever it is made of');
is(told('/number', '{"metadata":{"phone_number_id":"112"}}'), 404, 'another');
is(told('/number', '{}'), 404, 'no number');
is(told('/number', '{'), 400, 'no JSON');

# ---- quarantine: unknown ones where nothing is verified

like(told('/h/nobody', '{"a":1}'), qr{^/lost/e-}, 'quarantine');
like(told('/h/off', '{}'), qr{^/lost/e-}, 'also of a disabled one');
is(r('LLEN', 'bull:lost:wait'), 2, 'under the prefix of nobody');

# ---- in front of other content

is(post('/guard?t=acme', '{}'), 200, 'a known tenant is let through');
is(post('/guard?t=nobody', '{}'), 404, 'an unknown one is not');

# ---- limits

is(told('/rate?t=acme', '{}'), 'in', "its own burst $_") for 1, 2;
is(told('/rate?t=acme', '{}'), 429, 'over it');
is(told('/rate?t=globex', '{}'), 'in', "another's") for 1 .. 3;
is(told('/early?t=acme', '{}'), 429, 'an early limit knows the tenant');

# ---- verified: the tenant comes on top, and nobody can tell

is(told('/signed?t=acme', '{}', 'X-Signature' => hmac('{}', 'k')), 'acme',
   'verified');

my @answers = map { (answer(send_post(@$_)) =~ s/^Date: .*?\n//mr) }
    ([ '/signed?t=acme', '{}', 'X-Signature' => hmac('{}', 'no') ],
     [ '/signed?t=nobody', '{}', 'X-Signature' => hmac('{}', 'no') ],
     [ '/signed?t=nobody', '{}', 'X-Signature' => hmac('{}', 'k') ],
     [ '/signed?t=off', '{}', 'X-Signature' => hmac('{}', 'k') ],
     [ '/signed?t=off', '{}' ]);

like($answers[0], qr/^HTTP\/1.1 401 /, 'a bad signature');
is($answers[$_], $answers[0], 'an unknown tenant looks the same') for 1 .. 4;

# ---- changes without a reload

my $start = time;
tenants(acme => '{"rate":"7r/s"}');
ok(wait_for(sub { told('/id?t=acme', '{}') eq 'acme,7r/s,,,events' }),
   'changed');
is(told('/key', '{}', Authorization => 'key one'), 404, 'its old key is gone');
like(told('/h/acme', '{}'), qr{^/lost}, 'and its path');

ok(loaded(tenants(acme => undef)), 'removed');
is(told('/id?t=acme', '{}'), 404, 'is unknown');
is(told('/id?t=globex', '{}'), 'globex,1000r/s,9,,events', 'the others stay');
is(table()->{tenants}, 2, 'counted');

# two claim one path: the first id has it, whichever came first

ok(loaded(tenants(b => '{"paths":["/h/x"]}')), 'b');
ok(loaded(tenants(a => '{"paths":["/h/x"]}')), 'a');
ok(loaded(tenants(c => '{"paths":["/h/x"]}')), 'c');
like(told('/h/x', '{}'), qr{^a/}, 'the first id has it');
ok(loaded(tenants(a => undef)), 'it goes');
like(told('/h/x', '{}'), qr{^b/}, 'the next one has it');
ok(loaded(tenants(b => undef, c => undef)), 'all go');
like(told('/h/x', '{}'), qr{^/lost}, 'nobody');

# ---- wrong entries are refused alone

ok(loaded(tenants(good => '{"rate":"1r/s"}', bad => '{"rate":"x-secret"}',
                  worse => '{"secrets":[{"scheme":"meta"', 'a b' => '{}',
                  sealed => '{"secrets":[{"scheme":"meta",'
                            . '"sealed":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
                            . 'AAAAAAAAAAAAAAA"}]}',
                  globex => '{"rate":1}')), 'loaded');
is(told('/id?t=good', '{}'), 'good,1r/s,,,events', 'a good one');
is(told('/id?t=bad', '{}'), 404, 'a bad one');
is(told('/id?t=globex', '{}'), 'globex,1000r/s,9,,events',
   'the last good version stays');
like(log_text(), qr/refused the entry "bad": \/rate is not a rate/, 'named');
like(log_text(), qr/refused the entry "globex": \/rate is not a string/,
     'and where');
like(log_text(), qr/refused the entry "worse": malformed JSON/, 'malformed');
like(log_text(), qr/refused the entry "\(no name\)": \/id must be/, 'no name');
like(log_text(), qr/refused the entry "sealed": \/secrets\/0\/sealed is sealed/,
     'sealed, without a key');
unlike(log_text(), qr/x-secret/, 'no log shows what is in it');
is(table()->{refused}, 5, 'counted');

ok(loaded(tenants(bad => undef, worse => undef, 'a b' => undef,
                  sealed => undef, globex => '{"rate":"9r/s"}')), 'repaired');
is(table()->{refused}, 0, 'none is refused');
is(told('/id?t=globex', '{}'), 'globex,9r/s,,,events', 'changed');

# ---- keys of a wrong type, a Redis that lost its data

r('DEL', 'sluice:tenants');
r('SET', 'sluice:tenants', 'x');
bump();
ok(wait_for(sub { log_text() =~ /"sluice:tenants" is not read.*WRONGTYPE/ }),
   'no hash');
is(told('/id?t=globex', '{}'), 'globex,9r/s,,,events', 'the table stays');

r('FLUSHALL');
sleep 0.5;
is(told('/id?t=globex', '{}'), 'globex,9r/s,,,events',
   'and after a Redis lost everything');
my $checked = table()->{checked};
ok($checked >= $start - 1, 'it was current a while ago');

# what is written then may come to the version that the table had

sub rewritten {
    my ($rate, $version) = @_;
    return r('EVAL', "redis.call('HSET', KEYS[1], 'globex', ARGV[1])
                      redis.call('SET', KEYS[2], ARGV[2])", 2,
             'sluice:tenants', '{sluice:tenants}:version',
             qq({"rate":"$rate"}), $version);
}

sub version { return (log_text() =~ /loaded version "(\d+)"/g)[-1] }

r('CONFIG', 'RESETSTAT');
ok(wait_for(sub { r('INFO', 'commandstats') =~ /cmdstat_get:calls=[1-9]/ }),
   'no version was found');
my $held = version();
rewritten('8r/s', $held);
ok(wait_for(sub { told('/id?t=globex', '{}') eq 'globex,8r/s,,,events' }),
   'another table of the same version, written after it was lost');

rewritten('7r/s', $held);
r('CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { told('/id?t=globex', '{}') eq 'globex,7r/s,,,events' }),
   'and one that is there when a connection is made');

tenants(globex => '{"rate":"9r/s"}') for 1;
bump() while r('GET', '{sluice:tenants}:version') < 50;
ok(loaded(50), 'written again');

# ---- Redis away

kill 'KILL', $redis;
waitpid $redis, 0;
sleep 0.4;
is(post('/guard?t=globex', '{}'), 200, 'the table stays without Redis');
is(post('/guard?t=nobody', '{}'), 404, 'for the others, too');
unlink $sock;
$redis = start_redis($sock);
r('SET', '{sluice:tenants}:version', 60);
ok(loaded(tenants(globex => '{}', new => '{"rate":"2r/s"}')), 'and comes back');
ok(wait_for(sub { told('/id?t=new', '{}') eq 'new,2r/s,,,events' }),
   'with what changed');

# ---- a reload finds the table, and a change after it is seen

stop_redis($redis);
unlink $sock;
my @old = workers($master);
kill 'HUP', $master;
ok(wait_for(sub { my %new = map { $_ => 1 } workers($master);
                  keys %new && !grep { $new{$_} } @old }), 'reloaded');
is(post('/guard?t=new', '{}'), 200, 'the table survives a reload');
$redis = start_redis($sock);
r('SET', '{sluice:tenants}:version', 70);
ok(loaded(tenants(new => '{"rate":"3r/s"}', acme => $acme)), 'loaded by');
ok(wait_for(sub { told('/id?t=new', '{}') eq 'new,3r/s,,,events' }),
   'the new processes');

# ---- the process that asks dies, again and again, while the table changes

for my $round (1 .. 10) {
    kill 'KILL', (workers($master))[$round % 2];
    ok(loaded(tenants(new => qq({"burst":$round}))),
       "round $round: another process takes over");
}

ok(wait_for(sub { told('/id?t=new', '{}') eq 'new,,10,,events' }),
   'and has the last version');
is(table()->{tenants}, 2, 'nothing is left behind')
    or diag(explain(table()));

ok(stop_nginx(), 'nginx ends');
ok(log_clean(qr/exited on signal 9|No such file|Connection refused/), 'log');

done_testing();
