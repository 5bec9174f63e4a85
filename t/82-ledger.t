# The ledger: it balances whatever ends a process, kill -9 under load at any
# moment, quit, reload, and says what was in flight.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/ledger.sock";
my $redis = start_redis($sock);
my $kills = $ENV{LEDGER_KILLS} || 20;

my $master = nginx(workers => 2,
                   http => "sluice_redis unix:$sock timeout=5s;",
                   server => 'location /x { sluice_verify api_key secret=k;
                                            sluice_enqueue q tenant=$arg_t; }
                              location /j { sluice_verify none;
                                            sluice_enqueue q; }');

sub balances {
    my ($group) = @_;

    my %c = %{ status_of()->{$group} };
    my $received = delete $c{received};
    my $sum = 0;
    $sum += $_ for values %c;

    return $sum == $received ? $received : undef;
}

# clients count what they sent and what was answered 200

sub client {
    pipe my $read, my $write or die;
    my $pid = fork;
    die if !defined $pid;

    return [ $pid, $read ] if $pid;

    my ($sent, $good) = (0, 0);
    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{PIPE} = 'IGNORE';

    while (!$stop) {
        my $s = send_post('/j', '{}') or next;
        $sent++;
        $good++ if answer($s) =~ m{^HTTP/1.1 200};
    }

    syswrite $write, "$sent $good\n";
    POSIX::_exit(0);
}

my @clients = map { client() } 1 .. 6;
my ($unbalanced, $fewer, $last) = (0, 0, 0);

srand($ENV{LEDGER_SEED} || 1);

for (1 .. $kills) {
    sleep 0.02 + rand 0.08;
    my @workers = workers($master);
    next if !@workers;
    kill 'KILL', $workers[rand @workers];

    my $received = eval { balances('events') };
    next if $@;                  # it was the one that would have answered
    $unbalanced++ if !defined $received;
    $fewer++ if defined $received && $received < $last;
    $last = $received if defined $received;
}

kill 'TERM', map { $_->[0] } @clients;
my ($sent, $good) = (0, 0);

for (@clients) {
    my ($s, $g) = split ' ', readline $_->[1];
    waitpid $_->[0], 0;
    $sent += $s;
    $good += $g;
}

ok(wait_for(sub { status_of()->{events}{in_flight} == 0 }), 'nothing is in flight');
is($unbalanced, 0, "balanced after each of $kills kills");
is($fewer, 0, 'and never counts down');

my %c = %{ status_of()->{events} };
my $jobs = redis_try($sock, 'LLEN', 'bull:q:wait');

cmp_ok($good, '>', 100, "there was load: $sent sent, $good answered 200");
ok(balances('events'), 'balanced in the end');
cmp_ok($c{enqueued}, '>=', $good, 'what was answered is counted');
cmp_ok($c{enqueued}, '<=', $jobs, 'what is counted is there');
cmp_ok($jobs, '<=', $c{enqueued} + $c{aborted}, 'what is there is counted');
cmp_ok($c{received}, '<=', $sent, 'no request twice');
cmp_ok($c{aborted}, '<=', $sent - $good, 'aborted is what had no answer');

# what a killed process had in flight is aborted, exactly

my $aborted = $c{aborted};
kill 'STOP', $redis;
my @waiting = map { send_post('/j', '{}') } 1 .. 10;
ok(wait_for(sub { status_of()->{events}{in_flight} == 10 }), '10 in flight');
kill 'KILL', workers($master);
ok(wait_for(sub { status_of()->{events}{aborted} == $aborted + 10 }),
   'all of them are aborted');
is(status_of()->{events}{in_flight}, 0, 'none in flight');
kill 'CONT', $redis;
answer($_) for @waiting;

# so it goes on over a reload and a quit

my $received = status_of()->{events}{received};
my @old = workers($master);
kill 'HUP', $master;
ok(wait_for(sub { my %new = map { $_ => 1 } workers($master);
                  keys %new && !grep { $new{$_} } @old }), 'reloaded');
is(status_of()->{events}{received}, $received, 'counters survive a reload');
ok(wait_for(sub { post('/j', '{}') == 200 }), 'and go on');
is(status_of()->{events}{received}, $received + 1, 'by one');
ok(balances('events') && defined balances('guarded'), 'balanced');

# a killed process that nobody replaces, whose pid is another's by then

sub with_pid {
    my ($want) = @_;

    # clone3() with set_tid: needs root and Linux 5.5
    my $tid = pack 'i', $want;
    my $args = pack 'Q10', 0, 0, 0, 0, 17, 0, 0, 0,
                    unpack('Q', pack 'P', $tid), 1;
    my $pid = syscall 435, $args, length $args;

    if ($pid == 0) {
        sleep 60;
        POSIX::_exit(0);
    }

    return $pid == $want ? $pid : ();
}

SKIP: {
    kill 'STOP', $redis;
    my @late = map { send_post('/j', '{}') } 1 .. 5;
    ok(wait_for(sub { status_of()->{events}{in_flight} == 5 }), '5 in flight');

    my @older = workers($master);
    kill 'HUP', $master;
    ok(wait_for(sub { my %is = map { $_ => 1 } @older;
                      grep { !$is{$_} } workers($master) }), 'reloaded');
    $aborted = status_of()->{events}{aborted};
    kill 'KILL', @older;
    ok(wait_for(sub { !grep { -e "/proc/$_" } @older }), 'the old are gone');
    my @others = map { with_pid($_) } @older;

    if (@others == @older) {
        is(status_of()->{events}{in_flight}, 5, 'nobody has settled that');
        kill 'KILL', (workers($master))[0];
        ok(wait_for(sub { status_of()->{events}{in_flight} == 0 }),
           'the next process knows them for dead, though their pids are used');
        is(status_of()->{events}{aborted}, $aborted + 5, 'as aborted');
    }

    kill 'KILL', @others;
    waitpid $_, 0 for @others;
    kill 'CONT', $redis;
    answer($_) for @late;
    skip 'a pid cannot be chosen here', 3 if @others != @older;
}

# many tenants: each has its last event

my $many = 2000;
my $from = int time;

for my $n (1 .. $many) {
    post("/x?t=tenant-$n", '{}', Authorization => 'Bearer k') == 200
        or fail("tenant-$n"), last;
}

my $seen = status_of()->{last_events};
is(scalar(@$seen), $many, 'each tenant is there');
is(scalar(grep { $_->{last_event} >= $from && $_->{last_event} <= time + 1 } @$seen),
   $many, 'with its time');

# an event in the spool is one that was heard

mkdir "$ENV{TEST_NGINX_RUN}/spool", 0700;
nginx(http => "sluice_redis unix:$ENV{TEST_NGINX_RUN}/nowhere.sock;
               sluice_spool $ENV{TEST_NGINX_RUN}/ledger size=64m;",
      server => 'location /x { sluice_verify api_key secret=k;
                               sluice_enqueue q tenant=$arg_t; }');
is(post('/x?t=spooled', '{}', Authorization => 'Bearer k'), 200, 'spooled');
is_deeply([ map { $_->{tenant} } @{ status_of()->{last_events} } ], [ 'spooled' ],
          'and heard');
ok(defined balances('events') && status_of()->{events}{spooled} == 1, 'counted');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(qr/No such file|exited on signal 9|zone "\w+" was locked by/), 'log');
stop_redis($redis);

done_testing();
