# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# wiring.bash: links, addresses, routes.
#
# A link is one veth pair, its ends in the two vertices' network namespaces; the host's network has no part
# in it. A vertex has one address. It belongs to no link but to a device `node' that is joined with nothing,
# so it is the same whichever link a packet comes by, and Open MPI, which counts devices with addresses,
# sees one network. Every vertex forwards packets and has a route to each other vertex, by the neighbour
# that byre_topology(3) names: so a message that goes over k links is stored and forwarded k - 1 times.
#
# What no route is for goes to `node', which is to say nowhere, in silence: as a packet to a machine that
# is switched off. The ends know each other's Ethernet addresses: ARP would need answers, which lossy
# links lose.

# in_net PID COMMAND...
in_net() {
    nsenter -t "$1" -n "${@:2}"
}

# device_to K J: of vertex K's devices the one that now leads to its neighbour J.
device_to() {
    local link
    link=$(link_between "$1" "$2")
    if [ "$(how_of "$link")" = emulator ]; then
        echo "$(name_of "$2")~"
    else
        name_of "$2"
    fi
}

# For ip -batch: a new link. Both ends are made where they belong.
link_commands() {
    local a=${1%-*} b=${1#*-}
    printf 'link add name %s netns %s address %s type veth peer name %s netns %s address %s\n' \
        "$(name_of "$b")" "$(pid_of "$a")" "$(mac_of "$a" "$b")" \
        "$(name_of "$a")" "$(pid_of "$b")" "$(mac_of "$b" "$a")"
}

# For ip -batch in vertex K, new: its address.
address_commands() {
    local k=$1 kind
    # `dummy' is a device for this; a bridge without ports does the same where the kernel has no dummy.
    for kind in dummy bridge; do
        in_net "$(pid_of "$k")" ip link add node type $kind 2>/dev/null && break
    done
    echo "link set lo up"
    echo "link set node arp off up"
    echo "addr replace $(address_of "$k")/24 dev node"
}

# For ip -batch in vertex K: its ends of links to living neighbours, and the routes by them; only by
# neighbour J if that is given.
route_commands() {
    local k=$1 only=${2:-} j to to_address
    declare -A device=()
    for j in $(neighbours "$k"); do
        [ -z "$only" ] || [ "$j" = "$only" ] || continue
        pid_of "$j" >/dev/null || continue
        device[$j]=$(device_to "$k" "$j")
        echo "link set $(name_of "$j") up"
        echo "neigh replace $(address_of "$j") lladdr $(mac_of "$j" "$k") dev $(name_of "$j") nud permanent"
    done
    for ((to = 1; to <= vertices; to++)); do
        [ "$to" != "$k" ] || continue
        j=${next[$k-$to]}
        [ -n "${device[$j]:-}" ] || continue
        to_address=$(address_of "$to")
        echo "route replace $to_address/32 via $(address_of "$j") dev ${device[$j]} onlink src $(address_of "$k")"
    done
}

# run_ip K: standard input is for ip -batch in vertex K. Devices that are new get the settings of a router.
run_ip() {
    local pid
    pid=$(pid_of "$1") || return
    # shellcheck disable=SC2016 # for the shell in there
    in_net "$pid" bash -c '
        cd /proc/sys/net || exit 1
        for file in ipv6/conf/*/disable_ipv6; do [ ! -e $file ] || echo 1 >$file; done 2>/dev/null
        echo 1 >ipv4/ip_forward
        for file in ipv4/conf/*/rp_filter; do echo 0 >$file; done
        for file in ipv4/conf/*/send_redirects; do echo 0 >$file; done
        exec ip -batch -'
}

# wire_all: a new lab.
wire_all() {
    local link k jobs=()
    for link in ${links[@]+"${links[@]}"}; do
        link_commands "$link"
    done | in_net "$(pid_of 1)" ip -batch - || return 1
    for ((k = 1; k <= vertices; k++)); do
        { address_commands "$k" && route_commands "$k"; } | run_ip "$k" &
        jobs+=($!)
    done
    for k in ${jobs[@]+"${jobs[@]}"}; do
        wait "$k" || return 1
    done
}

# wire_vertex K: one that has booted again.
wire_vertex() {
    local k=$1 j link
    for j in $(neighbours "$k"); do
        pid_of "$j" >/dev/null && link_commands "$(link_between "$k" "$j")"
    done | in_net "$(pid_of "$k")" ip -batch - || return 1
    address_commands "$k" | run_ip "$k" || return 1
    for j in $(neighbours "$k"); do
        pid_of "$j" >/dev/null || continue
        link=$(link_between "$k" "$j")
        # Its shape belongs to the link, not to the boot.
        apply_shape "$link" || return 1
        route_commands "$j" "$k" | run_ip "$j" || return 1
    done
    route_commands "$k" | run_ip "$k"
}

# unplug_vertex K: all of its links go dead at once.
unplug_vertex() {
    local k=$1 pid j
    pid=$(pid_of "$k") || return 0
    for j in $(neighbours "$k"); do
        echo "link set $(name_of "$j") down"
        [ "$(how_of "$(link_between "$k" "$j")")" != emulator ] || echo "link set $(name_of "$j")~ down"
    done | in_net "$pid" ip -force -batch - 2>/dev/null
}

# unwire_vertex K: K is down; the emulator lets go of its devices. Links of the kernel have gone with it,
# but not at once: the kernel cleans up behind a namespace when it finds the time.
unwire_vertex() {
    local k=$1 j pid link
    for j in $(neighbours "$k"); do
        link=$(link_between "$k" "$j")
        release_end "$link" "$k"
        pid=$(pid_of "$j") || continue
        in_net "$pid" ip link del "$(name_of "$k")" 2>/dev/null
    done
    return 0
}
