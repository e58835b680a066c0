#!/usr/bin/env bash
# The example of a list in shared memory: every rank is in it, whatever the order.
. "$(dirname "$0")/../lib.sh"

list=$BYRE_BIN/dsm_list
for np in 1 2 3 4; do
    expected=$(for ((rank = 0; rank < np; rank++)); do echo "rank $rank of $np was here"; done)
    expect "$np ranks" "$expected" "$(run_mpi $np "$list" | sort)"
done
expect "without mpirun" "rank 0 of 1 was here" "$("$list")"
exit 0
