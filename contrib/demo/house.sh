# Starting and stopping what the demo consists of; read by run.sh.

number_of_acme=498877665544332
number_of_globex=498877665544999
pids=()
names=()

fail() {
    echo "run: $*" >&2
    exit 1
}

# free_port FROM: the first port from there on that nobody listens on
free_port() {
    perl -MIO::Socket::INET -e '
        for my $port ($ARGV[0] .. $ARGV[0] + 500) {
            my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
                LocalPort => $port, Listen => 1, ReuseAddr => 1) or next;
            print $port;
            exit;
        }
        exit 1' "$1" || fail "no free port from $1 on"
}

# until_true SECONDS COMMAND...
until_true() {
    local end=$((SECONDS + $1 + 1))
    shift

    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# start NAME COMMAND...: in the background, its output in run/NAME.out
start() {
    local name=$1
    shift
    # a session of its own: Ctrl-C is for run.sh, which ends them in order
    setsid "$@" > "$run/$name.out" 2>&1 < /dev/null &
    pids+=($!)
    names+=("$name")
    echo "$!" >> "$run/pids"
}

# what a run.sh that was killed has left: only what still speaks of this place
stop_left_over() {
    local pid

    [ -f "$run/pids" ] || return 0

    while read -r pid; do
        if tr '\0' ' ' 2>/dev/null < "/proc/$pid/cmdline" | grep -qF "$run"
        then
            kill -TERM "$pid" 2>/dev/null
            until_true 10 gone "$pid" || kill -KILL "$pid" 2>/dev/null
        fi
    done < "$run/pids"

    rm -f "$run/pids"
}

alive() {
    local i

    for i in "${!pids[@]}"; do
        if gone "${pids[i]}"; then
            echo "run: ${names[i]} has ended; its last words:" >&2
            tail -n 5 "$run/${names[i]}.out" "$run/${names[i]}.log" \
                "$run/${names[i]}/error.log" 2>/dev/null >&2
            return 1
        fi
    done
}

# in the reverse order; each is given time to finish what it has begun
house_stop() {
    local i

    trap '' INT TERM

    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        case ${names[i]} in
        nginx) kill -QUIT "${pids[i]}" 2>/dev/null ;;
        *) kill -TERM "${pids[i]}" 2>/dev/null ;;
        esac

        if ! until_true 10 gone "${pids[i]}"; then
            echo "run: ${names[i]} does not end, killing it" >&2
            kill -KILL "${pids[i]}" 2>/dev/null
        fi

        wait "${pids[i]}" 2>/dev/null
    done

    pids=()
    rm -f "$run/lock" "$run/pids"
    [ "$sockets" = "$run" ] || rm -rf "$sockets"
}

# a process that has ended may still wait to be asked how
gone() {
    local stat
    read -r stat 2>/dev/null < "/proc/$1/stat" || return 0
    [[ ${stat##*) } = Z* ]]
}

# fill TEMPLATE FILE
fill() {
    sed -e "s|@run@|$run|g" -e "s|@sockets@|$sockets|g" \
        -e "s|@module@|$top/build/ngx_http_sluice_module.so|g" \
        -e "s|@port@|$port|g" -e "s|@graph_port@|$graph_port|g" "$1" > "$2"
}

house_start() {
    local owner user=

    top=$PWD
    run=${RUN_DIR:-run}
    mkdir -p "$run" || fail "cannot make $run"
    run=$(cd "$run" && pwd)

    # a lock names who holds it; one that is left over holds nothing
    if owner=$(cat "$run/lock" 2>/dev/null) && [ "$owner" != $$ ] \
        && grep -qF run.sh "/proc/$owner/cmdline" 2>/dev/null; then
        fail "already running below $run as process $owner"
    fi

    echo $$ > "$run/lock"
    sockets=$run
    stop_left_over

    sh contrib/install.sh build || fail "the packages could not be installed"

    echo "building"
    make -j2 -s all build/graph-api > "$run/make.out" 2>&1 || {
        tail -n 20 "$run/make.out" >&2
        fail "the build failed, see $run/make.out"
    }

    # the address of a socket has room for 107 bytes
    if [ ${#run} -gt 80 ]; then
        sockets=$(mktemp -d /tmp/sluice.XXXXXX) || exit 1
    fi

    trap house_stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    port=$(free_port 8080) || exit 1
    graph_port=$(free_port 8090) || exit 1
    base=http://127.0.0.1:$port
    graph=http://127.0.0.1:$graph_port

    # what an earlier run left would mix with this story
    rm -rf "$run"/redis "$run"/nginx "$run"/sluice.db* "$run"/*.log \
        "$run"/*.out "$sockets"/redis.sock
    mkdir -p "$run/redis" "$run/nginx"
    (umask 077; echo graph-token > "$run/token")

    fill contrib/demo/nginx.conf.in "$run/nginx.conf"
    fill contrib/demo/sluiced.conf.in "$run/sluiced.conf"

    start redis redis-server --port 0 --unixsocket "$sockets/redis.sock" \
        --unixsocketperm 700 --dir "$run/redis" --save "" --appendonly yes \
        --appendfsync everysec --maxmemory-policy noeviction
    until_true 10 redis-cli -s "$sockets/redis.sock" ping ||
        { alive; fail "redis-server does not answer"; }

    start graph-api build/graph-api --listen "127.0.0.1:$graph_port" \
        --token graph-token --app-secret acme-app-secret \
        --verify-token acme-verify-token --status-delay 200 --retry 500 \
        --log "$run/graph-api.log"
    until_true 10 curl -sf "$graph/standin/health" ||
        { alive; fail "graph-api does not answer"; }

    # root's NGINX gives its workers away; these have to reach our files
    [ "$(id -u)" != 0 ] || user="user $(id -un) $(id -gn);"

    /usr/sbin/nginx -t -q -p "$run/nginx" -c "$run/nginx.conf" \
        -g "daemon off; $user" || fail "nginx -t failed"
    start nginx /usr/sbin/nginx -p "$run/nginx" -c "$run/nginx.conf" \
        -g "daemon off; $user"
    until_true 10 curl -sf "$base/sluice/health" ||
        { alive; fail "nginx does not answer"; }

    build/sluiced -t -c "$run/sluiced.conf" > "$run/sluiced.out" 2>&1 ||
        { cat "$run/sluiced.out" >&2; fail "sluiced -t failed"; }
    start sluiced build/sluiced -c "$run/sluiced.conf"

    echo "NGINX with the module, Redis, sluiced and a stand-in for the Graph" \
        "API are up below $run"
}

house_tour() {
    cat <<TOUR

Where everything is
  webhooks          $base/hooks/meta/acme (and /globex)
  messages          $base/v26.0/$number_of_acme/messages
  status, health    $base/sluice/status  $base/sluice/health
  Graph API         $graph (a stand-in: build/graph-api --help)
  Redis             redis-cli -s $sockets/redis.sock
  messages' log     $run/sluice.db, table communication_logs (SQLite)
  configurations    $run/nginx.conf  $run/sluiced.conf
  logs              $run/nginx/error.log  $run/nginx/access.log
                    $run/sluiced.log  $run/graph-api.log

Try
  curl -i -H 'Authorization: Bearer acme-api-key' \\
      -H 'Content-Type: application/json' \\
      -d '{"messaging_product":"whatsapp","to":"+351912000111","type":"text","text":{"body":"hello"}}' \\
      $base/v26.0/$number_of_acme/messages
  curl $base/sluice/status
  curl $graph/standin/requests
$(for line in "${tour[@]}"; do echo "  $line"; done)

Ctrl-C stops all of it.
TOUR
}

house_wait() {
    while alive; do
        sleep 1 &
        wait $!
    done
    exit 1
}
