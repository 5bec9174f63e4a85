#!/bin/bash
# run.sh [SUITE...]: all suites, or those named; each writes TAP to
# build/log/<suite>.tap.  A failing suite does not stop the others.  The sums
# are in build/log/totals: "passed failed".

cd "$(dirname "$0")/.." || exit 1

log=build/log
mkdir -p $log
rm -f $log/totals $log/results
touch $log/results

suite=build/suite
cc -O1 -o $suite tests/tools/suite.c || exit 1

chosen=" $* "
known=" "
stage=

# what a log of TAP says: passed, failed, skipped
count() {
    awk '/^ok [-0-9]/ { if (/# *[Ss][Kk][Ii][Pp]/) s++; else p++ }
         /^not ok [-0-9]/ { if (/# *[Tt][Oo][Dd][Oo]/) s++; else f++ }
         END { print p + 0, f + 0, s + 0 }' "$1"
}

# run STAGE NAME SECONDS tap|plain COMMAND...; plain: the exit status is the one
# test.  Only the suites of the stage that is on are run.
run() {
    local of=$1 name=$2 seconds=$3 kind=$4 code p f s from tap=$log/$2.tap see=
    shift 4
    known="$known$name "

    case $chosen in
    "  "|*" $name "*) ;;
    *) return ;;
    esac

    [ "$of" = "$stage" ] || return

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

    [ "$f" = 0 ] || see="   see $tap"
    printf '%-12s %5d passed %4d failed %4d skipped %5d s%s\n' "$name" "$p" \
        "$f" "$s" $((SECONDS - from)) "$see"
    echo "$name $p $f" >> $log/results
}

interrupted=
beside=
trap 'interrupted=yes; [ -z "$beside" ] || kill "$beside" 2>/dev/null' INT TERM

. tests/suites    # stage "": to know their names

for name in "$@"; do
    case $known in
    *" $name "*) ;;
    *)
        echo "run.sh: no suite $name; there are:$known" >&2
        exit 2
    esac
done

# Those that build are alone; then NGINX' suites, which mostly wait, beside all
# others.
stage=first
. tests/suites

(stage=edge; . tests/suites) &
beside=$!

stage=others
. tests/suites

until wait $beside; [ $? -lt 128 ] || [ -n "$interrupted" ]; do
    :
done

read -r passed failed < <(awk '{ p += $2; f += $3 } END { print p + 0, f + 0 }' \
                          $log/results)
echo "$passed $failed" > $log/totals
bad=$(awk '$3 > 0 { print $1 }' $log/results)

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
