# shellcheck shell=bash
# lab.bash: what the lab tests share. A test starts with
#
#   . "$(dirname "$0")/lab.bash"
#
# and gets, besides what lib.sh offers,
#   lab ARG...                  byre lab, on a lab of this test's own
#   lab_mpirun [OPTION...] ...  lab run mpirun, with $BYRE_TEST_LIMIT seconds at most
#   on NODE COMMAND...          lab sh
#   $OUT                        a directory that the nodes see: lab up --share "$OUT"
#
# The lab goes when the test ends, however it ends. A test is skipped where there can be no lab.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

export BYRE_LIBEXEC=$BYRE_SRCDIR/scripts
lab_name=t$$-$RANDOM
OUT=$WORK/out
mkdir "$OUT"

lab() {
    "$BYRE_BIN/byre" lab --name "$lab_name" "$@"
}

lab_mpirun() {
    lab run --timeout "${LAB_LIMIT:-50}" mpirun "$@" </dev/null
}

on() {
    lab sh "$@"
}

lab_gone() {
    local labs
    for labs in "$lab_name" "$lab_name-b"; do
        [ ! -e "/run/byre-lab/$labs" ] || "$BYRE_BIN/byre" lab --name "$labs" down
    done
    rm -rf "$WORK"
}
trap lab_gone EXIT
trap 'exit 143' TERM INT HUP

[ "$(id -u)" = 0 ] || skip "it takes root"
why_not=$(lab check 2>&1) || skip "${why_not#byre lab: }"

# between LOW NUMBER HIGH: decimal fractions.
between() {
    LC_ALL=C awk -v low="$1" -v number="$2" -v high="$3" \
        'BEGIN { exit !(number + 0 >= low && number + 0 <= high) }'
}

now_s() {
    local up
    read -r up _ </proc/uptime
    echo "$up"
}

# What a test of tests/mpi asks for in a comment; see tests/run.
asks() {
    sed -n '1,60s/^[ /*#]*'"$2"': *\([^*]*[^* ]\) *\(\*\/\)\{0,1\} *$/\1/p' "$BYRE_SRCDIR/$1" | head -n 1
}

# suite PER_NODE TEST...: programs of tests/mpi, with PER_NODE ranks on each node; a line each. A program
# that says `lab: no REASON' is left out; one that asks for certain numbers of ranks gets the largest.
# All nodes together have the processors of one machine, so nobody is to be taken for dead too soon.
suite() {
    local per=$1 test name options np start failed=0 where
    shift
    for test in "$@"; do
        name=${test##*/}
        name=${name%.c}
        where=$(asks "$test" lab)
        case $where in no*)
            printf 'left out: %s (%s)\n' "$name" "${where#no }"
            continue ;;
        esac
        read -r -a options <<<"$(asks "$test" mpirun)"
        np=$(asks "$test" ranks)
        np=${np##* }
        : "${np:=$((per * LAB_NODES))}"
        start=$EPOCHREALTIME
        if BYRE_TEST_LIMIT=$LAB_LIMIT lab_mpirun ${options[@]+"${options[@]}"} -x BYRE_TEST_LIMIT \
            -x "BYRE_PEER_TIMEOUT_MS=${LAB_PEER_TIMEOUT_MS:-20000}" \
            -n "$np" --map-by "ppr:$per:node" --oversubscribe "$BYRE_OBJ/tests/mpi/$name" >"$WORK/log" 2>&1; then
            LC_ALL=C awk -v n="$name" -v np="$np" -v a="$start" -v b="$EPOCHREALTIME" \
                'BEGIN { printf "ok: %-24s np=%d %5.1f s\n", n, np, b - a }'
        else
            printf 'FAIL: %s np=%s, exit status %s\n' "$name" "$np" $?
            tail -n 40 "$WORK/log"
            failed=$((failed + 1))
        fi
    done
    [ $failed = 0 ] || fail "$failed programs failed"
}
LAB_NODES=4
LAB_LIMIT=50

# mpi_tests [NAME...]: their sources; all of them if none is named.
mpi_tests() {
    [ $# -gt 0 ] || set -- '*'
    local name source
    for name in "$@"; do
        for source in "$BYRE_SRCDIR/tests/mpi"/$name.c; do
            echo "tests/mpi/${source##*/}"
        done
    done
}
