#!/bin/sh
#
# style.sh [FILE ...]
#
# The house's style for C and Lua, in all of the sources or in the files given.
# Prints file:line: what, and fails when there was any.

set -u
LC_ALL=C
export LC_ALL

here=$(dirname "$0")

if [ $# -eq 0 ]; then
    cd "$here/../.." || exit 2
    here=tests/checks

    # the version of git's index and what is new, not what is built or installed

    set -- $(git ls-files --cached --others --exclude-standard -- \
                 'core/*.[ch]' 'ngx_module/*.[ch]' 'worker/*.[ch]' \
                 'tests/*.[ch]' 'bench/*.[ch]' '*.lua' | sort -u)
fi

failed=0

for file in "$@"; do
    [ -f "$file" ] || continue

    case $file in
    *.lua)
        lua=1
        ;;
    *)
        lua=0
        ;;
    esac

    awk -v FILENAME_IS_LUA=$lua -f "$here/style.awk" "$file" || failed=1
done

if [ $failed -ne 0 ]; then
    echo "style: see above" >&2
    exit 1
fi

echo "style: $# files"
