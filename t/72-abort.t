# Clients that go away: before the body, in it, while Redis works.  An event
# that is on its way is enqueued all the same; nothing is touched that is gone.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/abort.sock";
my $redis = start_redis($sock);

nginx(http => "sluice_redis unix:$sock timeout=5s;
               lingering_close off;
               sluice_limit_zone \$arg_k zone=k:64k;",
      server => 'location /x { sluice_verify none; sluice_enqueue q; }
                 location /m { sluice_verify meta secret=k; sluice_enqueue q; }
                 location /s { sluice_verify none; sluice_enqueue q;
                               client_max_body_size 10; }',
      listen => '');

is(post('/x', '{}'), 200, 'at first');

# while Redis works

kill 'STOP', $redis;
my @gone = map { send_post('/x', '{}') } 1 .. 10;
ok(wait_for(sub { status_of()->{redis}[0]{pending} >= 1
                  && status_of()->{events}{in_flight} == 10 }),
   'ten are in flight');
close $_ for @gone;
my $stays = send_post('/x', '{}');
kill 'CONT', $redis;
like(answer($stays), qr/ 200 OK/, 'one that stays is answered');
ok(wait_for(sub { redis_try($sock, 'LLEN', 'bull:q:wait') == 12 }),
   'those that went are enqueued');
ok(wait_for(sub { status_of()->{events}{enqueued} == 12 }), 'and counted');

# in the middle of the body, where it is verified and where it is not

for my $path ('/x', '/m') {
    my $s = send_post($path, '');
    close $s;
    $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port());
    print $s "POST $path HTTP/1.1\r\nHost: localhost\r\n"
             . "Content-Length: 100\r\n\r\n{\"a\":";
    $s->flush;
    ok(wait_for(sub { status_of()->{events}{in_flight} == 1 }),
       "$path: the body is read");
    close $s;
    ok(wait_for(sub { status_of()->{events}{in_flight} == 0 }),
       "$path: and given up");
}

is(status_of()->{events}{aborted}, 2, 'two were aborted');

# too large a body, told in pieces: refused, not aborted

my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port());
print $s "POST /s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         . "Transfer-Encoding: chunked\r\n\r\n20\r\n" . "x" x 32
         . "\r\n0\r\n\r\n";
like(answer($s), qr/ 413 /, 'too large');
ok(wait_for(sub { status_of()->{events}{in_flight} == 0 }), 'is over');
is(status_of()->{events}{aborted}, 2, 'and was not aborted');

# HTTP/2 streams that are reset while Redis works

my $curl = `curl -V 2>/dev/null`;

SKIP: {
    skip 'curl without HTTP/2', 3 if $curl !~ /HTTP2/;

    stop_nginx();
    nginx(http => "sluice_redis unix:$sock timeout=5s;", listen => 'http2',
          server => 'location /x { sluice_verify none; sluice_enqueue h2; }
                     location = /s1 { sluice_status; }', ping => 0);

    my $url = 'http://127.0.0.1:' . port();
    my @curl = ('curl', '-s', '-o', '/dev/null', '--http2-prior-knowledge');

    is(system(@curl, '-d', '{}', "$url/x"), 0, 'HTTP/2');
    kill 'STOP', $redis;
    my @pids = map {
        my $pid = fork;
        exec @curl, '-m', '0.3', '-d', '{}', "$url/x" if !$pid;
        $pid;
    } 1 .. 5;
    waitpid $_, 0 for @pids;
    kill 'CONT', $redis;
    ok(wait_for(sub { redis_try($sock, 'LLEN', 'bull:h2:wait') == 6 }),
       'HTTP/2: those that went are enqueued');
    is(system(@curl, '-d', '{}', "$url/x"), 0, 'HTTP/2: goes on');
}

ok(stop_nginx(), 'nginx ends');
ok(log_clean(), 'log');

done_testing();
