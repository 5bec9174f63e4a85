# The spool: what is answered 200 while Redis is away is there when it is back,
# once, in order, whatever is killed meanwhile.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/spool.sock";
my $dir = "$ENV{TEST_NGINX_RUN}/spool";
my $serial = 0;

sub edge {
    my (%conf) = @_;

    nginx(http => "sluice_redis unix:$sock timeout=400ms; "
                  . "sluice_spool $dir @{[ $conf{spool} || 'size=64m' ]};",
          workers => $conf{workers} || 1,
          server => 'location /x { sluice_verify none;
                                   sluice_enqueue q id=$arg_id;
                                   sluice_respond 200
                                       "$sluice_enqueue_status"; }
                     location /y { sluice_verify none;
                                   sluice_enqueue r id=$arg_id; }');
}

# sends N events with ids of their own; the ids that were answered 200, and
# which other answers there were
sub events {
    my ($n, $path) = @_;

    $path ||= '/x';
    my (@ids, %others);

    for (1 .. $n) {
        my $id = sprintf 'i%06d', ++$serial;
        my $status = post("$path?id=$id", "{\"n\":\"$id\"}");
        if ($status == 200) { push @ids, $id } else { $others{$status}++ }
    }

    return (\@ids, \%others);
}

# or how many, in scalar context, of which sort knows nothing
sub files {
    my @files = sort map { s{.*/}{}r } glob("$dir/$_[0]");

    return @files;
}

# the ids of a queue in the order in which they came
sub queue {
    my ($queue) = @_;

    my $list = redis_try($sock, 'LRANGE', 'bull:' . ($queue || 'q') . ':wait',
                         0, -1) || [];
    return join ' ', map { s/^e-//r } reverse @$list;
}

sub back {
    my ($name, $ids, $queue) = @_;

    my $want = join ' ', @$ids;
    ok(wait_for(sub { queue($queue) eq $want }), "$name: all are there, in order")
        or diag('got ' . queue($queue) . "\nwant $want");
    ok(wait_for(sub { !files('*.spool') }), "$name: no file is left")
        or diag(join ' ', files('*'));
    is(queue($queue), $want, "$name: once");
}

my $missing = qr/connect\(\) to unix:.* failed \(2: No such file/;

# not there from the start

edge();
my ($ids, $others) = events(20);
is(scalar @$ids, 20, 'away: all 200');
my ($status, $text) = post('/x?id=i999', '{}');
like($text, qr/\r\n\r\nspooled/, 'away: spooled');
push @$ids, 'i999';
is(() = files("default.*.spool"), 1, "away: a file");
is(status_of()->{events}{spooled}, 21, 'away: counted');
is(status_of()->{spool}{written}, 21, 'away: written');
cmp_ok(status_of()->{spool}{bytes}, '>', 21 * 100, 'away: bytes');
like(http_get(port(), '/health'), qr/ 200 OK/, 'away: health');

my $redis = start_redis($sock);
back('away', $ids);
is(status_of()->{spool}{replayed}, 21, 'away: replayed');
ok(wait_for(sub { status_of()->{spool}{bytes} == 0 }), "away: nothing is kept");
ok(log_clean($missing), 'away: log');
is(redis_try($sock, 'SISMEMBER', 'sluice:queues', 'bull:q'), 1,
   'away: in the registry');
my %job = @{ redis_try($sock, 'HGETALL', 'bull:q:e-i000001') };
like($job{data}, qr/"data":\{"n":"i000001"\}/, 'away: its data');
is((events(3))[0][2], sprintf('i%06d', $serial), 'away: and now it is there');

# killed under events: those on their way are not known to have been run

my @all;
edge();
redis_try($sock, 'FLUSHALL');
is(scalar @{ (events(5))[0] }, 5, 'killed: before');
my @sent;
kill 'STOP', $redis;
my %sent = map { my $id = sprintf 'k%03d', $_;
                 ($id => send_post("/x?id=$id", '{}')) } 1 .. 20;
my @spooled = grep { answer($sent{$_}) =~ /\r\n\r\nspooled/ } sort keys %sent;
is(scalar @spooled, 20, 'silent: all 20 are spooled');
is(() = files('*.spool'), 1, 'silent: in one file');

# what was on its way is run, late, before the replay comes

kill 'CONT', $redis;
ok(wait_for(sub { !files('*.spool') }), 'silent: replayed');
my @got = split ' ', queue();
is(scalar(grep { /^k/ } @got), 20, 'silent: all are there, once');
my %seen; $seen{$_}++ for @got;
is(scalar(grep { $_ > 1 } values %seen), 0, 'silent: none twice');
like(redis_try($sock, 'KEYS', '*sluice:edge*')->[0],
     qr/^bull::sluice:edge:[0-9a-f]{20}$/, 'silent: what Redis remembers');
cmp_ok(redis_try($sock, 'PTTL', redis_try($sock, 'KEYS',
                                          '*sluice:edge*')->[0]),
       '>', 86400 * 1000, 'silent: for a day and more');

# the same without an id of its own, and jobs that are taken meanwhile: only
# what is remembered can tell

sub taken { my $n = shift; my %ids; my $jobs = redis_try($sock, 'LRANGE',
            'bull:r:wait', 0, -1); return scalar @$jobs }

is(post('/y', '{}'), 200, 'taken: connected');
redis_try($sock, 'DEL', 'bull:r:wait');
kill 'STOP', $redis;
my @waiting = map { send_post('/y', "{\"n\":$_}") } 1 .. 10;
is(scalar(grep { answer($_) =~ / 200 / } @waiting), 10, 'taken: all 200');
kill 'CONT', $redis;
my %jobs;
ok(wait_for(sub {
    my $job = redis_try($sock, 'RPOP', 'bull:r:wait');
    if ($job) {
        my $data = redis_try($sock, 'HGET', "bull:r:$job", 'data');
        $jobs{$1}++ if $data =~ /"data":(\{"n":\d+\})/;
        redis_try($sock, 'DEL', "bull:r:$job");
    }
    !$job && !files('*.spool') && keys %jobs >= 10;
}), 'taken: all came');
is(join(' ', map { $jobs{$_} } sort keys %jobs), '1 ' x 9 . '1',
   'taken: each once');
ok(log_clean($missing), 'taken: log');

# states of a server that says not now

redis_try($sock, 'FLUSHALL');
$ids = [];

for my $state ([ 'OOM', [ 'CONFIG', 'SET', 'maxmemory', '1' ],
                 [ 'CONFIG', 'SET', 'maxmemory', '0' ] ],
               [ 'READONLY', [ 'REPLICAOF', '127.0.0.1', '1' ],
                 [ 'REPLICAOF', 'NO', 'ONE' ] ])
{
    my ($name, $begin, $end) = @$state;

    redis_try($sock, @$begin);
    my ($more) = events(10);
    is(scalar @$more, 10, "$name: all 200");
    like((post("/x?id=$name", '{}'))[1], qr/spooled/, "$name: spooled");
    redis_try($sock, @$end);
    push @$ids, @$more, $name;
    back($name, $ids);
}

# a wrong type would be refused for ever: refused now, and set aside later

redis_try($sock, 'FLUSHALL');
redis_try($sock, 'SET', 'bull:q:wait', 'wrong');
is(post('/x?id=w1', '{}'), 503, 'wrong type: 503');
redis_try($sock, 'DEL', 'bull:q:wait');
stop_redis($redis);
unlink $sock;
($ids) = events(3);
is(post('/y?id=bad', '{}'), 200, 'wrong type: spooled');
my ($more) = events(3);
$redis = start_redis("$sock.early");
redis_try("$sock.early", 'SET', 'bull:r:wait', 'wrong');
rename "$sock.early", $sock;
back('wrong type', [ @$ids, @$more ]);
is(() = files('*.bad'), 1, 'wrong type: set aside');
is(status_of()->{spool}{bad}, 1, 'wrong type: counted');
like(log_text(), qr/refused 1 jobs of "bull:r:" from the spool: .*WRONGTYPE/,
     'wrong type: told');
unlink glob("$dir/*.bad");

# a worker process killed while its events wait in the spool

edge();
redis_try($sock, 'FLUSHALL');
stop_redis($redis);
unlink $sock;
($ids) = events(30);
is(scalar @$ids, 30, 'worker killed: all 200');
my ($victim) = workers();
kill 'KILL', $victim;
ok(wait_for(sub { my ($w) = workers(); $w && $w != $victim }),
   'worker killed: another');
($more) = events(5);
ok(wait_for(sub { status_of()->{spool}{segments} == 2 }),
   'worker killed: its file is taken over');
$redis = start_redis($sock);
back('worker killed', [ @$ids, @$more ]);
is(status_of()->{events}{spooled}, 35, 'worker killed: the ledger');

# all of NGINX killed, and started again

stop_redis($redis);
unlink $sock;
($ids) = events(30);
my @old = workers();
stop_nginx('KILL');
kill 'KILL', @old;
ok(wait_for(sub { !grep { !gone($_) } @old }), 'all killed');
edge(workers => 2);
ok(wait_for(sub { status_of()->{spool}{segments} == 1 }),
   'all killed: its file is counted');
cmp_ok(status_of()->{spool}{bytes}, '>', 30 * 100, 'all killed: its bytes');
$redis = start_redis($sock);
back('all killed', $ids);

# a torn tail and a flipped bit

edge();
redis_try($sock, 'FLUSHALL');
stop_redis($redis);
unlink $sock;
($ids) = events(9);
stop_nginx();
my ($file) = glob("$dir/*.spool");
ok($file, 'damaged: the file stays after the end');
my $size = -s $file;
open my $f, '+<', $file or die;
binmode $f;
local $/;
my $bytes = <$f>;
my $at = index $bytes, $ids->[4];
seek $f, $at, 0;
print $f 'X';
seek $f, $size, 0;
print $f "\x01SL\x02\x10\0\0\0torn";
close $f;
local $/ = "\n";
edge();
$redis = start_redis($sock);
back('damaged', [ @$ids[0 .. 3, 5 .. 8] ]);
is(() = files('*.bad'), 1, 'damaged: set aside');
my ($bad) = glob("$dir/*.bad");
open $f, '<', $bad or die;
{ local $/; $bytes = <$f>; }
like($bytes, qr/"n":"$ids->[4]"/, 'damaged: with its event');
unlink $bad;

# interrupted while it replays

stop_redis($redis);
unlink $sock;
$redis = start_redis($sock, '--maxclients', 100);
edge();
redis_try($sock, 'FLUSHALL');
stop_redis($redis);
unlink $sock;
($ids) = events(300);
is(scalar @$ids, 300, 'interrupted: all 200');
$redis = start_redis($sock, '--appendonly', 'yes', '--appendfsync', 'always');
for (1 .. 5) {
    wait_for(sub { queue() });
    kill 'KILL', workers();
    redis_try($sock, 'CLIENT', 'KILL', 'TYPE', 'normal');
    wait_for(sub { workers() });
}
back('interrupted', $ids);
stop_redis($redis);
unlink $sock;
unlink glob("$ENV{TEST_NGINX_RUN}/appendonlydir/*");

# full: what does not fit is refused, what was answered is there

$redis = start_redis($sock);
redis_try($sock, 'FLUSHALL');
edge(spool => 'size=256k segment=64k');
stop_redis($redis);
unlink $sock;
my $large = '{"n":"' . 'x' x 30_000 . '"}';
my @large = map { my $id = "l$_"; [ $id, post("/x?id=$id", $large) ] } 1 .. 12;
my @kept = map { $_->[0] } grep { $_->[1] == 200 } @large;
cmp_ok(scalar @kept, '>=', 7, 'full: up to its size');
is(scalar(grep { $_->[1] == 503 } @large), 12 - @kept, 'full: then 503');
like(log_text(), qr/sluice_spool ".*" is full/, 'full: told');
like(http_get(port(), '/health'), qr/ 503 /, 'full: health');
cmp_ok(scalar(() = files('*.spool')), '>=', 2, 'full: several files');
$redis = start_redis($sock);
back('full', \@kept);
is(post('/x?id=after', '{}'), 200, 'full: and again');

# a disk that is full, and one that is read-only

SKIP: {
    skip 'no tmpfs here', 12
        if system("mkdir -p $dir.small && mount -t tmpfs -o size=128k,mode=700"
                  . " none $dir.small 2>/dev/null") != 0;

    my $keep = $dir;
    $dir = "$keep.small";
    redis_try($sock, 'FLUSHALL');
    edge(spool => 'size=1g');
    stop_redis($redis);
    unlink $sock;
    my @disk = map { my $id = "d$_"; [ $id, post("/x?id=$id", $large) ] } 1 .. 8;
    @kept = map { $_->[0] } grep { $_->[1] == 200 } @disk;
    cmp_ok(scalar @kept, '>=', 2, 'disk full: some fit');
    cmp_ok(scalar @kept, '<', 8, 'disk full: not all');
    like(log_text(), qr/could not be written \(28: No space/, 'disk full: told');
    is(status_of()->{spool}{last_error}, 28, 'disk full: last error');
    is(() = files('*.spool'), 1, 'disk full: one file');
    $redis = start_redis($sock);
    back('disk full', \@kept);

    redis_try($sock, 'FLUSHALL');
    edge();
    stop_redis($redis);
    unlink $sock;
    system("mount -o remount,ro none $dir") == 0 or die;
    is(post('/x?id=ro', '{}'), 503, 'read-only: 503');
    like(log_text(), qr/could not be written \(30: Read-only/,
         'read-only: told');
    system("mount -o remount,rw none $dir") == 0 or die;
    ok(wait_for(sub { post('/x?id=rw', '{}') == 200 }), 'read-only: no more');
    $redis = start_redis($sock);
    back('read-only', [ 'rw' ]);
    stop_nginx();
    system("umount $dir");
    $dir = $keep;
}

# a reload: what the old process has is taken over

edge();
redis_try($sock, 'FLUSHALL');
stop_redis($redis);
unlink $sock;
($ids) = events(10);
my ($before) = workers();
kill 'HUP', do { open my $p, '<', "$RUN/logs/nginx.pid"; int <$p> };
ok(wait_for(sub { gone($before) }), 'reload: the old process is gone');
($more) = events(10);
$redis = start_redis($sock);
back('reload', [ @$ids, @$more ]);

# a slow client keeps the old process from quitting, for hours perhaps: what it
# has is taken over all the same

edge();
redis_try($sock, 'FLUSHALL');
stop_redis($redis);
unlink $sock;
($ids) = events(10);
($before) = workers();
my $slow = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port());
print $slow "POST /x?id=slow HTTP/1.1\r\nHost: localhost\r\n"
            . "Connection: close\r\nContent-Length: 2\r\n\r\n{";
$slow->flush;
ok(wait_for(sub { status_of()->{events}{in_flight} == 1 }), 'slow: a client');
kill 'HUP', do { open my $p, '<', "$RUN/logs/nginx.pid"; int <$p> };
ok(wait_for(sub { grep { $_ != $before } workers() }), 'slow: a new process');
$redis = start_redis($sock);
back('slow', $ids);
ok(!gone($before), 'slow: the old process is there');
print $slow '}';
$slow->flush;
like(answer($slow), qr/ 200 /, 'slow: is answered');
back('slow', [ @$ids, 'slow' ]);

# more than one file, written with sync=interval

edge(spool => 'size=10m segment=64k sync=interval age=1h');
redis_try($sock, 'FLUSHALL');
stop_redis($redis);
unlink $sock;
my @many = map { my $id = "m$_"; [ $id, post("/x?id=$id", $large) ] } 1 .. 20;
is(scalar(grep { $_->[1] == 200 } @many), 20, 'files: all 200');
cmp_ok(scalar(() = files('*.spool')), '>=', 7, 'files: several');
$redis = start_redis($sock);
back('files', [ map { $_->[0] } @many ]);

# live events come through beside the replay, and its order is kept

edge(spool => 'size=64m segment=8m');
redis_try($sock, 'FLUSHALL');
stop_redis($redis);
unlink $sock;
my @before = map { my $id = "b$_"; post("/x?id=$id", $large); $id } 1 .. 800;
$redis = start_redis($sock);
my %live;
for (my $n = 1; files('*.spool'); $n++) {
    my (undef, $answer) = post("/x?id=live$n", '{}');
    $live{"live$n"} = 1 if $answer =~ /\r\n\r\naccepted/;
}
my @queue = split ' ', queue();
is(join(' ', grep { /^b/ } @queue), "@before", 'live: the order is kept');
is(scalar(grep { $live{$_} } @queue), keys %live, 'live: all are there');
my ($last) = grep { $queue[$_] eq $before[-1] } 0 .. $#queue;
cmp_ok(scalar(grep { $live{$_} } @queue[0 .. $last]), '>', 0,
       'live: some came through meanwhile');

# too old: set aside, not forgotten

edge(spool => 'size=10m age=4s');
redis_try($sock, 'FLUSHALL');
stop_redis($redis);
unlink $sock;
($ids) = events(2);
sleep 4.2;
($more) = events(1);
$redis = start_redis($sock);
edge(spool => 'size=10m age=4s');
back('old', $more);
is(() = files('*.bad'), 1, 'old: set aside');
unlink glob("$dir/*.bad");

stop_redis($redis);

ok(stop_nginx(), 'nginx ends');
done_testing();
