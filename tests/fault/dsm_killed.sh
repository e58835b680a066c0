#!/usr/bin/env bash
# A rank is killed that has a part of shared memory, or manages it, or is in the middle of heavy traffic.
# time-limit: 300
. "$(dirname "$0")/survivors.bash"

for manager in fixed central central-dead dynamic; do
    for how in lost waiting copies; do
        survivors_of 3 2 "" dsm_killed $how $manager
    done
done
survivors_of 4 0 "" dsm_killed lost fixed 0
survivors_of 2 0 "" dsm_killed lost dynamic 0 1
survivors_of 3 2 "-x BYRE_NODE_RANKS=1" dsm_killed lost dynamic

managers=(fixed dynamic central dynamic central-dead)
for seed in 1 2 3 4 5 6 7 8 9 10; do
    survivors_of $((3 + seed % 2)) $((2 + seed % 2)) "" dsm_killed traffic "${managers[seed % 5]}" - $seed
done
survivors_of 3 2 "--mca btl tcp,self" dsm_killed traffic fixed - 11
survivors_of 3 0 "-x BYRE_NODE_RANKS=1" dsm_killed traffic dynamic 0 12

# Without a callback the program ends, and says why. What the ranks say later, of one another, is no matter.
for manager in fixed dynamic; do
    BYRE_TEST_LIMIT=15 run_mpi --enable-recovery -x BYRE_TEST_OUT="$WORK" 2 "$BYRE_OBJ/tests/fault/dsm_killed" default $manager \
        >"$WORK/log" 2>&1
    [ $? != 124 ] || fail "default, $manager: it does not end"
    grep -Eq '^byre: rank 0: page 2 of shared region data at 0x20[0-9a-f]+ \(address 0x20[0-9a-f]+\) was at rank 1, which has failed: the program ends' \
        "$WORK/log" || fail "default, $manager: $(cat "$WORK/log")"
done
