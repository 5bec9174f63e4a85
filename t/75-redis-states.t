# A real Redis in each state of the table in docs/redis.md: 503 while it lasts,
# what is told, and all is well again by itself.  Its connection lost, stopped,
# full, replaced by a script: 70-redis-down.t.

use strict;
use warnings;

use IO::Socket::UNIX;
use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $run = $ENV{TEST_NGINX_RUN};
my $sock = "$run/states.sock";
my $port = port() + 4;
my $server = 'location /x { sluice_verify none; sluice_enqueue q id=$arg_id;
                            add_header X-Status $sluice_enqueue_status always; }';

sub ask { return redis_try($sock, @_) }

sub edge {
    my ($more, $url) = @_;

    nginx(http => 'sluice_redis ' . ($url || "unix:$sock") . " $more;",
          server => $server);
}

sub refused {
    my ($name, $status, $told) = @_;

    my ($code, $text) = post('/x', '{}');
    is($code, 503, "$name: 503");
    like($text, qr/X-Status: $status\r/, "$name: status");
    like($text, qr/Retry-After: 5\r/, "$name: Retry-After");
    ok(wait_for(sub { log_text() =~ $told }), "$name: told")
        or diag(log_text());
}

sub back {
    my ($name, $but) = @_;

    ok(wait_for(sub { post('/x', '{}') == 200 }), "$name: back by itself");
    ok(log_clean($but), "$name: log");
}

sub connects { return status_of()->{redis}[0]{connects} }

# warnings of settings that lose jobs, once a process and change

my $redis = start_redis($sock);
edge('');
is(post('/x', '{}'), 200, 'no AOF');
like(log_text(), qr/\[warn\].*loses jobs when it stops/, 'no AOF: warned of');
unlike(log_text(), qr/may drop jobs/, 'noeviction: nothing to warn of');
my $shown = status_of()->{redis}[0];
like($shown->{version}, qr/^[1-9]\d{4,5}$/, 'the version is shown');
is($shown->{no_aof}, 1, 'no AOF: shown');
is($shown->{evicts}, 0, 'noeviction: shown');

ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
ask('CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { connects() == 2 || !post('/x', '{}') }), 'connected again');
like(log_text(), qr/\[warn\].*"maxmemory-policy" is allkeys-lru/,
     'eviction: warned of');
my $times = () = log_text() =~ /loses jobs when it stops/g;
is($times, 1, 'no AOF: once');
is(status_of()->{redis}[0]{evicts}, 1, 'eviction: shown');
stop_redis($redis);
unlink $sock;

mkdir "$run/aof";
$redis = start_redis($sock, '--dir', "$run/aof", '--appendonly', 'yes');
edge('');
is(post('/x', '{}'), 200, 'AOF');
unlike(log_text(), qr/\[warn\]/, 'AOF: nothing to warn of');
is(status_of()->{redis}[0]{no_aof}, 0, 'AOF: shown');

# MISCONF: the append only file cannot be written

system('prlimit', "--pid=$redis", '--fsize=4096:unlimited') == 0 or die;
ok(wait_for(sub {
    ask('SET', 'filler', 'x' x 10_000) =~ /MISCONF/;
}), 'the file may not grow');
refused('MISCONF by AOF', 'unable', qr/refused 1 jobs of "bull:q:": .*MISCONF/);
system('prlimit', "--pid=$redis", '--fsize=unlimited:unlimited') == 0 or die;
back('MISCONF by AOF');
stop_redis($redis);
unlink $sock;

# MISCONF: nor the snapshot

mkdir "$run/rdb";
$redis = start_redis($sock, '--dir', "$run/rdb", '--save', '3600 1');
edge('');
is(post('/x', '{}'), 200, 'snapshots');
rename "$run/rdb", "$run/gone" or die;
rmdir "$run/gone" or die;
ask('BGSAVE');
ok(wait_for(sub {
    ask('INFO', 'persistence') =~ /rdb_last_bgsave_status:err/;
}), 'a snapshot fails');
refused('MISCONF by RDB', 'unable', qr/refused 1 jobs of "bull:q:": .*MISCONF/);
ask('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no');
back('MISCONF by RDB');
stop_redis($redis);
unlink $sock;

# BUSY: another client's script does not end

$redis = start_redis($sock, '--lua-time-limit', 30);
edge('timeout=900ms');
is(post('/x', '{}'), 200, 'before the script');

sub endless {
    my $s = IO::Socket::UNIX->new(Peer => $sock) or die;
    my $text = 'while true do end';
    print $s "*3\r\n\$4\r\nEVAL\r\n\$" . length($text)
             . "\r\n$text\r\n\$1\r\n0\r\n";
    $s->flush;
    ok(wait_for(sub { ask('PING') =~ /BUSY/ }), 'a script without end');
    return $s;
}

my $held = endless();
refused('BUSY', 'unable', qr/refused 1 jobs of "bull:q:": BUSY/);
edge('timeout=900ms');
refused('BUSY at the greeting', 'away', qr/is away: INFO: BUSY/);
ask('SCRIPT', 'KILL');
close $held;
back('BUSY');

# rights and passwords, taken away and given back

ask('ACL', 'SETUSER', 'edge', 'on', '>geheim', '~*', '&*', '+@all');
edge('', "unix:$sock?user=edge&password=geheim");
is(post('/x', '{}'), 200, 'a user');
ask('ACL', 'SETUSER', 'edge', '-evalsha');
refused('NOPERM', 'unable', qr/refused 1 jobs of "bull:q:": NOPERM/);
ask('ACL', 'SETUSER', 'edge', '+evalsha');
back('NOPERM');
ask('ACL', 'SETUSER', 'edge', 'resetkeys', '~other:*');
refused('NOPERM of a key', 'unable', qr/NOPERM/);
ask('ACL', 'SETUSER', 'edge', 'allkeys');
back('NOPERM of a key');
ask('ACL', 'DELUSER', 'edge');
ok(wait_for(sub { post('/x', '{}') == 503 }), 'the user is gone: 503');
ok(wait_for(sub { log_text() =~ /is away: AUTH: WRONGPASS/ }),
   'the user is gone: told');
unlike(log_text(), qr/geheim/, 'no password in the log');
ask('ACL', 'SETUSER', 'edge', 'on', '>geheim', '~*', '&*', '+@all');
back('the user is gone');

edge('');
is(post('/x', '{}'), 200, 'without a password');
ask('CONFIG', 'SET', 'requirepass', 'x');
is(post('/x', '{}'), 200, 'a connection keeps its user');
redis_to_auth('x', 'CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { post('/x', '{}') == 503 }), 'NOAUTH: 503');
ok(wait_for(sub { log_text() =~ /is away: INFO: NOAUTH/ }), 'NOAUTH: told');
redis_to_auth('x', 'CONFIG', 'SET', 'requirepass', '');
back('NOAUTH');

sub redis_to_auth {
    my ($password, @args) = @_;

    my $s = IO::Socket::UNIX->new(Peer => $sock) or die;
    print $s map { "*" . @$_ . "\r\n"
                   . join '', map { "\$" . length($_) . "\r\n$_\r\n" } @$_ }
             [ 'AUTH', $password ], [ @args ];
    $s->flush;
    readline $s for 1 .. 2;
}

# as many clients as there may be

my $control = IO::Socket::UNIX->new(Peer => $sock) or die;

sub control {
    print $control "$_[0]\r\n";
    $control->flush;
    return scalar readline $control;
}

stop_nginx();
like(control('CONFIG SET maxclients 1'), qr/OK/, 'one client at most');
edge('');
refused('too many clients', 'away',
        qr/is away: INFO: ERR max number of clients|closed by Redis|writing/);
ok(wait_for(sub { log_text() =~ /max number of clients/ }),
   'too many clients: the reason') or diag(log_text());
control('CONFIG SET maxclients 1000');
back('too many clients');
close $control;

# what the documentation says is enough for a user, is enough

open my $f, '<', "$ENV{TEST_NGINX_RUN}/../../docs/redis.md" or die;
my $docs = do { local $/; <$f> };
$docs =~ /^    (ACL SETUSER edge on .*?)\n\n/ms or die 'no ACL in the docs';
my @acl = split ' ', $1;
s/^>PASSWORD$/>s3cret/ for @acl;

ask('FLUSHALL');
ask('ACL', 'DELUSER', 'edge');
ask('ACL', 'LOG', 'RESET');
is(ask(@acl), 'OK', 'the ACL of the documentation');
nginx(http => "sluice_redis unix:$sock?user=edge&password=s3cret;",
      server => 'location /p { sluice_verify none; sluice_enqueue q;
                               location /p/later { sluice_verify none;
                                   sluice_enqueue q delay=5s; }
                               location /p/low { sluice_verify none;
                                   sluice_enqueue q priority=9 id=$arg_id; }
                             }');
is(post('/p', '{}'), 200, 'a user: a job');
is(post('/p/later', '{}'), 200, 'a user: one for later');
is(post('/p/low?id=a', '{}'), 200, 'a user: one with a priority');
is(post('/p/low?id=a', '{}'), 200, 'a user: a duplicate');
ask('HSET', 'bull:q:meta', 'paused', 1);
is(post('/p', '{}'), 200, 'a user: a paused queue');
is(redis_try($sock, 'SISMEMBER', 'sluice:queues', 'bull:q'), 1,
   'a user: the registry');
like(log_text(), qr/\[info\].*may not ask INFO, the version .* not known/,
     'a user: INFO is not needed');
is(status_of()->{redis}[0]{version}, 0, 'a user: the version is not known');
my @denied = map { my %e = @$_; "$e{reason} $e{object}" }
             @{ redis_try($sock, 'ACL', 'LOG') || [] };
is("@{[ sort grep { !/info|client/ } @denied ]}", '', 'a user: nothing denied');

# and what else it names, for what else there is

(my $plain = $docs) =~ s{\s+}{ }g;
my @more = $plain =~ m{With\ a\ database\ in\ the\ URL\ also\ `([^`]+)`;
                       \ with\ `wait_replicas`\ also\ `([^`]+)`;
                       \ with\ `sluice_tenants`\ also\ `([^`]+)`
                       \ and\ `([^`]+)`}x;
is(scalar @more, 4, 'a user: more of the documentation');
ask('ACL', 'SETUSER', 'edge', @more);
ask('ACL', 'LOG', 'RESET');
nginx(http => "sluice_redis unix:$sock?db=1&user=edge&password=s3cret
               wait_replicas=1;
               sluice_tenants zone=t:1m refresh=100ms;", server => $server);
is(post('/x', '{}'), 503, 'a user: no replica');
like(log_text(), qr/has jobs on 0 of 1 replicas/, 'a user: may wait');
redis_try($sock, 'EVAL', "redis.call('SELECT', 1)"
                         . "redis.call('SET', '{sluice:tenants}:version', 1)"
                         . "redis.call('HSET', 'sluice:tenants', 'a', '{}')",
          0);
ok(wait_for(sub { log_text() =~ /loaded version "1": 1 tenants/ }), 'a user: the tenant table')
    or diag(log_text());
@denied = map { my %e = @$_; "$e{reason} $e{object}" }
          @{ redis_try($sock, 'ACL', 'LOG') || [] };
is("@{[ sort grep { !/info|client/ } @denied ]}", '',
   'a user: nothing more denied');

# a right less, and it is not

for my $less (grep { /^\+(evalsha|sadd|script|xadd|hset|lpush)/ } @acl) {
    (my $word = $less) =~ s/^\+/-/;
    ask('ACL', 'SETUSER', 'edge', $word);
    ask('CLIENT', 'KILL', 'USER', 'edge');
    ask('DEL', 'sluice:queues');
    post('/p', '{}');
    my $rc = post('/p', '{}');
    my $known = ask('EXISTS', 'sluice:queues');
    ok($rc == 503 || !$known, "a user: $less is needed");
    ask('ACL', 'SETUSER', 'edge', $less);
}

stop_redis($redis);
unlink $sock;

# LOADING

mkdir "$run/load";
$redis = start_redis($sock, '--dir', "$run/load");
ask('EVAL', "for i = 1, 3000 do redis.call('SET', 'k' .. i, i) end", 0);
is(ask('SAVE'), 'OK', 'a snapshot');
stop_redis($redis);
unlink $sock;

$redis = start_redis($sock, '--dir', "$run/load", '--key-load-delay', 1000,
                     '--loading-process-events-interval-bytes', 1024);
like(ask('GET', 'k1'), qr/LOADING/, 'it loads');
edge('');
refused('LOADING', 'away', qr/is away: SCRIPT LOAD add: LOADING/);
back('LOADING');
stop_redis($redis);
unlink $sock;

# a replica from the start, and one that became it while its master is away

$redis = start_redis($sock, '--replicaof', '127.0.0.1 1');
edge('');
refused('a replica', 'away', qr/is away: it is a replica, not the master/);
ask('REPLICAOF', 'NO', 'ONE');
back('a replica');

my $connects = connects();
ask('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
ask('REPLICAOF', '127.0.0.1', '1');
refused('MASTERDOWN', 'unable', qr/refused 1 jobs of "bull:q:": MASTERDOWN/);
like(log_text(), qr/is away: it became a replica/, 'MASTERDOWN: dropped');
ask('REPLICAOF', 'NO', 'ONE');
back('MASTERDOWN');
cmp_ok(connects(), '>', $connects, 'MASTERDOWN: another connection');
stop_redis($redis);
unlink $sock;

# a failover by name: the master becomes a replica, the name leads elsewhere

my $other = "$run/other.sock";
my $names = "$run/names";

sub leads {
    open my $n, '>', "$names.new" or die;
    print $n "$_[0]\n";
    close $n;
    rename "$names.new", $names or die;
}

$redis = start_redis($sock, '--port', $port, '--bind', '127.0.0.1');
my $second = start_redis($other, '--port', $port, '--bind', '127.0.0.2',
                         '--replicaof', "127.0.0.1 $port");
leads('127.0.0.1');
my $dns = fake_dns(port() + 5, $names);
nginx(http => "sluice_redis redis://events.invalid:$port;
               resolver 127.0.0.1:@{[ port() + 5 ]} ipv6=off valid=1s;",
      server => $server);
is(post('/x?id=first', '{}'), 200, 'the first master');

redis_try($other, 'REPLICAOF', 'NO', 'ONE');
leads('127.0.0.2');
sleep 1.1;    # the name is remembered for a second
ask('REPLICAOF', '127.0.0.2', $port);
ok(wait_for(sub { post('/x?id=second', '{}') == 200 }), 'the second master');
is(redis_try($other, 'EXISTS', 'bull:q:e-second'), 1, 'has the job');
like(log_text(), qr/it became a replica/, 'the first was left');
unlike(log_text(), qr/connect\(\)/, 'nothing failed to connect');

stop_redis($_) for $redis, $second, $dns;
unlink $sock, $other;

# a reply cut in the middle, then closed, or never ended

my $cut = sub {
    my ($end) = @_;

    return sub {
        my ($c, $close) = @_;

        my $word = uc $c->[0];
        my $info = "redis_version:7.0.15\r\n";
        return '$' . length($info) . "\r\n$info\r\n" if $word eq 'INFO';
        return "\$40\r\n" . Digest::SHA::sha1_hex($c->[2]) . "\r\n"
            if $word eq 'SCRIPT';
        return ":1\r\n" if $word eq 'SADD';
        return "+OK\r\n" if $word ne 'EVALSHA';
        $$close = $end;
        return "*1\r\n\$40\r\nhalf of an i";
    };
};

my $fake = fake_redis($sock, $cut->(1));
edge('timeout=400ms');
refused('cut and closed', 'away', qr/is away: closed by Redis, 1 commands/);
ok(log_clean(), 'cut and closed: log');
stop_redis($fake);
unlink $sock;

$fake = fake_redis($sock, $cut->(0));
edge('timeout=400ms');
refused('cut and silent', 'away', qr/is away: timed out, 1 commands/);
ok(log_clean(), 'cut and silent: log');
stop_redis($fake);
unlink $sock;

# protected mode says so and closes, before anything was asked

$fake = fake_redis($sock, sub {
    my ($c, $close) = @_;
    $$close = 1;
    return "-DENIED Redis is running in protected mode because ...\r\n";
});
edge('timeout=400ms');
refused('protected mode', 'away', qr/is away: INFO: DENIED Redis is running/);
stop_redis($fake);

ok(stop_nginx(), 'nginx ends');

done_testing();
