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
export BYRE_SRCDIR BYRE_BUILDDIR BYRE_OBJ BYRE_BIN BYRE_LIB

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
    printf 'SKIP: %s\n' "$*"
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

# The runner only wants the functions.
if [ -z "${BYRE_TEST_NO_WORK:-}" ]; then
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/byre-work.XXXXXX") || exit 1
    export WORK
    # A test that sets its own EXIT trap removes $WORK itself.
    trap 'rm -rf "$WORK"' EXIT
fi
