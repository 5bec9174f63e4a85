#!/bin/sh
#
# man.sh
#
# The manual pages are right by mandoc, where it is installed.

set -u

cd "$(dirname "$0")/../.." || exit 2

if ! command -v mandoc >/dev/null; then
    echo "man: no mandoc, not checked"
    exit 0
fi

mandoc -T lint -W warning docs/man/*.[18] || exit 1
echo "man: $(ls docs/man/*.[18] | wc -l) pages"
