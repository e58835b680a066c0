#!/usr/bin/env bash
# time-limit: 120
# The limits of the daemons: many queued jobs, many ended ones, much output, many at once, clients that do not read.
# Whatever is asked of it, a daemon's memory stays bounded and others are served. BYRE_TEST_FULL=1: the full numbers
# of docs/sched.md, for which the time limit is too short (BYRE_TEST_LIMIT, or run by hand).
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../support/pool.sh"
[ -x "$BYRE_BIN/byred" ] || skip "byred was not built"

if [ -n "${BYRE_TEST_FULL:-}" ]; then
    queued=100000 keep=10000 bytes=1073741824 at_once=1000 silent=800
else
    queued=20000 keep=200 bytes=67108864 at_once=300 silent=100
fi

others=()
end_others() {
    [ ${#others[@]} = 0 ] || { kill -KILL "${others[@]}" && wait "${others[@]}"; } 2>/dev/null
    others=()
}
trap 'end_others; pool_end; rm -rf "$WORK"' EXIT

high() { # PID...: the most memory each has had, KiB
    local pid
    for pid in "$@"; do sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"; done
}
below() { # WHAT KIB PID: never more than that
    local most
    most=$(high "$3")
    [ "${most:-$(($2 + 1))}" -le "$2" ] || fail "$1 had ${most:-no} KiB, expected at most $2"
}
served() { # WHILE: others are
    on t1 byre nodes >"$WORK/served" 2>&1 || fail "not served while $1: $(cat "$WORK/served")"
    on t1 byre ps --limit 5 >"$WORK/served" 2>&1 || fail "not served while $1: $(cat "$WORK/served")"
}
count_open() { on t1 byre ps --limit 1000000 2>/dev/null | grep -c '^t1\.'; }
open_are() { [ "$(count_open)" = "$1" ]; }
running_are() { [ "$(on t1 byre ps --state running --limit 5000 2>/dev/null | grep -c ' running ')" = "$1" ]; }
is_stopped() { grep -q '^State:.T' "/proc/$1/status"; }
stop() { # PID
    kill -STOP "$1" && eventually "process $1 stops" is_stopped "$1"
}

# ---- much output: on its way, and on disk; to the node itself and to another ----------------------------------

pool_up 2 --slots 4 --no-bind --keep "$keep"
sum=$(head -c "$bytes" /dev/zero | cksum)
for node in t1 t2; do
    expect "output of an attached job on $node" "$sum" \
        "$(on t1 byre run --node $node head -c "$bytes" /dev/zero | cksum)"
    expect "through a job on $node" "$sum" \
        "$(head -c "$bytes" /dev/zero | on t1 byre run --node $node cat | cksum)"
    id=$(on t1 byre submit --node $node head -c "$bytes" /dev/zero)
    on t1 byre wait "$id" || fail "job $id"
    expect "output of a detached job on $node" "$sum" "$(on t1 byre log "$id" | cksum)"
done
expect "a pipe that is closed ends the job that writes" "1000000" \
    "$(on t1 byre run cat /dev/zero | head -c 1000000 | wc -c)"
for node in t1 t2; do
    below "the daemon of $node, with $bytes bytes of output," 65536 "$(daemon_of $node)"
    below "the keeper of $node, with $bytes bytes of output," 16384 "$(keeper_of $node)"
done

# ---- ended jobs ------------------------------------------------------------------------------------------------

first=$(on t1 byre submit --node t1 echo the first)
on t1 byre wait "$first"
file=$BYRE_STATE/pool/t1/spool/$first.out
test -e "$file" || fail "$file is not there"
# The daemon looks once after its start, maybe before these, and then after 500 ended jobs (clean.c).
on t1 byre submit --array "1-$((keep + 600))" true >/dev/null
on t1 byre wait --all
is_forgotten() { ! on t1 byre ps "$first" >"$WORK/ps" 2>&1 && [ ! -e "$file" ]; }
eventually "an old job and its output are removed" is_forgotten
said=$(on t1 byre log "$first" 2>&1) && fail "the output of a job that is no longer kept is shown"
case $said in *"no longer kept"*) ;; *) fail "byre log of an old job: $said" ;; esac
[ "$(on t1 byre ps -a --limit 1000000 | grep -c ' ended ')" -ge "$keep" ] || fail "fewer than $keep ended jobs"
pool_end

# ---- many queued: accepted, listed, waited for by those who do not read, killed; a daemon is killed ---------------

BYRE_STATE=$WORK/second
mkdir -m 700 "$BYRE_STATE"
pool_up 1 --slots 2 --no-bind
on t1 byre submit --array 0-1 sleep 1000 >/dev/null
on t1 byre submit --array "1-$queued" sleep 0 >"$WORK/ids" || fail "$queued jobs are not accepted"
expect "all are there" $((queued + 2)) "$(count_open)"
pool_crash
pool_up 1 --slots 2 --no-bind
expect "all are there after a crash, once" $((queued + 2)) \
    "$(on t1 byre ps --limit 1000000 | grep -o '^t1\.[0-9]*' | sort -u | wc -l)"
expect "and none twice" $((queued + 2)) "$(count_open)"

mkfifo "$WORK/full"
on t1 byre ps --limit 1000000 >"$WORK/full" 2>/dev/null &
exec 9<"$WORK/full"
BYRE_NODE_NAME=t1 byre wait -v --all >"$WORK/slow" 2>&1 &
slow=$!
others+=($!)
BYRE_NODE_NAME=t1 byre wait -v --all >"$WORK/ends" &
quick=$!
others+=($!)
number=0
both_wait() { # each hears of a job that is killed: so it has asked
    on t1 byre kill -KILL $((++number)) 2>/dev/null
    [ -s "$WORK/slow" ] && [ -s "$WORK/ends" ]
}
eventually "both wait" both_wait
served "byre ps writes into a pipe that is full"
stop $slow
on t1 byre kill -KILL 1..1000000 || fail "byre kill of $queued jobs"
served "a client does not read how $queued jobs have ended"
wait $quick
expect "a wait for killed jobs" 137 $?
ends_in() { sed -n "s/^t1\.\([0-9]*\) .*/\1/p" "$1" | sort -u | awk '$1 > 1000' | wc -l; }
expect "the end of each is told" $((queued - 998)) "$(ends_in "$WORK/ends")"
kill -CONT $slow
wait $slow
expect "the one that slept hears of all, too" 137 $?
expect "each" $((queued - 998)) "$(ends_in "$WORK/slow")"
eventually "none is left" open_are 0
exec 9<&-
others=()
below "the daemon, with $queued jobs," $((65536 + queued * 5 / 2)) "$(daemon_of t1)"

# ---- clients that do not read, or say nothing -----------------------------------------------------------------------

BYRE_NODE_NAME=t1 byre run yes >/dev/null &
others+=($!)
eventually "it runs" running_are 1
stop $!
id=$(on t1 byre submit head -c 100000000 /dev/zero)
on t1 byre wait "$id"
BYRE_NODE_NAME=t1 byre log -f "$id" >/dev/null &
others+=($!)
stop $!
served "clients of a job's output are stopped"
python3 - "$BYRE_STATE/pool/t1/byred.sock" "$silent" <<'PY' &
import socket, struct, sys, time
clients = []
for i in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    if i % 3 == 1: s.send(b"\1")
    if i % 3 == 2: s.send(struct.pack("<IHHI", 1 << 20, 2, 0, 1) + b"x" * 1000)
    clients.append(s)
time.sleep(1000)
PY
others+=($!)
has_silent() { [ "$(find "/proc/$(daemon_of t1)/fd" -type l | wc -l)" -ge "$silent" ]; }
eventually "$silent clients are connected" has_silent
served "$silent clients say nothing, or half of it"
expect "and jobs run" here "$(on t1 byre run echo here)"
end_others
eventually "the job of a killed client ends" running_are 0
below "the daemon, with clients that do not read," $((65536 + queued * 5 / 2)) "$(daemon_of t1)"
below "the keeper, with clients that do not read," 16384 "$(keeper_of t1)"
pool_end

# ---- many at once --------------------------------------------------------------------------------------------------------

BYRE_STATE=$WORK/third
mkdir -m 700 "$BYRE_STATE"
pool_up 1 --slots "$at_once" --no-bind
on t1 byre submit --array "1-$at_once" sleep 1000 >/dev/null
eventually "$at_once run at once" running_are "$at_once"
on t1 byre kill -KILL "1..$at_once"
eventually "they are killed" open_are 0
seq "$at_once" | BYRE_NODE_NAME=t1 byre xargs -P "$at_once" -n1 sh -c 'sleep 1000' &
xargs=$!
others+=($!)
eventually "$at_once attached ones run at once" running_are "$at_once"
kill -TERM $xargs
eventually "they end with their client" open_are 0
below "the daemon, with $at_once jobs," 65536 "$(daemon_of t1)"
below "the keeper, with $at_once jobs," 32768 "$(keeper_of t1)"
