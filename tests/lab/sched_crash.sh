#!/usr/bin/env bash
# A pool of four nodes with jobs everywhere, and then, one after the other: a daemon is killed, a node crashes, the node
# of mpirun crashes, nodes are cut off, and the power of all of them fails. After each: what goes
# on, what `byre nodes', `byre ps', `byre wait' and `byre run' say, and what `byre up' makes of it.
# time-limit: 200
# shellcheck disable=SC2016 # what a job's shell expands
. "$(dirname "$0")/lab.bash"
. "$(dirname "$0")/sched.bash"

lab up 4 --share "$OUT" >/dev/null || fail "up"
options=(--slots 4 --no-bind --policy 'threshold,T=1,L=3')
byre_up n1 "${options[@]}"

places() { # FROM NODE...: jobs can be placed from there
    local from=$1 node
    shift
    for node; do
        expect "placed from $from" "$node" "$(on_byre "$from" run --node "$node" sh -c 'echo $BYRE_JOB_NODE' 2>&1)"
    done
}

# ---- a daemon is killed: nothing that runs stops -------------------------------------------------

submit n1 n3 a13 11
submit n3 n1 a31 12
submit n3 n3 a33 13
on n3 pkill -KILL -x byred
eventually "n3 is gone, says n1" node_is n1 n3 gone
eventually "n3 is gone, says n4" node_is n4 n3 gone
places n1 n1 n2 n4
places n4 n1 n2
eventually "its job there is away" is n1 "${id[a13]}" away
on_byre n1 wait --timeout 0.5 "${id[a13]}" >"$WORK/said" 2>&1
expect "wait for a job that is away, for a while" 124 $?
said=$(on_byre n3 ps 2>&1) && fail "n3 has a daemon"
case $said in *"byre up"*) ;; *) fail "n3 does not say what to do: $said" ;; esac
said=$(on_byre n1 submit --node n3 true 2>&1) && fail "a job for a node that is gone is accepted"
case $said in *n3*) ;; *) fail "not said that n3 is gone: $said" ;; esac
byre_up n1 "${options[@]}"
for job in a13 a31 a33; do
    eventually "$job is taken back" is "n${job:1:1}" "${id[$job]}" running
done
let_end a13 a31 a33
ended a13 n1 11
ended a31 n3 12
ended a33 n3 13
echo "a daemon was killed: ok"

# ---- a node crashes ------------------------------------------------------------------------------

for node in n1 n2 n4; do # so that n3 is where there is room
    on_byre n1 submit --cpus 4 --node $node "$OUT/job" block$node >/dev/null || fail "submit"
    eventually "$node is full" has_run block$node 1
done
id[moves]=$(on_byre n1 submit --restartable "$OUT/job" moves 14) || fail "submit"
eventually "the restartable one runs" has_run moves 1
expect "where there was room" n3 "$(runs moves)"
let_end blockn1 blockn2 blockn4
submit n1 n3 b13 15
submit n3 n3 b33 16
submit n3 n1 b31 17
on_byre n1 run --node n3 "$OUT/job" brun >"$WORK/run" 2>&1 &
client=$!
eventually "the attached one runs" has_run brun 1
lab crash n3 || fail "crash"
wait $client
expect "byre run of a job whose node crashes" 125 $?
grep -q "n3 is lost" "$WORK/run" || fail "byre run says: $(cat "$WORK/run")"
eventually "n3 is gone" node_is n2 n3 gone
places n2 n1 n2 n4
eventually "the restartable job runs elsewhere" has_run moves 2
[ "$(runs moves | tail -n 1)" != n3 ] || fail "moves ran on n3 again"
is n1 "${id[b13]}" away || fail "b13 is not away: $(on_byre n1 ps -a)"
lab boot n3 || fail "boot"
byre_up n1 "${options[@]}"
eventually "n3 is back" node_is n1 n3 up
on_byre n1 wait --timeout 20 "${id[b13]}" >"$WORK/said" 2>&1
expect "wait for a job that is lost" 125 $?
grep -q "n3" "$WORK/said" || fail "byre wait does not say which node: $(cat "$WORK/said")"
grep -qi "lost\|restarted" "$WORK/said" || fail "byre wait does not say why: $(cat "$WORK/said")"
on_byre n3 wait --timeout 20 "${id[b33]}" >"$WORK/said" 2>&1
expect "a job of the node itself" 125 $?
let_end moves b31
on_byre n1 wait --timeout 20 "${id[moves]}"
expect "the restartable one" 14 $?
expect "ran twice" 2 "$(runs moves | wc -l)"
ended b31 n3 17
places n1 n3
echo "a node crashed: ok"

# ---- the node of mpirun crashes ------------------------------------------------------------------

submit n2 n3 c23 18
submit n3 n2 c32 19
submit n1 n4 c14 20
submit n4 n4 c44 21
submit n1 n1 c11 22
lab crash n1 || fail "crash n1"
for job in c23 c14 c44; do
    on "n${job:2:1}" pgrep -f "job $job" >/dev/null || fail "$job has ended with mpirun's node"
done
eventually "the survivors notice" eval '! node_is n2 n1 up'
let_end c44
lab boot n1 || fail "boot n1"
byre_up n1 "${options[@]}"
for node in n1 n2 n3 n4; do
    node_is n1 $node up || fail "$node is not up: $(on_byre n1 nodes)"
done
for job in c23 c14 c32; do
    eventually "$job is taken back" is "n${job:1:1}" "${id[$job]}" running
done
let_end c23 c32 c14 c11
ended c23 n2 18
ended c32 n3 19
ended c14 n1 20
ended c44 n4 21
on_byre n1 wait --timeout 20 "${id[c11]}" 2>"$WORK/said"
expect "a job on the node that crashed" 125 $?
echo "mpirun's node crashed: ok"

# ---- a node is cut off for good ------------------------------------------------------------------

submit n1 n4 d14 23
submit n4 n2 d42 24
on_byre n1 run --node n4 "$OUT/job" drun >"$WORK/run" 2>&1 &
client=$!
eventually "the attached one runs" has_run drun 1
lab cut n4 || fail "cut"
wait $client
expect "byre run of a job that is cut off" 125 $?
grep -q "n4 is lost" "$WORK/run" || fail "byre run says: $(cat "$WORK/run")"
eventually "n4 is gone" node_is n1 n4 gone
is n1 "${id[d14]}" away || fail "d14 is not away: $(on_byre n1 ps -a)"
places n1 n2 n3
let_end d42
lab heal n4 || fail "heal"
byre_up n1 "${options[@]}"
eventually "d14 is taken back" is n1 "${id[d14]}" running
let_end d14 drun
ended d14 n1 23
ended d42 n4 24
echo "a node was cut off: ok"

# ---- the node of mpirun is cut off: two pools, of which none is whole ----------------------------

submit n2 n3 f23 25
submit n1 n2 f12 26
submit n1 n1 f11 27
lab cut n1 || fail "cut"
eventually "the others notice" node_is n2 n1 gone
eventually "it notices, too" node_is n1 n3 gone
places n2 n2 n3 n4
places n1 n1
lab heal n1 || fail "heal"
byre_up n1 "${options[@]}"
for job in f23 f12 f11; do
    eventually "$job is taken back" is "n${job:1:1}" "${id[$job]}" running
done
let_end f23 f12 f11
ended f23 n2 25
ended f12 n1 26
ended f11 n1 27
echo "mpirun's node was cut off: ok"

# ---- the power of all fails ----------------------------------------------------------------------

submit n1 n1 e11
on_byre n1 submit --cpus 4 --node n2 "$OUT/job" full >/dev/null || fail "submit"
eventually "n2 is full" has_run full 1
for i in 1 2 3; do
    id[q$i]=$(on_byre "n$i" submit --node n2 "$OUT/job" "q$i" 3$i) || fail "submit"
done
for node in "${nodes[@]}"; do lab crash "$node" || fail "crash $node"; done
let_end q1 q2 q3
for node in "${nodes[@]}"; do lab boot "$node" || fail "boot $node"; done
byre_up n1 "${options[@]}"
for i in 1 2 3; do ended "q$i" "n$i" 3$i; done
on_byre n1 wait --timeout 20 "${id[e11]}" 2>"$WORK/said"
expect "a job that ran when the power failed" 125 $?
echo "the power failed: ok"

byre_down n1
