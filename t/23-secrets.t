# Secrets from files and from the environment: changed while NGINX runs, gone,
# over a reload and over a binary upgrade; and what each of them was used for.

use strict;
use warnings;

use SluiceServer;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = "$ENV{TEST_NGINX_RUN}/secrets";
mkdir $dir;

my $body = '{"a":1}';

$ENV{SLUICE_T_SECRET} = 'from $the "environment';
$ENV{SLUICE_T_TOKEN} = 'a token';


sub write_file {
    my ($name, $text) = @_;

    open my $f, '>', "$dir/$name.new" or die;
    print $f $text;
    close $f;
    rename "$dir/$name.new", "$dir/$name" or die;
}


# which secret matched, by the answer's body, or the status of a refusal
sub index_of {
    my ($path, $secret) = @_;

    my ($status, $text) = post($path, $body, 'X-Hub-Signature-256' =>
                               'sha256=' . SluiceTest::hmac($body, $secret));

    return $status == 200 && $text =~ /index (\d)/ ? $1 : $status;
}


sub becomes {
    my ($path, $secret, $expected, $what) = @_;

    ok(wait_for(sub { index_of($path, $secret) eq $expected }), $what)
        or diag("is " . index_of($path, $secret) . "\n" . log_text());
}


sub said {
    my ($what) = @_;
    my @lines = grep { /$what/ } split /\n/, log_text();
    return scalar @lines;
}


write_file('two', "first\r\n\nsecond\n");
write_file('token', "let me in\n");

my $master = nginx(server => "
    location /file { sluice_verify meta secret=file:$dir/two secret=third
                                        verify_token=file:$dir/token;
                     sluice_respond 200 'index \$sluice_secret_index'; }
    location /env { sluice_verify meta secret=env:SLUICE_T_SECRET
                                       verify_token=env:SLUICE_T_TOKEN;
                    sluice_respond 200 'index \$sluice_secret_index'; }");

is(index_of('/file', 'first'), 1, 'the first line');
is(index_of('/file', 'second'), 2, 'the second, after an empty one');
is(index_of('/file', 'third'), 3, 'the secret after the file');
is(index_of('/file', ''), 401, 'an empty line is no secret');
is(index_of('/file', "first\r"), 401, 'nor is its end a part of it');
like(http_get(port(), '/file?hub.mode=subscribe&hub.challenge=42'
                      . '&hub.verify_token=let+me+in'), qr/200 OK.*42\z/s,
     'a token from a file');
like(http_get(port(), '/file?hub.mode=subscribe&hub.challenge=42'
                      . '&hub.verify_token=let+me+out'), qr/ 403 /,
     'and another one');
like(http_get(port(), '/env?hub.mode=subscribe&hub.challenge=42'
                      . '&hub.verify_token=a+token'), qr/200 OK.*42\z/s,
     'a token from the environment');

write_file('two', "fourth\n");
becomes('/file', 'fourth', 1, 'a new file without a reload');
is(index_of('/file', 'first'), 401, 'the old secret is none any more');
is(index_of('/file', 'third'), 2, 'what follows moves up');

# the same size within the same second, in place

for my $text ('fifthA', 'fifthB', 'fifthC') {
    open my $f, '+<', "$dir/two" or die;
    print $f "$text\n";
    close $f;
    becomes('/file', $text, 1, "$text, written in place");
}

my %broken = (
    'is not there' => [ sub { unlink "$dir/two" }, 'cannot be found' ],
    'is empty' => [ sub { write_file('two', "\n\n") }, 'has no secret' ],
    'is too large' => [ sub { write_file('two', 'x' x 65537) },
                        'is larger than 64k' ],
    'has nine' => [ sub { write_file('two', "x\n" x 9) },
                    'has more than 8 secrets' ],
    'is a directory' => [ sub { unlink "$dir/two"; mkdir "$dir/two" },
                          'is not a regular file' ],
);

for my $how (sort keys %broken) {
    my ($break, $said) = @{ $broken{$how} };

    my $last = "the last, before it $how";

    write_file('two', "$last\n");
    becomes('/file', $last, 1, "before the file $how");

    my $before = said($said);
    $break->();

    ok(wait_for(sub { index_of('/file', $last); said($said) > $before }),
       "that it $how is said");
    is(index_of('/file', $last), 1, 'the last secret goes on');
    sleep 1.1;
    index_of('/file', $last) for 1 .. 3;
    is(said($said), $before + 1, 'and it is said once');
    rmdir "$dir/two";
}

# a process that begins finds the file gone: it has what the master has read

write_file('two', "kept by the master\n");
kill 'HUP', $master;
becomes('/file', 'kept by the master', 1, 'read at a reload');
unlink "$dir/two";

my @old = workers($master);
kill 'KILL', @old;
ok(wait_for(sub { my @new = workers($master); @new && $new[0] != $old[0] }),
   'another process');
becomes('/file', 'kept by the master', 1, 'has the secret');
is(said('cannot be read by worker processes'), 1, 'and says what is missing');

kill 'HUP', $master;
ok(wait_for(sub { said('emerg.*"secret=".*two" cannot be opened') }),
   'a reload without the file is refused');
is(index_of('/file', 'kept by the master'), 1, 'and the old one works on');
write_file('two', "back\n");
becomes('/file', 'back', 1, 'the file is back');

# the environment

my $env = $ENV{SLUICE_T_SECRET};

is(index_of('/env', $env), 1, 'a secret from the environment');
kill 'HUP', $master;
ok(wait_for(sub { said('reconfiguring') >= 3 }), 'a reload');
becomes('/env', $env, 1, 'the same after a reload');

my ($worker) = workers($master);

rename "$RUN/logs/nginx.pid", "$RUN/logs/nginx.pid" or die;
kill 'USR2', $master;
ok(wait_for(sub { -s "$RUN/logs/nginx.pid.oldbin" && -s "$RUN/logs/nginx.pid"
                  && workers(SluiceServer::pid()) }), 'a binary upgrade');
kill 'QUIT', $master;
ok(wait_for(sub { gone($master) && gone($worker) }), 'the old one is gone');
becomes('/env', $env, 1, 'the new binary has the environment');
becomes('/file', 'back', 1, 'and the file');

unlike(log_text(), qr/fifthA|the last|kept by|let me in|from \$the/,
       'no secret in the log');
ok(log_clean(qr/two" cannot be opened|exited on signal 9/), 'a clean log');

stop_nginx();
system('rm', '-rf', $dir);
done_testing();
