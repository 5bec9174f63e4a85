# A sample of each scheme through NGINX: signed here, by what the senders'
# documentation says, and the vectors whose verdict does not hang on the clock.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1 hmac_sha1_hex hmac_sha256 hmac_sha256_hex
                   hmac_sha512_hex sha256_hex);
use JSON::PP;
use MIME::Base64 qw(encode_base64 decode_base64);
use SluiceServer;
use SluiceTest;
use Test::More;

my $redis = "$ENV{TEST_NGINX_RUN}/schemes.sock";
my $now = time;
my $secret = 'schemes-secret-1';
my $key = encode_base64('twenty-four bytes of key', '');
my $body = '{"id":"ev_1","type":"thing.done","event":"thing.done","n":1}';
my $form = 'Body=Hello+%26+all&From=%2B15550001&MessageSid=SM1'
           . '&MessageStatus=delivered';
my $files = "$ENV{TEST_NGINX_RUN}/schemes";

mkdir $files;


sub b64 { return encode_base64($_[0], '') }


sub b64url {
    my $text = b64($_[0]);
    $text =~ tr{+/}{-_};
    $text =~ s/=+\z//;
    return $text;
}


sub write_file {
    my ($name, $text) = @_;

    open my $f, '>', "$files/$name" or die "$name: $!";
    binmode $f;
    utf8::encode($text) if utf8::is_utf8($text);
    print $f $text;
    close $f;
    return "$files/$name";
}


sub openssl {
    my (@args) = @_;

    my $text = qx(openssl @args);
    die "openssl @args\n" if $?;
    return $text;
}


sub key_of {
    my ($name, @args) = @_;

    openssl('genpkey', @args, '-out', "$files/$name.pem", '2>/dev/null');
    return openssl("pkey -in $files/$name.pem -pubout -outform DER");
}


sub ed25519 {
    return openssl('pkeyutl -sign -rawin', '-inkey', "$files/ed25519.pem",
                   '-in', write_file('input', $_[0]));
}


sub ecdsa {
    return openssl('dgst -sha256', '-sign', "$files/ecdsa.pem",
                   write_file('input', $_[0]));
}


sub jwt {
    my ($claims) = @_;

    my $json = JSON::PP->new->canonical;
    my $text = b64url('{"alg":"HS256","typ":"JWT"}') . '.'
               . b64url($json->encode($claims));

    return $text . '.' . b64url(hmac_sha256($text, $secret));
}


my $ed25519 = unpack 'H*', substr key_of('ed25519', '-algorithm ed25519'), -32;
my $ecdsa = b64(key_of('ecdsa', '-algorithm EC -pkeyopt '
                                . 'ec_paramgen_curve:P-256'));
my $json = 'application/json';

# name => what the location has, and who signs: a function of the body, the
# time and the URL which returns header => value
my %schemes = (
    meta => { sign => sub { (
        'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($_[0], $secret)
    ) } },
    twilio => {
        conf => 'public_url=https://hooks.example.com$request_uri',
        type => 'application/x-www-form-urlencoded', body => $form,
        event => 'SM1:delivered', event_type => 'twilio.delivered',
        sign => sub { (
            'X-Twilio-Signature' => b64(hmac_sha1(
                "https://hooks.example.com/$_[2]" . join('', map {
                    my ($n, $v) = split /=/;
                    $v =~ tr/+/ /;
                    $v =~ s/%(..)/chr hex $1/ge;
                    $n . $v;
                } sort split /&/, $_[0]), $secret)),
        ) },
    },
    stripe => { timed => 1, event => 'ev_1', event_type => 'stripe.thing.done',
        sign => sub { (
            'Stripe-Signature' => "t=$_[1],v1="
                                  . hmac_sha256_hex("$_[1].$_[0]", $secret)
        ) },
    },
    github => { event => 'd-1', event_type => 'github.push',
        keeps => { 'x-github-event' => 'push', 'x-github-delivery' => 'd-1' },
        sign => sub { (
            'X-Hub-Signature-256' => 'sha256='
                                     . hmac_sha256_hex($_[0], $secret),
            'X-GitHub-Event' => 'push', 'X-GitHub-Delivery' => 'd-1',
        ) },
    },
    gitlab => { secret => "whsec_$key", timed => 1, event => 'msg_1',
        sign => sub { standard('webhook', @_) } },
    gitlab_token => { event => 'k-1', event_type => 'gitlab_token.Push Hook',
        plain => 1, sign => sub { (
            'X-Gitlab-Token' => $secret, 'Idempotency-Key' => 'k-1',
            'X-Gitlab-Event' => 'Push Hook',
        ) },
    },
    slack => { timed => 1, event_type => 'slack.thing.done', sign => sub { (
        'X-Slack-Request-Timestamp' => $_[1],
        'X-Slack-Signature' => 'v0='
                               . hmac_sha256_hex("v0:$_[1]:$_[0]", $secret),
    ) } },
    shopify => { event => 'w-1', event_type => 'shopify.orders/create',
        keeps => { 'x-shopify-topic' => 'orders/create' },
        sign => sub { (
            'X-Shopify-Hmac-Sha256' => b64(hmac_sha256($_[0], $secret)),
            'X-Shopify-Topic' => 'orders/create',
            'X-Shopify-Webhook-Id' => 'w-1',
        ) },
    },
    standard => { secret => "whsec_$key", timed => 1, event => 'msg_1',
        event_type => 'standard.thing.done',
        sign => sub { standard('webhook', @_) } },
    svix => { secret => "whsec_$key", timed => 1, event => 'msg_1',
        event_type => 'svix.thing.done',
        sign => sub { standard('svix', @_) } },
    square => { conf => 'public_url=https://hooks.example.com/square',
        event_type => 'square.thing.done', sign => sub { (
            'x-square-hmacsha256-signature' =>
                b64(hmac_sha256("https://hooks.example.com/square$_[0]",
                                $secret)),
        ) },
    },
    line => { sign => sub { (
        'x-line-signature' => b64(hmac_sha256($_[0], $secret)) ) } },
    zoom => { timed => 1, event_type => 'zoom.thing.done', sign => sub { (
        'x-zm-request-timestamp' => $_[1],
        'x-zm-signature' => 'v0=' . hmac_sha256_hex("v0:$_[1]:$_[0]", $secret),
    ) } },
    discord => { secret => $ed25519, other => '00' x 32,
        sign => sub { (
            'X-Signature-Timestamp' => $_[1],
            'X-Signature-Ed25519' => unpack('H*', ed25519("$_[1]$_[0]")),
        ) },
    },
    telegram => { plain => 1, sign => sub { (
        'X-Telegram-Bot-Api-Secret-Token' => $secret ) } },
    viber => { event_type => 'viber.thing.done', sign => sub { (
        'X-Viber-Content-Signature' => hmac_sha256_hex($_[0], $secret) ) } },
    sendgrid => { secret => $ecdsa, no_other => 1, sign => sub { (
        'X-Twilio-Email-Event-Webhook-Timestamp' => $_[1],
        'X-Twilio-Email-Event-Webhook-Signature' => b64(ecdsa("$_[1]$_[0]")),
    ) } },
    # its own 5 seconds are for tests/unit: here a machine may be slow
    paddle => { conf => 'tolerance=1h', timed => 1, sign => sub { (
        'Paddle-Signature' => "ts=$_[1];h1="
                              . hmac_sha256_hex("$_[1]:$_[0]", $secret),
    ) } },
    mailgun => { inside => 1, event => 'mg-1', event_type => 'mailgun.opened',
        body => encode_json({
            signature => { timestamp => "$now", token => 'tok',
                signature => hmac_sha256_hex("${now}tok", $secret) },
            'event-data' => { id => 'mg-1', event => 'opened' } }),
        sign => sub { () } },
    vonage => { timed => 1, sign => sub { (
        Authorization => 'Bearer ' . jwt({ iat => $_[1], jti => 'j1',
            payload_hash => sha256_hex($_[0]) }) ) } },
    messagebird => { timed => 1, conf => 'public_url=https://h.example.com/mb',
        event => 'j2', sign => sub { (
            'MessageBird-Signature-JWT' => jwt({ iss => 'MessageBird',
                iat => $_[1], nbf => $_[1], exp => $_[1] + 60, jti => 'j2',
                url_hash => sha256_hex('https://h.example.com/mb'),
                payload_hash => sha256_hex($_[0]) }),
        ) },
    },
    intercom => { event => 'ev_1', sign => sub { (
        'X-Hub-Signature' => 'sha1=' . hmac_sha1_hex($_[0], $secret) ) } },
    linear => { conf => 'tolerance=1h', timed => 1,
        body => '{"webhookTimestamp":' . $now . '000,"type":"Issue"}',
        stale => '{"webhookTimestamp":' . ($now - 4000) . '000}',
        event => 'l-1', event_type => 'linear.Issue',
        sign => sub { (
            'Linear-Signature' => hmac_sha256_hex($_[0], $secret),
            'Linear-Delivery' => 'l-1', 'Linear-Event' => 'Issue',
        ) },
    },
    wasender => { plain => 1, sign => sub { (
        'X-Webhook-Signature' => $secret ) } },
    waha => { event => 'ev_1', event_type => 'waha.thing.done', sign => sub { (
        'X-Webhook-Hmac' => hmac_sha512_hex($_[0], $secret),
        'X-Webhook-Hmac-Algorithm' => 'sha512',
    ) } },
    evolution => { timed => 1, body_is_free => 1, sign => sub { (
        Authorization => 'Bearer ' . jwt({ iat => $_[1], exp => $_[1] + 600,
            app => 'evolution', action => 'webhook' }) ) } },
    hmac => { conf => 'header=X-Mine signed={method}|{timestamp}.{body} '
                      . 'timestamp=X-Time encoding=base64 prefix=v7=',
        timed => 1, sign => sub { (
            'X-Time' => $_[1],
            'X-Mine' => 'v7=' . b64(hmac_sha256("POST|$_[1].$_[0]", $secret)),
        ) },
    },
    api_key => { plain => 1, sign => sub { (
        Authorization => "Bearer $secret" ) } },
    jwt => { conf => 'algorithms=HS256 audience=me', timed => 1,
        body_is_free => 1, event => 'j3', sign => sub { (
            Authorization => 'Bearer ' . jwt({ aud => 'me', jti => 'j3',
                iat => $_[1], exp => $_[1] + 60 }) ) } },
);


sub standard {
    my ($prefix, $text, $time) = @_;

    return ("$prefix-id" => 'msg_1', "$prefix-timestamp" => $time,
            "$prefix-signature" => 'v1,'
                . b64(hmac_sha256("msg_1.$time.$text", decode_base64($key))));
}


sub conf_of {
    my ($name, $value) = @_;

    return join ' ', "sluice_verify $name \"secret=$value\"",
                     map { "\"$_\"" } split ' ', $schemes{$name}{conf} || '';
}


# status, head and body of the answer
sub ask {
    my ($method, $target, $text, @headers) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port()) or die;
    my $head = "$method $target HTTP/1.1\r\nConnection: close\r\n";

    $head .= "Host: hooks.example.com\r\n" if !grep { lc eq 'host' } @headers;
    $head .= 'Content-Length: ' . length($text) . "\r\n"
        if length $text || $method eq 'POST';

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    print $s "$head\r\n$text";
    $s->flush;

    my $all = answer($s);
    my ($first, $rest) = split /\r\n\r\n/, $all, 2;
    my ($status) = ($first || '') =~ m{^HTTP/1.1 (\d+)};

    return ($status || 0, $first, defined $rest ? $rest : '');
}


my $pid = start_redis($redis);
my $server = '';

for my $name (sort keys %schemes) {
    my $scheme = $schemes{$name};
    my $value = $scheme->{secret} || $secret;
    my $other = $scheme->{other} || "whsec_" . b64('another key of 24 bytes!');

    $server .= "location = /$name { " . conf_of($name, $value) . ";
                   sluice_enqueue $name; client_max_body_size 32m; }\n";
    $server .= "location = /$name/other { "
               . conf_of($name, $other) . "; sluice_enqueue $name; client_max_body_size 32m; }\n"
        if !$scheme->{no_other};
}

nginx(http => "sluice_redis unix:$redis;
               log_format v '\$uri \$sluice_verify_status \$sluice_event_id';",
      server => "access_log logs/verify.log v;\n$server");

for my $name (sort keys %schemes) {
    my $scheme = $schemes{$name};
    my $text = $scheme->{body} || $body;
    my @type = ('Content-Type' => $scheme->{type} || $json);
    my @signed = $scheme->{sign}->($text, $now, $name);
    my ($field, $proof) = @signed;

    # the last of several is the signature, of those in front of it the time

    for (my $i = 0; $i < @signed; $i += 2) {
        if ($signed[$i] =~ /signature|hmac|token|authorization|mine/i
            && $signed[$i] !~ /timestamp|algorithm/i)
        {
            ($field, $proof) = @signed[$i, $i + 1];
            last;
        }
    }

    subtest $name => sub {
        my ($status, $head, $answer) = ask('POST', "/$name", $text, @type,
                                           @signed);
        is($status, 200, 'valid') or diag("$head\n$answer");

        my $job = SluiceTest::redis_to($redis, 'LINDEX', "bull:$name:wait", 0);
        my %job = @{ SluiceTest::redis_to($redis, 'HGETALL',
                                          "bull:$name:" . ($job || '')) };
        my $event = json($job{data} || '{}');

        is($event->{verified}, JSON::PP::true, 'and said so');
        is($event->{signaturescheme}, $name, 'by which scheme');
        is($event->{type}, $scheme->{event_type} || $job{name}, 'the type');
        is($job{name}, $event->{type}, 'is the name of the job');
        is($event->{headers}{$_}, $scheme->{keeps}{$_}, "$_ is kept")
            for sort keys %{ $scheme->{keeps} || {} };
        unlike($job{data} || '', qr/\Q$proof\E/, 'the proof is not')
            if $proof && !$scheme->{inside};

        if (!$scheme->{no_other}) {
            ($status) = ask('POST', "/$name/other", $text, @type,
                            $name eq 'twilio'
                            ? $scheme->{sign}->($text, $now, "$name/other")
                            : @signed);
            is($status, 401, 'another secret');
        }

        if (!$scheme->{plain} && !$scheme->{body_is_free}
            && !$scheme->{inside})
        {
            my $changed = $text;
            substr($changed, -2, 1) ^= "\1";
            ($status) = ask('POST', "/$name", $changed, @type, @signed);
            is($status, 401, 'a bit of the body changed');
        }

        if ($proof) {
            ($status) = ask('POST', "/$name", $text, @type, @signed, $field,
                            $proof);
            # NGINX itself refuses a second Authorization
            is($status, $field eq 'Authorization' ? 400 : 401,
               'the proof twice');

            my @without;
            for (my $i = 0; $i < @signed; $i += 2) {
                push @without, @signed[$i, $i + 1] if $signed[$i] ne $field;
            }
            ($status) = ask('POST', "/$name", $text, @type, @without);
            is($status, 401, 'no proof');

            ($status) = ask('POST', "/$name", $text, @type, @without, $field,
                            substr($proof, 0, -1));
            is($status, 401, 'a shorter proof');
        }

        if ($scheme->{timed}) {
            my $late = $scheme->{stale} || $text;
            for my $time ($now - 4000, $scheme->{stale} || $scheme->{body_is_free}
                                       ? () : $now + 4000)
            {
                ($status) = ask('POST', "/$name", $late, @type,
                                $scheme->{sign}->($late, $time, $name));
                is($status, 401, 'signed at ' . ($time - $now));
            }
        }
    };
}

my $log = do {
    local $/;
    open my $f, '<', "$RUN/logs/verify.log" or die;
    <$f>;
};

for my $name (sort keys %schemes) {
    my $scheme = $schemes{$name};
    next if !$scheme->{event};
    like($log, qr{^/$name valid \Q$scheme->{event}\E$}m, "the event of $name");
}

cmp_ok(status_of()->{refused}{stale}, '>', 20, 'stale ones are counted');

my %counted = map { ("$_->{scheme} $_->{index}" => $_->{verified}) }
              @{ status_of()->{secrets} };

is($counted{"$_ 1"}, 1, "the secret of $_ was used once")
    for sort keys %schemes;
ok(log_clean(), 'a clean log');

stop_nginx();


# the vectors, a location each for what they configure

my $text = do {
    local $/;
    open my $f, '<', 'tests/vectors/signature_vectors.json' or die;
    <$f>;
};

my %ours = ('generic-hmac' => 'hmac', 'jwt-bearer' => 'jwt',
            'standard-webhooks' => 'standard', 'gitlab-token' => 'gitlab_token',
            'gitlab-signature' => 'gitlab');
my (@vectors, %locations);

$server = '';

for my $vector (@{ json($text) }) {
    my $name = $ours{$vector->{scheme}} || $vector->{scheme};
    my $options = $vector->{options} || {};
    my @secrets = (@{ $vector->{secrets} || [] },
                   map { $_->{value} } @{ $vector->{public_keys} || [] });

    # those with a clock of their own are for tests/vectors

    next if $vector->{strength} ne 'must' || $name =~ /^(jwt|vonage|messagebird)/;
    next if $vector->{expect} ne 'valid' && "@$vector{qw(name why)}"
            =~ /stale|old|future|toleran|window|late|seconds|expired/i;

    my @settings = map { "secret=file:" . write_file('s-' . @vectors . "-$_",
                                                     "$secrets[$_]\n") }
                   0 .. $#secrets;
    my $url = $options->{public_url} || $options->{notification_url};

    push @settings, 'tolerance=0' if defined $options->{tolerance_s};
    push @settings, "verify_token=$options->{verify_token}"
        if defined $options->{verify_token};

    if ($name eq 'twilio' || $name eq 'square' || $url) {
        push @settings, 'public_url=' . ($url || $vector->{url});
    }

    if ($name eq 'hmac') {
        push @settings, "algorithm=$options->{algorithm}",
                        "encoding=$options->{encoding}",
                        "prefix=" . (defined $options->{prefix}
                                     ? $options->{prefix} : ''),
                        "signed=" . ($options->{template} =~ s/\n/\\n/gr),
                        "header=$options->{signature_header}";
        push @settings, "timestamp=$options->{timestamp_header}"
            if $options->{timestamp_header};
        push @settings, "id=$options->{id_header}" if $options->{id_header};
        push @settings, "secret_encoding=$options->{secret_encoding}"
            if $options->{secret_encoding};
        push @settings, "timestamp_unit=$options->{timestamp_unit}"
            if $options->{timestamp_unit};
        @settings = grep { $_ ne 'prefix=' } @settings;

        # the path is signed, and the location has another one
        next if "@settings" =~ /\{(path|url)\}/;
    }

    my $location = '/v/' . @vectors;
    my $quoted = join ' ', map { "\"$_\"" } @settings;

    $server .= "location = $location { sluice_verify $name $quoted;
                    sluice_respond 200 taken; }\n";
    push @vectors, [$vector, $location];
}

nginx(server => $server);

for (@vectors) {
    my ($vector, $location) = @$_;

    my ($query) = $vector->{url} =~ /(\?.*)/;
    my $send = $vector->{body_encoding} eq 'base64'
               ? decode_base64($vector->{body})
               : do { my $b = $vector->{body}; utf8::encode($b); $b };
    my ($status, $head, $answer) =
        ask($vector->{method}, $location . (defined $query ? $query : ''),
            $send, %{ $vector->{headers} });
    my $expected = $vector->{expect_response};

    if ($expected && $expected->{status}) {
        is($status, $expected->{status}, "$vector->{id} $vector->{name}");
        is($answer, $expected->{body}, "$vector->{id}: its answer")
            if defined $expected->{body};

    } elsif ($vector->{expect} eq 'valid') {
        is("$status $answer", '200 taken', "$vector->{id} $vector->{name}");

    } else {
        like($status, qr/^40[013]$/, "$vector->{id} $vector->{name}");
    }
}

ok(@vectors > 250, scalar(@vectors) . ' vectors');
ok(log_clean(), 'a clean log');

stop_nginx();
stop_redis($pid);
system('rm', '-rf', $files);
done_testing();
