#!/usr/bin/env bash
# Errors of the application beside shared memory end the program as they would without: by SIGSEGV. A
# write to constant memory is such an error, with a message. An application's own handler is called.
. "$(dirname "$0")/../lib.sh"

# wild HOW: the output in $WORK/out, the status in $status
wild() {
    BYRE_TEST_LIMIT=30 run_mpi 2 "$BYRE_OBJ/tests/fault/dsm_wild" "$1" >"$WORK/out" 2>&1
    status=$?
}

failed() {
    cat "$WORK/out" >&2
    fail "$* (status $status)"
}

for how in null null-write behind before freed constant; do
    wild $how
    [ $status = 139 ] || failed "$how: it does not end by SIGSEGV"
    grep -q 'exited on signal 11' "$WORK/out" || failed "$how: not by SIGSEGV"
    if [ $how = constant ]; then
        grep -Eq '^byre: rank [01]: write to 0x[0-9a-f]+, in region literal, which has been published' "$WORK/out" ||
            failed "$how: no message"
    elif grep -q '^byre:' "$WORK/out"; then
        failed "$how: it is not an error of shared memory"
    fi
done

wild jumps
[ $status = 0 ] || failed "jumps"
expect "jumps" "survived
survived" "$(cat "$WORK/out")"
