#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the examples as a newcomer does, and looks at what they print and how they end; the servers and
# their clients together, on a port that the kernel picks.
set -uo pipefail
examples=${EDO_BUILD:-build}/examples
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$work"' EXIT
failed=0
count=0

complain() {
    echo "$1" >&2
    failed=1
}

# Where two things go on at once, a busy machine may turn the order of their lines: `sorted` runs a
# program whose lines are compared without it.
check() { # expected output, then the program and its arguments
    local want=$1 got status=0
    shift
    got=$(timeout 20 "$examples/$@" 2>&1) || status=$?
    count=$((count + 1))
    [ "$sorting" = no ] || got=$(sort <<<"$got") want=$(sort <<<"$want")
    [ $status -eq 0 ] || complain "$*: status $status"
    [ "$got" = "$want" ] || complain "$*: expected"$'\n'"$want"$'\n'"and got"$'\n'"$got"
}
expect() { sorting=no check "$@"; }
sorted() { sorting=yes check "$@"; }

expect 'hello, Edo
on return, on error, on cancellation: once' hello
sorted 'one after the other:
  tea
  toast
  200 ms
both at once:
  toast
  tea' two_awaits
expect 'by macro 42, by hand 42' by_hand
expect 'woken by a thread
woken by two' delay
sorted 'short slept 10 ms
middling slept 50 ms
long slept 90 ms
all are up' mini_tokio
sorted 'task: the sum up to 1000 is 500500
task: slept
timer: tick 1
timer: tick 2
timer: tick 3
idle: 100 turns
closed: 0' embed
expect "the tree's sum is 15" recursive
sorted '/
/tea
no page /tea/blue
/tea/black
/tea/green
has sencha; 1 left' join_set
sorted 'stopping
worker 1 has put nothing down half done
worker 2 has put nothing down half done
worker 3 has put nothing down half done
working
in order' graceful --demo
sorted 'the program has other things to do
5 jobs have found 30' background
expect 'the numbers up to 60 take 1457 steps' task_spawner
expect '6240 updates by 24 tasks on 3 threads; 13 of 13 keys have their sum' sharded_map
expect 'asked 128 times, computed 16 times; from 15 it takes 17 steps' local_set
expect 'replies:
  5 numbers given out, their sum is 15
no_replies:
  burst 1
  burst 2
  burst 3
  burst 4
  (6 lines are missing)
  later 1
  5 lines of 11 were taken, 5 are written
two_handles:
  the mean of 7 reports is 21
shared_handle:
  it rings: tea
  it rings: rice
  it rang 2 times, and does not wait for the guests
peers:
  10 hits, and both have left
cycle:
  both wait: stuck; the worker is in
    cycle_worker
      edo_mpsc_send
  unbounded back: the sum is 91
  tries back: the sum is 91
  receives meanwhile: the sum is 91' actors
expect 'peers:
  10 hits, and both have left' actors peers

# A server says where it listens when it does.
serve() { # the program and its arguments
    exec 4< <(exec "$examples/$1" "${@:2}" 2>"$work/err")
    server=$!
    line=
    read -r -t 20 line <&4
    [[ $line =~ ^listening\ on\ 127\.0\.0\.1:[0-9]+$ ]] || complain "$1 said: $line"
    port=${line##*:}
}
left() { # the status that is expected
    local status=0
    wait "$server" || status=$?
    server=
    count=$((count + 1))
    [ $status -eq "$1" ] || complain "the server: status $status, not $1"
    [ ! -s "$work/err" ] || complain "the server: $(cat "$work/err")"
}

serve echo_server 0 --once
expect 'hello' echo_client "$port"
left 0

long=$(printf 'lantern %.0s' {1..4000}) # 32000 bytes: several reads
for workers in 0 1 2 auto; do
    serve echo_server --workers $workers 0
    for text in one two three "$long"; do
        expect "$text" echo_client "$port" "$text"
    done
    exec 3<>"/dev/tcp/127.0.0.1/$port" # one that stays, while another comes
    expect 'beside it' echo_client "$port" 'beside it'
    printf 'still here\n' >&3
    read -r -t 20 got <&3
    [ "$got" = 'still here' ] || complain "the first connection got: $got"
    exec 3<&-
    kill -INT "$server"
    left 130
done

# Nobody listens there any more.
timeout 20 "$examples/echo_client" "$port" >/dev/null 2>"$work/err" && complain "echo_client: status 0"
grep -q 'connection refused' "$work/err" || complain "echo_client said: $(cat "$work/err")"

for workers in 0 2; do
    serve mini_redis --workers $workers --port 0
    sorted 'city: Edo
river: Sumida
street: Tokaido
the manager has served 6 commands' manager_task "$port"
    expect 'city: Edo
mountain: there is none
news for 1: Edo is Tokyo now
no more news' blocking_client "$port"
    kill -INT "$server"
    left 0
done
for client in manager_task blocking_client; do
    timeout 20 "$examples/$client" "$port" >"$work/out" 2>"$work/err" && complain "$client: status 0"
    grep -q 'connection refused' "$work/err" || complain "$client said: $(cat "$work/err")"
done

# A real signal, while its workers work.
exec 4< <(exec "$examples/graceful" 2>"$work/err")
server=$!
read -r -t 20 line <&4
[ "$line" = working ] || complain "graceful said: $line"
kill -INT "$server"
left 0
[ "$(tail -n 1 <&4)" = 'in order' ] || complain "graceful did not end in order"

[ $failed -eq 0 ] && echo "ok: $count runs of the examples print what they should"
exit $failed
