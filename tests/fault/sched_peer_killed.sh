#!/usr/bin/env bash
# A daemon is killed while the others send it frames: each is told once, and they go on.
# time-limit: 240
. "$(dirname "$0")/survivors.bash"

# Daemons of one machine: without reading from the memory of the dead, upon which Open MPI aborts.
survivors_of 2 1 "--mca btl_vader_single_copy_mechanism none" sched_peer_killed
survivors_of 4 3 "--mca btl_vader_single_copy_mechanism none" sched_peer_killed
survivors_of 3 0 "--mca btl_vader_single_copy_mechanism none" sched_peer_killed 0
survivors_of 3 1 "--mca btl tcp,self" sched_peer_killed 1 calm
