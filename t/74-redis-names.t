# A cluster whose nodes have names, and a resolver that has their addresses at
# hand: a connection is begun within the call that asks for it.  Nobody is
# answered there, who may be the one whose webhook is being sent.

use strict;
use warnings;

use IO::Socket::INET;
use SluiceCluster;
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep);

my $dns = fake_dns(port() + 5);
my @nodes = start_cluster(2, options => [
    '--cluster-announce-hostname', 'node.invalid',
    '--cluster-preferred-endpoint-type', 'hostname']);
my $seeds = join ',', map { "node.invalid:$_->{port}" } @nodes;
my @tenants = map { tenant_of($_, @nodes) } @nodes;

# an item for each node, so large that it is a call of its own

my $webhook = '{"object":"whatsapp_business_account","entry":['
    . join(',', map { qq({"id":"$_","changes":[{"field":"messages","value":{)
                      . qq("metadata":{"phone_number_id":"$_"},"messages":[)
                      . qq({"id":"m$_","from":"5","x":")
                      . 'x' x 1100000 . '"}]}}]}' } 0, 1)
    . ']}';

nginx(http => "sluice_redis redis+cluster://$seeds;
               resolver 127.0.0.1:@{[ port() + 5 ]} ipv6=off;
               client_body_buffer_size 4m;
               map \$sluice_item_number \$tenant { 0 $tenants[0];
                                                 1 $tenants[1]; }",
      server => 'location /x { sluice_verify none; sluice_split meta;
                               sluice_enqueue q tenant=$tenant; }');

is(post('/x', $webhook), 200, 'a webhook for two nodes');
like(log_text(), qr/is connected to node\.invalid/, 'by name');

# one is away for some time, so that it is not tried at each event

stop_node($nodes[0]);
ok(wait_for(sub { (() = log_text() =~ /is away: no connection/g) == 3 }),
   'one node is away');

# the process finds a webhook for it and for the other one in the turn in which
# the other is lost: an item is given up before the next one needs a connection

my ($worker) = workers();
my $s = IO::Socket::INET->new('127.0.0.1:' . port()) or die;
print $s "POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         . 'Content-Length: ' . length($webhook) . "\r\n\r\n"
         . substr $webhook, 0, -100;
sleep 0.1;
kill 'STOP', $worker;
stop_node($nodes[1]);
print $s substr $webhook, -100;
kill 'CONT', $worker;

like(answer($s), qr{^HTTP/1.1 503 }, 'and the other is lost: 503');
is((workers())[0], $worker, 'by the same process');
is(status_of()->{events}{failed}, 2, 'each item is counted once');

ok(log_clean(), 'log');
ok(stop_nginx(), 'nginx ends');

done_testing();
