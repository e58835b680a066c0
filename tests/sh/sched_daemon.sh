#!/usr/bin/env bash
# time-limit: 180
# byred: jobs from submission to their end, on the node and on another; what happens to them when daemons, keepers,
# nodes and clients are killed. Several daemons under several names on this machine.
# Functions that `eventually' calls; words that another shell expands.
# shellcheck disable=SC2317,SC2016
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/support/pool.sh
. "$(dirname "$0")/../support/pool.sh"
[ -x "$BYRE_BIN/byred" ] || skip "byred was not built"

ps_of() { # ID: its line of byre ps -a
    byre ps -a 2>/dev/null | grep "^$1 "
}
is_running() { ps_of "$1" | grep -q ' running '; }
is_away() { ps_of "$1" | grep -q ' away '; }
is_ended() { ps_of "$1" | grep -q ' ended '; }
is_gone() { byre nodes | grep -q "^$1 *gone"; }
none_open() {
    byre ps --json >"$WORK/ps" 2>&1 || { cat "$WORK/ps" >&2; return 1; }
    ! grep -q '"id"' "$WORK/ps"
}
has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }

# ---- the way of a job ----------------------------------------------------------------------------

pool_up 2 --slots 3 --no-bind
expect "here" "hello" "$(on t1 byre run --node t1 echo hello)"
got=$(printf 'in\0put' | on t1 byre run --node t2 bash -c 'cat; echo; echo $BYRE_JOB_NODE; exit 7' | od -c | head -3)
expect "there, with input" "$(printf 'in\0put\nt2\n' | od -c | head -3)" "$got"
on t1 byre run --node t2 bash -c 'exit 7'
expect "status" 7 $?
on t1 byre run bash -c 'kill -TERM $$' 2>"$WORK/err"
expect "signal" 143 $?
! on t1 byre run --node t2 env | grep -E '^(OMPI_MCA_orte|PMIX_|ORTE)' || fail "MPI leaks into a job"

id=$(on t1 byre submit --node t2 bash -c 'echo out; echo err >&2; exit 3')
on t1 byre wait "$id"
expect "wait for a job there" 3 $?
expect "its output, from the other node" out "$(on t2 byre log "$id")"
ids=$(on t2 byre submit --array 1-50 bash -c "echo {} >>$WORK/array")
eventually "all of an array end" none_open
expect "each of an array once" "$(seq 50)" "$(sort -n "$WORK/array")"
[ "$(byre ps -a | grep -c "^t2\\..* ended ")" = 50 ] || fail "byre ps -a does not show the array $ids"

# ---- refused -------------------------------------------------------------------------------------

said=$(on t1 byre submit --node nowhere true 2>&1) && fail "a job for an unknown node is accepted"
case $said in *nowhere*"byre nodes"*) ;; *) fail "unknown node: $said" ;; esac
said=$(on t1 byre submit --cpus 99 true 2>&1) && fail "a job for 99 processors is accepted"
case $said in *99*) ;; *) fail "99 processors: $said" ;; esac

# ---- a queue: cancelled, overtaken, not for ever -------------------------------------------------

for _ in 1 2; do on t1 byre submit --node t1 --cpus 2 sleep 1000 >/dev/null; done
small=$(on t1 byre submit --node t1 sleep 1000)
eventually "a small job passes one that does not fit" is_running "$small"
waits=$(byre ps | grep ' queued ' | cut -d' ' -f1)
on t2 byre kill "$waits" || fail "byre kill of a queued job"
eventually "a queued job is cancelled" is_ended "$waits"
on t2 byre kill "$(byre ps | grep ' running ' | cut -d' ' -f1 | head -1)" "$small"
eventually "running jobs are killed from another node" none_open

# ---- a client goes -------------------------------------------------------------------------------

byre run --node t2 bash -c "trap 'echo hup >>$WORK/hup' HUP; echo begun >>$WORK/hup; sleep 1000 & wait; sleep 1000" &
client=$!
eventually "it runs" test -s "$WORK/hup"
kill -KILL $client
wait $client 2>/dev/null
eventually "the job of a killed client ends" none_open
grep -q hup "$WORK/hup" || fail "it was not told to hang up"

# ---- all daemons are killed ----------------------------------------------------------------------

on t1 byre submit --array 1-40 bash -c "echo {} >>$WORK/crash; sleep 0.2" >/dev/null
eventually "some have begun" test -s "$WORK/crash"
for _ in 1 2 3; do
    pool_crash
    pool_up 2 --slots 3 --no-bind
done
eventually "all end" none_open
expect "each ran, once" "$(seq 40)" "$(sort -n "$WORK/crash")"

# ---- a node is lost, and comes back --------------------------------------------------------------

stays=$(on t1 byre submit --node t2 bash -c "until [ -e $WORK/go ]; do sleep 0.1; done; exit 5")
moves=$(on t1 byre submit --restartable --affinity-key k bash -c "echo \$BYRE_JOB_NODE >>$WORK/moves; until [ -e $WORK/go ]; do sleep 0.1; done")
again=$(on t2 byre submit --node t1 bash -c "until [ -e $WORK/go ]; do sleep 0.1; done; exit 6")
eventually "they run" is_running "$stays"
eventually "they run" is_running "$moves"
eventually "they run" is_running "$again"
on t1 byre run --node t2 sleep 1000 2>"$WORK/lost" &
client=$!
eventually "four run" eval '[ "$(byre ps | grep -c " running ")" = 4 ]'
kill -KILL "$(daemon_of t2)"
eventually "t2 is gone" is_gone t2
wait $client
expect "status of a job whose node is lost" 125 $?
grep -q "t2" "$WORK/lost" || fail "not said which node is lost: $(cat "$WORK/lost")"
eventually "its job is away" is_away "$stays"
said=$(on t1 byre submit --node t2 true 2>&1) && fail "a job for a node that is gone is accepted"
expect "survivors go on" alive "$(on t1 byre run echo alive)"
pool_crash
pool_up 2 --slots 3 --no-bind
eventually "it is known to run again" is_running "$stays"
touch "$WORK/go"
on t1 byre wait "$stays"
expect "its true end" 5 $?
on t1 byre wait "$again"
expect "the end of a job whose home was lost" 6 $?
on t1 byre wait "$moves"
expect "a restartable job" 0 $?
on t1 byre kill -KILL "$(byre ps | grep ' running ' | cut -d' ' -f1)" # the one of byre run goes on, as said
eventually "nothing is left" none_open

# ---- a keeper is killed --------------------------------------------------------------------------

lost=$(on t1 byre submit --node t2 sleep 1000)
back=$(on t1 byre submit --node t2 --restartable bash -c "echo x >>$WORK/back; [ \$(wc -l <$WORK/back) = 2 ] || sleep 1000")
eventually "they run" is_running "$lost"
eventually "they run" has_lines "$WORK/back" 1
kill -KILL "$(keeper_of t2)"
on t1 byre wait "$lost"
expect "a job of a killed keeper is lost" 125 $?
on t1 byre wait "$back"
expect "a restartable one runs again" 0 $?
expect "twice in all" 2 "$(wc -l <"$WORK/back")"

# ---- a daemon alone, with nothing to do, is idle ---------------------------------------------------

pool_end
for node in t1 t2; do
    [ -s "$BYRE_STATE/pool/$node/byred.log" ] || fail "no log of $node"
done
exit 0
