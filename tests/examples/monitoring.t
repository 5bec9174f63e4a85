#!/usr/bin/perl
# The alert rules and the dashboard: what they ask for is there, and promtool
# takes them, where it is installed.

use strict;
use warnings;
use IO::Socket::UNIX;
use JSON::PP;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Examples;

my $promtool = (grep { -x "$_/promtool" } split /:/, $ENV{PATH})[0];

# the metrics of an edge that runs

write_to("$dir/nginx.conf", <<"CONF");
load_module $module;
pid $dir/nginx.pid;
error_log $dir/error.log;
events { }
http {
    access_log off;
    client_body_temp_path $dir/body; proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi; uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    sluice_redis unix:$dir/nowhere.sock;
    server {
        listen unix:$dir/listen.sock;
        location = /metrics { sluice_status prometheus; }
    }
}
CONF

system($nginx, "-p", $dir, "-c", "$dir/nginx.conf", "-e", "$dir/error.log") == 0
    or BAIL_OUT("nginx does not start: " . text_of("$dir/error.log"));

my ($s, $answer);
for (1 .. 200) {
    $s = IO::Socket::UNIX->new(Peer => "$dir/listen.sock") and last;
    select undef, undef, undef, 0.05;
}
if ($s) {
    print $s "GET /metrics HTTP/1.0\r\n\r\n";
    local $/;
    $answer = <$s>;
}
system($nginx, "-p", $dir, "-c", "$dir/nginx.conf", "-e", "$dir/error.log",
       "-s", "quit");

my %types = ($answer || "") =~ /^# TYPE (\S+) (\S+)$/mg;
cmp_ok(scalar(keys %types), ">", 10, "the edge has metrics");

# what is asked for

my $alerts = text_of("$top/contrib/prometheus/alerts.yml");
my $dashboard = JSON::PP->new->utf8->decode(
    text_of("$top/contrib/grafana/sluice-edge.json"));
my @exprs = map { $_->{expr} } map { @{ $_->{targets} } } @{ $dashboard->{panels} };

for (["alert rules", $alerts =~ s/^#.*//mgr], ["dashboard", "@exprs"]) {
    my ($what, $text) = @$_;
    my %asked = map { $_ => 1 } $text =~ /\b(nginx_sluice_[a-z_]+)/g;
    cmp_ok(scalar(keys %asked), ">", 5, "the $what ask for metrics");
    for my $name (sort keys %asked) {
        my $base = $name =~ s/_(?:bucket|sum|count)$//r;
        ok($types{$name} || ($types{$base} || "") eq "histogram",
           "$what: $name is there");
    }
}

my %seen;
is(scalar(grep { $seen{ $_->{id} }++ } @{ $dashboard->{panels} }), 0,
   "panels have ids of their own");

SKIP: {
    skip "promtool is not installed", 3 if !$promtool;

    my @said = `cd $top/contrib/prometheus && $promtool/promtool check rules alerts.yml 2>&1`;
    is($?, 0, "promtool check rules") or diag @said;
    @said = `cd $top/contrib/prometheus && $promtool/promtool test rules alerts_test.yml 2>&1`;
    is($?, 0, "promtool test rules") or diag @said;

    my $n = 0;
    write_to("$dir/rules.yml", JSON::PP->new->encode({ groups => [ {
        name => "dashboard",
        rules => [ map { { record => "r:" . $n++,
                           expr => s/\$__rate_interval/5m/gr =~ s/\$(job|instance)/.*/gr } }
                   @exprs ],
    } ] }));
    @said = `$promtool/promtool check rules $dir/rules.yml 2>&1`;
    is($?, 0, "the dashboard's expressions") or diag @said;
}

done_testing();
