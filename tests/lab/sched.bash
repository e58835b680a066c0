# shellcheck shell=bash
# sched.bash: what the lab tests of a pool share, after lab.bash.
#
#   byre_up NODE [OPTION...]     `byre up' there, which must succeed within a minute
#   byre_down NODE [--kill]      `byre down', after which no daemon is left on any node, nor with --kill a keeper
#   on_byre NODE ARG...          byre ARG... there
#   $OUT/job NAME [STATUS]       a job: notes its beginning in $RUNS/NAME, with its node, and runs until `let_end NAME'
#   submit HOME NODE NAME [STATUS]    that job there; its id is ${id[NAME]} then, and it runs
#   runs NAME, has_run NAME N    on which nodes it has begun, one a line; at least N times
#   let_end NAME...              these end
#   ended NAME HOME STATUS       it ends with it, and has begun once
#   is NODE ID STATE             of a job, as `byre ps' says it there
#   node_is NODE OTHER STATE     of a node, as `byre nodes' says it there

byre=$BYRE_BIN/byre
nodes=(n1 n2 n3 n4)
export BYRE_STATE=$OUT/state RUNS=$OUT/runs
mkdir -m 700 "$BYRE_STATE"
mkdir "$RUNS" "$OUT/let"
declare -A id

cat >"$OUT/job" <<END
#!/bin/sh
echo "\$BYRE_JOB_NODE" >>"$RUNS/\$1"
until [ -e "$OUT/let/\$1" ]; do sleep 0.1; done
exit "\${2:-0}"
END
chmod +x "$OUT/job"

show_state() {
    local i
    for i in "${nodes[@]}"; do
        tail -n 15 "$BYRE_STATE"/*/"$i/byred.log" 2>/dev/null
    done
    on_byre n1 nodes
    on_byre n1 ps -a
}

on_byre() {
    local node=$1
    shift
    on "$node" timeout -k 5 60 "$byre" "$@" </dev/null
}

byre_up() {
    local node=$1
    shift
    on_byre "$node" up "$@" >"$WORK/up" 2>&1 && return 0
    cat "$WORK/up"
    fail "byre up $*"
}

byre_down() {
    local node=$1 at what='byred( |$)|mpirun|orted'
    shift
    [ $# = 0 ] || what='byred|mpirun|orted'
    on_byre "$node" down "$@" >"$WORK/down" 2>&1 || {
        cat "$WORK/down"
        fail "byre down $*"
    }
    # Open MPI's own daemons on the other nodes hear of it from mpirun, which has ended by now.
    for at in "${nodes[@]}"; do
        eventually "nothing is left on $at after byre down $*" nothing_on "$at" "$what"
    done
}

nothing_on() {
    ! on "$1" pgrep -f "$2" >/dev/null
}

runs() {
    cat "$RUNS/$1" 2>/dev/null
}

has_run() {
    [ "$(runs "$1" | wc -l)" -ge "$2" ]
}

let_end() {
    local name
    for name; do : >"$OUT/let/$name"; done
}

is() {
    on_byre "$1" ps -a --json "$2" 2>/dev/null | grep -q "\"state\": \"$3\""
}

node_is() {
    on_byre "$1" nodes 2>/dev/null | grep -q "^$2  *$3"
}

submit() {
    id[$3]=$(on_byre "$1" submit --node "$2" "$OUT/job" "$3" "${4:-0}") || fail "submit $3"
    eventually "$3 runs" has_run "$3" 1
}

ended() {
    local status
    on_byre "$2" wait --timeout 30 "${id[$1]}" >"$WORK/said" 2>&1
    status=$?
    expect "$1: exit status ($(cat "$WORK/said"))" "$3" $status
    [ "$(runs "$1" | wc -l)" = 1 ] || fail "$1 has begun $(runs "$1" | wc -l) times"
}
