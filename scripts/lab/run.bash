# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# run.bash: commands on nodes, and an mpirun that does not end by itself.
#
# When a node fails, Open MPI's mpirun may wait for its daemon there for ever, after all ranks have ended.
# So a second process watches a run: as soon as a node is not what it was when the run began, it looks
# whether ranks are left on sound nodes, and if none are, it ends mpirun. While all is well it costs a look
# at a few files twice a second, and starts no program.
#
# What belongs to a run, on any node, carries BYRE_LAB_RUN in its environment: ssh hands it on.

RUN_ENDED=123 # exit statuses: mpirun was ended; the time was up, as with timeout(1)
RUN_TIMEOUT=124

# Every node sees all processors of the machine, which it shares with the others: so many it can count on.
cores_of_node() {
    echo $(($(nproc) / nodes))
}

# enter K COMMAND...: becomes the command, on node K, in the same directory.
enter() {
    local k=$1 pid
    shift
    pid=$(pid_of "$k") || die "$(name_of "$k") is down"
    [ -d "/proc/$pid/root$PWD" ] ||
        die "nodes cannot see the directory $PWD: they have a /tmp and a /run of their own. Start the lab with --share $PWD"
    join_cgroups "$k"
    # Places that the host has and the node has not.
    unset TMPDIR OMPI_MCA_btl_vader_backing_directory
    export PATH=$PATH:${helpers%/*} # byre's own programs, also under sudo
    export BYRE_LAB=$name BYRE_LAB_NODE BYRE_LAB_HOSTFILE=$dir/hostfile
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export BYRE_CORES=${BYRE_CORES:-$(cores_of_node)}
    BYRE_LAB_NODE=$(name_of "$k")
    # A shell starts what runs beside it with the signals of the keyboard ignored.
    exec nsenter -t "$pid" -m -u -i -n -p --wdns="$PWD" env --default-signal=INT,QUIT "$@"
}

need_awake() {
    need_running "$1"
    [ ! -e "$dir/v/$1/paused" ] ||
        die "$(name_of "$1") is paused; let it go on with: byre lab$(name_option) resume $(name_of "$1")"
}

lab_sh() {
    local k=1
    need_lab
    if [ $# -gt 0 ]; then
        k=$(node "$1") || exit
        shift
    fi
    need_awake "$k"
    [ $# -gt 0 ] || set -- "${SHELL:-/bin/bash}"
    enter "$k" "$@"
}

# ---- what belongs to a run -----------------------------------------------------------------------

pids_of_files() {
    local file
    while read -r file; do
        file=${file#/proc/}
        echo "${file%/environ}"
    done
}

run_processes() {
    grep -lsz "^BYRE_LAB_RUN=$BYRE_LAB_RUN\$" /proc/[0-9]*/environ 2>/dev/null | pids_of_files
}

run_ranks() {
    run_processes | sed 's|.*|/proc/&/environ|' |
        xargs -r grep -lsz '^OMPI_COMM_WORLD_RANK=' 2>/dev/null | pids_of_files
}

# The part of a run that is Open MPI's: ranks, daemons, mpirun. A script that called mpirun goes on.
job_processes() {
    local pid word
    run_ranks
    for pid in $(run_processes); do
        read -r word 2>/dev/null <"/proc/$pid/comm" || continue
        case $word in mpirun | mpiexec | orterun | oshrun | orted) echo "$pid" ;; esac
    done
}

# end_processes LISTER: asks what it lists to end, and a second later does not ask.
end_processes() {
    local pids
    pids=$("$1")
    # shellcheck disable=SC2086 # its words
    [ -z "$pids" ] || kill -TERM $pids 2>/dev/null
    until_true 1 nothing_of "$1" || kill_processes "$1"
}

# mpirun gets no chance to end in an orderly way, which it fails to do when a node is gone.
kill_processes() {
    local pids
    pids=$("$1")
    # shellcheck disable=SC2086 # its words
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null
}

nothing_of() {
    [ -z "$("$1")" ]
}

# ---- the watch -----------------------------------------------------------------------------------

# sound K: the node is what it was when the run began, and can be reached. No program is started.
sound() {
    local now=
    read -r now 2>/dev/null <"$dir/v/$1/pid"
    [ "$now" = "${began[$1]:-}" ] && [ -n "$now" ] && [ -d "/proc/${now% *}" ] &&
        [ ! -e "$dir/v/$1/cut" ] && [ ! -e "$dir/v/$1/paused" ]
}

unsound_node() {
    local k
    for ((k = 1; k <= nodes; k++)); do
        [ -z "${began[$k]:-}" ] || sound "$k" || { name_of "$k" && return; }
    done
    return 1
}

# Is there an mpirun without a rank on a sound node?
mpirun_alone() {
    local pid k space spaces=' '
    job_processes | grep -q . || return 1
    for ((k = 1; k <= nodes; k++)); do
        ! sound "$k" || spaces+="$(readlink "/proc/${began[$k]% *}/ns/pid") "
    done
    for pid in $(run_ranks); do
        space=$(readlink "/proc/$pid/ns/pid") || continue
        [[ $spaces != *" $space "* ]] || return 1
    done
}

# watch SECONDS: ends the run when its time is up (0: never), or its mpirun when that is left alone. Starts
# when the ranks are there, so that a slow start is not taken for an end.
watch_run() {
    local deadline=$1 who seen='' alone=0 never
    exec {never}<> <(:)
    while :; do
        read -r -t 0.5 -u "$never"
        if [ "$deadline" -gt 0 ] && [ $SECONDS -ge "$deadline" ]; then
            : >"$dir/ending-$BYRE_LAB_RUN"
            note "the time of $deadline s is up"
            end_processes run_processes
            exit $RUN_TIMEOUT
        fi
        who=$(unsound_node) || { alone=0 && continue; }
        [ -n "$seen" ] || nothing_of run_ranks || seen=1
        if mpirun_alone; then alone=$((alone + 1)); else alone=0; fi
        # Three seconds, in which it may end by itself; or ten for a job that has not been seen yet.
        if [ $alone -ge 20 ] || { [ -n "$seen" ] && [ $alone -ge 6 ]; }; then
            : >"$dir/ending-$BYRE_LAB_RUN"
            note "$who failed, and mpirun did not end with its ranks: ended it"
            kill_processes job_processes
            exit $RUN_ENDED
        fi
    done
}

# ---- run -----------------------------------------------------------------------------------------

lab_run() {
    local k=1 limit=0 child watcher status result signal=''
    need_lab
    while [ $# -gt 0 ]; do
        case $1 in
        --on=* | --timeout=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
        --on)
            k=$(node "${2:-}") || exit
            shift 2 ;;
        --timeout)
            limit=$(scaled "${2:-}" =1 s=1 m=60) || misuse "--timeout wants seconds"
            shift 2 ;;
        --)
            shift
            break ;;
        -*) misuse "unknown option $1 of run" ;;
        *) break ;;
        esac
    done
    [ $# -gt 0 ] || misuse "run wants a command"
    need_awake "$k"
    began=()
    for ((status = 1; status <= nodes; status++)); do
        read -r "began[$status]" 2>/dev/null <"$dir/v/$status/pid"
    done
    SECONDS=0
    export BYRE_LAB_RUN=$name-$$-$RANDOM
    trap 'signal=TERM' TERM HUP
    trap 'signal=${signal:+TERM}${signal:-INT}' INT
    (enter "$k" "$@") <&0 &
    child=$!
    watch_run "$limit" &
    watcher=$!
    while :; do
        wait $child 2>/dev/null
        status=$?
        case $signal in
        '') break ;;
        INT) is_gone $child && break ;; # it has got the signal as well, from the keyboard
        *)
            end_processes run_processes
            wait $child 2>/dev/null
            status=143
            break ;;
        esac
    done
    # The watch ends by itself if it is just ending the run; its status tells then.
    [ -e "$dir/ending-$BYRE_LAB_RUN" ] || kill $watcher 2>/dev/null
    wait $watcher 2>/dev/null
    result=$?
    case $result in "$RUN_ENDED" | "$RUN_TIMEOUT") status=$result ;; esac
    rm -f "$dir/ending-$BYRE_LAB_RUN"
    # Without mpirun its daemons and ranks on other nodes are lost.
    kill_processes job_processes
    exit $status
}
