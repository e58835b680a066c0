#!/usr/bin/env bash
# time-limit: 600
# The tarball of `make dist' builds and installs where autoconf has never been.
. "$(dirname "$0")/../lib.sh"
[ -n "${FULL:-}${CI:-}" ] || skip "slow: FULL=1 runs it"
git -C "$BYRE_SRCDIR" rev-parse HEAD >/dev/null 2>&1 || skip "not a git repository"
unset MAKEFLAGS MFLAGS MAKELEVEL OBJ BIN LIB

run() {
    "$@" >"$WORK/log" 2>&1 || {
        tail -n 50 "$WORK/log" >&2
        fail "$*"
    }
}

run "$MAKE" -C "$BYRE_BUILDDIR" dist DISTDIR="$WORK"
cd "$WORK" || exit 1
run tar xzf "byre-$VERSION.tar.gz"
cd "byre-$VERSION" || fail "the tarball has no directory byre-$VERSION"
mkdir "$WORK/bin"
for tool in autoconf autoheader autoreconf; do
    printf '#!/bin/sh\necho "%s must not be needed" >&2\nexit 1\n' $tool >"$WORK/bin/$tool"
    chmod +x "$WORK/bin/$tool"
done
export PATH=$WORK/bin:$PATH
run ./configure --prefix=/usr
run "$MAKE" -j2
run "$MAKE" install DESTDIR="$WORK/root"
[ -e "$WORK/root/usr/lib/$SONAME" ] || fail "$SONAME is not installed"
