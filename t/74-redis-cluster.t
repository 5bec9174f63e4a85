# sluice_redis redis+cluster://: tenants over the nodes of a real cluster.

use strict;
use warnings;

use SluiceCluster;
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my @nodes = start_cluster(3, replicas => 1, timeout => 1500);
my @masters = @nodes[0 .. 2];
my $seeds = join ',', map { node_address($_) } @masters;
my $server = 'location /x { sluice_verify none;
                            sluice_enqueue q tenant=$arg_t id=$arg_id;
                            add_header X-Status $sluice_enqueue_status always; }
              location /p { sluice_verify none;
                            sluice_enqueue q prefix=$arg_p id=$arg_id; }';

nginx(http => "sluice_redis redis+cluster://$seeds timeout=2s;",
      server => $server, workers => 1);

# each tenant's queue is at its node

my @status = map { scalar post("/x?t=t$_&id=a", '{}') } 1 .. 30;
is("@status", "@{[ (200) x 30 ]}", 'thirty tenants: 200');
my %used;
my @found = grep {
    my $master = master_of(slot_of("t$_"), @nodes);
    $used{ $master->{port} } = 1;
    (node($master, 'LRANGE', "{t$_}:q:wait", 0, -1) || [])->[0] eq 'e-a';
} 1 .. 30;
is(@found, 30, 'each at its node');
is(keys %used, 3, 'at all nodes');
is(log_text() =~ /is a cluster of 3 nodes/, 1, 'told');
done_testing();
