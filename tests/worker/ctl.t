#!/usr/bin/perl

# sluicectl against a real Redis.

use strict;
use warnings;

use lib 'tests/worker';
use Test::More;
use JSON::PP;
use Ctl;
use RedisServer;

my $redis = RedisServer->new('ctl');
my $url = "unix:$redis->{socket}";
my $conf = "$redis->{dir}/sluiced.conf";

$ENV{TZ} = 'UTC';

sub file {
    my ($path, $text) = @_;

    open my $out, '>', $path or die "$path: $!";
    print $out $text;
    close $out;
}

file($conf, <<"END");
redis = "$url"
store = "$redis->{dir}/store.db"

channel "whatsapp" {
    token = "secret-token"
}

queue "messages" {
    tenants = {"acme", "globex"}
    kind    = send
    channel = "whatsapp"
}

queue "old" {
    prefix = "bull"
    kind   = noop
    bullmq = 5
}
END

$Ctl::dir = $redis->{dir};

sub json { return ctl_json('-r', $url, @_) }

# a job that failed for good, as finish.lua and stock BullMQ leave it
sub dead {
    my ($base, $id, $finished, $reason, @more) = @_;

    $redis->cli('HSET', "$base$id", 'name', 'send', 'data', '{"to":"+351"}',
                'opts', '{"attempts":4}', 'timestamp', '1795000000000',
                'delay', 0, 'priority', 0, 'atm', 4, 'ats', 4,
                'failedReason', $reason, 'finishedOn', $finished, @more);
    $redis->cli('ZADD', "${base}failed", $finished, $id);
}

my $none = qr/\A\z/;

# ---- usage

ctl_is('no command', 2, $none, qr/usage: sluicectl/);
ctl_is('help', 0, qr/usage: sluicectl.*dlq requeue QUEUE/s, $none, '--help');
ctl_is("help of $_", 0, qr/\Ausage: sluicectl.* $_/, $none, $_, '--help')
    for qw(queues job jobs add pause resume promote retry remove drain clean
           dlq log spool);
ctl_is('help behind other arguments', 0, qr/\Ausage/, $none, 'dlq', 'list',
       'nonsense', '--help');
ctl_is('an unknown command', 2, $none, qr/no command "frobnicate"/,
       '-r', $url, 'frobnicate');
ctl_is('an unknown option', 2, $none, qr/usage/, '--frobnicate');
ctl_is('an unknown option of a command', 2, $none, qr/see sluicectl queues/,
       '-r', $url, 'queues', '--frobnicate');
ctl_is('neither settings nor Redis', 2, $none, qr/-c .* or -r/, 'queues');
ctl_is('settings that are not there', 2, $none, qr/nothing.conf.*cannot/,
       '-c', 'nothing.conf', 'queues');
ctl_is('a limit that is none', 2, $none, qr/--limit must be a number/,
       '-r', $url, 'queues', '--limit', '-5');
ctl_is('a limit too high', 2, $none, qr/--limit must be .* up to 1000/,
       '-r', $url, 'dlq', 'list', 'acme/messages', '--limit', 1001);
ctl_is('job without an id', 2, $none, qr/queue and an id/, '-r', $url, 'job',
       'acme/messages');
ctl_is('dlq without a command', 2, $none, qr/dlq list, dlq errors, dlq requeue or/,
       '-r', $url, 'dlq');
ctl_is('dlq requeue of nothing', 2, $none, qr/either ids or --all/,
       '-r', $url, 'dlq', 'requeue', 'acme/messages');
ctl_is('dlq requeue of ids and all', 2, $none, qr/either ids or --all/,
       '-r', $url, 'dlq', 'requeue', 'acme/messages', 'm-1', '--all');

for my $bad ('messages', 'acme/', '/messages', ':messages', 'bull:', '',
             'a b/messages')
{
    ctl_is("a queue \"$bad\"", 2, $none, qr/queue "\Q$bad\E": /,
           '-r', $url, 'job', $bad, '1');
}

ctl_is('an unknown queue', 1, $none, qr/there is no queue nobody\/messages/,
       '-c', $conf, 'dlq', 'list', 'nobody/messages');

# ---- Redis

ctl_is('no Redis', 3, $none, qr/cannot connect to unix:.*No such file/,
       '-r', "unix:$redis->{dir}/nothing.sock", 'queues');
ctl_is('a bad URL does not show its password', 2, $none,
       qr/\A(?!.*hunter2).*-r: /s, '-r', 'redis://a:hunter2@/x', 'queues');
ctl_is('a cluster has no databases', 2, $none, qr/no databases/, '-r',
       'redis+cluster://host/1', 'queues');

# ---- queues

ctl_is('no queues at all', 1, qr/\Ano queues\n\z/, $none, '-r', $url,
       'queues');
ctl_is('queues of the settings', 0,
       qr{waiting.*acme/messages\n.*bull:old\n.*globex/messages\n\z}s, $none,
       '-c', $conf, 'queues');

my $acme = '{acme}:messages:';
my $hex = "\xff\xfe";

$redis->cli('SADD', 'sluice:queues', '{acme}:messages', 'bull:mail',
            'a:b:deep');
$redis->cli('LPUSH', "${acme}wait", 'm-1', 'm-2');
$redis->cli('LPUSH', "${acme}paused", 'm-3');
$redis->cli('LPUSH', "${acme}active", 'm-4');
$redis->cli('ZADD', "${acme}prioritized", 1, 'm-6');
$redis->cli('ZADD', "${acme}delayed", 1795000005000 * 4096 + 7, 'm-5');
$redis->cli('HSET', "${acme}meta", 'paused', 1, 'version', 'bullmq:6.7.0');
$redis->cli('SET', 'bull:mail:wait', 'not a list');

my $queues = json('queues');
is_deeply([ map { $_->{queue} } @$queues ],
          [ 'a:b:deep', 'acme/messages', 'bull:mail' ],
          'the registry, sorted, each once');
is((ctl('-r', $url, 'queues', '--limit', 2, '--json'))[1],
   (ctl('-r', $url, '--json', 'queues', '--limit', 2))[1],
   '--json may stand behind the command');
is_deeply($queues->[1],
          { queue => 'acme/messages', prefix => '{acme}', name => 'messages',
            waiting => 3, active => 1, delayed => 1, prioritized => 1,
            children => 0, completed => 0, failed => 0,
            paused => JSON::PP::true, version => 'bullmq:6.7.0' },
          'counts of each state');
is($queues->[2]{waiting}, undef, 'a key of another type is not counted');
is($queues->[0]{prefix}, 'a:b', 'a prefix with a colon');
ctl_is('as text', 0, qr{^ *3 +1 +1 +1 +0 +0 +0 +yes acme/messages$}m, $none,
       '-r', $url, 'queues');
ctl_is('of another type, as text', 0, qr{^ *\? .* - bull:mail$}m, $none,
       '-r', $url, 'queues');
ctl_is('a limit', 0, qr{a:b:deep\n1 of 3 queues\n\z}, $none, '-r', $url,
       'queues', '--limit', 1);

# ---- job

$redis->cli('HSET', "${acme}m-1", 'name', 'send', 'data',
            '{"to":"+351","n":[1,2.5]}', 'opts', '{"attempts":4}',
            'timestamp', '1795000000123', 'delay', 0, 'priority', 0, 'atm', 1,
            'ats', 2, 'failedReason', "slow\e[31m\nsecond", 'custom', 'x');
$redis->cli('HSET', "${acme}m-5", 'name', 'send', 'data', '{broken');

ctl_is('a job as text', 0,
       qr{\Ajob[ ]+m-1\nqueue[ ]+acme/messages\nstate[ ]+waiting\n
          name[ ]+send\nadded[ ]+2026-11-18[ ][0-9:]+\.123\n
          attempts[ ]made[ ]+1\n}x, $none,
       '-r', $url, 'job', 'acme/messages', 'm-1');
ctl_is('its data', 0, qr/^data +\{"to":"\+351","n":\[1,2.5\]\}$/m, $none,
       '-r', $url, 'job', '{acme}:messages', 'm-1');
ctl_is('nothing steers the terminal', 0,
       qr/^error +slow\\x1b\[31m\\x0asecond$/m, $none,
       '-r', $url, 'job', 'acme/messages', 'm-1');

my $job = json('job', 'acme/messages', 'm-1');
is_deeply($job->{data}, { to => '+351', n => [ 1, 2.5 ] }, 'data as JSON');
is($job->{timestamp}, 1795000000123, 'times as numbers');
is($job->{custom}, 'x', 'fields that nobody knows');
is($job->{state}, 'waiting', 'the state');

$job = json('job', 'acme/messages', 'm-5');
is($job->{state}, 'delayed', 'a delayed job');
is($job->{due}, 1795000005000, 'when it is due');
is($job->{data}, '{broken', 'data that is not JSON is shown as it is');

ctl_is('no such job', 1, $none, qr/no job m-99 in acme\/messages$/,
       '-r', $url, 'job', 'acme/messages', 'm-99');
ctl_is('an id without a job', 1, $none, qr/m-4 .* its id is in a list/,
       '-r', $url, 'job', 'acme/messages', 'm-4');
ctl_is("a key of the queue's own is no job", 1, $none, qr/no job wait/,
       '-r', $url, 'job', 'acme/messages', 'wait');
ctl_is('nor is its hash', 1, $none, qr/no job meta/,
       '-r', $url, 'job', 'acme/messages', 'meta');

# ---- dlq list

ctl_is('nothing failed', 1, qr/\Anone\n\z/, $none, '-r', $url, 'dlq', 'list',
       'acme/messages');

dead($acme, "m-dead$_", 1795000000000 + $_, "131056 pair $_") for 1 .. 3;

ctl_is('the newest first', 0,
       qr{\Am-dead3[ ]{2}2026-11-18[ ]\S+[ ]{2}4[ ]attempts[ ]{2}
          131056[ ]pair[ ]3\nm-dead2.*\nm-dead1.*\n1[ ]to[ ]3[ ]of[ ]3\n\z}x, $none,
       '-r', $url, 'dlq', 'list', 'acme/messages');
ctl_is('a page', 0, qr/\Am-dead2.*\n2 to 2 of 3\n\z/, $none,
       '-r', $url, 'dlq', 'list', 'acme/messages', '--limit', 1, '--offset',
       1);
ctl_is('behind the last', 1, qr/\Anone after the first 3\n\z/, $none,
       '-r', $url, 'dlq', 'list', 'acme/messages', '--offset', 3);

$redis->cli('DEL', "${acme}m-dead2");
ctl_is('a job that is gone', 0, qr/^m-dead2 .*\(the job itself is gone\)$/m,
       $none, '-r', $url, 'dlq', 'list', 'acme/messages');

my $list = json('dlq', 'list', 'acme/messages');
is($list->{total}, 3, 'the total');
is_deeply($list->{jobs}[0],
          { id => 'm-dead3', name => 'send', error => '131056 pair 3',
            attempts => 4, finished => 1795000000003 }, 'a failed job');

# ---- dlq requeue

$redis->cli('DEL', "${acme}marker", "${acme}wait", "${acme}paused");
$redis->cli('HDEL', "${acme}meta", 'paused');

ctl_is('an id', 0, qr/\A1 requeued\n\z/, $none, '-r', $url, 'dlq', 'requeue',
       'acme/messages', 'm-dead1');
is($redis->cli('LRANGE', "${acme}wait", 0, -1), 'm-dead1', 'is in the line');
is($redis->cli('ZRANGE', "${acme}marker", 0, -1, 'WITHSCORES'), "0\n0",
   'with the marker that wakes workers');
is($redis->cli('HMGET', "${acme}m-dead1", 'atm', 'failedReason'), "\n",
   'and all its attempts');
is($redis->cli('ZSCORE', "${acme}failed", 'm-dead1'), '', 'and not failed');

ctl_is('some of them', 1,
       qr/\Am-dead2:[ ]there[ ]is[ ]no[ ]such[ ]job\n
          m-99:[ ]there[ ]is[ ]no[ ]such[ ]job\n
          m-dead1:[ ]it[ ]is[ ]not[ ]in[ ]that[ ]set\n
          1[ ]requeued\n\z/x,
       $none, '-r', $url, 'dlq', 'requeue', 'acme/messages', 'm-dead2',
       'm-99', 'm-dead1', 'm-dead3');

$redis->cli('SET', 'bull:p:1', 'no job');
dead($acme, 'm-kid', 1795000000000, 'x', 'parentKey', 'bull:p:1');
ctl_is('a child whose parent is no job is left alone', 1, qr/^m-kid: /,
       $none, '-r', $url, 'dlq', 'requeue', 'acme/messages', 'm-kid');

# more than one call; m-kid and m-dead2 are the oldest and stay in front

$redis->cli('EVAL', <<'END', 1, $acme);
for i = 1, 450 do
    local id = 'm-many' .. i
    redis.call('HSET', KEYS[1] .. id, 'name', 'send', 'data', '{}', 'opts',
               '{}', 'timestamp', 1, 'delay', 0, 'priority', 0, 'atm', 1)
    redis.call('ZADD', KEYS[1] .. 'failed', 1795000001000 + i, id)
end
END

ctl_is('all', 1, qr/m-kid: .*450 requeued\n\z/s, $none, '-r', $url, 'dlq',
       'requeue', 'acme/messages', '--all');
is($redis->cli('ZRANGE', "${acme}failed", 0, -1), 'm-kid',
   'what was refused stayed');
is($redis->cli('LLEN', "${acme}wait"), 452, 'the others are in the line');

my $all = json('dlq', 'requeue', 'acme/messages', '--all');
is($all->{requeued}, 0, 'as JSON: none');
is_deeply([ sort map { $_->{id} } @{ $all->{refused} } ],
          [ 'm-kid' ], 'and which were refused');

# BullMQ 5 keeps a paused queue's line elsewhere: the settings say so

$redis->cli('HSET', 'bull:old:meta', 'paused', 1);
dead('bull:old:', '7', 1795000000000, 'x');
ctl_is('a queue of BullMQ 5', 0, qr/1 requeued/, $none, '-c', $conf, 'dlq',
       'requeue', 'bull:old', '7');
is($redis->cli('LRANGE', 'bull:old:paused', 0, -1), '7',
   'is paused in its own way');

# ---- log

ctl_is('no store yet', 3, $none, qr/store\.db": No such file/, '-c', $conf,
       'log');
ctl_is('a store needs the settings', 2, $none, qr/give -c/, '-r', $url,
       'log');
file("$redis->{dir}/text.db", "this is no database, only some text\n" x 40);
ctl_is('no database', 3, $none, qr/not a database/, '-r', $url, 'log',
       '--store', "$redis->{dir}/text.db");

# ---- Redis with a password

$redis->cli('CONFIG', 'SET', 'requirepass', 'hunter2');
ctl_is('no password', 3, $none, qr/NOAUTH/, '-r', $url, 'queues');
ctl_is('a wrong one', 3, $none, qr/\A(?!.*hunter1).*WRONGPASS/s,
       '-r', "$url?password=hunter1", 'queues');
ctl_is('the right one, and a database', 1, qr/no queues/, $none, '-r',
       "$url?password=hunter2&db=3", 'queues');

done_testing();
