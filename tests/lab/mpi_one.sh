#!/usr/bin/env bash
# Every program of tests/mpi on four nodes, one rank on each.
# time-limit: 240
. "$(dirname "$0")/lab.bash"
lab up 4 || fail "up"
read -r -a tests <<<"$(mpi_tests)"
suite 1 "${tests[@]}"
