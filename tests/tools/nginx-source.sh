#!/bin/sh
# nginx-source.sh BUILD: unpacks the source of the installed NGINX package to
# BUILD/nginx-source.

set -eu

build=$(cd "$1" && pwd)

version=$(dpkg-query -W -f '${source:Version}' nginx 2>/dev/null) || {
    echo "nginx-source.sh: the package nginx is not installed" >&2
    exit 1
}

. /etc/os-release

if [ "$ID" != debian ]; then
    echo "nginx-source.sh: made for Debian, this is $ID" >&2
    exit 1
fi

exec sh "$(dirname "$0")/debian-source.sh" "$build/apt-source" nginx \
    "$VERSION_CODENAME" "$build/nginx-source" "$version"
