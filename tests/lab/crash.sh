#!/usr/bin/env bash
# A node of four crashes in the middle of a job. The survivors get BYRE_EPEER within the bound of
# byre_failure(7), go on among themselves and finish; and `byre lab run' comes back, whatever Open MPI's
# mpirun does, which is written down in byre-lab(1):
#
#   how a node goes           mpirun                       mpirun --enable-recovery
#   its power fails           notices after keepalive      does not end by itself
#   its system ends           ends the job                 does not end by itself
#   it is cut off             notices after keepalive      does not end by itself
#   it is mpirun's own        is gone; ranks elsewhere stay behind
# time-limit: 180
. "$(dirname "$0")/lab.bash"

lab up 4 --share "$OUT" >/dev/null || fail "up"
export BYRE_TEST_OUT=$OUT

all_ready() {
    local r
    for r in 0 1 2 3; do
        [ -s "$OUT/ready.$r" ] || return 1
    done
}

# start_job [OPTION...]: and wait until all wait.
start_job() {
    rm -f "$OUT"/*
    lab run --timeout 40 mpirun "$@" -x BYRE_TEST_OUT --map-by ppr:1:node -n 4 \
        "$BYRE_OBJ/tests/lab/crashed_node" >"$WORK/log" 2>&1 </dev/null &
    job=$!
    for ((i = 0; i < 200; i++)); do
        all_ready && break
        sleep 0.1
    done
    all_ready || {
        cat "$WORK/log"
        fail "the job does not start"
    }
    sleep 0.3
    now_s >"$OUT/death.3"
    died=$(now_s)
}

# end_job HOW STATUS...: it ends by itself, with one of these.
end_job() {
    local how=$1 status
    shift
    wait $job
    status=$?
    took=$(awk -v a="$died" -v b="$(now_s)" 'BEGIN { printf "%.1f", b - a }')
    [[ " $* " = *" $status "* ]] || {
        cat "$WORK/log"
        fail "$how: run ended with $status after $took s, not with $*"
    }
    printf '%s: run ended with %s after %s s\n' "$how" "$status" "$took"
    [ -z "$(ranks_left)" ] || fail "$how: ranks are left: $(ranks_left)"
}

ranks_left() {
    pgrep -f "^$BYRE_OBJ/tests/lab/crashed_node" | while read -r pid; do
        grep -sqzx "BYRE_TEST_OUT=$OUT" "/proc/$pid/environ" && echo "$pid"
    done
}

survivors_are_well() {
    local r
    for r in 0 1 2; do
        grep -qx "survivor $r ok" "$OUT/survivor.$r" 2>/dev/null || {
            cat "$WORK/log"
            fail "$1: rank $r: $(cat "$OUT/survivor.$r" 2>/dev/null || echo 'no sign of it')"
        }
    done
    sed -n 's/^rank \([0-9]*: found\)/    rank \1/p' "$WORK/log"
}

RUN_ENDED=123 # what byre lab run says when it had to end mpirun

# ---- another node than mpirun's, survivors go on -------------------------------------------------

start_job --enable-recovery
lab crash n4 || fail "crash"
end_job "power fails, recovery" $RUN_ENDED
survivors_are_well "power fails"
grep -q 'n4 failed, and mpirun did not end with its ranks' "$WORK/log" || fail "run does not say what it did"
lab boot n4 || fail "boot"

start_job --enable-recovery
lab crash n4 --halt || fail "crash --halt"
end_job "system ends, recovery" $RUN_ENDED
survivors_are_well "system ends"
lab boot n4 || fail "boot"

start_job --enable-recovery
lab cut n4 || fail "cut"
end_job "cut off, recovery" $RUN_ENDED
survivors_are_well "cut off"
lab heal n4 || fail "heal"

# ---- by default mpirun ends the job, as soon as it notices: not in silence -----------------------

start_job
lab crash n4 || fail "crash"
end_job "power fails, default" $RUN_ENDED
survivors_are_well "power fails, default"
lab boot n4 || fail "boot"

start_job
lab crash n4 --halt || fail "crash --halt"
end_job "system ends, default" 205 1 143 137
lab boot n4 || fail "boot"

# ---- mpirun's own node ---------------------------------------------------------------------------

start_job --enable-recovery
lab crash n1 || fail "crash n1"
end_job "mpirun's own node" 137 143
lab boot n1 || fail "boot"

# ---- and the lab is as good as new ---------------------------------------------------------------

LAB_LIMIT=30
lab_mpirun -n 4 --map-by ppr:1:node "$BYRE_OBJ/tests/mpi/send_recv" >"$WORK/log" 2>&1 || {
    cat "$WORK/log"
    fail "a job after all of this"
}
