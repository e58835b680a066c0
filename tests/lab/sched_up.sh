#!/usr/bin/env bash
# byre up in a lab of three nodes: jobs on all, a node that crashes and comes back, and an end that leaves nothing.
# time-limit: 150
# shellcheck disable=SC2094 # byre up, not the file up
. "$(dirname "$0")/lab.bash"

[ -x "$BYRE_BIN/byred" ] || skip "there is no byred (it needs SQLite)"
lab check >/dev/null || skip "there can be no lab here"
unset BYRE_STATE BYRE_POOL
byre=$BYRE_BIN/byre
# In /var/tmp, which all nodes share with the machine: a pool of this test's own.
export BYRE_POOL=t$$
trap 'rm -rf "/var/tmp/byre-$(id -u)/$BYRE_POOL"; lab_gone' EXIT

lab up 3 --share "$OUT" --share "$BYRE_BUILDDIR" >/dev/null || fail "no lab"

# none_on NODE: neither daemons nor mpirun are left there, within 15 seconds.
none_on() {
    local end=$((SECONDS + 15))
    while on "$1" ps ax | grep -E "byred|mpirun|orted" | grep -qv keeper; do
        [ $SECONDS -lt $end ] || fail "$1: left behind: $(on "$1" ps ax | grep -E 'byred|mpirun|orted')"
        read -r -t 0.3 -u 9
    done 9<> <(:)
}

# await_state NODE STATE: as n1 sees it, within 15 seconds.
await_state() {
    local end=$((SECONDS + 15))
    until on n1 "$byre" nodes | grep -q "^$1  *$2 "; do
        [ $SECONDS -lt $end ] || fail "$1 is not $2: $(on n1 "$byre" nodes)"
        read -r -t 0.3 -u 9
    done 9<> <(:)
    return 0
}

cd "$OUT" || exit 1
lab run "$byre" up >up || fail "byre up"
grep -q ': 3 nodes up in ' up || fail "byre up said: $(cat up)"
for node in n1 n2 n3; do
    expect "from n1 to $node" "$node" "$(on n1 "$byre" run --node "$node" hostname)"
    expect "from $node to n1" n1 "$(on "$node" "$byre" run --node n1 hostname)"
done
expect "signals and statuses from afar" 7 "$(on n1 "$byre" run --node n2 sh -c 'exit 7'; echo $?)"
on n1 "$byre" run --node n3 nosuchprogram 2>err
expect "no such program there" 127 $?
grep -q 'n3: nosuchprogram: command not found' err || fail "no such program: $(cat err)"
expect "bytes" "$(head -c 3000000 "$byre" | cksum)" "$(head -c 3000000 "$byre" | on n1 "$byre" run --node n2 cat | cksum)"
expect "xargs" "$(seq 60)" "$(seq 60 | on n2 "$byre" xargs -k echo)"

# A node crashes: the others go on, and byre up takes it in again when it is back. No job ends by that.
id=$(on n1 "$byre" submit --node n2 sh -c 'until [ -e go ]; do sleep 0.1; done; exit 4')
lab crash n3
await_state n3 gone
expect "the others go on" n1 "$(on n2 "$byre" run --node n1 hostname)"
lab boot n3 >/dev/null || fail "boot"
lab run "$byre" up >up 2>&1 || fail "byre up with a node that has come back: $(cat up)"
await_state n3 up
: >go
on n1 "$byre" wait --timeout 20 "$id"
expect "a job over all that" 4 $?

# The end, asked for elsewhere, while mpirun waits for a node that is gone.
lab crash n3
await_state n3 gone
on n2 "$byre" down || fail "byre down"
none_on n1
none_on n2
exit 0
