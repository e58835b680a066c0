#!/usr/bin/env bash
# A rank is killed while others send it active messages, or wait for a reply.
# time-limit: 400
. "$(dirname "$0")/survivors.bash"

for how in flood bulk request requests; do
    survivors killed_am "$how"
done
