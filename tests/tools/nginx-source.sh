#!/bin/sh
# nginx-source.sh BUILD: unpacks the source of the installed NGINX package to
# BUILD/nginx-source.  apt runs with lists, cache and sources of its own below
# BUILD, so the machine's are neither read nor changed.

set -eu

build=$(cd "$1" && pwd)
target=$build/nginx-source
state=$build/apt-source

if [ -f "$target/src/core/nginx.c" ]; then
    exit 0
fi

for tool in apt-get dpkg-source; do
    if ! command -v $tool >/dev/null; then
        echo "nginx-source.sh: $tool is not here (package dpkg-dev)" >&2
        exit 1
    fi
done

version=$(dpkg-query -W -f '${source:Version}' nginx 2>/dev/null) || {
    echo "nginx-source.sh: the package nginx is not installed" >&2
    exit 1
}

. /etc/os-release

if [ "$ID" != debian ]; then
    echo "nginx-source.sh: made for Debian, this is $ID" >&2
    exit 1
fi

key=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=http://deb.debian.org
suite=$VERSION_CODENAME

mkdir -p "$state/lists/partial" "$state/cache/archives/partial" \
    "$state/parts" "$state/download"

cat > "$state/sources.list" <<LIST
deb-src [signed-by=$key] $mirror/debian $suite main
deb-src [signed-by=$key] $mirror/debian $suite-updates main
deb-src [signed-by=$key] $mirror/debian-security $suite-security main
LIST

apt() {
    apt-get -q -o Dir::State="$state" -o Dir::State::lists="$state/lists" \
        -o Dir::State::status=/var/lib/dpkg/status \
        -o Dir::Cache="$state/cache" \
        -o Dir::Etc::sourcelist="$state/sources.list" \
        -o Dir::Etc::sourceparts="$state/parts" \
        -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 \
        -o APT::Sandbox::User= -o APT::Get::List-Cleanup=0 "$@"
}

apt update
cd "$state/download"

# the very version, or the newest, or that of the release: a mirror may list a
# security update whose source it no longer or not yet has
apt source --download-only "nginx=$version" ||
    apt source --download-only nginx ||
    apt source --download-only "nginx/$suite"

dsc=$(ls -t nginx_*.dsc | head -n 1)
rm -rf "$target.tmp" "$target"
dpkg-source --no-check -x "$dsc" "$target.tmp"
mv "$target.tmp" "$target"
