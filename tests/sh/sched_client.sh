#!/usr/bin/env bash
# The commands of a pool's users against a daemon that runs nothing (sched_fake.c): options, messages, JSON, the protocol,
# and what happens when the daemon fails in all the ways that it can.
. "$(dirname "$0")/../lib.sh"

export BYRE_STATE=$WORK/state
unset BYRE_POOL
fake=$BYRE_OBJ/tests/sh/sched_fake
pid=

end_fake() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; }
    pid=
}
trap 'end_fake; rm -rf "$WORK"' EXIT

# start_fake MODE
start_fake() {
    local line
    end_fake
    rm -f "$WORK/ready.$1"
    mkfifo "$WORK/ready.$1"
    "$fake" "$1" >"$WORK/ready.$1" 2>"$WORK/fake.err" &
    pid=$!
    read -r line <"$WORK/ready.$1"
    [ "$line" = ready ] || fail "the fake daemon does not listen: $(cat "$WORK/fake.err")"
}

fake_is_content() {
    kill -0 "$pid" 2>/dev/null || fail "the fake daemon: $(cat "$WORK/fake.err")"
}

# says NAME STATUS PART ARG...: byre ARG... ends with STATUS and says PART on stderr.
says() {
    local name=$1 status=$2 part=$3 said got
    shift 3
    said=$(run_byre "$@" 2>&1 >/dev/null </dev/null)
    got=$?
    [ $got = "$status" ] || fail "$name: exit status $got, not $status: $said"
    case $said in
    *"$part"*) ;;
    *) fail "$name: not said: $part, but: $said" ;;
    esac
}

json_ok() {
    command -v python3 >/dev/null || return 0
    python3 -c "import json, sys
text = sys.stdin.read()
rows = json.loads(text) if text.startswith('[') else [json.loads(line) for line in text.splitlines()]
assert len(rows) == $2, len(rows)" || fail "$1: not $2 objects of JSON"
}

# ---- no pool ------------------------------------------------------------------------------------------

no_pool="no pool is up on this node. Start one with \`byre up'."
for cmd in "nodes" "load" "ps" "submit true" "kill 1" "log 1" "wait 1"; do
    # shellcheck disable=SC2086 # words
    says "no pool: $cmd" 1 "byre ${cmd%% *}: $no_pool" $cmd
done
says "no pool: run" 125 "byre run: $no_pool" run true
says "no pool: xargs" 125 "byre xargs: $no_pool" xargs true
says "no pool of that name" 125 "no pool tests is up on this node. Start one with \`byre up --name tests'." run --pool tests true
says "no pool to end" 1 "no pool \`pool' is up" down
says "a bad name" 1 "a pool's name has" nodes --pool ../x
says "a bad name for up" 2 "a pool's name has" up --name ../x
BYRE_POOL=a/b says "a bad name in the environment" 125 "see --pool and BYRE_POOL" run true
says "not among the hosts" 1 "is not one of the nodes" up --hosts 203.0.113.7
says "no such hostfile" 1 "No such file" up --hostfile "$WORK/none"
says "both" 2 "exclude each other" up --hosts localhost --hostfile /dev/null

# ---- command lines --------------------------------------------------------------------------------------

says "run: nothing to run" 2 "wants a command" run
says "run: unknown option" 2 "unknown option --frob" run --frob true
says "run: unknown letter" 2 "unknown option -x" run -x true
says "run: no value" 2 "--node wants a value" run --node
says "run: cpus" 2 "--cpus wants a number from 1" run --cpus 0 true
says "run: mem" 2 "--mem wants a size" run --mem lots true
says "run: copies" 2 "-n wants a number" run -n 0 true
says "run: a terminal for many" 2 "-t is for one job" run -t -n 2 true
says "submit: array" 2 "a list of numbers" submit --array 1-x true
says "submit: array backwards" 2 "its end comes before" submit --array 9-1 true
says "submit: array without end" 2 "at most 1000000" submit --array 0-1000000 true
says "wait: nothing" 2 "wants the ids" wait
says "wait: all and some" 2 "exclude each other" wait --all 1
says "wait: time" 2 "--timeout wants seconds" wait --timeout soon 1
says "kill: signal" 2 "is no signal" kill -FROB 1
says "kill: nothing" 2 "wants the ids" kill -9
says "xargs: halt" 2 "--halt wants" xargs --halt later true
says "xargs: -n alone" 2 "-n is for a command" xargs -n 2
says "xargs: -P" 2 "-P wants a number" xargs -P 0
says "ps: state" 2 "--state wants" ps --state dead
says "nodes: argument" 2 "takes no argument" nodes n1
for cmd in up down nodes run submit ps wait kill log load xargs; do
    run_byre help "$cmd" | grep -q '^examples:' || fail "byre help $cmd shows no example"
    expect "help of $cmd" "$(run_byre help "$cmd")" "$(run_byre "$cmd" --help)"
done

# ---- jobs -----------------------------------------------------------------------------------------------

start_fake ok
says "ids" 2 "is no job's id" ps n1.x
says "ranges" 2 "is no job's id" kill n1.9..3
expect "output" "hello world" "$(run_byre run say hello world)"
expect "standard input" "a b" "$(echo a b | run_byre run cat)"
expect "no standard input" "" "$(run_byre run cat <&-)"
run_byre run exit 7
expect "exit status" 7 $?
for part in "noexec 127 n3: noexec: command not found" "noright 126 n3: noright: Permission denied" \
    "nocwd 126 n3: cannot change to directory $PWD: No such file or directory" \
    "nostart 126 n3: nostart cannot be started" "lost 125 n3 was lost" "impossible 125 no node of the pool can ever run it"; do
    read -r what status text <<<"$part"
    says "run $what" "$status" "byre run: " run "$what"
    says "run $what" "$status" "$text" run "$what"
done
for number in 1 2 9 10 13 15; do
    "$BYRE_BIN/byre" run signal $number 2>/dev/null
    expect "dies of signal $number" $((128 + number)) $?
done
head -c 20000000 /dev/urandom >"$WORK/random"
run_byre run cat <"$WORK/random" >"$WORK/copy"
cmp "$WORK/copy" "$WORK/random" || fail "cat changed its input"
fake_is_content
expect "a reader that goes" 1000000 "$(run_byre run flood 1000000000 | head -c 1000000 | wc -c)"
expect "a slow reader" 3000000 "$(run_byre run flood 3000000 | (
    read -r -t 0.3 -u 3
    wc -c
) 3<> <(:))"
expect "copies" "0@n3: hi
1@n3: hi" "$(run_byre run -n 2 --label say hi)"
expect "their numbers" "BYRE_INDEX=0
BYRE_INDEX=1
BYRE_INDEX=2" "$(run_byre run -n 3 index)"
mkfifo "$WORK/in"
(
    trap '' HUP
    exec "$BYRE_BIN/byre" run cat <"$WORK/in" >/dev/null
) &
client=$!
exec 3>"$WORK/in"
kill -HUP $client
echo over >&3
exec 3>&-
wait $client
expect "an ignored signal is not sent on" 0 $?
for signal in USR1 TERM; do
    "$BYRE_BIN/byre" run signals &
    client=$!
    # Once it has its signals blocked, it takes them.
    until [ "$(cat /proc/$client/comm)" = byre ] &&
        ! grep -q '^SigBlk:.0*$' /proc/$client/status; do :; done
    kill -$signal $client
    wait $client 2>/dev/null
    got=$?
    expect "a signal is sent on: $signal" $((128 + $(kill -l $signal))) $got
done
fake_is_content

# ---- submit, wait, log, kill ------------------------------------------------------------------------------

start_fake ok
expect "ids of an array" "n1.1..100" "$(run_byre submit --array 0-99 say number {})"
expect "an id" "n1.101" "$(run_byre submit --name hay -- say hay)"
expect "a list" "n1.102..105" "$(run_byre submit --array 1,5,7-9:2 index)"
expect "the index" "number 41" "$(run_byre log 42)"
expect "its variable" "BYRE_INDEX=9" "$(run_byre log n1.105)"
run_byre submit --array 0-1 --json say x | json_ok "submit --json" 1
expect "submitted" n1.108 "$(run_byre submit exit 9)"
run_byre wait 108
expect "wait has its exit status" 9 $?
run_byre wait 1..107
expect "wait for many" 0 $?
run_byre wait 106..108 --json | json_ok "wait --json" 3
says "wait: no such job" 1 "there is no such job" wait 999
expect "submitted" n1.109 "$(run_byre submit cat)"
says "wait: in time" 124 "0 of 1 jobs have ended" wait --timeout 0.1 109
run_byre kill -0 109 || fail "kill -0 does not see it"
run_byre kill -s INT 109 || fail "kill"
run_byre wait 109
expect "killed" 130 $?
says "kill: ended" 1 "has ended" kill 109
says "log: none" 1 "no such job" log 999
run_byre ps -a --json | json_ok "ps --json" 109
run_byre ps --json | json_ok "ps --json without jobs" 0
run_byre ps 3 101 --json | json_ok "ps of some" 2
run_byre ps --state ended --json | json_ok "ps of a state" 109
run_byre submit say $'a\tb \xff"\\\x01' >/dev/null
run_byre ps 110 --json | json_ok "odd bytes" 1
expect "a line a job" 2 "$(run_byre ps 110 | wc -l)"
run_byre nodes --json | json_ok "nodes --json" 3
run_byre load --json | json_ok "load --json" 3
run_byre nodes | grep -q '^n2  *owned  *2 ' || fail "nodes: $(run_byre nodes)"
run_byre load >/dev/null || fail "load"
fake_is_content

# ---- xargs -------------------------------------------------------------------------------------------------

expect "xargs: lines" "1 2 3 4 5" "$(seq 5 | run_byre xargs -k say {} | paste -sd ' ')"
expect "xargs: inside a word" "<1> <2>" "$(seq 2 | run_byre xargs -k say '<{}>' | paste -sd ' ')"
expect "xargs: many at once" "x 1 2 3,x 4 5" "$(seq 5 | run_byre xargs -k -n 3 say x | paste -sd ,)"
expect "xargs: -0" "a b,c" "$(printf 'a b\0c' | run_byre xargs -k -0 say | paste -sd ,)"
expect "xargs: commands" "a,b c" "$(printf 'say a\n\nsay b c\n' | run_byre xargs -k | paste -sd ,)"
expect "xargs: a slow pipe" "ab,c" "$(
    (printf 'a'; read -r -t 0.2 -u 3; printf 'b\nc') 3<> <(:) | run_byre xargs -k say | paste -sd ,)"
seq 40 >"$WORK/lines"
expect "xargs: a file" 40 "$(run_byre xargs --input "$WORK/lines" say | wc -l)"
seq 3000 | run_byre xargs -P 500 exit 0 || fail "xargs: many jobs"
seq 5 | run_byre xargs exit 3
expect "xargs: exit status" 5 $?
seq 300 | run_byre xargs exit 3
expect "xargs: at most" 101 $?
expect "xargs: halt soon" 1 "$(seq 300 | run_byre xargs -P 1 --halt soon --json exit 3 | wc -l)"
expect "xargs: halt now" 1 "$(seq 300 | run_byre xargs -P 1 --halt now --json exit 3 | wc -l)"
expect "xargs: retries" '"attempts": 3' "$(echo 1 | run_byre xargs --retries 2 --json exit 3 | grep -o '"attempts": [0-9]*')"
seq 7 | run_byre xargs --json say | json_ok "xargs --json" 7
expect "xargs: a shell" '"command": "sh -c say a | cat"' "$(echo 'say a | cat' | run_byre xargs --json | grep -o '"command": "[^"]*"')"
seq 2 | run_byre xargs --results "$WORK/results" say out >/dev/null
expect "xargs: results" "out 2 0" "$(cat "$WORK/results/2/stdout" "$WORK/results/2/status" | paste -sd ' ')"
says "xargs: nothing there" 125 "No such file" xargs --input "$WORK/none" true
fake_is_content

# ---- a daemon that fails -------------------------------------------------------------------------------------

fails() {
    start_fake "$1"
    says "$1: ${*:4}" "$2" "$3" "${@:4}"
}
fails version 125 "speaks version 99" run true
fails version 1 "speaks version 99" ps
fails garbage 125 "different versions" run true
fails garbage 1 "different versions" nodes
fails refuse 1 "belongs to another user" submit true
fails die-hello 125 "has ended" run true
fails die-submit 125 "has ended this connection" run say x
fails die-submit 1 "\`byre ps' tells" submit say x
fails die-submit 125 "were under way" xargs --input "$WORK/lines" say
fails die-started 125 "\`byre wait n1.1' has the exit status" run say x
fails die-output 125 "goes on without it" run say x
end_fake
says "a dead daemon" 125 "has ended without being told to" run true
exit 0
