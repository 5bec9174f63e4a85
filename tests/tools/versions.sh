#!/bin/bash
# versions.sh BUILD [full]: the edge with other versions and builds of NGINX, as
# TAP.  A source that cannot be had is skipped, with the reason.  SLUICE_SOURCE
# names an unpacked source to be taken for the newest one.
#
#     the next stable one   dynamic, most of t/; static, some of it
#     the newest one        static, some of t/
#     the installed one     no SSL, threads or HTTP/2, loads the packaged module
#     the same with clang   static, nor PCRE and rewriting
#
# full: all of t/ everywhere, and each version with clang as well.

set -u

here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
full=${2:-}
log=$build/versions
some="t/20-verify.t t/40-body.t t/60-enqueue.t"
one=t/60-enqueue.t
# without the suites that wait most
most='t/[0-6]*.t t/76-*.t t/8[05]-*.t t/9*.t'
usual="--with-compat --with-threads --with-http_ssl_module
       --with-http_v2_module --with-http_realip_module
       --with-http_auth_request_module --with-http_addition_module
       --with-http_sub_module"
n=0

mkdir -p "$log"
cd "$here" || exit 1

# NAME STATUS [LOG]
result() {
    n=$((n + 1))
    if [ "$2" = 0 ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        tail -n 25 "${3:-/dev/null}" | sed 's/^/# /'
    fi
}

skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

# NAME SOURCE CC OPTION...: builds in $build/versions/NAME
compile() {
    local name=$1 source=$2 cc=$3 code
    shift 3

    rm -rf "${log:?}/$name"
    cp -r "$source" "$log/$name"
    (cd "$log/$name" && ./configure --with-cc="$cc" --with-cc-opt="-O1 -fPIC" \
         "$@" && make -j2 -f objs/Makefile build &&
         case " $* " in
         *--add-dynamic-module*) make -j2 -f objs/Makefile modules ;;
         esac) > "$log/$name.log" 2>&1
    code=$?

    # NGINX's own flags have -Werror; what is no error would be a surprise
    if [ $code = 0 ] && grep -n 'warning:' "$log/$name.log" > "$log/warnings"
    then
        code=1
    fi

    result "$name: built by $cc without a warning" $code "$log/$name.log"
    return $code
}

# NAME BINARY MODULE FILE...: suites of t/
suites() {
    local name=$1
    SLUICE_NGINX=$2 SLUICE_MODULE=$3
    export SLUICE_NGINX SLUICE_MODULE
    shift 3

    sh tests/tools/t.sh "$build" "$@" > "$log/t.log" 2>&1
    result "$name: ${*:-t/}" $? "$log/t.log"
}

# NAME BINARY MODULE DIRECTIVE TEXT: what nginx -t must say; '' is nothing
says() {
    local dir=$log/says code
    mkdir -p "$dir/logs"
    {
        [ -z "$3" ] || echo "load_module $3;"
        echo "events { }"
        echo "http { $4; }"
    } > "$dir/nginx.conf"

    "$2" -t -p "$dir" -c "$dir/nginx.conf" > "$log/says.log" 2>&1
    code=$?

    if [ -n "$5" ]; then
        [ $code != 0 ] && grep -q "$5" "$log/says.log"
        code=$?
    fi

    result "$1: $4: ${5:-is taken}" $code "$log/says.log"
}

# NAME BINARY MODULE: what needs SSL or threads says so, and nothing else
bare() {
    says "$@" 'sluice_redis redis://127.0.0.1' ''
    says "$@" 'sluice_redis rediss://127.0.0.1' 'needs an NGINX .* with SSL'
    says "$@" 'sluice_spool spool size=1m' 'needs an NGINX .* with threads'
}

# NAME SOURCE: one version, by gcc or clang
version() {
    local name=$1 source=$2 cc=$3 all=$4
    local static="$name-$cc-static" dynamic="$name-$cc-dynamic"

    if [ "$all" != no ] &&
        compile "$dynamic" "$source" "$cc" --with-debug $usual \
            --add-dynamic-module="$here"
    then
        local module=$log/$dynamic/objs/ngx_http_sluice_module.so
        cp "$log/$dynamic/objs/nginx" "$log/$dynamic/nginx"
        says "$dynamic" "$log/$dynamic/nginx" "$module" \
            'sluice_redis rediss://127.0.0.1; sluice_spool spool size=1m' ''
        if [ -n "$full" ]; then
            suites "$dynamic" "$log/$dynamic/nginx" "$module"
        else
            suites "$dynamic" "$log/$dynamic/nginx" "$module" $most
        fi
    fi

    if compile "$static" "$source" "$cc" $usual --add-module="$here"; then
        cp "$log/$static/objs/nginx" "$log/$static/nginx"
        if [ -n "$full" ]; then
            suites "$static" "$log/$static/nginx" ''
        elif [ "$all" != no ]; then
            suites "$static" "$log/$static/nginx" '' $one
        else
            suites "$static" "$log/$static/nginx" '' $some
        fi
    fi
}

number() {
    sed -n 's/.*define NGINX_VERSION *"\(.*\)"/\1/p' "$1/src/core/nginx.h"
}

# SUITE: its source in $build/nginx-SUITE, or skipped
source_of() {
    if sh tests/tools/debian-source.sh "$build/apt-$1" nginx "$1" \
        "$build/nginx-$1" > "$log/source-$1.log" 2>&1
    then
        return 0
    fi

    skip "NGINX of Debian $1" \
        "its source cannot be had: $(grep '^E:' "$log/source-$1.log" |
                                     tail -n 1)"
    return 1
}

ccs=gcc
[ -z "$full" ] || ccs="gcc clang"

sh tests/tools/nginx-source.sh "$build" > "$log/source.log" 2>&1 || {
    cat "$log/source.log" >&2
    exit 1
}
installed=$(number "$build/nginx-source")

if source_of trixie; then
    for cc in $ccs; do
        version "$(number "$build/nginx-trixie")" "$build/nginx-trixie" $cc yes
    done
fi

if [ -n "${SLUICE_SOURCE:-}" ]; then
    newest=$SLUICE_SOURCE
elif source_of sid; then
    newest=$build/nginx-sid
else
    newest=
fi

if [ -n "$newest" ]; then
    for cc in $ccs; do
        version "$(number "$newest")" "$newest" $cc "${full:-no}"
    done
fi

if [ -n "$full" ]; then
    version "$installed" "$build/nginx-source" clang yes
fi

if compile "$installed-bare" "$build/nginx-source" gcc --with-compat \
    --with-http_realip_module --with-http_auth_request_module
then
    cp "$log/$installed-bare/objs/nginx" "$log/$installed-bare/nginx"
    bare "$installed-bare" "$log/$installed-bare/nginx" \
        "$build/ngx_http_sluice_module.so"
    suites "$installed-bare" "$log/$installed-bare/nginx" \
        "$build/ngx_http_sluice_module.so" $some
fi

if compile "$installed-barest" "$build/nginx-source" clang --with-debug \
    --without-pcre --without-http_rewrite_module --without-http_gzip_module \
    --add-module="$here"
then
    bare "$installed-barest" "$log/$installed-barest/objs/nginx" ''
fi

echo "1..$n"
