# An unknown tenant, whose secret is empty, cannot be told from a bad signature.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;

my $secrets = join ' ', ('secret=$secret_of') x 8;

nginx(http => 'map $arg_t $secret_of { acme k; }
               client_body_buffer_size 4m;',
      server => "location /hmac { sluice_verify hmac $secrets algorithm=sha512;
                                  sluice_respond 200 in; }
                 location /key { sluice_verify api_key secret=\$secret_of
                                                       header=X-Key;
                                 sluice_respond 200 in; }");

my ($worker) = workers();

# ns on a processor
sub used {
    open my $f, '<', "/proc/$worker/schedstat" or die;
    return (split ' ', <$f>)[0];
}

my $body = 'x' x 2_000_000;
my %took = (acme => 0, nobody => 0);
my %text;

for (1 .. 4) {
    for my $tenant (sort keys %took) {
        my $before = used();
        (my $status, $text{$tenant}) = post("/hmac?t=$tenant", $body,
                                            'X-Signature' => '0' x 128);
        is($status, 401, "$tenant: 401");
        $took{$tenant} += used() - $before;
    }
}

s/^Date: .*?\n//m for values %text;
is($text{nobody}, $text{acme}, 'the same answer');

my $ratio = $took{nobody} / $took{acme};
cmp_ok($ratio, '>', 0.6, "the same work ($ratio)");
cmp_ok($ratio, '<', 1.6, 'and no more');

is(post('/key?t=nobody', '{}', 'X-Key' => ''), 401, 'an empty key');
is(post('/key?t=nobody', '{}', 'X-Key' => 'k'), 401, 'a key');

# anyone can ask for a tenant that is not there

my $log = log_text();
my $errors = () = $log =~ /\[error\] .*the secret is empty/g;
my $infos = () = $log =~ /\[info\] .*the secret is empty/g;

is($errors, 1, 'one error a minute');
is($infos, 4, 'the others at the level of a bad signature');

my $refused = status_of()->{refused};
is($refused->{empty_secret}, 5, 'counted') or diag(explain($refused));

ok(stop_nginx(), 'nginx ends');
ok(log_clean(), 'log');

done_testing();
