#!/usr/bin/perl

# What sluicectl does to a queue, against a real Redis.

use strict;
use warnings;

use lib 'tests/worker';
use Test::More;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Ctl;
use RedisServer;

my $redis = RedisServer->new('ctl_admin');
my $url = "unix:$redis->{socket}";

$Ctl::dir = $redis->{dir};
@Ctl::first = ('-r', $url);

sub cli {
    return join ' ', split /\n/, $redis->cli(@_);
}

my $none = qr/\A\z/;
my $q = 'bull:q';
my $base = 'bull:q:';

$redis->cli('SADD', 'sluice:queues', $q);

# ---- usage

ctl_is("$_ without a queue", 2, $none, qr/$_ takes/, $_)
    for qw(jobs add pause resume promote retry remove drain clean);
ctl_is("$_ of nothing", 2, $none, qr/either ids or --all/, $_, $q)
    for qw(promote retry);
ctl_is("$_ of ids and all", 2, $none, qr/either ids or --all/, $_, $q, '1',
       '--all') for qw(promote retry);
ctl_is('an unknown state', 2, $none, qr/a state is waiting,/, 'jobs', $q,
       '--state', 'lost');
ctl_is('clean of an unknown state', 2, $none, qr/a state is completed,/,
       'clean', $q, 'lost');
ctl_is('an age that is none', 2, $none, qr/--older must be a time such as/,
       'clean', $q, 'failed', '--older', 'old');
ctl_is("an unknown queue of $_->[0]", 1, $none, qr/there is no queue bull:x/,
       @$_) for ['pause', 'bull:x'], ['drain', 'bull:x'],
                ['add', 'bull:x', 'n'];
ctl_is('a filter without --all', 2, $none, qr/--all, which takes a filter/,
       'dlq', 'purge', $q, 'a', '--name', 'n');

# ---- add

ctl_is('an id is given', 0, qr/\A1\n\z/, $none, 'add', $q, 'n');
is(cli('HMGET', "${base}1", 'name', 'data', 'opts', 'delay', 'priority'),
   'n {} {"attempts":1} 0 0', 'what is added');
$Ctl::input = '{"to": "+351"}';
is_deeply(ctl_json('add', $q, 'send', '--data', '-', '--id', 'e-1', '--priority', 3,
               '--attempts', 5),
          { id => 'e-1', added => JSON::PP::true, result => 'added' },
          'with options');
is(cli('HMGET', "${base}e-1", 'data', 'opts', 'priority'),
   '{"to": "+351"} {"attempts":5,"priority":3,"jobId":"e-1"} 3',
   'data as it came');
ctl_is('an id that is there', 1, qr/\Ae-1 is there already\n/, $none, 'add', $q,
       'n', '--id', 'e-1');
ctl_is('later', 0, qr/\Ae-2\n/, $none, 'add', $q, 'n', '--id', 'e-2',
       '--delay', '1h');
is(cli('HMGET', "${base}e-2", 'delay', 'opts'),
   '3600000 {"attempts":1,"delay":3600000,"jobId":"e-2"}', 'its delay');
ctl_is('to the front', 0, qr/\Ae-3\n/, $none, 'add', $q, 'n', '--id', 'e-3',
       '--lifo');
is(cli('LRANGE', "${base}wait", 0, -1), '1 e-3', 'the line');
ctl_is('data that is not JSON', 2, $none, qr/--data is not JSON: line 1/,
       'add', $q, 'n', '--data', '{');
$Ctl::input = "1\0";
ctl_is('a zero byte', 2, $none, qr/holds a zero byte/, 'add', $q, 'n',
       '--data', '-');
ctl_is("the id $_", 2, $none, qr/--id /, 'add', $q, 'n', '--id', $_)
    for '7', 'a:b', '', 'meta', 'wait', 'events';

# ---- jobs

ctl_is('those that wait', 0,
       qr/\A1  20[-0-9]+ [0-9:.]+  n\ne-3  .*\n1 to 2 of 2 waiting\n\z/, $none,
       'jobs', $q);
ctl_is('the next one first', 0, qr/\Ae-3 .*\n1 to 1 of 2 waiting\n\z/, $none,
       'jobs', $q, '--oldest', '--limit', 1);
ctl_is('the one behind it', 0, qr/\A1 .*\n2 to 2 of 2 waiting\n\z/, $none,
       'jobs', $q, '--oldest', '--limit', 1, '--offset', 1);
is_deeply([ map { $_->{id} } @{ ctl_json('jobs', $q, '--state', $_)->{jobs} } ],
          { delayed => ['e-2'], prioritized => ['e-1'], failed => [] }->{$_},
          "jobs that are $_") for qw(delayed prioritized failed);
ctl_is('no jobs', 1, qr/\Anone\n\z/, $none, 'jobs', $q, '--state', 'active');
$redis->cli('LPUSH', "${base}wait", 'ghost');
ctl_is('an id without a job', 0, qr/^ghost  \(the job itself is gone\)$/m, $none,
       'jobs', $q);
$redis->cli('LPOP', "${base}wait");

# ---- pause, resume

ctl_is('pause', 0, qr/\Apaused\n\z/, $none, 'pause', $q);
is(cli('HGET', "${base}meta", 'paused'), '1', 'is paused');
$redis->cli('LPUSH', "${base}paused", 'old');
is(ctl_json('jobs', $q)->{jobs}[0]{id}, 'old', 'the jobs of BullMQ 5');
is_deeply(ctl_json('resume', $q), { paused => JSON::PP::false }, 'resume');
is(cli('LRANGE', "${base}wait", 0, -1), '1 e-3 old', 'the lists are merged');
is(cli('HEXISTS', "${base}meta", 'paused'), '0', 'is not paused');
$redis->cli('LREM', "${base}wait", 1, 'old');

# ---- promote

ctl_is('promote', 1, qr/\Ae-3: it is not in that set\n1 promoted\n\z/, $none,
       'promote', $q, 'e-2', 'e-3');
is(cli('LRANGE', "${base}wait", 0, -1), 'e-2 1 e-3', 'is in the line');
ctl('add', $q, 'n', '--id', "d-$_", '--delay', '1h') for 1 .. 3;
ctl_is('promote all', 0, qr/\A3 promoted\n\z/, $none, 'promote', $q, '--all');
is(cli('ZCARD', "${base}delayed"), '0', 'none is delayed');

# ---- remove

ctl_is('remove', 1, qr/\Ax: there is no such job\n2 removed\n\z/, $none,
       'remove', $q, 'd-1', 'x', 'e-1');
is(cli('EXISTS', "${base}d-1", "${base}e-1"), '0', 'they are gone');
$redis->cli('SET', "${base}d-2:lock", 't');
is_deeply(ctl_json('remove', $q, 'd-2', '--children'),
          { removed => 0, left => 0, refused => [ { id => 'd-2', code => 0,
            why => 'a worker has it, or a job below it' } ] }, 'one that runs');
$redis->cli('DEL', "${base}d-2:lock");

# more than the script does in one call

$redis->cli('EVAL', <<'END', 1, $base);
for i = 1, 60000 do
    redis.call('LPUSH', KEYS[1] .. 'wait', 'f' .. i)
end
END
ctl_is('a long line', 0, qr/\A3 removed\n\z/, $none, 'remove', $q, 'd-2',
       'd-3', 'e-3');
$redis->cli('LTRIM', "${base}wait", -2, -1);
is(cli('LRANGE', "${base}wait", 0, -1), 'e-2 1', 'the others are there');

# ---- drain, clean

ctl('add', $q, 'n', '--delay', '1h', '--id', 'd-9');
ctl('add', $q, 'n', '--priority', 4);
ctl_is('drain', 0, qr/\A3 removed\n\z/, $none, 'drain', $q);
is(cli('EXISTS', "${base}d-9"), '1', 'not what is delayed');
ctl_is('drain with those', 0, qr/\A1 removed\n\z/, $none, 'drain', $q,
       '--delayed');
ctl_is('drain of nothing', 0, qr/\A0 removed\n\z/, $none, 'drain', $q);

# a queue into which come as many as a call removes, at each call

my $feed = <<'END';
for i = 1, ARGV[1] do
    local id = 'fed-' .. redis.call('INCR', 'fed')
    redis.call('HSET', KEYS[1] .. id, 'name', 'n', 'data', '{}', 'opts', '{}')
    redis.call('LPUSH', KEYS[1] .. 'wait', id)
end
END

sub feed { $redis->cli('EVAL', $feed, 1, $base, $_[0]) }

my $door = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
    or die "socket: $!";
my $feeder = fork() // die "fork: $!";

if ($feeder == 0) {
    my $client = $door->accept();
    my $server = IO::Socket::UNIX->new(Peer => $redis->{socket});
    my $both = IO::Select->new($client, $server);
    my $calls = 0;

    while (1) {
        for my $from ($both->can_read) {
            sysread($from, my $data, 65536) or POSIX::_exit(0);
            feed(200) if $from == $client && $data =~ /\nEVAL/ && $calls++ < 20;
            print { $from == $client ? $server : $client } $data;
        }
    }
}

feed(1000);
{
    local @Ctl::first = ('-r', 'redis://127.0.0.1:' . $door->sockport);
    ctl_is('drain of a queue that is fed', 0, qr/\A1200 removed\n\z/, $none,
           'drain', $q);
}
waitpid $feeder, 0;
$redis->cli('DEL', "${base}wait");

sub dead {
    my ($id, $finished, $reason, $name, @more) = @_;

    $redis->cli('HSET', "$base$id", 'name', $name // 'send', 'data', '{}',
                'opts', '{}', 'timestamp', '1795000000000', 'delay', 0,
                'priority', 0, 'atm', 4, 'failedReason', $reason,
                'finishedOn', $finished, @more);
    $redis->cli('ZADD', "${base}failed", $finished, $id);
}

dead("f-$_", 1795000000000 + $_, 'x') for 1 .. 5;
dead('new', (time + 60) . '000', 'x');
ctl_is('clean, so many', 0, qr/\A2 removed/, $none, 'clean', $q, 'failed',
       '--limit', 2);
is(cli('ZRANGE', "${base}failed", 0, -1), 'f-3 f-4 f-5 new', 'the oldest');
ctl_is('clean, so old', 0, qr/\A3 removed/, $none, 'clean', $q, 'failed',
       '--older', '1s');
is(cli('ZRANGE', "${base}failed", 0, -1), 'new', 'not what is new');
ctl('add', $q, 'n', '--id', 'e-9');
ctl_is('a job that is too young', 0, qr/\A0 removed, 1 left where they are\n/,
       $none, 'clean', $q, 'waiting', '--older', '1h');
ctl_is('clean the line', 0, qr/\A1 removed\n/, $none, 'clean', $q, 'waiting');

# ---- retry

dead("f-$_", 1795000000000 + $_, 'x') for 1 .. 3;
ctl_is('retry', 0, qr/\A1 requeued\n/, $none, 'retry', $q, 'f-2');
$redis->cli('SET', 'bull:p:1', 'no job');
dead('kid', 1795000000000, 'x', 'send', 'parentKey', 'bull:p:1');
ctl_is('retry all', 1, qr/\A2 requeued, 1 left where they are\n\z/, $none,
       'retry', $q, '--all');
is(cli('LRANGE', "${base}wait", 0, -1), 'f-3 f-1 f-2', 'in their order');
is(cli('HMGET', "${base}f-1", 'atm', 'failedReason'), '',
   'with all their attempts');
is(cli('ZRANGE', "${base}failed", 0, -1), 'kid new', 'what is not yet over');
$redis->cli('ZADD', "${base}completed", 5, 'c-1');
$redis->cli('HSET', "${base}c-1", 'name', 'n');
ctl_is('a completed job', 0, qr/\A1 requeued/, $none, 'retry', $q, '--all',
       '--completed');

# ---- dlq with filters

$redis->cli('DEL', "${base}failed", "${base}wait");
dead('a-1', 1795000000001, 'timeout after 5 s', 'send');
dead('a-2', 1795000000002, 'no such number', 'send');
dead('a-3', 1795000000003, 'timeout after 9 s', 'poll');
dead('a-4', (time + 60) . '000', 'timeout after 9 s', 'send');

ctl_is('by the error', 0, qr/\Aa-4 .*\na-3 .*\na-1 .*\n3, of 4 that failed\n\z/,
       $none, 'dlq', 'list', $q, '--error', 'timeout');
ctl_is('by the name', 0, qr/\Aa-3 .*\n1, of 4/, $none, 'dlq', 'list', $q,
       '--name', 'poll');
ctl_is('by the age', 0, qr/\Aa-3 .*\na-2 .*\na-1 .*\n3, of 4/, $none, 'dlq',
       'list', $q, '--older', '1s');
ctl_is('by all of them, a page', 0, qr/\Aa-1 .*\n1, of 4/, $none, 'dlq',
       'list', $q, '--older', '1s', '--error', 'timeout', '--limit', 1,
       '--offset', 1);
ctl_is('none', 1, qr/\Anone\n\z/, $none, 'dlq', 'list', $q, '--name', 'x');

# ---- dlq errors

ctl_is('kinds of errors', 0,
       qr/\A[ ]+3[ ][ ]\S+[ ]\S+[ ][ ]a-4[ ][ ]timeout[ ]after[ ][#][ ]s\n
          [ ]+1[ ][ ]2026-11-18[ ]\S+[ ][ ]a-2[ ][ ]no[ ]such[ ]number\n
          2[ ]kinds[ ]in[ ]the[ ]newest[ ]4[ ]of[ ]4\n\z/x,
       $none, 'dlq', 'errors', $q);
ctl_is('of the last ones', 0, qr/a-4 .*\n1 kinds in the newest 1 of 4\n\z/,
       $none, 'dlq', 'errors', $q, '--last', 1);
is_deeply(ctl_json('dlq', 'errors', $q)->{errors}[1],
          { jobs => 1, error => 'no such number', newest => 'a-2',
            finished => 1795000000002 }, 'as JSON');
ctl_is('no last one', 2, $none, qr/at least the last one/, 'dlq', 'errors', $q,
       '--last', 0);

# more than one page of them

$redis->cli('EVAL', <<'END', 1, $base);
for i = 1, 450 do
    local id = 'many' .. i
    redis.call('HSET', KEYS[1] .. id, 'name', 'bulk', 'data', '{}', 'opts',
               '{}', 'timestamp', 1, 'failedReason', 'r' .. i % 2)
    redis.call('ZADD', KEYS[1] .. 'failed', 1000 + i, id)
end
END

is(ctl_json('dlq', 'errors', $q)->{looked}, 454, 'errors of more than a page');
is(scalar @{ ctl_json('dlq', 'list', $q, '--error', 'r1', '--limit', 1000)->{jobs} },
   225, 'a filter over many');
ctl_is('requeue of some', 0, qr/\A225 requeued\n\z/, $none, 'dlq', 'requeue',
       $q, '--all', '--error', 'r0');
is(cli('LLEN', "${base}wait"), '225', 'are in the line');
is(cli('ZCARD', "${base}failed"), '229', 'the others are not');
ctl_is('purge of some', 0, qr/\A225 removed\n\z/, $none, 'dlq', 'purge', $q,
       '--all', '--name', 'bulk');
is(cli('EXISTS', "${base}many1"), '0', 'they are gone');
ctl_is('purge of ids', 1, qr/\Amany2: it is not in that set\n1 removed\n\z/,
       $none, 'dlq', 'purge', $q, 'a-2', 'many2');
is(cli('EXISTS', "${base}many2"), '1', 'only what failed is purged');
ctl_is('purge of all', 0, qr/\A3 removed\n\z/, $none, 'dlq', 'purge', $q,
       '--all');
is(cli('ZCARD', "${base}failed"), '0', 'the set is empty');

# ids without a job leave the set: those behind them come forward

$redis->cli('EVAL', <<'END', 1, $base);
for i = 1, 250 do
    local id = 'real' .. i
    redis.call('HSET', KEYS[1] .. id, 'name', 'n', 'data', '{}')
    redis.call('ZADD', KEYS[1] .. 'failed', i, 'ghost' .. i, 1000 + i, id)
end
END
ctl_is('requeue past jobs that are gone', 1,
       qr/ghost250: there is no such job\n250 requeued\n\z/, $none, 'dlq',
       'requeue', $q, '--all');
is(cli('ZCARD', "${base}failed"), '0', 'none is left');

done_testing();
