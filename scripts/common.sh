# shellcheck shell=bash
# scripts/common.sh: what scripts/demo and scripts/test share. Both work in the source directory,
# wherever they are called from.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# mpirun refuses to run as root unless told twice.
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# quietly COMMAND...: its output only if it fails.
quietly() {
    local log status
    log=$(mktemp) || exit 1
    "$@" >"$log" 2>&1
    status=$?
    [ $status = 0 ] || tail -n 50 "$log" >&2
    rm -f "$log"
    return $status
}

# build GOAL...: with warnings as errors under CI.
build() {
    local options=()
    [ "${CI:-}" = true ] && options=(--enable-werror)
    if [ ! -e config.mk ] || { [ "${CI:-}" = true ] && ! grep -q '^WERROR.*-Werror' config.mk; }; then
        quietly make configure || die "autoconf failed"
        quietly ./configure ${options[@]+"${options[@]}"} || die "configure failed"
    fi
    make -j"$(nproc)" "$@" || die "the build failed"
}
