#!/usr/bin/perl

# sluicectl sign and verify: what one signs the other takes, and what is wrong
# with a request is said.

use strict;
use warnings;

use lib 'tests/worker';
use Ctl ();
use Test::More;
use File::Temp qw(tempdir);

my $dir = tempdir('sign-XXXXXX', DIR => 'build', CLEANUP => 1);

$Ctl::dir = $dir;

# the first argument is its standard input
sub ctl {
    (local $Ctl::input, my @arguments) = @_;

    return Ctl::ctl(@arguments);
}

sub file {
    my ($path, $text) = @_;

    open my $out, '>:raw', $path or die "$path: $!";
    print $out $text;
    close $out;
}

sub slurp {
    my ($path) = @_;

    open my $in, '<:raw', $path or die "$path: $!";
    local $/;
    return <$in> // '';
}

sub openssl {
    system("openssl @_ 2>/dev/null") == 0 or die "openssl @_";
}

sub request {
    my ($headers, $body, $target, $type) = @_;

    $type //= 'application/json';

    return "POST $target HTTP/1.1\r\nHost: hooks.example.com\r\n"
           . "Content-Type: $type\r\n$headers\r\n$body";
}

openssl("genpkey -algorithm ed25519 -out $dir/ed.pem");
openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
        . " -out $dir/p256.pem");
openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384"
        . " -out $dir/p384.pem");
openssl("genrsa -out $dir/rsa.pem 2048");
openssl("pkey -in $dir/$_.pem -pubout -out $dir/$_.pub")
    for qw(ed p256 p384 rsa);

my $body = '{"type":"t","event":"e","id":"i"}';
my $form = 'MessageSid=SM1&Body=a%20b%2Bc&To=%2B1&MessageStatus=sent';
my $secret = 'a secret of some length';
my $time = 1795000000;
my $target = '/hooks/x?a=b';

# each: name, arguments of both, body, type, secrets of both
my @schemes = (
    (map { [$_] } qw(meta stripe github gitlab_token slack shopify square
                     line zoom telegram viber paddle vonage messagebird
                     intercom wasender waha evolution hmac api_key)),
    ['twilio'],
    ['twilio', [], $form, 'application/x-www-form-urlencoded'],
    (map { [$_, ['event=msg_1'], $body, undef, 'whsec_c2VjcmV0IHNlY3JldA==']
         } qw(gitlab standard svix)),
    ['linear', [], "{\"webhookTimestamp\":${time}000}"],
    ['discord', [], $body, undef, "file:$dir/ed.pem", "file:$dir/ed.pub"],
    ['sendgrid', [], $body, undef, "file:$dir/p256.pem",
     "file:$dir/p256.pub"],
    ['hmac', ['algorithm=sha512', 'encoding=base64url', 'prefix=v2;',
              'signed={method} {path} {timestamp}{body}', 'timestamp=X-Time',
              'timestamp_unit=ms', 'header=X-Sig']],
    ['hmac', ['separator=comma', 'prefix=s=', 'timestamp=pair:t',
              'signed={timestamp}/{id}/{body}', 'id=X-Id', 'event=7']],
    ['jwt', ['algorithms=HS384', 'issuer=me', 'audience=you', 'claim=a:b',
             'body_hash=h']],
    ['api_key', ['header=X-Api-Key']],
);

# the algorithm is one of the key's

for my $row (['RS256,ES256', 'p256'], ['ES384,ES256', 'p256'],
             ['RS256', 'rsa'], ['RS512', 'rsa'], ['PS256', 'rsa'],
             ['PS384', 'rsa'], ['ES256', 'p256'], ['ES384', 'p384'],
             ['EdDSA', 'ed'])
{
    push @schemes, ['jwt', ["algorithms=$row->[0]"], $body, undef,
                    "file:$dir/$row->[1].pem", "file:$dir/$row->[1].pub"];
}

for my $row (@schemes) {
    my ($name, $settings, $text, $type, $private, $public) = @$row;

    $settings //= [];
    $text //= $body;
    $private //= $secret;
    $public //= $private;

    my @time = ($name =~ /^(github|meta|gitlab_token|api_key)$/) ? ()
                                                      : ("time=$time");
    my @url = ("url=https://hooks.example.com$target");
    my @type = $type ? ("content_type=$type") : ();
    my $what = join ' ', $name, @$settings, $type // ();

    my ($status, $headers, $error) = ctl($text, 'sign', $name, @$settings,
        "secret=$private", @time, @url, @type);

    is("$status$error", '0', "$what: signed") or next;

    my $to = $target;
    $to = $1 if $headers =~ s{^# to https://hooks.example.com(.*)\n}{};
    $headers =~ s/\n/\r\n/g;

    my @check = ('verify', $name, (grep { !/^event=/ } @$settings), @time);

    my ($valid, $out) = ctl(request($headers, $text, $to, $type), @check,
                            'secret=another', "secret=$public")
        if $public eq $secret;
    ($valid, $out) = ctl(request($headers, $text, $to, $type), @check,
                         "secret=$public")
        if $public ne $secret;

    is($valid, 0, "$what: taken");
    like($out, $public eq $secret ? qr/^valid, secret 2\n/
                                  : qr/^valid, secret 1\n/, "$what: said");

    # tokens do not cover the body

    if ($name !~ /^(gitlab_token|telegram|wasender|evolution|api_key)$/
        && "@$settings" !~ /^algorithms=[A-Za-z\d,]+$/)
    {
        ($valid, $out) = ctl(request($headers, "$text ", $to, $type), @check,
                             "secret=$public");
        is($valid, 1, "$what: another body is refused");
        like($out, qr/^mismatch: /, "$what: and why");
    }
}

# Mailgun signs inside of the body: the values are put in their places

for my $case (
    ['', '{"signature":{"timestamp":"%s","token":"%s","signature":"%s"},'
         . '"event-data":{"id":"7","event":"opened"}}', qr/^event id: 7$/m],
    ['application/x-www-form-urlencoded',
     'timestamp=%s&token=%s&signature=%s', qr/^event id: ev42$/m],
) {
    my ($type, $form_of, $event) = @$case;
    my ($rc, $out) = ctl($type ? 'a=b' : '{}', qw(sign mailgun secret=s),
                         'event=ev42', "time=$time",
                         $type ? "content_type=$type" : ());
    my %value = $out =~ m{^\w+:/?(?:signature/)?(\w+): (.*)$}mg;

    is(join(' ', sort keys %value), 'signature timestamp token',
       "mailgun $type: the places");

    my $signed = sprintf $form_of, @value{qw(timestamp token signature)};

    ($rc, $out) = ctl(request('', $signed, '/', $type || undef),
                      qw(verify mailgun secret=s), "time=$time");
    is($rc, 0, "mailgun $type: taken");
    like($out, $event, "mailgun $type: the event");

    $signed =~ s/ev42/ev43/;
    ($rc, $out) = ctl(request('', $signed, '/', $type || undef),
                      qw(verify mailgun secret=s), "time=$time");
    is($rc, 1, "mailgun $type: another token is refused");
    like($out, qr/^mismatch: /, "mailgun $type: and why");
}

# bodies as they come: empty, with CRLF, with a NUL, of 10 MB

for my $case (['empty', ''], ['CRLF', "{\r\n\"a\":1\r\n}\r\n"],
              ['NUL', "a\0b\n"], ['10 MB', 'a' x (10 << 20)])
{
    my ($what, $text) = @$case;
    my (undef, $headers) = ctl($text, qw(sign meta secret=s));
    my ($rc, $out) = ctl(request($headers, $text, '/'),
                         qw(verify meta secret=s));

    is($rc, 0, "$what: taken");
    like($out, qr/^valid/, "$what: said");
}

# what is said

my ($status, $headers) = ctl($body, qw(sign stripe secret=s), "time=$time");
$headers =~ s/\n/\r\n/;
my $request = request($headers, $body, '/');

my @cases = (
    ['stale', 1, qr/^stale: .*too far from now/, $request,
     'time=' . ($time + 301)],
    ['at the tolerance', 0, qr/^valid/, $request, 'time=' . ($time + 300)],
    ['from the future', 1, qr/^stale: /, $request, 'time=' . ($time - 301)],
    ['another tolerance', 0, qr/^valid/, $request, 'time=' . ($time + 301),
     'tolerance=10m'],
    ['missing', 1, qr/^missing: the signature is missing/,
     request('', $body, '/')],
    ['twice', 1, qr/^malformed: .*twice/,
     request($headers . $headers, $body, '/')],
    ['no number', 1, qr/^malformed: the timestamp/,
     request("Stripe-Signature: t=abc,v1=" . 'a' x 64 . "\r\n", $body, '/')],
    ['too short', 1, qr/^malformed: the signature/,
     request("Stripe-Signature: t=$time,v1=abc\r\n", $body, '/')],
);

for my $case (@cases) {
    my ($what, $expected, $pattern, $input, @more) = @$case;

    push @more, "time=$time" if !grep { /^time=/ } @more;

    my ($rc, $out) = ctl($input, qw(verify stripe secret=s), @more);

    is($rc, $expected, "$what: exit status");
    like($out, $pattern, "$what: said");
    unlike($out, qr/secret=|whsec/, "$what: no secret");
}

# handshakes

my ($rc, $out) = ctl("GET /h?hub.mode=subscribe&hub.challenge=42"
    . "&hub.verify_token=tok HTTP/1.1\r\n\r\n",
    qw(verify meta secret=s verify_token=tok));
is($rc, 0, "meta's subscription");
like($out, qr/handshake, answered 200: 42\n/, "meta's challenge");

($rc, $out) = ctl("GET /h?hub.mode=subscribe&hub.challenge=42"
    . "&hub.verify_token=no HTTP/1.1\r\n\r\n",
    qw(verify meta secret=s verify_token=tok));
is($rc, 1, "meta's subscription with another token");

# each scheme stands in the documentation

my $page = slurp('docs/schemes.md');

for my $name (do { my %seen; grep { !$seen{$_}++ } map { $_->[0] } @schemes }) {
    like($page, qr/^\| `$name` \|/m, "$name is in docs/schemes.md");
}

# the usage

for my $case (
    [[qw(sign)], qr/which scheme/],
    [[qw(sign nobody secret=s)], qr/no scheme is named "nobody"/],
    [[qw(sign meta)], qr/secret= is missing/],
    [[qw(sign meta secret=)], qr/^sluicectl: meta: the secret is empty$/m],
    [[qw(verify meta secret=)], qr/secret 1 is empty/],
    [[qw(sign meta secret)], qr/argument 2 is not NAME=VALUE/],
    [['sign', 'telegram', "secret=a\nb"], qr/has a control character/],
    [['sign', 'standard', 'secret=c2Vj', "event=a\r\nX: y"],
     qr/value of webhook-id has a control character/],
    [[qw(sign square secret=s url=host/path)], qr/url= is not a URL/],
    [[qw(sign square secret=s url=https://)], qr/url= is not a URL/],
    [[qw(sign meta secret=s --curl host)], qr/--curl has no URL/],
    [[qw(sign meta secret=s prefix=x)], qr/"prefix" of meta: is not a sett/],
    [[qw(sign stripe secret=s tolerance=abc)], qr/is not a time/],
    [[qw(sign square secret=s)], qr/the scheme signs the URL: url=/],
    [[qw(sign standard secret=whsec_!! event=1)], qr/is not base64/],
    [[qw(sign standard secret=c2VjcmV0)], qr/the scheme signs an id: event=/],
    [[qw(sign meta secret=file:/does/not/exist)], qr/No such file/],
    [[qw(sign meta secret=env:SLUICE_NOT_SET)], qr/names no variable/],
    [[qw(sign hmac secret=s signed={nobody})], qr/other names in braces/],
    [[qw(sign hmac secret=s timestamp=x-time)], qr/"timestamp" is not signed/],
    [[qw(sign hmac secret=s id=x-id signed={id}{body})],
     qr/does not tell where \{id\} ends/],
    [[qw(sign jwt secret=s)], qr/"algorithms" is missing/],
    [[qw(sign jwt algorithms=none secret=s)], qr/is not a list of HS256/],
    [[qw(sign discord secret=abc)], qr/no private key/],
    [['sign', 'discord', "secret=file:$dir/p256.pem"], qr/no private key/],
    [['sign', 'jwt', 'algorithms=RS256,ES384', "secret=file:$dir/p256.pem"],
     qr/jwt: the secret is no private key/],
    [[qw(verify discord secret=abc)], qr/is no public key/],
    [[qw(verify meta secret=s)], qr/no request line/],
    [[qw(verify meta secret=s time=x)], qr/time must be a number/],
) {
    my ($arguments, $pattern) = @$case;
    my ($code, undef, $error) = ctl('x', @$arguments);

    is($code, 2, "@$arguments: usage");
    like($error, $pattern, "@$arguments: said");
}

for my $case (
    ['', qr/standard input is empty/],
    ["POST /\r\n\r\n", undef],
    ["POST path HTTP/1.1\r\n\r\n", qr/no request line/],
    ["POST / HTTP/1.1\r\nHost: h\r\nno header\r\n\r\n",
     qr/header 2 has no colon/],
    ["POST / HTTP/1.1\r\n: x\r\n\r\n", qr/header 1 has no name/],
    ["POST / HTTP/1.1\r\n" . "A: b\r\n" x 129 . "\r\n",
     qr/more than 128 headers/],
    ["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
     qr/a chunked body is not decoded/],
    ["POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
     qr/the body has 3 bytes, Content-Length says 9/],
    ["POST / HTTP/1.1\r\nContent-Length: x\r\n\r\nabc",
     qr/Content-Length must be a number/],
    ["POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nabc",
     qr/Content-Length is there twice/],
) {
    my ($input, $pattern) = @$case;
    my ($code, $out, $error) = ctl($input, qw(verify meta secret=s));
    my $what = (split /\r\n\r\n/, $input)[0] // 'nothing';

    $what = substr($what, 0, 60) =~ s/\r\n/, /gr;
    is($code, $pattern ? 2 : 1, "$what: exit status");
    like($error, $pattern, "$what: said") if $pattern;
}

{
    my ($code, $out) = ctl(request("X-Hub-Signature-256:\r\n", '', '/'),
                           qw(verify meta secret=s));
    is($code, 1, 'a header without a value');
    like($out, qr/^missing: the signature is missing/,
         'a header without a value: said');
}

local $ENV{SLUICE_TEST_SECRET} = 's';
file("$dir/crlf", "s\r\n");
file("$dir/secret", "s\n");

my (undef, $plain) = ctl($body, qw(sign meta secret=s));
my (undef, $env) = ctl($body, qw(sign meta secret=env:SLUICE_TEST_SECRET));
my (undef, $from) = ctl($body, 'sign', 'meta', "secret=file:$dir/secret");
is($env, $plain, 'a secret of the environment');
is($from, $plain, "a secret of a file, without its end of line");
(undef, $from) = ctl($body, 'sign', 'meta', "secret=file:$dir/crlf");
is($from, $plain, "a secret of a file, without its CRLF");

my (undef, $curl) = ctl("it's", qw(sign meta secret=s --curl http://h/p));
like($curl, qr{^curl\ -sS\ -X\ POST\ -H\ 'content-type:\ application/json'
               \ -H\ 'x-hub-signature-256:\ sha256=[0-9a-f]{64}'
               \ --data-binary\ 'it'\\''s'\ 'http://h/p'$}x,
     'a command line of curl');

my (undef, $help) = ctl('', qw(sign --help));
like($help, qr/^sluicectl sign SCHEME/, 'help of sign');
(undef, $help) = ctl('', qw(verify --help));
like($help, qr/^sluicectl verify SCHEME/, 'help of verify');

done_testing();
