#!/usr/bin/env bash
# A rank is killed while others send to it.
# time-limit: 600
. "$(dirname "$0")/survivors.bash"

for how in small large sync-small sync-large isend cow; do
    survivors killed_send "$how"
done
# With many sends under way to the one that dies, Open MPI's TCP transport aborts most survivors itself
# (byre_failure(7), BUGS): only through shared memory.
export SHM_ONLY=1
for how in small-copy copies; do
    survivors killed_send "$how"
done
