#!/usr/bin/env bash
# Jobs are submitted on all nodes of a pool while daemons are killed, nodes crash, links are cut, mpirun dies and
# clients go away, at random; each time `byre up' repairs. At the end every job that was accepted has ended, none
# ran twice that must not, and what is called lost was on a node that crashed or whose keeper was killed.
#
# BYRE_CHAOS_ROUNDS=300 and BYRE_CHAOS_SEED=7 for a longer and another evening.
# time-limit: 300
. "$(dirname "$0")/lab.bash"

rounds=${BYRE_CHAOS_ROUNDS:-10}
RANDOM=${BYRE_CHAOS_SEED:-$$}
echo "seed: ${BYRE_CHAOS_SEED:-$$}, $rounds rounds"
byre=$BYRE_BIN/byre
nodes=(n1 n2 n3 n4)
export BYRE_STATE=$OUT/state
mkdir -m 700 "$BYRE_STATE"
mkdir "$OUT/runs"

cat >"$OUT/job" <<'END'
#!/bin/sh
# job SECONDS: says that it begins and that it ends.
echo start >>"$RUNS/$BYRE_JOB"
sleep "$1"
echo end >>"$RUNS/$BYRE_JOB"
END
chmod +x "$OUT/job"
export RUNS=$OUT/runs

lab up 4 --share "$OUT" >/dev/null || fail "up"

# up: repairs; more than once only if something else breaks meanwhile.
up() {

    for _ in 1 2 3; do
        on n1 timeout 60 "$byre" up >"$WORK/up" 2>&1 && return 0
    done
    cat "$WORK/up"
    fail "byre up"
}

# submitter NODE: one job after the other, until the file `stop' is there. What was accepted is noted.
submitter() {
    local id options n=0
    while [ ! -e "$OUT/stop" ]; do
        options=()
        n=$((n + 1))
        [ $((n % 4)) != 0 ] || options=(--restartable)
        if id=$(on "$1" timeout 20 "$byre" submit ${options[@]+"${options[@]}"} "$OUT/job" "0.$((RANDOM % 3))$((RANDOM % 10))" 2>/dev/null); then
            echo "$id ${options[*]}" >>"$OUT/accepted.$1"
        fi
        read -r -t 0.2 <> <(:) # no more of them than four slots can run
    done
}

pids_on() { # NODE PATTERN
    on "$1" pgrep -f "$2"
}

break_something() {
    local node=${nodes[RANDOM % 4]} what=$((RANDOM % 12))
    case $what in
    0 | 1 | 2 | 3) echo "kill the daemon of $node"; on "$node" pkill -KILL -x byred ;;
    4) echo "kill mpirun"; on n1 pkill -KILL -f 'mpirun.*byred' ;;
    5) echo "kill the keeper of $node"; on "$node" pkill -KILL -f byred-keeper && echo "$node" >>"$OUT/broken" ;;
    6) echo "kill clients on $node"; on "$node" pkill -KILL -x byre ;;
    7 | 8) echo "kill all daemons"; for node in "${nodes[@]}"; do on "$node" pkill -KILL -x byred; done ;;
    9 | 10)
        echo "crash $node"
        echo "$node" >>"$OUT/broken"
        lab crash "$node" && lab boot "$node" ;;
    11)
        echo "cut $node off"
        lab cut "$node"
        on n1 timeout 20 "$byre" run true >/dev/null 2>&1
        lab heal "$node" ;;
    esac
    return 0
}

up
for node in "${nodes[@]}"; do
    submitter "$node" &
done
for ((round = 0; round < rounds; round++)); do
    read -r -t "0.$((RANDOM % 9))" <> <(:)
    break_something
    up
done
: >"$OUT/stop"
wait
up

# ---- the account ---------------------------------------------------------------------------------

cat "$OUT"/accepted.* >"$WORK/accepted"
mapfile -t ids < <(cut -d' ' -f1 "$WORK/accepted")
echo "${#ids[@]} jobs accepted"
[ ${#ids[@]} -ge 10 ] || fail "too few jobs to say anything"
on n1 timeout 100 "$byre" wait "${ids[@]}" >"$WORK/wait" 2>&1
status=$?
[ $status != 124 ] || fail "not all jobs end: $(on n1 "$byre" ps)"
on n1 "$byre" ps -a --limit 1000000 --json "${ids[@]}" >"$WORK/ps" || fail "ps"
sort -u "$OUT/broken" >"$WORK/broken" 2>/dev/null

bad=0 lost=0 twice=0
while read -r id restartable; do
    row=$(grep -F "\"id\": \"$id\"," "$WORK/ps") || {
        echo "$id: accepted, and not in ps"
        bad=1
        continue
    }
    starts=$(grep -c start "$RUNS/$id" 2>/dev/null)
    ends=$(grep -c end "$RUNS/$id" 2>/dev/null)
    : "${starts:=0}" "${ends:=0}"
    case $row in
    *'"state": "ended"'*) ;;
    *)
        echo "$id: has not ended: $row"
        bad=1 ;;
    esac
    node=$(sed -n 's/.*"node": "\([^"]*\)".*/\1/p' <<<"$row")
    case $row in
    *'"end": "lost"'*)
        lost=$((lost + 1))
        grep -qx "$node" "$WORK/broken" || {
            echo "$id: lost on $node, to which nothing happened: $row"
            bad=1
        } ;;
    *)
        [ "$ends" -ge 1 ] || {
            echo "$id: ended, and did not run to its end ($starts, $ends): $row"
            bad=1
        } ;;
    esac
    if [ -z "$restartable" ] && [ "$starts" -gt 1 ]; then
        echo "$id: ran $starts times: $row"
        bad=1
    fi
    [ "$starts" -le 1 ] || twice=$((twice + 1))
done <"$WORK/accepted"
echo "$lost lost, $twice ran more than once (restartable)"
[ $bad = 0 ] || fail "jobs were lost, or ran twice"

on n1 "$byre" down --kill >/dev/null || fail "down"
# Open MPI's own daemons on the other nodes hear of it from mpirun, which has ended by now.
for node in "${nodes[@]}"; do
    for ((i = 0; i < 100; i++)); do
        left=$(pids_on "$node" 'byred|mpirun|orted')
        [ -n "$left" ] || break
        read -r -t 0.1 <> <(:)
    done
    [ -z "$left" ] || fail "processes are left on $node: $(on "$node" ps ax)"
done
