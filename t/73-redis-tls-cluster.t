# A cluster over TLS, and wait_replicas: nodes by the ports that they tell, and
# a connection for the question that is used for nothing else.

use strict;
use warnings;

use SluiceCluster;
use SluiceServer;
use SluiceTest;
use Test::More;

my $dir = "$ENV{TEST_NGINX_RUN}/tlscluster";
my $sock = "$dir.sock";
my ($port, $tls, $bus) = map { free_port() } 1 .. 3;

mkdir $dir;
system("openssl req -x509 -newkey rsa:2048 -nodes -keyout $dir/key.pem"
       . " -out $dir/ca.pem -subj /CN=x -days 30"
       . " -addext subjectAltName=IP:127.0.0.1 2>/dev/null") == 0 or die;

my $redis = start_redis($sock, '--port', $port, '--tls-port', $tls,
                        '--bind', '127.0.0.1', '--cluster-enabled', 'yes',
                        '--cluster-config-file', "$dir/nodes.conf",
                        '--cluster-port', $bus, '--tls-cluster', 'yes',
                        '--tls-cert-file', "$dir/ca.pem",
                        '--tls-key-file', "$dir/key.pem",
                        '--tls-ca-cert-file', "$dir/ca.pem",
                        '--tls-auth-clients', 'no');

redis_try($sock, 'CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
ok(wait_for(sub { redis_try($sock, 'CLUSTER', 'INFO') =~ /state:ok/ }),
   'a cluster');

nginx(http => "sluice_redis rediss+cluster://127.0.0.1:$tls wait_replicas=1
                            wait_timeout=50ms tls_ca=$dir/ca.pem;",
      server => 'location /x { sluice_verify none;
                               sluice_enqueue q tenant=a; }');

ok(wait_for(sub { http_get(port(), '/health') =~ / 200 OK/ }), 'health');
my $stats = redis_try($sock, 'INFO', 'commandstats');
like($stats, qr/cmdstat_cluster\|slots:/, 'asked for the map');
unlike($stats, qr/cmdstat_(set|wait):/, 'and for nothing else');

is(post('/x', '{}'), 503, 'without a replica: 503');
like(log_text(), qr/has jobs on 0 of 1 replicas/, 'without a replica: told');
is(redis_try($sock, 'LLEN', '{a}:q:wait'), 1, 'its job');

ok(log_clean(), 'log');
ok(stop_nginx(), 'nginx ends');

stop_redis($redis);

done_testing();
