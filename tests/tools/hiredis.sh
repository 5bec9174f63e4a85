#!/bin/bash
# hiredis.sh BUILD: the tests of core/redis with hiredis 1.x, from the source of
# a later Debian, as TAP.  Skipped when that cannot be had.

set -u

build=$(cd "$1" && pwd)
source=$build/hiredis-trixie
work=$build/hiredis

cd "$(dirname "$0")/../.." || exit 1
mkdir -p "$work/include" "$work/obj"

if ! sh tests/tools/debian-source.sh "$build/apt-trixie" hiredis trixie \
    "$source" > "$work/source.log" 2>&1
then
    echo "1..1"
    echo "ok 1 - hiredis 1.x # SKIP its source cannot be had:" \
         "$(grep '^E:' "$work/source.log" | tail -n 1)"
    exit 0
fi

flags="-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -O1 -g
       -fsanitize=address,undefined -fno-sanitize-recover=all
       -I$work/include -I. -I$build/gen"
code=0

{
    make -C "$source" static CFLAGS=-fPIC &&
        ln -sfn "$source" "$work/include/hiredis" &&
        for file in core/*.c; do
            cc $flags -c -o "$work/obj/$(basename "$file" .c).o" "$file" ||
                exit 1
        done
} > "$work/build.log" 2>&1 || {
    tail -n 20 "$work/build.log" | sed 's/^/# /'
    echo "not ok 1 - core is built with hiredis 1.x"
    echo "1..1"
    exit 1
}

sed -n 's/^#define HIREDIS_M[AI][JN]OR /# hiredis /p' "$source/hiredis.h"

for test in tests/unit/test_redis*.c; do
    name=$(basename "$test" .c)
    echo "# $name"
    cc $flags -o "$work/$name" "$test" "$work"/obj/*.o "$source/libhiredis.a" \
        -lcmocka -lcrypto -lm > "$work/build.log" 2>&1 || {
        tail -n 20 "$work/build.log" | sed 's/^/# /'
        echo "not ok 1 - $name is built"
        echo "1..1"
        code=1
        continue
    }
    CMOCKA_MESSAGE_OUTPUT=TAP "$work/$name" 2> "$work/$name.log" || code=1
done

exit $code
