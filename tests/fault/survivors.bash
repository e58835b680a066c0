# shellcheck shell=bash
# survivors.bash: runs a fault program and asks its survivors. For tests/fault/*.sh:
#
#   . "$(dirname "$0")/survivors.bash"
#   survivors PROGRAM [ARG...]          at 2, 3 and 4 ranks, through shared memory and through TCP
#   survivors_of NP DEAD "MPIRUN OPTIONS" PROGRAM [ARG...]      one job, DEAD: the ranks that are killed
#
# mpirun says nothing useful when a rank was killed, and may not even end: each survivor leaves a file
# with its last breath (survive.h), and this waits for the files and for the processes to be gone.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

: "${BYRE_TEST_LIMIT:=60}"
export BYRE_TEST_LIMIT

# One job. Every rank but those in DEAD must end with "survivor R ok". Open MPI 4.1.4 has faults of its
# own: when its TCP transport breaks off in the middle of sending to a dead rank ("writev failed"), it may
# abort the survivor, or connect again and stay in "invalid connection state" for ever. Such a job says
# nothing about Byre: it is run again, at most five times, and the output says so.
survivors_of() {
    local try
    for try in 1 2 3 4 5 6; do
        job_of_survivors "$try" "$@" && return 0
        printf "again: Open MPI aborted or hung in its TCP transport\n"
    done
}

# A connection between survivors that is in an invalid state loses messages, so whatever comes of it counts;
# else a survivor's own complaint is a failure.
is_open_mpis_fault() {
    head -c 100000 "$WORK/log" >"$WORK/head"
    grep -q 'send_handler. invalid connection state' "$WORK/head" ||
        { grep -q 'mca_btl_tcp_frag_send: writev failed' "$WORK/head" &&
            ! grep -q '^[^ ]*\.[ch]:[0-9]*: rank [0-9]*: ' "$WORK/head"; }
}

job_of_survivors() {
    local try=$1
    shift
    local np=$1 dead=$2 options r left program deadline
    read -r -a options <<<"$3"
    shift 3
    program=$1
    shift
    rm -rf "$WORK/out"
    mkdir -p "$WORK/out"
    export BYRE_TEST_OUT=$WORK/out
    timeout -k 5 "$BYRE_TEST_LIMIT" "$MPIRUN" "${mpi_options[@]}" --enable-recovery \
        ${options[@]+"${options[@]}"} -x BYRE_TEST_OUT -n "$np" \
        "$BYRE_OBJ/tests/fault/$program" "$@" >"$WORK/log" 2>&1 </dev/null &
    local mpirun=$!
    deadline=$((SECONDS + ${FAULT_LIMIT:-12}))
    while :; do
        left=
        for ((r = 0; r < np; r++)); do
            case " $dead " in *" $r "*) continue ;; esac
            [ -s "$WORK/out/survivor.$r" ] || left="$left $r"
        done
        [ -n "$left" ] || break
        [ $SECONDS -lt $deadline ] || break
        kill -0 $mpirun 2>/dev/null || { # its ranks are gone: whoever has not reported will not
            wait $mpirun
            break
        }
        sleep 0.05
    done
    # Survivors are at their last instructions: mpirun ends with them, or is told to.
    local i
    for ((i = 0; i < 60; i++)); do
        kill -0 $mpirun 2>/dev/null || break
        [ -z "$left" ] || break
        sleep 0.05
    done
    kill -TERM $mpirun 2>/dev/null
    wait $mpirun 2>/dev/null
    if [ -n "$left" ] && [ "$try" -lt 6 ] && is_open_mpis_fault; then
        return 1
    fi
    for ((r = 0; r < np; r++)); do
        case " $dead " in
        *" $r "*)
            [ ! -e "$WORK/out/survivor.$r" ] ||
                complain "rank $r of $np was to be killed and lived: $(cat "$WORK/out/survivor.$r")" ;;
        *)
            grep -qx "survivor $r ok" "$WORK/out/survivor.$r" 2>/dev/null ||
                complain "rank $r of $np: $(cat "$WORK/out/survivor.$r" 2>/dev/null || echo 'no sign of it')" ;;
        esac
    done
    printf 'ok: %s %s, %s ranks %s\n' "$program" "$*" "$np" "${options[*]}"
    sed -n 's/^rank \([0-9]*: found\)/    rank \1/p' "$WORK/log"
}

complain() {
    printf 'FAIL: %s %s\n' "$program" "$1" >&2
    head -c 20000 "$WORK/log" >&2
    exit 1
}

survivors() {
    local np transport program=$1
    shift
    for transport in "" "--mca btl tcp,self"; do
        [ -z "${SHM_ONLY:-}" ] || [ -z "$transport" ] || continue
        for np in 2 3 4; do
            survivors_of "$np" $((np - 1)) "$transport" "$program" "$@"
        done
    done
}
