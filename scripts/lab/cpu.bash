# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# cpu.bash: pause, resume, and a share of the processor.
#
# Where the system lets us, each node has a cgroup byre-lab-NAME/nK: of the controllers cpu and freezer in
# version 1, which have a tree each; of version 2, which has one tree. Elsewhere pausing stops processes by
# signals, and there are no shares.

CGROUPS=/sys/fs/cgroup

# cgroup_root KIND: the directory of all cgroups for `freezer' or `cpu', and the version.
cgroup_root() {
    if [ -w "$CGROUPS/$1/cgroup.procs" ] && [ "$(stat -f -c %T "$CGROUPS/$1")" = cgroupfs ]; then
        echo "1 $CGROUPS/$1"
    elif [ -w "$CGROUPS/cgroup.procs" ] && [ "$(stat -f -c %T "$CGROUPS")" = cgroup2fs ]; then
        echo "2 $CGROUPS"
    else
        return 1
    fi
}

# cgroup_of KIND K: version and directory, if there is one.
cgroup_of() {
    local version root
    read -r version root < <(cgroup_root "$1") || return 1
    [ -d "$root/byre-lab-$name/$(name_of "$2")" ] && echo "$version $root/byre-lab-$name/$(name_of "$2")"
}

# join_cgroups K: makes K's cgroups where that is possible, and puts this shell into them.
join_cgroups() {
    local kind root group
    for kind in freezer cpu; do
        read -r _ root < <(cgroup_root $kind) || continue
        group=$root/byre-lab-$name/$(name_of "$1")
        # A cpu group only once a share was asked for: real-time threads have a hard time in one.
        [ $kind = cpu ] || mkdir -p "$group" 2>/dev/null
        # 0 is who writes it.
        [ ! -d "$group" ] || { echo 0 >"$group/cgroup.procs"; } 2>/dev/null
    done
    return 0
}

# remove_cgroups: all of the lab's, when its processes are gone.
remove_cgroups() {
    local kind root group
    for kind in freezer cpu; do
        read -r _ root < <(cgroup_root $kind) || continue
        for group in "$root/byre-lab-$name"/*/ "$root/byre-lab-$name"; do
            # Where there is one tree of cgroups, keepers that were killed have left some in here.
            [ ! -d "$group" ] || find "$group" -mindepth 1 -depth -type d -path '*/byre-keeper-*' \
                -exec rmdir {} + 2>/dev/null
            [ ! -d "$group" ] || until_true 5 rmdir "$group" 2>/dev/null || note "cannot remove $group"
        done
    done
    # Only if this lab switched it on; another one that still needs it makes the kernel refuse.
    [ ! -e "$dir/cpu_enabled" ] || { echo -cpu >"$CGROUPS/cgroup.subtree_control"; } 2>/dev/null
    return 0
}

# processes_of K: the numbers of all of its processes, out here.
processes_of() {
    local pid space
    pid=$(pid_of "$1") || return 0
    space=$(readlink "/proc/$pid/ns/pid") || return 0
    find /proc/[0-9]*/ns/pid -maxdepth 0 -lname "${space//[\[\]]/?}" 2>/dev/null | cut -d / -f 3
}

# ---- pause and resume ----------------------------------------------------------------------------

# set_frozen K 1|0
set_frozen() {
    local version group
    read -r version group < <(cgroup_of freezer "$1") || return 1
    case $version-$2 in
    1-1) echo FROZEN >"$group/freezer.state" ;;
    1-0) echo THAWED >"$group/freezer.state" ;;
    2-*) echo "$2" >"$group/cgroup.freeze" ;;
    esac 2>/dev/null
}

freeze() {
    local _ pids
    set_frozen "$1" 1 && return
    # Again, because a process may start another one before its own signal comes.
    for _ in 1 2 3; do
        pids=$(processes_of "$1")
        # shellcheck disable=SC2086 # its words
        [ -z "$pids" ] || kill -STOP $pids 2>/dev/null
    done
}

thaw() {
    local pids
    [ -e "$dir/v/$1/paused" ] || return 0
    rm -f "$dir/v/$1/paused"
    set_frozen "$1" 0 && return
    pids=$(processes_of "$1")
    # shellcheck disable=SC2086 # its words
    [ -z "$pids" ] || kill -CONT $pids 2>/dev/null
    return 0
}

lab_pause() {
    local k
    [ $# = 1 ] || misuse "pause wants a node"
    take_lock
    need_lab
    k=$(node "$1") || exit
    need_running "$k"
    : >"$dir/v/$k/paused"
    freeze "$k"
}

lab_resume() {
    local k
    [ $# = 1 ] || misuse "resume wants a node"
    take_lock
    need_lab
    k=$(node "$1") || exit
    need_running "$k"
    thaw "$k"
}

# ---- shares --------------------------------------------------------------------------------------

# In version 2 the controller has to be switched on for the children of a group, from the top.
enable_cpu() {
    local control
    for control in "$CGROUPS" "$CGROUPS/byre-lab-$name"; do
        grep -qw cpu "$control/cgroup.subtree_control" && continue
        { echo +cpu >"$control/cgroup.subtree_control"; } 2>/dev/null || return 1
        [ "$control" != "$CGROUPS" ] || : >"$dir/cpu_enabled"
    done
}

# make_cpu_group K: with all processes of K in it; prints version and directory.
make_cpu_group() {
    local version root group pid quota
    cgroup_of cpu "$1" && return # version 2 has one group for everything; else it was made before
    read -r version root < <(cgroup_root cpu) || return 1
    group=$root/byre-lab-$name/$(name_of "$1")
    mkdir -p "$group" 2>/dev/null || return 1
    # Version 1 may keep real-time threads out of a group that has no real time to spend.
    if [ -e "$group/cpu.rt_runtime_us" ]; then
        for quota in 200000 50000 10000; do
            { echo $quota >"$root/byre-lab-$name/cpu.rt_runtime_us" && break; } 2>/dev/null
        done
        { echo $((quota / 8)) >"$group/cpu.rt_runtime_us"; } 2>/dev/null
    fi
    for pid in $(processes_of "$1"); do
        { echo "$pid" >"$group/cgroup.procs"; } 2>/dev/null
    done
    echo "$version $group"
}

# set_cpu K PERCENT|max
set_cpu() {
    local version group quota=$2
    version=$(make_cpu_group "$1") || return 1
    read -r version group <<<"$version"
    [ "$quota" = max ] || quota=$((quota * 1000)) # of 100000 microseconds
    case $version-$quota in
    1-max) echo -1 >"$group/cpu.cfs_quota_us" ;;
    1-*) echo 100000 >"$group/cpu.cfs_period_us" && echo "$quota" >"$group/cpu.cfs_quota_us" ;;
    2-*) enable_cpu && echo "$quota 100000" >"$group/cpu.max" ;;
    esac 2>/dev/null
}

restore_cpu() {
    local percent
    read -r percent 2>/dev/null <"$dir/v/$1/cpu" || return 0
    set_cpu "$1" "$percent"
}

lab_cpu() {
    local k percent=${2:-}
    [ $# = 2 ] || misuse "cpu wants a node, and a percentage of one processor or \`max'"
    if [ "$percent" != max ]; then
        if ! percent=$(scaled "$percent" =1 %=1) || [ "$percent" -lt 1 ] || [ "$percent" -gt 100000 ]; then
            misuse "\`$2' is no percentage of one processor: try 50%, or max"
        fi
    fi
    take_lock
    need_lab
    k=$(node "$1") || exit
    need_running "$k"
    set_cpu "$k" "$percent" ||
        die "this system gives the lab no cpu cgroup: $CGROUPS must be writable, with the controller \`cpu' (version 1: mounted at $CGROUPS/cpu; version 2: in $CGROUPS/cgroup.controllers)"
    echo "$percent" >"$dir/v/$k/cpu"
}
