#!/bin/sh
#
# headers.sh [BUILD]
#
# Each header compiles alone, twice in one file, without a warning.

set -u

cd "$(dirname "$0")/../.." || exit 2

build=${1:-build}
cc=${CC:-cc}
nginx=${NGINX_SRC:-/usr/share/nginx/src}
flags='-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter'
flags="$flags -Wno-unused-function -fsyntax-only"
status=0
n=0

try() {
    header=$1
    shift
    n=$((n + 1))

    # not the header itself on the command line: that would warn of its guard

    if ! printf '#include "%s"\n#include "%s"\n' "$header" "$header" \
        | $cc $flags "$@" -I. -I"$build/gen" -x c - 2>"$build/headers.log"
    then
        sed 's/^/    /' "$build/headers.log"
        echo "$header:1: does not compile alone"
        status=1
    fi
}

mkdir -p "$build"

for header in $(find core worker tests -name '*.h' \
                    -not -path '*/node_modules/*' | sort); do
    try "$header"
done

# NGINX's own headers are there when its source has been configured

objs=$(find "$build" -maxdepth 4 -name ngx_auto_config.h 2>/dev/null \
       | sort | head -n 1)
objs=${objs%/*}

if [ -n "$objs" ]; then
    src=$(dirname "$objs")
    [ -d "$src/src" ] || src=$nginx

    for header in $(find ngx_module -name '*.h' | sort); do
        try "$header" -std=gnu11 -isystem "$src/src/core" \
            -isystem "$src/src/event" -isystem "$src/src/event/modules" \
            -isystem "$src/src/os/unix" -isystem "$src/src/http" \
            -isystem "$src/src/http/modules" -isystem "$src/src/http/v2" \
            -isystem "$objs"
    done

else
    echo "headers: ngx_module is left out, NGINX is not configured"
fi

if [ $status -ne 0 ]; then
    echo "headers: see above" >&2
    exit 1
fi

echo "headers: $n compile alone"
