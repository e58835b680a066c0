#!/usr/bin/env bash
# The programs in README.md compile as README.md says, without a warning, and so does the one in
# byre_dsm(7). They run with one rank, without mpirun, and with two.
. "$(dirname "$0")/../lib.sh"

# The programs of README.md, as $WORK/1.c, $WORK/2.c, ...
awk -v dir="$WORK" '/^```c$/ { on = 1; n++; next } /^```/ { on = 0 } on { print >(dir "/" n ".c") }' \
    "$BYRE_SRCDIR/README.md"
# The example of a man page is what stands in a display and has a main.
awk '/^\.Ed/ { if (text ~ /int main/) printf "%s", text; on = 0 }
    on { gsub(/\\e/, "\\"); text = text $0 "\n" }
    /^\.Bd/ { on = 1; text = "" }' "$BYRE_SRCDIR/docs/man/byre_dsm.7" >"$WORK/buckets.c"

for program in 1 2 buckets; do
    [ -s "$WORK/$program.c" ] || fail "$program: there is no such program in C"
    "$CC" -std=c11 -Wall -Wextra -Werror "${includes[@]}" "$WORK/$program.c" -L"$BYRE_LIB" -lbyre \
        -Wl,-rpath,"$BYRE_LIB" -o "$WORK/$program" || fail "$program: it does not compile"
done

timeout 20 "$WORK/1" >"$WORK/out" || fail "alone: exit status $?"
expect "alone" "" "$(cat "$WORK/out")"

run_mpi 2 "$WORK/1" >"$WORK/out" || fail "two ranks: exit status $?"
expect "two ranks: lines" 1 "$(grep -c '^rank 1 is on .' "$WORK/out")"

# Shared memory.
expect "pi, alone" "3.1416" "$("$WORK/2")"
expect "pi, two ranks" "3.1416" "$(run_mpi 2 "$WORK/2")"
run_mpi 2 "$WORK/buckets" >"$WORK/out" || fail "buckets: exit status $?"
expect "buckets: lines" 16 "$(wc -l <"$WORK/out")"
expect "buckets: sum" 20000000 "$(awk '{ sum += $2 } END { printf "%d", sum }' "$WORK/out")"

# What README.md points to is there.
while read -r path; do
    [ -e "$BYRE_SRCDIR/$path" ] || fail "README.md points to $path, which does not exist"
done < <(grep -o '](\([^)]*\))' "$BYRE_SRCDIR/README.md" | sed 's/^](//; s/)$//' | grep -v '^http')
