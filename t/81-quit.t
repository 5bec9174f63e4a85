# Processes that end: in order, with requests in flight, and by kill -9.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/quit.sock";
my $redis = start_redis($sock);
my $server = 'location /x { sluice_verify none; sluice_enqueue q; }';
my %conf = (http => "sluice_redis unix:$sock timeout=3s;", server => $server);

# idle: the connection to Redis holds nobody back

nginx(%conf);
is(post('/x', '{}'), 200, 'idle: connected');
my $start = time;
ok(stop_nginx(), 'idle: ends');
cmp_ok(time - $start, '<', 10, 'idle: at once');
ok(log_clean(), 'idle: log, no open socket left');
unlike(log_text(), qr/is away/, 'idle: nothing lost');

# never used

nginx(%conf);
ok(stop_nginx(), 'unused: ends');
ok(log_clean(), 'unused: log');

# in flight: answered, then the end

my $master = nginx(%conf);
is(post('/x', '{}'), 200, 'in flight: connected');
kill 'STOP', $redis;
my @waiting = map { send_post('/x', '{}') } 1 .. 10;
ok(wait_for(sub { status_of()->{events}{in_flight} == 10 }),
   'in flight: ten wait');
kill 'QUIT', $master;
ok(wait_for(sub { log_text() =~ /gracefully shutting down/ }),
   'in flight: quits');
kill 'CONT', $redis;
is(scalar(grep { answer($_) =~ / 200 OK/ } @waiting), 10,
   'in flight: all are answered');
ok(wait_for(sub { gone($master) }), 'in flight: ends');
ok(log_clean(), 'in flight: log, no open socket left');

# in flight and Redis never answers: 503 at the deadline, then the end

$master = nginx(%conf, http => "sluice_redis unix:$sock timeout=500ms;");
is(post('/x', '{}'), 200, 'silent: connected');
kill 'STOP', $redis;
@waiting = map { send_post('/x', '{}') } 1 .. 5;
ok(wait_for(sub { status_of()->{events}{in_flight} == 5 }),
   'silent: five wait');
kill 'QUIT', $master;
is(scalar(grep { answer($_) =~ / 503 / } @waiting), 5, 'silent: 503');
ok(wait_for(sub { gone($master) }), 'silent: ends');
ok(log_clean(), 'silent: log');
kill 'CONT', $redis;

# quit while the body is still coming: it is enqueued by a process that quits

$master = nginx(%conf);
is(post('/x', '{}'), 200, 'body: connected');
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port());
print $s "POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         . "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\"";
$s->flush;
ok(wait_for(sub { status_of()->{events}{in_flight} == 1 }), 'body: waits');
kill 'QUIT', $master;
ok(wait_for(sub { log_text() =~ /gracefully shutting down/ }), 'body: quits');
print $s ':1}';
$s->flush;
like(answer($s), qr/ 200 OK/, 'body: enqueued');
ok(wait_for(sub { gone($master) }), 'body: ends');
ok(log_clean(), 'body: log');

# worker_shutdown_timeout ends it earlier

$master = nginx(%conf, main => 'worker_shutdown_timeout 300ms;',
                http => "sluice_redis unix:$sock timeout=30s;");
is(post('/x', '{}'), 200, 'shutdown timeout: connected');
kill 'STOP', $redis;
@waiting = map { send_post('/x', '{}') } 1 .. 5;
ok(wait_for(sub { status_of()->{events}{in_flight} == 5 }),
   'shutdown timeout: five wait');
$start = time;
kill 'QUIT', $master;
ok(wait_for(sub { gone($master) }), 'shutdown timeout: ends');
cmp_ok(time - $start, '<', 25, 'shutdown timeout: in time');
kill 'CONT', $redis;
ok(log_clean(), 'shutdown timeout: log');
close $_ for @waiting;

# TERM

nginx(%conf);
is(post('/x', '{}'), 200, 'term: connected');
ok(stop_nginx('TERM'), 'term: ends');
ok(log_clean(), 'term: log');

# kill -9 of a worker process: its requests are aborted in the ledger

$master = nginx(%conf, http => "sluice_redis unix:$sock timeout=30s;");
is(post('/x', '{}'), 200, 'kill: connected');
kill 'STOP', $redis;
@waiting = map { send_post('/x', '{}') } 1 .. 7;
ok(wait_for(sub { status_of()->{events}{in_flight} == 7 }), 'kill: seven wait');
my ($worker) = workers($master);
kill 'KILL', $worker;
close $_ for @waiting;
kill 'CONT', $redis;
ok(wait_for(sub { my ($new) = workers($master);
                  $new && $new != $worker && post('/x', '{}') == 200 }),
   'kill: another takes over');
my $events = status_of()->{events};
is($events->{aborted}, 7, 'kill: seven are aborted');
is($events->{in_flight}, 0, 'kill: none is in flight');
is($events->{enqueued}, 2, 'kill: two were enqueued');
is($events->{received}, 9, 'kill: nine in all');

# the same, and the other has the number of the one that was killed

SKIP: {
    my $lost = 7;
    my $next;

    for (1 .. 30) {
        ($worker) = workers($master);

        kill 'STOP', $redis;
        @waiting = map { send_post('/x', '{}') } 1 .. 3;
        wait_for(sub { status_of()->{events}{in_flight} == 3 }) or last;

        open my $f, '>', '/proc/sys/kernel/ns_last_pid'
            or skip 'the number of a process cannot be chosen', 2;
        print $f $worker - 1;
        close $f or skip 'the number of a process cannot be chosen', 2;

        kill 'KILL', $worker;
        close $_ for @waiting;
        kill 'CONT', $redis;
        wait_for(sub { post('/x', '{}') == 200 }) or last;
        $lost += 3;

        ($next) = workers($master);
        last if $next == $worker;
    }

    skip 'another process came between, each time', 2 if $next != $worker;

    $events = status_of()->{events};
    is($events->{aborted}, $lost, 'same number: aborted');
    is($events->{in_flight}, 0, 'same number: none is in flight');
}

ok(stop_nginx(), 'nginx ends');
ok(log_clean(qr/exited on signal 9/), 'log');

done_testing();
