# The numbers of sluice_status as Prometheus reads them: the format, which
# promtool checks too where it is installed, and that JSON says the same.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

my $name = qr/[a-z][a-z0-9_]*/;
my $promtool = (grep { -x "$_/promtool" } split /:/, $ENV{PATH})[0];


# metric and labels => value; what is not of the format is an error
sub samples {
    my ($text) = @_;

    my (%samples, %seen, $metric, $type);

    die "no newline at the end\n" if $text !~ /\n\z/;

    for my $line (split /\n/, $text) {

        if ($line =~ /^# HELP ($name) \S.*\.$/) {
            die "$1 is there twice\n" if $seen{$1}++;
            ($metric, $type) = ($1, undef);
            next;
        }

        if ($line =~ /^# TYPE ($name) (counter|gauge|histogram)$/) {
            die "TYPE without HELP: $line\n" if $1 ne $metric || $type;
            $type = $2;
            die "$1 is no counter's name\n" if $type eq 'counter'
                                               && $metric !~ /_total$/;
            die "$1 is a counter's name\n" if $type ne 'counter'
                                              && $metric =~ /_total$/;
            next;
        }

        $line =~ /^(nginx_sluice_$name)
                  (\{$name="[A-Za-z0-9_.+:{}-]+"(?:,$name="[A-Za-z0-9_.+-]+")*\})?
                  [ ](\d+(?:\.\d+)?)$/x
            or die "not a sample: $line\n";

        my ($sample, $labels, $value) = ($1, $2 || '', $3);
        my $suffix = $type eq 'histogram' ? '_(?:bucket|sum|count)' : '';

        die "$sample without TYPE\n" if !$type || $sample !~ /^$metric$suffix$/;
        die "$sample$labels is there twice\n" if exists $samples{"$sample$labels"};

        $samples{"$sample$labels"} = $value;
    }

    return \%samples;
}


Test::Nginx::Socket::add_response_body_check(sub {
    my ($block, $body, $index) = @_;

    return if $body !~ /^# HELP/;

    my $samples = eval { samples($body) };
    is($@, '', $block->name . ' - the format');

    for my $group (qw(events guarded)) {
        my $sum = $samples->{"nginx_sluice_${group}_in_flight"};
        $sum += $samples->{$_}
            for grep { /^nginx_sluice_${group}_total\{/ } keys %$samples;
        is($samples->{"nginx_sluice_${group}_received_total"}, $sum,
           $block->name . " - $group balance");
    }

    my $last = 0;
    for my $le (qw(0.001 0.002 0.005 0.01 0.025 0.1 0.5 2.5 +Inf)) {
        my $n = $samples->{"nginx_sluice_enqueue_seconds_bucket{le=\"$le\"}"};
        cmp_ok($n, '>=', $last, $block->name . " - bucket $le");
        $last = $n;
    }
    is($samples->{nginx_sluice_enqueue_seconds_count}, $last,
       $block->name . ' - count of the histogram');

    if ($promtool) {
        open my $pipe, '|-', "$promtool/promtool check metrics >&2" or die;
        print $pipe $body;
        ok(close $pipe, $block->name . ' - promtool check metrics');
    }

    if (defined $block->absent) {
        unlike($body, qr/${\ $block->absent}/, $block->name . ' - absent');
    }

    for my $line (split /\n/, $block->samples || '') {
        my ($key, $op, $value) = $line =~ /^(\S+) (==|>=) (\S+)$/ or next;
        cmp_ok($samples->{"nginx_sluice_$key"} // -1, $op, $value,
               $block->name . " - $key");
    }
});

run_tests();

__DATA__

=== TEST 1: every number is a sample
--- http_config
    sluice_redis unix:$TEST_NGINX_REDIS_SOCKET name=pm1;
    sluice_limit_zone $arg_k zone=pm1:64k;
--- config
    location /x { sluice_verify api_key secret=k; sluice_limit zone=pm1 rate=1r/h; sluice_enqueue q redis=pm1; }
    location /s { sluice_status prometheus; }
--- request eval
["POST /x?k=1\n{}", "POST /x?k=1\n{}", "POST /x\n", "GET /s"]
--- more_headers
Authorization: Bearer k
--- error_code eval: [200, 429, 400, 200]
--- response_headers_like eval
[("") x 3,
 "Cache-Control: no-store\nContent-Type: text/plain; version=0.0.4; charset=utf-8"]
--- samples
events_received_total >= 3
events_total{outcome="enqueued"} >= 1
events_total{outcome="limited"} >= 1
events_total{outcome="refused"} >= 1
refused_total{reason="body"} >= 1
handshakes_total{result="answered"} >= 0
enqueue_seconds_count >= 1
redis_connects_total{server="pm1"} >= 1
redis_connections{server="pm1",state="ready"} == 1
zone_bytes{zone="pm1"} == 65536
zone_keys{zone="pm1"} == 1


=== TEST 2: nothing but the module
--- no_redis
--- config
    location /s { sluice_status prometheus; }
--- request: GET /s
--- samples
guarded_in_flight == 0


=== TEST 3: more than the first piece of memory
--- http_config eval
CORE::join '', map { "sluice_limit_zone \$arg_k zone=long-name-of-a-zone-$_:64k;\n" } 1 .. 60
--- config
    location /s { sluice_status prometheus; }
    location /j { sluice_status json; }
--- request eval: ["GET /s", "GET /j"]
--- samples
zone_bytes{zone="long-name-of-a-zone-1"} == 65536
zone_bytes{zone="long-name-of-a-zone-60"} == 65536
--- response_body_like eval
['zone="long-name-of-a-zone-60"', '"name":"long-name-of-a-zone-60","bytes":65536,"keys":0,"evicted":0\}\]']


=== TEST 4: a form that there is not
--- config
    location /s { sluice_status xml; }
--- must_die
--- error_log
invalid parameter "xml" of "sluice_status"


=== TEST 5: the last event of each tenant that is verified or in the table
--- config
    location /v { sluice_verify api_key secret=k; sluice_enqueue q tenant=$arg_t; }
    location /n { sluice_verify none; sluice_enqueue q tenant=$arg_t; }
    location /s { sluice_status prometheus; }
    location /j { sluice_status; }
--- request eval
["POST /v?t=acme\n{}", "POST /n?t=anyone\n{}", "POST /v?t=b.2-_\n{}", "GET /s", "GET /j"]
--- more_headers
Authorization: Bearer k
--- error_code eval: [200, 200, 200, 200, 200]
--- samples eval
CORE::join '', map { "tenant_last_event_timestamp_seconds{tenant=\"$_\"} >= " . (time - 5) . "\n" }
               qw(acme b.2-_)
--- absent: anyone
--- response_body_like eval
["", "", "", "", '"last_events":\[\{"tenant":"[a-z]']
