#!/usr/bin/env bash
# time-limit: 600
# A build in another directory works and writes nothing into the source.
. "$(dirname "$0")/../lib.sh"
[ -n "${FULL:-}${CI:-}" ] || skip "slow: FULL=1 runs it"
unset MAKEFLAGS MFLAGS MAKELEVEL OBJ BIN LIB

run() {
    "$@" >"$WORK/log" 2>&1 || {
        tail -n 50 "$WORK/log" >&2
        fail "$*"
    }
}

mkdir "$WORK/src" "$WORK/build"
(cd "$BYRE_SRCDIR" && tar cf - --exclude=./.git --exclude='./obj*' --exclude=./bin --exclude=./lib \
    --exclude=./config.mk --exclude=./config.h --exclude=./config.status --exclude=./byre.pc .) |
    tar xf - -C "$WORK/src"
cd "$WORK/src" && find . -type f | sort >"$WORK/before"
cd "$WORK/build" || exit 1
run "$WORK/src/configure"
run "$MAKE" -j2
run "$MAKE" check TESTS="check/headers check/symbols check/layering"
run "$MAKE" install DESTDIR="$WORK/root"
run "$MAKE" clean
run "$MAKE" distclean
expect "files left in the build directory" "" "$(ls "$WORK/build")"
cd "$WORK/src" && find . -type f | sort >"$WORK/after"
diff "$WORK/before" "$WORK/after" >&2 || fail "the build wrote into the source directory"
