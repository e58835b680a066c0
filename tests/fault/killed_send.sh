#!/usr/bin/env bash
# A rank is killed while others send to it.
# time-limit: 600
. "$(dirname "$0")/survivors.bash"

for how in small small-copy large sync-small sync-large isend cow copies; do
    survivors killed_send "$how"
done
