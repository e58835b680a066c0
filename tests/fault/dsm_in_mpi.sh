#!/usr/bin/env bash
# MPI is given shared memory whose pages are elsewhere, and nobody pinned it: the program ends soon, with a
# message that names the address and both remedies. Pinned memory is like any other.
# time-limit: 240
. "$(dirname "$0")/../lib.sh"

# in_mpi "MPIRUN OPTIONS" HOW BYTES: the output, and the status in $status
in_mpi() {
    local options
    read -r -a options <<<"$1"
    BYRE_TEST_LIMIT=20 run_mpi ${options[@]+"${options[@]}"} 2 "$BYRE_OBJ/tests/fault/dsm_in_mpi" "$2" "$3" \
        >"$WORK/out" 2>&1
    status=$?
}

failed() {
    cat "$WORK/out" >&2
    fail "$* (status $status)"
}

for transport in "" "--mca btl tcp,self"; do
    for what in "send 100" "irecv 100" "send 1000000" "half-send 200000" "half-recv 200000" \
        "half-irecv 200000"; do
        read -r how bytes <<<"$what"
        in_mpi "$transport" "$how" "$bytes"
        if [ $status = 0 ] || [ $status = 124 ]; then failed "$transport $what: it does not end with an error"; fi
        grep -q '^byre: rank [01]: address 0x20[0-9a-f]* of shared memory .*link with -lbyre_pmpi, or call byre_dsm_pin ' \
            "$WORK/out" || failed "$transport $what: no message"
    done
    for what in "send 1000000" "irecv 200000"; do
        read -r how bytes <<<"$what"
        in_mpi "$transport" "pinned-$how" "$bytes"
        [ $status = 0 ] || failed "$transport pinned $what"
        expect "$transport pinned $what" 2 "$(grep -c 'error 0, contents right' "$WORK/out")"
    done
done
