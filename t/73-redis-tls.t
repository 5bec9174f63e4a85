# Redis over TLS: whom the edge trusts, by which name, as whom it comes, and
# that all that holds for a plain connection holds here.

use strict;
use warnings;

use IO::Socket::INET;
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = "$ENV{TEST_NGINX_RUN}/tls";
my $sock = "$ENV{TEST_NGINX_RUN}/tls.sock";
my $port = port() + 6;
my $server = 'location /x { sluice_verify none; sluice_enqueue q; }
              location /big { sluice_verify none; sluice_enqueue big;
                              client_body_buffer_size 4m; }';

sub run {
    system("cd $dir && $_[0] >>openssl.log 2>&1") == 0
        or die "$_[0]: see $dir/openssl.log";
}

# a certificate by an authority, both made here
sub certificate {
    my ($name, $ca, $alt, $days) = @_;

    open my $f, '>', "$dir/$name.ext" or die;
    print $f "subjectAltName=$alt\n";
    close $f;

    run("openssl req -new -newkey ec:params.pem -nodes -keyout $name.key"
        . " -subj /CN=$name -out $name.csr");
    run("openssl x509 -req -in $name.csr -CA $ca.pem -CAkey $ca.key"
        . " -CAcreateserial -days $days -extfile $name.ext -out $name.pem");
}

sub authority {
    my ($name) = @_;

    run("openssl req -x509 -newkey ec:params.pem -nodes -keyout $name.key"
        . " -subj /CN=$name -days 30 -out $name.pem");
}

mkdir $dir;
run('openssl ecparam -name prime256v1 -out params.pem');
authority($_) for qw(ca other);
certificate('good', 'ca', 'DNS:localhost,IP:127.0.0.1', 30);
certificate('name', 'ca', 'DNS:redis.internal', 30);
certificate('expired', 'ca', 'DNS:localhost,IP:127.0.0.1', -1);
certificate('client', 'ca', 'DNS:edge', 30);
certificate('stranger', 'other', 'DNS:edge', 30);

sub redis_tls {
    my ($name, @more) = @_;

    return start_redis($sock, '--tls-port', $port, '--bind', '127.0.0.1',
                       '--tls-cert-file', "$dir/$name.pem",
                       '--tls-key-file', "$dir/$name.key",
                       '--tls-ca-cert-file', "$dir/ca.pem",
                       '--tls-auth-clients', 'no', @more);
}

sub edge {
    my ($url, $more, %conf) = @_;

    nginx(http => "sluice_redis $url $more;", server => $server, %conf);
}

sub refused {
    my ($name, $told) = @_;

    my ($status, $text) = post('/x', '{}');
    is($status, 503, "$name: 503");
    ok(wait_for(sub { log_text() =~ $told }), "$name: told")
        or diag(log_text());
    unlike(log_text(), qr/is connected to/, "$name: not connected");
}

my $ip = "rediss://127.0.0.1:$port";
my $ca = "tls_ca=$dir/ca.pem";

# whom the edge trusts, and by which name

my $redis = redis_tls('good');

edge("$ip/3", $ca, main => 'error_log logs/debug.log debug;');
is(post('/x', '{}'), 200, 'an address in the certificate');
is(redis_try($sock, 'EVAL', "redis.call('SELECT',3)"
             . "return redis.call('LLEN','bull:q:wait')", 0), 1,
   'in the database of the URL');
is(status_of()->{redis}[0]{connections}{ready}, 1, 'ready');
ok(log_clean(), 'log');

sleep 1.1;    # what makes a connection a good one
redis_try($sock, 'CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { status_of()->{redis}[0]{losses} == 1 }), 'closed: seen');
is(post('/x', '{}'), 200, 'closed: connected again');
SKIP: {
    skip 'an NGINX without --with-debug', 1
        if `$ENV{TEST_NGINX_BINARY} -V 2>&1` !~ /--with-debug/;
    like(do { local (@ARGV, $/) = "$RUN/logs/debug.log"; <> },
         qr/SSL reused session/, 'the session is resumed');
}
ok(log_clean(), 'closed: log');

edge("rediss://localhost:$port", $ca);
is(post('/x', '{}'), 200, 'a name in the certificate');

edge($ip, "$ca tls_name=localhost");
is(post('/x', '{}'), 200, 'a name given');

edge($ip, "$ca tls_name=redis.internal");
refused('another name', qr/its certificate is not for "redis\.internal"/);

edge($ip, "$ca tls_name=127.0.0.2");
refused('another address', qr/its certificate is not for "127\.0\.0\.2"/);

edge($ip, "tls_ca=$dir/other.pem");
refused('another authority', qr/is not valid: self-signed certificate in/);

edge($ip, '');
refused('the system trusts it not',
        qr/is not valid: self-signed certificate in/);

{
    local $ENV{SSL_CERT_FILE} = "$dir/ca.pem";
    edge($ip, '');
    is(post('/x', '{}'), 200, 'the system trusts it');
}

edge($ip, 'tls_verify=off');
is(post('/x', '{}'), 200, 'not verified');

edge("redis://127.0.0.1:$port", 'timeout=500ms');
refused('without TLS', qr/is away: /);

# as large as the socket does not take at once

edge($ip, "$ca timeout=9s");
is(post('/x', '{}'), 200, 'before the pause');
kill 'STOP', $redis;
my $large = '{"a":"' . 'x' x 300_000 . '"}';
my @waiting = map { send_post('/big', $large) } 1 .. 20;
ok(wait_for(sub { status_of()->{events}{in_flight} >= 20 }),
   'partial writes: all wait');
kill 'CONT', $redis;
my @status = map { answer($_) =~ m{^HTTP/1.1 (\d+)} ? $1 : 0 } @waiting;
is("@status", "@{[ (200) x 20 ]}", 'partial writes: all 200');
is(redis_try($sock, 'LLEN', 'bull:big:wait'), 20, 'partial writes: all jobs');
ok(log_clean(), 'partial writes: log');

# stopped in the middle of everything

kill 'STOP', $redis;
edge($ip, "$ca timeout=300ms");
my $start = time;
refused('a silent handshake', qr/is away: timed out/);
cmp_ok(time - $start, '<', 30, 'a silent handshake: in time');
like(http_get(port(), '/health'), qr/ 503 .*is (down|handshake)/s,
     'a silent handshake: health');
kill 'CONT', $redis;
ok(wait_for(sub { post('/x', '{}') == 200 }), 'back by itself');

kill 'STOP', $redis;
is(post('/x', '{}'), 503, 'silent: 503');
kill 'CONT', $redis;
ok(wait_for(sub { post('/x', '{}') == 200 }), 'silent: back by itself');
ok(log_clean(), 'silent: log');

# quit and reload with a connection, and in its handshake

kill 'HUP', pid();
ok(wait_for(sub { log_text() =~ /gracefully shutting down/ }), 'reload');
is(post('/x', '{}'), 200, 'reload: 200');
ok(log_clean(), 'reload: log');
ok(stop_nginx(), 'quit');

kill 'STOP', $redis;
edge($ip, "$ca timeout=500ms");
my $late = send_post('/x', '{}');
ok(wait_for(sub { status_of()->{redis}[0]{connections}{handshake} }),
   'a handshake under way');
ok(stop_nginx(), 'quit in the handshake');
like(answer($late), qr{^HTTP/1.1 503}, 'quit in the handshake: 503');
ok(log_clean(), 'quit in the handshake: log');
kill 'CONT', $redis;
stop_redis($redis);
unlink $sock;

# a certificate that was good once

$redis = redis_tls('expired');
edge($ip, $ca);
refused('expired', qr/is not valid: certificate has expired/);
stop_redis($redis);
unlink $sock;

# the server asks who it is

my $mutual = "$ca tls_cert=$dir/client.pem tls_key=$dir/client.key";

$redis = redis_tls('good', '--tls-auth-clients', 'yes');
edge($ip, $mutual);
is(post('/x', '{}'), 200, 'a client certificate');
ok(log_clean(), 'a client certificate: log');

edge($ip, $ca);
refused('no client certificate', qr/certificate required|is away: /);

edge($ip, "$ca tls_cert=$dir/stranger.pem tls_key=$dir/stranger.key");
refused('the certificate of a stranger', qr/unknown ca|is away: /);
stop_redis($redis);
unlink $sock;

# TLS to a Redis without

$redis = start_redis($sock, '--port', $port, '--bind', '127.0.0.1');
edge($ip, "$ca timeout=500ms");
refused('a plain server', qr/is away: (the TLS handshake failed|timed out)/);
stop_redis($redis);
unlink $sock;

# the name is told to the server, which may have several

pipe my $in, my $out or die;
my $witness = fork;
die if !defined $witness;

if ($witness == 0) {
    open STDIN, '<&', $in;
    close $out;
    open STDOUT, '>', "$dir/witness.log";
    open STDERR, '>&', \*STDOUT;
    exec 'openssl', 's_server', '-accept', $port, '-cert', "$dir/name.pem",
         '-key', "$dir/name.key", '-servername', 'redis.internal',
         '-cert2', "$dir/name.pem", '-key2', "$dir/name.key"
        or POSIX::_exit(1);
}

$SluiceServer::children{$witness} = 1;
ok(wait_for(sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }),
   'a witness');
edge($ip, "$ca tls_name=redis.internal timeout=500ms");
is(post('/x', '{}'), 503, 'the witness is no Redis');
ok(wait_for(sub {
    local (@ARGV, $/) = "$dir/witness.log";
    <> =~ /Hostname in TLS extension: "redis\.internal"/;
}), 'the server name is sent');
stop_redis($witness);

ok(stop_nginx(), 'nginx ends');

done_testing();
