# sluice_queue_limit: how many jobs may wait, by class, and what asking costs.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/depth.sock";
my $redis = start_redis($sock);

nginx(http => "sluice_redis unix:$sock timeout=1s;
               sluice_limit_zone \$arg_k zone=rates:64k;",
      server => 'sluice_verify none;
                 location /x { sluice_enqueue $arg_q priority=$arg_p;
                               sluice_queue_limit 20 medium=10 low=5;
                               sluice_respond 200 "$sluice_limit_status"; }
                 location /d { sluice_enqueue $arg_q; sluice_queue_limit 1;
                               sluice_limit_dry_run on;
                               sluice_respond 200 "$sluice_limit_status"; }
                 location /z { sluice_enqueue $arg_q; sluice_queue_limit 1;
                               sluice_limit_status 503; }
                 location /r { sluice_enqueue $arg_q id=$arg_id;
                               sluice_queue_limit 20;
                               sluice_limit zone=rates rate=1r/m burst=1;
                               sluice_limit_status 503; }
                 location /off { sluice_enqueue $arg_q; sluice_queue_limit off; }');

# a request makes the process ask; what it learns holds for the next ones
sub learn {
    my ($q, $status, $p) = @_;

    return wait_for(sub { post("/x?q=$q&p=" . ($p || ''), '{}') == $status });
}

sub redis_do { return redis_try($sock, @_) }

sub asked {
    my ($n) = redis_do('INFO', 'commandstats') =~ /cmdstat_zcard:calls=(\d+)/;
    return $n || 0;
}

# as many as may wait, no more

is(post('/off?q=first', '{}'), 200, 'connected');
is(post('/x?q=a', '{}'), 200, 'what is not known yet passes');
ok(wait_for(sub { asked() == 1 }), 'and is asked');

my @statuses = map { scalar post('/x?q=a', '{}') } 1 .. 30;
my $in = 1 + grep { $_ == 200 } @statuses;
cmp_ok(abs($in - 20), '<=', 1, "$in went in before the gate closed");
is(redis_do('LLEN', 'bull:a:wait'), $in, 'and wait');
my ($status, $text) = post('/x?q=a', '{}');
is($status, 429, 'closed');
like($text, qr/Retry-After: 5\r\n.*"detail":"the queue is full"/s, 'and says why');
is(status_of()->{limits}{queue}, 1 + grep({ $_ == 429 } @statuses), 'counted');
my %ledger = %{ status_of()->{events} };
is($ledger{limited}, status_of()->{limits}{queue}, 'in the ledger too');

redis_do('DEL', 'bull:a:wait');
ok(learn('a', 200), 'open again when the jobs are taken');

# classes: low is refused first

redis_do('RPUSH', 'bull:b:wait', 1 .. 7);
ok(learn('b', 429, 'low'), 'low is refused at 5');
is(post('/x?q=b&p=medium', '{}'), 200, 'medium is not');
is(post('/x?q=b&p=10', '{}'), 200, 'nor its number');
is(post('/x?q=b', '{}'), 200, 'nor high');
ok(wait_for(sub { post('/x?q=b&p=medium', '{}') == 429 }), 'medium at 10');
is(post('/x?q=b&p=high', '{}'), 200, 'high at 20 only');
is(redis_do('ZCARD', 'bull:b:prioritized') > 0, 1, 'jobs with a priority count');

redis_do('RPUSH', 'bull:p:paused', 1 .. 30);
ok(learn('p', 429), 'jobs of a paused queue wait too');

# what another step refuses, and a duplicate, does not wait: the number is asked
# for once a second, so a hundred requests would have closed the gate

ok(wait_for(sub { my $n = asked(); post('/x?q=r', '{}'); asked() > $n }), 'known');
@statuses = map { scalar post('/r?q=r&k=one', '{}') } 1 .. 100;
is(scalar(grep { $_ == 503 } @statuses), 98, 'over the rate');
is(post('/x?q=r', '{}'), 200, 'the queue is not full of what was limited');
ok(wait_for(sub { my $n = asked(); post('/r?q=r&id=same', '{}'); asked() > $n }),
   'known again');
is(scalar(grep { post('/r?q=r&id=same', '{}') == 200 } 1 .. 100), 100, 'duplicates');
is(post('/x?q=r', '{}'), 200, 'nor of duplicates');

# off, dry run, another status

redis_do('RPUSH', 'bull:c:wait', 1 .. 30);
ok(wait_for(sub { post('/z?q=c', '{}') == 503 }), 'another status');
is(post('/off?q=c', '{}'), 200, 'off');
like((post('/d?q=c', '{}'))[1], qr/limited_dry_run$/, 'dry run');

# a queue that is idle is forgotten, and no one is refused by old news: this
# needs its 5 seconds

redis_do('RPUSH', 'bull:e:wait', 1 .. 30);
ok(learn('e', 429), 'full');
redis_do('DEL', 'bull:e:wait');
my $end = time + 5.2;
my $before = asked();
my $now = time;
my $refused = 0;

# meanwhile: one question a second, whatever the traffic

while (time < $end) {
    post('/x?q=busy', '{}');
    sleep 0.002;
}

cmp_ok(asked() - $before, '<=', 6, 'asked once a second');
is(post('/x?q=e', '{}'), 200, 'old news are not believed');

# not a list: the gate is open, and add.lua says what it thinks

redis_do('SET', 'bull:w:prioritized', 'text');
is(post('/x?q=w', '{}'), post('/off?q=w', '{}'), 'a wrong type is not the gate\'s');

# 1,100 queues: a table of 1,024

for (1 .. 1100) {
    post("/x?q=many$_", '{}') == 200 or fail("queue many$_"), last;
}

is(post('/x?q=many1', '{}'), 200, 'more queues than the table has');

stop_redis($redis);
unlink $sock;
ok(wait_for(sub { post('/x?q=a', '{}') == 503 }), 'Redis is away');
$redis = start_redis($sock);
redis_do('RPUSH', 'bull:a:wait', 1 .. 30);
ok(wait_for(sub { post('/x?q=a', '{}') == 429 }), 'and back');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(qr/No such file/), 'log');

# jobs that wait for a replica when Redis tells their number are counted once

redis_do('FLUSHALL');
nginx(http => "sluice_redis unix:$sock timeout=20s wait_replicas=1
               wait_timeout=1500ms;",
      server => 'location /x { sluice_verify none; sluice_enqueue r;
                               sluice_queue_limit 50; }');

is(post('/x', '{}'), 503, 'without a replica');
my @sent = send_post('/x', '{}');
ok(wait_for(sub { redis_do('INFO', 'clients') =~ /blocked_clients:1/ }),
   'the next one waits');
push @sent, map { send_post('/x', '{}') } 1 .. 30;
sleep 1.05;    # then it is asked again
push @sent, send_post('/x', '{}');
my %seen;
$seen{answer($_) =~ m{ (\d+) } ? $1 : 0}++ for @sent;
is_deeply(\%seen, { 503 => 32 }, 'as many more');
is(redis_do('LLEN', 'bull:r:wait'), 33, 'are all stored');
is(post('/x', '{}'), 503, 'there is room for 50');
ok(stop_nginx(), 'nginx ends');
stop_redis($redis);

done_testing();
