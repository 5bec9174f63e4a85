# Secrets, keys and handshakes of the tenant table: who signs with what, how
# they change while the edge runs, under which keys they are sealed.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/secrets.sock";
my $redis = start_redis($sock);
my $ctl = 'build/sluicectl';

plan(skip_all => 'needs build/sluicectl') if !-x $ctl;

sub r { return redis_try($sock, @_) }

sub file {
    my ($name, $text) = @_;
    open my $f, '>', "$ENV{TEST_NGINX_RUN}/$name" or die;
    print $f $text;
    close $f;
    return "$ENV{TEST_NGINX_RUN}/$name";
}

my $key = file('tenants.key', '0a' x 32 . "\n");

# sluicectl tenants set; what it reads from its standard input comes first
sub set {
    my ($input, @arguments) = @_;
    my $in = file('stdin', $input);
    system("$ctl -r unix:$sock tenants set --key-file $key @arguments <$in")
        == 0 or die;
    return r('GET', '{sluice:tenants}:version');
}

sub loaded {
    my ($version) = @_;

    return wait_for(sub {
        grep { $_ >= $version } log_text() =~ /loaded version "(\d+)"/g;
    });
}

sub sign { return ('X-Hub-Signature-256' => 'sha256=' . hmac(@_)) }

# the answer without what differs each time
sub whole { return answer(send_post(@_)) =~ s/^Date: .*?\n//mr }

my $number = '/entry/0/changes/0/value/metadata/phone_number_id';
my $server = "
    location /hooks/ {
        sluice_tenant  \$uri by=path;
        sluice_verify  meta secret=tenant verify_token=tenant;
        sluice_enqueue events;
        sluice_respond 200 \$sluice_tenant/\$sluice_secret_index;
    }
    location /shared {
        sluice_json    \$number $number;
        sluice_tenant  \$number by=number;
        sluice_verify  meta secret=tenant;
        sluice_enqueue events;
        sluice_respond 200 \$sluice_tenant;
    }
    location /api {
        sluice_tenant  \$http_authorization by=api_key;
        sluice_verify  api_key secret=tenant;
        proxy_pass     http://127.0.0.1:" . port() . '/ping;
    }
    location /both/ {
        sluice_tenant  $uri by=path;
        sluice_verify  api_key secret=tenant header=X-Key;
        sluice_respond 200 $sluice_tenant;
    }
';
my %conf = (workers => 2, server => $server,
            http => "sluice_redis unix:$sock timeout=5s;
                     sluice_tenants zone=t:1m refresh=100ms key_file=$key;");

set("old app secret\nnew app secret\ntoken\nkey one\n", 'acme', '--path',
    '/hooks/acme', '--path', '/both/acme', '--number', 111,
    '--secret', 'meta=-', '--secret', 'meta=-', '--secret', 'verify_token=-',
    '--api-key', '-');
set("key two\n", 'globex', '--api-key', '-', '--path', '/both/globex');
my $version = set("globex secret\n", 'globex', '--path', '/hooks/globex',
                  '--number', 222, '--secret', 'meta=-');
unlike(join(' ', @{ r('HGETALL', 'sluice:tenants') }),
       qr/secret"|key one|new app/, 'Redis has none of them in clear');

my $master = nginx(%conf);
ok(loaded($version), 'loaded');

# ---- each with its own, all of them

my $body = '{"entry":[{"changes":[{"value":{"metadata":{'
           . '"phone_number_id":"111"}}}]}]}';

like((post('/hooks/acme', $body, sign($body, 'old app secret')))[1],
     qr{acme/1$}, 'the first secret');
like((post('/hooks/acme', $body, sign($body, 'new app secret')))[1],
     qr{acme/2$}, 'the second');
is(r('LLEN', '{acme}:events:wait'), 2, 'in its own queue');
is(post('/hooks/globex', $body, sign($body, 'globex secret')), 200, 'globex');
is(post('/hooks/acme', $body, sign($body, 'globex secret')), 401,
   "with another's");
is(post('/hooks/acme', $body, sign($body, 'token')), 401,
   'with that of another scheme');

my $bad = whole('/hooks/acme', $body, sign($body, 'no'));
is(whole("/hooks/$_->[0]", $body, sign($body, $_->[1])), $bad,
   "$_->[0] looks the same")
    for ([ 'nobody', 'no' ], [ 'nobody', 'globex secret' ], [ 'nobody', '' ]);

# ---- the handshake

my $hub = 'hub.mode=subscribe&hub.challenge=42&hub.verify_token';
like(http_get(port(), "/hooks/acme?$hub=token"), qr/ 200 .*\r\n\r\n42\z/s,
     'subscribed');
like(http_get(port(), "/hooks/acme?$hub=no"), qr/ 403 /, 'a wrong token');
like(http_get(port(), "/hooks/globex?$hub=token"), qr/ 403 /, "another's");
like(http_get(port(), "/hooks/nobody?$hub=token"), qr/ 403 /, 'of nobody');
like(http_get(port(), "/hooks/nobody?$hub="), qr/ 403 /, 'an empty one');

# ---- the number says whose signature it has to be

is((post('/shared', $body, sign($body, 'new app secret')))[1] =~ /acme$/, 1,
   'by number');
is(post('/shared', $body, sign($body, 'globex secret')), 401, 'forged');
(my $other = $body) =~ s/111/222/;
is(post('/shared', $other, sign($other, 'globex secret')), 200, 'the other');
$bad = whole('/shared', $body, sign($body, 'no'));
(my $nobody = $body) =~ s/111/333/;
is(whole('/shared', $_, sign($_, 'no')), $bad, "401: $_")
    for $nobody, '{}', '{', '', '[1';

my $large = '{"pad":"' . 'x' x 300_000 . '",' . substr $body, 1;
is(post('/shared', $large, sign($large, 'new app secret')), 200,
   'a body in a file');

# ---- keys: the digest is the proof

is(post('/api', '', Authorization => 'Bearer key one'), 200, 'a key');
is(post('/api', '', Authorization => 'Bearer key two'), 200, 'another');
is(post('/api', '', Authorization => 'Bearer key'), 401, 'a wrong one');
is(post('/api', '', Authorization => 'Bearer '
        . sha256_hex('key one')), 401, 'its digest is none');
is(post('/api', ''), 401, 'none');
is(post('/both/acme', '', 'X-Key' => 'key one'), 200, 'by path, with its key');
is(post('/both/acme', '', 'X-Key' => 'key two'), 401, "with another's");
is(post('/both/nobody', '', 'X-Key' => 'key one'), 401, 'of nobody');

# ---- a secret goes without a reload

ok(loaded(set("last secret\n", 'acme', '--drop', 'secrets:meta', '--secret',
              'meta=-')), 'another secret');
is(post('/hooks/acme', $body, sign($body, 'last secret')), 200, 'is taken');
is(post('/hooks/acme', $body, sign($body, 'new app secret')), 401,
   'the old one is not');
ok(loaded(set('', 'acme', '--disable')), 'disabled');
is(post('/hooks/acme', $body, sign($body, 'last secret')), 401, 'refused');
ok(loaded(set('', 'acme', '--enable')), 'enabled');

# ---- keys of the file change: the new one first, reload, seal anew, drop

file('tenants.key', '0b' x 32 . "\n" . '0a' x 32 . "\n");

sub reload {
    my @old = workers($master);
    kill 'HUP', $master;
    ok(wait_for(sub { my %new = map { $_ => 1 } workers($master);
                      keys %new && !grep { $new{$_} } @old }), 'reloaded');
}

reload();
$version = set("under the new key\n", 'globex', '--secret', 'meta=-');
ok(loaded($version), 'sealed under the new key');
is(post('/hooks/globex', $body, sign($body, $_)), 200, "signed with $_")
    for 'globex secret', 'under the new key';

file('tenants.key', '0b' x 32 . "\n");
reload();
my $refused = 'refused the entry "acme": /secrets/0/sealed is sealed under a';
ok(wait_for(sub { log_text() =~ /\Q$refused\E key/ }),
   'what is sealed under a key that went is named');
is(post('/hooks/acme', $body, sign($body, 'last secret')), 200,
   'and what was opened before stays');
is(post('/hooks/globex', $body, sign($body, 'globex secret')), 200,
   'the others are not touched');

file('tenants.key', "what is this\n");
kill 'HUP', $master;
ok(wait_for(sub { log_text() =~ /line 1: it is not 64 hex digits/ }),
   'a wrong file is named, and the old configuration works on');
is(post('/hooks/globex', $body, sign($body, 'globex secret')), 200, 'it does');

unlike(log_text(), qr/what is this|globex secret|last secret|key one/,
       'no log has a secret');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(qr/it is not 64 hex/), 'log');
stop_redis($redis);

done_testing();
