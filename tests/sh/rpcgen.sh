#!/usr/bin/env bash
# byre-rpcgen: what it writes is what it wrote (tests/golden/rpc/expected), compiles without a warning as C and
# C++, and works without messages; what is wrong is said where, with reason and remedy
# (tests/golden/rpc/errors); the command line; its fuzzer finds nothing in a few seconds.
# BYRE_GOLDEN_UPDATE=1 accepts what is new: look at the difference before you commit it.
# time-limit: 120
. "$(dirname "$0")/../lib.sh"

gen=$BYRE_BIN/byre-rpcgen
golden=$BYRE_SRCDIR/tests/golden/rpc
[ -x "$gen" ] || fail "byre-rpcgen is not built"
cd "$golden" || exit 1

# same NAME FILE EXPECTED: or, if told so, the new is the expected.
same() {
    if [ -n "${BYRE_GOLDEN_UPDATE:-}" ]; then
        mkdir -p "$(dirname "$3")"
        cp "$2" "$3"
        return
    fi
    [ -e "$3" ] || fail "$1: $3 is missing"
    cmp -s "$2" "$3" && return
    diff -u "$3" "$2" >&2
    fail "$1 differs from what it was"
}

# ---- what it writes ----------------------------------------------------------------------------------

warnings=(-Wall -Wextra -Werror -fsyntax-only -I. "${includes[@]}")
sources=()
for idl in *.idl sub/*.idl; do
    dir=$WORK/out/$(dirname "$idl")
    base=$(basename "$idl" .idl)
    mkdir -p "$dir"
    "$gen" -o "$dir" "$idl" || fail "$idl is refused"
    "$gen" --local -o "$dir" "$idl" || fail "$idl is refused with --local"
    expect "files for $idl" "$base.h ${base}_client.c ${base}_local.c ${base}_server.c ${base}_types.c" \
        "$(cd "$dir" && echo "$base".h "$base"_*.c)"
    for file in "$base.h" "${base}_client.c" "${base}_local.c" "${base}_server.c" "${base}_types.c"; do
        same "$file" "$dir/$file" "expected/$(dirname "$idl")/$file.golden"
        sources+=("$(dirname "$idl")/$file")
    done
done

cd "$WORK/out" || exit 1
for file in "${sources[@]}"; do
    case $file in
    *.c) "$CC" -std=c11 -pedantic "${warnings[@]}" "$file" || fail "$file is no good C" ;;
    esac
    # The tables are C, whatever the program is.
    case $file in
    *.h | *_types.c) ;;
    *) [ "$CXX" = no ] || "$CXX" -std=c++17 "${warnings[@]}" -x c++ "$file" || fail "$file is no good C++" ;;
    esac
done

# ---- what it refuses -----------------------------------------------------------------------------------

cd "$golden/errors" || exit 1
mkdir "$WORK/none"
for idl in *.idl; do
    "$gen" -o "$WORK/none" "$idl" >"$WORK/stdout" 2>"$WORK/stderr"
    expect "exit status of $idl" 1 $?
    expect "standard output of $idl" "" "$(cat "$WORK/stdout")"
    same "what is said of $idl" "$WORK/stderr" "${idl%.idl}.expected"
done
expect "files after errors" "" "$(ls "$WORK/none")"

# What is there stays as it is when there are errors.
mkdir "$WORK/old"
echo old >"$WORK/old/refused.h"
"$gen" -o "$WORK/old" refused.idl 2>/dev/null && fail "refused.idl is accepted"
expect "the old header" old "$(cat "$WORK/old/refused.h")"
expect "other files" refused.h "$(ls "$WORK/old")"

# A struct within a struct a thousand times; an expression, pointers, attributes without end.
{ echo 'interface deep {'; for i in $(seq 3000); do echo "struct s$i {"; done; } >"$WORK/deep.idl"
printf 'interface deep { const int N = %s1; }' "$(printf '(%.0s' $(seq 20000))" >"$WORK/parens.idl"
printf 'interface deep { const int N = 1%s; }' "$(printf -- '-1%.0s' $(seq 20000))" >"$WORK/sum.idl"
printf 'interface deep { void f([in] int %sp); }' "$(printf '*%.0s' $(seq 20000))" >"$WORK/stars.idl"
printf 'interface deep { void f(%sint p); }' "$(printf '[in]%.0s' $(seq 20000))" >"$WORK/attrs.idl"
head -c 2000000 /dev/zero >"$WORK/zeros.idl"
head -c 30000 /dev/urandom >"$WORK/random.idl"
for idl in deep parens sum stars attrs zeros random; do
    timeout 20 "$gen" -o "$WORK/none" "$WORK/$idl.idl" 2>"$WORK/stderr"
    expect "exit status of $idl" 1 $?
done

# It must run where there is no MPI.
case $(LC_ALL=C objdump -p "$gen" | grep NEEDED) in *mpi* | *hwloc*) fail "byre-rpcgen needs MPI" ;; esac

# ---- the command line ------------------------------------------------------------------------------------

# complains NAME STATUS PART ARG...
complains() {
    local name=$1 status=$2 part=$3 said
    shift 3
    said=$("$gen" "$@" 2>&1 >/dev/null)
    expect "$name: exit status" "$status" $?
    case $said in *"$part"*) ;; *) fail "$name: not said: $part, but: $said" ;; esac
}

cd "$golden" || exit 1
"$gen" --help | grep -q '^Usage: byre-rpcgen' || fail "--help"
expect "--version" "byre-rpcgen $VERSION" "$("$gen" --version)"
complains "nothing" 2 "no file is named"
complains "two files" 2 "one file at a time" scalars.idl structs.idl
complains "an unknown option" 2 "unknown option --bogus" --bogus scalars.idl
complains "an option without value" 2 "-o needs a value" scalars.idl -o
complains "another name" 2 "is not named *.idl" scalars.c
complains "a header of C" 2 "would become a header of C" string.idl
complains "no such file" 1 "nowhere.idl: No such file" nowhere.idl
complains "no such directory" 1 "cannot be written" -o "$WORK/nowhere" scalars.idl
if [ -w /dev/full ]; then
    "$gen" --depend scalars.idl >/dev/full 2>"$WORK/stderr" && fail "a full disk went unnoticed"
fi

mkdir "$WORK/some"
"$gen" --header -o "$WORK/some" scalars.idl
expect "--header" scalars.h "$(ls "$WORK/some")"
"$gen" --client -o "$WORK/some" scalars.idl
expect "--client" "scalars.h scalars_client.c scalars_types.c" "$(cd "$WORK/some" && echo *)"
"$gen" --server -o "$WORK/some" procs.idl
expect "--server" "procs_server.c procs_types.c" "$(cd "$WORK/some" && echo procs*)"

expect "--depend" "out/imports.h out/imports_types.c out/imports_client.c out/imports_server.c &: \
imports.idl structs.idl sub/colors.idl scalars.idl" "$("$gen" --depend -o out imports.idl)"
mkdir "$WORK/apart"
cp imports.idl structs.idl "$WORK/apart"
complains "imports elsewhere" 1 "there is no file sub/colors.idl" --depend "$WORK/apart/imports.idl"
"$gen" --depend -I "$WORK" -I . "$WORK/apart/imports.idl" >/dev/null || fail "-I"

# ---- what the hash is of -----------------------------------------------------------------------------------

hash_of() {
    printf '%s\n' "$1" >"$WORK/h.idl"
    "$gen" --client -o "$WORK" "$WORK/h.idl" || fail "refused: $1"
    sed -n 's/.*\.hash = \(.*\),/\1/p' "$WORK/h_types.c"
}
base=$(hash_of 'interface h { int f([in] int a); }')
expect "hash: names of parameters" "$base" "$(hash_of 'interface h { typedef int number; number f([in] number b); }')"
for other in 'unsigned f([in] int a);' 'int g([in] int a);' 'int f([in, out] int *a);' 'int f([in] int a[1]);' \
    'int f([in] int a, [in] int b);' 'int f([in] int a); void g(void);' '[idempotent] int f([in] int a);'; do
    [ "$(hash_of "interface h { $other }")" != "$base" ] || fail "hash: the same for $other"
done

# ---- without messages -----------------------------------------------------------------------------------------

cat >"$WORK/local.c" <<'END'
#include "procs.h"
#include <stdio.h>
static int my_get(int key) { return key * 2; }
static void my_note(const char *text) { puts(text); }
static double my_slow(double x, int *steps) { *steps = 7; return x / 2; }
static void my_slower(void) { puts("slower"); }
static int my_status(int n) { return n; }
static int my_all_of_it(int n) { return n + 1; }
int main(void)
{
    static const procs_procs_t procs = procs_PROCS(my_);
    byre_rpc_future_t future;
    int steps = 0;
    double half = 0;
    procs_local(&procs);
    note("hello");
    if (slow_begin(3, &steps, &future) != 0 || slow_end(future, &half) != 0) return 1;
    slower();
    printf("%d %d %d %d %.1f\n", get(4), status(5), all_of_it(6), steps, half);
    return 0;
}
END
"$CC" -std=c11 -Wall -Wextra -Werror "${includes[@]}" -I"$WORK/out" "$WORK/local.c" "$WORK/out/procs_local.c" \
    -o "$WORK/local" || fail "a program with the local stub"
expect "a program with the local stub" "$(printf 'hello\nslower\n8 5 7 7 1.5')" "$("$WORK/local")"

# ---- fuzzing ------------------------------------------------------------------------------------------------

fuzzer=$BYRE_OBJ/tests/fuzz/rpcgen
if [ -x "$fuzzer" ]; then
    cd "$WORK" || exit 1
    if ! "$fuzzer" "$BYRE_SRCDIR/tests/fuzz/corpus/rpcgen" 4 >"$WORK/log" 2>&1; then
        cat "$WORK/log" >&2
        [ ! -e rpcgen-crash.idl ] || od -c rpcgen-crash.idl | tail -n 100 >&2
        fail "byre-rpcgen died of some input"
    fi
fi
exit 0
