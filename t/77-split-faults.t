# sluice_split with the tenant table, with a connection to Redis that ends in
# the middle of a webhook, and with clients that go away meanwhile.

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use SluiceServer;
use SluiceTest;
use Test::More;

my $sock = "$ENV{TEST_NGINX_RUN}/split.sock";
my $redis;

sub webhook {
    my (%items) = @_;

    return '{"object":"whatsapp_business_account","entry":[{"id":"77","changes":['
           . join(',', map {
                 my $number = $_;
                 '{"value":{"metadata":{"phone_number_id":"' . $number
                 . '"},"messages":[' . join(',', map { "{\"id\":\"wamid.$_\"}" }
                                        @{ $items{$number} })
                 . ']},"field":"messages"}' } sort keys %items)
           . ']}]}';
}

sub signed_post {
    my ($path, $body, $secret) = @_;
    my $s = send_post($path, $body, 'X-Hub-Signature-256' => 'sha256='
                                                             . hmac($body, $secret));
    return $s if defined wantarray;
}

sub asked {
    my ($text) = answer(signed_post(@_));
    return $text =~ m{^HTTP/1.1 (\d+)} ? $1 : 0;
}

sub jobs { return redis_try($sock, 'LLEN', "$_[0]:wait") || 0 }
sub events { return status_of()->{events} }


# ---- whose an item is: the number's tenant, and only who has signed for it

$redis = start_redis($sock);

for (['acme', 1, 's-acme'], ['globex', 2, 's-globex']) {
    my ($id, $number, $secret) = @$_;
    redis_try($sock, 'HSET', 'sluice:tenants', $id,
              qq({"id":"$id","paths":["/t/$id"],"numbers":["$number"],)
              . qq("secrets":[{"scheme":"meta","value":"$secret"}]}));
}
redis_try($sock, 'INCR', '{sluice:tenants}:version');

nginx(http => "sluice_redis unix:$sock timeout=2s;
               sluice_tenants zone=t:1m refresh=100ms;",
      server => '
    sluice_json $number /entry/0/changes/0/value/metadata/phone_number_id;
    location = /app {
        sluice_verify  meta secret=app;
        sluice_tenant  $number by=number;
        sluice_enqueue q;
        sluice_split   meta;
    }
    location /t/ {
        sluice_verify  meta secret=tenant;
        sluice_tenant  $uri by=path;
        sluice_enqueue q;
        sluice_split   meta;
    }
    location = /own {
        sluice_verify  meta secret=tenant;
        sluice_tenant  $number by=number;
        sluice_enqueue q;
        sluice_split   meta quarantine=strays;
    }');

ok(wait_for(sub { log_text() =~ /loaded version/ }), 'the table is loaded');

my $both = webhook(1 => ['a'], 2 => ['b'], 3 => ['c']);

is(asked('/app', $both, 'app'), 200, 'one app, many tenants');
is_deeply([map { jobs($_) } '{acme}:q', '{globex}:q', 'bull:quarantine'],
          [1, 1, 1], 'each item is its tenant\'s, or nobody\'s');

is(asked('/app', webhook(3 => ['d'], 1 => ['e']), 'app'), 200,
   'the first may be nobody\'s');
is_deeply([map { jobs($_) } '{acme}:q', '{globex}:q', 'bull:quarantine'],
          [2, 1, 2], 'the others are not');

redis_try($sock, 'DEL', map { ("$_:wait") } '{acme}:q', '{globex}:q',
          'bull:quarantine');
my $forged = webhook(1 => ['f'], 2 => ['g'], 3 => ['h']);

is(asked('/t/acme', $forged, 's-acme'), 200, 'signed by acme');
is_deeply([map { jobs($_) } '{acme}:q', '{globex}:q', 'bull:quarantine'],
          [2, 0, 1], 'globex gets nothing of it; nobody\'s is who signed it');
is(asked('/t/acme', $forged, 's-globex'), 401, 'signed by globex');
is(asked('/t/none', $forged, 's-acme'), 401, 'nobody\'s path');

redis_try($sock, 'DEL', map { ("$_:wait") } '{acme}:q', '{globex}:q');
$forged = webhook(1 => ['i'], 2 => ['j'], 3 => ['k']);

is(asked('/own', $forged, 's-acme'), 200, 'by the first number, signed by acme');
is_deeply([map { jobs($_) } '{acme}:q', '{globex}:q', 'bull:strays'],
          [1, 0, 2], 'the rest is set aside');
is(asked('/own', $forged, 's-globex'), 401, 'not by the second');
is(status_of()->{split}{quarantined}, 5, 'and counted');

stop_redis($redis);


# ---- the connection ends after the first of several calls

unlink $sock;
my $calls = 0;
my $server = '
    location /x {
        client_max_body_size 4m;
        sluice_verify none; sluice_enqueue q; sluice_split meta;
        sluice_respond 200 $sluice_enqueue_status;
    }';

my $fake = fake_redis($sock, sub {
    my ($command, $close) = @_;
    my $name = uc $command->[0];

    return "\$22\r\nredis_version:7.0.15\r\n\r\n" if $name eq 'INFO';
    return "+OK\r\n" if $name ne 'EVALSHA' && $name ne 'EVAL'
                        && $name ne 'SADD' && $name ne 'SCRIPT';
    return ":1\r\n" if $name eq 'SADD';
    return "\$40\r\n" . sha1_hex($command->[2]) . "\r\n" if $name eq 'SCRIPT';

    # a hundred are four calls; the end comes when all were read

    if (++$calls >= 3) {
        $$close = $calls == 4;
        return undef;
    }

    my $n = int((@$command - 4) / 9);
    return "*$n\r\n" . ":1\r\n" x $n;
});

nginx(http => "sluice_redis unix:$sock timeout=2s;", server => $server);

my $hundred = webhook(1 => [1 .. 100]);
is(scalar post('/x', $hundred), 503, 'lost in the middle: not all are durable');
my $events = events();
is($events->{received}, 100, 'each item counts');
is($events->{enqueued} + $events->{failed}, 100, 'what Redis has is enqueued');
cmp_ok($events->{enqueued}, '>', 0, 'some are');
is($events->{in_flight}, 0, 'none is left');

kill 'KILL', $fake;
waitpid $fake, 0;
delete $SluiceServer::children{$fake};
unlink $sock;


# ---- the same with a real one: what it has is a duplicate, the rest is stored

$redis = start_redis($sock);
ok(wait_for(sub { (post('/x', webhook(2 => ['z'])))[0] == 200 }),
   'Redis is back');
is(scalar post('/x', webhook(1 => [1 .. 40])), 200, 'some of them');
my $before = events();
is(scalar post('/x', $hundred), 200, 'all of them');
is(jobs('bull:q'), 101, 'none is doubled');
my $after = events();
is($after->{duplicate} - $before->{duplicate}, 40, 'duplicates are counted');
is($after->{enqueued} - $before->{enqueued}, 60, 'and the others');


# ---- clients that go away while their items are on their way

kill 'STOP', $redis;
my @gone = map { send_post('/x', webhook($_ => [1 .. 50])) } 11 .. 14;
ok(wait_for(sub { events()->{in_flight} == 200 }), '200 items in flight');
my $stays = send_post('/x', webhook(15 => [1 .. 50]));
close $_ for @gone;
ok(wait_for(sub { events()->{in_flight} == 250 }), 'and those of who stays');
kill 'CONT', $redis;
like(answer($stays), qr/ 200 .*accepted/s, 'who stays is answered');
ok(wait_for(sub { jobs('bull:q') == 351 }), 'all are stored');
ok(wait_for(sub { my $e = events(); $e->{in_flight} == 0
                  && $e->{received} == $e->{enqueued} + $e->{duplicate}
                                       + $e->{failed} + $e->{aborted} }),
   'the ledger balances');

ok(stop_nginx(), 'NGINX ends');
ok(log_clean(qr/connect\(\)/), 'nothing in the log');

done_testing();
