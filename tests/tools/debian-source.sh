#!/bin/sh
# debian-source.sh STATE PACKAGE SUITE TARGET [VERSION]: unpacks the source of
# PACKAGE as Debian's SUITE has it to TARGET, VERSION of it when the mirror has
# that.  apt runs with lists, cache and sources of its own below STATE, so the
# machine's are neither read nor changed.

set -eu

state=$1
package=$2
suite=$3
target=$4
version=${5:-}

if [ -d "$target" ]; then
    exit 0
fi

for tool in apt-get dpkg-source; do
    if ! command -v $tool >/dev/null; then
        echo "debian-source.sh: $tool is not here (package dpkg-dev)" >&2
        exit 1
    fi
done

key=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=http://deb.debian.org

mkdir -p "$state/lists/partial" "$state/cache/archives/partial" \
    "$state/parts" "$state/download"
state=$(cd "$state" && pwd)
mkdir -p "$(dirname "$target")"
target=$(cd "$(dirname "$target")" && pwd)/$(basename "$target")

{
    echo "deb-src [signed-by=$key] $mirror/debian $suite main"

    if [ "$suite" != sid ]; then
        echo "deb-src [signed-by=$key] $mirror/debian $suite-updates main"
        echo "deb-src [signed-by=$key] $mirror/debian-security" \
             "$suite-security main"
    fi
} > "$state/sources.list"

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
{ [ -n "$version" ] && apt source --download-only "$package=$version"; } ||
    apt source --download-only "$package" ||
    apt source --download-only "$package/$suite"

dsc=$(ls -t "$package"_*.dsc | head -n 1)
rm -rf "$target.tmp"
dpkg-source --no-check -x "$dsc" "$target.tmp"
mv "$target.tmp" "$target"
