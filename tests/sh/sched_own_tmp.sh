#!/usr/bin/env bash
# time-limit: 120
# --own-tmp of byre run, submit and xargs: a job's TMPDIR is an empty directory that it alone has, and when it has ended
# nothing of that is left, however it ended. A pool of this machine alone, as `byre up' makes it.
# shellcheck disable=SC2016 # what a job's shell expands
. "$(dirname "$0")/../lib.sh"
[ -x "$BYRE_BIN/byred" ] || skip "byred was not built"
export BYRE_STATE=$WORK/state BYRE_POOL=owntmp BYRE_NODE_NAME=here TMPDIR=$WORK/mine
mkdir -m 700 "$BYRE_STATE" "$TMPDIR"
dir=$BYRE_STATE/owntmp/here
cd "$WORK" || exit 1
trap 'run_byre down --kill >/dev/null 2>&1; chmod -R u+rwx "$WORK"; rm -rf "$WORK"' EXIT
trap 'exit 143' TERM INT HUP

show_state() {
    tail -n 20 "$dir"/*.log
    ls -lAR "$dir/tmp"
}

up() { run_byre up --slots 4 --no-bind >"$WORK/up" 2>&1 || fail "byre up: $(cat "$WORK/up")"; }
nothing_left() { [ -z "$(ls -A "$dir/tmp" 2>/dev/null)" ]; }
lines() { [ -e "$1" ] && [ "$(wc -l <"$1")" = "$2" ]; }

# look: where its TMPDIR is, its mode, and what is in it; then it leaves something behind.
cat >look <<'END'
#!/bin/sh
echo "$(dirname "$TMPDIR") $(stat -c %a "$TMPDIR") $(ls -A "$TMPDIR" | wc -l)"
mkdir -p "$TMPDIR/a/b" && echo "$BYRE_JOB" >"$TMPDIR/a/b/c" && chmod 000 "$TMPDIR/a/b"
mktemp >/dev/null
END
chmod +x look
up

# ---- each way to start one -----------------------------------------------------------------------------------------

expect "without it, TMPDIR is the caller's" "$TMPDIR" "$(run_byre run sh -c 'echo $TMPDIR')"
[ ! -e "$dir/tmp" ] || fail "there is $dir/tmp, and nobody asked for it"
expect "byre run" "$dir/tmp 700 0" "$(run_byre run --own-tmp ./look)"
eventually "nothing is left of it" nothing_left
expect "each has its own" 4 "$(run_byre run -n 4 --own-tmp sh -c 'echo $TMPDIR' | sort -u | wc -l)"
expect "byre xargs" "$(for i in 1 2 3 4 5 6 7 8; do echo "$dir/tmp 700 0"; done)" "$(seq 8 | run_byre xargs --own-tmp ./look)"
id=$(run_byre submit --own-tmp --array 0-9 ./look) || fail "submit"
run_byre wait "$id" || fail "wait: $?"
expect "byre submit" "$dir/tmp 700 0" "$(run_byre log "${id%%..*}")"
run_byre ps -a --json "${id%%..*}" | grep -q '"own_tmp": true' || fail "ps --json: $(run_byre ps -a --json "${id%%..*}")"
expect "and what ps says of others" 0 "$(run_byre run true; run_byre ps -a --json | grep -c '"restartable": true')"
run_byre ps -a --json | grep -q '"name": "true".*"own_tmp": false' || fail "ps --json of another: $(run_byre ps -a --json)"
expect "the exit status" 7 "$(run_byre run --own-tmp sh -c ': >$TMPDIR/x; exit 7'; echo $?)"
eventually "nothing is left of any" nothing_left
expect "nor has mktemp made one where the caller has its files" "" "$(find "$TMPDIR" -name "tmp.*")"

# ---- ended by somebody -----------------------------------------------------------------------------------------------

id=$(run_byre submit --own-tmp sh -c './look; echo x >>begun; setsid sleep 1000 & sleep 1000') || fail "submit"
eventually "it runs" lines begun 1
[ -d "$dir/tmp/$id.1" ] || fail "$(ls "$dir/tmp")"
run_byre kill -KILL "$id" || fail "kill"
run_byre wait "$id"
expect "killed" 137 $?
eventually "nothing is left of it" nothing_left

# Its client goes.
"$BYRE_BIN/byre" run --own-tmp sh -c './look; echo x >>begun; sleep 1000' >/dev/null &
client=$!
eventually "it runs" lines begun 2
kill -KILL $client
wait $client 2>/dev/null
eventually "nothing is left of it" nothing_left

# Its keeper is killed: the second attempt has another directory, and finds nothing in it.
id=$(run_byre submit --own-tmp --restartable sh -c './look; basename $TMPDIR >>begun; until [ -e go ]; do sleep 0.1; done') ||
    fail "submit"
eventually "it runs" lines begun 3
kill -KILL "$(sed 's/ .*//' "$dir/keeper.lock")"
eventually "it runs again" lines begun 4
expect "attempts" "$id.1 $id.2" "$(tail -n 2 begun | paste -sd ' ')"
eventually "nothing is left of the first" eval '[ "$(ls -A "$dir/tmp")" = "$id.2" ]'
touch go
run_byre wait "$id" || fail "wait: $?"
expect "what the second has found" "$dir/tmp 700 0" "$(run_byre log "$id")"
eventually "nothing is left of either" nothing_left

# ---- no place --------------------------------------------------------------------------------------------------------

rm -rf "$dir/tmp"
: >"$dir/tmp"
run_byre run --own-tmp sh -c 'echo ran' >out 2>err
expect "no directory can be made" 126 $?
expect "what it wrote" "" "$(cat out)"
grep -q "no directory of its own in tmp of the state directory: Not a directory" err || fail "no reason: $(cat err)"
expect "others" ran "$(run_byre run echo ran)"
rm "$dir/tmp"
expect "it can" "$dir/tmp 700 0" "$(run_byre run --own-tmp ./look)"

# ---- byre down -------------------------------------------------------------------------------------------------------

run_byre submit --own-tmp sh -c './look; cd $TMPDIR; seq 3000 | xargs touch; echo x >>'"$WORK"'/begun; sleep 1000' >/dev/null
eventually "it runs" lines begun 5
run_byre down --kill || fail "down --kill"
eventually "nothing is left after byre down --kill" test ! -e "$dir/tmp"
! grep tmp "$dir/keeper.log" || fail "keeper.log complains"
