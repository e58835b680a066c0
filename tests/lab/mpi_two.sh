#!/usr/bin/env bash
# Every program of tests/mpi on four nodes, two ranks on each: some share memory, some do not.
# time-limit: 240
. "$(dirname "$0")/lab.bash"
lab up 4 || fail "up"
read -r -a tests <<<"$(mpi_tests)"
suite 2 "${tests[@]}"
