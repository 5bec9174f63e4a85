#!/bin/sh
# test-nginx.sh BUILD: unpacks Test::Nginx to BUILD/test-nginx.  Debian has it
# in unstable only, so that one package is fetched with an apt state of its own
# below BUILD and unpacked, never installed; what it needs is in every release.

set -eu

build=$(cd "$1" && pwd)
target=$build/test-nginx
state=$build/apt-test-nginx

if [ -f "$target/usr/share/perl5/Test/Nginx/Socket.pm" ]; then
    exit 0
fi

for need in Test::Base Test::LongString LWP::UserAgent Text::Diff \
    List::MoreUtils IPC::Run; do
    if ! perl -M$need -e1 2>/dev/null; then
        echo "test-nginx.sh: the Perl module $need is not here" >&2
        exit 1
    fi
done

key=/usr/share/keyrings/debian-archive-keyring.gpg

mkdir -p "$state/lists/partial" "$state/cache/archives/partial" \
    "$state/parts" "$state/download"

cat > "$state/sources.list" <<LIST
deb [signed-by=$key] http://deb.debian.org/debian sid main
LIST

# an empty status: what is installed here has no say in what is chosen
: > "$state/status"

apt() {
    apt-get -q -o Dir::State="$state" -o Dir::State::lists="$state/lists" \
        -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state/cache" \
        -o Dir::Etc::sourcelist="$state/sources.list" \
        -o Dir::Etc::sourceparts="$state/parts" \
        -o Dir::Etc::preferences=/dev/null \
        -o Dir::Etc::preferencesparts="$state/parts" \
        -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 \
        -o APT::Sandbox::User= "$@"
}

apt update
cd "$state/download"
apt download libtest-nginx-perl
rm -rf "$target.tmp"
dpkg-deb -x libtest-nginx-perl_*.deb "$target.tmp"
rm -rf "$target"
mv "$target.tmp" "$target"
