#!/usr/bin/perl
# Every example configuration is one that the programs take, and is refused
# when it has an error: so that the first proves something.

use strict;
use warnings;
use File::Basename qw(basename);
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Examples;

sub nginx_takes {
    my ($text) = @_;
    $text =~ s{^load_module .*;}{load_module $module;}m;
    $text =~ s{listen 80;}{listen unix:$dir/listen.sock;}g;
    write_to("$dir/nginx.conf", "pid $dir/nginx.pid;\n$text");
    unlink "$dir/listen.sock";
    return said_by($nginx, "-t", "-q", "-p", $dir, "-c", "$dir/nginx.conf",
                   "-e", "$dir/error.log");
}

for my $file (sort glob "$top/contrib/examples/nginx-*.conf") {
    my $name = basename($file);
    my $text = text_of($file);
    my ($code, $said) = nginx_takes($text);
    is $code, 0, $name or diag $said;
    ($code) = nginx_takes($text =~ s/secret=\S+?(?=[;\s])/secret/r);
    isnt $code, 0, "$name: a secret without its value is seen";
}

for my $file (sort glob "$top/contrib/examples/sluiced*.conf") {
    my $name = basename($file);
    my $text = text_of($file);
    local $ENV{WHATSAPP_TOKEN} = "a";
    local $ENV{GLOBEX_TOKEN} = "b";
    write_to("$dir/sluiced.conf", $text);
    my ($code, $said) = said_by("$top/build/sluiced", "-t", "-c",
                              "$dir/sluiced.conf");
    is $code, 0, $name or diag $said;
    write_to("$dir/sluiced.conf", $text =~ s/kind    = "cloud_api"/kind = "x"/r);
    ($code, $said) = said_by("$top/build/sluiced", "-t", "-c",
                           "$dir/sluiced.conf");
    isnt $code, 0, "$name: an error is seen";
    like $said, qr/sluiced\.conf:\d+: .*kind/, "$name: and named";
}

done_testing;
