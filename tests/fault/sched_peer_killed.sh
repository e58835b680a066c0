#!/usr/bin/env bash
# A daemon is killed while the others send it frames: each is told once, and they go on.
# time-limit: 240
. "$(dirname "$0")/survivors.bash"

survivors_of 2 1 "" sched_peer_killed
survivors_of 4 3 "" sched_peer_killed
survivors_of 3 0 "" sched_peer_killed 0
survivors_of 3 1 "--mca btl tcp,self" sched_peer_killed 1
