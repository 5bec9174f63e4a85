#!/usr/bin/perl
# The stand-in for the Graph API, asked as a client would ask it.

use strict;
use warnings;
use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256_hex);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

my $top = abs_path(dirname(__FILE__) . "/../..");
my $graph = $ENV{GRAPH_API} || "$top/build/graph-api";
my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->canonical->utf8;
my @pids;
my $parent = $$;

sub stop_all { kill TERM => @pids; waitpid($_, 0) for @pids; @pids = () }
END { my $code = $?; stop_all() if $$ == $parent; $? = $code }

# the receiver of webhooks: a line a request into a file; refuses the first
# POST, so that a repeat is seen

my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 64,
                                     ReuseAddr => 1) or die;
my $hook = "http://127.0.0.1:" . $listener->sockport;

sub receive {
    my ($posts, $token) = (0, "verify me & more");

    open my $out, ">>", "$dir/hooks" or die;
    $out->autoflush(1);
    $SIG{TERM} = sub { POSIX::_exit(0) };

    while (1) {
        my $c = $listener->accept or next;
        my (%headers, $body);
        my $line = <$c> // next;
        my ($method, $uri) = split / /, $line;

        while (defined(my $header = <$c>)) {
            last if $header eq "\r\n";
            $header =~ s/\r\n//;
            my ($k, $v) = split /: /, $header, 2;
            push @{$headers{lc $k}}, $v;
        }

        read $c, $body, $headers{"content-length"}[0]
            if $headers{"content-length"};

        my ($status, $answer) = ("200 OK", "");

        if ($method eq "GET") {
            my %q = map { my ($k, $v) = split /=/; $v //= "";
                          $v =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge; ($k, $v) }
                    split /&/, ($uri =~ s/.*\?//r);
            if ($q{"hub.mode"} eq "subscribe"
                && $q{"hub.verify_token"} eq $token)
            {
                $answer = $q{"hub.challenge"};
                $answer .= "\n" if $uri =~ m{^/sloppy};
            } else {
                $status = "403 Forbidden";
            }
        } else {
            $status = "503 Busy" if $uri =~ m{^/hook} && $posts++ == 0;
            print $out $json->encode({ uri => $uri, headers => \%headers,
                                       body => $body, status => $status })
                       . "\n";
        }

        print $c "HTTP/1.1 $status\r\nContent-Length: " . length($answer)
                 . "\r\nRetry-After: 7\r\nConnection: close\r\n\r\n$answer";
        close $c;
    }
}

my $pid = fork // die;
if (!$pid) { receive(); POSIX::_exit(0) }
push @pids, $pid;

# a free port for the stand-in

my $probe = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die;
my $port = $probe->sockport;
close $probe;

$pid = fork // die;
if (!$pid) {
    exec $graph, "--listen", "127.0.0.1:$port", "--token", "T0K", "--token",
         "T1K", "--app-secret", "s3cret", "--verify-token",
         "verify me & more", "--status-delay", "20", "--retry", "50",
         "--log", "$dir/log" or POSIX::_exit(127);
}
push @pids, $pid;

my $base = "http://127.0.0.1:$port";
my $http = HTTP::Tiny->new(timeout => 5, keep_alive => 0);

sub until_true {
    my ($what, $seconds, $test) = @_;
    my $end = time + $seconds;
    while (time < $end) {
        my $got = $test->();
        return $got if $got;
        sleep 0.01;
    }
    diag "waited $seconds s in vain: $what";
    return;
}

until_true("stand-in up", 10, sub {
    $http->get("$base/standin/health")->{status} == 200 })
    or BAIL_OUT("the stand-in does not start");

sub call {
    my ($method, $path, $body, %more) = @_;
    my $r = $http->request($method, "$base$path", {
        defined $body ? (content => ref $body eq "HASH"
                         ? $json->encode($body) : $body) : (),
        headers => { Authorization => "Bearer T0K",
                     "Content-Type" => "application/json",
                     %{$more{headers} || {}} } });
    return ($r->{status}, eval { $json->decode($r->{content}) }, $r);
}

sub text { return { messaging_product => "whatsapp", to => "+351912000111",
                    type => "text", text => { body => "hello" }, @_ } }

my $messages = "/v26.0/498877665544332/messages";
my ($status, $got, $r);

# the token

for (["none", undef], ["empty", "Bearer "], ["wrong", "Bearer nope"],
     ["another scheme", "Basic T0K"])
{
    $r = $http->post("$base$messages", { content => $json->encode(text()),
        headers => { $_->[1] ? (Authorization => $_->[1]) : () } });
    is "$r->{status} " . $json->decode($r->{content})->{error}{code},
       "401 190", "token: $_->[0]";
}

# what is accepted, and its shape

my %wamids;

for (["v26.0", $messages], ["any version", "/v99.1/498877665544332/messages"],
     ["no version", "/498877665544332/messages"])
{
    ($status, $got, $r) = call(POST => $_->[1], text());
    is $status, 200, "accepted: $_->[0]";
    like delete $got->{messages}[0]{id}, qr/^wamid\.[A-Za-z0-9+\/]+=*$/,
         "wamid: $_->[0]";
    is_deeply $got, { messaging_product => "whatsapp", messages => [{}],
        contacts => [{ input => "+351912000111", wa_id => "351912000111" }] },
        "shape: $_->[0]";
    is $r->{headers}{"content-type"}, "application/json; charset=UTF-8",
       "content type: $_->[0]";
}

($status, $got) = call(POST => $messages, text(), headers =>
                       { Authorization => "Bearer T1K" });
is $status, 200, "the second token";

($status, $got) = call(POST => $messages, text(to => "351 912-000 (111)"));
is $got->{contacts}[0]{wa_id}, "351912000111", "to without plus, with blanks";

{
    my @parts = ('{"messaging_product":"whatsapp","to":"+351912000111",',
                 '"text":{"body":"in', ' chunks"}}');
    $r = $http->post("$base$messages", { content => sub { shift @parts },
        headers => { Authorization => "Bearer T0K" } });
    is $r->{status}, 200, "chunked, type left out";
}

($status, $got) = call(POST => $messages, { messaging_product => "whatsapp",
    recipient => "PT.90871234567890123456", text => { body => "x" } });
is_deeply $got->{contacts}, [{ input => "PT.90871234567890123456",
    user_id => "PT.90871234567890123456" }], "to a user id: no wa_id";

($status, $got) = call(POST => $messages, text(type => "template",
    template => { name => "hello_world", language => { code => "en_US" } }));
is $got->{messages}[0]{message_status}, "accepted", "template: message_status";
like $got->{contacts}[0]{user_id}, qr/^PT\.\d+$/, "template: user_id";

($status, $got) = call(POST => $messages, { messaging_product => "whatsapp",
    status => "read", message_id => "wamid.X",
    typing_indicator => { type => "text" } });
is_deeply [$status, $got], [200, { success => JSON::PP::true }], "mark read";

# what is refused

for (
    ["no JSON",            100,    "{"],
    ["an array",           100,    "[]"],
    ["empty body",         100,    ""],
    ["no product",         100,    { to => "+351912000111" }],
    ["wrong product",      100,    text(messaging_product => "sms")],
    ["no recipient",       100,    do { my $t = text(); delete $t->{to}; $t }],
    ["to is a number",     100,    text(to => 351912000111)],
    ["to is no phone",     131009, text(to => "marta")],
    ["user id malformed",  131009, { messaging_product => "whatsapp",
        recipient => "nobody", text => { body => "x" } }],
    ["unknown type",       100,    text(type => "fax")],
    ["content missing",    131008, text(type => "image")],
    ["text.body missing",  100,    text(text => {})],
    ["text too long",      100,    text(text => { body => "x" x 4097 })],
    ["image without id",   131009, text(type => "image", image => {})],
    ["template language",  100,    text(type => "template",
                                        template => { name => "a" })],
    ["callback data long", 100,    text(biz_opaque_callback_data =>
                                        "x" x 513)],
    ["to the sender",      131021, text(to => "+15555544332")],
    ["status odd",         100,    { messaging_product => "whatsapp",
        status => "lost", message_id => "wamid.X" }],
    ["read of nothing",    131009, { messaging_product => "whatsapp",
        status => "read", message_id => "X" }],
) {
    ($status, $got) = call(POST => $messages, $_->[2]);
    is "$status " . ($got->{error}{code} // ""), "400 $_->[1]",
       "refused: $_->[0]";
}

($status, $got) = call(POST => $messages, text(text => {
    body => "\x{e4}" x 4096 }));
is $status, 200, "4096 characters of two bytes are not too long";

like $got->{messages}[0]{id}, qr/^wamid/, "accepted after refusals";
is((call(POST => "/v26.0/abc/messages", text()))[1]{error}{error_subcode}, 33,
   "a number that is none");
is((call(POST => "/v26.0/1/nonsense", {}))[1]{error}{code}, 2500,
   "an unknown path");

# failures by script

sub script {
    return (call(POST => "/standin/fail", { @_ }))[0];
}

my @script = (
    ["429",        429, 130429], ["500", 500, 1], ["503", 503, 2],
    ["131056",     400, 131056], ["code:131049", 400, 131049],
    ["code:190",   401, 190],
);

for (@script) {
    my ($mode, $http_status, $code) = @$_;
    is script(mode => $mode, match => { to => "351912000111" }), 200,
       "script $mode";
    is((call(POST => $messages, text(to => "+49170000001")))[0], 200,
       "$mode: another recipient passes");
    ($status, $got) = call(POST => $messages, text());
    is "$status $got->{error}{code}", "$http_status $code", "$mode: fails";
    like $got->{error}{fbtrace_id}, qr/^A/, "$mode: fbtrace_id";
    is((call(POST => $messages, text()))[0], 200, "$mode: once");
}

script(mode => "131056", http => 429, count => 2, match => { nth => 2 });
is join(" ", map { (call(POST => $messages, text()))[0] } 1 .. 4),
   "200 429 429 200", "nth, count and http";

for (["mode", { mode => "explode" }], ["count", { mode => "429", count => 0 }],
     ["match.nth", { mode => "429", match => { nth => 0 } }],
     ["http", { mode => "429", http => 99 }], ["mode", {}])
{
    ($status, $got) = call(POST => "/standin/fail", $_->[1]);
    is $status, 400, "bad script: $_->[0]";
    like $got->{error}, qr/^\Q$_->[0]\E:/, "bad script names $_->[0]";
}

call(POST => "/standin/reset");
is((call(GET => "/standin/requests"))[1]{total}, 0, "reset");

script(mode => "slow", ms => 300);
my $t = time;
($status) = call(POST => $messages, text());
ok $status == 200 && time - $t >= 0.29, "slow: accepted late";

# connections that end badly: accepted or not, answered never

sub raw {
    my ($how) = @_;
    my $body = $json->encode(text(biz_opaque_callback_data => $how));
    my $s = IO::Socket::INET->new("127.0.0.1:$port") or die;
    print $s "POST $messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
             . "T0K\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    return $s;
}

sub record_of {
    my ($how) = @_;
    my ($found) = grep { ($_->{biz_opaque_callback_data} // "") eq $how }
                  @{(call(GET => "/standin/requests"))[1]{requests}};
    return $found;
}

for (["reset", 0], ["reset_after", 1]) {
    my ($mode, $taken) = @$_;
    script(mode => $mode);
    my $s = raw($mode);
    my $n = sysread $s, my $buf, 100;
    ok !defined $n && $!{ECONNRESET}, "$mode: connection reset";
    my $record = record_of($mode);
    is defined $record->{wamid} ? 1 : 0, $taken, "$mode: accepted $taken";
    is $record->{answered}, undef, "$mode: not answered";
}

for (["timeout", 0], ["timeout_after", 1]) {
    my ($mode, $taken) = @$_;
    script(mode => $mode);
    my $s = raw($mode);
    my $record = until_true("$mode is seen", 5, sub { record_of($mode) });
    is defined $record->{wamid} ? 1 : 0, $taken, "$mode: accepted $taken";
    is_deeply [map { $_->{biz_opaque_callback_data} } grep { !$_->{closed} }
               @{(call(GET => "/standin/open"))[1]{requests}}], [$mode],
              "$mode: open";
    close $s;
    ok until_true("$mode is closed", 5,
                  sub { record_of($mode)->{closed} }), "$mode: client left";
}

{
    my $all = (call(GET => "/standin/open?within=60000"))[1]{requests};
    ok scalar(grep({ $_->{answered} } @$all)), "open?within has answered ones";
    my $keep = HTTP::Tiny->new(keep_alive => 1);
    my %seen;
    for (1 .. 2) {
        $keep->post("$base$messages", { content => $json->encode(
            text(biz_opaque_callback_data => "keep$_")),
            headers => { Authorization => "Bearer T0K" } });
    }
    is record_of("keep1")->{connection}, record_of("keep2")->{connection},
       "one connection, one number";
    isnt record_of("keep1")->{connection},
         record_of("timeout")->{connection}, "another one, another number";
}

# the webhook: subscribing, then statuses

sub hooks {
    open my $in, "<", "$dir/hooks" or return ();
    return map { $json->decode($_) } <$in>;
}

($status, $got) = call(POST => "/standin/subscribe", {
    callback_url => "$hook/hook", verify_token => "wrong" });
is "$status $got->{status}", "400 403", "subscribe: a wrong token";
($status, $got) = call(POST => "/standin/subscribe", {
    callback_url => "$hook/sloppy" });
is $status, 400, "subscribe: the challenge with a line feed is not the same";
($status) = call(POST => $messages, text());
is scalar(hooks()), 0, "no webhook before subscribing";
($status, $got) = call(POST => "/standin/subscribe", {
    callback_url => "$hook/hook" });
is $status, 200, "subscribe";

call(POST => "/standin/reset");
($status, $got) = call(POST => $messages, text(
    biz_opaque_callback_data => "tenant/\x{e4}", to => "+351912000222"));
my $wamid = $got->{messages}[0]{id};

ok until_true("three statuses", 10, sub {
    (grep { $_->{status} eq "200 OK" } hooks()) == 3 }), "three webhooks";

my @hooks = hooks();
is scalar(@hooks), 4, "the refused one came again";
ok !(grep { $_->{headers}{"x-hub-signature-256"}[0]
            ne "sha256=" . hmac_sha256_hex($_->{body}, "s3cret") } @hooks),
   "all are signed";
like $hooks[0]{body}, qr{tenant\\/\\u00e4}i, "escaped as Meta escapes";

my %told = map {
    my $v = $json->decode($_->{body})->{entry}[0]{changes}[0]{value};
    ($v->{statuses}[0]{status} => $v) } @hooks;

is join(" ", sort keys %told), "delivered read sent", "sent, delivered, read";
is $told{read}{statuses}[0]{id}, $wamid, "of this message";
is $told{read}{statuses}[0]{biz_opaque_callback_data}, "tenant/\x{e4}",
   "with its callback data";
is $told{read}{statuses}[0]{recipient_id}, "351912000222", "its recipient";
like $told{read}{contacts}[0]{user_id}, qr/^PT\./, "contacts have user ids";
like $told{read}{statuses}[0]{timestamp}, qr/^\d+$/, "timestamp is a string";
ok $told{sent}{statuses}[0]{pricing} && !$told{sent}{statuses}[0]{conversation},
   "pricing, no conversation: v24";
is $told{sent}{metadata}{phone_number_id}, "498877665544332", "its number";

unlink "$dir/hooks";

# other orders, repeats, failures, batches

kill TERM => shift @pids;
$pid = fork // die;
if (!$pid) { receive(); POSIX::_exit(0) }
unshift @pids, $pid;

is((call(POST => "/standin/statuses", { emit => ["lost"] }))[0], 400,
   "emit: an unknown status");
call(POST => "/standin/statuses", { emit => ["read", "read", "failed:131049"],
                                    delay => 5, batch => 100 });
call(POST => $messages, text()) for 1 .. 20;

my @statuses;
until_true("sixty statuses", 10, sub {
    @statuses = map { map { $_->{value}{statuses}[0] }
                      @{$json->decode($_->{body})->{entry}[0]{changes}} }
                grep { $_->{status} eq "200 OK" } hooks();
    @statuses >= 60 });

is scalar(grep { $_->{status} eq "read" } @statuses), 40, "read, twice";
is scalar(grep { $_->{status} eq "failed" && $_->{errors}[0]{code} == 131049 }
          @statuses), 20, "failed with its code";

is((call(GET => "/standin/webhooks"))[1]{told}, 63, "counted");

# a raw webhook, signed in four ways

for (["good", sub { @_ == 1 && $_[0] eq hmac_sha256_hex('{"a":1}', "s3cret") }],
     ["bad", sub { @_ == 1 && $_[0] ne hmac_sha256_hex('{"a":1}', "s3cret") }],
     ["missing", sub { @_ == 0 }], ["double", sub { @_ == 2 }])
{
    ($status, $got) = call(POST => "/standin/send-webhook?signature=$_->[0]"
                                   . "&url=$hook/raw", '{"a":1}');
    is "$status $got->{status} $got->{retry_after}", "200 200 7",
       "send-webhook: $_->[0]";
    my $last = (hooks())[-1];
    is $last->{body}, '{"a":1}', "the body as it was: $_->[0]";
    ok $_->[1]->(map { s/^sha256=//r }
                 @{$last->{headers}{"x-hub-signature-256"} || []}),
       "signature: $_->[0]";
}

is((call(POST => "/standin/send-webhook?signature=odd", "{}"))[0], 400,
   "send-webhook: an unknown signature");

# media, templates, numbers

{
    my $b = "xYz";
    my $form = join "", map { "--$b\r\nContent-Disposition: form-data; $_\r\n" }
        "name=\"messaging_product\"\r\n\r\nwhatsapp",
        "name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
        . "PNG\r\n\0data";
    ($status, $got) = call(POST => "/v26.0/1/media", "$form--$b--\r\n",
        headers => { "Content-Type" => "multipart/form-data; boundary=$b" });
    ok $got->{id}, "media: uploaded";
    my $id = $got->{id};
    ($status, $got) = call(GET => "/v26.0/$id");
    is "$got->{mime_type} $got->{file_size}", "image/png 10", "media: told";
    $r = $http->get($got->{url}, { headers => {
        Authorization => "Bearer T0K" } });
    is $r->{content}, "PNG\r\n\0data", "media: downloaded";
    is $http->get($got->{url})->{status}, 401, "media: not without a token";
    is((call(DELETE => "/v26.0/$id"))[0], 200, "media: deleted");
    is((call(DELETE => "/v26.0/$id"))[0], 400, "media: only once");
}

call(POST => "/v26.0/2/message_templates", { name => "t_$_", language => "en",
     category => "UTILITY" }) for 1 .. 6;

{
    my ($url, @names) = ("/v26.0/2/message_templates?limit=3");
    while ($url) {
        ($status, $got) = call(GET => $url);
        push @names, map { $_->{name} } @{$got->{data}};
        ($url = $got->{paging}{next}) && $url =~ s/^\Q$base\E//;
    }
    is "@names", "hello_world t_1 t_2 t_3 t_4 t_5 t_6", "templates: paged";
}

is((call(DELETE => "/v26.0/2/message_templates?name=t_3"))[0], 200,
   "templates: deleted");
is_deeply((call(GET => "/v26.0/498877665544332?fields=quality_rating"))[1],
          { id => "498877665544332", quality_rating => "GREEN" },
          "a number's fields");

{
    my %ids;
    call(POST => "/standin/statuses", { emit => [] });
    for (1 .. 500) {
        (undef, $got) = call(POST => $messages, text());
        $ids{$got->{messages}[0]{id}}++;
    }
    is scalar(keys %ids), 500, "500 messages, 500 ids";
}

open my $log, "<", "$dir/log" or die;
my @log = <$log>;
ok scalar(@log) > 500, "logged";
ok !(grep { /T0K|s3cret/ } @log), "no secret in the log";

kill TERM => $pids[1];
waitpid $pids[1], 0;
is $?, 0, "TERM ends it";
pop @pids;

done_testing;
