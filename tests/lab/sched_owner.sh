#!/usr/bin/env bash
# Workstations: the owner of n2 comes (programs outside the pool use its processors), and goes again. With
# --on-owner warn-kill guests are warned and ended, and those that may run again do so elsewhere; with requeue only
# the latter. No guest comes meanwhile, the node's own jobs stay, and nothing of the guests is left, nor of the files that
# they made in directories of their own.
# time-limit: 120
# shellcheck disable=SC2016 # what a job's shell expands
. "$(dirname "$0")/lab.bash"
. "$(dirname "$0")/sched.bash"

nodes=(n1 n2 n3)
lab up 3 --share "$OUT" >/dev/null || fail "up"

# guest NAME: notes where it is, writes, and notes that it is told to end.
cat >"$OUT/guest" <<END
#!/bin/sh
trap 'echo term >>"$RUNS/\$1.term"' TERM
echo "wrote at \$BYRE_JOB_NODE"
mkdir "\$TMPDIR/made" && echo "\$TMPDIR" >"\$TMPDIR/made/where" && chmod 000 "\$TMPDIR/made" && echo "\$TMPDIR" >>"$RUNS/\$1.tmp"
echo "\$BYRE_JOB_NODE" >>"$RUNS/\$1"
setsid sh -c 'while [ ! -e "$OUT/let/\$1" ]; do sleep 0.1; done' \$1-helper \$1 &
until [ -e "$OUT/let/\$1" ]; do sleep 0.1; done
END
chmod +x "$OUT/guest"

owner_comes() {
    on n2 sh -c 'for i in 1 2; do timeout 60 sh -c "while :; do :; done # owner" & done' </dev/null >/dev/null 2>&1
    eventually "n2 is owned" node_is n1 n2 owned
}

owner_goes() {
    on n2 pkill -KILL -f '# owner'
    eventually "n2 is free again" node_is n1 n2 up
}

# so that there is room only on NODE
full_but() {
    local node
    for node in n1 n2 n3; do
        [ $node != "$1" ] || continue
        on_byre $node submit --node $node --cpus 3 "$OUT/job" "full$2$node" >/dev/null || fail "submit"
        eventually "$node is full" has_run "full$2$node" 1
    done
}

# round HOW: guest, restartable guest and own job on n2, and the owner comes.
round() {
    local how=$1 status spool=$BYRE_STATE/pool/n2/spool tmp=$BYRE_STATE/pool/n2/tmp
    byre_up n1 --slots 3 --no-bind --policy threshold,T=1,L=3 --on-owner "$how" --owner-busy 0.04 --grace 1
    eventually "nobody is there at first" node_is n1 n2 up
    full_but n2 "$how"
    on_byre n1 run --own-tmp "$OUT/guest" "guest$how" >"$WORK/$how.out" 2>"$WORK/$how.err" &
    client=$!
    eventually "a guest runs" has_run "guest$how" 1
    id[moves]=$(on_byre n1 submit --own-tmp --restartable "$OUT/guest" "moves$how") || fail "submit"
    eventually "another, which may run again" has_run "moves$how" 1
    submit n2 n2 "own$how" 5
    expect "where there was room" "n2 n2" "$(runs "guest$how") $(runs "moves$how")"
    eventually "both have made files there" eval '[ -s "$RUNS/guest$how.tmp" ] && [ -s "$RUNS/moves$how.tmp" ]'
    expect "where" "$tmp $tmp" "$(dirname "$(runs "guest$how.tmp")") $(dirname "$(runs "moves$how.tmp")")"
    expect "what is there" 2 "$(on n2 ls "$tmp" | wc -l)"
    let_end "full${how}n3"
    owner_comes
    eventually "the restartable one runs elsewhere" has_run "moves$how" 2
    expect "elsewhere" n3 "$(runs "moves$how" | tail -n 1)"
    eventually "it was told to end" test -s "$RUNS/moves$how.term"
    eventually "nothing of it is left on n2" eval '! on n2 pgrep -f "moves$how" >/dev/null'
    [ ! -e "$spool/${id[moves]}.out" ] || fail "its output is left on n2"
    eventually "no file of it is left on n2" eval '[ ! -e "$(runs "moves$how.tmp" | head -n 1)" ] && ! ls -A "$tmp" | grep -q "^[.+]"'
    expect "it has another directory where it runs again" "$BYRE_STATE/pool/n3/tmp" "$(dirname "$(runs "moves$how.tmp" | tail -n 1)")"
    for i in 1 2 3; do
        expect "no guest comes" n3 "$(on_byre n1 run sh -c 'echo $BYRE_JOB_NODE')"
    done
    expect "the owner's own job may be submitted" n2 "$(on_byre n2 run --node n2 sh -c 'echo $BYRE_JOB_NODE')"
    is n2 "${id[own$how]}" running || fail "the node's own job does not run: $(on_byre n2 ps -a)"
}

# ---- warn-kill -----------------------------------------------------------------------------------

round warn-kill
wait $client
[ $? -gt 128 ] || fail "the guest was not ended"
grep -q "the owner of n2 is back" "$WORK/warn-kill.err" || fail "no warning: $(cat "$WORK/warn-kill.err")"
[ -s "$RUNS/guestwarn-kill.term" ] || fail "the guest had no grace"
eventually "nothing of it is left on n2" eval '! on n2 pgrep -f guestwarn-kill >/dev/null'
eventually "nor a file" eval '[ -z "$(on n2 ls -A "$BYRE_STATE/pool/n2/tmp")" ]'
waits=$(on_byre n1 submit --node n2 "$OUT/job" waits) || fail "submit"
owner_goes
eventually "a job for n2 alone begins when the owner has gone" has_run waits 1
let_end waits moveswarn-kill ownwarn-kill fullwarn-killn1
on_byre n1 wait --timeout 20 "$waits" || fail "wait"
on_byre n1 wait --timeout 20 "${id[moves]}"
expect "the one that moved" 0 $?
ended ownwarn-kill n2 5
full_but n2 again
expect "guests are welcome again" n2 "$(on_byre n1 run sh -c 'echo $BYRE_JOB_NODE')"
let_end fullagainn1 fullagainn3
byre_down n1 --kill

# ---- requeue -------------------------------------------------------------------------------------

round requeue
expect "the guest that may not run again goes on" "" "$(runs guestrequeue.term)"
on n2 pgrep -f guestrequeue >/dev/null || fail "the guest was ended"
expect "and keeps its files" "$(basename "$(runs guestrequeue.tmp)")" "$(on n2 ls -A "$BYRE_STATE/pool/n2/tmp")"
let_end guestrequeue
wait $client
expect "it ends as it ends" 0 $?
eventually "and its files go with it" eval '[ -z "$(on n2 ls -A "$BYRE_STATE/pool/n2/tmp")" ]'
owner_goes
let_end movesrequeue ownrequeue
on_byre n1 wait --timeout 20 "${id[moves]}"
expect "the one that moved" 0 $?
ended ownrequeue n2 5
byre_down n1 --kill
