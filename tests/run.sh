#!/bin/bash
# run.sh [SUITE...]: all suites, or those named; each writes TAP to
# build/log/<suite>.tap.  A failing suite does not stop the others.  The sums
# are in build/log/totals: "passed failed".

cd "$(dirname "$0")/.." || exit 1

log=build/log
mkdir -p $log
rm -f $log/totals

suite=build/suite
cc -O1 -o $suite tests/tools/suite.c || exit 1

chosen=" $* "
known=" "
passed=0
failed=0
bad=

# what a log of TAP says: passed, failed, skipped
count() {
    awk '/^ok [-0-9]/ { if (/# *[Ss][Kk][Ii][Pp]/) s++; else p++ }
         /^not ok [-0-9]/ { if (/# *[Tt][Oo][Dd][Oo]/) s++; else f++ }
         END { print p + 0, f + 0, s + 0 }' "$1"
}

# run NAME SECONDS tap|plain COMMAND...; plain: the exit status is the one test
run() {
    local name=$1 seconds=$2 kind=$3 code p f s from tap=$log/$1.tap
    shift 3
    known="$known$name "

    case $chosen in
    "  "|*" $name "*) ;;
    *) return ;;
    esac

    from=$SECONDS
    $suite "$seconds" "$tap" "$@"
    code=$?

    if [ $code -ge 129 ] && [ $code -le 143 ] && [ -n "$interrupted" ]; then
        exit $code
    fi

    if [ "$kind" = plain ] && [ $code = 0 ]; then
        echo "ok - $name" >> "$tap"
    fi

    read -r p f s < <(count "$tap")

    # a crash shows no line of its own, nor does a suite that ran nothing
    if [ $code != 0 ] && [ "$f" = 0 ]; then
        echo "not ok - $name: exit status $code" >> "$tap"
        f=1
    elif [ $code = 0 ] && [ "$p" = 0 ]; then
        echo "not ok - $name: no test was run" >> "$tap"
        f=1
    fi

    printf '%-12s %5d passed %4d failed %4d skipped %5d s' "$name" "$p" "$f" \
        "$s" $((SECONDS - from))

    if [ "$f" != 0 ]; then
        printf '   see %s' "$tap"
        bad="$bad $name"
    fi

    echo
    passed=$((passed + p))
    failed=$((failed + f))
    echo "$passed $failed" > $log/totals
}

interrupted=
trap 'interrupted=yes' INT TERM

. tests/suites

for name in "$@"; do
    case $known in
    *" $name "*) ;;
    *)
        echo "run.sh: no suite $name; there are:$known" >&2
        exit 2
    esac
done

for name in $bad; do
    echo
    echo "$name:"
    grep -n -A 12 '^not ok' "$log/$name.tap" | head -n 40

    # an error before any test: the end of the log tells
    if ! grep '^not ok' "$log/$name.tap" | grep -qv 'exit status'; then
        tail -n 15 "$log/$name.tap"
    fi
done

echo
echo "all suites: $passed passed, $failed failed"

[ $failed = 0 ]
