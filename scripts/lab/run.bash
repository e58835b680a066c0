# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# run.bash: commands on nodes.

# enter K COMMAND...: becomes the command, on node K, in the same directory.
enter() {
    local k=$1 pid
    shift
    pid=$(pid_of "$k") || die "$(name_of "$k") is down"
    [ -d "/proc/$pid/root$PWD" ] ||
        die "nodes cannot see the directory $PWD, because each has a /tmp of its own; start the lab with --share $PWD"
    join_cgroups "$k"
    # Directories for temporary files that the host has and the node has not.
    unset TMPDIR OMPI_MCA_btl_vader_backing_directory
    export BYRE_LAB=$name BYRE_LAB_NODE BYRE_LAB_HOSTFILE=$dir/hostfile
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    BYRE_LAB_NODE=$(name_of "$k")
    exec nsenter -t "$pid" -m -u -i -n -p --wdns="$PWD" "$@"
}

lab_sh() {
    local k=1
    need_lab
    if [ $# -gt 0 ]; then
        k=$(node "$1") || exit
        shift
    fi
    need_running "$k"
    [ $# -gt 0 ] || set -- "${SHELL:-/bin/bash}"
    enter "$k" "$@"
}

lab_run() {
    local k=1
    need_lab
    while [ $# -gt 0 ]; do
        case $1 in
        --on)
            k=$(node "${2:-}") || exit
            shift 2 ;;
        --) shift && break ;;
        -*) misuse "unknown option $1 of run" ;;
        *) break ;;
        esac
    done
    [ $# -gt 0 ] || misuse "run wants a command"
    need_running "$k"
    enter "$k" "$@"
}
