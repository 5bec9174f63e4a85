# wait_replicas: 200 means that the replicas have it too.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $port = port() + 4;
my $master = "$ENV{TEST_NGINX_RUN}/master.sock";
my $copy = "$ENV{TEST_NGINX_RUN}/copy.sock";
my $server = 'location /x { sluice_verify none;
                            sluice_enqueue q id=$arg_id;
                            add_header X-Status $sluice_enqueue_status always; }';

my $primary = start_redis($master, '--port', $port, '--bind', '127.0.0.1',
                          '--repl-ping-replica-period', 1,
                          '--repl-timeout', 600);

# without a replica

nginx(http => "sluice_redis unix:$master timeout=3s wait_replicas=1
               wait_timeout=1s;",
      server => $server);

my ($status, $text) = post('/x?id=none', '{}');
is($status, 503, 'no replica: 503');
like($text, qr/X-Status: unreplicated\r/, 'no replica: status');
like($text, qr/Retry-After: 5\r/, 'no replica: Retry-After');
like(log_text(), qr/has jobs on 0 of 1 replicas/, 'no replica: told');
like(http_get(port(), '/health'), qr/ 503 .*is not accepting/s,
     'no replica: health');
is(redis_try($master, 'LLEN', 'bull:q:wait'), 1,
   'no replica: the job is there all the same');

# with one

my $replica = start_redis($copy, '--replicaof', "127.0.0.1 $port");
redis_try($master, 'SET', 'first', 1);
ok(wait_for(sub {
    redis_try($copy, 'INFO', 'replication') =~ /master_link_status:up/
        && redis_try($master, 'INFO', 'replication')
           =~ /^slave0:.*state=online,offset=[1-9]/m
        && redis_try($copy, 'GET', 'first');
}), 'a replica');

($status, $text) = post('/x?id=none', '{}');
is($status, 200, 'the same again: 200');
like($text, qr/X-Status: duplicate\r/, 'the same again: a duplicate');
like(http_get(port(), '/health'), qr/ 200 OK/, 'health');
is(post('/x?id=two', '{}'), 200, 'another: 200');
is(redis_try($copy, 'LLEN', 'bull:q:wait'), 2, 'on the replica by then');

# many share a WAIT

redis_try($master, 'CONFIG', 'RESETSTAT');
my @waiting = map { send_post("/x?id=many$_", '{}') } 1 .. 200;
my @status = map { answer($_) =~ m{^HTTP/1.1 (\d+)} ? $1 : 0 } @waiting;
is("@status", "@{[ (200) x 200 ]}", 'many: all 200');
is(redis_try($copy, 'LLEN', 'bull:q:wait'), 202, 'many: on the replica');
my ($evals, $waits) = map {
    redis_try($master, 'INFO', 'commandstats')
        =~ /cmdstat_$_:calls=(\d+)/ ? $1 : 0;
} qw(evalsha wait);
cmp_ok($waits, '<=', $evals + 1, "many: $waits waits for $evals calls");

redis_try($master, 'SCRIPT', 'FLUSH');
is(post('/x?id=flushed', '{}'), 200, 'NOSCRIPT: 200');
is(redis_try($copy, 'EXISTS', 'bull:q:e-flushed'), 1,
   'NOSCRIPT: on the replica by then');

# the replica stops

kill 'STOP', $replica;
my $start = time;
($status, $text) = post('/x?id=late', '{}');
my $took = time - $start;
is($status, 503, 'paused: 503');
like($text, qr/X-Status: unreplicated\r/, 'paused: status');
cmp_ok($took, '>=', 0.2, 'paused: waited');

@waiting = map { send_post("/x?id=late$_", '{}') } 1 .. 50;
@status = map { answer($_) =~ m{^HTTP/1.1 (\d+)} ? $1 : 0 } @waiting;
is("@status", "@{[ (503) x 50 ]}", 'paused: all 503');
is(post('/x?id=late', '{}'), 503, 'paused: a duplicate is no better');

redis_try($master, 'CLIENT', 'KILL', 'TYPE', 'normal');
is(post('/x?id=late', '{}'), 503, 'paused: nor on a new connection');
is(post('/x?id=two', '{}'), 503, 'paused: nor an old one');
unlike(log_text(), qr/timed out/, 'paused: no deadline is missed');

kill 'CONT', $replica;
ok(wait_for(sub { post('/x?id=late', '{}') == 200 }), 'back by itself');
is(post('/x?id=late7', '{}'), 200, 'the retry is a duplicate');
is(redis_try($master, 'LLEN', 'bull:q:wait'), 254, 'each job is there once');
is(redis_try($copy, 'LLEN', 'bull:q:wait'), 254, 'on the replica as well');

# more than there are

nginx(http => "sluice_redis unix:$master wait_replicas=2 wait_timeout=20ms;",
      server => $server);
is(post('/x?id=more', '{}'), 503, 'two of one: 503');
like(log_text(), qr/has jobs on 1 of 2 replicas/, 'two of one: told');

# lost while it waits

nginx(http => "sluice_redis unix:$master timeout=9s wait_replicas=2
               wait_timeout=4s;", server => $server);
my $lost = send_post('/x?id=lost', '{}');
ok(wait_for(sub { redis_try($master, 'EXISTS', 'bull:q:e-lost') }),
   'lost: written');
redis_try($master, 'CLIENT', 'KILL', 'TYPE', 'normal');
like(answer($lost), qr/ 503 .*X-Status: away\r/s, 'lost: 503');
ok(log_clean(), 'lost: log');

# a user who may not

redis_try($master, 'ACL', 'SETUSER', 'default', '-wait');
nginx(http => "sluice_redis unix:$master wait_replicas=1;",
      server => $server);
is(post('/x?id=denied', '{}'), 503, 'not allowed: 503');
like(log_text(), qr/refused to wait for replicas: NOPERM/, 'not allowed: told');
redis_try($master, 'ACL', 'SETUSER', 'default', '+wait');
is(post('/x?id=denied', '{}'), 200, 'allowed: 200');

redis_try($master, 'ACL', 'SETUSER', 'default', '-set');
is(post('/x?id=mark', '{}'), 503, 'the mark is not written: 503');
redis_try($master, 'ACL', 'SETUSER', 'default', '+set');
is(post('/x?id=mark', '{}'), 200, 'the mark is written: 200');

# a spool: its file stays until the replicas have what was in it

my $dir = "$ENV{TEST_NGINX_RUN}/wait.spool";
my $there = sub { scalar(() = glob("$dir/*.spool")) };
my $len = sub { redis_try($_[0], 'LLEN', 'bull:q:wait') || 0 };

redis_try($master, 'FLUSHALL');
nginx(http => "sluice_redis unix:$master timeout=400ms wait_replicas=1;
               sluice_spool $dir size=64m;", server => $server);
is(post('/x?id=first', '{}'), 200, 'spool: Redis has it');
kill 'STOP', $primary, $replica;
@status = map { scalar post("/x?id=spool$_", '{}') } 1 .. 20;
is("@status", "@{[ (200) x 20 ]}", 'spool: all 200');
is($there->(), 1, 'spool: a file');

kill 'CONT', $primary;
ok(wait_for(sub { $len->($master) == 21 }), 'spool: replayed');
ok(wait_for(sub { log_text() =~ /has jobs on 0 of 1 replicas/ }),
   'spool: waits for the replica');
is($there->(), 1, 'spool: the file is there');

# the one that is Redis from now on has none of it, and shows no registry

redis_try($master, 'FLUSHALL');
redis_try($master, 'ACL', 'SETUSER', 'default', 'resetkeys', '~bull:*',
          '~sluice:wait');
redis_try($master, 'CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { $len->($master) == 20 }), 'spool: once more');
kill 'CONT', $replica;
ok(wait_for(sub { !$there->() }), 'spool: the file is gone');
is($len->($copy), 20, 'spool: on the replica by then');

ok(log_clean(), 'log');
ok(stop_nginx(), 'nginx ends');

stop_redis($replica);
stop_redis($primary);

done_testing();
