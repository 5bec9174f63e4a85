package RedisServer;

# A redis-server of its own on a unix socket below build/, gone at the end.

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use Cwd qw(getcwd);
use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);

sub new {
    my ($class, $name, @options) = @_;

    my $dir = getcwd() . "/build/tests/$name-$$";
    remove_tree($dir);
    make_path($dir);

    # a socket's path is at most 107 bytes: below /tmp when the checkout's is
    # longer
    my $socket = "$dir/redis.sock";
    $socket = "/tmp/sluice-$name-$$.sock" if length($socket) > 100;

    my $self = bless { dir => $dir, socket => $socket, options => \@options,
                       owner => $$ }, $class;
    $self->start();

    return $self;
}

sub start {
    my ($self) = @_;

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>>', "$self->{dir}/redis.log" or die;
        open STDERR, '>&', \*STDOUT or die;
        exec 'redis-server', '--port', '0', '--unixsocket', $self->{socket},
             '--dir', $self->{dir}, '--save', '', '--daemonize', 'no',
             @{ $self->{options} } or die "redis-server: $!";
    }

    $self->{pid} = $pid;

    $self->until(10, sub { $self->cli('PING') eq 'PONG' })
        or die "redis-server does not start: see $self->{dir}/redis.log\n";
}

sub stop {
    my ($self, $signal) = @_;

    return unless $self->{pid};
    kill $signal // 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
    unlink $self->{socket};
}

# condition within so many seconds
sub until {
    my ($self, $seconds, $condition) = @_;

    my $end = time() + $seconds;

    while (time() < $end) {
        return 1 if $condition->();
        sleep 0.02;
    }

    return 0;
}

# one command; lines of the answer, errors as redis-cli writes them
sub cli {
    my ($self, @command) = @_;

    open my $pipe, '-|', 'sh', '-c', 'exec redis-cli -s "$0" "$@" 2>&1',
        $self->{socket}, @command or die "redis-cli: $!";
    my $answer = do { local $/; <$pipe> } // '';
    close $pipe;
    $answer =~ s/\n\z//;

    return $answer;
}

sub DESTROY {
    my ($self) = @_;

    return unless $self->{owner} == $$;
    local $?;
    $self->stop();
    remove_tree($self->{dir}) unless $ENV{KEEP};
}

1;
