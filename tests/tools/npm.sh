#!/bin/sh
# npm.sh DIRECTORY...: what their lock files name, unless it is there already.

set -eu

for dir; do
    (
        cd "$dir"

        if [ -f node_modules/.package-lock.json ] \
            && [ ! package-lock.json -nt node_modules/.package-lock.json ]
        then
            exit 0
        fi

        npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
        touch node_modules/.package-lock.json
    )
done
