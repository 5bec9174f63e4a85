#!/bin/sh
# t.sh BUILD [prove's arguments]: the suites of t/ with a Redis of their own.
# SLUICE_NGINX names another NGINX, with the module inside or in SLUICE_MODULE.

set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
shift

sh "$here/tests/tools/test-nginx.sh" "$build"

run=$(mktemp -d "$build/t.XXXXXX")
redis=

stop() {
    if [ -n "$redis" ]; then
        kill "$redis" 2>/dev/null || true
        wait "$redis" 2>/dev/null || true
    fi
    rm -rf "$run"
}

trap stop EXIT
trap 'exit 1' HUP INT TERM

redis-server --port 0 --unixsocket "$run/redis.sock" --unixsocketperm 777 \
    --dir "$run" --save '' --appendonly no --logfile "$run/redis.log" &
redis=$!

tries=0
until redis-cli -s "$run/redis.sock" ping >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
        echo "t.sh: redis-server does not start" >&2
        exit 1
    fi
    sleep 0.05
done

# a free port, and the next ones, for this run
port=$(perl -MIO::Socket::INET -e '
    for (1 .. 100) {
        my $p = 20000 + int rand 10000;
        my @s = map { IO::Socket::INET->new(LocalAddr => "127.0.0.1",
                          LocalPort => $p + $_, Listen => 1) } 0 .. 9;
        if (10 == grep { $_ } @s) { print $p; exit }
    }
    exit 1')

if [ -n "${SLUICE_NGINX:-}" ]; then
    TEST_NGINX_BINARY=$(cd "$(dirname "$SLUICE_NGINX")" && pwd)/nginx
    export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0:abort_on_error=1}"
    export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
    if [ -n "${SLUICE_MODULE:-}" ]; then
        export TEST_NGINX_LOAD_MODULES="$SLUICE_MODULE"
    fi
else
    TEST_NGINX_BINARY=$(command -v nginx || echo /usr/sbin/nginx)
    export TEST_NGINX_LOAD_MODULES="$build/ngx_http_sluice_module.so"
fi

export TEST_NGINX_BINARY
export TEST_NGINX_PORT="$port"
export TEST_NGINX_SERVROOT="$run/servroot"
export TEST_NGINX_REDIS_SOCKET="$run/redis.sock"
export TEST_NGINX_FAKE_PORT="$((port + 2))"
export TEST_NGINX_RUN="$run"
export TEST_NGINX_TIMEOUT="${TEST_NGINX_TIMEOUT:-10}"

cd "$here"

if [ $# -eq 0 ]; then
    set -- t
fi

${PROVE:-prove} -I"$build/test-nginx/usr/share/perl5" -It/lib "$@"
