#!/bin/bash
# run.sh: the whole house below run/, and the story of one webhook and a few
# messages, step by step.  Stays up until Ctrl-C.
#
#   RUN_ONCE=1   ends after the story; the status says whether all went well
#   RUN_DIR      another place than run/

cd "$(dirname "$0")/../.." || exit 1

. contrib/demo/house.sh
. contrib/demo/story.sh

house_start
story

if [ -n "$RUN_ONCE" ]; then
    echo "1..$checks"
    [ "$wrong" = 0 ]
    exit
fi

if [ "$wrong" != 0 ]; then
    printf '\n%d of %d checks went wrong; what runs stays up to be looked at.\n' \
        "$wrong" "$checks"
fi

house_tour
house_wait
