#!/usr/bin/env bash
# time-limit: 120
# All policies, and what a job may ask for, with real daemons: each policy starts, is named, and brings jobs to the
# other node (or does not: local); --cpus, --mem and --affinity-key are respected, and jobs are bound as `byre ps' says.
# shellcheck disable=SC2015 # either of the two
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../support/pool.sh"
[ -x "$BYRE_BIN/byred" ] || skip "byred was not built"

no_pool() {
    [ -z "$pool_mpirun" ] || pool_crash
    pkill -KILL -f "byred-keeper $BYRE_STATE/"
    rm -rf "$WORK"
}
trap no_pool EXIT
trap 'exit 143' TERM INT HUP

none_open() { ! byre ps --json 2>/dev/null | grep -q '"id"'; }

# A job here goes on only when one has run there.
cat >"$WORK/job" <<'END'
#!/bin/sh
echo "$BYRE_JOB_NODE" >>"$1"
[ "$BYRE_JOB_NODE" = t2 ] || [ "$2" = alone ] && exit 0
until grep -q t2 "$1"; do sleep 0.05; done
END
chmod +x "$WORK/job"

# ---- policies ------------------------------------------------------------------------------------

for policy in random threshold shortest receiver symmetric,T=1,L=2 local; do
    pool_up 2 --slots 1 --no-bind --policy "$policy"
    expect "the name of the policy" 2 "$(byre nodes | grep -cw "${policy%%,*}")"
    ran=$WORK/ran.$policy
    alone=
    [ $policy != local ] || alone=alone
    on t1 byre submit --array 1-6 "$WORK/job" "$ran" $alone >/dev/null || fail "$policy: submit"
    eventually "$policy: all end" none_open
    expect "$policy: each ran once" 6 "$(wc -l <"$ran")"
    if [ $policy = local ]; then
        expect "local: all here" 6 "$(grep -c t1 "$ran")"
        expect "local: no messages" 0 "$(on t1 byre load --json | sed -n 's/.*"probes_out": \([0-9]*\).*/\1/p' | sort -n | tail -1)"
    else
        grep -q t2 "$ran" || fail "$policy: none ran on the other node"
    fi
    pool_end
done
byre up --policy nonsense >"$WORK/said" 2>&1 && fail "an unknown policy is accepted"
for word in nonsense threshold symmetric; do
    grep -q $word "$WORK/said" || fail "an unknown policy: not said: $word: $(cat "$WORK/said")"
done

# ---- processors, as the keeper binds to them -----------------------------------------------------

export HWLOC_SYNTHETIC="package:2 core:1 pu:1" HWLOC_THISSYSTEM=1
allowed=$(sed -n 's/^Cpus_allowed_list:\t*//p' /proc/self/status)
[ "$(nproc)" -ge 2 ] && case $allowed in 0-*) true ;; *) false ;; esac || {
    echo "left out: binding (it takes processors 0 and 1)"
    exit 0
}
cat >"$WORK/where" <<'END'
#!/bin/bash
# where FILE [GO]: its processors, and waits for GO.
while read -r key value; do [ "$key" != Cpus_allowed_list: ] || echo "$value" >"$1.new"; done </proc/self/status
mv "$1.new" "$1"
until [ -z "$2" ] || [ -e "$2" ]; do sleep 0.05; done
END
chmod +x "$WORK/where"
where() { rm -f "$WORK/at"; byre run "$@" "$WORK/where" "$WORK/at" || fail "run $*"; cat "$WORK/at"; }
hold() { # NAME OPTION...
    local name=$1
    shift
    byre submit --name "$name" "$@" "$WORK/where" "$WORK/at.$name" "$WORK/go.$name" >"$WORK/id.$name" || fail "submit $name"
    eventually "$name runs" test -e "$WORK/at.$name"
}
let_go() { touch "$WORK/go.$1"; byre wait --timeout 20 "$(cat "$WORK/id.$1")" || fail "$1"; rm -f "$WORK/at.$1" "$WORK/go.$1"; }

pool_up 1 --place last --mem 100
hold a --affinity-key a
hold b --affinity-key b
a=$(cat "$WORK/at.a") b=$(cat "$WORK/at.b")
expect "one processor each" "0 1" "$(printf '%s\n' "$a" "$b" | sort | paste -sd ' ')"
byre ps --json | grep '"name": "a"' | grep -q "\"processors\": \"$a\"" ||
    fail "byre ps does not say that a is on $a: $(byre ps --json)"
let_go a
let_go b
for _ in 1 2; do # whoever comes first
    expect "the same processor again" "$b" "$(where --affinity-key b)"
    expect "the same processor again" "$a" "$(where --affinity-key a)"
done
expect "two processors" "0-1" "$(where --cpus 2)"
hold a --affinity-key a
byre submit --name two --cpus 2 true >"$WORK/id.two" || fail "submit"
eventually "two processors are not free" eval 'byre ps | grep -q "queued.*two"'
expect "the other one is" "$b" "$(where)"
let_go a
byre wait --timeout 20 "$(cat "$WORK/id.two")" || fail "it runs when they are"
byre submit --cpus 3 true >"$WORK/said" 2>&1 && fail "3 of 2 processors"
grep -q 3 "$WORK/said" || fail "3 of 2 processors: $(cat "$WORK/said")"

# ---- memory --------------------------------------------------------------------------------------

hold big --mem 60M
byre submit --name big2 --mem 60M true >"$WORK/id.big2" || fail "submit"
small=$(byre submit --mem 30M true) || fail "submit"
byre wait --timeout 20 "$small" || fail "a small one passes it"
byre ps | grep -q 'queued.*big2' || fail "120 of 100 MiB are given away: $(byre ps)"
let_go big
byre wait --timeout 20 "$(cat "$WORK/id.big2")" || fail "it runs when there is room"
byre submit --mem 200M true >"$WORK/said" 2>&1 && fail "200 of 100 MiB"
[ -s "$WORK/said" ] || fail "200 of 100 MiB: nothing is said"
pool_end

# ---- places --------------------------------------------------------------------------------------

for place in fcfs fixed last minimum-intervening mi-queue; do
    pool_up 1 --place $place
    byre nodes | grep -q " $place\$" || fail "place $place is not named: $(byre nodes)"
    hold a
    hold b
    expect "$place: one processor each" "0 1" "$(cat "$WORK/at.a" "$WORK/at.b" | sort | paste -sd ' ')"
    let_go a
    let_go b
    pool_end
done
