#!/usr/bin/env bash
# A rank is killed that serves calls, idle or in the middle; one that has contexts at servers; one with names.
# time-limit: 300
. "$(dirname "$0")/survivors.bash"

for how in idle call transfer rebind names context; do
    survivors rpc_dies "$how"
done
for victim in 0 1; do # any rank may be the one
    SHM_ONLY=1 survivors_of 3 $victim "" rpc_dies names $victim
    SHM_ONLY=1 survivors_of 3 $victim "" rpc_dies call $victim
done
