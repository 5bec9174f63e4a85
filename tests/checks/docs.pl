#!/usr/bin/perl
#
# docs.pl
#
# Every directive of ngx_module's command tables has a section of its own in
# docs/*.md, in nginx.org's form: Syntax, Default, Context, the context being
# that of the table, and an example on its page (tests/examples tries them);
# no other directive is documented; README's table names each.  A parameter that
# a directive's file compares with ("burst=", "by=path", "early") is in the
# Syntax of a directive of that file, and the other way round.  Every variable is
# named in docs/edge.md, and no page names another; every setting of a scheme in
# docs/schemes.md, every object of sluice_status in docs/status.md (its numbers
# are looked at by t/96-documented.t).  Prints file:line: what.

use strict;
use warnings;

use File::Basename qw(dirname);

chdir dirname(__FILE__) . '/../..' or die;

my $bad = 0;

sub bad {
    my ($where, $what) = @_;
    print "$where: $what\n";
    $bad++;
}

sub lines_of {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!\n";
    return <$in>;
}

my @CONTEXTS = (
    [ MAIN_CONF => 'http' ],
    [ SRV_CONF => 'server' ],
    [ LOC_CONF => 'location' ],
    [ SIF_CONF => 'if in server' ],
    [ LIF_CONF => 'if in location' ],
    [ LMT_CONF => 'limit_except' ],
);

# the tables: a directive is a name in braces, its flags are on the next lines

my (%commands, %variables);

for my $file (sort glob 'ngx_module/*.c') {
    my @lines = lines_of($file);

    for my $i (0 .. $#lines) {
        if ($lines[$i] =~ /^\s*\{ ngx_string\("(sluice_[a-z_]+)"\),\s*$/) {
            my $name = $1;
            my ($flags, $n) = ('', $i + 1);
            do { $flags .= $lines[$n] } until $lines[$n++] =~ /,\s*$/;
            next if $flags !~ /NGX_HTTP_\w+_CONF/;
            my ($handler) = $lines[$n] =~ /^\s*(\w+),/;
            $commands{$name} = {
                where => $file . ':' . ($i + 1),
                handler => $handler,
                context => join(', ', map { $_->[1] }
                                grep { $flags =~ /NGX_HTTP_$_->[0]\b/ }
                                @CONTEXTS),
            };

        } elsif ($lines[$i] =~ /ngx_http_sluice_variable\("(sluice_[a-z_]+)"/) {
            $variables{$1} = $file . ':' . ($i + 1);
        }
    }
}

die "no command table was found\n" if keys %commands < 5;
die "no table of variables was found\n" if keys %variables < 5;

# the pages

my (%sections, $edge);

for my $file (sort glob 'docs/*.md') {
    my ($section, $last);
    my ($example, $n) = ('', 0);

    for my $line (lines_of($file)) {
        $n++;

        if ($line =~ /^(\s*)```(\w*)/) {
            $example = $example ? '' : $2 || 'text';

        } elsif ($example) {
            next if $example ne 'nginx';
            for my $name ($line =~ /(?<![\w\$])(sluice_[a-z_]+)/g) {
                $sections{$name}{example} = 1;
            }

        } elsif ($line =~ /^##+\s+(sluice_[a-z_]+)\s*$/) {
            $section = $sections{$1} //= {};
            bad("$file:$n", "a second section of $1") if $section->{where};
            $section->{where} = "$file:$n";
            $section->{name} = $1;

        } elsif ($line =~ /^#/) {
            $section = undef;

        } elsif ($section
                 && $line =~ /^- \*\*(Syntax|Default|Context):\*\*\s*(.*?)\s*$/)
        {
            $last = [ "$file:$n", $2 ];
            push @{ $section->{$1} }, $last;

        } elsif ($last && $line =~ /^  (\S.*?)\s*$/) {
            $last->[1] .= " $1";

        } else {
            $last = undef;
        }
    }
}

for my $name (sort keys %commands) {
    my $command = $commands{$name};
    my $section = $sections{$name};

    if (!$section || !$section->{where}) {
        bad($command->{where}, "$name has no section \"## $name\" in docs/*.md");
        next;
    }

    for my $part (qw(Syntax Default Context)) {
        bad($section->{where}, "$name has no \"- **$part:**\"")
            if !$section->{$part};
    }

    for my $syntax (@{ $section->{Syntax} || [] }) {
        bad($syntax->[0], "the syntax is not that of $name;")
            if $syntax->[1] !~ /^`\Q$name\E\b.*;`/;
    }

    for my $context (@{ $section->{Context} || [] }) {
        (my $text = $context->[1]) =~ s/`//g;
        bad($context->[0], "$name: \"$text\", the table has "
                           . "\"$command->{context}\"")
            if $text ne $command->{context};
    }

    bad($section->{where}, "$name has no example in docs/*.md")
        if !$section->{example};
}

for my $section (map { $sections{$_} } sort keys %sections) {
    bad($section->{where}, "there is no directive $section->{name}")
        if $section->{where} && !$commands{ $section->{name} };
}

# the parameters: each directive's handler is in one file, with what it reads

my %elsewhere = ('ngx_module/ngx_http_sluice_tls.c'
                 => 'ngx_module/ngx_http_sluice_redis_conf.c');
my (%words, %syntaxes);

for my $file (sort glob 'ngx_module/*.c') {
    my $of = $elsewhere{$file} || $file;
    my $n = 0;

    for my $line (lines_of($file)) {
        $n++;

        if ($line =~ /^(ngx_http_sluice_\w+)\(ngx_conf_t \*cf/) {
            my ($name) = grep { $commands{$_}{handler} eq $1 } keys %commands;
            $syntaxes{$of}{$name} = 1 if $name;
        }

        while ($line =~ /(?:strn?cmp\([^"]*|ngx_string\()"([a-z_]+)(=?)([a-z_]*)"/g)
        {
            my ($word, $is, $value) = ($1, $2, $3);
            next if !$is && $line !~ /cmp\(value\b/;
            $words{$of}{"$word$is"}{$value} = "$file:$n";
        }
    }
}

my $parameters = 0;
my $pages = join '', map { lines_of($_) } glob 'docs/*.md';

for my $file (sort keys %syntaxes) {
    my @names = sort keys %{ $syntaxes{$file} };
    my $syntax = join ' ', map { map { $_->[1] } @{ $sections{$_}{Syntax} || [] } }
                 @names;

    for my $word (sort keys %{ $words{$file} }) {
        for my $value (sort keys %{ $words{$file}{$word} }) {
            $parameters++;
            my $is = $word =~ /=$/;
            my $there = $is ? $syntax =~ /\b\Q$word\E(?:[^\s\]]*\b)?\Q$value\E/
                            : $syntax =~ /\b\Q$word\E\b/;

            # what a parameter may be, as secret=tenant; the name of a scheme
            next if !$is && ($pages =~ /=\Q$word\E`/ || $names[0] eq 'sluice_verify'
                             && $pages =~ /^\| `\Q$word\E` \|/m);

            bad($words{$file}{$word}{$value},
                "$word$value is not in the syntax of @names") if !$there;
        }
    }

    for my $name (@names) {
        for my $part (@{ $sections{$name}{Syntax} || [] }) {
            for my $word ($part->[1] =~ /\b([a-z_]+=)/g) {
                next if $words{$file}{$word};
                next if $name eq 'sluice_verify'
                        && grep { /is\(name, name_len, "\Q@{[$word =~ s,=,,r]}\E"/ }
                           lines_of('core/scheme_set.c');
                bad($part->[0], "$name does not read $word");
            }
        }
    }
}

die "no parameters were found\n" if $parameters < 20;

# the lists

my $readme = join '', grep { /^\| `sluice_/ } lines_of('README.md');
my $list = join '', lines_of('docs/edge.md');

for my $name (sort keys %commands) {
    bad('README.md', "$name is not in the table of directives")
        if $readme !~ /`\Q$name\E\b/;
    bad('docs/edge.md', "$name is not in the table of directives")
        if $list !~ /\[\Q$name\E\]/;
}

for my $name (sort keys %variables) {
    bad($variables{$name}, "\$$name is not in docs/edge.md")
        if $list !~ /`\$\Q$name\E`/;
}

for my $file ('README.md', sort glob 'docs/*.md') {
    my $n = 0;

    for my $line (lines_of($file)) {
        $n++;

        for my $name ($line =~ /\$(sluice_[a-z_]*[a-z])/g) {
            bad("$file:$n", "there is no variable \$$name")
                if !$variables{$name};
        }
    }
}

# the settings of schemes, and the numbers

my $schemes = join '', lines_of('docs/schemes.md');
my $status = join '', grep { /^\| `/ } lines_of('docs/status.md');
my %named;

for my $line (lines_of('core/scheme_set.c')) {
    $named{$1} = 1 if $line =~ /sluice_set_is\(name, name_len, "(\w+)"/;
}

for my $name (sort keys %named) {
    bad('docs/schemes.md', "the setting $name= is not there")
        if $schemes !~ /`\Q$name\E=/;
}

my @parts = map { /^    \{ "(\w+)", (?:NULL|ngx_http_sluice_\w+),/ ? $1 : () }
            lines_of('ngx_module/ngx_http_sluice_metrics.c');

for my $name (@parts) {
    bad('docs/status.md', "\"$name\" of sluice_status is not in the table")
        if $status !~ /^\| `\Q$name\E` \|/m;
}

die "no settings or no numbers were found\n" if !%named || @parts < 5;

if ($bad) {
    print STDERR "docs: see above\n";
    exit 1;
}

printf "docs: %d directives, %d parameters, %d variables\n",
       scalar keys %commands, $parameters, scalar keys %variables;
