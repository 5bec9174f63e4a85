#!/usr/bin/perl
# Every NGINX example of README.md and docs/*.md is one that NGINX takes, in a
# configuration that has what the example leaves to the reader: variables,
# zones, upstreams, files, a Redis.

use strict;
use warnings;
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Examples;

# Where each directive may stand, from the command tables; NGINX's own that
# examples use beside them.

my %level = (
    load_module => "main", env => "main", thread_pool => "main",
    user => "main", worker_processes => "main", events => "main",
    http => "whole", server => "http", upstream => "http", map => "http",
    geo => "http", log_format => "http", resolver => "http",
    location => "server", listen => "server",
);

for my $file (glob "$top/ngx_module/*.c") {
    my $text = text_of($file);

    while ($text =~ /\{ ngx_string\("(sluice_\w+)"\),\s*(NGX_[A-Z0-9_|\s]+)/g) {
        my ($name, $flags) = ($1, $2);
        next if $flags !~ /NGX_HTTP_/;
        $level{$name} = $flags =~ /NGX_HTTP_LOC_CONF/ ? "location" : "http";
    }
}

# the directives at the top of a text, each with its block
sub statements {
    my ($text) = @_;
    my ($depth, $one, @all) = (0, "");

    while ($text =~ /\G("(?:\\.|[^"])*"|'(?:\\.|[^'])*'|\$\{\w+\}|\#[^\n]*|[;{}]|[^;{}"'\#\$]+|.)/gs) {
        my $token = $1;
        next if $token =~ /^#/ && $one =~ /(?:^|\s)$/;
        $one .= $token;
        $depth++ if $token eq "{";
        $depth-- if $token eq "}";
        if ($depth == 0 && $token =~ /^[;}]$/) {
            push @all, $one =~ s/^\s+//r;
            $one = "";
        }
    }

    push @all, $one if $one =~ /\S/;
    return @all;
}

# put together, with what is missing
sub conf {
    my ($text, %add) = @_;
    my %part = map { $_ => "" } qw(main http server location);

    for my $one (statements($text)) {
        my ($name) = $one =~ /^(\w+)/ or return;
        my $level = $level{$name} || "location";

        if ($level eq "whole") {
            $one =~ s/^http\s*\{(.*)\}\s*$/$1/s;
            $part{http} .= $one;
        } else {
            $part{$level} .= "$one\n";
        }
    }

    $part{main} =~ s/^load_module\b.*?;//mg;
    $part{main} =~ s/^events\b.*?\}//msg;
    $part{http} =~ s/listen\s+[^;]*;/listen unix:$dir\/listen.sock;/g;
    $part{http} = join("", map { $add{$_} } sort keys %add) . $part{http};
    $part{http} = "sluice_redis unix:/nowhere;\n$part{http}"
        if $part{http} !~ /sluice_redis\s+(?!.*\bname=)/;

    my $content = $part{location} =~ /sluice_(?:split|dedupe|tenant)\b/
                  && $part{location} !~ /sluice_enqueue/
                  ? "sluice_enqueue q;" : "";
    $content .= "sluice_verify none;"
        if $part{location} . $content =~ /sluice_enqueue/
           && $part{location} !~ /sluice_verify\s/;

    return "load_module $module;\n$part{main}\npid $dir/nginx.pid;\nevents { }\n"
           . "http {\naccess_log off;\nclient_max_body_size 3m;\n$part{http}\n"
           . "server { listen unix:$dir/example.sock;\n$part{server}\n"
           . "location /example_of_docs {\n$part{location}\n$content\n} } }\n";
}

# what an error of NGINX's asks for; undef: nothing that the reader has
sub missing {
    my ($said, $add, $text) = @_;
    my ($key, $line);

    # of a secret: not named
    if ($said =~ /unknown variable in "secret="/) {
        my @names = grep { !$add->{"\$$_"} && $text !~ /(?:map|set) .*\$$_\b/ }
                    $text =~ /(?:secret|verify_token)=\S*?\$(\w+)/g;
        $add->{"\$$_"} = "map \$uri \$$_ { default value; }\n" for @names;
        return @names > 0;

    } elsif ($said =~ /unknown "(\w+)" variable/) {
        ($key, $line) = ("\$$1", "map \$uri \$$1 { default value; }\n");

    } elsif ($said =~ /zone "?(\w+)"? (?:is unknown|is not|unknown)|unknown zone "(\w+)"|zone "(\w+)".*"sluice_limit_zone"/) {
        my $zone = $1 || $2 || $3;
        ($key, $line) = ("zone $zone", "sluice_limit_zone \$uri zone=$zone:1m;\n");

    } elsif ($said =~ /needs a "sluice_tenants"/) {
        ($key, $line) = ("tenants", "sluice_tenants zone=of_the_reader:1m;\n");

    } elsif ($said =~ /host not found in upstream "([\w.-]+)"/) {
        ($key, $line) = ("upstream $1", "upstream $1 { server 127.0.0.1:9; }\n");
    }

    return if !$key || $add->{$key};
    $add->{$key} = $line;
    return 1;
}

# one that signs itself, and its key
sub certificate {
    my ($path) = @_;
    make_path(dirname($path));
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
           . " -subj /CN=redis -days 2 -keyout $path.key -out $path 2>/dev/null"
           . " && cat $path.key >> $path") == 0 or die "openssl";
}

sub check {
    my ($text) = @_;
    my %add;

    # the environment, files and directories that an example names
    $ENV{$1} = "value" while $text =~ /env:(\w+)/g;
    $text =~ s{(?<=[\s=:"])/(?:etc|var|run)/}{$dir/files/}g;
    for my $path ($text =~ m{(\Q$dir\E/files/[\w./-]+)}g) {
        next if $path =~ /\.sock$/ || -e $path;
        if ($text =~ /sluice_spool\s+\Q$path\E/) { make_path($path) }
        elsif ($path =~ /\.pem$/) { certificate($path) }
        else { write_to($path, "0" x 64 . "\n") }
    }

    for (1 .. 20) {
        my $conf = conf($text, %add);
        return (1, "cannot be read") if !defined $conf;
        write_to("$dir/nginx.conf", $conf);
        unlink glob "$dir/*.sock";
        my ($code, $said) = said_by($nginx, "-t", "-q", "-p", $dir, "-c",
                                    "$dir/nginx.conf", "-e", "$dir/error.log");
        return (0, $said) if $code == 0;
        return ($code, "$said\n$conf") if !missing($said, \%add, $text);
    }
}

my $n = 0;

for my $file ("$top/README.md", sort glob "$top/docs/*.md") {
    my $text = text_of($file);
    my $page = basename($file);

    while ($text =~ /^```nginx\n(.*?)^```/msg) {
        my $example = $1;
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
        my ($code, $said) = check($example);
        is $code, 0, "$page:$line" or diag $said;
        $n++;
    }
}

cmp_ok $n, ">=", 10, "there are examples";
isnt +(check("sluice_verify meta;"))[0], 0, "an error is seen";

done_testing;
