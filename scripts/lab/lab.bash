# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# lab.bash: up and down.
#
# All that a lab keeps is in $dir. $dir/up is its last file to come; without it the lab is half made, or
# half gone, and may be swept away.

need_programs() {
    local program missing=()
    for program in ip nsenter ssh ssh-keygen mpirun flock setsid; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    command -v sshd >/dev/null || [ -x /usr/sbin/sshd ] || missing+=(sshd)
    [ ${#missing[@]} = 0 ] ||
        die "missing: ${missing[*]}; on Debian: apt-get install iproute2 util-linux openssh-client openssh-server openmpi-bin"
}

need_namespaces() {
    local said
    said=$(unshare -n -u -i -p -m -f true 2>&1) ||
        die "this system refuses namespaces ($said); in a container, start that with --privileged"
}

# check: can there be a lab here?
lab_check() {
    need_programs
    need_namespaces
    [ -w "$(dirname "$labs")" ] || die "cannot write to $(dirname "$labs")"
}

# ---- files ---------------------------------------------------------------------------------------

write_files() {
    local k slots=$1 openmpi=/etc/openmpi/openmpi-mca-params.conf
    ssh-keygen -q -t ed25519 -N '' -C "byre lab $name" -f "$dir/id" &&
        ssh-keygen -q -t ed25519 -N '' -C "byre lab $name" -f "$dir/host_key" || return 1
    {
        echo '127.0.0.1 localhost'
        for ((k = 1; k <= vertices; k++)); do
            echo "$(address_of "$k") $(name_of "$k")"
        done
    } >"$dir/hosts"
    (umask 077 && echo 'root:*:20000:0:99999:7:::' >"$dir/shadow")
    for ((k = 1; k <= nodes; k++)); do
        echo "n$k slots=$slots"
    done >"$dir/hostfile"
    cat >"$dir/sshd_config" <<END
AddressFamily inet
HostKey $dir/host_key
AuthorizedKeysFile $dir/id.pub
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
MaxStartups 500
MaxSessions 500
AcceptEnv *
SetEnv OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 BYRE_CORES=$(cores_of_node) "PATH=$PATH:${helpers%/*}"
END
    cat >"$dir/ssh_config" <<END
Host *
  IdentityFile $dir/id
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
  BatchMode yes
  ConnectTimeout 10
  KexAlgorithms curve25519-sha256
  Ciphers aes128-gcm@openssh.com
  SendEnv BYRE_LAB BYRE_LAB_RUN BYRE_TEST_ID LD_LIBRARY_PATH
END
    # What the host's own file says stays, except what the lab must say: a parameter twice is an error.
    {
        [ ! -e $openmpi ] || grep -v '^ *#' $openmpi | grep . |
            grep -vE '^ *(orte_default_hostfile|plm_rsh_agent|plm_rsh_no_tree_spawn|oob_tcp_if_include|oob_tcp_if_exclude|btl_tcp_if_include|btl_tcp_if_exclude|oob_tcp_keepalive_time|oob_tcp_keepalive_intvl|oob_tcp_keepalive_probes|mpi_yield_when_idle|hwloc_base_binding_policy) *='
        cat <<END
orte_default_hostfile = $dir/hostfile
plm_rsh_agent = ssh -F $dir/ssh_config
plm_rsh_no_tree_spawn = 1
oob_tcp_if_include = 10.77.0.0/24
btl_tcp_if_include = 10.77.0.0/24
oob_tcp_keepalive_time = 10
oob_tcp_keepalive_intvl = 2
oob_tcp_keepalive_probes = 5
mpi_yield_when_idle = 1
hwloc_base_binding_policy = none
END
    } >"$dir/openmpi.conf"
}

# choose_shares DIR...: into $dir/shares: what of /tmp and /var/tmp all nodes shall see.
choose_shares() {
    local share
    shares=()
    # Byre itself, and where the user is: the programs to run are there, most likely.
    for share in "$@" "$(cd "$here/.." && pwd)" "$(cd "$helpers/../.." && pwd)" "$PWD"; do
        case $share in
        /tmp/* | /var/tmp/*) ;;
        *) continue ;;
        esac
        [[ " ${shares[*]} " == *" $share "* ]] || shares+=("$share")
    done
    printf '%s\n' ${shares[@]+"${shares[@]}"} >"$dir/shares"
}

# ---- up ------------------------------------------------------------------------------------------

lab_up() {
    local count='' spec='' slots='' asked=() plan k start=$EPOCHREALTIME
    while [ $# -gt 0 ]; do
        case $1 in
        --topology=* | --share=* | --slots=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
        --topology | --share | --slots)
            [ $# -ge 2 ] || misuse "$1 wants a value"
            case $1 in
            --topology) spec=$2 ;;
            --slots) slots=$2 ;;
            *) asked+=("$(cd "$2" 2>/dev/null && pwd)") ||
                die "there is no directory \`$2' to share" ;;
            esac
            shift ;;
        -*) misuse "unknown option $1 of up" ;;
        *)
            [ -z "$count" ] || misuse "up wants one number of nodes"
            count=$1 ;;
        esac
        shift
    done
    [ -z "$count" ] || [[ $count =~ ^[1-9][0-9]{0,3}$ ]] || misuse "\`$count' is no number of nodes"
    [[ ${slots:=$(nproc)} =~ ^[1-9][0-9]{0,3}$ ]] || misuse "\`$slots' is no number of slots"
    need_programs
    need_namespaces
    plan=$(make_plan "$count" "$spec") || exit
    take_lock
    [ ! -e "$dir/up" ] || up_already
    if [ -e "$dir" ]; then
        note "lab $name was left half made; what is left of it goes first"
        sweep
    fi
    trap 'note "up was interrupted; nothing is left"; sweep; drop_lock_file; exit 1' INT TERM HUP
    mkdir -p "$dir/v" "$dir/w"
    chmod 755 "$dir"
    printf '%s\n' "$plan" >"$dir/plan"
    load_plan
    choose_shares ${asked[@]+"${asked[@]}"}
    if ! write_files "$slots" || ! start_all; then
        sweep
        drop_lock_file
        die "lab $name did not come up"
    fi
    : >"$dir/up"
    trap - INT TERM HUP
    say_up "$start"
}

start_all() {
    local k
    for ((k = 1; k <= vertices; k++)); do
        spawn_vertex "$k" || return 1
    done
    if ! wire_all; then
        for ((k = 1; k <= vertices; k++)); do
            pid_of "$k" >/dev/null || node_failed "$k"
        done
        return 1
    fi
    for ((k = 1; k <= vertices; k++)); do
        await_vertex "$k" || return 1
    done
}

say_up() {
    LC_ALL=C awk -v from="${1/,/.}" -v to="${EPOCHREALTIME/,/.}" -v nodes="$nodes" -v topology="$topology" -v lab="$name" \
        'BEGIN { printf "lab %s: %d node%s, %s, up in %.1f s\n", lab, nodes, nodes == 1 ? "" : "s", topology, to - from }'
}

# The state of an earlier lab: does it live, or did the machine end it?
up_already() {
    local k
    load_plan
    for ((k = 1; k <= vertices; k++)); do
        ! pid_of "$k" >/dev/null ||
            die "lab $name is up already, with $nodes nodes ($topology); see: byre lab$(name_option) status, or end it: byre lab$(name_option) down"
    done
    note "lab $name died with an earlier run of this machine; what is left of it goes first"
    sweep
}

# ---- down ----------------------------------------------------------------------------------------

# sweep: everything of this lab goes, however much of it there is.
sweep() {
    local k pid pids=()
    if [ -e "$dir/plan" ]; then
        load_plan
        for ((k = 1; k <= vertices; k++)); do
            thaw "$k"
            ! pid=$(pid_of "$k") || pids+=("$pid")
        done
    fi
    mapfile -t -O ${#pids[@]} pids < <(machinery)
    [ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
    for pid in ${pids[@]+"${pids[@]}"}; do
        until_true 10 is_gone "$pid" || note "process $pid does not end"
    done
    remove_cgroups
    rm -rf "$dir"
}

lab_down() {
    local all=()
    [ $# -le 1 ] || misuse "down wants nothing, or --all"
    case ${1:-} in
    '') ;;
    --all)
        mapfile -t all < <(names_of_labs)
        [ ${#all[@]} -gt 0 ] || note "there is no lab"
        for name in ${all[@]+"${all[@]}"}; do
            dir=$labs/$name
            (down_one)
        done
        return ;;
    *) misuse "down wants nothing, or --all" ;;
    esac
    down_one
}

down_one() {
    if [ ! -e "$dir" ]; then
        note "there is no lab \`$name'; nothing to do"
        return
    fi
    take_lock
    sweep
    drop_lock_file
}
