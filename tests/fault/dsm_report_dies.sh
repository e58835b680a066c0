#!/usr/bin/env bash
# The report of shared memory at the end of a job of which a rank is killed: before the end, while the
# others wait for it there, and when it is the one that prints.
# time-limit: 300
. "$(dirname "$0")/survivors.bash"

export BYRE_DSM_REPORT=1
for how in before during; do
    survivors dsm_report_dies "$how"
    survivors_of 3 0 "" dsm_report_dies "$how" 0
done
