#!/usr/bin/env bash
# The examples of remote calls give the same with the server on the same rank, on another, and with ranks that
# only look on.
# time-limit: 120
. "$(dirname "$0")/../lib.sh"

for np in 1 2 3; do
    expect "calc at $np ranks" "2 + 3 = 5
mean of 1 2 3 6 = 3.0
17 = 3 * 5 + 2
7 is seven" "$(run_mpi $np "$BYRE_BIN/rpc_calc")"

    expect "kv at $np ranks" "the sky is grey and large
the size of grass: not known
handles: given back" "$(run_mpi $np "$BYRE_BIN/rpc_kv")"

    expect "listsort at $np ranks" "before: 30 pear 10 apple 20 plum
sorted: 10 apple 20 plum 30 pear
it begins with my own node: yes
the pear has become the last: yes
made by the server: 2
filled: 10 apple 15 - 20 plum 25 - 30 pear" "$(run_mpi $np "$BYRE_BIN/rpc_listsort")"

    for n in 1 7 200; do
        half=$((n / 2))
        expect "matrix of $n at $np ranks" "$((half * n)) of $((n * n)) numbers by the server
wrong: 0" "$(run_mpi $np "$BYRE_BIN/rpc_matrix" $n)"
    done
done
exit 0
