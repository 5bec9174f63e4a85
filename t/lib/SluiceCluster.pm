# Redis Clusters and masters with sentinels, of real servers on free ports.
#
#     my @nodes = start_cluster(3, replicas => 1);    # masters first
#     node($nodes[0], 'PING');
#     move_slot($slot, $from, $to);
#
# A node is { port, pid, id, replica_of, up }; stop_node() ends it like a power cut,
# start_node() starts it again.

package SluiceCluster;

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);
use SluiceTest;

our @EXPORT = qw(start_cluster start_sentinels start_node stop_node node
                 node_address master_of slot_of tenant_of move_slot wait_long
                 free_port);

our %children;
my $owner = $$;
my $serial = 0;
my %given;


# not one that a cluster's bus, 10000 above, could not have
sub free_port {
    while (1) {
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
                                      ReuseAddr => 1) or die;
        my $port = $s->sockport;
        return $port if $port < 55000 && !$given{$port}++;
    }
}


# until the code is true; a failover takes its time
sub wait_long {
    my ($code, $seconds) = @_;

    my $end = time + ($seconds || 60);

    while (time < $end) {
        my $value = eval { $code->() };
        return $value if $value;
        sleep 0.05;
    }

    return undef;
}


sub node_address { return "127.0.0.1:$_[0]{port}" }


sub node {
    my ($node, @args) = @_;

    return redis_try(node_address($node), @args);
}


sub start_node {
    my ($node) = @_;

    my $pid = fork;
    die if !defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', "$node->{dir}/log";
        open STDERR, '>&', \*STDOUT;
        exec { 'redis-server' } 'redis-server', @{ $node->{options} }
            or POSIX::_exit(1);
    }

    $node->{pid} = $pid;
    $node->{up} = 1;
    $children{$pid} = 1;

    wait_long(sub { (node($node, 'PING') || '') =~ /PONG/ }, 20)
        or die "a Redis at port $node->{port} does not start\n";

    return $node;
}


sub stop_node {
    my ($node) = @_;

    kill 'CONT', $node->{pid};
    kill 'KILL', $node->{pid};
    waitpid $node->{pid}, 0;
    delete $children{$node->{pid}};
    $node->{up} = 0;
}


sub new_node {
    my (@options) = @_;

    my $port = free_port();
    my $dir = "$ENV{TEST_NGINX_RUN}/node$$-" . $serial++;
    mkdir $dir or die "$dir: $!\n";

    return {
        port    => $port,
        dir     => $dir,
        options => ['--port', $port, '--bind', '127.0.0.1', '--dir', $dir,
                    '--save', '', '--appendonly', 'no',
                    '--repl-diskless-sync-delay', 0,
                    '--repl-ping-replica-period', 1, @options],
    };
}


# n masters with as many replicas as are asked for, each with its slots; they
# are told of one another by the file that a node keeps
sub start_cluster {
    my ($n, %o) = @_;

    my @options = ('--cluster-enabled', 'yes',
                   '--cluster-node-timeout', $o{timeout} || 2000,
                   '--cluster-require-full-coverage', 'no',
                   @{ $o{options} || [] });
    my @nodes;

    for my $i (0 .. $n * (1 + ($o{replicas} || 0)) - 1) {
        my $bus = free_port();
        my $node = new_node(@options, '--cluster-port', $bus);
        my $at = $i % $n;

        $node->{id} = sprintf '%040x', $$ * 1000 + $i;
        $node->{bus} = $bus;
        $node->{replica_of} = $nodes[$at] if $i >= $n;
        $node->{rest} = $i >= $n
            ? "slave $nodes[$at]{id} 0 0 " . ($at + 1) . ' connected'
            : 'master - 0 0 ' . ($i + 1) . ' connected '
              . int(16384 * $i / $n) . '-' . (int(16384 * ($i + 1) / $n) - 1);
        push @nodes, $node;
    }

    for my $node (@nodes) {
        open my $f, '>', "$node->{dir}/nodes.conf" or die;
        print $f map {
            "$_->{id} 127.0.0.1:$_->{port}\@$_->{bus} "
            . ($_ == $node ? 'myself,' : '') . "$_->{rest}\n";
        } @nodes;
        print $f "vars currentEpoch $n lastVoteEpoch 0\n";
        close $f;
        start_node($node);
    }

    wait_long(sub {
        !grep { node($_, 'CLUSTER', 'INFO') !~ /cluster_state:ok/
                || $_->{replica_of}
                   && node($_, 'INFO', 'replication')
                      !~ /master_link_status:up/ } @nodes;
    }) or die "no cluster\n";

    wait_long(sub {
        my $slots = node($nodes[0], 'CLUSTER', 'SLOTS');
        !grep { @$_ < 3 + ($o{replicas} || 0) } @$slots;
    }) or die "replicas are not known\n";

    return @nodes;
}


# a master with a replica and three sentinels: (master, replica, sentinels)
sub start_sentinels {
    my ($name, %o) = @_;

    my @options = @{ $o{options} || [] };
    my $master = start_node(new_node(@options));
    my $replica = start_node(new_node(@options, '--replicaof',
                                      "127.0.0.1 $master->{port}"));
    my $after = $o{timeout} || 1000;
    my @sentinels;

    wait_long(sub {
        node($replica, 'INFO', 'replication') =~ /master_link_status:up/
            && node($master, 'INFO', 'replication')
               =~ /^slave0:.*state=online,offset=[1-9]/m;
    }) or die "no replica\n";

    for (1 .. 3) {
        my $port = free_port();
        my $dir = "$ENV{TEST_NGINX_RUN}/node$$-" . $serial++;
        mkdir $dir or die;

        open my $f, '>', "$dir/conf" or die;
        print $f <<"CONF";
port $port
bind 127.0.0.1
dir $dir
@{[ $o{sentinel} || '' ]}
sentinel monitor $name 127.0.0.1 $master->{port} 2
sentinel down-after-milliseconds $name $after
sentinel failover-timeout $name 3000
CONF
        close $f;

        push @sentinels, start_node({ port => $port, dir => $dir,
                                      options => ["$dir/conf", '--sentinel'] });
    }

    wait_long(sub {
        !grep {
            my %m = @{ node($_, 'SENTINEL', 'MASTER', $name) };
            $m{'num-slaves'} != 1 || $m{'num-other-sentinels'} != 2;
        } @sentinels;
    }) or die "the sentinels do not meet\n";

    return ($master, $replica, @sentinels);
}


# CRC16 as Redis has it, of the key or of its tag
sub slot_of {
    my ($key) = @_;

    $key = $1 if $key =~ /^[^{]*\{([^}]+)\}/;

    my $crc = 0;

    for my $c (unpack 'C*', $key) {
        $crc ^= $c << 8;
        $crc = ($crc & 0x8000 ? $crc << 1 ^ 0x1021 : $crc << 1) & 0xffff
            for 1 .. 8;
    }

    return $crc % 16384;
}


# of the nodes, which have to be up, the one that has the slot
sub master_of {
    my ($slot, @nodes) = @_;

    my ($up) = grep { $_->{up} } @nodes;

    for my $range (@{ node($up, 'CLUSTER', 'SLOTS') || [] }) {
        my ($first, $last, $master) = @$range;

        next if $slot < $first || $slot > $last;

        return (grep { $_->{id} eq $master->[2] } @nodes)[0];
    }

    return undef;
}


# a tenant's name whose queues the node has
sub tenant_of {
    my ($node, @nodes) = @_;

    for my $i (0 .. 1000) {
        my $master = master_of(slot_of("t$i"), @nodes);
        return "t$i" if $master && $master == $node;
    }

    die "no tenant for a node\n";
}


# as redis-cli does it; $each is called between its steps, while keys are on
# their way
sub move_slot {
    my ($slot, $from, $to, $each, @others) = @_;

    $each ||= sub {};

    # who takes the slot takes a new epoch: nobody may have a later one that it
    # has not heard of, or what is under way says that the slot is still there

    wait_long(sub {
        my %epochs = map {
            node($_, 'CLUSTER', 'INFO') =~ /cluster_current_epoch:(\d+)/;
            $1 => 1;
        } $from, $to, @others;
        keys %epochs == 1;
    }, 10);

    node($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
    node($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to->{id});
    $each->('begun');

    while (my @keys = @{ node($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, 8) }) {
        my $said = node($from, 'MIGRATE', '127.0.0.1', $to->{port}, '', 0,
                        5000, 'KEYS', @keys);
        die "MIGRATE: $said\n" if $said !~ /^(OK|NOKEY)/;
        $each->('keys');
    }

    for my $node ($to, $from, @others) {
        node($node, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $to->{id});
    }

    $each->('done');
}


END {
    if ($$ == $owner) {
        my $code = $?;
        for my $pid (keys %children) {
            kill 'CONT', $pid;
            kill 'KILL', $pid;
            waitpid $pid, 0;
        }
        $? = $code;
    }
}


1;
