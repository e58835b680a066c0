#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# time-limit: 60
# The owner of a mailbox is killed: whoever waits for it gets BYRE_EPEER.
. "$(dirname "$0")/../lib.sh"

for np in 2 4; do
    run_mpi --enable-recovery "$np" "$BYRE_OBJ/tests/fault/mailbox_owner_dies" >"$WORK/out" 2>"$WORK/err"
    expect "survivors of $np" "$((np - 1))" "$(grep -c '^content:' "$WORK/out")"
    grep 'mailbox_owner_dies.c:' "$WORK/err" && fail "a survivor is not content"
done
exit 0
