# A reload under load: every answer is 200, limits go on, and a configuration
# that does not fit is refused while the old one works on.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/reload.sock";
my $redis = start_redis($sock);
my $location = 'location /x { sluice_verify none; sluice_enqueue q; }
                location /l { sluice_limit zone=k rate=1r/h;
                              sluice_respond 200 in; }';
my %conf = (workers => 2, server => $location,
            http => "sluice_redis unix:$sock timeout=5s;
                     sluice_limit_zone \$arg_k zone=k:64k;");

my $master = nginx(%conf);

# keep-alive clients that send one request after another

sub client {
    my ($seconds) = @_;

    pipe my $read, my $write or die;
    my $pid = fork;
    die if !defined $pid;

    if ($pid) {
        close $write;
        return [ $pid, $read ];
    }

    my ($good, $bad) = (0, '');
    my $end = time + $seconds;

    while (time < $end) {
        my $status = post('/x', '{}');
        $status == 200 ? $good++ : ($bad .= " $status");
    }

    syswrite $write, "$good$bad\n";
    POSIX::_exit(0);
}

my @clients = map { client(3) } 1 .. 4;

for (1 .. 4) {
    sleep 0.6;
    my @old = workers($master);
    kill 'HUP', $master;
    ok(wait_for(sub { my %new = map { $_ => 1 } workers($master);
                      keys %new && !grep { $new{$_} } @old }),
       'reloaded');
}

my $sum = 0;

for my $client (@clients) {
    my $line = readline $client->[1];
    waitpid $client->[0], 0;
    like($line, qr/^\d+$/, "no answer but 200: $line");
    $sum += $1 if $line =~ /^(\d+)/;
}

cmp_ok($sum, '>', 50, "there was load: $sum requests");
is(redis_try($sock, 'LLEN', 'bull:q:wait'), $sum, 'each is one job');
ok(wait_for(sub { status_of()->{events}{enqueued} == $sum }),
   'the ledger survives the reload');
is(status_of()->{events}{aborted}, 0, 'none was aborted');

# what waits for Redis when the reload comes

kill 'STOP', $redis;
my @waiting = map { send_post('/x', '{}') } 1 .. 10;
ok(wait_for(sub { status_of()->{events}{in_flight} == 10 }), 'in flight');
my @old = workers($master);
kill 'HUP', $master;
ok(wait_for(sub { my %new = map { $_ => 1 } workers($master);
                  keys %new && !grep { $new{$_} } @old }), 'new processes');
kill 'CONT', $redis;
is(scalar(grep { answer($_) =~ / 200 OK/ } @waiting), 10,
   'old processes answer what waited');
ok(wait_for(sub { !grep { !gone($_) } @old }), 'and end');

# limits

like(http_get(port(), '/l?k=1'), qr/ 200 /, 'first');
like(http_get(port(), '/l?k=1'), qr/ 429 /, 'limited');
@old = workers($master);
kill 'HUP', $master;
ok(wait_for(sub { my %new = map { $_ => 1 } workers($master);
                  keys %new && !grep { $new{$_} } @old }), 'reloaded');
like(http_get(port(), '/l?k=1'), qr/ 429 /, 'limited after a reload');

# a zone that changes its meaning

SluiceServer::write_conf(%conf, http => "sluice_redis unix:$sock;
                                  sluice_limit_zone \$arg_j zone=k:64k;");
kill 'HUP', $master;
ok(wait_for(sub { log_text() =~
                  /uses the key "\$arg_j" while it used the key "\$arg_k"/ }),
   'refused');
is(post('/x', '{}'), 200, 'the old configuration works on');
like(http_get(port(), '/l?k=1'), qr/ 429 /, 'with its limits');

# another size is another zone

SluiceServer::write_conf(%conf, http => "sluice_redis unix:$sock;
                                  sluice_limit_zone \$arg_k zone=k:128k;");
kill 'HUP', $master;
ok(wait_for(sub { http_get(port(), '/l?k=1') =~ / 200 / }), 'fresh limits');

# Redis away over a reload

stop_redis($redis);
unlink $sock;
ok(wait_for(sub { post('/x', '{}') == 503 }), 'Redis is away');
kill 'HUP', $master;
$redis = start_redis($sock);
ok(wait_for(sub { post('/x', '{}') == 200 }), 'and back');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(qr/uses the key|No such file/), 'log');

done_testing();
