#!/usr/bin/perl
# The runner of suites: what is left over, late or wrong is seen.

use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $suite = $ENV{SUITE} || "build/suite";
my $dir = tempdir(CLEANUP => 1);

sub run {
    my ($seconds, $script) = @_;
    system $suite, $seconds, "$dir/log", "sh", "-c", $script;
    open my $log, "<", "$dir/log" or die;
    return ($? >> 8, join "", <$log>);
}

my ($code, $log) = run(20, 'echo ok 1; echo "# told" >&2');
is $code, 0, "a good end";
is $log, "ok 1\n# told\n", "output and errors in one log";

is((run(20, "exit 3"))[0], 3, "the exit status");
is((run(20, 'kill -9 $$'))[0], 137, "a signal");

($code, $log) = run(20, 'sh -c "exec sleep 0.5" & exit 0');
is "$code $log", "0 ", "what ends by itself soon is no left-over";

($code, $log) = run(20, 'setsid sh -c "echo \$\$ >$0.pid; exec sleep 1000" &'
    =~ s/\$0/$dir\/orphan/r . "exit 0");
is $code, 1, "an orphan in a session of its own";
like $log, qr/^not ok - left over: process \d+: sleep 1000$/m, "is named";
open my $pid, "<", "$dir/orphan.pid" or die;
chomp(my $orphan = <$pid>);
ok !kill(0, $orphan), "and ended";

($code, $log) = run(1, "sleep 1000; true");
is $code, 124, "too late";
like $log, qr/^not ok - took longer than 1 s$/m, "is told";

($code, $log) = run(20, "exec /no/such/program");
is $code, 127, "no such program";

done_testing;
