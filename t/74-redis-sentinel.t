# sluice_redis redis+sentinel://: a master that sentinels tell of, replaced by
# plan and by force.

use strict;
use warnings;

use SluiceCluster;
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my ($first, $second, @sentinels) = start_sentinels('events', timeout => 500);
my $hosts = join ',', map { node_address($_) } @sentinels;
my $dead = '127.0.0.1:' . free_port();
my $dir = "$ENV{TEST_NGINX_RUN}/sentinel.spool";
my $server = 'location /x { sluice_verify none;
                            sluice_enqueue q tenant=a id=$arg_id;
                            add_header X-Status $sluice_enqueue_status always; }';
my $key = '{a}:q:wait';
my $serial = 0;
my %sent;


sub master {
    my ($sentinel) = grep { $_->{up} } @sentinels;
    my $told = node($sentinel, 'SENTINEL', 'get-master-addr-by-name', 'events');

    return (grep { $_->{port} == $told->[1] } $first, $second)[0];
}


# ten at once; those that are refused come again, as a sender's do
sub load {
    my ($seconds) = @_;

    my $end = time + $seconds;
    my ($again, @left) = (0);

    while (time < $end || @left) {
        last if time > $end + 20;

        push @left, map { 'n' . ++$serial } @left .. 9 if time < $end;

        my %socket = map { $_ => send_post("/x?id=$_", '{}') } @left;
        my @refused;

        for my $id (@left) {
            if (answer($socket{$id}) =~ m{^HTTP/1.1 200}) {
                $sent{"e-$id"} = 1;

            } else {
                push @refused, $id;
                $again++;
            }
        }

        @left = @refused;
        sleep 0.02 if @left;
    }

    return scalar(@left), $again;
}


sub missing {
    my %n;
    $n{$_}++ for @{ node(master(), 'LRANGE', $key, 0, -1) || [] };
    my $lost = grep { !$n{$_} } keys %sent;
    my $doubled = grep { $_ > 1 } values %n;

    return "$lost lost, $doubled doubled";
}


sub replicated {
    my ($node) = @_;

    return wait_long(sub { node($node, 'INFO', 'replication')
                           =~ /^slave0:.*state=online,offset=[1-9]/m }, 20);
}


# a sentinel that is not there is passed over

nginx(http => "sluice_redis
                   redis+sentinel://$dead,$hosts/events timeout=2s
                   connections=2 wait_replicas=1;", server => $server);
is(post('/x?id=first', '{}'), 200, 'the master');
is(node($first, 'LRANGE', $key, 0, -1)->[0], 'e-first', 'it has the job');
is(node($second, 'LLEN', $key), 1, 'its replica, too');
like(log_text(), qr/asked \Q$dead\E in vain/, 'a dead sentinel is passed over');
ok(wait_for(sub { http_get(port(), '/health') =~ / 200 OK/ }), 'health');
$sent{'e-first'} = 1;

# a planned failover under load

my $failover = fork;
if (!$failover) {
    sleep 0.5;
    node($sentinels[0], 'SENTINEL', 'FAILOVER', 'events');
    POSIX::_exit(0);
}
my ($left, $again) = load(2);
waitpid $failover, 0;
ok(wait_long(sub { master() == $second }, 20), 'planned: replaced');
(my $after, my $more) = load(0.5);
is($left + $after, 0, 'planned: all were taken');
is(missing(), '0 lost, 0 doubled',
   'planned, ' . keys(%sent) . ' events, ' . ($again + $more) . ' again');
like(log_text(), qr/is connected to 127\.0\.0\.1:$second->{port}/,
     'planned: told');
is(post('/x?id=last', '{}'), 200, 'planned: 200 from the new one');
ok(log_clean(), 'log');

# without wait_replicas the old master is left when the sentinels tell of the
# other, not when it hears of that, ten seconds later

ok(replicated($second), 'a replica');
nginx(http => "sluice_redis redis+sentinel://$hosts/events timeout=1s
                            connections=2;", server => $server);
is(post('/x?id=held', '{}'), 200, 'held');
my $known = keys %sent;
$failover = fork;
if (!$failover) {
    sleep 0.5;
    node($sentinels[0], 'SENTINEL', 'FAILOVER', 'events');
    POSIX::_exit(0);
}
($left, $again) = load($ENV{SLUICE_WATCHED} || 3);
waitpid $failover, 0;
ok(wait_long(sub { master() == $first }, 20), 'watched: replaced');
($after, $more) = load(0.5);
is($left + $after, 0, 'watched: all were taken');
like(log_text(), qr/is away: the sentinels tell of another master/,
     'watched: the old master is left');
unlike(log_text(), qr/is away: (closed|it became a replica)/,
       'watched: before it hears of it');
my $lost = missing();
like($lost, qr/ 0 doubled/, 'watched: none doubled');
diag('watched: of ' . (keys(%sent) - $known) . " events $lost");
my $commands = sub { node($_[0], 'INFO', 'stats')
                     =~ /total_connections_received:(\d+)/ ? $1 : 0 };
my @connections = map { $commands->($_) } @sentinels;
sleep 2.2;
cmp_ok(eval { my $n = 0; $n += $commands->($sentinels[$_]) - $connections[$_]
              for 0 .. $#sentinels; $n }, '<=', 12, 'watched: one connection');
ok(log_clean(), 'log');
delete $sent{$_} for grep { !/^e-held/ } keys %sent;
($first, $second) = ($second, $first);

# one that is killed: the spool takes what comes, and what Redis had taken and
# not given on is lost with it

ok(replicated($second), 'a replica');
nginx(http => "sluice_redis redis+sentinel://$hosts/events timeout=500ms;
               sluice_spool $dir size=64m;", server => $server);
my $before = keys %sent;
my $kill = fork;
if (!$kill) {
    sleep 0.5;
    kill 'KILL', $second->{pid};
    POSIX::_exit(0);
}
($left, $again) = load(1.5);
waitpid $kill, 0;
is($left, 0, 'killed: all were taken');
ok(wait_long(sub { master() == $first }, 30), 'killed: replaced');
ok(wait_long(sub { !(() = glob "$dir/*.spool") }, 20), 'killed: replayed');
my $result = missing();
like($result, qr/ 0 doubled/, 'killed, '. (keys(%sent) - $before) . ' events');
diag("killed: $result");
stop_node($second);
is(post('/x?id=again', '{}'), 200, 'killed: 200 from the new one');

# sentinels are needed to find the master, not to keep it

my @away = splice @sentinels, 0, 2;
stop_node($_) for @away;
is(post('/x?id=without', '{}'), 200, 'two sentinels away: 200');
node($sentinels[0], 'ACL', 'SETUSER', 'edge', 'on', '>a secret', '+@all');
node($sentinels[0], 'ACL', 'SETUSER', 'default', 'off');
nginx(http => "sluice_redis 'redis+sentinel://$hosts/events?sentinel_user=edge"
              . "&sentinel_password=a%20secret' timeout=5s;
               sluice_redis redis+sentinel://$hosts/events timeout=5s name=b;",
      server => $server . 'location /b { sluice_verify none;
                                         sluice_enqueue q redis=b; }');
is(post('/x?id=password', '{}'), 200, 'a password of the sentinels: 200');
is(post('/b', '{}'), 503, 'without: 503');
like(log_text(), qr/asked \S+ in vain: .*NOAUTH/, 'without: told');
unlike(log_text(), qr/a secret/, 'no password in the log');

stop_node($_) for @sentinels;
nginx(http => "sluice_redis redis+sentinel://no-such-host.invalid,$hosts/events
                            timeout=1s;", server => $server);
is(post('/x?id=none', '{}'), 503, 'no sentinel: 503');
like(http_get(port(), '/health'), qr/ 503 /, 'no sentinel: health');
@sentinels = start_node($away[0]);
ok(wait_long(sub { post('/x?id=none', '{}') == 200 }, 20),
   'a sentinel is back: 200');

ok(log_clean(), 'log');
ok(stop_nginx(), 'nginx ends');

done_testing();
