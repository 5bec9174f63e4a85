#!/bin/sh
#
# analyze.sh [BUILD]
#
# gcc's analyzer and cppcheck over core/ and worker/.  (The module's sources
# need a configured NGINX and are built under the sanitizers instead.)

set -u

cd "$(dirname "$0")/../.." || exit 2

build=${1:-build}
cc=${ANALYZER_CC:-gcc}
status=0

sources=$(find core worker -name '*.c' | sort)

for file in $sources; do
    $cc -std=c11 -D_GNU_SOURCE -O1 -fanalyzer -Wall -Wextra -Werror \
        -Wno-unused-parameter -I. -I"$build/gen" -c -o /dev/null "$file" \
        || status=1
done

# style and speed are ours to judge; a missing system header is no finding; NULL
# is a pointer on every POSIX system, so it may end variable arguments

cppcheck --std=c11 --enable=warning,portability --inline-suppr --quiet \
    --error-exitcode=1 --suppress=missingIncludeSystem \
    --suppress=varFuncNullUB -j2 -D__SSE2__ \
    -I. -I"$build/gen" --template='{file}:{line}: {message} ({id})' \
    $sources || status=1

if [ $status -ne 0 ]; then
    echo "analyze: see above" >&2
    exit 1
fi

echo "analyze: $(echo "$sources" | wc -l) files"
