#!/usr/bin/perl

# sluicectl tenants against a real Redis.

use strict;
use warnings;

use lib 'tests/worker';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Ctl qw(ctl);
use RedisServer;
use Test::More;

my $redis = RedisServer->new('tenants');
my $url = "unix:$redis->{socket}";
my $dir = $redis->{dir};

sub file {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$name: $!";
    print $out $text;
    close $out;

    return "$dir/$name";
}

my $old = file('old.key', "# old\n" . '00' x 32 . "\n");
my $new = file('new.key', '11' x 32 . "\n" . '00' x 32 . "\n");
my $other = file('other.key', '22' x 32 . "\n");

$Ctl::dir = $dir;
@Ctl::first = ('-r', $url);

# with what it is given on its standard input
sub ctl_is {
    my ($name, $code, $out, $err, $stdin, @arguments) = @_;

    local $Ctl::input = $stdin;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Ctl::ctl_is($name, $code, $out, $err, @arguments);
}

sub stored { return decode_json($redis->cli('HGET', 'sluice:tenants', $_[0])) }
sub version { return $redis->cli('GET', '{sluice:tenants}:version') }

my $none = qr/\A\z/;

# ---- usage

ctl_is('help', 0, qr/tenants set ID/, $none, '', 'tenants', '--help');
ctl_is('no command', 2, $none, qr/--help/, '', 'tenants');
ctl_is('an unknown one', 2, $none, qr/--help/, '', 'tenants', 'frob');
ctl_is('nobody', 1, $none, $none, '', 'tenants', 'list');
ctl_is('get nobody', 1, $none, qr/no tenant "acme"/, '', 'tenants', 'get',
       'acme');

# ---- set

ctl_is('set', 0, $none, $none, "an app secret\nkey one\n", 'tenants', 'set',
       'acme', '--rate', '50r/s', '--burst', 100, '--queue', 'in', '--class',
       'high', '--path', '/h/acme', '--number', '111', '--secret', 'meta=-',
       '--api-key', '-', '--key-file', $old);

my $acme = stored('acme');
is($acme->{rate}, '50r/s', 'rate');
is($acme->{burst}, 100, 'burst is a number');
is_deeply($acme->{paths}, ['/h/acme'], 'paths');
is_deeply($acme->{api_keys}, [sha256_hex('key one')], 'the digest of the key');
is($acme->{secrets}[0]{scheme}, 'meta', 'the scheme');
ok(!exists $acme->{secrets}[0]{value}, 'the secret is not in clear');
cmp_ok($acme->{updated}, '>', 1.6e12, 'updated');
my $version = version();
cmp_ok($version, '>', 1.6e15, 'the version');

ctl_is('change', 0, $none, $none, '', 'tenants', 'set', 'acme', '--rate',
       '9r/s', '--path', '/h/a', '--disable');
is(stored('acme')->{rate}, '9r/s', 'changed, without a key file');
is_deeply(stored('acme')->{paths}, ['/h/acme', '/h/a'], 'added');
is(stored('acme')->{secrets}[0]{sealed}, $acme->{secrets}[0]{sealed},
   'what is sealed stays');
is(stored('acme')->{created}, $acme->{created}, 'created stays');
cmp_ok(version(), '>', $version, 'another version');

ctl_is('drop', 0, $none, $none, '', 'tenants', 'set', 'acme', '--drop',
       'paths', '--path', '/h/x', '--enable');
is_deeply(stored('acme')->{paths}, ['/h/x'], 'replaced');

my $secret = file('secret', "line one\nline two\n");
ctl_is('a secret of a file', 0, $none, $none, '', 'tenants', 'set', 'acme',
       '--secret', "hmac=file:$secret", '--key-file', $old);
my $open = decode_json((ctl('--json', 'tenants', 'get', 'acme', '--open',
                            '--key-file', $old))[1]);
is_deeply($open->{secrets}, [{ scheme => 'meta', value => 'an app secret' },
                             { scheme => 'hmac',
                               value => "line one\nline two" }],
          'opened');
ctl_is('drop one', 0, $none, $none, '', 'tenants', 'set', 'acme', '--drop',
       'secrets:hmac');
is(scalar @{ stored('acme')->{secrets} }, 1, 'the other secret stays');

# ---- errors say where, and nothing is written

my $before = version();

ctl_is($_->[0], 2, $none, $_->[1], $_->[2] // '', 'tenants', 'set', 'bad',
       @{ $_->[3] })
    for (['a rate', qr{bad: /rate is not a rate}, '', ['--rate', 50]],
         ['a class', qr{bad: /class is not}, '', ['--class', 'x']],
         ['a burst', qr{--burst must be}, '', ['--burst', 'x']],
         ['a path', qr{bad: /paths/0 must begin}, '', ['--path', 'x']],
         ['a secret in sight', qr{say file:PATH}, '',
          ['--secret', 'meta=abc']],
         ['a secret without a scheme', qr{SCHEME=}, '', ['--secret', '-']],
         ['no line', qr{no line}, '', ['--secret', 'meta=-']],
         ['an empty one', qr{is empty}, "\n", ['--secret', 'meta=-']],
         ['no such file', qr{nowhere: No such file}, '',
          ['--secret', 'meta=file:nowhere']],
         ['a key that is none', qr{stdin:1: it is not 64 hex}, 'x',
          ['--key-file', "$dir/stdin"]],
         ['drop nothing', qr{no "rate"}, '', ['--drop', 'rate']],
         ['a path of another', qr{/h/x|is also that of acme}, '',
          ['--path', '/h/x']]);

ctl_is('a name', 2, $none, qr{a b: /id must be}, '', 'tenants', 'set', 'a b');
ctl_is('a wrong key', 2, $none, qr{acme: /secrets/0/sealed is sealed under},
       '', 'tenants', 'set', 'acme', '--key-file', $other);
is(version(), $before, 'nothing was written');

# ---- show

ctl_is('list', 0, qr/^acme +yes +9r\/s +100 +in +high +1 +1 +1 +1$/m, $none,
       '', 'tenants', 'list');
$redis->cli('HSET', 'sluice:tenants', 'broken', '{');
ctl_is('list a broken one', 0, qr/^broken +malformed/m, $none, '', 'tenants',
       'list');
ctl_is('get it', 1, $none, qr/malformed/, '', 'tenants', 'get', 'broken');
ctl_is('export the others', 1, qr/\A\{.*\}\n\z/, qr/broken is malformed/, '',
       'tenants', 'export');
ctl_is('remove it', 0, $none, $none, '', 'tenants', 'remove', 'broken');
ctl_is('again', 1, $none, qr/no tenant "broken"/, '', 'tenants', 'remove',
       'broken');
ctl_is('a wrong key', 1, $none, qr/acme: a secret is sealed under a key/, '',
       'tenants', 'get', 'acme', '--open', '--key-file', $other);

# in clear only when asked for

ctl_is('without a key file', 0, $none, $none, "plain\n", 'tenants', 'set',
       'globex', '--secret', 'stripe=-');
is(stored('globex')->{secrets}[0]{value}, 'plain', 'it is in clear');
ctl_is('get does not show it', 0, qr/"value": "\.\.\."/, $none, '', 'tenants',
       'get', 'globex');
ctl_is('nor list', 0, qr/"value": "\.\.\."/, $none, '', '--json', 'tenants',
       'list');
ctl_is('get --open does', 0, qr/plain/, $none, '', 'tenants', 'get', 'globex',
       '--open');
ctl_is('export needs a word', 2, qr//, qr/globex has a secret in clear/, '',
       'tenants', 'export');

# ---- export and import: keys change

my ($code, $sealed) = ctl('tenants', 'export', '--key-file', $old);
is($code, 0, 'export');
unlike($sealed, qr/plain|app secret/, 'sealed');
ctl_is('under other keys', 0, qr/2 tenants/, $none, $sealed, 'tenants',
       'import', '--key-file', $new);
my $only = file('only.key', '11' x 32 . "\n");
ctl_is('the new key opens all', 0, qr/an app secret.*\n.*plain/, $none, '',
       'tenants', 'export', '--open', '--key-file', $only);
is(stored('acme')->{created}, $acme->{created}, 'created stays');

# all or nothing, each error by its line

$before = version();
ctl_is('an import with errors', 2, $none,
       qr{\A\Qsluicectl: -:2: it is no JSON\E\n
          \Qsluicectl: -:3: /id is not there, or no string\E\n
          \Qsluicectl: -:5: /id is that of a line before\E\n
          \Qsluicectl: -:6: it is no object\E\n
          \Qsluicectl: -:7: d: /rate is not a rate such as 50r/s\E\n
          \Qsluicectl: -:8: e: /nmae is not known\E\n
          \Qsluicectl: nothing was written\E\n\z}x,
       qq({"id":"a"}\n{\n{}\n\n{"id":"a"}\n[]\n{"id":"d","rate":"x"}\n)
       . qq({"id":"e","nmae":1}\n), 'tenants', 'import');
ctl_is('two that claim one', 2, $none, qr{b: /paths/0 is also that of a|a: /pa},
       qq({"id":"a","paths":["/1"]}\n{"id":"b","paths":["/1"]}\n), 'tenants',
       'import');
is(version(), $before, 'nothing was written');

my $lines = join '', map { encode_json({ id => "t$_", paths => ["/p/$_"],
                                         secrets => [{ scheme => 'meta',
                                                       value => "s$_" }] })
                           . "\n" } 1 .. 2000;
my $file = file('lines', $lines);
$before = '8000000000000000';    # higher than the time: a write counts one on
$redis->cli('SET', '{sluice:tenants}:version', $before);
ctl_is('many', 0, qr/2000 tenants/, $none, '', 'tenants', 'import', $file,
       '--replace', '--key-file', $only);
is($redis->cli('HLEN', 'sluice:tenants'), 2000, 'in place of the others');
is(version(), $before + 1, 'at once');

my @listed = map { (split)[0] } split /\n/, (ctl('tenants', 'list'))[1];
is("@listed[1 .. 2000]", join(' ', sort map { "t$_" } 1 .. 2000),
   'listed by id');

# somebody else writes meanwhile: nothing is lost

my @pids = map {
    my $n = $_;
    my $pid = fork;
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        exec 'build/sluicectl', '-r', $url, 'tenants', 'set', 't1', '--path',
             "/both/$n" or die;
    }
    $pid;
} 1 .. 8;
waitpid $_, 0 for @pids;
is(scalar @{ stored('t1')->{paths} }, 9, 'eight writers at once');

done_testing();
