#!/usr/bin/env bash
# A rank is killed while others probe it, meet in a barrier, compute, or leave.
# time-limit: 240
. "$(dirname "$0")/survivors.bash"

for how in probe probe-any get barrier compute acknowledge finalize; do
    survivors killed_others "$how"
done
