#!/usr/bin/perl

# Streams of records into the store, by a running sluiced.

use strict;
use warnings;

use lib 'tests/worker';
use Test::More;
use JSON::PP;
use RedisServer;
use Time::HiRes qw(sleep time);

my $redis = RedisServer->new('recorder');
my $dir = $redis->{dir};
my $store = "$dir/store.db";
my $log = "$dir/sluiced.log";
my $conf = "$dir/sluiced.conf";
my $daemon;

my $stream = '{acme}::sluice:records';
my $other = '{globex}::sluice:records';
my $long = join ', ', map { "\"t$_\"" } 1 .. 32;
my $at = 1795000000000;

sub file {
    my ($path, $text) = @_;

    open my $out, '>', $path or die "$path: $!";
    print $out $text;
    close $out;
}

file($conf, <<"END");
redis = "unix:$redis->{socket}"
store = "$store"

log {
    file = "$log"
}

queue "messages" {
    tenants = {"acme", "globex", $long}
    kind    = noop
}
END

sub start {
    $daemon = fork() // die "fork: $!";

    if ($daemon == 0) {
        open STDERR, '>>', "$dir/stderr" or die;
        exec 'build/sluiced', '-c', $conf or die;
    }
}

sub stop {
    my ($signal) = @_;

    return unless $daemon;
    kill $signal // 'TERM', $daemon;
    waitpid $daemon, 0;
    undef $daemon;
    return $?;
}

END {
    if (defined $daemon && $daemon > 0) {
        my $status = $?;
        stop('KILL');
        $? = $status;
    }
}

# SQL over the store; the lines of its answer
sub sql {
    my ($sql) = @_;

    open my $pipe, '-|', 'sqlite3', '-cmd', '.timeout 5000', $store, $sql
        or die "sqlite3: $!";
    my $answer = do { local $/; <$pipe> } // '';
    close $pipe;
    $answer =~ s/\n\z//;

    return $answer;
}

sub record {
    my ($to, %record) = @_;

    return $redis->cli('XADD', $to, '*', 'r',
                       encode_json({ at => $at, status => 'sent', %record }));
}

# the stream is empty and nothing of it is pending
sub drained {
    my ($name) = @_;

    return $redis->cli('XLEN', $name) eq '0'
           && $redis->cli('XPENDING', $name, 'sluice') =~ /\A0\b/;
}

sub logged {
    my ($pattern) = @_;

    open my $in, '<', $log or return 0;
    my @lines = grep { /$pattern/ } <$in>;

    return scalar @lines;
}

# ---- records that were there before

record($stream, id => "m-$_", tenant => 'acme', channel => 'whatsapp',
       provider_id => "w$_", attempts => 1) for 1 .. 3;
start();

ok($redis->until(60, sub { drained($stream) }), 'what was there is taken');
is(sql('SELECT group_concat(message_id) FROM communication_logs'),
   'm-1,m-2,m-3', 'into the store');

# ---- both streams, and a status

record($stream, provider_id => 'w2', tenant => 'acme', status => 'read',
       at => $at + 5);
record($other, id => 'm-1', tenant => 'globex', channel => 'whatsapp',
       status => 'retry', error => 'slow', attempts => 1);

ok($redis->until(60, sub { drained($stream) && drained($other) }),
   'two streams');
is(sql("SELECT status FROM communication_logs WHERE message_id = 'm-2'"),
   'read', 'a status finds its message');
is(sql("SELECT tenant || error FROM communication_logs WHERE"
       . " tenant = 'globex'"), 'globexslow', 'each tenant has its own rows');

# ---- many at once

$redis->cli('EVAL', <<'END', 1, $stream);
for i = 1, 3000 do
    redis.call('XADD', KEYS[1], '*', 'r', '{"id":"m-x' .. i .. '","tenant":'
               .. '"many","status":"retry","at":' .. i .. '}')
end
END
ok($redis->until(60, sub { drained($stream) }), 'thousands');
is(sql("SELECT count(*) FROM communication_logs WHERE tenant = 'many'"),
   3000, 'all of them');

# ---- what is no record is set aside, and holds nothing up

$redis->cli('XADD', $stream, '*', 'r', 'nonsense');
$redis->cli('XADD', $stream, '*', 'x', 'no such field');
$redis->cli('XADD', $stream, '*', 'r', '{"status":"sent","at":5}');
record($stream, id => 'm-after', tenant => 'acme');

ok($redis->until(60, sub {
       drained($stream)
       && sql("SELECT count(*) FROM communication_logs WHERE"
              . " message_id = 'm-after'") eq '1'
   }), 'malformed records hold nothing up');
is($redis->cli('XLEN', "$stream:bad"), 3, 'they are set aside');
like($redis->cli('XRANGE', "$stream:bad", '-', '+'),
     qr/\br\nnonsense\n.*\bx\nno such field\n/s, 'as they are');
is(logged(qr/record_malformed/), 3, 'and the log tells of each');

# ---- Redis refuses their copies: they stay, and still hold nothing up

stop('KILL');
$redis->cli('SET', "$other:bad", 'no stream');
$redis->cli('EVAL', <<'END', 1, $other);
for i = 1, 600 do
    redis.call('XADD', KEYS[1], '*', 'r', 'nonsense')
end
END
record($other, id => 'm-left', tenant => 'globex');
$redis->cli('XREADGROUP', 'GROUP', 'sluice', 'sluiced', 'STREAMS', $other, '>');
record($other, id => 'm-last', tenant => 'globex');
start();
ok($redis->until(60, sub {
       sql("SELECT count(*) FROM communication_logs WHERE"
           . " message_id IN ('m-left', 'm-last')") eq '2'
       && $redis->cli('XLEN', $other) eq '600'
       && $redis->cli('XPENDING', $other, 'sluice') =~ /\A600\b/
   }), 'what a killed one had read is taken, and what is new; the others stay');
my $told = logged(qr/records_failed.*reject.*WRONGTYPE/);
ok($told > 0 && $told < 10, 'the log says why, now and then');
is(logged(qr/record_malformed/), 3, 'and none that they were set aside');

stop('KILL');
$redis->cli('DEL', "$other:bad");
start();
ok($redis->until(60, sub { drained($other) }), 'when they may, they go');
is($redis->cli('XLEN', "$other:bad"), 600, 'each once');
ok($redis->until(60, sub { logged(qr/record_malformed/) == 603 }),
   'and the log tells of each');

# allowed while it runs
$redis->cli('RENAME', "$other:bad", 'aside');
$redis->cli('SET', "$other:bad", 'no stream');
$redis->cli('XADD', $other, '*', 'r', 'nonsense');
ok($redis->until(60, sub { logged(qr/records_failed.*reject/) > $told }),
   'refused once more');
is(logged(qr/records_back/), 0, 'and the log does not say that all is well');
$redis->cli('DEL', "$other:bad");
ok($redis->until(60, sub { drained($other) && logged(qr/records_back/) }),
   'it is tried again by itself');

# ---- long ones: so many bytes at a time

$redis->cli('EVAL', <<'END', 32, map { "{t$_}::sluice:records" } 1 .. 32);
local text = ('x'):rep(200000)
for i = 1, #KEYS do
    for j = 1, 10 do
        redis.call('XADD', KEYS[i], '*', 'r', '{"id":"m-' .. j .. '","at":1,'
                   .. '"tenant":"long' .. i .. '","status":"sent",'
                   .. '"payload":"' .. text .. '"}')
    end
end
END
ok($redis->until(120, sub {
       sql("SELECT count(*) FROM communication_logs WHERE tenant LIKE"
           . " 'long%'") eq '320'
   }), '64 MB of records');

open my $status, '<', "/proc/$daemon/status" or die;
my ($peak) = map { /VmHWM:\s+(\d+)/ ? $1 / 1024 : () } <$status>;
ok($peak < 48, "in less: $peak MB");

# ---- the store is busy: the stream waits, and one line says so

my $lock = "$dir/lock";
my $locker = fork() // die "fork: $!";

if ($locker == 0) {
    # holds the write lock until its standard input ends
    exec 'sh', '-c', 'mkfifo "$1.in"; { echo "BEGIN IMMEDIATE;";'
         . ' echo ".system touch $1.held"; cat "$1.in"; } | sqlite3 "$0"',
         $store, $lock or die;
}

ok($redis->until(60, sub { -e "$lock.held" }), 'somebody locks the store');
record($stream, id => 'm-busy', tenant => 'acme');
ok($redis->until(60, sub { logged(qr/store_failed.*locked/) }),
   'the log tells why');
is($redis->cli('XLEN', $stream), 1, 'the record waits');

# the queue itself is not held up
$redis->cli('HSET', '{acme}:messages:m-j', 'name', 'x', 'data', '{}', 'opts',
            '{}', 'timestamp', $at, 'delay', 0, 'priority', 0);
$redis->cli('LPUSH', '{acme}:messages:wait', 'm-j');
$redis->cli('ZADD', '{acme}:messages:marker', 0, 0);
ok($redis->until(60, sub {
       $redis->cli('ZSCORE', '{acme}:messages:completed', 'm-j') ne ''
   }), 'jobs are done meanwhile');

sleep 3;    # two more tries
is(logged(qr/store_failed/), 1, 'one line, not one a try');

file("$lock.in", "COMMIT;\n");
waitpid $locker, 0;
ok($redis->until(60, sub { drained($stream) }), 'written when it is free');
ok($redis->until(60, sub { logged(qr/store_back/) }), 'and told');

# ---- killed between the store and Redis: repeated, harmless

record($stream, id => 'm-kill', tenant => 'acme', provider_id => 'k',
       channel => 'whatsapp', attempts => 1);
ok($redis->until(60, sub { drained($stream) }), 'before the crash');
stop('KILL');

my $again = record($stream, id => 'm-kill', tenant => 'acme',
                   provider_id => 'k', channel => 'whatsapp', attempts => 1);
my $gone = record($stream, id => 'm-gone', tenant => 'acme');
$redis->cli('XREADGROUP', 'GROUP', 'sluice', 'sluiced', 'COUNT', 10,
            'STREAMS', $stream, '>');
$redis->cli('XDEL', $stream, $gone);
like($redis->cli('XPENDING', $stream, 'sluice'), qr/\A2\b/,
     'read by one that was killed; of one entry only its id is left');
start();
ok($redis->until(60, sub { drained($stream) }), 'the next takes it over');
is(sql("SELECT count(*) || status FROM communication_logs WHERE"
       . " message_id = 'm-kill'"), '1sent', 'and nothing is twice');

# ---- Redis goes and comes back; its streams may be gone too

$redis->stop('KILL');
$redis->start();
record($stream, id => 'm-new', tenant => 'acme');
ok($redis->until(60, sub {
       sql("SELECT count(*) FROM communication_logs WHERE"
           . " message_id = 'm-new'") eq '1' && drained($stream)
   }), 'a new Redis without our group');

$redis->cli('DEL', $stream);
ok($redis->until(60, sub {
       $redis->cli('XINFO', 'GROUPS', $stream) =~ /sluice/
   }), 'a stream that was deleted gets its group again');
record($stream, id => 'm-del', tenant => 'acme');
ok($redis->until(60, sub {
       sql("SELECT count(*) FROM communication_logs WHERE"
           . " message_id = 'm-del'") eq '1'
   }), 'and is read');

$redis->cli('FLUSHALL');
$redis->cli('SCRIPT', 'FLUSH');
record($_, id => 'm-flush', tenant => $_) for $stream, $other;
$redis->cli('XADD', $other, '*', 'r', 'nonsense');
ok($redis->until(60, sub {
       sql("SELECT count(*) FROM communication_logs WHERE"
           . " message_id = 'm-flush'") eq '2' && drained($other)
   }), 'and both, when Redis was emptied');
is($redis->cli('XLEN', "$other:bad"), 1, 'with the scripts');

# ---- the end

is(stop('TERM'), 0, 'it ends well');
is(sql('PRAGMA integrity_check'), 'ok', 'and leaves a good file');

# ---- a store that cannot be opened

my $text = do { local $/; open my $in, '<', $conf or die; <$in> };
$text =~ s/^store = .*/store = "$dir\/no\/such\/dir.db"/m;
file($conf, $text);
start();
isnt(stop('CONT') >> 8, 0, 'a store that cannot be opened: no start');
ok($redis->until(60, sub {
       open my $in, '<', "$dir/stderr" or return 0;
       local $/;
       return (<$in> // '') =~ /No such file/ || logged(qr/No such file/);
   }), 'and why');

done_testing();
