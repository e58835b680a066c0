#!/usr/bin/env bash
# Two ranks are killed, one after the other.
# time-limit: 120
. "$(dirname "$0")/survivors.bash"

for transport in "" "--mca btl tcp,self"; do
    for np in 3 4 5; do
        survivors_of $np "$((np - 1)) $((np - 2))" "$transport" killed_twice
    done
done
