#!/usr/bin/perl

# Whoever sends a signature learns nothing from the time of the answer: a tenant
# that is unknown costs the instructions of one whose signature is wrong, within
# 1 % (callgrind).

use strict;
use warnings;

use Test::More;

my $vectors = 'tests/vectors/signature_vectors.json';
my $own = 'tests/vectors/own.json';
my $program = 'build/signature_cost';

my ($few, $many) = (20, 120);

# without AVX2, SHA and newer, which only some hosts have
$ENV{OPENSSL_ia32cap} = ':0';

sub instructions {
    my ($file, $id, $who, $times) = @_;

    my $out = "build/constant.$$";
    my $said = `valgrind -q --tool=callgrind --callgrind-out-file=$out \\
                $program $file $id $who $times 2>&1`;

    is($?, 0, "$id, $who, $times times") or diag $said;

    open my $in, '<', $out or return 0;
    my ($total) = map { /^(?:summary|totals): (\d+)/ ? $1 : () } <$in>;
    unlink $out;

    return $total;
}

for my $row ([$vectors, 'meta-01'], [$vectors, 'stripe-01'],
             [$vectors, 'standard-webhooks-01'], [$vectors, 'twilio-01'],
             [$vectors, 'mailgun-01'], [$vectors, 'telegram-01'],
             [$own, 'api_key-01'], [$vectors, 'vonage-01'],
             [$vectors, 'jwt-bearer-01'], [$vectors, 'discord-01'],
             [$vectors, 'sendgrid-01'])
{
    my ($file, $id) = @$row;
    my %cost;

    for my $who (qw(right bad unknown)) {
        $cost{$who} = (instructions($file, $id, $who, $many)
                       - instructions($file, $id, $who, $few))
                      / ($many - $few);
    }

    my $difference = 100 * abs($cost{bad} / $cost{unknown} - 1);

    cmp_ok($difference, '<', 1,
           sprintf('%s: bad %.0f, unknown %.0f, right %.0f instructions: '
                   . '%.2f %%', $id, @cost{qw(bad unknown right)},
                   $difference));
}

done_testing();
