#!/bin/sh
# join.sh DIR: the scripts DIR/*.lua as a C header on standard output.
#
# A line "--@include name" is replaced by DIR/include/name.lua, each once a
# script, where it is asked for first.  An indented one stands in a function
# that makes its steps only when it needs them: it is put there as well, unless
# the whole script has it already.  Lines that are only a comment, blank lines
# and indentation are left out: the SHA1 changes with the code alone.

set -eu

dir=${1:?usage: join.sh directory-of-scripts}
text=$(mktemp)
trap 'rm -f "$text"' EXIT
trap 'exit 1' HUP INT TERM

join() {
    awk -v dir="$dir" '
        function fail(why) {
            print FILENAME ": " why > "/dev/stderr"
            failed = 1
            exit 1
        }
        function emit(line) {
            sub(/^[ \t]+/, "", line)
            sub(/[ \t]+$/, "", line)
            if (line !~ /^--/ && line != "") {
                print line
            }
        }
        function include(name, local_,    file, line, got) {
            if (name in seen) {
                return
            }
            if (name in open) {
                fail("include " name " includes itself")
            }
            if (!local_) {
                seen[name] = 1
            }
            open[name] = 1
            file = dir "/include/" name ".lua"
            while ((got = (getline line < file)) > 0) {
                take(line, local_)
            }
            if (got < 0) {
                fail("no include " file)
            }
            close(file)
            delete open[name]
        }
        function take(line, local_,    name) {
            if (line ~ /^ *--@include /) {
                name = line
                sub(/^ *--@include +/, "", name)
                sub(/ *$/, "", name)
                include(name, local_ || line ~ /^ /)
            } else {
                emit(line)
            }
        }
        { take($0, 0) }
        END { exit failed }
    ' "$1"
}

cat <<'END'
/* made by lua/join.sh: do not edit */

#ifndef SLUICE_GEN_SCRIPTS_H
#define SLUICE_GEN_SCRIPTS_H

#include "core/redis.h"

END

for file in "$dir"/*.lua; do
    [ -f "$file" ] || { echo "join.sh: no scripts in $dir" >&2; exit 1; }
    name=$(basename "$file" .lua)
    join "$file" > "$text"
    sha=$(sha1sum < "$text" | cut -d' ' -f1)
    len=$(wc -c < "$text" | tr -d ' ')

    echo
    echo "static const sluice_script_t  sluice_script_$name"
    echo "    __attribute__((unused)) = {"
    echo "    .name = \"$name\","
    echo "    .text ="
    # every ? is escaped: -std=c11 reads trigraphs
    awk '{ gsub(/[\\"?]/, "\\\\&"); print "        \"" $0 "\\n\"" }' "$text"
    echo "    ,"
    echo "    .len = $len,"
    echo "    .sha = \"$sha\""
    echo "};"
done

printf '\n\n#endif\n'
