# An NGINX with worker processes, and Redis servers, real or scripted, for the
# suites that stop, kill and reload them.

package SluiceServer;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use SluiceTest;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(nginx pid stop_nginx start_redis stop_redis fake_redis fake_dns post send_post
                 answer log_text status_of port workers log_clean gone $RUN);

our $RUN = "$ENV{TEST_NGINX_RUN}/own";
our %children;
my $owner = $$;
my $serial = 0;


sub port { return $ENV{TEST_NGINX_PORT} }


sub nginx {
    my (%conf) = @_;

    stop_nginx();

    mkdir $RUN;
    mkdir "$RUN/logs";
    unlink "$RUN/logs/error.log", "$RUN/logs/nginx.pid";

    write_conf(%conf);

    my $binary = $ENV{TEST_NGINX_BINARY};

    system($binary, '-p', $RUN, '-c', "$RUN/nginx.conf") == 0
        or die "nginx does not start:\n" . log_text();

    wait_for(sub { -s "$RUN/logs/nginx.pid" && http_get(port(), '/ping') })
        or die "nginx does not answer:\n" . log_text();

    return pid();
}


sub write_conf {
    my (%conf) = @_;

    my $modules = join '', map { "load_module $_;\n" }
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';
    my $workers = $conf{workers} || 1;
    my $main = $conf{main} || '';
    my $http = $conf{http} || '';
    my $server = $conf{server} || '';
    my $listen = $conf{listen} || '';
    my $temp = join ' ', map { "${_}_temp_path $RUN/$_;" }
               qw(client_body proxy fastcgi uwsgi scgi);
    my $port = port();

    open my $f, '>', "$RUN/nginx.conf" or die;
    print $f <<"CONF";
${modules}user root;
worker_processes $workers;
error_log logs/error.log info;
pid logs/nginx.pid;
env ASAN_OPTIONS;
env UBSAN_OPTIONS;
$main
events { worker_connections 512; }
http {
    access_log logs/access.log;
    $temp
    client_max_body_size 8m;
    $http
    server {
        listen 127.0.0.1:$port $listen;
        location = /ping { return 200 pong; }
        location = /status { sluice_status; }
        location = /health { sluice_health; }
        $server
    }
}
CONF
    close $f;
}


sub pid {
    open my $f, '<', "$RUN/logs/nginx.pid" or return undef;
    my $pid = <$f>;
    return $pid ? int $pid : undef;
}


# the worker processes that take connections
sub workers {
    my $master = shift || pid();

    return map { /^(\d+) / ? $1 : () }
           grep { /worker process$/ }
           split /\n/, `ps -o pid=,args= --ppid $master | sed 's/^ *//'`;
}


# ended, though its parent may not have asked yet
sub gone {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/stat" or return 1;
    my $stat = <$f>;

    return !defined $stat || $stat =~ /\) Z /;
}


sub stop_nginx {
    my ($signal) = @_;

    my $pid = pid() or return 1;

    kill $signal || 'QUIT', $pid;

    my $gone = wait_for(sub { gone($pid) });

    if (!$gone) {
        kill 'KILL', workers($pid), $pid;
    }

    unlink "$RUN/logs/nginx.pid";

    return $gone;
}


sub log_text {
    open my $f, '<', "$RUN/logs/error.log" or return '';
    local $/;
    my $text = <$f>;

    return defined $text ? $text : '';
}


# what must not be in a log after whatever test
sub log_clean {
    my ($but) = @_;

    my @bad = grep { /\[(alert|emerg|crit)\]|AddressSanitizer|runtime error/ }
              split /\n/, log_text();

    @bad = grep { $_ !~ $but } @bad if $but;

    Test::More::diag($_) for @bad;

    return !@bad;
}


sub status_of {
    my $text = http_get(port(), '/status');
    $text =~ s/.*?\r\n\r\n//s;

    return json($text);
}


sub start_redis {
    my ($path, @options) = @_;

    # a replica writes what it gets to its file: the next server must not read it

    my ($file) = $path =~ m{([^/]+)$};
    unlink "$ENV{TEST_NGINX_RUN}/$file.rdb";

    my $pid = fork;
    die if !defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        $SIG{XFSZ} = 'IGNORE';    # a file that may not grow is only an error
        exec { 'redis-server' } 'redis-server', '--port', 0, '--unixsocket',
             $path, '--unixsocketperm', 777, '--dir', $ENV{TEST_NGINX_RUN},
             '--dbfilename', "$file.rdb", '--save', '', '--appendonly', 'no',
             @options
            or POSIX::_exit(1);
    }

    $children{$pid} = 1;

    wait_for(sub {
        my $pong = redis_try($path, 'PING');
        $pong && $pong =~ /PONG|NOAUTH|LOADING/;
    }) or die 'redis-server does not start';

    return $pid;
}


sub stop_redis {
    my ($pid) = @_;

    kill 'CONT', $pid;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    delete $children{$pid};
}


# A Redis that sends what `answer` returns for a command (its arguments, and a
# reference to set for closing the connection); undef is silence.
sub fake_redis {
    my ($path, $answer) = @_;

    unlink $path;
    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 64) or die;
    chmod 0777, $path;

    my $pid = fork;
    die if !defined $pid;

    if ($pid) {
        $children{$pid} = 1;
        return $pid;
    }

    $SIG{PIPE} = 'IGNORE';    # the edge of the test before may hang up

    my $select = IO::Select->new($listen);
    my %input;

    while (1) {
        for my $s ($select->can_read) {

            if ($s == $listen) {
                $select->add(scalar $listen->accept);
                next;
            }

            $input{$s} = '' if !defined $input{$s};

            if (!sysread $s, $input{$s}, 65536, length $input{$s}) {
                $select->remove($s);
                delete $input{$s};
                close $s;
                next;
            }

            while (my $command = command(\$input{$s})) {
                my $close = 0;
                my $text = $answer->($command, \$close);
                syswrite $s, $text if defined $text && length $text;

                if ($close) {
                    $select->remove($s);
                    delete $input{$s};
                    close $s;
                    last;
                }
            }
        }
    }
}


# A name server for whom each name is 127.0.0.1, or what a file says.
sub fake_dns {
    my ($port, $file) = @_;

    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp',
                                  LocalPort => $port) or die;
    my $pid = fork;
    die if !defined $pid;

    if ($pid) {
        $children{$pid} = 1;
        return $pid;
    }

    while (1) {
        my $from = recv $s, my $query, 512, 0;
        my $end = index($query, "\0", 12) + 5;
        my $question = substr $query, 12, $end - 12;
        my $is_a = substr($question, -4, 2) eq "\0\1";
        my $address = '127.0.0.1';

        if ($file && open my $f, '<', $file) {
            chomp($address = <$f>);
        }

        send $s, substr($query, 0, 2) . pack('n5', 0x8180, 1, $is_a, 0, 0)
                 . $question
                 . ($is_a ? pack 'n3Nn C4', 0xc00c, 1, 1, 60, 4,
                                  split /\./, $address
                          : ''), 0, $from;
    }
}


sub command {
    my ($input) = @_;

    return undef if !defined $$input || $$input !~ /\A\*(\d+)\r\n/;

    my ($n, $at, @arguments) = ($1, $+[0]);

    for (1 .. $n) {
        substr($$input, $at) =~ /\A\$(\d+)\r\n/ or return undef;
        my $len = $1;
        $at += $+[0];
        return undef if length($$input) < $at + $len + 2;
        push @arguments, substr $$input, $at, $len;
        $at += $len + 2;
    }

    substr($$input, 0, $at) = '';

    return \@arguments;
}


# sends a POST and returns the socket; "more" says how many bytes of the body
# the caller sends later
sub send_post {
    my ($path, $body, %headers) = @_;

    my $len = length($body) + (delete $headers{more} || 0);
    my $type = delete $headers{type} || 'application/json';

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port())
        or return undef;
    $s->autoflush(1);

    my $headers = join '', map { "$_: $headers{$_}\r\n" } sort keys %headers;

    print $s "POST $path HTTP/1.1\r\nHost: localhost\r\n"
             . "Content-Type: $type\r\nConnection: close\r\n"
             . "Content-Length: $len\r\n$headers\r\n$body";

    return $s;
}


# the whole answer, or '' when there is none in 10 seconds
sub answer {
    my ($s) = @_;

    return '' if !$s;

    my $text = '';
    my $end = time + 10;
    my $select = IO::Select->new($s);

    while ((my $left = $end - time) > 0) {
        next if !$select->can_read($left);
        last if !sysread $s, $text, 65536, length $text;
    }

    return $text;
}


# the status of a POST's answer, and the answer
sub post {
    my $text = answer(send_post(@_));
    my ($status) = $text =~ m{^HTTP/1.1 (\d+)};

    return wantarray ? ($status || 0, $text) : $status || 0;
}


END {
    if ($$ == $owner) {
        my $code = $?;
        stop_nginx();
        for my $pid (keys %children) {
            kill 'CONT', $pid;
            kill 'KILL', $pid;
            waitpid $pid, 0;
        }
        $? = $code;
    }
}


1;
