package Ctl;

# sluicectl as a test runs it.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;
use Test::More;

our @EXPORT = qw(ctl ctl_is ctl_json);

# where its input and its errors are kept; what comes before all arguments
our $dir;
our @first;
our $input = '';

# exit status, standard output, standard error
sub ctl {
    my (@arguments) = @_;

    open my $fed, '>:raw', "$dir/stdin" or die "$dir/stdin: $!";
    print $fed $input;
    close $fed;

    my $pid = open my $pipe, '-|';
    defined $pid or die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', "$dir/stdin" or die;
        open STDERR, '>', "$dir/stderr" or die;
        exec 'build/sluicectl', @first, @arguments or die;
    }

    my $out = do { local $/; <$pipe> } // '';
    close $pipe;
    my $code = $? >> 8;
    die "sluicectl died of signal " . ($? & 127) if $? & 127;

    open my $in, '<:raw', "$dir/stderr" or die "$dir/stderr: $!";

    return ($code, $out, do { local $/; <$in> } // '');
}

# ctl_is NAME, CODE, qr/OUT/, qr/ERR/, ARGUMENTS
sub ctl_is {
    my ($name, $code, $out, $err, @arguments) = @_;

    my @got = ctl(@arguments);
    my $fine = $got[0] == $code && $got[1] =~ $out && $got[2] =~ $err;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($fine, $name)
        or diag("sluicectl @arguments\nexit $got[0]\n$got[1]$got[2]");
}

sub ctl_json {
    return JSON::PP->new->allow_nonref->decode((ctl('--json', @_))[1]);
}

1;
