# shellcheck shell=bash
# tests/support/pool.sh: a pool of daemons under several names on this machine, for tests of byred. After lib.sh:
#
#   pool_up N [OPTION...]     daemons of nodes t1 .. tN, and waits until they are in step
#   pool_crash                all of them are killed at once, as a power cut does; keepers and jobs go on
#   pool_end                  daemons, keepers and jobs end
#   daemon_of t1, keeper_of t1    process ids
#   on t1 COMMAND...          a command as a client on that node

export BYRE_STATE=$WORK/state BYRE_NODE_NAME=t1
export PATH=$BYRE_BIN:$PATH
mkdir -m 700 "$BYRE_STATE"
pool_mpirun='' pool_size=0

on() {
    local node=$1
    shift
    BYRE_NODE_NAME=$node timeout -k 5 60 "$@"
}

is_in_step() {
    local i
    for ((i = 1; i <= pool_size; i++)); do
        on "t$i" byre nodes >"$WORK/nodes" 2>&1 || return 1
    done
    [ "$(grep -c ' up ' "$WORK/nodes")" = "$pool_size" ]
}

pool_up() {
    local i args=()
    pool_size=$1
    shift
    for ((i = 1; i <= pool_size; i++)); do
        ((i == 1)) || args+=(:)
        args+=(-np 1 -x BYRE_STATE -x "BYRE_NODE_NAME=t$i" "$BYRE_BIN/byred" "$@")
    done
    # shellcheck disable=SC2154 # lib.sh
    "$MPIRUN" --enable-recovery "${mpi_options[@]}" --mca mpi_yield_when_idle 1 "${args[@]}" \
        </dev/null >"$WORK/up.log" 2>&1 &
    pool_mpirun=$!
    eventually "the pool comes up: $(cat "$WORK/up.log")" is_in_step
}

# Processes of PROGRAM whose command line or environment names the node.
daemon_of() {
    local pid
    for pid in $(pgrep -P "$pool_mpirun" -x byred); do
        tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "BYRE_NODE_NAME=$1" && echo "$pid"
    done
}

keeper_of() {
    pgrep -fx "[^ ]*byred-keeper $BYRE_STATE/[^/]*/$1"
}

pool_crash() {
    local pids
    mapfile -t pids < <(pgrep -P "$pool_mpirun" -x byred)
    kill -KILL "$pool_mpirun" "${pids[@]}" 2>/dev/null
    wait "$pool_mpirun" 2>/dev/null
    pool_mpirun=''
}

pool_end() {
    local i pid
    [ -z "$pool_mpirun" ] || { kill -TERM "$pool_mpirun" && wait "$pool_mpirun"; } 2>/dev/null
    pool_mpirun=''
    for ((i = 1; i <= pool_size; i++)); do
        for pid in $(keeper_of "t$i"); do kill -TERM "$pid"; done
    done
    for ((i = 1; i <= pool_size; i++)); do
        eventually "keeper of t$i ends" has_no_keeper "t$i"
    done
}

has_no_keeper() {
    [ -z "$(keeper_of "$1")" ]
}
