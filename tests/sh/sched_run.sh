#!/usr/bin/env bash
# byre up, run, submit, xargs and down with real daemons, as a user types them: one node, this machine.
# time-limit: 120
# shellcheck disable=SC2016,SC2317 # what a job's shell expands; functions for until_true
. "$(dirname "$0")/../lib.sh"

[ -x "$BYRE_BIN/byred" ] || skip "there is no byred (it needs SQLite)"
export BYRE_STATE=$WORK/state
unset BYRE_POOL
byre=$BYRE_BIN/byre
trap 'timeout 30 "$byre" down --kill >/dev/null 2>&1; rm -rf "$WORK"' EXIT

up() {
    run_byre up --slots 2 --no-bind || fail "byre up: exit status $?"
}

# until_true SECONDS COMMAND...
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        read -r -t 0.05 -u 9
    done 9<> <(:)
    return 0
}

# The daemon of this test.
daemon() {
    local file
    grep -lsz "^BYRE_STATE=$BYRE_STATE\$" /proc/[0-9]*/environ 2>/dev/null | while read -r file; do
        [ "$(cat "${file%/environ}/comm" 2>/dev/null)" != byred ] || basename "${file%/environ}"
    done
}

gone() {
    ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# ---- up ----------------------------------------------------------------------------------------------------

up >"$WORK/out"
grep -q '^pool: 1 node up in ' "$WORK/out" || fail "byre up said: $(cat "$WORK/out")"
run_byre up | grep -q '^pool: 1 node up already' || fail "byre up twice"
expect "nodes" up "$(run_byre nodes --json | sed -n 's/.*"state": "\([a-z]*\)".*/\1/p')"

# ---- as if it ran here ----------------------------------------------------------------------------------------

cd "$WORK" || exit 1
expect "directory" "$(pwd -P)" "$(run_byre run pwd -P)"
expect "environment" "a  b" "$(COLOUR='a  b' run_byre run sh -c 'echo "$COLOUR"')"
expect "umask" 0037 "$(umask 0037; run_byre run sh -c umask)"
expect "limits" 77 "$(ulimit -S -n 77; run_byre run sh -c 'ulimit -S -n')"
expect "arguments" "<a b><><*><\$x>" "$(run_byre run printf '<%s>' 'a b' '' '*' '$x')"
run_byre run sh -c "echo out; echo err >&2" >out 2>err
expect "standard output" out "$(cat out)"
[ -s err ] || fail "no standard error"
for status in 0 1 42 255; do
    run_byre run sh -c "exit $status"
    expect "exit status" $status $?
done
for number in 1 2 3 9 15; do
    "$byre" run sh -c "kill -$number \$\$" 2>/dev/null
    expect "killed by $number" $((128 + number)) $?
done
run_byre run nosuchprogram 2>err
expect "no program" 127 $?
grep -q "^byre run: $(hostname | cut -d. -f1): nosuchprogram: command not found" err || fail "no program: $(cat err)"
run_byre run /etc/passwd 2>err
expect "no right" 126 $?
grep -q "/etc/passwd: Permission denied" err || fail "no right: $(cat err)"

head -c 52428800 /dev/urandom >random
run_byre run cat <random >copy || fail "cat"
cmp random copy || fail "50 MiB came back changed"
expect "a reader that goes" 1000000 "$(run_byre run yes | head -c 1000000 | wc -c)"
"$byre" run yes 2>/dev/null | head -n 1 >/dev/null
expect "and what becomes of its writer" 141 "${PIPESTATUS[0]}"
expect "a lot to stderr" 3000000 "$(run_byre run sh -c 'head -c 3000000 /dev/zero >&2' 2>&1 >/dev/null | wc -c)"
expect "copies" "0 1 2" "$(run_byre run -n 3 sh -c 'echo $BYRE_INDEX' | sort | paste -sd ' ')"
run_byre run -n 3 sh -c 'exit $BYRE_INDEX'
expect "the worst of them" 2 $?

if command -v script >/dev/null; then
    script -qec "stty rows 31 cols 77; '$byre' run sh -c 'test -t 0 && test -t 1 && stty size; exit 5'" /dev/null \
        >tty.out </dev/null
    expect "exit status by a terminal" 5 $?
    grep -q '31 77' tty.out || fail "a terminal: $(cat tty.out)"
fi

# ---- signals, and the end of the client ----------------------------------------------------------------------------

mkfifo in
"$byre" run sh -c 'trap "echo got; exit 7" USR1; echo ready; while :; do sleep 0.05; done' >out1 <in &
client=$!
exec 3>in
until_true 10 grep -q ready out1 || fail "the job does not begin"
kill -USR1 $client
wait $client
expect "USR1 is handled by the job" 7 $?
grep -q got out1 || fail "USR1 did not come to the job"
exec 3>&-

"$byre" run sh -c 'sleep 1000 & echo $$ $!; wait' >pids &
client=$!
until_true 10 grep -q ' ' pids || fail "the job does not begin"
read -r shell child <pids
kill -KILL $client
wait $client 2>/dev/null
for pid in $shell $child; do
    until_true 10 gone "$pid" || fail "process $pid of the job outlives its client"
done

"$byre" run sh -c 'sleep 1000 & echo $$ $!; wait' >pids2 &
client=$!
until_true 10 grep -q ' ' pids2 || fail "the job does not begin"
read -r shell child <pids2
kill -TERM $client
wait $client 2>/dev/null
expect "TERM" 143 $?
until_true 10 gone "$child" || fail "TERM left a process of the job"

if [ "$(id -u)" = 0 ] && su nobody -s /bin/sh -c true 2>/dev/null; then
    chmod 711 "$WORK"
    [ "${TMPDIR:-/tmp}" = /tmp ] || chmod 711 "$TMPDIR" # make check made it for this test
    cp "$byre" "$WORK/byre" # the tree may be closed to others
    su nobody -s /bin/sh -c "BYRE_STATE=$BYRE_STATE $WORK/byre run true" 2>err
    expect "another user" 125 $?
    grep -q "belongs to another user" err || fail "another user: $(cat err)"
fi

# ---- jobs for later -----------------------------------------------------------------------------------------------

range=$(run_byre submit --array 0-19 sh -c 'echo n {} $BYRE_INDEX; exit {}')
run_byre wait "$range"
expect "the worst of an array" 19 $?
expect "its output" "n 7 7" "$(run_byre log "$(run_byre ps -a --json | sed -n 's/.*"id": "\([^"]*\)".*exit 7".*/\1/p')")"
id=$(run_byre submit sleep 1000)
run_byre kill "$id" || fail "kill"
run_byre wait "$id"
expect "killed" 143 $?
id=$(run_byre submit sh -c 'echo one; sleep 0.3; echo two')
expect "log -f" "one two" "$(run_byre log -f "$id" | paste -sd ' ')"
expect "a job that is an mpirun of its own" 2 "$(run_byre run "$MPIRUN" "${mpi_options[@]}" -n 2 echo x | grep -c x)"

# ---- xargs ---------------------------------------------------------------------------------------------------------

expect "xargs" "$(seq 200)" "$(seq 200 | run_byre xargs -k echo)"
expect "xargs: none is lost" 1000 "$(seq 1000 | run_byre xargs echo | sort -u | wc -l)"
expect "xargs: large outputs, each in one piece" "$(for i in 1 2 3 4; do printf '%s 700000\n' $i; done)" \
    "$(seq 4 | run_byre xargs sh -c 'yes {} | head -n 700000' | uniq -c | awk '{print $2, $1}' | sort)"
seq 10 | run_byre xargs sh -c 'exit $(({} % 2))'
expect "xargs: failures" 5 $?
expect "xargs: halt" 1 "$(seq 1000 | run_byre xargs -P 1 --halt soon --json false | wc -l)"

# ---- down ------------------------------------------------------------------------------------------------------------

id=$(run_byre submit sh -c 'until [ -e go ]; do sleep 0.05; done; echo went')
run_byre down || fail "byre down: exit status $?"
run_byre ps 2>/dev/null && fail "ps without daemons"
: >go
up >/dev/null
run_byre wait "$id" || fail "a job that went on without daemons: exit status $?"
expect "what it wrote" went "$(run_byre log "$id")"

# The daemon dies: jobs go on, and up takes them back.
"$byre" run sh -c 'echo begun; until [ -e go2 ]; do sleep 0.05; done; exit 6' >out2 2>err2 &
client=$!
until_true 10 grep -q begun out2 || fail "the job does not begin"
kill -KILL "$(daemon)"
wait $client
expect "the daemon is killed" 125 $?
id=$(sed -n "s/.*\`byre wait \([^']*\)'.*/\1/p" err2)
[ -n "$id" ] || fail "the daemon is killed: $(cat err2)"
: >go2
up >/dev/null
run_byre wait "$id"
expect "its job's exit status" 6 $?
run_byre down --kill || fail "byre down --kill"
exit 0
