#!/usr/bin/env bash
# Two nodes send jobs at the same time, and there is one idle node, or few: whoever is first has its slot, the other
# probes on. No node ever runs more jobs than it has slots, and what was refused is counted in `byre load'.
# time-limit: 90
. "$(dirname "$0")/lab.bash"
. "$(dirname "$0")/sched.bash"

nodes=(n1 n2 n3)
lab up 3 --share "$OUT" >/dev/null || fail "up"
byre_up n1 --slots 1 --no-bind --policy threshold,T=1,L=3

# alone: has its node's slot, and says so if somebody else has it too.
cat >"$OUT/alone" <<END
#!/bin/sh
mkdir "$OUT/slot.\$BYRE_JOB_NODE" || echo "\$BYRE_JOB on \$BYRE_JOB_NODE" >>"$OUT/twice"
echo "\$BYRE_JOB_NODE" >>"$RUNS/alone"
sleep 0.01
rmdir "$OUT/slot.\$BYRE_JOB_NODE"
END
chmod +x "$OUT/alone"

never_twice() {
    [ ! -e "$OUT/twice" ] || fail "$1: beside another job in one slot: $(cat "$OUT/twice")"
}

# ---- one idle node, two that want it -------------------------------------------------------------

submit n1 n1 block1
submit n2 n2 block2
for ((round = 1; round <= 15; round++)); do
    for node in n1 n2; do
        on_byre $node submit "$OUT/job" $node.$round >"$WORK/id.$node" &
    done
    wait
    eventually "round $round: one runs" eval "has_run n1.$round 1 || has_run n2.$round 1"
    expect "round $round: on the idle node, and one only" n3 "$(runs n1.$round; runs n2.$round)"
    on_byre n1 nodes --json >"$WORK/nodes" || fail "nodes"
    grep -q '"running": [2-9]' "$WORK/nodes" && fail "round $round: more jobs than slots: $(cat "$WORK/nodes")"
    on_byre n1 kill -KILL "$(cat "$WORK/id.n1")" "$(cat "$WORK/id.n2")" || fail "kill"
    on_byre n1 wait --timeout 20 "$(cat "$WORK/id.n1")" "$(cat "$WORK/id.n2")" >/dev/null 2>&1
    [ $? != 124 ] || fail "round $round: the jobs do not end"
done
let_end block1 block2
on_byre n1 wait --all --timeout 20 || fail "wait"

# ---- many at once --------------------------------------------------------------------------------

for ((round = 1; round <= 4; round++)); do
    for node in n1 n2; do
        on_byre $node submit --array 1-25 "$OUT/alone" >/dev/null &
    done
    wait
    while on_byre n1 nodes --json >"$WORK/nodes"; do
        grep -q '"running": [2-9]' "$WORK/nodes" && fail "more jobs than slots: $(cat "$WORK/nodes")"
        grep -q '"running": 1' "$WORK/nodes" || grep -q '"queued": [1-9]' "$WORK/nodes" || break
    done
    on_byre n1 wait --all --timeout 30 || fail "wait"
    never_twice "round $round"
done
expect "all ran" 200 "$(runs alone | wc -l)"
for node in n1 n2 n3; do
    runs alone | grep -qx $node || fail "none ran on $node"
done
refused=$(on_byre n1 load --json | sed -n 's/.*"claims_refused": \([0-9]*\).*/\1/p' | awk '{ n += $1 } END { print n + 0 }')
echo "claims refused: $refused"
[ "$refused" -gt 0 ] || fail "no claim was refused, or none was counted: $(on_byre n1 load --json)"
byre_down n1 --kill
