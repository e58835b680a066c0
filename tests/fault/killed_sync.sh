#!/usr/bin/env bash
# A rank is killed that has a lock, waits for one, is the home of one, or is missing at a barrier.
# time-limit: 600
. "$(dirname "$0")/survivors.bash"

for how in holder writer reader waiter storm home barrier condition; do
    survivors killed_sync "$how"
done
