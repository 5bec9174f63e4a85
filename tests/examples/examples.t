#!/usr/bin/perl
# Every example configuration is one that the programs take, and is refused
# when it has an error: so that the first proves something.

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use Test::More;

my $top = abs_path(dirname(__FILE__) . "/../..");
my $nginx = $ENV{TEST_NGINX_BINARY} || "/usr/sbin/nginx";
my $module = "$top/build/ngx_http_sluice_module.so";
my $dir = tempdir(CLEANUP => 1);

sub text_of {
    open my $in, "<", $_[0] or die "$_[0]: $!";
    local $/;
    return scalar <$in>;
}

sub write_to {
    open my $out, ">", $_[0] or die "$_[0]: $!";
    print $out $_[1];
    close $out;
}

# the answer is the exit status and what was said
sub check {
    my (@command) = @_;
    open my $out, "-|", "exec 2>&1; exec @command" or die;
    my $said = join "", <$out>;
    close $out;
    return ($? >> 8, $said);
}

sub nginx_takes {
    my ($text) = @_;
    $text =~ s{^load_module .*;}{load_module $module;}m;
    $text =~ s{listen 80;}{listen unix:$dir/listen.sock;}g;
    write_to("$dir/nginx.conf", "pid $dir/nginx.pid;\n$text");
    unlink "$dir/listen.sock";
    return check($nginx, "-t", "-q", "-p", $dir, "-c", "$dir/nginx.conf",
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
    my ($code, $said) = check("$top/build/sluiced", "-t", "-c",
                              "$dir/sluiced.conf");
    is $code, 0, $name or diag $said;
    write_to("$dir/sluiced.conf", $text =~ s/kind    = "cloud_api"/kind = "x"/r);
    ($code, $said) = check("$top/build/sluiced", "-t", "-c",
                           "$dir/sluiced.conf");
    isnt $code, 0, "$name: an error is seen";
    like $said, qr/sluiced\.conf:\d+: .*kind/, "$name: and named";
}

done_testing;
