#!/usr/bin/env bash
# The same messages over bad links: first with a delay of a millisecond each way, then with a loss of one
# packet in a hundred. A program that exchanges thousands of messages one after the other would only wait;
# chosen are short ones that use every part of the protocol: eager and rendezvous, acknowledged, in order,
# in bulk, flow control of mailboxes and active messages, and the end of a job.
# time-limit: 300
. "$(dirname "$0")/lab.bash"

lab up 4 || fail "up"
mapfile -t tests < <(mpi_tests send_recv send_sync irecv_order truncation am_send am_bulk barrier \
    mailbox_basic isend_notices start_finish dsm_heap sync_lock)
lab link all --delay 1ms || fail "delay"
echo "delay 1 ms"
suite 1 "${tests[@]}"
lab link all --clear --loss 1% || fail "loss"
echo "loss 1%"
suite 1 "${tests[@]}"
