# The spool before a cluster: while a slot moves, or a node is not there, what
# waits for others is replayed.

use strict;
use warnings;

use SluiceCluster;
use SluiceServer;
use SluiceTest;
use Test::More;

my @nodes = start_cluster(2);
my $seeds = join ',', map { node_address($_) } @nodes;
my $dir = "$ENV{TEST_NGINX_RUN}/turns.spool";
my $body = '{"a":"' . 'x' x 100000 . '"}';
my $registry = master_of(slot_of('sluice:queues'), @nodes);
my ($node) = grep { $_ != $registry } @nodes;

# two tenants of a node whose events wait in files of their own

my ($moving, @others) = grep { master_of(slot_of("{$_}:"), @nodes) == $node }
                        map { "t$_" } 1 .. 200;
my $slot = slot_of("{$moving}:");
my ($tenant) = grep { int(slot_of("{$_}:") / 1024) != int($slot / 1024) }
               @others;

nginx(http => "sluice_redis redis+cluster://$seeds timeout=300ms;
               sluice_spool $dir size=64m;",
      server => 'location /x { sluice_verify none;
                               sluice_enqueue q id=$arg_id tenant=$arg_t; }');

is(post("/x?t=$_&id=0", '{}'), 200, "$_: 200") for $moving, $tenant;

stop_node($node);

my %statuses;

is(post("/x?t=$moving&id=1", '{}'), 200, 'for a slot that moves then: 200');
$statuses{answer($_) =~ m{ (\d+) } ? $1 : 0}++
    for map { send_post("/x?t=$tenant&id=$_", $body) } 1 .. 120;
is_deeply(\%statuses, { 200 => 120 }, 'for another: 200');

start_node($node);
node($node, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $registry->{id});
node($registry, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $node->{id});

sub length_of {
    my $n = node($node, 'LLEN', "{$_[0]}:q:wait");
    return defined $n && $n =~ /^\d+$/ ? $n : -1;
}

ok(wait_long(sub { length_of($tenant) == 120 }, 120), 'another is replayed');

my ($calls) = node($node, 'INFO', 'commandstats') =~ /_evalsha:calls=(\d+)/;
my ($refused) = node($node, 'INFO', 'errorstats') =~ /_ASK:count=(\d+)/;

cmp_ok($calls, '>', 3 * $refused, 'and not a call for each that is refused');
diag("$calls calls, $refused refused");

node($_, 'CLUSTER', 'SETSLOT', $slot, 'STABLE') for @nodes;
ok(wait_long(sub { length_of($moving) == 1 }), 'the slot stays: replayed');
ok(wait_long(sub { !(() = glob "$dir/*.spool") }), 'no file is left');

ok(log_clean(), 'log');
ok(stop_nginx(), 'nginx ends');
stop_node($_) for @nodes;

# a node whose replica has stopped holds up only what is for that node

@nodes = start_cluster(3, replicas => 1, timeout => 600000);
$seeds = join ',', map { node_address($_) } @nodes;
$registry = master_of(slot_of('sluice:queues'), @nodes);

my $server = 'location /x { sluice_verify none;
                            sluice_enqueue q id=$arg_id tenant=$arg_t; }';
my $conf = "sluice_spool $dir size=64m;
            sluice_redis redis+cluster://$seeds wait_replicas=1";
my ($one, $two) = grep { $_ != $registry } @nodes[0 .. 2];
my ($held, $free) = map { tenant_of($_, @nodes) } $one, $two;
my @copies = map { my $of = $_; grep { ($_->{replica_of} || 0) == $of } @nodes }
             $one, $two;

nginx(http => "$conf timeout=1s wait_timeout=200ms;", server => $server);

ok(wait_long(sub { post("/x?t=$_&id=0", '{}') == 200 }), 'replicas')
    for $held, $free;

kill 'STOP', $_->{pid} for @copies;
stop_node($_) for $one, $two;
%statuses = ();
$statuses{answer($_) =~ m{ (\d+) } ? $1 : 0}++
    for map { my $t = $_; map { send_post("/x?t=$t&id=$_", $body) } 1 .. 20 }
        $held, $free;
is_deeply(\%statuses, { 200 => 40 }, 'for both: 200');

# whose slots wait in files; one has several where its events came slowly

sub groups {
    my %of = map { m{\.(s[0-9a-f]{8})\.[^/]*$} ? ($1 => 1) : () }
             glob "$dir/*.spool";
    return join ' ', sort keys %of;
}

sub group { return sprintf 's%08x', slot_of("{$_[0]}:") / 1024 }

is(groups(), join(' ', sort map { group($_) } $held, $free),
   'files for each');
start_node($_) for $one, $two;

SluiceServer::write_conf(http => "$conf timeout=240s wait_timeout=120s;",
                         server => $server);
kill 'HUP', pid();

sub waits { node($one, 'INFO', 'commandstats') =~ /_wait:calls=(\d+)/;
            return $1 // 0 }

ok(wait_long(sub { workers() == 1 && node($one, 'INFO', 'clients')
                                     =~ /blocked_clients:1/ }), 'one waits');
my $waits = waits();
kill 'CONT', $copies[1]{pid};
ok(wait_long(sub { groups() eq group($held) }), 'the other is replayed');
is(waits(), $waits, 'meanwhile');
kill 'CONT', $copies[0]{pid};
ok(wait_long(sub { !(() = glob "$dir/*.spool") }), 'then this one');

is(node($_->[0], 'LLEN', "{$_->[1]}:q:wait"), 20, 'each once')
    for [$one, $held], [$two, $free];
ok(stop_nginx(), 'nginx ends');

done_testing();
