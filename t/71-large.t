# Large bodies: what never fits is refused for good before it is copied, what
# fits does not keep others from fitting, and no call holds Redis up.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;

my $sock = "$ENV{TEST_NGINX_RUN}/large.sock";
my $redis = start_redis($sock);

nginx(http => "sluice_redis unix:$sock timeout=20s;",
      server => 'client_max_body_size 0;
                 client_body_buffer_size 1m;
                 location /x { sluice_verify none; sluice_enqueue q; }
                 location /raw { sluice_verify none;
                                 sluice_enqueue q envelope=raw; }
                 location /json { sluice_json $a /a; sluice_respond 200 in; }');

sub refused {
    my ($name, $path, $body, %headers) = @_;

    my ($status, $text) = post($path, $body, %headers);

    is($status, 413, "$name: 413");
    like($text, qr{^Content-Type: application/problem\+json\r$}m,
         "$name: a problem");
    like($text, qr/"title":"Content Too Large".*"the body is too large"/,
         "$name: says so");
}

my $large = '{"a":"' . 'x' x (32 * 1024 * 1024 - 8) . '"}';

is(post('/raw', $large), 200, '32 MB: fits');
refused('32 MB and an envelope', '/x', $large);
refused('over 32 MB', '/raw', " $large");
refused('over 32 MB, only looked into', '/json', " $large");

# what is written in six bytes for one

refused('control characters', '/x', "\1" x 6_000_000, type => 'text/plain');
refused('base64', '/x', "\xff" x 26_000_000, type => 'image/png');

my $ledger = status_of()->{events};
is($ledger->{refused}, 4, 'counted as refused');
is($ledger->{in_flight}, 0, 'nothing is in flight');

# of one turn of the event loop, four bodies of 600 KB: two calls

sub calls {
    return redis_try($sock, 'INFO', 'commandstats')
           =~ /cmdstat_evalsha:calls=(\d+)/ ? $1 : 0;
}

# has NGINX read all that was sent?
sub taken {
    my $port = sprintf ':%04X', port();

    open my $f, '<', '/proc/net/tcp' or die;
    my @busy = grep { / \w+$port /
                      && / 0[1-9A-B] (?!00000000:00000000 )\w{8}:\w{8} / }
               grep { !/ 0A / } <$f>;

    return !@busy;
}

my $before = calls();
my @waiting = map { send_post('/x', '["' . 'y' x 600_000, more => 2) } 1 .. 4;

my ($worker) = workers();
ok(wait_for(sub { status_of()->{events}{in_flight} == 4 && taken() }),
   'four bodies');
kill 'STOP', $worker;
ok(wait_for(sub {
    open my $f, '<', "/proc/$worker/stat" or die;
    <$f> =~ /\) T /;
}), 'four bodies: no turn begins before the last');
print $_ '"]' for @waiting;
kill 'CONT', $worker;

is("@{[ map { answer($_) =~ m{^HTTP/1.1 (\d+)} ? $1 : 0 } @waiting ]}",
   '200 200 200 200', 'four bodies: stored');
is(calls() - $before, 2, 'four bodies: two calls');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(), 'log');

stop_redis($redis);

done_testing();
