#!/usr/bin/perl

# sluicectl spool on files as the edge leaves them, written here by the text of
# core/spool.h.

use strict;
use warnings;

use lib 'tests/worker';
use Ctl;
use Digest::SHA;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $dir = tempdir('build/tests/spool.XXXXXX', CLEANUP => 1);
my $name = '0198d2f4a1b0' . 'c' x 20;      # begun 2025-08-22
my $salt = 0x12345678;

$ENV{TZ} = 'UTC';

sub crc32c {
    my ($sum, $data) = @_;

    $sum ^= 0xffffffff;

    for my $byte (unpack 'C*', $data) {
        $sum ^= $byte;
        $sum = $sum & 1 ? ($sum >> 1) ^ 0x82f63b78 : $sum >> 1 for 1 .. 8;
    }

    return $sum ^ 0xffffffff;
}

sub header {
    my $half = pack 'a8 V V a32 x76', "SLUICE\1\2", 1, $salt, $name;

    return ($half . pack 'V', crc32c(0, $half)) x 2;
}

# a record: its number, then of each job its id and data
sub record {
    my ($number, %jobs) = @_;

    my $connection = 'd' x 20;
    my @args = map { ("e-$_", 'whatsapp.message', $jobs{$_}, '{}', 0, 0, 0,
                      1795000000000, '') } sort keys %jobs;
    my $payload = pack('q< Q< v5', 1795000000000 + $number, $number == 9 ? 77 : 0,
                       6, scalar keys %jobs, 9, length '{acme}:events:',
                       $number == 9 ? 20 : 0)
                  . '{acme}:events:' . ($number == 9 ? $connection : '')
                  . join '', map { pack 'V/a', $_ } @args;
    my $head = pack 'a4 V Q< V', "\1SL\2", length $payload, $number,
                    crc32c($salt, $payload);

    return $head . pack('V', crc32c($salt, $head)) . $payload;
}

sub file {
    my ($path, $text) = @_;

    open my $out, '>:raw', "$dir/$path" or die "$path: $!";
    print $out $text;
    close $out;

    return "$dir/$path";
}

sub content {
    open my $in, '<:raw', $_[0] or return undef;
    local $/;

    return scalar <$in> // '';
}

$Ctl::dir = $dir;

sub json { return ctl_json('spool', @_) }

my $none = qr/\A\z/;
my $bad = "default.$name.bad";
my $flipped = record(3, three => '{"n":3}');
substr($flipped, -8, 1) ^= "\1";

# ---- usage

ctl_is('help', 0, qr/\Ausage: sluicectl.* spool restore FILE/s, $none, 'spool',
       '--help');
ctl_is('no command', 2, $none, qr/list, show or restore/, 'spool');
ctl_is('a directory that is not there', 1, $none, qr/nowhere: No such/,
       'spool', 'list', "$dir/nowhere");
ctl_is('list of nothing', 1, qr/\Anone\n\z/, $none, 'spool', 'list', $dir);
ctl_is('show without a file', 2, $none, qr/takes a file/, 'spool', 'show');
ctl_is('a file that is not there', 1, $none, qr/no such file/, 'spool', 'show',
       "$dir/$bad");

for my $other ('default.spool', "$name.bad", "default.$name.txt",
               'default.' . 'X' x 32 . '.bad', "x$name.spool", '.bad')
{
    file($other, 'x');
    ctl_is("a file that is none: $other", 2, $none, qr/not named as/, 'spool',
           'show', "$dir/$other");
    unlink "$dir/$other";
}

# ---- list and show

my $text = header() . record(2, one => '{"n":"1"}', two => "{\"n\":\"\x1b\"}")
           . $flipped . record(9, nine => '{"n":9}');
file($bad, $text);
file("default.$name.spool", header() . record(1, a => '1') . 'torn');
file("default.0198d2f4a1b0" . 'b' x 20 . '.spool', 'too short');
file('notes.txt', 'not ours');

my $list = json('list', $dir);
is_deeply([ map { $_->{file} } @$list ],
          [ 'default.0198d2f4a1b0' . 'b' x 20 . '.spool', $bad,
            "default.$name.spool" ], 'list: the files, by time');
is_deeply({ %{$list->[1]}, held => undef },
          { file => $bad, server => 'default', kind => 'bad', held => undef,
            queue_full => JSON::PP::false,
            begun => 0x198d2f4 * 65536 + 0xa1b0, bytes => length $text, records => 2,
            jobs => 3, damaged => length $flipped }, 'list: a file');
is($list->[2]{damaged}, 4, 'list: a torn tail');
is($list->[0]{damaged}, 9, 'list: no header');
ctl_is('list: text', 0,
       qr/^\Q$bad\E  begun 2025-08-22 [\d:.]+  3 jobs  \d+ bytes  @{[
       length $flipped ]} damaged  set aside$/m, $none, 'spool', 'list', $dir);
ctl_is('list: nobody holds it', 0, qr/spool  .* 1 jobs .*nobody has it/, $none,
       'spool', 'list', $dir);

# of a queue that is full, and what only looks like it

for (['default.h0a1b2c3d' => 'default', 1], ['default.x0a1b2c3d' => undef, 0],
     ['default.l0a1b2c3' => undef, 0], ['.m0a1b2c3d' => undef, 0])
{
    my ($server, $is, $full) = @$_;
    my $path = "$dir/$server.$name.spool";
    file("$server.$name.spool", header() . record(1, a => '1'));
    my ($got) = grep { $_->{file} eq "$server.$name.spool" } @{json('list', $dir)};
    is("$got->{server} " . ($got->{queue_full} ? 1 : 0),
       ($is || $server) . " $full", "list: $server");
    ctl_is("list: $server, text", 0, $full
           ? qr/^\Q$server\E\..*  its queue was full  nobody has it$/m
           : qr/^\Q$server\E\..* bytes  nobody has it$/m, $none,
           'spool', 'list', $dir);
    unlink $path;
}

my $pid = open(my $holder, '-|', 'flock', '-F',
               "$dir/default.$name.spool", 'sh', '-c',
               'echo held; exec sleep 60') or die;
is(scalar <$holder>, "held\n", 'list: a process has it');
ok(json('list', $dir)->[2]{held}, 'list: and that is seen');
kill 'KILL', $pid;
close $holder;

my $show = json('show', "$dir/$bad");
is($show->{total}, 3, 'show: so many jobs');
is_deeply($show->{jobs}[2], { record => 9, spooled => 1795000000009, id => 'e-nine',
                              queue => '{acme}:events', bytes => 7,
                              name => 'whatsapp.message' }, 'show: a job');
is_deeply($show->{damaged}, [ { at => length(header() . record(2,
              one => '{"n":"1"}', two => "{\"n\":\"\x1b\"}")),
              bytes => length $flipped } ], 'show: what is damaged');
is_deeply(json('show', "$dir/$bad", '--data', '--offset', 2)->{jobs}[0]{data},
          { n => 9 }, 'show: data');
ctl_is('show: text', 0, qr/^damaged  \d+ bytes at \d+$/m, $none, 'spool',
       'show', "$dir/$bad");
ctl_is('show: without data', 0, qr/\A[^"]*\z/, $none, 'spool', 'show',
       "$dir/$bad");
ctl_is('show: what would steer a terminal', 0, qr/"n":"\\x1b"/, $none, 'spool',
       'show', "$dir/$bad", '--data');
ctl_is('show: some', 0, qr/\A\S+ \S+  \S+  e-two .*\n.*\n3 jobs\n\z/, $none,
       'spool', 'show', "$dir/$bad", '--limit', 1, '--offset', 1);
ctl_is('show: no header', 1, qr/beginning of the file is damaged/, $none,
       'spool', 'show', "$dir/$list->[0]{file}");

# ---- restore

ctl_is('restore of a .spool', 2, $none, qr/the edge replays it by itself/,
       'spool', 'restore', "$dir/default.$name.spool");
ctl_is('restore while it is replayed', 1, $none, qr/is being replayed/,
       'spool', 'restore', "$dir/$bad");
unlink "$dir/default.$name.spool";

my $began = time;
my @got = ctl('spool', 'restore', "$dir/$bad");
is($got[0], 0, 'restore') or diag($got[2]);
like($got[1], qr/\A3 jobs to \Q$dir\E\/default\.0198d2f4a1b0[0-9a-f]{20}\.spool; @{[
     length $flipped ]} damaged bytes stay behind\n\z/, 'restore: told');
my ($to) = $got[1] =~ / to (\S+);/;
ok(!-e "$dir/$bad", 'restore: the .bad is gone');
is(content("$dir/default.$name.restored"), $text, 'restore: and kept');
is((stat $to)[2] & 07777, 0600, 'restore: for its owner alone');
is_deeply([ glob "$dir/*.spool.*" ], [], 'restore: nothing else is left');

$show = json('show', $to, '--data');
is(join(' ', map { "$_->{record} $_->{id}" } @{$show->{jobs}}),
   '1 e-one 1 e-two 2 e-nine', 'restore: the jobs, in order');
is(scalar @{$show->{damaged}}, 0, 'restore: all is good');
cmp_ok($show->{jobs}[0]{spooled} / 1000, '>=', $began, 'restore: as of now');
like(content($to), qr/d{20}/, 'restore: what may have been run is known yet');
unlike(content($to), qr/three/, 'restore: nothing damaged');

# the second time: the same name, so that Redis runs it once

rename "$dir/default.$name.restored", "$dir/$bad";
my $before = content($to);
is((ctl('spool', 'restore', "$dir/$bad"))[0], 0, 'again');
is(content($to), $before, 'again: the file that is there is left alone');
rename "$dir/default.$name.restored", "$dir/$bad";
unlink $to;
link file('victim', 'not to be touched'), "$to.new" or die;
is(json('restore', "$dir/$bad")->{file}, $to, 'again: the same name');
is(content("$dir/victim"), 'not to be touched', 'what lies in the way is not written to');
unlink "$to.new", "$dir/victim";

# set aside twice, when the replay was interrupted and began again

my $twice = record(4, x => '1') . record(7, y => '1');
file($bad, header() . $twice . $twice);
is(json('restore', "$dir/$bad")->{jobs}, 2, 'twice: once');

file($bad, header() . $flipped);
ctl_is('nothing good', 1, $none, qr/no record is good/, 'spool', 'restore',
       "$dir/$bad");
ok(-e "$dir/$bad", 'nothing good: it stays');

SKIP: {
    skip 'not root', 2 if $>;

    file($bad, header() . record(1, a => '1'));
    chown 12, 34, "$dir/$bad";
    my @owner = (stat json('restore', "$dir/$bad")->{file})[4, 5];
    is("@owner", '12 34', 'whose the .bad was');
    file($bad, header() . record(1, b => '1'));
    my $place = "$dir/$bad/no";
    ctl_is('a path through a file', 3, $none, qr/Not a directory/, 'spool',
           'list', $place);
}

done_testing();
