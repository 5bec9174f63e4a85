# Nodes of a cluster and masters of sentinels that are replaced under load, and
# slots that move: `make fault` runs it by tests/tools/t.sh, t/74-redis-cluster.t
# and t/74-redis-sentinel.t are the short version.
#
#   NODES_TIMES=20    how often a node is replaced; slots move five times as often
#   NODES_ONLY=NAME   this class alone
#
# Senders send again, under the same id, what is refused.  No worker takes the
# jobs: what was answered 200 has to be in a queue, once.

use strict;
use warnings;

use Test::More;

BEGIN {
    plan skip_all => 'run by make fault' if !$ENV{TEST_NGINX_RUN};
}

use lib 't/lib';
use IO::Socket::INET;
use POSIX ();
use SluiceCluster;
use SluiceServer;
use SluiceTest;
use Time::HiRes qw(sleep time);

my $TIMES = $ENV{NODES_TIMES} || 20;
my $SENDERS = 8;
my @tenants = map { "t$_" } 1 .. 24;
my $server = 'location /x { sluice_verify none;
                            sluice_enqueue q tenant=$arg_t id=$arg_id; }';
my $dir = "$ENV{TEST_NGINX_RUN}/nodes.spool";


# one sender: a line for each event that was answered 200, then a count of what
# was refused
sub sender {
    my ($n, $stop, $file) = @_;

    open my $f, '>', $file or die;
    my ($s, $refused, $event) = (undef, 0, 0);

    while (!-e $stop) {
        my $tenant = $tenants[($n + $event) % @tenants];
        my $id = "$n-" . $event++;

        while (1) {
            $s ||= IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port());

            if ($s) {
                print $s "POST /x?t=$tenant&id=$id HTTP/1.1\r\nHost: l\r\n"
                         . "Content-Length: 2\r\n\r\n{}";
                $s->flush;
                my ($status, $len) = (0, 0);

                while (defined(my $line = readline $s)) {
                    $status ||= $1 if $line =~ m{^HTTP/1.1 (\d+)};
                    $len = $1 if $line =~ /^Content-Length: (\d+)/i;
                    last if $line eq "\r\n";
                }

                read $s, my $body, $len if $len;

                if ($status == 200) {
                    print $f "$tenant e-$id\n";
                    last;
                }

                $s = undef if !$status;
            }

            $refused++;
            sleep 0.02;
        }
    }

    print $f "refused $refused\n";
    close $f;
}


# what was answered 200, by tenant, while `code` runs
sub under_load {
    my ($code) = @_;

    my $stop = "$ENV{TEST_NGINX_RUN}/stop";
    my (%sent, @pids);
    my $refused = 0;

    unlink $stop;

    for my $n (1 .. $SENDERS) {
        my $pid = fork;
        die if !defined $pid;

        if ($pid == 0) {
            sender($n, $stop, "$ENV{TEST_NGINX_RUN}/sender.$n");
            POSIX::_exit(0);
        }

        push @pids, $pid;
    }

    $code->();
    sleep 0.5;

    open my $f, '>', $stop or die;
    close $f;
    waitpid $_, 0 for @pids;

    for my $n (1 .. $SENDERS) {
        open my $f, '<', "$ENV{TEST_NGINX_RUN}/sender.$n" or die;

        while (<$f>) {
            my ($tenant, $id) = split;
            $tenant eq 'refused' ? ($refused += $id)
                                 : ($sent{$tenant}{$id} = 1);
        }
    }

    return (\%sent, $refused);
}


sub class {
    my ($name, %o) = @_;

    return if $ENV{NODES_ONLY} && $ENV{NODES_ONLY} ne $name;

    nginx(workers => 2, http => "sluice_redis $o{url};
                   @{[ $o{spool} ? qq(sluice_spool $dir size=256m;) : '' ]}",
          server => $server);

    my $times = 0;
    my ($sent, $refused) = under_load(sub {
        for (1 .. $o{times}) {
            $o{disturb}->($times++);
        }
    });

    ok(wait_long(sub { !(() = glob "$dir/*.spool") }, 60), "$name: replayed");

    my ($events, $lost, $doubled) = (0, 0, 0);

    for my $tenant (@tenants) {
        my (%n, $list);

        # the nodes agree on who has a slot a moment after it was moved

        wait_for(sub {
            ref($list = node($o{where}->($tenant), 'LRANGE',
                             "{$tenant}:q:wait", 0, -1));
        });
        $n{$_}++ for @{ $list || [] };
        $events += keys %{ $sent->{$tenant} };
        $lost += grep { !$n{$_} } keys %{ $sent->{$tenant} };
        $doubled += grep { $_ > 1 } values %n;
    }

    diag("$name: $events answered 200, $times times, $lost lost, $doubled"
         . " doubled, $refused refused and sent again");

    cmp_ok($events, '>', 100, "$name: events");
    is($lost, 0, "$name: lost") if !$o{loses};
    is($doubled, 0, "$name: doubled");
    ok(log_clean(), "$name: log");
    ok(stop_nginx(), "$name: nginx ends");
}


# a cluster

{
    my @nodes = start_cluster(3, replicas => 1, timeout => 1000);
    my $url = 'redis+cluster://' . join ',', map { node_address($_) } @nodes;
    my $of = sub { master_of(slot_of("{$_[0]}:"), @nodes) };

    # the other one of a master and its replica, when it follows
    my $follows = sub {
        my ($master) = @_;
        my ($i) = grep { $nodes[$_] == $master } 0 .. $#nodes;
        my $replica = $nodes[($i + 3) % 6];

        wait_long(sub {
            node($replica, 'INFO', 'replication') =~ /master_link_status:up/
                && node($master, 'INFO', 'replication')
                   =~ /^slave0:.*state=online,offset=[1-9]/m;
        }, 30) or die "no replica\n";
        sleep 1.2;

        return $replica;
    };

    class('slots move', url => "$url timeout=5s", times => 5 * $TIMES,
          where => $of, disturb => sub {
        my ($n) = @_;
        my $tenant = $tenants[$n % @tenants];
        my $from = $of->($tenant);
        my ($to) = grep { $_ != $from } map { $of->("t$_") } $n .. $n + 40;

        move_slot(slot_of("{$tenant}:"), $from, $to, undef,
                  grep { $_ != $from && $_ != $to } @nodes);
        kill 'HUP', pid() if $n % 10 == 9;
        sleep 0.05;
    });

    node($_, 'FLUSHALL') for @nodes;

    class('planned failover', url => "$url timeout=2s wait_replicas=1",
          times => $TIMES, where => $of, disturb => sub {
        my ($n) = @_;
        my $master = $of->($tenants[$n % @tenants]);
        my $replica = $follows->($master);

        node($replica, 'CLUSTER', 'FAILOVER');
        wait_long(sub { $of->($tenants[$n % @tenants]) == $replica }, 30)
            or die "no failover\n";
    });

    node($_, 'FLUSHALL') for @nodes;

    my $kill = sub {
        my ($n) = @_;
        my $tenant = $tenants[$n % @tenants];
        my $master = $of->($tenant);
        my $replica = $follows->($master);

        stop_node($master);
        wait_long(sub { my $now = $of->($tenant); $now && $now == $replica },
                  30) or die "no failover\n";
        start_node($master);
        $follows->($replica);
    };

    class('a node killed, replicas', spool => 1, times => int($TIMES / 2),
          url => "$url timeout=1s wait_replicas=1", where => $of,
          disturb => $kill);

    node($_, 'FLUSHALL') for @nodes;

    class('a node killed', spool => 1, times => int($TIMES / 2), loses => 1,
          url => "$url timeout=1s", where => $of, disturb => $kill);

    stop_node($_) for grep { $_->{up} } @nodes;
}


# sentinels

{
    my ($one, $other, @sentinels) = start_sentinels('events');
    my $url = 'redis+sentinel://'
              . join(',', map { node_address($_) } @sentinels) . '/events';
    my $master = sub {
        my $told = node($sentinels[0], 'SENTINEL', 'get-master-addr-by-name',
                        'events');
        return (grep { $_->{port} == $told->[1] } $one, $other)[0];
    };
    my $follows = sub {
        my ($node) = @_;

        wait_long(sub {
            node($node, 'INFO', 'replication')
                =~ /^slave0:.*state=online,offset=[1-9]/m;
        }, 60) or die "no replica\n";
        sleep 1.2;
    };
    my $replaced = sub {
        my ($old) = @_;
        wait_long(sub { $master->() != $old }, 60) or die "no failover\n";
    };

    my $planned = sub {
        my $old = $master->();
        $follows->($old);
        wait_long(sub {
            node($sentinels[0], 'SENTINEL', 'FAILOVER', 'events') =~ /OK/;
        }, 60) or die "no failover\n";
        $replaced->($old);
        $follows->($master->());
    };

    class('SENTINEL FAILOVER', url => "$url timeout=2s wait_replicas=1",
          times => int($TIMES / 2), where => $master, disturb => $planned);

    node($master->(), 'FLUSHALL');

    class('SENTINEL FAILOVER, no replicas', url => "$url timeout=2s",
          times => int($TIMES / 4) || 1, loses => 1, where => $master,
          disturb => $planned);

    node($master->(), 'FLUSHALL');

    class('the master killed', url => "$url timeout=1s", spool => 1,
          times => int($TIMES / 2), loses => 1, where => $master,
          disturb => sub {
        my $old = $master->();
        $follows->($old);
        stop_node($old);
        $replaced->($old);
        start_node($old);
        $follows->($master->());
    });

    stop_node($_) for @sentinels, grep { $_->{up} } $one, $other;
}

done_testing();
