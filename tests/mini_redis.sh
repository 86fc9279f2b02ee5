#!/bin/bash
# SPDX-License-Identifier: MIT
# mini-redis as a user meets it: redis-cli and redis-benchmark against it, then SIGINT with a client
# connected. WORKERS: how many threads; 0, 1, 2 and 8 in turn without it. Needs Debian's redis-tools.
set -euo pipefail
if [ -z "${WORKERS:-}" ]; then
    for workers in 0 1 2 8; do
        WORKERS=$workers "$0" || { echo "with --workers $workers"; exit 1; }
    done
    exit
fi
build=${EDO_BUILD:-build}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$work"' EXIT

exec 4< <(exec "$build/examples/mini_redis" --workers "$WORKERS" --port 0 2>"$work/err")
server=$!
read -r -t 20 line <&4 # comes when the port is open
[[ $line =~ ^listening\ on\ 127\.0\.0\.1:[0-9]+$ ]] || { echo "it said: $line"; exit 1; }
port=${line##*:}

failed=0
expect() { # what is expected, redis-cli's arguments...
    local want=$1 got
    shift
    got=$(timeout 10 redis-cli -p "$port" "$@" 2>&1) || true
    [ "$got" = "$want" ] || { echo "redis-cli $*: expected '$want', got '$got'"; failed=1; }
}
expect PONG PING
expect hello ECHO hello
expect OK SET city Edo
expect Edo GET city
expect '' SET city Kyoto NX
expect OK SET city Tokyo XX
expect Tokyo GET city
expect OK SET lantern lit EX 100
expect 100 TTL lantern
expect -1 TTL city
expect -2 TTL nothing
expect 1 EXPIRE city 50
expect 2 EXISTS city lantern nothing
expect 1 INCR visitors
expect 2 INCR visitors
expect 'ERR value is not an integer or out of range' INCR city
expect 2 DEL city lantern
expect '' GET city
expect "ERR unknown command 'NONSENSE', with args beginning with: 'a' 'b' " NONSENSE a b
expect "ERR wrong number of arguments for 'get' command" GET

# One connection, interactively: an unknown command does not end it.
got=$(printf 'SET a 1\nNONSENSE\nINCR a\nGET a\n' | timeout 10 redis-cli -p "$port" | tr '\n' '|')
[ "$got" = "OK|ERR unknown command 'NONSENSE', with args beginning with: ||2|2|" ] ||
    { echo "a conversation went otherwise: $got"; failed=1; }

for pipeline in 1 16; do
    timeout 120 redis-benchmark -p "$port" -t ping,set,get -n "${REQUESTS:-20000}" -c 50 \
        -P $pipeline --csv >"$work/benchmark" 2>&1 || { echo "redis-benchmark failed"; failed=1; }
    if grep -qiE 'error|warn' "$work/benchmark" || [ "$(grep -c '^"' "$work/benchmark")" -lt 4 ]; then
        cat "$work/benchmark"
        failed=1
    fi
done

# Told, answered, and gone, with status 0.
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'PING\r\n' >&3
read -r -t 10 pong <&3
# What its tasks wait for: that client's for a command.
kill -USR1 "$server"
for ((i = 0; i < 100; i++)); do
    grep -qE '^ +edo_' "$work/err" && break
    sleep 0.1
done
grep -qE '^task [0-9]+ waits$' "$work/err" && grep -qE '^ +edo_' "$work/err" ||
    { echo "no dump of its tasks: $(cat "$work/err")"; failed=1; }
kill -INT "$server"
read -r -t 10 farewell <&3
[ "$pong$farewell" = $'+PONG\r-ERR server is shutting down\r' ] ||
    { echo "the farewell was: $pong $farewell"; failed=1; }
exec 3<&-
status=0
wait "$server" || status=$?
server=
[ $status -eq 0 ] || { echo "the server ended with status $status"; failed=1; }
! grep -vE '^(task [0-9]+ (waits|runs|is ready)$|[0-9]+ more have not waited yet$| )' "$work/err" || failed=1
[ $failed -eq 0 ] && echo "ok, $WORKERS workers: redis-cli and redis-benchmark get on with it; it leaves in order"
exit $failed
