#!/bin/bash
# SPDX-License-Identifier: MIT
# mini-redis' publishing as a user meets it: one redis-cli subscribes, another publishes. What is waited
# for is what they say. WORKERS: how many threads; 0, 1, 2 and 8 in turn without it. Needs Debian's redis-tools.
set -euo pipefail
if [ -z "${WORKERS:-}" ]; then
    for workers in 0 1 2 8; do
        WORKERS=$workers "$0" || { echo "with --workers $workers"; exit 1; }
    done
    exit
fi
build=${EDO_BUILD:-build}
work=$(mktemp -d)
pids=()
trap 'kill -9 "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
failed=0
head -c 100000 /dev/zero | tr '\0' x >"$work/payload"

exec 4< <(exec "$build/examples/mini_redis" --workers "$WORKERS" --port 0 2>"$work/err")
server=$!
pids+=("$server")
read -r -t 20 line <&4 # comes when the port is open
[[ $line =~ ^listening\ on\ 127\.0\.0\.1:[0-9]+$ ]] || { echo "it said: $line"; exit 1; }
port=${line##*:}

cli() { # redis-cli's arguments
    timeout 10 redis-cli -p "$port" "$@" 2>&1
}
expect() { # what is expected, redis-cli's arguments...
    local want=$1 got
    shift
    got=$(cli "$@" | tr '\n' ' ') || true
    [ "$got" = "$want " ] || { echo "redis-cli $*: expected '$want', got '$got'"; failed=1; }
}
told() { # descriptor, then the lines that a subscriber's redis-cli prints next
    local fd=$1 want got
    shift
    for want in "$@"; do
        read -r -t 20 got <&"$fd" || got='nothing more'
        [ "$got" = "$want" ] || { echo "a subscriber was told '$got', not '$want'"; failed=1; }
    done
}
gone() { # the server learns in its own time: again, until this is redis-cli's reply
    local want=$1 got=
    shift
    for _ in {1..1000}; do
        got=$(cli "$@" <"$work/payload" | tr '\n' ' ') || true
        [ "$got" = "$want " ] && return
    done
    echo "redis-cli $*: '$want' never came, '$got' did"
    failed=1
}

# Channels and patterns.
exec 5< <(exec redis-cli -p "$port" SUBSCRIBE news weather)
first=$!
exec 6< <(exec redis-cli -p "$port" PSUBSCRIBE 'n*' '[vw]eather')
second=$!
pids+=("$first" "$second")
told 5 subscribe news 1 subscribe weather 2
told 6 psubscribe 'n*' 1 psubscribe '[vw]eather' 2
expect 'news 1 weather 1 nothing 0' PUBSUB NUMSUB news weather nothing
expect 2 PUBSUB NUMPAT
expect 'news weather' PUBSUB CHANNELS
expect weather PUBSUB CHANNELS 'w*'
expect 2 PUBLISH news 'Edo is Tokyo now'
expect 2 PUBLISH weather rain
expect 1 PUBLISH night quiet
expect 0 PUBLISH elsewhere 'to nobody'
told 5 message news 'Edo is Tokyo now' message weather rain
told 6 pmessage 'n*' news 'Edo is Tokyo now' pmessage '[vw]eather' weather rain \
    pmessage 'n*' night quiet

# One leaves; what was its own is forgotten.
kill "$first"
gone 'news 0' PUBSUB NUMSUB news
expect '' PUBSUB CHANNELS
expect 1 PUBLISH news again
told 6 pmessage 'n*' news again

# A thousand messages, in order.
for i in {1..1000}; do echo "PUBLISH night $i"; done | cli | sort | uniq -c >"$work/counts"
[ "$(tr -d '\n ' <"$work/counts")" = 10001 ] || { cat "$work/counts"; failed=1; }
for i in {1..1000}; do told 6 pmessage 'n*' night "$i"; done

# One stops reading: it is cut off, and told why when it goes on.
exec 7< <(exec redis-cli -p "$port" SUBSCRIBE flood)
third=$!
pids+=("$third")
told 7 subscribe flood 1
kill -STOP "$third"
gone 0 -x PUBLISH flood
kill -CONT "$third"
grep -q 'ERR too slow: more than 1024 messages or 1048576 bytes are pending' <&7 ||
    { echo "the slow one was not told why"; failed=1; }
expect 1 PUBLISH night 'still there'
told 6 pmessage 'n*' night 'still there'

# The end comes behind what was published.
kill -INT "$server"
status=0
wait "$server" || status=$?
[ $status -eq 0 ] || { echo "the server ended with status $status"; failed=1; }
grep -q 'ERR server is shutting down' <&6 || { echo "the subscriber was not told of the end"; failed=1; }
[ ! -s "$work/err" ] || { cat "$work/err"; failed=1; }
[ $failed -eq 0 ] && echo "ok, $WORKERS workers: redis-cli is told what redis-cli publishes"
exit $failed
