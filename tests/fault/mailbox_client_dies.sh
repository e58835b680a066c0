#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# time-limit: 60
# A receiver and sender of a mailbox is killed: nothing that was handed to it is lost.
. "$(dirname "$0")/../lib.sh"

run_mpi --enable-recovery 3 "$BYRE_OBJ/tests/fault/mailbox_client_dies" >"$WORK/out" 2>"$WORK/err"
grep 'mailbox_client_dies.c:' "$WORK/err" && fail "a survivor is not content"
expect "survivors" 2 "$(grep -c '^content:' "$WORK/out")"
exit 0
