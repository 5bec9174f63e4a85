#!/bin/sh
#
# run.sh BUILD RUNS
#
# Runs each fuzz target of BUILD/fuzz on its corpus.  What libFuzzer finds new
# stays in BUILD/fuzz/found, a crash in BUILD/fuzz/crash.

set -eu

build=$1
runs=$2
here=$(dirname "$0")

mkdir -p "$build/fuzz/crash"

for target in "$build"/fuzz/fuzz_*; do
    name=${target##*/fuzz_}

    case $name in
    *.*)
        continue
        ;;
    esac

    mkdir -p "$build/fuzz/found/$name"

    echo "fuzz $name: $runs runs"

    if ! "$target" -runs="$runs" -max_len=4096 -timeout=10 \
        -print_final_stats=0 -verbosity=0 \
        -artifact_prefix="$build/fuzz/crash/$name-" \
        "$build/fuzz/found/$name" "$here/corpus/${name%_portable}" \
        >"$build/fuzz/$name.log" 2>&1
    then
        tail -40 "$build/fuzz/$name.log" >&2
        echo "fuzz $name: failed, input in $build/fuzz/crash" >&2
        exit 1
    fi
done
