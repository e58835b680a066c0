#!/usr/bin/env bash
# A rank is killed while others send it active messages, or wait for a reply.
# time-limit: 400
. "$(dirname "$0")/survivors.bash"

for how in flood bulk request requests; do
    survivors killed_am "$how"
done
for np in 3 4; do # as nodes, though they share memory: there MPI announces a message that is larger than 4 KiB
    survivors_of $np $((np - 1)) "-x BYRE_NODE_RANKS=1" killed_am announced
    survivors_of $np 0 "-x BYRE_NODE_RANKS=1" killed_am announced 0
done
survivors_of 3 2 "" killed_am announced
survivors_of 3 2 "--mca btl tcp,self" killed_am announced
