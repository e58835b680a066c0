#!/usr/bin/env bash
# Four nodes with two ranks on each: some share memory, some do not. Those programs in which it matters
# which rank is where: the node map, and each way for a message to travel, to be awaited and to be found.
# The others tell nothing that they do not tell with one rank a node.
# time-limit: 240
. "$(dirname "$0")/lab.bash"

lab up 4 || fail "up"
mapfile -t tests < <(mpi_tests nodes send_recv send_sync irecv_order wait_any_all poll_get am_send am_flow \
    barrier isend_notices mailbox_basic beside_mpi start_finish dsm_heap dsm_buffers sync_lock sync_barrier)
suite 2 "${tests[@]}"
