# The numbers of docs/status.md are those of a scrape: all of them, no others.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;

my $sock = "$ENV{TEST_NGINX_RUN}/documented.sock";
my $redis = start_redis($sock);
my $spool = "$ENV{TEST_NGINX_RUN}/documented";

mkdir $spool, 0700;

# one of all that has numbers
nginx(http => "sluice_redis unix:$sock;
               sluice_spool $spool size=16m;
               sluice_tenants zone=t:256k;
               sluice_limit_zone \$arg_k zone=k:64k;",
      server => 'location /x { sluice_verify api_key secret=k;
                               sluice_limit zone=k rate=9r/s;
                               sluice_enqueue q tenant=acme; }
                 location /metrics { sluice_status prometheus; }');

is(post('/x', '{}', Authorization => 'Bearer k'), 200, 'an event');

my %shown = map { $_ => 1 }
            http_get(port(), '/metrics') =~ /^# TYPE nginx_sluice_(\w+) /mg;

# the second column of the table: `name{label}`, and "_sum" of a histogram

my %told;

open my $page, '<', 'docs/status.md' or die "docs/status.md: $!";

while (my $line = <$page>) {
    my ($names) = $line =~ /^\| `\w+` \| (.*?) \| / or next;

    for my $name ($names =~ /`([a-z]\w*)/g) {
        $name =~ s/_bucket$//;
        $told{$name} = 1;
    }
}

cmp_ok(scalar(keys %shown), '>', 30, 'numbers are shown');
is(join(' ', grep { !$told{$_} } sort keys %shown), '', 'each is documented');
is(join(' ', grep { !$shown{$_} } sort keys %told), '', 'and there are no others');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(qr/appendonly/), 'log');
stop_redis($redis);

done_testing();
