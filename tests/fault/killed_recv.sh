#!/usr/bin/env bash
# A rank is killed while others wait to receive from it, or from anybody.
# time-limit: 600
. "$(dirname "$0")/survivors.bash"

for how in recv recv-large any any-large irecv irecv-large test wait-any wait-all threads arrived; do
    survivors killed_recv "$how"
done
# It may as well be rank 0.
survivors_of 3 0 "" killed_recv any 0
survivors_of 3 0 "--mca btl tcp,self" killed_recv recv 0
