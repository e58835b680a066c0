#!/usr/bin/env bash
# byre_sched_open, submit, wait, kill and explain, from a program, with a real pool and without one.
. "$(dirname "$0")/../lib.sh"

[ -x "$BYRE_BIN/byred" ] || skip "there is no byred"
program=$BYRE_OBJ/tests/sh/sched_api
export BYRE_STATE=$WORK/state
unset BYRE_POOL
trap 'timeout 30 "$BYRE_BIN/byre" down --kill >/dev/null 2>&1; rm -rf "$WORK"' EXIT

timeout 20 "$program" none || fail "without a pool"
run_byre up --slots 2 --no-bind >/dev/null || fail "byre up"
timeout 40 "$program" || fail "with a pool"
run_byre down >/dev/null || fail "byre down"
timeout 20 "$program" none || fail "after byre down"
