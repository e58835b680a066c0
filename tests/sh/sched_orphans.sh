#!/usr/bin/env bash
# time-limit: 180
# What is left behind: by a keeper that is killed, by `byre down' with jobs that run, by `byre down --kill'. A pool of
# this machine alone, as `byre up' makes it.
# shellcheck disable=SC2016 # what a job's shell expands
. "$(dirname "$0")/../lib.sh"
[ -x "$BYRE_BIN/byred" ] || skip "byred was not built"
export BYRE_STATE=$WORK/state BYRE_POOL=orphans BYRE_NODE_NAME=here
mkdir -m 700 "$BYRE_STATE"
dir=$BYRE_STATE/orphans/here
mark=byre-orphan-$$-$RANDOM # in the command lines of all processes of our jobs

no_pool() {
    run_byre down --kill >/dev/null 2>&1
    pkill -KILL -f "$mark"
    rm -rf "$WORK"
}
trap no_pool EXIT
trap 'exit 143' TERM INT HUP

show_state() {
    tail -n 20 "$dir"/*.log
    run_byre ps -a
}

up() { run_byre up --slots 8 --no-bind >"$WORK/up" 2>&1 || fail "byre up: $(cat "$WORK/up")"; }
processes() { pgrep -f "$mark" | while read -r pid; do cat "/proc/$pid/comm"; done 2>/dev/null | grep -vcE "^(byre|timeout)$"; }
there_are() { [ "$(processes)" = "$1" ]; }
daemon() { pgrep -fx "[^ ]*/byred --pool orphans.*"; }
keeper() { pgrep -fx "[^ ]*byred-keeper $dir"; }
is() { run_byre ps -a --json "$1" 2>/dev/null | grep -q "\"state\": \"$2\""; }
# The keeper names its cgroup after the file system and number of its directory.
cgroups() { find /sys/fs/cgroup -type d -name "byre-keeper-$(stat -c %D "$dir")-$(printf %x "$(stat -c %i "$dir")")*" 2>/dev/null; }

# A job of four processes: itself, a child, one in a session of its own, and one that has left that too and
# cleared its environment.
cat >"$WORK/family" <<'END'
#!/bin/bash
# family MARK FILE
exec -a "$1" sleep 1000 &
setsid bash -c 'exec -a "$1" sleep 1000' "$1" "$1" &
setsid bash -c 'env -i setsid bash -c "exec -a $1 sleep 1000" & exit' "$1" "$1"
echo "$BYRE_JOB" >>"$2"
exec -a "$1" sleep 1000
END
chmod +x "$WORK/family"
family() { run_byre submit "$@" "$WORK/family" "$mark" "$WORK/begun"; }
begun() { [ "$(wc -l <"$WORK/begun" 2>/dev/null)" = "$1" ]; }

: >"$WORK/begun"


# ---- a keeper is killed --------------------------------------------------------------------------

up
lost=$(family) || fail "submit"
again=$(family --restartable) || fail "submit"
eventually "two families run" begun 2
eventually "all of them" there_are 8
kill -KILL "$(keeper)"
run_byre wait --timeout 30 "$lost" 2>"$WORK/said"
expect "a job of a killed keeper" 125 $?
grep -q "keeper.* was killed" "$WORK/said" || fail "byre wait does not say why: $(cat "$WORK/said")"
eventually "the restartable one runs again" begun 3
eventually "of the other nothing is left" there_are 4
is "$again" running || fail "$again: $(run_byre ps -a)"
is "$lost" ended || fail "$lost: $(run_byre ps -a)"
run_byre kill -KILL "$again" || fail "kill"
eventually "killed with all its descendants" there_are 0

# ---- the keeper and the daemon at once -----------------------------------------------------------

: >"$WORK/begun"
lost=$(family) || fail "submit"
eventually "it runs" there_are 4
kill -KILL "$(keeper)" $(pgrep -f "byred --pool orphans")
up
run_byre wait --timeout 30 "$lost" 2>"$WORK/said"
expect "a job whose keeper and daemon were killed" 125 $?
eventually "nothing of it is left" there_are 0

# ---- a daemon hangs, with mpirun and without ----------------------------------------------------

: >"$WORK/begun"
stays=$(run_byre submit bash -c 'until [ -e "$1" ]; do sleep 0.1; done; exit 7' "$mark" "$WORK/go") || fail "submit"
eventually "it runs" there_are 1
hung=$(daemon)
kill -STOP "$hung"
up
[ "$(daemon)" != "$hung" ] || fail "the daemon that hangs is there still"
is "$stays" running || fail "$stays is not taken back: $(run_byre ps -a)"
hung=$(daemon)
kill -STOP "$hung"
kill -KILL "$(cat "$dir/mpirun.pid")"
up
[ "$(daemon)" != "$hung" ] || fail "the daemon that hangs without mpirun is there still"
is "$stays" running || fail "$stays is not taken back: $(run_byre ps -a)"

# ---- a keeper hangs ------------------------------------------------------------------------------

kept=$(keeper)
kill -STOP "$kept"
kill -KILL "$(daemon)"
run_byre up --slots 8 --no-bind --wait 8 >"$WORK/up" 2>&1 && fail "byre up succeeds without a keeper that answers"
grep -q "kill -CONT $kept" "$WORK/up" || fail "byre up does not say what to do: $(cat "$WORK/up")"
kill -CONT "$kept"
up
expect "the keeper is the same" "$kept" "$(keeper)"
is "$stays" running || fail "$stays is not taken back: $(run_byre ps -a)"
touch "$WORK/go"
run_byre wait --timeout 20 "$stays"
expect "the end of a job that saw two daemons and its keeper hang" 7 $?
rm "$WORK/go"

# ---- byre down leaves jobs running ---------------------------------------------------------------

: >"$WORK/begun"
stays=$(run_byre submit bash -c 'until [ -e "$1" ]; do sleep 0.1; done; exit 9' "$mark" "$WORK/go") || fail "submit"
family=$(family) || fail "submit"
eventually "both run" there_are 5
run_byre down || fail "down"
[ -z "$(pgrep -f "byred --pool orphans")" ] || fail "a daemon is left"
[ -n "$(keeper)" ] || fail "the keeper has gone with jobs that run"
expect "processes that go on" 5 "$(processes)"
[ ! -e "$dir/byred.sock" ] || fail "the daemon's socket is left"
run_byre down >"$WORK/said" 2>&1 && fail "down without a pool succeeds"
touch "$WORK/go" # and the job ends while there is no daemon
eventually "it has ended" there_are 4
up
run_byre wait --timeout 20 "$stays"
expect "the end of a job while no daemon was there" 9 $?
is "$family" running || fail "$family is not taken back: $(run_byre ps -a)"

# ---- byre down --kill leaves nothing -------------------------------------------------------------

queued=$(run_byre submit --cpus 8 true) || fail "submit"
run_byre run --name attached "$WORK/family" "$mark" "$WORK/begun" >"$WORK/run" 2>&1 &
client=$!
eventually "the attached one runs too" there_are 8
run_byre down --kill || fail "down --kill"
wait $client
[ $? -ge 125 ] || fail "byre run of a pool that went down: $(cat "$WORK/run")"
expect "processes of jobs" 0 "$(processes)"
expect "a keeper" "" "$(keeper)"
expect "daemons" "" "$(pgrep -f "byred --pool orphans")"
expect "sockets" "" "$(find "$BYRE_STATE" -type s)"
expect "cgroups" "" "$(cgroups)"
left=$(cd "$dir" && find . -type f | sed 's/[.]*-\(wal\|shm\)$//' | sort -u | paste -sd ' ')
# What byred(8) and byred-keeper(8) list, and no output of jobs that wrote none.
for file in $left; do
    case ${file#./} in
    byred.log | keeper.log | keeper.lock | ends | ledger.db | ledger.lock | mpirun.log) ;;
    *) fail "byre down --kill leaves $file" ;;
    esac
    grep -q "${file#./}" "$BYRE_SRCDIR"/docs/man/byred.8 "$BYRE_SRCDIR"/docs/man/byred-keeper.8 ||
        fail "$file is left, and no manual says what it is"
done

# The ledger knows how all went, after the next byre up.
up
is "$queued" ended || fail "$queued: $(run_byre ps -a)"
is "$family" ended || fail "$family: $(run_byre ps -a)"
run_byre down --kill || fail "down"

# ---- and when its daemon is dead -----------------------------------------------------------------

: >"$WORK/begun"
up
family >/dev/null || fail "submit"
eventually "it runs" there_are 4
kill -KILL $(pgrep -f "byred --pool orphans")
run_byre down --kill >"$WORK/said" 2>&1 || fail "down --kill with a dead daemon: $(cat "$WORK/said")"
expect "processes of jobs" 0 "$(processes)"
expect "a keeper" "" "$(keeper)"
expect "cgroups" "" "$(cgroups)"
