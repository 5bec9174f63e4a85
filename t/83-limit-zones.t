# Limits over time and processes: what is logged, the memory of a full zone, a
# body whose size is known only when it is there.

use strict;
use warnings;

use IO::Socket::INET;
use SluiceServer;
use SluiceTest;
use Test::More;

my $sock = "$ENV{TEST_NGINX_RUN}/zones.sock";
my $redis = start_redis($sock);

nginx(http => "sluice_redis unix:$sock;
               sluice_limit_zone \$arg_k zone=k:256k;
               sluice_limit_zone \$arg_k zone=dry:64k;
               sluice_limit_zone \$arg_k zone=size:64k;",
      server => 'keepalive_requests 100000;
                 location /k { sluice_limit zone=k rate=1r/h; sluice_respond 200 in; }
                 location /dry { sluice_limit zone=dry rate=1r/h;
                                 sluice_limit_dry_run on;
                                 sluice_limit_log_level warn;
                                 sluice_respond 200 "$sluice_limit_status"; }
                 location /loud { sluice_limit zone=dry rate=1r/h;
                                  sluice_limit_log_level error;
                                  sluice_respond 200 in; }
                 location /size { sluice_limit zone=size rate=1r/h burst=9 cost=size/10;
                                  sluice_verify none; sluice_enqueue q; }');

sub statuses {
    my (@paths) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port()) or die;
    my @statuses;

    # in portions that fit into the buffers of the sockets

    while (my @part = splice @paths, 0, 200) {
        print $s map { "GET $_ HTTP/1.1\r\nHost: localhost\r\n\r\n" } @part;
        $s->flush;

        for (@part) {
            my $status = readline $s;
            die 'no answer' if !defined $status;
            push @statuses, $status =~ /^HTTP\/1.1 (\d+)/;
            my ($len, $body) = (0);
            while (defined(my $line = readline $s)) {
                last if $line eq "\r\n";
                $len = $1 if $line =~ /^Content-Length: (\d+)/;
            }
            read $s, $body, $len;
        }
    }

    return @statuses;
}

sub zone { return (grep { $_->{name} eq 'k' } @{ status_of()->{zones} })[0] }

# 160 bytes a key: 256 KB hold 1638 at least

my @keys = map { "/k?k=$_" } 1 .. 1638;

is(scalar(grep { $_ == 200 } statuses(@keys)), 1638, 'each key passes once');
is(scalar(grep { $_ == 429 } statuses(@keys)), 1638, 'and is remembered');
is_deeply([ @{ zone() }{qw(bytes keys evicted)} ], [ 262144, 1638, 0 ],
          'none had to make room');

statuses(map { "/k?k=f$_" } 1 .. 1000);
my $full = zone();
cmp_ok($full->{evicted}, '>', 0, 'until the zone is full');
cmp_ok(262144 / $full->{keys}, '<=', 160, 'bytes a key');
is($full->{keys} + $full->{evicted}, 2638, 'every key is accounted for');

my $oldest = $full->{evicted};
is_deeply([ statuses("/k?k=1638", "/k?k=" . ($oldest + 1), "/k?k=1") ],
          [ 429, 429, 200 ], 'the oldest made room');

# dry run and levels

is_deeply([ statuses(map { '/dry?k=1' } 1 .. 3) ], [ 200, 200, 200 ],
          'a dry run lets pass');
like(http_get(port(), '/dry?k=1'), qr/limited_dry_run$/, 'and says so');
is(status_of()->{limits}{dry_run}, 3, 'and counts');
is(scalar(my @lines = log_text() =~
   /\[warn\] .*sluice would limit the request by zone "dry" for \d+ us/g), 3,
   'and logs at its level');
is_deeply([ statuses('/loud?k=1') ], [ 429 ], 'without it: refused');
like(log_text(),
     qr/\[error\] .*sluice limited the request by zone "dry" for \d+ us/,
     'at its level');

# in pieces, without a length

sub chunked {
    my ($key) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port()) or die;
    print $s "POST /size?k=$key HTTP/1.1\r\nHost: localhost\r\n"
             . "Content-Type: application/json\r\nConnection: close\r\n"
             . "Transfer-Encoding: chunked\r\n\r\n";
    print $s sprintf "%x\r\n%s\r\n", length, $_
        for '"' . 'a' x 29, 'b' x 29 . '"';
    print $s "0\r\n\r\n";

    return answer($s);
}

like(chunked(1), qr/^HTTP\/1.1 200/, '6 units of 10');
like(chunked(1), qr/^HTTP\/1.1 429.*RateLimit: "size";r=4;t=7200/s, '4 are left');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(), 'log');
stop_redis($redis);

done_testing();
