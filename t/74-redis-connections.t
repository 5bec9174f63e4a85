# connections=: jobs go over several connections of a process, a client's over
# one; each is lost and made again by itself, and what was on it is not lost.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/connections.sock";
my $dir = "$ENV{TEST_NGINX_RUN}/connections.spool";
my $redis = start_redis($sock);
my $h2 = port() + 6;
my $serial = 0;

sub edge {
    my ($options, $more) = @_;

    my $server = "listen 127.0.0.1:$h2 http2;" . 'location /x { sluice_verify none;
                                sluice_enqueue q id=$arg_id;
                                sluice_respond 200 "$sluice_enqueue_status"; }';

    return nginx(http => "sluice_redis unix:$sock connections=4 $options;"
                         . ($more || ''),
                 server => $server);
}

# what Redis says of the edge's connections, oldest first
sub connections {
    my $list = redis_try($sock, 'CLIENT', 'LIST') || '';

    return map { { /(\S+?)=(\S*)/g } }
           grep { / name=sluice-nginx / } split /\n/, $list;
}

sub send_events { return map { my $id = sprintf 'i%04d', ++$serial;
                               [ $id, send_post("/x?id=$id", '{}') ] }
                         1 .. $_[0] }

# the ids by what they were answered: "200", "200 spooled", "503", ...
sub answers {
    my %ids;

    for my $event (@_) {
        my $text = answer($event->[1]);
        close $event->[1];
        my ($status) = $text =~ m{^HTTP/1.1 (\d+)};
        $status .= " $1" if $text =~ /\r\n\r\n(spooled|duplicate)/;
        push @{ $ids{$status || 'none'} }, $event->[0];
    }

    return \%ids;
}

sub sorted { return join ' ', sort @_ }

# those in the queue, in their order
sub queued { return map { s/^e-//r } reverse @{ redis_try($sock, 'LRANGE',
                                                'bull:q:wait', 0, -1) || [] } }

# each client's connection has a number, so some are soon of each
sub all_ready {
    my ($n) = @_;

    return wait_for(sub {
        answers(send_events(8));
        return connections() == 4
               && status_of()->{redis}[0]{connections}{ready} == $n;
    });
}

# events wait in Redis, on each connection
sub hold {
    my ($n) = @_;

    redis_try($sock, 'CLIENT', 'PAUSE', 60000, 'WRITE');
    my @events = send_events($n);
    ok(wait_for(sub { status_of()->{events}{in_flight} == $n }), 'all wait');
    is(scalar(grep { $_->{flags} =~ /b/ || $_->{cmd} =~ /evalsha/ }
              connections()), 4, 'on four connections');

    return @events;
}

# made when they are used, each with its jobs

edge('');
is(status_of()->{redis}[0]{connections}{unused}, 4, 'unused');
is(post('/x?id=first', '{}'), 200, 'the first event');
ok(all_ready(4), 'four connections');
is(status_of()->{redis}[0]{connections}{unused}, 0, 'all used');
answers(send_events(64));
is(sorted(map { $_->{cmd} } connections()), sorted(('evalsha') x 4),
   'all of them brought jobs');
is(scalar(() = log_text() =~ /"appendonly" is off/g), 1,
   'a warning is given once');

# a client's events stay in their order: of HTTP/1.1, and of HTTP/2, where they
# are on their way together

sub pipelined {
    my @ids = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port()) or die;
    print $s join '', map {
        "POST /x?id=$_ HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Length: 2\r\n\r\n{}"
    } @ids;
    $s->flush;

    return $s;
}

sub frame {
    my ($type, $flags, $stream, $data) = @_;

    return substr(pack('N', length $data), 1) . pack('CCN', $type, $flags,
                                                     $stream) . $data;
}

# HPACK: indexed fields of the static table, and literal ones of their names
sub streams {
    my @ids = @_;

    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$h2") or die;
    my $stream = -1;

    print $s "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '')
             . join '', map {
        my $path = "/x?id=$_";
        $stream += 2;
        frame(1, 4, $stream, "\x83\x86\x04" . chr(length $path) . $path
                             . "\x01\x09localhost")
        . frame(0, 1, $stream, '{}');
    } @ids;
    $s->flush;

    return $s;
}

redis_try($sock, 'DEL', 'bull:q:wait');
my %clients = map { my $c = $_; ($c => [ map { "$c-$_" } 10 .. 59 ]) }
              qw(p1 p2 p3 h1 h2 h3 h4 h5);
my @sockets = map { /^p/ ? pipelined(@{ $clients{$_} })
                         : streams(@{ $clients{$_} }) } sort keys %clients;
ok(wait_for(sub { queued() == 400 }), 'of eight clients all are there');
my @queued = queued();
for my $c (sort keys %clients) {
    is(join(' ', grep { /^$c-/ } @queued), join(' ', @{ $clients{$c} }),
       "$c: in order");
}
isnt(join(' ', @queued), sorted(@queued), 'beside each other');
close $_ for @sockets;

# one connection is killed while events wait on each

my @events = hold(40);
my ($victim) = (connections())[2];
redis_try($sock, 'CLIENT', 'KILL', 'ID', $victim->{id});
ok(wait_for(sub { status_of()->{redis}[0]{losses} == 1 }), 'killed: one is lost');
ok(wait_for(sub { status_of()->{events}{in_flight} < 40 }),
   'killed: what was on it is answered');
my $left = status_of()->{events}{in_flight};
cmp_ok($left, '>', 0, 'killed: the others wait on');
my @more = send_events(20);
redis_try($sock, 'CLIENT', 'UNPAUSE');
my $ids = answers(@events);
is(scalar @{ $ids->{200} }, $left, 'killed: they are answered 200');
is(scalar @{ $ids->{503} || [] }, 40 - $left, 'killed: no others but 503');
my %there = map { $_ => 1 } queued();
is(scalar(grep { !$there{$_} } @{ $ids->{200} }), 0, 'killed: none is lost');
is(scalar @{ answers(@more)->{200} }, 20, 'killed: new events go on');
ok(all_ready(4), 'killed: four again');

# Redis is full: each connection hears it, and the process is not ready

redis_try($sock, 'CONFIG', 'SET', 'maxmemory', 1);
is(sorted(keys %{ answers(send_events(16)) }), '503', 'full: 503');
like(http_get(port(), '/health'), qr/ 503 .*is not accepting/s, 'full: health');
is(scalar(() = log_text() =~ /OOM/g), 1, 'full: one line a second');
redis_try($sock, 'CONFIG', 'SET', 'maxmemory', 0);
is(sorted(keys %{ answers(send_events(16)) }), '200', 'room: 200');
like(http_get(port(), '/health'), qr/ 200 OK/, 'room: health');

for (1 .. 6) {
    redis_try($sock, 'CONFIG', 'SET', 'maxmemory', 1);
    answers(send_events(1));
    like(http_get(port(), '/health'), qr/ 503 .*is not accepting/s,
         'full: health after one event, on whichever connection');
    redis_try($sock, 'CONFIG', 'SET', 'maxmemory', 0);
    answers(send_events(1));
}

# Redis stops and starts

stop_redis($redis);
unlink $sock;
is(sorted(keys %{ answers(send_events(16)) }), '503', 'stopped: 503');
$redis = start_redis($sock);
ok(all_ready(4), 'started: four again');
is(sorted(keys %{ answers(send_events(32)) }), '200', 'started: 200');
my $missing = qr/connect\(\) to unix:.* failed \(2: No such file/;
ok(log_clean($missing), 'log');

# a reload and an end with events on each connection, and without

my $master = edge('timeout=9s');
ok(all_ready(4), 'reload: four');
@events = hold(40);
my @old = workers($master);
kill 'HUP', $master;
ok(wait_for(sub { my %new = map { $_ => 1 } workers($master);
                  keys %new && !grep { $new{$_} } @old }),
   'reload: new processes');
redis_try($sock, 'CLIENT', 'UNPAUSE');
is(scalar @{ answers(@events)->{200} }, 40, 'reload: all are answered');
ok(wait_for(sub { !grep { !gone($_) } @old }), 'reload: the old ones end');
ok(all_ready(4), 'reload: four connections');

@events = hold(40);
kill 'QUIT', $master;
ok(wait_for(sub { log_text() =~ /(?:gracefully shutting down.*){2}/s }),
   'quit: begins');
redis_try($sock, 'CLIENT', 'UNPAUSE');
is(scalar @{ answers(@events)->{200} }, 40, 'quit: all are answered');
ok(wait_for(sub { gone($master) }), 'quit: ends');
ok(log_clean(), 'quit: log, no open socket left');

edge('');
ok(all_ready(4), 'idle: four');
my $start = time;
ok(stop_nginx(), 'idle: ends');
cmp_ok(time - $start, '<', 10, 'idle: at once');
ok(log_clean(), 'idle: log');

# fewer than before, where the old process still has what it had

$master = edge('timeout=9s');
ok(all_ready(4), 'fewer: four');
@events = hold(40);
@old = workers($master);
SluiceServer::write_conf(http => "sluice_redis unix:$sock connections=2;");
kill 'HUP', $master;
ok(wait_for(sub { my %new = map { $_ => 1 } workers($master);
                  keys %new && !grep { $new{$_} } @old }), 'fewer: reloaded');
is(status_of()->{redis}[0]{connections}{unused}, 2, 'fewer: two are not used');
is(status_of()->{redis}[0]{connections}{ready}, 4, 'fewer: four still are');
redis_try($sock, 'CLIENT', 'UNPAUSE');
is(scalar @{ answers(@events)->{200} }, 40, 'fewer: all are answered');
ok(wait_for(sub { status_of()->{redis}[0]{connections}{ready} == 0 }),
   'fewer: the old ones end');

# with a spool nothing but 200 is said, and each event is there once

redis_try($sock, 'FLUSHALL');
edge('', "sluice_spool $dir size=64m;");
my $files = sub { scalar(() = glob("$dir/*.spool")) };
ok(all_ready(4), 'spool: four');
redis_try($sock, 'DEL', 'bull:q:wait');
@events = hold(40);
($victim) = (connections())[1];
redis_try($sock, 'CLIENT', 'KILL', 'ID', $victim->{id});
ok(wait_for(sub { status_of()->{events}{in_flight} < 40 }),
   'spool: what was on the killed one is spooled');
redis_try($sock, 'CLIENT', 'UNPAUSE');
$ids = answers(@events);
is(@{ $ids->{200} } + @{ $ids->{'200 spooled'} }, 40, 'spool: all are 200');
cmp_ok(scalar @{ $ids->{'200 spooled'} }, '<', 40, 'spool: not all of them');
ok(wait_for(sub { !$files->() }), 'spool: replayed');
is(sorted(queued()), sorted(map { $_->[0] } @events), 'spool: each is there once');

# all of them

ok(all_ready(4), 'silent: four');
redis_try($sock, 'DEL', 'bull:q:wait');
kill 'STOP', $redis;
@events = send_events(40);
$ids = answers(@events);
is(join(' ', keys %$ids), '200 spooled', 'silent: all are spooled');
kill 'CONT', $redis;
ok(wait_for(sub { !$files->() }), 'silent: replayed');
is(sorted(queued()), sorted(map { $_->[0] } @events), 'silent: each is there once');

redis_try($sock, 'DEL', 'bull:q:wait');
ok(all_ready(4), 'killed: four');
redis_try($sock, 'DEL', 'bull:q:wait');
stop_redis($redis);
unlink $sock;
@events = send_events(20);
$ids = answers(@events);
is(join(' ', keys %$ids), '200 spooled', 'killed: all are spooled');
$redis = start_redis($sock);
ok(wait_for(sub { !$files->() }), 'killed: replayed');
is(join(' ', queued()), join(' ', map { $_->[0] } @events), 'killed: in order');
ok(stop_nginx(), 'spool: nginx ends');
ok(log_clean($missing), 'spool: log');

# replicas: each connection waits for its own

my $port = port() + 4;
my $copy = "$ENV{TEST_NGINX_RUN}/copy.sock";
stop_redis($redis);
$redis = start_redis($sock, '--port', $port, '--bind', '127.0.0.1',
                     '--repl-ping-replica-period', 1);
my $replica = start_redis($copy, '--replicaof', "127.0.0.1 $port");
ok(wait_for(sub { redis_try($sock, 'WAIT', 1, 100) == 1 }), 'a replica');
edge('timeout=4s wait_replicas=1 wait_timeout=1s');
ok(all_ready(4), 'replica: four');
$ids = answers(@events = send_events(100));
is(scalar @{ $ids->{200} }, 100, 'replica: all 200');
my %copied = map { $_ => 1 } @{ redis_try($copy, 'LRANGE', 'bull:q:wait', 0,
                                          -1) };
is(scalar(grep { !$copied{"e-$_->[0]"} } @events), 0, 'replica: it has them');
kill 'STOP', $replica;
is(sorted(keys %{ answers(send_events(20)) }), '503', 'replica stopped: 503');
like(http_get(port(), '/health'), qr/ 503 .*is not accepting/s,
     'replica stopped: health');
kill 'CONT', $replica;
ok(wait_for(sub { post('/x?id=last', '{}') == 200 }), 'replica back: 200');
ok(stop_nginx(), 'nginx ends');
ok(log_clean(), 'log');

done_testing();
