# sluice_queue_limit over=spool: what is over it is answered 200, waits on the
# disk, and comes in order as the queue has room, whatever happens meanwhile.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $sock = "$ENV{TEST_NGINX_RUN}/over.sock";
my $dir = "$ENV{TEST_NGINX_RUN}/over";
my $serial = 0;

sub edge {
    my (%conf) = @_;

    my $limit = defined $conf{limit} ? $conf{limit}
                                     : '20 medium=10 low=5 over=spool';

    nginx(http => "sluice_redis unix:$sock timeout=1s;
                   map \$sluice_item_number \$item_queue { 1 s1; 2 s2;
                                                         ~^7 \"n\$sluice_item_number\"; }
                   sluice_spool $dir @{[ $conf{spool} || 'size=64m' ]};",
          workers => $conf{workers} || 1,
          server => "sluice_verify none;
                     location /x { sluice_enqueue \$arg_q id=\$arg_id priority=\$arg_p;
                                   sluice_queue_limit $limit;
                                   sluice_respond 200 \"\$sluice_enqueue_status\"; }
                     location /d { sluice_enqueue \$arg_q;
                                   sluice_queue_limit 20 over=spool;
                                   sluice_limit_dry_run on;
                                   sluice_respond 200 \"\$sluice_enqueue_status\"; }
                     location /429 { sluice_enqueue \$arg_q id=\$arg_id;
                                     sluice_queue_limit 20; }
                     location /split { sluice_enqueue \$item_queue; sluice_split meta;
                                       sluice_queue_limit 20 over=spool;
                                       sluice_respond 200 \"\$sluice_enqueue_status\"; }
                     location /split429 { sluice_enqueue \$item_queue; sluice_split meta;
                                          sluice_queue_limit 20;
                                          add_header X-Was \$sluice_enqueue_status/\$sluice_limit_status always; }
                     location /fall { sluice_enqueue \$arg_q id=\$arg_id;
                                      sluice_queue_limit 20 over=spool;
                                      error_page 503 = \@straight; }
                     location \@straight { sluice_enqueue \$arg_q id=\$arg_id;
                                           sluice_respond 200 \"\$sluice_enqueue_status\"; }
                     location /splitfall { sluice_enqueue \$item_queue; sluice_split meta;
                                           sluice_queue_limit 20;
                                           error_page 429 = \@whole; }
                     location \@whole { sluice_enqueue whole id=\$arg_id envelope=raw;
                                        sluice_respond 200 \"\$sluice_enqueue_status\"; }
                     location /twice { sluice_enqueue \$arg_q;
                                       sluice_queue_limit 20;
                                       error_page 429 = \@twice; }
                     location \@twice { sluice_enqueue \$arg_q;
                                        sluice_queue_limit 20; }
                     location /off { sluice_enqueue \$arg_q id=\$arg_id;
                                     sluice_respond 200 \"\$sluice_enqueue_status\"; }");
}

sub redis_do { return redis_try($sock, @_) }

sub files {
    my @files = sort map { s{.*/}{}r } glob("$dir/*.spool");
    return @files;
}

# those of a class; the others are of "Redis is away"
sub held { my $c = shift || '[hml]'; return grep { /^default\.$c[0-9a-f]{8}\./ } files() }

sub depth { return redis_do('LLEN', "bull:$_[0]:wait") }

sub ids { return map { s/^e-//r } @{ redis_do('LRANGE', "bull:$_[0]:wait", 0, -1) || [] } }

# what a request is answered: accepted, spooled, or the status
sub send_one {
    my ($q, $id, $p, $path) = @_;

    my ($status, $text) = post(($path || '/x') . "?q=$q&id=$id&p=" . ($p || ''),
                               "{\"n\":\"$id\"}");
    return $status == 200 ? ($text =~ /\r\n\r\n(\w+)/ ? $1 : 200) : $status;
}

sub next_id { return sprintf 'i%05d', ++$serial }

# a queue with 30 jobs, and an edge that knows it
sub full {
    my ($q) = @_;

    redis_do('RPUSH', "bull:$q:wait", map { "x-$_" } 1 .. 30);
    return 0 if !wait_for(sub { send_one($q, 'probe', '', '/429') eq 429 });
    redis_do('LREM', "bull:$q:wait", 0, 'e-probe');
    return depth($q) == 30;
}

sub spooled {
    my ($q, $n, $p) = @_;

    my @ids;
    for (1 .. $n) {
        my $id = next_id();
        is(send_one($q, $id, $p), 'spooled', "$q: $id is spooled") or last;
        push @ids, $id;
    }
    return @ids;
}

# takes all jobs as a worker would, in order; how deep the queue was at most
sub take_all {
    my ($q, $n) = @_;

    my ($deepest, @got) = (0);
    wait_for(sub {
        my $depth = depth($q);
        $deepest = $depth if $depth > $deepest;
        for (1 .. 5) {
            my $id = redis_do('RPOP', "bull:$q:wait") or last;
            redis_do('DEL', "bull:$q:$id");
            push @got, $id =~ s/^e-//r if $id !~ /^x-|^e-probe/;
        }
        @got >= $n;
    });
    return ($deepest, @got);
}

sub balanced {
    my ($name) = @_;

    my %e = %{ status_of()->{events} };
    my $received = delete $e{received};
    my $sum = 0;
    $sum += $_ for values %e;
    is($sum, $received, "$name: the ledger balances");
}

my $redis = start_redis($sock);

# over the number: to the disk, and no further

edge();
is(post('/off?q=first', '{}'), 200, 'connected');
my @answers = map { my $id = next_id(); [ $id, send_one('a', $id) ] } 1 .. 2;
ok(wait_for(sub { my $id = next_id(); push @answers, [ $id, send_one('a', $id) ];
                  $answers[-1][1] eq 'spooled' }), 'the gate closes');
push @answers, map { my $id = next_id(); [ $id, send_one('a', $id) ] } 1 .. 100;
my @in = map { $_->[0] } grep { $_->[1] eq 'accepted' } @answers;
my @over = map { $_->[0] } grep { $_->[1] eq 'spooled' } @answers;
is(@in + @over, @answers, 'all are answered 200');
cmp_ok(abs(@in - 20), '<=', 1, @in . ' went in');
is(() = held('h'), 1, 'the others are in a file of class high');
is(status_of()->{events}{spooled}, @over, 'in the ledger');
is(status_of()->{limits}{spooled}, @over, 'and as what was over the number');
is(status_of()->{limits}{queue}, 0, 'none was refused');
cmp_ok(status_of()->{spool}{bytes}, '>', 50 * @over, 'and their bytes');
balanced('over');
like(http_get(port(), '/health'), qr/ 200 OK/, 'healthy');

# while the queue is full none comes, for as long as two looks at it

my $end = time + 2.5;
my $deepest = 0;
while (time < $end) {
    my $depth = depth('a');
    $deepest = $depth if $depth > $deepest;
    sleep 0.02;
}
is($deepest, @in, 'a full queue gets none');
is(status_of()->{spool}{replayed}, 0, 'none was tried');

# a worker takes: they come, in order, and the number holds

my @got;
($deepest, @got) = take_all('a', @answers);
is("@got", join(' ', @in, @over), 'all came once, in order');
cmp_ok($deepest, '<=', 21, "at most $deepest waited");
ok(wait_for(sub { !files() }), 'no file is left');
ok(wait_for(sub { !@{ redis_do('KEYS', '*sluice:spool*') } }), 'nor what Redis remembered of it');
is(status_of()->{spool}{replayed}, @over, 'replayed');
ok(wait_for(sub { send_one('a', next_id()) eq 'accepted' }), 'and the gate opens');
ok(wait_for(sub { !files() }), 'for good');

# a queue that is full holds up no other, nor a class another

ok(full('b'), 'b is full');
my @b = spooled('b', 5);
ok(full('c'), 'c is full');
my @c = spooled('c', 5);
is(() = held(), 2, 'a file each');
redis_do('DEL', 'bull:c:wait');
ok(wait_for(sub { "@{[ reverse ids('c') ]}" eq "@c" }), 'c comes while b is full')
    or diag(join ' ', ids('c'));
is(depth('b'), 30, 'b does not');
ok(wait_for(sub { (() = held()) == 1 }), 'its file is there');

redis_do('RPUSH', 'bull:k:wait', map { "x-$_" } 1 .. 12);
ok(wait_for(sub { send_one('k', next_id(), 'low') eq 'spooled' }), 'low is over at 5');
my @medium = spooled('k', 3, 'medium');
is(send_one('k', next_id(), 'high'), 'accepted', 'high is not at 13');
is(() = held('l'), 1, 'low has its file');
is(() = held('m'), 1, 'and medium');
redis_do('LTRIM', 'bull:k:wait', 0, 6);
ok(wait_for(sub { redis_do('ZCARD', 'bull:k:prioritized') == 3 }),
   'at 7 medium comes, up to 10, while low waits');
is(() = held('l'), 1, 'low is still there');
redis_do('DEL', 'bull:k:wait', 'bull:k:prioritized');
ok(wait_for(sub { !held('l') && !held('m') }), 'and comes');

# Redis goes silent and comes back: its events do not wait behind those of a full
# queue

kill 'STOP', $redis;
my $id = next_id();
is(send_one('a', $id, '', '/off'), 'spooled', 'Redis is silent');
is(scalar(grep { !/^default\.[hml][0-9a-f]{8}\./ } files()), 1, 'in the usual file');
kill 'CONT', $redis;
ok(wait_for(sub { grep { $_ eq $id } ids('a') }), 'back');
is(depth('b'), 30, 'while b is full');
is(() = held('h'), 1, 'and its file there');

# a worker process is killed: the next one takes the files over, and keeps to the
# number though nobody asks for the queue

my ($worker) = workers();
kill 'KILL', $worker;
ok(wait_for(sub { my ($w) = workers(); $w && $w != $worker }), 'killed');
ok(wait_for(sub { log_text() =~ /is taken over/ }), 'its file is taken over');
$end = time + 1.5;
$deepest = 0;
while (time < $end) {
    my $depth = depth('b');
    $deepest = $depth if $depth > $deepest;
    sleep 0.02;
}
is($deepest, 30, 'the new one does not overfill b');
redis_do('LTRIM', 'bull:b:wait', 0, 16);
ok(wait_for(sub { depth('b') == 20 }), 'three go in where there is room for three');
is("@{[ reverse grep { !/^x/ } ids('b') ]}", "@b[0 .. 2]", 'the first three');
($deepest, @got) = take_all('b', 5);
is("@got", "@b", 'then the others, once');
ok(wait_for(sub { !held() }), 'no file is left');
balanced('killed');

# while some wait, the next ones do too, though a worker makes room: all come in
# the order in which they were sent

ok(full('j'), 'j is full');
my @j = spooled('j', 20);
@got = ();
for (1 .. 40) {
    if (depth('j') > 14) {
        my $job = redis_do('RPOP', 'bull:j:wait');
        push @got, $job =~ s/^e-//r if $job !~ /^x-/;
    }
    push @j, spooled('j', 1);
}
push @got, (take_all('j', @j - @got))[1 .. @j - @got];
is("@got", "@j", 'in the order of all');
ok(wait_for(sub { !held() }), 'none waits');

# duplicates: what is stored already is one, when it comes

ok(full('e'), 'e is full');
my @twice = (next_id()) x 2;
is(send_one('e', $_), 'spooled', 'an event twice') for @twice;
redis_do('DEL', 'bull:e:wait');
ok(wait_for(sub { !held() }), 'replayed');
is(depth('e'), 1, 'is one job');

# items of a webhook, each by its own queue: two for s1, one for s2

sub items {
    my (@ids) = @_;

    my @changes = map {
        my $value = join ',', map { "{\"id\":\"wamid.$_\"}" } @{ $ids[$_ - 1] };
        "{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"$_\"},"
        . "\"messages\":[$value]}}" } 1 .. @ids;
    return '{"object":"whatsapp_business_account","entry":[{"id":"7","changes":['
           . join(',', @changes) . ']}]}';
}

ok(full('s1'), 's1 is full');
is(post('/off?q=s2&id=known', '{}'), 200, 's2 is not');
redis_do('DEL', 'bull:s2:wait');
my %before = (%{ status_of()->{events} }, map { ("limit_$_" => status_of()->{limits}{$_}) }
                                          qw(queue spooled));
my ($status, $text) = post('/split429', items([ 1, 2 ], [ 3 ]));
is($status, 429, 'refused where two of three have no room');
like($text, qr/Retry-After: 5\r\n.*"detail":"the queue is full"/s, 'and says why');
like($text, qr{X-Was: limited/limited}, 'in the variables too');
is(depth('s1'), 30, 'none for s1');
is(depth('s2'), 1, 'the other is stored');
is(post('/split429', items([ 1, 2 ], [ 3 ])), 429, 'again');
is(depth('s2'), 1, 'where it is a duplicate');
my %after = %{ status_of()->{events} };
is($after{limited} - $before{limited}, 4, 'limited: those without room');
is($after{enqueued} - $before{enqueued}, 1, 'enqueued: the one');
is($after{duplicate} - $before{duplicate}, 1, 'duplicate: once');
is(status_of()->{limits}{queue} - $before{limit_queue}, 4, 'refused by the gate');
balanced('items');

($status, $text) = post('/split', items([ 1, 2 ], [ 3, 4 ]));
is($status, 200, 'over=spool: 200');
is(depth('s1'), 30, 'none for s1 yet');
is(depth('s2'), 2, 'one more for s2');
is(() = held('h'), 1, 'those for s1 are on the disk');
is(status_of()->{limits}{spooled} - $before{limit_spooled}, 2, 'counted');
is(status_of()->{events}{spooled} - $before{spooled}, 2, 'in the ledger');
redis_do('DEL', 'bull:s1:wait');
ok(wait_for(sub { depth('s1') == 2 }), 'they come');
ok(wait_for(sub { !held() }), 'and the file goes');
is(post('/split429', items([ 1, 2 ], [ 3, 4 ])), 200, 'and are duplicates');
is(depth('s1'), 2, 'indeed');
balanced('items spooled');

# where an error_page leads, nothing is left of the location before: neither that
# the event was for the spool, nor that a part of it was refused

my $webhook = items([ 5, 6 ], [ 7 ]);
redis_do('DEL', 'bull:s1:wait');
ok(full('s1'), 's1 is full');
my $accepted = status_of()->{events}{enqueued};
($status, $text) = post('/splitfall?id=all', $webhook);
is($status, 200, 'the error_page of a webhook with items that have no room');
like($text, qr/\r\n\r\naccepted/, 'stores it');
unlike($text, qr/Retry-After/, 'without the field of the refusal');
is(redis_do('HGET', 'bull:whole:e-all', 'data'), $webhook, 'all of it');
is(status_of()->{events}{enqueued} - $accepted, 3, 'counted in items');
balanced('error_page of a split');

ok(full('w'), 'w is full');
rename $dir, "$dir.away" or die;
is(send_one('w', 'fallen', '', '/fall'), 'accepted', 'the error_page of a disk that fails');
rename "$dir.away", $dir or die;
ok(redis_do('EXISTS', 'bull:w:e-fallen'), 'gives it to Redis');
is(() = held(), 0, 'none waits');
balanced('error_page of a spool');

($status, $text) = post('/twice?q=w', '{}');
is($status, 429, 'the error_page of a refusal refuses too');
is(() = $text =~ /Retry-After/g, 1, 'with the field once');

# dry run

ok(full('f'), 'f is full');
is(send_one('f', 'n', '', '/d'), 'accepted', 'dry run lets in');

# without the number, what waits comes at once

ok(full('g'), 'g is full');
my @g = spooled('g', 70);
ok(stop_nginx(), 'stopped');
is(() = held(), 1, 'they are on the disk');
my ($file) = map { /([0-9a-f]{32})/ } held();
nginx(http => "sluice_redis unix:$sock timeout=1s; sluice_spool $dir size=64m;",
      server => '');
ok(wait_for(sub { !files() }), 'no number: replayed');
is("@{[ reverse grep { !/^x/ } ids('g') ]}", "@g", 'all, in order');
ok(redis_do('EXISTS', "bull::sluice:spool:$file"),
   'Redis remembers it: what was taken over may be restored once more');

# half of the spool at most

edge(spool => 'size=256k');
is(post('/off?q=first', '{}'), 200, 'connected');
ok(full('h'), 'h is full');
my %statuses;
my $pad = 'x' x 2000;
for (1 .. 100) {
    $id = next_id();
    $statuses{ scalar post("/x?q=h&id=$id", "{\"pad\":\"$pad\"}") }++;
}
cmp_ok($statuses{200}, '>=', 40, "$statuses{200} are spooled");
is($statuses{429}, 100 - $statuses{200}, 'then 429');
cmp_ok(status_of()->{spool}{bytes}, '<=', 131072, 'half of its size');
cmp_ok(status_of()->{limits}{queue}, '>=', $statuses{429}, 'counted');
kill 'STOP', $redis;
is(send_one('a', next_id(), '', '/off'), 'spooled', 'Redis away finds room');
kill 'CONT', $redis;
balanced('full');
redis_do('DEL', 'bull:h:wait');
ok(wait_for(sub { depth('h') == 20 }), 'up to the number');
redis_do('DEL', 'bull:h:wait');
my $left = $statuses{200};
ok(wait_for(sub { redis_do('DEL', 'bull:h:wait'); !files() }), 'and the rest');

# a webhook for more full queues than there is room for

my @numbers = map { 7000 + $_ } 1 .. 100;

sub numbered {
    my ($id, $text) = @_;

    my $changes = join ',', map {
        "{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"$_\"},"
        . "\"messages\":[{\"id\":\"$id\",\"text\":{\"body\":\"$text\"}}]}}" } @numbers;
    return "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"7\",\"changes\":["
           . "$changes]}]}";
}

redis_do('RPUSH', "bull:n$_:wait", 1 .. 20) for @numbers;
is(post('/split', numbered('first', '')), 200, 'a webhook for 100 queues');
ok(wait_for(sub { post('/split', numbered('known', '')); held() == 100 }),
   'each is known to be full');
post('/split', numbered('large', $pad));
cmp_ok(status_of()->{spool}{bytes}, '<=', 131072, 'half of the size is not exceeded by all at once');
balanced('all at once');
redis_do('DEL', map { "bull:n$_:wait" } @numbers);
ok(wait_for(sub { !files() }), 'replayed');

# more queues than may wait at a time

edge();
is(post('/off?q=first', '{}'), 200, 'connected');
redis_do('FLUSHALL');
%statuses = ();
for my $n (1 .. 260) {
    my $got;
    redis_do('RPUSH', "bull:many$n:wait", 1 .. 20);
    wait_for(sub { ($got = send_one("many$n", next_id())) ne 'accepted' });
    $statuses{$got}++;
}
is($statuses{spooled}, 256, '256 queues');
is($statuses{429}, 4, 'and no more');
redis_do('FLUSHALL');
ok(wait_for(sub { !held() }), 'all are replayed');
is(scalar(grep { depth("many$_") } 1 .. 260), 256, 'each to its queue');
balanced('many');

ok(stop_nginx(), 'nginx ends');
ok(log_clean(), 'log');
stop_redis($redis);

done_testing();
