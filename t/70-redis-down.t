# Redis away in each way there is: 503 with Retry-After, never a 4xx, never a
# hanging client, and all is well again by itself when Redis is back.

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/down.sock";
my $server = 'location /x { sluice_verify none; sluice_enqueue q; }
              location /big { sluice_verify none; sluice_enqueue big;
                              client_body_buffer_size 4m; }';

sub edge {
    my ($more) = @_;

    my $glue = $more =~ /^\?/ ? '' : ' ';
    nginx(http => "sluice_redis unix:$sock$glue$more;", server => $server);
}

sub refused {
    my ($name) = @_;

    my ($status, $text) = post('/x', '{}');
    is($status, 503, "$name: 503");
    like($text, qr/^Retry-After: 5\r$/m, "$name: Retry-After");
    like($text, qr/"detail":"the event could not be stored, try again"/,
         "$name: says so");
}

sub back {
    my ($name, $but) = @_;

    ok(wait_for(sub { post('/x', '{}') == 200 }), "$name: back by itself");
    ok(log_clean($but), "$name: log");
}

sub statuses { return map { answer($_) =~ m{^HTTP/1.1 (\d+)} ? $1 : 0 } @_ }

# a version and all the rest of a greeting
my $greeting = sub {
    my ($c, $version) = @_;

    my $word = uc $c->[0];
    my $info = "# Server\r\nredis_version:" . (!$version || ref $version
                                               ? '7.0.15' : $version) . "\r\n";
    return '$' . length($info) . "\r\n$info\r\n" if $word eq 'INFO';
    return "\$40\r\n" . sha1_hex($c->[2]) . "\r\n" if $word eq 'SCRIPT';
    return ":1\r\n" if $word eq 'SADD';
    return "+OK\r\n" if $word =~ /^(AUTH|SELECT|CLIENT|HELLO)$/;
    return undef;
};

# not there: NGINX itself calls a missing socket critical

my $missing = qr/connect\(\) to unix:.* failed \(2: No such file/;

edge('');
refused('no socket');
refused('no socket, again');

my $before = () = log_text() =~ /connect\(\) to/g;
post('/x', '{}') for 1 .. 50;
my $after = () = log_text() =~ /connect\(\) to/g;
cmp_ok($after - $before, '<=', 5, 'no socket: not one connect a request');

my $redis = start_redis($sock);
back('socket', $missing);
like(http_get(port(), '/health'), qr/ 200 OK/, 'health');

# killed while connected

stop_redis($redis);
unlink $sock;
ok(wait_for(sub { post('/x', '{}') == 503 }), 'killed: 503');
like(http_get(port(), '/health'), qr/ 503 .*is (down|connecting)/s,
     'killed: health');
$redis = start_redis($sock);
back('killed', $missing);
is(status_of()->{redis}[0]{connections}{ready}, 1, 'killed: status');

# stopped: the deadline is for all, and later requests are answered at once

edge('timeout=400ms');
is(post('/x', '{}'), 200, 'before the stop');
kill 'STOP', $redis;
my $start = time;
my @waiting = map { send_post('/x', '{}') } 1 .. 20;
my @status = statuses(@waiting);
my $took = time - $start;
is("@status", "@{[ (503) x 20 ]}", 'silent: all 503');
cmp_ok($took, '<', 7, 'silent: in time, not one after the other');
cmp_ok($took, '>=', 0.3, 'silent: not before');
like(log_text(), qr/is away: timed out, \d+ commands lost/, 'silent: told');
kill 'CONT', $redis;
back('silent');

# more than the socket holds, while Redis does not read

redis_try($sock, 'FLUSHALL');
edge('timeout=9s');
is(post('/x', '{}'), 200, 'before the pause');
kill 'STOP', $redis;
my $large = '{"a":"' . 'x' x 300_000 . '"}';
@waiting = map { send_post('/big', $large) } 1 .. 20;
ok(wait_for(sub { status_of()->{events}{in_flight} >= 20 }),
   'partial writes: all wait');
kill 'CONT', $redis;
@status = statuses(@waiting);
is("@status", "@{[ (200) x 20 ]}", 'partial writes: all 200');
is(redis_try($sock, 'LLEN', 'bull:big:wait'), 20, 'partial writes: all jobs');

# more than may be in flight

kill 'STOP', $redis;
my $huge = '{"a":"' . 'y' x 3_500_000 . '"}';
@waiting = map { send_post('/big', $huge) } 1 .. 22;
ok(wait_for(sub { status_of()->{events}{failed} > 0 }),
   'full: refused before the deadline');
kill 'CONT', $redis;
@status = statuses(@waiting);
is(scalar(grep { $_ != 200 && $_ != 503 } @status), 0, 'full: 200 or 503');
cmp_ok(scalar(grep { $_ == 200 } @status), '>=', 15, 'full: most are stored');
is(redis_try($sock, 'LLEN', 'bull:big:wait'),
   20 + grep({ $_ == 200 } @status), 'full: what was answered 200 is there');
back('full');

# states of a real server

redis_try($sock, 'FLUSHALL');
redis_try($sock, 'CONFIG', 'SET', 'maxmemory', '1');
refused('OOM');
like(log_text(), qr/refused 1 jobs of "bull:q:": .*OOM/, 'OOM: told');
like(http_get(port(), '/health'), qr/ 503 .*is not accepting/s, 'OOM: health');
redis_try($sock, 'CONFIG', 'SET', 'maxmemory', '0');
back('OOM');

redis_try($sock, 'SCRIPT', 'FLUSH');
is(post('/x', '{}'), 200, 'NOSCRIPT is repeated');

redis_try($sock, 'FLUSHALL');
redis_try($sock, 'SET', 'bull:q:wait', 'x');
sleep 1.1;    # one complaint a second
refused('WRONGTYPE');
like(log_text(), qr/refused 1 jobs of "bull:q:": .*WRONGTYPE/,
     'WRONGTYPE: told');
redis_try($sock, 'DEL', 'bull:q:wait');
back('WRONGTYPE');

redis_try($sock, 'REPLICAOF', '127.0.0.1', '1');
refused('READONLY');
redis_try($sock, 'REPLICAOF', 'NO', 'ONE');
back('READONLY');

# registered again after the registry was lost with its connection

redis_try($sock, 'FLUSHALL');
redis_try($sock, 'CLIENT', 'KILL', 'TYPE', 'normal');
back('flushed');
is(redis_try($sock, 'SISMEMBER', 'sluice:queues', 'bull:q'), 1,
   'flushed: in the registry');

# a good connection that was closed, as an idle one is: Redis is there

edge('');
is(post('/x', '{}'), 200, 'idle: connected');

for my $n (1 .. 3) {
    sleep 1.1;    # what makes it a good one
    redis_try($sock, 'CLIENT', 'KILL', 'TYPE', 'normal');
    ok(wait_for(sub { status_of()->{redis}[0]{losses} == $n }), 'idle: lost');
    is(post('/x', '{}'), 200, 'idle: not refused');
}

unlike(log_text(), qr/\[error\]/, 'idle: no error');

stop_redis($redis);
unlink $sock;

# passwords

$redis = start_redis($sock, '--requirepass', 'pass word');
edge('');
refused('no password');
like(log_text(), qr/is away: .*NOAUTH/, 'no password: told');
edge('?password=wrong-one');
refused('wrong password');
like(log_text(), qr/is away: .*WRONGPASS/, 'wrong password: told');
unlike(log_text(), qr/wrong-one/, 'wrong password: not shown');
edge('?password=pass%20word');
is(post('/x', '{}'), 200, 'right password');

open my $f, '>', "$ENV{TEST_NGINX_RUN}/password" or die;
print $f "pass word\nmore\n";
close $f;
edge("password_file=$ENV{TEST_NGINX_RUN}/password");
is(post('/x', '{}'), 200, 'password from a file');
stop_redis($redis);
unlink $sock;

$redis = start_redis($sock, '--user', 'edge', 'on', '>secret', '~*', '+@all');
edge('?user=edge&password=secret');
is(post('/x', '{}'), 200, 'a user');
stop_redis($redis);
unlink $sock;

# scripted servers

my %fake = (
    'version unsupported' => [ qr/5\.0\.14/, sub {
        return $greeting->($_[0], '5.0.14');
    } ],
    'LOADING' => [ qr/LOADING/, sub {
        return "-LOADING Redis is loading the dataset in memory\r\n";
    } ],
    'no RESP' => [ qr/is away/, sub {
        return "HTTP/1.1 400 Bad Request\r\n\r\n";
    } ],
    'silent greeting' => [ qr/timed out/, sub { return undef } ],
    'silent after the greeting' => [ qr/timed out/, $greeting ],
    'closed after the greeting' => [ qr/closed by Redis/, sub {
        my ($c, $close) = @_;
        $$close = 1 if $c->[0] eq 'EVALSHA';
        return $greeting->($c);
    } ],
    'an unexpected reply' => [ qr/an unexpected reply/, sub {
        my ($c) = @_;
        return $c->[0] eq 'EVALSHA' ? "+OK\r\n" : $greeting->($c);
    } ],
    'a reply too many' => [ qr/no command asked for/, sub {
        my ($c) = @_;
        return $c->[0] eq 'EVALSHA' ? "-ERR no\r\n:1\r\n:1\r\n"
                                    : $greeting->($c);
    } ],
    'an array too short' => [ qr/an unexpected reply/, sub {
        my ($c) = @_;
        return $c->[0] eq 'EVALSHA' ? "*0\r\n" : $greeting->($c);
    } ],
    'a result above 1' => [ qr/an unexpected reply/, sub {
        my ($c) = @_;
        return $c->[0] eq 'EVALSHA' ? "*1\r\n:2\r\n" : $greeting->($c);
    } ],
    'a result below 0' => [ qr/an unexpected reply/, sub {
        my ($c) = @_;
        return $c->[0] eq 'EVALSHA' ? "*1\r\n:-1\r\n" : $greeting->($c);
    } ],
    'NOSCRIPT for ever' => [ qr/NOSCRIPT/, sub {
        my ($c) = @_;
        return $c->[0] eq 'EVALSHA' ? "-NOSCRIPT No matching script.\r\n"
                                    : $greeting->($c);
    } ],
);

for my $name (sort keys %fake) {
    my ($told, $answer) = @{ $fake{$name} };
    my $pid = fake_redis($sock, $answer);

    edge('timeout=300ms');
    refused($name);
    like(log_text(), $told, "$name: told");
    ok(log_clean(), "$name: log");

    stop_redis($pid);
    unlink $sock;
}

# a name that nobody knows

nginx(http => 'sluice_redis redis://no-such-host.invalid:6379;',
      server => $server);
refused('no such host');
like(log_text(), qr/the host name is not resolved/, 'no such host: told');

nginx(http => 'sluice_redis redis://no-such-host.invalid:6379 timeout=300ms;
               resolver 127.0.0.1:9;', server => $server);
refused('no resolver');

# over TCP, in a database, by address and by a name that a resolver knows

my $tcp = port() + 4;
$redis = start_redis($sock, '--port', $tcp, '--bind', '127.0.0.1');
nginx(http => "sluice_redis redis://127.0.0.1:$tcp/2;", server => $server);
is(post('/x', '{}'), 200, 'TCP');
is(redis_try($sock, 'EVAL', "redis.call('SELECT',2)"
             . "return redis.call('LLEN','bull:q:wait')", 0), 1,
   'TCP: in the database');

# an idle connection is looked after: the timer 2 is that of SO_KEEPALIVE

ok(wait_for(sub {
    my $to = sprintf '0100007F:%04X', $tcp;
    open my $f, '<', '/proc/net/tcp' or die;
    grep { /^\s*\d+: 0100007F:\w+ $to 01 \S+ 02:/ } <$f>;
}), 'TCP: kept alive');

my $dns = fake_dns(port() + 5);
nginx(http => "sluice_redis redis://events.invalid:$tcp;
               resolver 127.0.0.1:@{[ port() + 5 ]} ipv6=off;",
      server => $server);
is(post('/x', '{}'), 200, 'a name');
like(log_text(), qr/is connected to events\.invalid/, 'a name: told');
ok(log_clean(), 'a name: log');

stop_redis($redis);
$redis = start_redis($sock, '--port', $tcp, '--bind', '127.0.0.1');
back('a name, resolved again', qr/connect\(\)/);
stop_redis($redis);
stop_redis($dns);

ok(stop_nginx(), 'nginx ends');

done_testing();
