#!/usr/bin/perl
# systemd's Type=notify, spoken without systemd: READY, RELOADING, WATCHDOG,
# STOPPING, in a datagram each.

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More tests => 6;
use Time::HiRes qw(time);

my $top = abs_path(dirname(__FILE__) . "/../..");
my $sluiced = $ENV{SLUICED} || "$top/build/sluiced";
my $dir = tempdir(CLEANUP => 1);
my $pid;

END { my $code = $?; if ($pid) { kill KILL => $pid; waitpid $pid, 0 } $? = $code }

open my $conf, ">", "$dir/a.conf" or die;
print $conf qq{redis = "unix:$dir/nobody.sock"\nlog { file = "$dir/log" }\n},
            qq{queue "q" { kind = noop }\n};
close $conf;

my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/n")
    or die "socket: $!";
my $select = IO::Select->new($socket);

# the next datagram that is not a heartbeat, and how many of those came before
sub told {
    my ($end, $beats) = (time + 15, 0);

    while (time < $end) {
        next unless $select->can_read(0.2);
        defined $socket->recv(my $text, 512) or die "recv: $!";
        return ($text, $beats) if $text ne "WATCHDOG=1";
        return ("WATCHDOG=1", $beats) if ++$beats >= ($_[0] // 1e9);
    }

    return ("", $beats);
}

$pid = fork // die;

if ($pid == 0) {
    $ENV{NOTIFY_SOCKET} = "$dir/n";
    $ENV{WATCHDOG_USEC} = 100000;
    exec $sluiced, "-c", "$dir/a.conf" or die;
}

is((told())[0], "READY=1", "ready, though Redis is away");
is((told(3))[0], "WATCHDOG=1", "alive, again and again");
kill HUP => $pid;
like((told())[0], qr/^RELOADING=1/, "it reloads");
is((told())[0], "READY=1", "and is ready again");
kill TERM => $pid;
is((told())[0], "STOPPING=1", "it stops");
waitpid $pid, 0;
is($?, 0, "and ends with 0");
$pid = undef;
