# 10,000 tenants: they fit into 20 MB, are found at the cost of ten, and a zone
# that is too small, a reload or a kill in the middle of a load harms nobody.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/many.sock";
my $redis = start_redis($sock);

sub r { return redis_try($sock, @_) }

# as the platform of a few numbers and keys has it
sub entry {
    my ($id, $n, %more) = @_;

    return JSON::PP->new->canonical->encode({
        id => $id, enabled => JSON::PP::true, rate => '50r/s', burst => 100,
        queue => 'events', class => 'medium', created => 1795000000000,
        updated => 1795000000000,
        secrets => [ { scheme => 'meta', value => sha256_hex("s$n") },
                     { scheme => 'verify_token', value => "token$n" } ],
        api_keys => [ sha256_hex("key$n"), sha256_hex("other$n") ],
        paths => [ "/hooks/meta/$id", "/hooks/stripe/$id" ],
        numbers => [ '' . (400000000000000 + $n) ], %more,
    });
}

# all at once, as a client that pipelines
sub fill {
    my ($count, %more) = @_;

    my @fields = map { ("tenant-$_", entry("tenant-$_", $_, %more)) }
                 1 .. $count;

    while (my @some = splice @fields, 0, 1000) {
        r('HSET', 'sluice:tenants', @some);
    }

    return r('INCR', '{sluice:tenants}:version');
}

sub loaded {
    my ($version) = @_;

    return wait_for(sub { log_text() =~ /loaded version "$version"/ });
}

sub table { return status_of()->{tenants}[0] }

my $server = '
    location /id     { sluice_tenant $arg_v;
                       sluice_respond 200 "$sluice_tenant $sluice_tenant_burst"; }
    location /path   { sluice_tenant $arg_v by=path;
                       sluice_respond 200 "$sluice_tenant"; }
    location /key    { sluice_tenant $arg_v by=api_key;
                       sluice_respond 200 "$sluice_tenant"; }
    location /number { sluice_tenant $arg_v by=number;
                       sluice_respond 200 "$sluice_tenant"; }
';

sub conf {
    my ($size, $refresh, %more) = @_;

    return (workers => 2, server => $server,
            http => "sluice_redis unix:$sock timeout=5s;
                     sluice_tenants zone=t:$size refresh=$refresh;", %more);
}

sub get {
    my ($path) = @_;
    my ($status, $body) = http_get(port(), $path) =~
                          m{\AHTTP/\S+ (\d+) .*?\r\n\r\n(.*)\z}s;
    return ($status || 0) == 200 ? $body : $status;
}

# ---- all of them, in 20 MB

my $version = fill(10_000);
my $master = nginx(conf('20m', '100ms'));

ok(loaded($version), '10,000 tenants are loaded');

my $table = table();
is($table->{tenants}, 10_000, 'all of them');
is($table->{refused}, 0, 'none is refused');

my $each = ($table->{bytes} - $table->{free}) / 10_000;
cmp_ok($each, '<=', 2048, "no more than 2 KB each, with all: $each");
cmp_ok($each, '<=', 1100, 'half of that');

is(get("/id?v=tenant-$_"), "tenant-$_ 100", "by id, $_") for 1, 5000, 10_000;
is(get("/path?v=/hooks/stripe/tenant-$_"), "tenant-$_", "by path, $_")
    for 1, 10_000;
is(get("/key?v=other$_"), "tenant-$_", "by key, $_") for 1, 10_000;
is(get('/number?v=' . (400000000000000 + $_)), "tenant-$_", "by number, $_")
    for 1, 10_000;
is(get('/id?v=tenant-10001'), 404, 'one too many');

# ---- one change: only that entry is made anew

r('HSET', 'sluice:tenants', 'tenant-7', entry('tenant-7', 7, burst => 8));
$version = r('INCR', '{sluice:tenants}:version');
ok(loaded($version), 'one changed');
is(get('/id?v=tenant-7'), 'tenant-7 8', 'it has');
cmp_ok(table()->{free}, '>=', $table->{free} - 8192,
       'in the room of the old one, or a page of its own');

# ---- all change, while there is load, reloads and kills: every answer has an
# entry whole, the old one or the new one

sub client {
    pipe my $read, my $write or die;
    my $pid = fork;
    die if !defined $pid;

    return [ $pid, $read ] if $pid;

    # until it is told to end, and then some with all that is new

    my (%seen, $end);
    $SIG{TERM} = sub { $end = 1 };

    for (my $left = 50; $left; $left -= $end ? 1 : 0) {
        my $n = 1 + int rand 10_000;
        my $got = get("/id?v=tenant-$n");

        # no answer: the process was killed with the request in hand
        $seen{!$got ? 'none'
              : $got =~ /\Atenant-$n (100|200|300|8)\z/ ? "burst $1"
              : $got}++;
    }

    syswrite $write, join(',', map { "$_=$seen{$_}" } sort keys %seen) . "\n";
    POSIX::_exit(0);
}

my @clients = map { client() } 1 .. 2;

for my $round (1 .. 3) {
    fill(10_000, burst => 200);
    sleep 0.15;
    kill 'HUP', $master;
    $version = fill(10_000, burst => 300);
    sleep 0.15;
    kill 'KILL', (workers($master))[0];
}

ok(loaded($version), 'loaded after the kills');
kill 'TERM', map { $_->[0] } @clients;

for my $client (@clients) {
    my $line = readline $client->[1];
    waitpid $client->[0], 0;
    unlike($line, qr/(?:^|,)(?:40\d|5(?!03)\d\d)=/, "answers: $line");
    like($line, qr/burst [23]00=\d+/, 'with what is new');
}

$version = fill(10_000);
ok(loaded($version), 'loaded at last');
is(table()->{tenants}, 10_000, 'all of them');
cmp_ok($table->{free} - table()->{free}, '<', 1_000_000,
       'little memory is left behind by killed processes');

# ---- killed with the lock on the table: all are loaded, also those that the
# next process found there before it had to make the table anew

my @sets = map { my $burst = $_;
                 [ map { ("tenant-$_", entry("tenant-$_", $_,
                                             burst => $burst)) } 1 .. 10_000 ]
           } 100, 200;

for my $round (1 .. 60) {
    my @fields = @{$sets[$round % 2]};

    while (my @some = splice @fields, 0, 1000) {
        r('HSET', 'sluice:tenants', @some);
    }

    $version = r('INCR', '{sluice:tenants}:version');
    sleep 0.02 + rand 0.25;
    kill 'KILL', workers($master);
    loaded($version) or last;

    last if log_text() =~ /killed while it changed the table/;
}

like(log_text(), qr/killed while it changed the table/, 'killed with the lock');
ok(loaded($version), 'loaded anew');
# another process may have had the version already, and be at it again
ok(wait_for(sub { table()->{tenants} == 10_000 }), 'whole');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(qr/exited on signal 9|was locked by/), 'log');

# ---- a zone that is too small

r('FLUSHALL');
fill(100);
nginx(conf('256k', '100ms'));
ok(loaded(1), 'a small table');
is(table()->{refused}, 0, 'that fits');

$version = fill(2000, burst => 5);
ok(loaded($version), 'a larger one');

$table = table();
cmp_ok($table->{no_memory}, '>', 500, 'does not');
is($table->{refused}, $table->{no_memory}, 'as is said');
is($table->{tenants} + $table->{no_memory} >= 2000, 1, 'nobody is lost');
like(log_text(), qr/refused the entry "tenant-\d+": has no room in the zone/,
     'by name');
my $lines = () = log_text() =~ /refused the entry/g;
is($lines, 20, 'but not all of them');
is(scalar(grep { get("/id?v=tenant-$_") !~ /^tenant-$_ (?:100|5)$/ } 1 .. 100),
   0, 'those that were there stay');

r('HDEL', 'sluice:tenants', map { "tenant-$_" } 101 .. 2000);
$version = r('INCR', '{sluice:tenants}:version');
ok(loaded($version), 'smaller again');
is(table()->{tenants}, 100, 'all of them');
is(table()->{refused}, 0, 'none is refused');
ok(stop_nginx(), 'nginx ends');
ok(log_clean(), 'log');

# ---- the cost of a lookup, in instructions

SKIP: {
    skip 'callgrind counts with the packaged NGINX', 3
        if !$ENV{TEST_NGINX_LOAD_MODULES} || $ENV{SLUICE_NGINX}
           || system('which valgrind >/dev/null');

    my %cost;

    for my $count (10, 10_000) {
        r('FLUSHALL');
        fill($count);
        mkdir $RUN;
        mkdir "$RUN/logs";
        SluiceServer::write_conf(conf('20m', '100ms', main =>
                                      'master_process off; daemon off;'));
        unlink "$RUN/logs/error.log";

        my $out = "$RUN/callgrind.$count";
        my $pid = fork;
        die if !defined $pid;

        if ($pid == 0) {
            open STDOUT, '>', '/dev/null';
            open STDERR, '>&', \*STDOUT;
            exec 'valgrind', '-q', '--tool=callgrind',
                 "--callgrind-out-file=$out",
                 '--toggle-collect=ngx_http_sluice_tenant_lookup*',
                 $ENV{TEST_NGINX_BINARY}, '-p', $RUN, '-c', "$RUN/nginx.conf"
                or POSIX::_exit(1);
        }

        # a load takes its time here

        for (1 .. 6) {
            last if wait_for(sub { log_text() =~ /: $count tenants, 0/ });
        }

        my $good = grep { (get(sprintf $_->[0], $_->[1]) || '')
                          eq "tenant-$_->[1]" . ($_->[0] =~ /id/ ? ' 100' : '') }
                   map { my $n = $_;
                         map { [ $_, $n ] } '/id?v=tenant-%d', '/key?v=key%d',
                             '/path?v=/hooks/meta/tenant-%d',
                             '/number?v=4000000000000%02d' } (1 .. 10) x 3;
        is($good, 120, "found among $count");

        kill 'QUIT', $pid;
        waitpid $pid, 0;

        open my $f, '<', $out or die "$out: $!";
        my ($total) = join('', <$f>) =~ /^(?:summary|totals): (\d+)/m;
        $cost{$count} = int($total / $good);
    }

    cmp_ok($cost{10_000}, '<', 1.15 * $cost{10},
           "$cost{10} instructions among 10 tenants, $cost{10_000} among "
           . '10,000');
}

stop_redis($redis);

done_testing();
