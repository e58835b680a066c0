#!/usr/bin/env bash
# The command `byre': dispatch, help, suggestions; topology, env, topo.
. "$(dirname "$0")/../lib.sh"

golden=$BYRE_SRCDIR/tests/golden
unset HWLOC_SYNTHETIC HWLOC_XMLFILE HWLOC_THISSYSTEM BYRE_LIBEXEC

# expect_fails NAME STATUS PART ARG...: byre ARG... ends with STATUS and says PART on stderr.
expect_fails() {
    local name=$1 status=$2 part=$3 said got
    shift 3
    said=$(run_byre "$@" 2>&1 >/dev/null)
    got=$?
    [ $got = "$status" ] || fail "$name: exit status $got, not $status: $said"
    case $said in
    *"$part"*) ;;
    *) fail "$name: not said: $part, but: $said" ;;
    esac
}

# Only what is there with certainty: json.tool is Python's, and Python may be missing.
json_ok() {
    command -v python3 >/dev/null || return 0
    python3 -c 'import json, sys; json.load(sys.stdin)' || fail "$1: not JSON"
}

# ---- dispatch ------------------------------------------------------------------------------------

expect "version" "byre ${VERSION:-$(run_byre --version | cut -d' ' -f2)}" "$(run_byre --version)"
expect "help is the same in three ways" "$(run_byre help)" "$(run_byre --help)"
expect "help of a command" "$(run_byre help topology)" "$(run_byre topology --help)"
run_byre help | grep -q '^  topology ' || fail "help does not list topology"
expect_fails "no command" 2 "usage: byre"
expect_fails "unknown command" 2 "there is no command \`frobnicate'" frobnicate
expect_fails "suggestion" 2 "Did you mean \`topology'?" topolgoy
expect_fails "suggestion by help" 2 "Did you mean \`env'?" help evn
expect_fails "unknown option" 2 "unknown option -x" -x
expect_fails "a path is no command" 2 "there is no command" ../byre

mkdir "$WORK/libexec"
cat >"$WORK/libexec/byre-hello" <<'END'
#!/bin/sh
echo "hello $*"
exit 7
END
chmod +x "$WORK/libexec/byre-hello"
export BYRE_LIBEXEC=$WORK/libexec
expect "external command" "hello a  b c" "$(run_byre hello 'a  b' c)"
run_byre hello >/dev/null
expect "its exit status" 7 $?
expect "its help" "hello --help" "$(run_byre help hello)"
run_byre help | grep -qx '  hello' || fail "help does not list byre-hello"
expect_fails "suggestion of an external command" 2 "Did you mean \`hello'?" hallo
unset BYRE_LIBEXEC

if [ -w /dev/full ]; then
    run_byre env >/dev/full 2>"$WORK/err" && fail "a full disk went unnoticed"
    grep -q 'cannot write' "$WORK/err" || fail "a full disk: $(cat "$WORK/err")"
fi

# ---- topology ------------------------------------------------------------------------------------

number() {
    run_byre topology "${@:2}" | sed -n "s/^  $1  *//p"
}
expect "the hypercube's diameter" 10 "$(number diameter hypercube 1024)"
expect "the grid's diameter" 62 "$(number diameter grid 32x32)"
expect "KIND:SIZE" "$(run_byre topology grid 4x8)" "$(run_byre topology grid:4x8)"
expect "hypercube 16" "$(cat "$golden/topology-hypercube16.txt")" "$(run_byre topology hypercube 16)"
expect "torus 4x4" "$(cat "$golden/topology-torus4x4.txt")" \
    "$(run_byre topology torus 4x4 --route 0 15 --neighbours 5)"
for net in "star 6" "ring 7" "grid 3x4" "torus 1x1" "cube 2x3x4" "hypercube 1" "full 5" "full 2^30"; do
    # shellcheck disable=SC2086
    run_byre topology $net --json --route 0 0 | json_ok "$net"
done
expect_fails "no size" 2 "size is missing" topology ring
expect_fails "no kind" 2 "a kind and a size" topology
expect_fails "bad kind" 2 "is no topology" topology moebius 8
expect_fails "no power of two" 2 "write 2^10" topology hypercube 10
expect_fails "one end of a route" 2 "two vertices" topology ring 8 --route 1
expect_fails "no such node" 2 "they are 0 to 7" topology ring 8 --route 1 8
expect_fails "no such switch" 2 "the switch is 8" topology star 8 --neighbours 9
expect_fails "too large a picture" 1 "too large to draw" topology ring 1024 --draw

# ---- env -----------------------------------------------------------------------------------------

run_byre env | grep -q '^BYRE_LOG=off .*default off)' || fail "env: no default of BYRE_LOG"
BYRE_LOG=error run_byre env | grep -q '^BYRE_LOG=error .*; set)' || fail "env: no value of BYRE_LOG"
run_byre env --json | json_ok "env --json"
run_byre env --counters | grep -q '^msg_sent ' || fail "env --counters: no msg_sent"
expect_fails "env with an argument" 2 "takes no argument" env BYRE_LOG

# Every variable of the table is in the man page with its type and default, and the reverse.
expect "byre-env(1)" "$(run_byre env | sed -n 's/^\(BYRE_[A-Z_]*\)=[^(]*(\(.*; default [^;)]*\).*/\1 \2/p' | sort)" \
    "$(sed -n '/^\.It Ev BYRE/{s/^\.It Ev //;N;s/\n\.Pq / /;s/\\-/-/g;p;}' "$BYRE_SRCDIR/docs/man/byre-env.1" | sort)"

# ---- topo ----------------------------------------------------------------------------------------

synthetic="package:2 numa:2 l3:2(size=16777216) l2:2(size=524288) l1d:1(size=32768) core:1 pu:2"
host=$(uname -n)
fake() {
    HWLOC_SYNTHETIC=$synthetic run_byre topo --machine "$@" | sed "1,/$host/s/$host/HOST/"
}
expect "topo as text" "$(cat "$golden/topo-synthetic.txt")" "$(fake)"
expect "topo as a picture" "$(cat "$golden/topo-synthetic.draw.txt")" "$(fake --draw)"
fake --json >"$WORK/topo.json"
grep -q '"host": "HOST", "packages": 2, "numa_nodes": 4, "cores": 16, "pus": 32' "$WORK/topo.json" ||
    fail "topo as JSON: $(head -n 3 "$WORK/topo.json")"
json_ok "topo --json" <"$WORK/topo.json"
expect_fails "topo with an argument" 2 "takes no argument" topo everything

run_byre topo >"$WORK/topo" || fail "topo without mpirun: exit status $?"
grep -q '^   0     0  ' "$WORK/topo" || fail "topo without mpirun: no rank 0: $(cat "$WORK/topo")"

run_mpi 4 "$BYRE_BIN/byre" topo >"$WORK/topo" || fail "topo on four ranks: exit status $?"
for rank in 0 1 2 3; do
    grep -q "^   $rank     0  .* other\|^   $rank     0  .* fifo" "$WORK/topo" ||
        fail "topo on four ranks: no service thread of rank $rank: $(cat "$WORK/topo")"
done
expect "one node" 1 "$(grep -c '^node ' "$WORK/topo")"
run_mpi 3 "$BYRE_BIN/byre" topo --json | json_ok "topo --json on three ranks"
exit 0
