#!/usr/bin/env bash
# time-limit: 120
# What `make install' puts down is enough for a user's program, in C and C++, shared and static; and
# `make uninstall' takes everything away again.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL OBJ BIN LIB

make_in() {
    "$MAKE" --no-print-directory -C "$BYRE_BUILDDIR" "$@" >"$WORK/log" 2>&1 || {
        cat "$WORK/log" >&2
        fail "make $*"
    }
}

root=$WORK/root
make_in install DESTDIR="$root"

pc=$(find "$root" -name byre.pc)
[ -n "$pc" ] || fail "byre.pc is not installed"
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root
expect "version in byre.pc" "$VERSION" "$("$PKG_CONFIG" --modversion byre)"
libdir=$root$(PKG_CONFIG_SYSROOT_DIR='' "$PKG_CONFIG" --variable=libdir byre)
for h in "${headers[@]}"; do
    find "$root" -path "*/include/${h##*/}" | grep -q . || fail "${h##*/} is not installed"
done

cat >"$WORK/hello.c" <<'END'
#include <byre.h>
#include <stdio.h>
int main(void)
{
    if (byre_init() != 0) return 1;
    printf("rank %d of %d\n", byre_rank(), byre_size());
    return byre_finalize() != 0;
}
END
cp "$WORK/hello.c" "$WORK/hello.cc"
read -r -a cflags < <("$PKG_CONFIG" --cflags byre)
read -r -a libs < <("$PKG_CONFIG" --libs byre)
# The libraries behind libbyre.a are the system's: no sysroot for them.
read -r -a private < <(PKG_CONFIG_SYSROOT_DIR='' "$PKG_CONFIG" --static --libs byre | sed "s/-lbyre\\b//")

"$CC" -std=c11 "${cflags[@]}" -o "$WORK/shared" "$WORK/hello.c" "${libs[@]}" || fail "C, shared"
"$CC" -std=c11 "${cflags[@]}" -o "$WORK/static" "$WORK/hello.c" "$libdir/libbyre.a" \
    "${private[@]}" || fail "C, static"
export LD_LIBRARY_PATH=$libdir
LC_ALL=C objdump -p "$WORK/shared" | grep -q "NEEDED *$SONAME" || fail "the program does not ask for $SONAME"
expect "hello in C" "rank 0 of 1" "$("$WORK/shared")"
expect "hello in C, static" "rank 0 of 1" "$("$WORK/static")"
if [ "$CXX" != no ]; then
    "$CXX" -std=c++17 "${cflags[@]}" -o "$WORK/cxx" "$WORK/hello.cc" "${libs[@]}" || fail "C++"
    expect "hello in C++" "rank 0 of 1" "$("$WORK/cxx")"
fi

# Beside libbyre: for the application's own MPI calls.
[ -e "$libdir/libbyre_pmpi.a" ] || fail "libbyre_pmpi.a is not installed"
LC_ALL=C objdump -p "$libdir/libbyre_pmpi.so" | grep -q "NEEDED *$SONAME" || fail "libbyre_pmpi.so"
expect "other names of libbyre_pmpi.so" "" \
    "$("$NM" -D --defined-only "$libdir/libbyre_pmpi.so" | awk '$3 !~ /^MPI_[A-Z]/ { print $3 }')"
gen=$(find "$root" -path '*/bin/byre-rpcgen')
[ -n "$gen" ] || fail "byre-rpcgen is not installed"
printf 'interface tiny { int add([in] int a, [in] int b); }\n' >"$WORK/tiny.idl"
"$gen" -o "$WORK" "$WORK/tiny.idl" || fail "the installed byre-rpcgen"
printf '#include "tiny.h"\nint main(void) { return add(0, 0); }\n' >"$WORK/main.c"
"$CC" -std=c11 "${cflags[@]}" -o "$WORK/tiny" "$WORK"/main.c "$WORK"/tiny_{types,client,server}.c "${libs[@]}" ||
    fail "a program with stubs"

lab=$(find "$root" -path '*/libexec/byre/byre-lab')
[ -n "$lab" ] || fail "byre-lab is not installed"
"$lab" --help | grep -q '^usage: byre lab' || fail "the installed byre-lab does not know how to help"
for helper in spawn init plan wire; do
    [ -x "${lab%/*}/lab/$helper" ] || fail "its helper $helper is not installed"
done
byre=$(find "$root" -path '*/bin/byre')
if [ -n "$byre" ]; then
    case $("$byre" --version) in
    *"$VERSION"*) ;;
    *) fail "byre --version does not say $VERSION" ;;
    esac
fi

make_in uninstall DESTDIR="$root"
left=$(find "$root" ! -type d)
expect "left after make uninstall" "" "$left"
