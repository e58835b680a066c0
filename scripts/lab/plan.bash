# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# plan.bash: what is joined with what, and what everything is called.
#
# Vertices are numbered from 1, nodes first, then the switch of a star. Vertex k is called nk, or switch;
# its address is 10.77.0.k, or .254; a link to it is a device of its name in its neighbour, and the
# emulator's device for the same link is called nk~. The file $dir/plan is the output of the program
# `plan', which knows byre_topology(3).

MOST_NODES=64

# load_plan: from $dir/plan into topology nodes vertices links next[].
load_plan() {
    local what a b c
    links=()
    declare -gA next=()
    topology='' nodes=0 vertices=0
    while read -r what a b c; do
        case $what in
        topology) topology=$a nodes=$b vertices=$((b + c)) ;;
        link) links+=("$a-$b") ;;
        route) next[$a-$b]=$c ;;
        esac
    done <"$dir/plan"
    [ "$nodes" -gt 0 ]
}

# make_plan N TOPOLOGY: prints the plan; either may be empty.
make_plan() {
    local spec=$2 count=$1 said
    spec=${spec:-full}
    # A hypercube's number is its dimension here, unless it is the number of nodes that was asked for.
    if [[ $spec =~ ^hypercube:([0-9]+)$ ]] && [ "${BASH_REMATCH[1]}" != "$count" ]; then
        [ "${BASH_REMATCH[1]}" -le 6 ] ||
            die "a hypercube of ${BASH_REMATCH[1]} dimensions is too large: a lab has $MOST_NODES nodes at most (byre lab wants dimensions: hypercube:3 has 8 nodes)"
        spec=hypercube:$((1 << BASH_REMATCH[1]))
    fi
    case $spec in *:*) ;; *) spec=$spec:${count:-4} ;; esac
    said=$("$helpers/plan" "$spec" 2>&1) || misuse "$said"
    read -r _ topology nodes _ <<<"$said"
    if [ -n "$count" ] && [ "$nodes" != "$count" ]; then
        misuse "$topology has $nodes nodes, not $count: leave the number out, or change the topology"
    fi
    [ "$nodes" -le $MOST_NODES ] || die "$nodes nodes are too many: a lab has $MOST_NODES at most"
    printf '%s\n' "$said"
}

# ---- names ---------------------------------------------------------------------------------------

name_of() {
    if [ "$1" -le "$nodes" ]; then echo "n$1"; else echo switch; fi
}

address_of() {
    if [ "$1" -le "$nodes" ]; then echo "10.77.0.$1"; else echo 10.77.0.254; fi
}

# mac_of VERTEX NEIGHBOUR: of its end of their link.
mac_of() {
    printf '02:77:00:00:%02x:%02x\n' "$1" "$2"
}

# vertex NAME: its number, or the end of the command.
vertex() {
    case $1 in
    switch) [ "$vertices" -gt "$nodes" ] && echo "$vertices" && return ;;
    n[1-9]*) [[ ${1#n} =~ ^[0-9]{1,3}$ ]] && [ "${1#n}" -le "$nodes" ] && echo "${1#n}" && return ;;
    esac
    if [ "$vertices" -gt "$nodes" ]; then
        misuse "there is no \`$1' in lab $name: its nodes are n1 to n$nodes, and there is the switch"
    fi
    misuse "there is no \`$1' in lab $name: its nodes are n1 to n$nodes"
}

# node NAME: the same, and no switch.
node() {
    [ "$1" != switch ] || die "the switch is no node"
    vertex "$1"
}

# link_between A B: its name, the smaller number first; 1 if they are no neighbours.
link_between() {
    local a=$1 b=$2 link
    [ "$a" -lt "$b" ] || { a=$2 b=$1; }
    for link in "${links[@]}"; do
        [ "$link" = "$a-$b" ] && echo "$link" && return
    done
    return 1
}

neighbours() {
    local link
    for link in ${links[@]+"${links[@]}"}; do
        case $link in
        "$1"-*) echo "${link#*-}" ;;
        *-"$1") echo "${link%-*}" ;;
        esac
    done
}

# route A B: the names on the way.
route() {
    local at=$1
    printf '%s' "$(name_of "$at")"
    while [ "$at" != "$2" ]; do
        at=${next[$at-$2]}
        printf ' -> %s' "$(name_of "$at")"
    done
}

# need_lab: the lab must be up; loads its plan.
need_lab() {
    [ -e "$dir/up" ] ||
        die "there is no lab \`$name'; start it with: byre lab$(name_option) up 4"
    load_plan || die "lab $name is damaged: byre lab$(name_option) down"
}

name_option() {
    [ "$name" = lab ] || printf ' --name %s' "$name"
}
