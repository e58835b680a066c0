# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# node.bash: to boot a vertex, which is a node or the switch, and to stop it.
#
#   $dir/v/K/pid       its process 1, as a number out here and the time of its start
#   $dir/v/K/ready     inside.bash has come to its end
#   $dir/v/K/log       what went wrong, if something did
#   $dir/v/K/crashed   it was crashed on purpose

pid_of() {
    recall "$dir/v/$1/pid"
}

# spawn_vertex K: starts it; it has its namespaces when this returns, and the rest soon after.
spawn_vertex() {
    local k=$1 mine=$dir/v/$1 pid
    mkdir -p "$mine"
    rm -f "$mine/ready" "$mine/pid" "$mine/crashed" "$mine/paused"
    echo '0.00 0.00 0.00 1/1 1' >"$mine/loadavg"
    name_of "$k" >"$mine/hostname"
    pid=$(
        join_cgroups "$k"
        exec env -i ${BYRE_TEST_ID:+BYRE_TEST_ID="$BYRE_TEST_ID"} BYRE_LAB_INIT="$dir" HOME="$HOME" \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            "$helpers/spawn" bash "$here/lab/inside.bash" "$dir" "$k" "$(name_of "$k")" "$helpers" \
            ${shares[@]+"${shares[@]}"} 2>"$mine/log" </dev/null {lock}>&-
    ) && remember "$pid" "$mine/pid" && return
    node_failed "$k"
}

node_failed() {
    note "$(name_of "$1") did not start:"
    tail -n 5 "$dir/v/$1/log" >&2
    return 1
}

# Listens on port 22, whatever the address: in the table of its own network.
sshd_listens() {
    grep -q '^ *[0-9]*: [0-9A-F]*:0016 [0-9A-F:]* 0A' "/proc/$1/net/tcp" 2>/dev/null
}

# Is it so far, or will it never be?
settled() {
    local pid
    [ -e "$dir/v/$1/ready" ] || is_gone "$2" && { [ "$1" -gt "$nodes" ] || sshd_listens "$2" || is_gone "$2"; }
}

await_vertex() {
    local k=$1 pid
    read -r pid _ <"$dir/v/$k/pid" || return 1
    if ! until_true 20 settled "$k" "$pid" || is_gone "$pid"; then
        node_failed "$k"
        return 1
    fi
}

# stop_vertex K: kills all of its processes; the kernel takes the namespaces, mounts and links away.
stop_vertex() {
    local pid
    pid=$(pid_of "$1") || return 0
    # A frozen process dies only when it thaws.
    thaw "$1"
    kill -KILL "$pid"
    until_true 10 is_gone "$pid" || note "process $pid of $(name_of "$1") does not end"
    rm -f "$dir/v/$1/pid" "$dir/v/$1/ready"
}

need_running() {
    pid_of "$1" >/dev/null || die "$(name_of "$1") is down; start it with: byre lab$(name_option) boot $(name_of "$1")"
}

lab_crash() {
    local k how=${2:-}
    case $#-$how in 1-* | 2---halt) ;; *) misuse "crash wants a node, and --halt or nothing" ;; esac
    take_lock
    need_lab
    k=$(node "$1") || exit
    pid_of "$k" >/dev/null || die "$1 is down already"
    : >"$dir/v/$k/crashed"
    # A machine without power says nothing any more. A process that is killed does: the kernel closes its
    # connections. So first the links, then the processes.
    [ "$how" = --halt ] || unplug_vertex "$k"
    stop_vertex "$k"
    unwire_vertex "$k"
}

lab_boot() {
    local k
    [ $# = 1 ] || misuse "boot wants a node"
    take_lock
    need_lab
    k=$(node "$1") || exit
    ! pid_of "$k" >/dev/null || die "$1 is running"
    shares=()
    [ ! -s "$dir/shares" ] || mapfile -t shares <"$dir/shares"
    unwire_vertex "$k"
    spawn_vertex "$k" && wire_vertex "$k" && await_vertex "$k" || exit 1
    restore_cpu "$k"
}
