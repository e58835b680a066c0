#!/usr/bin/env bash
# The program in README.md compiles as README.md says, without a warning, and runs with one rank,
# without mpirun, and with two.
. "$(dirname "$0")/../lib.sh"

awk '/^```c$/ { on = 1; next } /^```/ { if (on) exit } on' "$BYRE_SRCDIR/README.md" >"$WORK/hello.c"
[ -s "$WORK/hello.c" ] || fail "README.md has no program in C"

"$CC" -std=c11 -Wall -Wextra -Werror "${includes[@]}" "$WORK/hello.c" -L"$BYRE_LIB" -lbyre \
    -Wl,-rpath,"$BYRE_LIB" -o "$WORK/hello" || fail "the program in README.md does not compile"

timeout 20 "$WORK/hello" >"$WORK/out" || fail "alone: exit status $?"
expect "alone" "" "$(cat "$WORK/out")"

run_mpi 2 "$WORK/hello" >"$WORK/out" || fail "two ranks: exit status $?"
expect "two ranks: lines" 1 "$(grep -c '^rank 1 is on .' "$WORK/out")"

# What it points to is there.
while read -r path; do
    [ -e "$BYRE_SRCDIR/$path" ] || fail "README.md points to $path, which does not exist"
done < <(grep -o '](\([^)]*\))' "$BYRE_SRCDIR/README.md" | sed 's/^](//; s/)$//' | grep -v '^http')
