#!/usr/bin/env bash
# A daemon is killed while the others send it frames: each is told once, and they go on.
# time-limit: 240
. "$(dirname "$0")/survivors.bash"

# Daemons of one machine: without reading from the memory of the dead, upon which Open MPI aborts.
survivors_of 2 1 "--mca btl_vader_single_copy_mechanism none" sched_peer_killed
survivors_of 4 3 "--mca btl_vader_single_copy_mechanism none" sched_peer_killed
survivors_of 3 0 "--mca btl_vader_single_copy_mechanism none" sched_peer_killed 0
# Not over TCP on one machine: Open MPI 4.1.4 tries to reach the dead one again ("connect() failed", "invalid
# connection state"), which may keep a survivor from the other for good, and ranks of one machine give each other no
# other sign of life (lifesign.c). Nodes of their own are killed over TCP in tests/lab/sched_*.sh.
