#!/bin/sh
# install.sh [build|test]: the packages that the build, or the build and the
# tests, need.  What is there is left alone: when nothing is missing, apt is
# not called.  No service is started or enabled by it, and apt's sources are
# neither read nor changed by this script.

set -eu

what=${1:-build}

# the demo is part of "build": make run needs no more than these
packages="gcc make libc6-dev perl curl openssl ca-certificates tzdata
    nginx nginx-dev redis-server
    libhiredis-dev libevent-dev libcurl4-openssl-dev libjansson-dev
    libssl-dev libconfuse-dev libsqlite3-dev libpcre2-dev zlib1g-dev"

# the sanitizers' and the fuzzer's run-time library: Debian 12 has it by version
runtime=libclang-rt-dev

if [ -r /etc/os-release ] && [ "$(. /etc/os-release; echo "$ID$VERSION_ID")" \
                               = debian12 ]; then
    runtime=libclang-rt-14-dev
fi

tests="libcmocka-dev clang $runtime valgrind wrk sqlite3 procps
    libfaketime dpkg-dev libtest-base-perl libtext-diff-perl libtest-longstring-perl
    libwww-perl liblist-moreutils-perl libipc-run-perl libhttp-parser-perl
    libdbd-sqlite3-perl prometheus e2fsprogs mandoc chromium-headless-shell"

case $what in
build)
    ;;
test)
    packages="$packages $tests"

    # not by package: Node may have come from elsewhere, with npm inside
    command -v node >/dev/null || packages="$packages nodejs"
    command -v npm >/dev/null || packages="$packages npm"
    ;;
*)
    echo "usage: install.sh [build|test]" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install.sh: no Debian; install what stands for these and go on:" >&2
    echo "   " $packages >&2
    exit 0
fi

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
services=

for package in $packages; do
    if ! installed "$package"; then
        missing="$missing $package"

        case $package in
        nginx|redis-server|prometheus)
            services="$services $package"
        esac
    fi
done

if [ -z "$missing" ]; then
    exit 0
fi

echo "installing:$missing"

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null; then
    as_root=sudo
else
    echo "install.sh: neither root nor sudo; as root:" >&2
    echo "    apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# a package's service is not to start: this file forbids it, while it is there

policy=/usr/sbin/policy-rc.d
ours=

clean() {
    if [ -n "$ours" ]; then
        $as_root rm -f "$policy"
    fi
}

trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -n "$services" ] && [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null
}

# package lists may be absent or old: they are fetched when it fails without

tries=1

until apt install --no-install-recommends $missing; do

    if [ $tries = 4 ]; then
        echo "install.sh: apt-get failed $tries times, giving up" >&2
        exit 1
    fi

    echo "install.sh: again, after apt-get update" >&2
    tries=$((tries + 1))
    apt update || sleep 5
done

if [ -n "$services" ] && [ -d /run/systemd/system ]; then
    for service in $services; do
        $as_root systemctl disable --quiet "$service" 2>/dev/null || true
    done
fi
