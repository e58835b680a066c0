#!/usr/bin/env bash
# time-limit: 600
# The coherence protocol keeps its invariants in the model, and the model finds what is broken on purpose.
. "$(dirname "$0")/../lib.sh"
command -v spin >/dev/null || skip "spin is missing: run scripts/install-deps (Debian: apt-get install spin)"
TMPDIR=$WORK CC=$CC "$BYRE_SRCDIR/dsm/model/check"
