# What happens to a webhook and to a few messages, step by step; read by
# run.sh.  Each step shows what was done, what came back and where to look, and
# checks it: one line of TAP a check.

samples=tests/samples/webhooks
checks=0
wrong=0
steps=0
tour=()

step() {
    steps=$((steps + 1))
    printf '\n%d. %s\n' $steps "$*"
}

did() {
    printf '    $ %s\n' "$*"
}

came() {
    printf '    > %s\n' "$*"
}

look() {
    printf '    look at %s\n' "$*"
}

# expect WHAT PATTERN VALUE: an extended regular expression for all of the value
expect() {
    checks=$((checks + 1))

    if [[ $3 =~ ^($2)$ ]]; then
        echo "ok $checks - $1"
    else
        wrong=$((wrong + 1))
        echo "not ok $checks - $1"
        echo "# expected: $2"
        echo "# got: $3"
    fi
}

# ask CURL-ARGUMENT...: sets status, answer, and the headers as they came
ask() {
    status=$(curl -s -S -m 20 -D "$run/headers.out" -o "$run/answer.out" \
        -w '%{http_code}' "$@" 2>"$run/curl.out")
    answer=$(cat "$run/answer.out" 2>/dev/null)
}

header() {
    sed -n "s/^$1: *//Ip" "$run/headers.out" | tr -d '\r'
}

# member NAME: of the answer, a string or number
member() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" <<< "$answer" | head -n 1
}

ctl() {
    build/sluicectl -c "$run/sluiced.conf" "$@"
}

sign() {
    openssl dgst -sha256 -hmac "$1" -hex < "$2" | sed 's/.* //'
}

# post_webhook TENANT FILE
post_webhook() {
    local hex
    hex=$(sign "$1-app-secret" "$2")
    did "curl -H 'X-Hub-Signature-256: sha256=${hex:0:12}...'" \
        "--data-binary @$2 $base/hooks/meta/$1"
    ask -H "X-Hub-Signature-256: sha256=$hex" \
        -H 'Content-Type: application/json' --data-binary "@$2" \
        "$base/hooks/meta/$1"
    came "$status $answer"
}

# post_message TENANT NUMBER TO TEXT
post_message() {
    ask -H "Authorization: Bearer $1-api-key" \
        -H 'Content-Type: application/json' -d "$(printf '{"messaging_product":"whatsapp","to":"%s","type":"text","text":{"body":"%s"}}' "$3" "$4")" \
        "$base/v26.0/$2/messages"
}

newest() {
    redis-cli -s "$sockets/redis.sock" zrevrange "$1" 0 0
}

completed() {
    [ "$(redis-cli -s "$sockets/redis.sock" zcard "$1:completed")" -ge "$2" ]
}

logged() {
    ctl log "$1" | grep -Eq "$2"
}

script_failure() {
    curl -s -o /dev/null -d "$1" "$graph/standin/fail"
}


# watch_message ID SECONDS: shows each status once, until it is read
watch_message() {
    local state last="" end=$((SECONDS + $2))

    while [ $SECONDS -lt $end ]; do
        state=$(ctl log "$1" 2>/dev/null \
            | grep -oEw 'retry|sent|delivered|read|failed' | head -n 1)

        if [ -n "$state" ] && [ "$state" != "$last" ]; then
            came "$state"
            last=$state
        fi

        [ "$state" != read ] || return 0
        sleep 0.05
    done
}

# balanced JSON: in each group `received` is the sum of the others
balanced() {
    perl -MJSON::PP -e '
        my $status = decode_json($ARGV[0]);
        for my $group (qw(events guarded)) {
            my %n = %{$status->{$group}};
            my $sum = -delete $n{received};
            $sum += $_ for values %n;
            print $sum, " ";
        }' "$1"
}


story_register() {
    step "Meta registers the webhook: the edge answers the challenge itself"
    did "GET $base/hooks/meta/acme?hub.mode=subscribe&hub.challenge=...&hub.verify_token=..."
    ask -d "{\"callback_url\":\"$base/hooks/meta/acme\"}" \
        "$graph/standin/subscribe"
    came "$answer"
    expect "the challenge came back exactly" 200 "$status"

    did "the same with a wrong verify_token"
    ask "$base/hooks/meta/acme?hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong"
    came "$status $answer"
    expect "a wrong verify_token is refused" 403 "$status"
}

story_webhooks() {
    local id result

    step "Meta posts signed webhooks: answered after Redis has the job"

    for sample in msg-text batch-mixed status-sent-v24 status-delivered \
        status-read; do
        post_webhook acme "$samples/$sample.json"
        expect "$sample is accepted" 200 "$status"

        if [ $sample = batch-mixed ]; then
            until_true 10 completed "{acme}:events" 2
            id=$(newest "{acme}:events:completed")
        fi
    done

    until_true 10 completed "{acme}:events" 5
    expect "the worker has done all five" 5 \
        "$(redis-cli -s "$sockets/redis.sock" zcard "{acme}:events:completed")"

    step "The job, and what the worker made of it: each message and status in it"
    did "build/sluicectl -c $run/sluiced.conf job {acme}:events $id"
    job=$(ctl job "{acme}:events" "$id" 2>&1)
    result=$(head -n 15 <<< "$job")$'\n'"..."
    came "${result//$'\n'/$'\n'      }"
    expect "the job holds the webhook" '.*"object":"whatsapp_business_account".*' \
        "$(tr -d ' \n' <<< "$job")"
    result=$(grep ^result <<< "$job")
    came "${result//$'\n'/$'\n'      }"
    expect "one message" 1 "$(grep -o '"from":' <<< "$result" | sort -u | wc -l)"
    expect "its four statuses" 4 "$(grep -oE '"status": *"(sent|delivered|read)"' \
        <<< "$result" | wc -l)"

    id=$(sed -n 's/.*"id": "\(wamid[^"]*\)".*/\1/p' $samples/status-read.json)
    did "build/sluicectl -c $run/sluiced.conf log $id"
    until_true 10 logged "$id" read
    result=$(ctl log "$id" 2>&1)
    came "${result//$'\n'/$'\n'      }"
    expect "a status is a row of communication_logs" ".*read.*" "$result"
}

story_message() {
    local id result

    step "An application posts a message, as it would to graph.facebook.com"
    did "curl -H 'Authorization: Bearer acme-api-key' -H 'Content-Type:" \
        "application/json' -d '{\"messaging_product\":\"whatsapp\"," \
        "\"to\":\"+351912000111\",\"type\":\"text\",\"text\":{\"body\":" \
        "\"hello\"}}' $base/v26.0/$number_of_acme/messages"
    post_message acme $number_of_acme +351912000111 hello
    came "$status $answer"
    expect "accepted" 200 "$status"
    expect "in the Cloud API's shape" '\{"messaging_product":"whatsapp","contacts":\[\{"input":"\+351912000111","wa_id":"351912000111"\}\],"messages":\[\{"id":"m-[^"]+"\}\]\}' \
        "$answer"
    id=$(sed -n 's/.*"id":"\(m-[^"]*\)".*/\1/p' <<< "$answer")

    step "The worker sends it; the provider's webhooks move it on"

    watch_message "$id" 20
    did "build/sluicectl -c $run/sluiced.conf log $id"
    result=$(ctl log "$id" 2>&1)
    came "${result//$'\n'/$'\n'      }"
    expect "sent, delivered, read" '.*read.*' "$result"
    expect "with the provider's id" '.*wamid\..*' "$result"
    look "$graph/standin/requests and $graph/standin/webhooks"
    tour+=("build/sluicectl -c $run/sluiced.conf log $id")
}

story_refused() {
    step "What is not from Meta or not from the tenant is refused"

    for how in bad missing double; do
        did "a webhook with its signature $how"
        ask --data-binary "@$samples/msg-text.json" \
            "$graph/standin/send-webhook?signature=$how"
        came "$(member status)"
        expect "signature $how: refused" "401" "$(member status)"
    done

    did "a message with another tenant's API key"
    ask -H 'Authorization: Bearer globex-api-key' -d '{}' \
        "$base/v26.0/$number_of_acme/messages"
    came "$status $answer"
    expect "another tenant's key: refused" 401 "$status"

    did "a webhook for a tenant that is none"
    ask -d '{}' "$base/hooks/meta/nobody"
    came "$status $answer"
    expect "unknown tenant: refused alike" 401 "$status"
}

story_limit() {
    local globex="" acme="" after=""

    step "A second tenant over its rate; the first does not notice"
    did "10 messages of globex (1r/s, burst 2) and 10 of acme, by turns"

    for i in 1 2 3 4 5 6 7 8 9 10; do
        post_message globex $number_of_globex "+4917000000$i" "many"
        globex="$globex $status"
        [ "$status" != 429 ] || after=$(header Retry-After)
        post_message acme $number_of_acme "+35191200020$i" "few"
        acme="$acme $status"
    done

    came "globex:$globex (Retry-After: $after)"
    came "acme:  $acme"
    expect "globex is over its rate" ".* 429.*" "$globex"
    expect "and is told when to come again" "[1-9][0-9]*" "$after"
    expect "what was within its rate passed" " 200.*" "$globex"
    expect "acme is not slowed" "( 200){10}" "$acme"
    look "$base/sluice/status"
}

story_dead() {
    local id result

    step "The provider refuses a message: tried again, then set aside"
    script_failure '{"match":{"to":"+351912000333"},"mode":"131056","count":4}'
    did "the stand-in answers the next four with code 131056, then a message"
    post_message acme $number_of_acme +351912000333 stubborn
    id=$(sed -n 's/.*"id":"\(m-[^"]*\)".*/\1/p' <<< "$answer")
    came "$status $id"

    until_true 20 is_dead "$id"
    did "build/sluicectl -c $run/sluiced.conf dlq list {acme}:messages"
    result=$(ctl dlq list "{acme}:messages" 2>&1)
    came "${result//$'\n'/$'\n'      }"
    expect "it is in the failed set with its error" ".*$id.*131056.*" \
        "${result//$'\n'/ }"
    expect "after four attempts" 4 \
        "$(curl -s "$graph/standin/requests?to=%2B351912000333" \
           | grep -o '"seq"' | wc -l)"

    did "build/sluicectl -c $run/sluiced.conf dlq requeue {acme}:messages $id"
    result=$(ctl dlq requeue "{acme}:messages" "$id" 2>&1)
    came "$result"
    until_true 15 logged "$id" 'sent|delivered|read'
    expect "requeued, it is sent" ".*(sent|delivered|read).*" \
        "$(ctl log "$id" 2>&1)"
    tour+=("build/sluicectl -c $run/sluiced.conf queues")
    tour+=("build/sluicectl -c $run/sluiced.conf dlq list {acme}:messages")
}

is_dead() {
    redis-cli -s "$sockets/redis.sock" zscore "{acme}:messages:failed" "$1" \
        | grep -q .
}

story_ledger() {
    step "The ledger of the edge balances"
    did "curl $base/sluice/status"
    ask "$base/sluice/status"
    came "${answer:0:600}"
    expect "received is the sum of what became of it" "0 0 " \
        "$(balanced "$answer")"
}

story() {
    story_register
    story_webhooks
    story_message
    story_refused
    story_limit
    story_dead
    story_ledger
    alive
    expect "all of it still runs" 0 $?
}
