# shellcheck shell=bash
# tests/lib.sh: what the shell tests share. A test starts with
#
#   . "$(dirname "$0")/../lib.sh"
#
# and runs under `make check' or by hand. It gets
#   BYRE_SRCDIR BYRE_BUILDDIR BYRE_BIN BYRE_LIB BYRE_OBJ    absolute directories
#   WORK                                                    an empty directory, removed at the end
#   run_mpi [OPTION...] NP PROGRAM [ARG...]                 a job under mpirun
#   run_byre ARG...                                         the byre command
#   skip REASON, fail MESSAGE                               end the test
#   expect NAME EXPECTED ACTUAL                             fail, with a diff, unless equal

set -u
: "${BYRE_SRCDIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${BYRE_BUILDDIR:=$BYRE_SRCDIR}"
: "${BYRE_OBJ:=$BYRE_BUILDDIR/obj}"
: "${BYRE_BIN:=$BYRE_BUILDDIR/bin}"
: "${BYRE_LIB:=$BYRE_BUILDDIR/lib}"
: "${MPIRUN:=mpirun}" "${CC:=gcc}" "${CXX:=g++}" "${NM:=nm}" "${PKG_CONFIG:=pkg-config}" "${MAKE:=make}"
# By hand, without the environment of `make check', the tree says the same.
: "${BYRE_HEADERS:=$(cd "$BYRE_SRCDIR" && echo */include/*.h)}"
: "${BYRE_INCDIRS:=$(cd "$BYRE_SRCDIR" && echo */include)}"
if [ -z "${VERSION:-}" ] && [ -e "$BYRE_BUILDDIR/config.mk" ]; then
    VERSION=$(sed -n "s/^VERSION *:= *//p" "$BYRE_BUILDDIR/config.mk")
    SONAME=libbyre.so.$(sed -n "s/^SOVERSION *:= *//p" "$BYRE_BUILDDIR/config.mk")
fi
read -r -a headers <<<"$BYRE_HEADERS"
read -r -a incdirs <<<"$BYRE_INCDIRS"
includes=("${incdirs[@]/#/-I$BYRE_SRCDIR/}")
export BYRE_SRCDIR BYRE_BUILDDIR BYRE_OBJ BYRE_BIN BYRE_LIB VERSION SONAME

# mpirun refuses to run as root unless told twice.
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

# More ranks than cores is the normal case of a test: no binding, no slots to count.
mpi_options=(--oversubscribe --bind-to none)

# run_mpi [OPTION...] NP PROGRAM [ARG...]: OPTIONs go to mpirun; `-x VAR=VALUE' and others that take
# one word after them may be written as usual, because NP is the first argument that is a number
# and does not follow such an option. BYRE_TEST_LIMIT seconds at most.
run_mpi() {
    local options=() np
    while :; do
        case $1 in
        -x | --mca | -mca | --hostfile | --host | --map-by)
            options+=("$1" "$2")
            case $1 in *mca) options+=("$3"); shift ;; esac
            shift 2 ;;
        -*) options+=("$1"); shift ;;
        *) break ;;
        esac
    done
    np=$1
    shift
    timeout -k 5 "${BYRE_TEST_LIMIT:-60}" \
        "$MPIRUN" "${mpi_options[@]}" ${options[@]+"${options[@]}"} -n "$np" "$@" </dev/null
}

run_byre() {
    timeout -k 5 "${BYRE_TEST_LIMIT:-60}" "$BYRE_BIN/byre" "$@"
}

skip() {
    printf '%s\n' "$*"
    exit 77
}

fail() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}

expect() {
    [ "$2" = "$3" ] && return 0
    printf 'FAIL: %s\n' "$1" >&2
    diff -u --label expected --label actual <(printf '%s\n' "$2") <(printf '%s\n' "$3") >&2
    exit 1
}

# eventually WHAT COMMAND...: waits until it succeeds, 30 s at most; else it fails, and shows what show_state, if
# the test has one, says.
eventually() {
    local what=$1 i
    shift
    for ((i = 0; i < 600; i++)); do
        "$@" && return 0
        sleep 0.05
    done
    ! declare -F show_state >/dev/null || show_state
    fail "did not happen: $what"
}

# The runner only wants the functions.
if [ -z "${BYRE_TEST_NO_WORK:-}" ]; then
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/byre-work.XXXXXX") || exit 1
    export WORK
    # A test that sets its own EXIT trap removes $WORK itself.
    trap 'rm -rf "$WORK"' EXIT
fi

# public_functions: FILE LINE DECLARATION of every function that an installed header declares.
# gcc itself lists them, so no pattern has to guess what a declaration looks like.
public_functions() {
    local h
    for h in "${headers[@]}"; do
        gcc -std=c11 "${includes[@]}" -fsyntax-only -aux-info "${TMPDIR:-/tmp}/aux" -x c "$BYRE_SRCDIR/$h" || return 1
        sed -n "s|^/\* $BYRE_SRCDIR/$h:\([0-9]*\):.C \*/ \(extern \)\{0,1\}\(.*\);.*|$h \1 \3|p" "${TMPDIR:-/tmp}/aux"
    done
    rm -f "${TMPDIR:-/tmp}/aux"
}

# function_name DECLARATION
function_name() {
    sed 's/.*\b\(byre_[a-z0-9_]*\) (.*/\1/' <<<"$1"
}
