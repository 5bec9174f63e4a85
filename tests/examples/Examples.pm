# What the tests of examples share: where things are, a directory of their own,
# files, and what a program says.

package Examples;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

our @EXPORT = qw($top $nginx $module $dir text_of write_to said_by);

our $top = abs_path(dirname(__FILE__) . "/../..");
our $nginx = $ENV{TEST_NGINX_BINARY} || "/usr/sbin/nginx";
our $module = "$top/build/ngx_http_sluice_module.so";
our $dir = tempdir(CLEANUP => 1);


sub text_of {
    open my $in, "<", $_[0] or die "$_[0]: $!";
    local $/;
    return scalar <$in>;
}


sub write_to {
    make_path(dirname($_[0]));
    open my $out, ">", $_[0] or die "$_[0]: $!";
    print $out $_[1];
    close $out;
}


# the exit status and what was said
sub said_by {
    my (@command) = @_;
    open my $out, "-|", "exec 2>&1; exec @command" or die;
    my $said = join "", <$out>;
    close $out;
    return ($? >> 8, $said);
}


1;
