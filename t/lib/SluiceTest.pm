# What the suites share: signatures, a Redis client in a few lines, and the
# section "--- redis", whose lines are "COMMAND ARGS => what it answers".

package SluiceTest;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Exporter 'import';
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(signed hmac redis redis_try one_job wait_for setup json
                 http_get);

our $SECRET = 'an app secret';


sub hmac {
    my ($body, $secret) = @_;

    return hmac_sha256_hex($body, defined $secret ? $secret : $SECRET);
}


# the headers of a webhook as Meta sends it
sub signed {
    my ($body, $secret) = @_;

    return "Content-Type: application/json\n"
           . "X-Hub-Signature-256: sha256=" . hmac($body, $secret);
}


sub json { return JSON::PP->new->utf8->decode($_[0]) }


sub reply {
    my ($s) = @_;

    my $line = readline $s;
    die "Redis closed the connection\n" if !defined $line;
    $line =~ s/\r\n\z//;

    my $type = substr $line, 0, 1, '';

    return "($line)" if $type eq '-';
    return $line if $type eq '+' || $type eq ':';

    if ($type eq '$') {
        return undef if $line < 0;
        read $s, my $text, $line + 2;
        return substr $text, 0, $line;
    }

    return undef if $line < 0;
    return [ map { reply($s) } 1 .. $line ];
}


sub redis_to {
    my ($path, @args) = @_;

    my $s = $path =~ m{^/} ? IO::Socket::UNIX->new(Peer => $path)
                           : IO::Socket::INET->new(PeerAddr => $path);
    die "no Redis at $path: $!\n" if !$s;

    print $s "*" . @args . "\r\n",
             map { "\$" . length($_) . "\r\n$_\r\n" } @args;
    $s->flush;

    return reply($s);
}


sub redis { return redis_to($ENV{TEST_NGINX_REDIS_SOCKET}, @_) }


sub redis_try { return eval { redis_to(@_) } }


# the only job of a queue, as a hash
sub one_job {
    my ($base) = @_;

    my $ids = redis('LRANGE', "$base:wait", 0, -1);
    return undef if @$ids != 1;

    my %job = @{ redis('HGETALL', "$base:$ids->[0]") };
    $job{id} = $ids->[0];

    return \%job;
}


# until the code is true, a minute at most
sub wait_for {
    my ($code) = @_;

    my $end = time + 60;

    while (time < $end) {
        my $value = eval { $code->() };
        return $value if $value;
        sleep 0.01;
    }

    return undef;
}


sub http_get {
    my ($port, $path) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or return '';
    print $s "GET $path HTTP/1.0\r\nHost: localhost\r\n\r\n";
    local $/;
    my $answer = <$s>;

    return defined $answer ? $answer : '';
}


sub flatten {
    my ($value) = @_;

    return '(nil)' if !defined $value;
    return join ' ', map { flatten($_) } @$value if ref $value;
    return $value;
}


# Test::Nginx writes "http2 on" for NGINX 1.19.9 and later, which knows it since
# 1.25.1 only: in between it has to take NGINX for an older one.
sub old_http2 {
    my $version = \&Test::Nginx::Util::get_nginx_version;

    no warnings 'redefine';
    *Test::Nginx::Util::get_nginx_version = sub () {
        my $real = $version->();
        return defined $real && $real < 1.025001 ? '1.019008' : $real;
    };
}


# A block has a fresh Redis, and "sluice_redis" unless it says otherwise.
sub setup {
    old_http2() if $ENV{TEST_NGINX_USE_HTTP2};

    $ENV{TEST_NGINX_HTML_DIR} ||= "$ENV{TEST_NGINX_SERVROOT}/html";

    Test::Nginx::Socket::add_block_preprocessor(sub {
        my ($block) = @_;

        redis('FLUSHALL');
        redis('SCRIPT', 'FLUSH');

        my $http = defined $block->http_config ? $block->http_config : '';

        if ($http !~ /sluice_redis/ && !defined $block->no_redis) {
            $http = "sluice_redis unix:$ENV{TEST_NGINX_REDIS_SOCKET}"
                    . " timeout=10s;\n$http";
        }

        $block->set_value('http_config', $http);

        # the errors that must not be there, unless the block expects some; after
        # a HUP the process of the block before still looks for its Redis, and
        # that it is not there is a [crit] of NGINX

        if (!defined $block->no_error_log && !defined $block->error_log
            && !defined $block->must_die)
        {
            $block->set_value('no_error_log',
                              ($ENV{TEST_NGINX_USE_HUP} ? '' : "[crit]\n")
                              . "[alert]\n[emerg]\nAddressSanitizer\n"
                              . "runtime error\n");
        }

        if (!defined $block->request && !defined $block->raw_request
            && !defined $block->pipelined_requests)
        {
            $block->set_value('request', 'GET /');
        }
    });

    Test::Nginx::Socket::add_response_body_check(sub {
        my ($block, $body, $index) = @_;

        return if !defined $block->redis;

        # after the last of several requests

        if (defined $block->last_request && $index < $block->last_request) {
            return;
        }

        for my $line (split /\n/, $block->redis) {
            next if $line !~ /\S/;

            my ($command, $expected) = $line =~ /^(.*?)\s*=>\s*(.*?)\s*$/
                or die "bad line in --- redis: $line\n";

            my $got = flatten(redis(split ' ', $command));

            if ($expected =~ m{^/(.*)/$}) {
                Test::More::like($got, qr/$1/s, $block->name . " - $command");

            } else {
                Test::More::is($got, $expected, $block->name . " - $command");
            }
        }
    });
}


1;
