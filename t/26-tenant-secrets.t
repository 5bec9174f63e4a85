# "secret=tenant": whose signature it is comes from the table, an unknown tenant
# cannot be told from a bad signature, and a table that is not there is 503.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use SluiceServer;
use SluiceTest;
use Test::More;

my $sock = "$ENV{TEST_NGINX_RUN}/tenant-secrets.sock";
my $body = '{"object":"page"}';

nginx(http => "sluice_redis unix:$sock timeout=2s;
               sluice_tenants zone=tenants:1m refresh=100ms;",
      server => '
    location /meta {
        sluice_verify  meta secret=tenant verify_token=tenant;
        sluice_tenant  $arg_t;
        sluice_respond 200 "$sluice_tenant $sluice_secret_index";
    }
    location /both {
        sluice_verify  hmac secret=tenant secret=shared;
        sluice_tenant  $arg_t;
        sluice_respond 200 "$sluice_tenant $sluice_secret_index";
    }
    location /key {
        sluice_verify  api_key secret=tenant;
        sluice_tenant  $http_authorization by=api_key;
        sluice_respond 200 "$sluice_tenant $sluice_secret_index";
    }');


# the answer's body, or the status of a refusal
sub told {
    my ($status, $text) = post(@_);
    return $status == 200 && $text =~ /\r\n\r\n(.*)/s ? $1 : $status;
}


sub meta_signed {
    return ('X-Hub-Signature-256' => 'sha256=' . SluiceTest::hmac($body, $_[0]));
}


sub signature { return ('X-Signature' => SluiceTest::hmac($body, $_[0])) }


is(post('/meta?t=acme', $body, meta_signed('s1')), 503, 'no table yet');

# not before: the table of an empty Redis is soon there

my $redis = start_redis($sock);

my %entry = (
    acme => { id => 'acme', queue => 'q', secrets => [
        { scheme => 'meta', value => 's1' }, { scheme => 'meta', value => 's2' },
        { scheme => 'hmac', value => 'h1' },
        { scheme => 'verify_token', value => 'tok' } ],
        api_keys => [ sha256_hex('k0'), sha256_hex('k1') ] },
    bare => { id => 'bare', queue => 'q' },
);

SluiceTest::redis_to($sock, 'HSET', 'sluice:tenants', $_,
                     JSON::PP->new->canonical->encode($entry{$_}))
    for sort keys %entry;
SluiceTest::redis_to($sock, 'INCR', '{sluice:tenants}:version');

ok(wait_for(sub { told('/meta?t=acme', $body, meta_signed('s1')) eq 'acme 1' }),
   'the first of its secrets') or diag(log_text());
is(told('/meta?t=acme', $body, meta_signed('s2')), 'acme 2', 'the second');
is(told('/meta?t=acme', $body, meta_signed('h1')), 401, 'of another scheme');
is(told('/meta?t=bare', $body, meta_signed('s1')), 401, 'of another tenant');
is(told('/meta?t=bare', $body, meta_signed('')), 401, 'no secret is none');
is(told('/both?t=acme', $body, signature('h1')), 'acme 1', 'beside another');
is(told('/both?t=acme', $body, signature('shared')), 'acme 2', 'the other');
is(told('/both?t=nobody', $body, signature('shared')), 401,
   'a shared secret makes no tenant');

is(told('/key', '', Authorization => 'Bearer k1'), 'acme 2', 'an API key');
is(told('/key', '', Authorization => 'Bearer k2'), 401, 'another');
is(told('/key', ''), 401, 'none');

like(http_get(port(), '/meta?t=acme&hub.mode=subscribe&hub.challenge=42'
                      . '&hub.verify_token=tok'), qr/200 OK.*42\z/s,
     'its subscription');
like(http_get(port(), "/meta?t=$_&hub.mode=subscribe&hub.challenge=42"
                      . '&hub.verify_token='), qr/ 403 /,
     "$_: without a token") for qw(acme bare nobody);

my %text = map {
    my (undef, $text) = post("/meta?t=$_", $body, meta_signed('wrong'));
    ($_ => $text =~ s/^Date: .*?\n//mr);
} qw(acme bare nobody);

is($text{$_}, $text{acme}, "$_ cannot be told from a bad signature")
    for qw(bare nobody);

my %used = map { ("$_->{scheme} $_->{index}" => $_->{verified}) }
           @{ status_of()->{secrets} };
is($used{'meta 2'}, 1, 'counted by its place');
is($used{'api_key 2'}, 1, 'also a key');

unlike(log_text(), qr/\bs1\b|\bk1\b|\bh1\b/, 'no secret in the log');
ok(log_clean(qr/No such file/), 'a clean log');

stop_nginx();
stop_redis($redis);
done_testing();
