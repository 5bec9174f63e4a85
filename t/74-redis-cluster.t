# sluice_redis redis+cluster://: tenants over the nodes of a real cluster whose
# slots move, whose nodes die and are replaced.  Each event that was answered
# 200 is in Redis once.

use strict;
use warnings;

use SluiceCluster;
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my @nodes = start_cluster(3, replicas => 1, timeout => 1000);
my $seeds = join ',', map { node_address($_) } @nodes;
my $url = "redis+cluster://$seeds";
my $dir = "$ENV{TEST_NGINX_RUN}/cluster.spool";
my $enqueue = 'sluice_verify none;
               add_header X-Status $sluice_enqueue_status always;
               sluice_enqueue q id=$arg_id';
my $server = "location /x { $enqueue tenant=\$arg_t; }
              location /p { $enqueue prefix=\$arg_p; }";
my $short = "location /s { $enqueue tenant=\$arg_t redis=short; }";
my $serial = 0;
my %sent;


sub of { return master_of(slot_of($_[0]), @nodes) }


# one more tenant, into the table that has a slot of its own
sub tenants {
    my ($version, $name) = @_;

    node(of('sluice:tenants'), 'HSET', 'sluice:tenants', $name,
         qq({"paths":["/t/$name"]}));
    node(of('sluice:tenants'), 'SET', '{sluice:tenants}:version', $version);
}


# an event on its way; what becomes of it is looked at by settle()
sub event {
    my ($tenant, $path) = @_;

    my $id = 'n' . ++$serial;
    my $s = send_post(($path || '/x') . "?t=$tenant&id=$id", '{}');

    return { tenant => $tenant, id => "e-$id", socket => $s };
}


# how many were answered what
sub settle {
    my %statuses;

    for my $event (@_) {
        my $text = answer(delete $event->{socket});
        my $status = $text =~ m{^HTTP/1.1 (\d+)} ? $1 : 0;

        $statuses{$status}++;
        $sent{$event->{tenant}}{$event->{id}} = 1 if $status == 200;
    }

    return \%statuses;
}


# of the tenants' events that were answered 200: (lost, doubled)
sub missing {
    my ($lost, $doubled) = (0, 0);

    for my $tenant (@_) {
        my (%n, $list);

        # the nodes agree on who has a slot a moment after it was moved

        wait_for(sub {
            ref($list = node(of($tenant), 'LRANGE', "{$tenant}:q:wait", 0,
                             -1));
        });
        $n{$_}++ for @{ $list || [] };
        $lost += grep { !$n{$_} } keys %{ $sent{$tenant} };
        $doubled += grep { $_ > 1 } values %n;
    }

    return "$lost lost, $doubled doubled";
}


# what cannot be

mkdir $RUN;
mkdir "$RUN/logs";
SluiceServer::write_conf(http => "sluice_redis $url;",
                         server => 'location /x { sluice_verify none;
                                                  sluice_enqueue q; }');
like(`$ENV{TEST_NGINX_BINARY} -t -p $RUN -c $RUN/nginx.conf 2>&1`,
     qr/"sluice_enqueue q" has the prefix "bull", whose keys are in many slots/,
     'a prefix without a tag');

# each tenant's queue is at its node

nginx(http => "sluice_redis $url timeout=6s connections=2;
               sluice_redis $url timeout=500ms name=short;
               sluice_tenants zone=t:256k refresh=100ms;",
      server => $server . $short
                . "location /t/ { sluice_verify none;
                                  sluice_tenant \$uri by=path;
                                  sluice_enqueue q; }");

my $statuses = settle(map { event("t$_") } 1 .. 60);
is_deeply($statuses, { 200 => 60 }, 'sixty tenants');
is(missing(map { "t$_" } 1 .. 60), '0 lost, 0 doubled', 'each at its node');
my %used = map { of("t$_")->{port} => 1 } 1 .. 60;
is(keys %used, 3, 'at all nodes');
is(node(of('sluice:queues'), 'SCARD', 'sluice:queues'), 60, 'registered');
like(log_text(), qr/is a cluster of 3 nodes/, 'told');
ok(wait_for(sub { http_get(port(), '/health') =~ / 200 OK.*"ready"/s }),
   'health');
my ($shown) = grep { $_->{name} eq 'default' } @{ status_of()->{redis} };
cmp_ok($shown->{connections}{ready}, '>=', 3, 'a connection a node');

is(post('/p?p=%7Bacme%7D&id=a', '{}'), 404, 'a prefix in braces, encoded');
is(post('/p?p={acme}&id=a', '{}'), 200, 'a prefix in braces');
is(post('/p?p=acme&id=a', '{}'), 404, 'a prefix without: refused');
is(status_of()->{events}{refused}, 2, 'a prefix without: counted');

# a slot that has moved; one on its way

my $tenant = tenant_of($nodes[0], @nodes);
my $slot = slot_of("{$tenant}:");
my @others = @nodes[2 .. 5];

settle(event($tenant));
move_slot($slot, $nodes[0], $nodes[1], undef, @others);
is_deeply(settle(event($tenant)), { 200 => 1 }, 'moved: 200');
is(of($tenant), $nodes[1], 'moved');
is(missing($tenant), '0 lost, 0 doubled', 'moved: there');

my @waiting;
move_slot($slot, $nodes[1], $nodes[2], sub {
    push @waiting, event($tenant);
    sleep 0.2 if $_[0] eq 'begun';
}, @nodes[0, 3 .. 5]);
$statuses = settle(@waiting);
is_deeply($statuses, { 200 => scalar @waiting }, 'on its way: they wait');
is(missing($tenant), '0 lost, 0 doubled', 'on its way');

# the tenant table, also when its slot has moved

tenants(1, 'acme');
ok(wait_for(sub { post('/t/acme', '{}') == 200 }), 'a tenant of the table');
is(node(of('{acme}:'), 'LLEN', '{acme}:q:wait'), 2, 'its queue');
my $table = of('sluice:tenants');
my ($next) = grep { $_ != $table } @nodes[0 .. 2];
move_slot(slot_of('sluice:tenants'), $table, $next, undef, @nodes);
tenants(2, 'beta');
ok(wait_for(sub { post('/t/beta', '{}') == 200 }), 'from where it has moved to');

# longer than the timeout: as with a Redis that is away

node($nodes[0], 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $nodes[2]{id});
node($nodes[2], 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $nodes[0]{id});
my $start = time;
my ($status, $text) = post("/s?t=$tenant&id=late", '{}');
is($status, 503, 'too long: 503');
like($text, qr/X-Status: unable\r/, 'too long: status');
cmp_ok(time - $start, '>=', 0.4, 'too long: after the timeout');
node($_, 'CLUSTER', 'SETSLOT', $slot, 'STABLE') for @nodes[0, 2];
is(post("/s?t=$tenant&id=late", '{}'), 200, 'again: 200');

# the registry's slot moves, and a new queue comes

$slot = slot_of('sluice:queues');
my $from = of('sluice:queues');
my ($to) = grep { $_ != $from } @nodes[0 .. 2];
node($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
node($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to->{id});
node($from, 'MIGRATE', '127.0.0.1', $to->{port}, 'sluice:queues', 0, 5000);
is_deeply(settle(event('asked')), { 200 => 1 }, 'registry, ASK: 200');
node($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $to->{id}) for $to, $from, @nodes;
is_deeply(settle(event('moved')), { 200 => 1 }, 'registry, MOVED: 200');
is(node($to, 'SISMEMBER', 'sluice:queues', "{$_}:q"), 1,
   "registry, $_: registered") for qw(asked moved);

# slots move under load, and a reload

my @tenants = map { tenant_of($nodes[$_], @nodes) } 0 .. 2;
my @load;
for my $tenant (@tenants) {
    my $from = of($tenant);
    my ($to) = grep { $_ != $from } @nodes[0 .. 2];

    move_slot(slot_of("{$tenant}:"), $from, $to, sub {
        push @load, map { event($_) } (@tenants) x 5;
        kill 'HUP', pid() if $_[0] eq 'begun';
    }, @nodes);
}
$statuses = settle(@load);
is_deeply($statuses, { 200 => scalar @load },
          'under load: ' . @load . ' events');
is(missing(@tenants), '0 lost, 0 doubled', 'under load');

# a master that is to go, and one that dies, without a spool

my ($master, $replica) = @nodes[0, 3];
@tenants = (tenant_of($master, @nodes), tenant_of($nodes[1], @nodes));
node($replica, 'CLUSTER', 'FAILOVER');
@load = ();
wait_long(sub {
    push @load, map { event($_) } @tenants;
    of($tenants[0]) == $replica;
}, 10);
push @load, map { event($_) } (@tenants) x 10;
$statuses = settle(@load);
is_deeply($statuses, { 200 => scalar @load },
          'planned failover: ' . @load . ' events');
is(missing(@tenants), '0 lost, 0 doubled', 'planned failover');

wait_long(sub { node($master, 'INFO', 'replication')
                =~ /master_link_status:up/ }, 10);
my $known = $tenants[1];

# the registry may be on the node that dies: the process knows the queue

ok(wait_for(sub { workers() == 1 }), 'the last reload is over');
settle(event($known));
stop_node($replica);
is_deeply(settle(map { event($known) } 1 .. 3), { 200 => 3 },
          'a node is dead: the others take');
ok(wait_long(sub { of($tenants[0]) == $master }, 15), 'a node is dead: replaced');
ok(wait_for(sub { (settle(event($tenants[0])))->{200} }),
   'a node is dead: its events are taken again');
is(missing($known), '0 lost, 0 doubled', 'a node is dead: the others');
diag('unplanned, without wait_replicas: ', missing($tenants[0]));
ok(log_clean(), 'log');

# the registry's node dies, with a spool

start_node($replica);
my $registry = of('sluice:queues');
nginx(http => "sluice_redis $url timeout=700ms wait_replicas=1;
               sluice_spool $dir size=64m;", server => $server);

my @there = grep { of("{t$_}:") != $registry } 1 .. 60;
$known = "t$there[0]";
my ($gone) = grep { of("{$_}:") == $registry } map { "t$_" } 1 .. 60;
my $new = 'new1';
$new++ while of("{$new}:") == $registry;


# a replica that was made just now takes a second to begin

ok(wait_for(sub { settle(event($_))->{200} }), 'replicas') for $known, $gone;
$statuses = settle(map { event($_) } ($known, $gone) x 5);
is_deeply($statuses, { 200 => 10 }, 'replicas: 200');
stop_node($registry);
$statuses = settle(map { event($_) } ($new, $gone, $known) x 5);
is_deeply($statuses, { 200 => 15 }, 'the registry is away, a spool: 200');
is(missing($known), '0 lost, 0 doubled', 'a queue that it has: in Redis');
like(http_get(port(), '/health'), qr/ 200 OK/s, 'health');
ok(wait_long(sub { my $now = of('sluice:queues');
                   $now && $now != $registry }, 15), 'replaced');
start_node($registry);
ok(wait_long(sub { missing($gone, $new) eq '0 lost, 0 doubled'
                   && !(() = glob "$dir/*.spool") }, 20), 'replayed')
    or diag(missing($gone, $new));
is(node(of('sluice:queues'), 'SISMEMBER', 'sluice:queues', "{$new}:q"), 1,
   'the new queue is registered');

ok(log_clean(), 'log');
ok(stop_nginx(), 'nginx ends');

done_testing();
