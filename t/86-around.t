# Ways around the verification in front of other modules: what is refused
# reaches no upstream, no mirror and no queue, and what is let in arrives whole.
# The upstream is a queue of its own, so that each arrival is counted.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(time);

my $sock = "$ENV{TEST_NGINX_RUN}/around.sock";
my $two = "$ENV{TEST_NGINX_RUN}/two.sock";
my $back = "$ENV{TEST_NGINX_RUN}/back.sock";
my $port = port();
my $built = `$ENV{TEST_NGINX_BINARY} -V 2>&1`;
my $slice = $built =~ /http_slice_module/
            ? 'location = /file { slice 4k; proxy_set_header Range $slice_range;
                                  proxy_pass http://back/html/file; }'
            : '';

start_redis($sock);

mkdir $SluiceServer::RUN;
mkdir "$SluiceServer::RUN/html";
open my $file, '>', "$SluiceServer::RUN/html/file" or die;
print $file 'x' x 20000;
close $file;

nginx(http => "sluice_redis unix:$sock;
    client_body_buffer_size 8k;
    sluice_limit_zone \$arg_k zone=k:64k;
    upstream back { server unix:$back; keepalive 4; }

    # everything of this server is verified, unless a location says otherwise
    server {
        listen unix:$two;
        sluice_verify api_key secret=k;
        location = /ssi { ssi on; ssi_types *; proxy_pass http://back/ssi; }
        location = /auth { auth_request /sub; proxy_pass http://back; }
        location = /sub { proxy_pass http://back/plain; }
        location = /mirror { mirror /copy; proxy_pass http://back/plain; }
        location = /copy { internal; proxy_pass http://back; }
        location = /named { try_files /none \@named; }
        location \@named { proxy_pass http://back; }
        location = /error { proxy_pass http://127.0.0.1:1; error_page 502 = \@named; }
        location = /refused { error_page 401 = \@named; proxy_pass http://back; }
        location = /variable { sluice_verify api_key secret=\$arg_s;
                               rewrite ^ /to?s=other last; }
        location = /redirect { sluice_verify api_key secret=\$arg_s;
                               try_files /none /again?s=other; }
        location = /again { sluice_verify api_key secret=\$arg_s; proxy_pass http://back; }
        location = /hub { sluice_verify meta secret=s verify_token=t;
                          error_page 403 = /hubbed; proxy_pass http://back; }
        location = /hubbed { sluice_verify api_key secret=k; proxy_pass http://back/plain; }
        $slice
    }

    # what arrives
    server {
        listen unix:$back;
        location / { sluice_verify none; sluice_enqueue seen envelope=raw; }
        location = /plain { sluice_respond 200 plain; }
        location = /ssi { sluice_respond 200 text/html '[<!--#include virtual=\"/sub\" -->]'; }
        location = /accelerate { add_header X-Accel-Redirect /inside; return 204; }
        location /html/ { root $SluiceServer::RUN; }
    }",
    server => "
    location /plain { sluice_respond 200 plain; }

    location /p { sluice_verify api_key secret=k; proxy_pass http://back; }
    location = /m { sluice_verify meta 'secret=an app secret'; proxy_pass http://back; }
    location = /rewritten { rewrite ^ /p last; }
    location = /broken_off { rewrite ^ /other break; sluice_verify api_key secret=k; proxy_pass http://back; }
    location = /named { try_files /none \@named; }
    location \@named { sluice_verify api_key secret=k; proxy_pass http://back; }
    location = /if { sluice_verify api_key secret=k;
                     if (\$arg_a) { proxy_pass http://back; } proxy_pass http://back; }
    location = /except { sluice_verify api_key secret=k;
                         limit_except POST { proxy_pass http://back; } proxy_pass http://back; }
    location = /accel { proxy_pass http://back/accelerate; }
    location = /inside { internal; sluice_verify api_key secret=k; sluice_respond 200 inside; }
    location = /any { satisfy any; allow all; sluice_verify api_key secret=k; proxy_pass http://back; }
    location = /any_auth { satisfy any; auth_request /plain; sluice_verify api_key secret=k;
                           proxy_pass http://back; }
    location = /mirror { sluice_verify meta 'secret=an app secret'; mirror /copy; proxy_pass http://back/plain; }
    location = /copy { internal; proxy_pass http://back; }
    location = /stream { sluice_verify api_key secret=k; proxy_request_buffering off;
                         proxy_http_version 1.1; proxy_pass http://back; }
    location = /streamed { sluice_verify meta 'secret=an app secret'; proxy_request_buffering off;
                           proxy_http_version 1.1; proxy_pass http://back; }
    location = /in_file { sluice_verify meta 'secret=an app secret';
                          client_body_in_file_only clean; proxy_pass http://back; }
    location = /enqueue { sluice_verify api_key secret=k; sluice_enqueue seen envelope=raw; }
    location /alias/ { sluice_verify api_key secret=k; alias $SluiceServer::RUN/html/; }
    location = /limited { sluice_limit zone=k rate=1r/h; proxy_pass http://back; }
    ");


# all answers on one connection, until it is closed
sub ask {
    my ($request, $where) = @_;

    my $s = $where ? IO::Socket::UNIX->new(Peer => $where)
                   : IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
    die "no connection: $!" if !$s;
    $s->autoflush(1);
    print $s $request;
    return answer($s);
}


sub request {
    my ($method, $uri, $key, $body, @more) = @_;

    my $key_field = !defined $key ? ''
                    : $key =~ /^sha256=/ ? "X-Hub-Signature-256: $key\r\n"
                    : "Authorization: Bearer $key\r\n";
    my $length = defined $body ? 'Content-Length: ' . length($body) . "\r\n" : '';

    return "$method $uri HTTP/1.1\r\nHost: localhost\r\n"
           . "Content-Type: application/json\r\n$key_field$length"
           . join('', map { "$_\r\n" } @more) . "\r\n"
           . (defined $body ? $body : '');
}


my $CLOSE = 'Connection: close';
my $seen = 0;

# how many have arrived since the last time
sub arrived {
    my $n = redis_try($sock, 'LLEN', 'bull:seen:wait') || 0;
    my $new = $n - $seen;
    $seen = $n;
    return $new;
}


sub statuses { return join ' ', $_[0] =~ m{^HTTP/1\.1 (\d+)}mg }


my $body = '{"a":1}';

# where, what, then for the right key and for a wrong one: status, arrivals

for my $case (
    [ undef, 'POST /p', 200, 1, 401, 0 ],
    [ undef, 'POST //p', 200, 1, 401, 0 ],
    [ undef, 'POST /x/../p', 200, 1, 401, 0 ],
    [ undef, 'POST /%70', 200, 1, 401, 0 ],
    [ undef, 'POST /p/more?a=b', 200, 1, 401, 0 ],
    [ undef, 'POST http://localhost/p', 200, 1, 401, 0 ],
    [ undef, 'PUT /p', 405, 0, 401, 0 ],
    [ undef, 'DELETE /p', 405, 0, 401, 0 ],
    [ undef, 'post /p', 400, 0, 400, 0 ],
    [ undef, 'TRACE /p', 405, 0, 405, 0 ],
    [ undef, 'POST /rewritten', 200, 1, 401, 0 ],
    [ undef, 'POST /broken_off', 200, 1, 401, 0 ],
    [ undef, 'POST /named', 200, 1, 401, 0 ],
    [ undef, 'POST /if', 200, 1, 401, 0 ],
    [ undef, 'POST /if?a=1', 200, 1, 401, 0 ],
    [ undef, 'PUT /except', 405, 0, 401, 0 ],
    [ undef, 'POST /except', 200, 1, 401, 0 ],
    [ undef, 'POST /accel', 200, 0, 401, 0 ],
    [ undef, 'POST /inside', 404, 0, 404, 0 ],
    [ undef, 'POST /any', 403, 0, 403, 0 ],
    [ undef, 'POST /any_auth', 403, 0, 403, 0 ],
    [ undef, 'POST /stream', 200, 1, 401, 0 ],
    [ undef, 'POST /enqueue', 200, 1, 401, 0 ],
    [ undef, 'GET /alias/file', 200, 0, 401, 0 ],
    [ undef, 'GET /alias/../p', 405, 0, 401, 0 ],
    [ $two, 'POST /ssi', 200, 0, 401, 0 ],
    [ $two, 'POST /auth', 403, 0, 403, 0 ],
    [ $two, 'POST /mirror', 200, 1, 401, 0 ],
    [ $two, 'POST /copy', 404, 0, 404, 0 ],
    [ $two, 'POST /named', 200, 1, 401, 0 ],
    [ $two, 'POST /error', 200, 1, 401, 0 ],
    [ $two, 'POST /refused', 200, 1, 401, 0 ],
    [ $two, 'POST /redirect?s=k', 401, 0, 401, 0 ],
    # a handshake that was refused is not the answer of where it leads to
    [ $two, 'GET /hub?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x',
      200, 0, 401, 0 ],
    ($slice ? [ $two, 'GET /file', 200, 0, 401, 0 ] : ()),
) {
    my ($where, $what, @expected) = @$case;
    my $name = ($where ? 'server: ' : '') . $what;

    for my $key ('k', 'wrong', undef) {
        my ($status, $new) = splice @expected, 0, 2;
        ($status, $new) = @$case[4, 5] if !defined $status;

        my $answer = ask(request(split(/ /, $what), $key,
                                 $what =~ /^GET/ ? undef : $body, $CLOSE),
                         $where);
        my $said = defined $key ? $key : 'no key';

        is(statuses($answer), $status, "$name, $said");

        # a mirror is sent beside the answer
        if ($new) {
            wait_for(sub { redis_try($sock, 'LLEN', 'bull:seen:wait')
                           >= $seen + $new });
        }

        is(arrived(), $new, "$name, $said: $new arrived");
    }
}

like(ask(request('POST', '/ssi', 'k', $body, $CLOSE), $two), qr/\r\nplain\r\n/,
     'a part of a verified page is served');

if ($slice) {
    like(ask(request('GET', '/file', 'k', undef, $CLOSE), $two),
         qr/\r\n\r\nx{20000}\z/, 'all slices of a verified file are served');
}

# by signature

for my $uri ('/m', '/mirror', '/streamed', '/in_file') {
    my $long = '"' . 'x' x 100_000 . '"';

    for my $text ($body, $long) {
        my $size = length $text;

        is(statuses(ask(request('POST', $uri, 'sha256=' . hmac($text), $text,
                                $CLOSE))),
           200, "$uri, $size bytes");
        ok(wait_for(sub { redis_try($sock, 'LLEN', 'bull:seen:wait') > $seen }),
           "$uri, $size bytes: arrived");
        is(arrived(), 1, "$uri, $size bytes: once");

        my $id = redis_try($sock, 'LINDEX', 'bull:seen:wait', 0);
        is(redis_try($sock, 'HSTRLEN', "bull:seen:$id", 'data'), $size,
           "$uri, $size bytes: whole");

        is(statuses(ask(request('POST', $uri, 'sha256=' . hmac("$text "), $text,
                                $CLOSE))),
           401, "$uri, $size bytes, forged");
        is(arrived(), 0, "$uri, $size bytes, forged: nothing arrived");
    }
}

# what was not read is no request

my $inner = request('POST', '/p', 'k', $body);
my $last = request('POST', '/p', 'k', $body, $CLOSE);

for my $uri ('/p', '/enqueue', '/stream') {
    my $answer = ask(request('POST', $uri, 'wrong', $inner) . $last);
    like(statuses($answer), qr/^401( 200)?$/, "$uri: a request in a body");
    is(arrived(), $answer =~ / 200 / ? 1 : 0, "$uri: is not taken for one");

    my $chunked = sprintf "%x\r\n%s\r\n0\r\n\r\n", length $inner, $inner;
    $answer = ask(request('POST', $uri, 'wrong', undef,
                          'Transfer-Encoding: chunked') . $chunked . $last);
    like(statuses($answer), qr/^401( 200)?$/, "$uri: in a chunk");
    is(arrived(), $answer =~ / 200 / ? 1 : 0, "$uri: nor there");
}

# pipelined: each has a verdict of its own

my $many = join '', map { request('POST', '/p', $_, $body) } qw(k wrong k wrong);
is(statuses(ask($many . $last)), '200 401 200 401 200', 'pipelined: a verdict each');
is(arrived(), 3, 'pipelined: three arrived');

# Expect

my $expect = 'Expect: 100-continue';
is(statuses(ask(request('POST', '/p', 'wrong', $body, $expect, $CLOSE))), '401',
   'no body is asked for with a wrong key');
is(statuses(ask(request('POST', '/p', 'k', $body, $expect, $CLOSE))), '100 200',
   'with the right one it is');
is(statuses(ask(request('POST', '/m', 'sha256=' . hmac('x'), $body, $expect,
                        $CLOSE))),
   '100 401', 'a signature needs the body');
is(arrived(), 1, 'one arrived');

# a limit in front of an upstream

is(statuses(ask(request('POST', '/limited?k=1', undef, $body)
                . request('POST', '/limited?k=1', undef, $body, $CLOSE))),
   '200 429', 'limited');
is(arrived(), 1, 'limited: one arrived');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(), 'log');

done_testing();
