#!/usr/bin/env bash
# A ledger that is damaged while the pool is down: `byre up' says which file it is and what to do, the other nodes come
# up, nothing is overwritten, and when the file is put back all its jobs go on.
# time-limit: 90
# shellcheck disable=SC2016 # what a job's shell expands
. "$(dirname "$0")/lab.bash"
. "$(dirname "$0")/sched.bash"

nodes=(n1 n2 n3)
lab up 3 --share "$OUT" >/dev/null || fail "up"
options=(--slots 2 --no-bind)
byre_up n1 "${options[@]}"

# Jobs of n1 and n2 that wait, and one that runs.
submit n2 n2 runs 7
for node in n1 n2; do
    for i in 1 2 3; do
        on_byre $node submit --node n3 --cpus 2 "$OUT/job" $node.$i >>"$WORK/ids.$node" || fail "submit"
    done
done

# content FILE: of a ledger and its log. SQLite's index of the log (-shm) has nothing of its own.
content() {
    cat "$1" "$1-wal" 2>/dev/null | sha256sum
}

# damaged NODE HOW: `byre up' in its words, with the others up.
damaged() {
    local node=$1 how=$2 file=$BYRE_STATE/pool/$1/ledger.db status before
    before=$(content "$file")
    on_byre n1 up "${options[@]}" >"$WORK/up" 2>&1
    status=$?
    [ $status = 1 ] || fail "$how: byre up ends with $status: $(cat "$WORK/up")"
    grep -qF "$file" "$WORK/up" || fail "$how: byre up does not name $file: $(cat "$WORK/up")"
    grep -q "damaged" "$WORK/up" || fail "$how: byre up does not say that it is damaged: $(cat "$WORK/up")"
    grep -q "copy back" "$WORK/up" || fail "$how: byre up does not say what to do: $(cat "$WORK/up")"
    [ "$before" = "$(content "$file")" ] || fail "$how: the file was changed: $(ls -l "$file"*)"
}

# ---- of a node that is not mpirun's --------------------------------------------------------------

byre_down n1
ledger=$BYRE_STATE/pool/n2/ledger.db
mkdir "$WORK/copy"
cp -p "$ledger"* "$WORK/copy" || fail "copy"
size=$(stat -c %s "$ledger")

put_back() {
    rm -f "$ledger"*
    cp -p "$WORK/copy"/* "${ledger%/*}"
}

truncate -s $((size / 2)) "$ledger"
damaged n2 "cut off"
expect "the others are up" "n1 n3" "$(on_byre n1 nodes | sed -n 's/^\(n[0-9]\)  *up .*/\1/p' | sort | paste -sd ' ')"
expect "and run jobs" n1 "$(on_byre n3 run --node n1 sh -c 'echo $BYRE_JOB_NODE' 2>&1)"
byre_down n1
put_back
for ((at = 100; at < size; at += 512)); do
    printf '\xff\x00\xa5\x5a' | dd of="$ledger" bs=1 seek=$at conv=notrunc status=none
done
damaged n2 "bytes changed"
byre_down n1
: >"$ledger"
damaged n2 "emptied"
byre_down n1
put_back

# ---- of the node of `byre up' itself -------------------------------------------------------------

ledger=$BYRE_STATE/pool/n1/ledger.db
rm -rf "$WORK/copy"
mkdir "$WORK/copy"
cp -p "$ledger"* "$WORK/copy"
truncate -s 5000 "$ledger"
damaged n1 "here"
put_back

# ---- and all goes on -----------------------------------------------------------------------------

byre_up n1 "${options[@]}"
eventually "the job that runs is taken back" is n2 "${id[runs]}" running
let_end runs
ended runs n2 7
let_end n1.1 n1.2 n1.3 n2.1 n2.2 n2.3 # whoever comes first: the homes share n3
for node in n1 n2; do
    mapfile -t ids <"$WORK/ids.$node"
    on_byre $node wait --timeout 30 "${ids[@]}" || fail "the jobs of $node: $(on_byre $node ps -a)"
    for i in 1 2 3; do expect "$node.$i runs once" n3 "$(runs $node.$i)"; done
done
byre_down n1
