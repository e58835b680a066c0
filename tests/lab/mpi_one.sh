#!/usr/bin/env bash
# Every program of tests/mpi on four nodes, one rank on each.
# time-limit: 600
. "$(dirname "$0")/lab.bash"

LAB_LIMIT=100
lab up 4 || fail "up"
mapfile -t tests < <(mpi_tests)
suite 1 "${tests[@]}"
