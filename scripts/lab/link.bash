# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# link.bash: slow, lossy, narrow and cut links, while jobs run.
#
#   $dir/w/A-B/shape   delay and jitter in microseconds, loss in millionths, rate in kbit/s; each way
#   $dir/w/A-B/cut     the link itself was cut; a vertex that was cut off has $dir/v/K/cut
#   $dir/w/A-B/how     what carries it now: veth, netem, emulator
#
# A link without a shape is the veth pair alone. Otherwise the kernel's netem is put onto both of its ends.
# A kernel without netem gets the emulator (wire.c): a second device at each end, to which the routes are
# turned, one after the other and each in one step, so that connections live on. When the shape goes, the
# routes turn back; what the emulator still has is delivered in time.

PLAIN='0 0 0 0'

shape_of() {
    local shape=$PLAIN
    [ ! -e "$dir/w/$1/shape" ] || read -r shape <"$dir/w/$1/shape"
    echo "$shape"
}

is_cut() {
    [ -e "$dir/w/$1/cut" ] || [ -e "$dir/v/${1%-*}/cut" ] || [ -e "$dir/v/${1#*-}/cut" ]
}

how_of() {
    local how=veth
    [ ! -e "$dir/w/$1/how" ] || read -r how <"$dir/w/$1/how"
    echo "$how"
}

set_how() {
    mkdir -p "$dir/w/$1"
    echo "$2" >"$dir/w/$1/how"
}

# shaper: netem or emulator; found out once.
shaper() {
    local how=${BYRE_LAB_SHAPER:-} k pid
    if [ -z "$how" ] && [ -e "$dir/shaper" ]; then
        read -r how <"$dir/shaper"
    fi
    if [ -z "$how" ]; then
        how=emulator
        for ((k = 1; k <= vertices; k++)); do
            pid=$(pid_of "$k") || continue
            if in_net "$pid" tc qdisc add dev lo root netem delay 1us 2>/dev/null; then
                in_net "$pid" tc qdisc del dev lo root
                how=netem
            fi
            break
        done
        echo "$how" >"$dir/shaper"
        [ $how = netem ] ||
            note "this kernel has no netem; links with a shape are carried by a program (byre lab's emulator)"
    fi
    echo "$how"
}

# ---- the emulator --------------------------------------------------------------------------------

wire_tell() {
    "$helpers/wire" tell "$dir/wire.socket" "$@"
}

wire_answers() {
    wire_tell shape none 0 0 0 0 0 2>/dev/null
}

start_emulator() {
    recall "$dir/wire.pid" >/dev/null && return
    [ -c /dev/net/tun ] || die "the kernel has neither netem nor /dev/net/tun; load one: modprobe sch_netem, or modprobe tun"
    (: <>/dev/net/tun) 2>/dev/null || die "/dev/net/tun may not be opened, and links get a shape by it: be root, or ask root for chmod 666 /dev/net/tun"
    BYRE_LAB_INIT=$dir setsid "$helpers/wire" serve "$dir/wire.socket" \
        </dev/null >/dev/null 2>"$dir/wire.log" {lock}>&- &
    remember $! "$dir/wire.pid"
    until_true 5 wire_answers || die "the emulator of links did not start: $(tail -n 1 "$dir/wire.log")"
}

# release_end LINK VERTEX: the vertex is down.
release_end() {
    recall "$dir/wire.pid" >/dev/null || return 0
    wire_tell unplug "$1" "$(end_of "$1" "$2")"
}

end_of() {
    if [ "${1%-*}" = "$2" ]; then echo 0; else echo 1; fi
}

# plug LINK VERTEX NEIGHBOUR: the second device, if it is not there yet.
plug() {
    local pid device
    pid=$(pid_of "$2") || return 0
    device=$(name_of "$3")~
    in_net "$pid" ip link show dev "$device" >/dev/null 2>&1 && return
    wire_tell plug "$1" "$(end_of "$1" "$2")" "$pid" "$device"
}

# ---- a shape becomes true ------------------------------------------------------------------------

apply_by_emulator() {
    local link=$1 a=${1%-*} b=${1#*-} cut=$6
    start_emulator
    # shellcheck disable=SC2086 # four numbers
    wire_tell shape "$link" "$2" "$3" "$4" "$5" "$cut" || return 1
    plug "$link" "$a" "$b" && plug "$link" "$b" "$a" || return 1
    [ "$(how_of "$link")" = emulator ] && return
    set_how "$link" emulator
    turn_routes "$link"
}

# turn_routes LINK: to the devices that carry it now.
turn_routes() {
    local a=${1%-*} b=${1#*-}
    pid_of "$a" >/dev/null && pid_of "$b" >/dev/null || return 0
    route_commands "$a" "$b" | run_ip "$a" && route_commands "$b" "$a" | run_ip "$b"
}

apply_by_netem() {
    local link=$1 a=${1%-*} b=${1#*-} loss pid words=(limit 20000)
    [ "$2" = 0 ] || words+=(delay "$2us")
    [ "$2" = 0 ] || [ "$3" = 0 ] || words+=("$3us")
    loss=$(LC_ALL=C awk -v ppm="$4" 'BEGIN { printf "%.4f", ppm / 10000 }')
    [ "$4" = 0 ] || words+=(loss "$loss%")
    [ "$5" = 0 ] || words+=(rate "${5}kbit")
    [ "$6" = 0 ] || words+=(loss "100%")
    for pid in "$a $b" "$b $a"; do
        read -r a b <<<"$pid"
        pid=$(pid_of "$a") || continue
        # A packet is a packet: none of 64 KiB that is cut into pieces only behind netem.
        in_net "$pid" ip link set dev "$(name_of "$b")" gso_max_segs 1 2>/dev/null
        in_net "$pid" tc qdisc replace dev "$(name_of "$b")" root netem "${words[@]}" || return 1
    done
    set_how "$link" netem
}

apply_plain() {
    local link=$1 a=${1%-*} b=${1#*-} pair pid
    case $(how_of "$link") in
    emulator)
        set_how "$link" veth
        wire_tell shape "$link" 0 0 0 0 0 && turn_routes "$link" ;;
    netem)
        set_how "$link" veth
        for pair in "$a $b" "$b $a"; do
            read -r a b <<<"$pair"
            pid=$(pid_of "$a") || continue
            in_net "$pid" tc qdisc del dev "$(name_of "$b")" root 2>/dev/null
            in_net "$pid" ip link set dev "$(name_of "$b")" gso_max_segs 65535 2>/dev/null
        done
        return 0 ;;
    esac
}

# apply_shape LINK: makes true what its files and those of its ends say.
apply_shape() {
    local shape cut=0
    shape=$(shape_of "$1")
    ! is_cut "$1" || cut=1
    if [ "$shape $cut" = "$PLAIN 0" ]; then
        apply_plain "$1"
    else
        # shellcheck disable=SC2086 # four numbers
        apply_by_"$(shaper)" "$1" $shape $cut
    fi
}

# ---- commands ------------------------------------------------------------------------------------

# links_named WORD...: into chosen[]. `all'; a vertex: all of its links; two neighbours: theirs.
links_named() {
    local a b j
    chosen=()
    case $#-${1:-} in
    1-all) chosen=(${links[@]+"${links[@]}"}) ;;
    1-*)
        a=$(vertex "$1") || exit
        for j in $(neighbours "$a"); do
            chosen+=("$(link_between "$a" "$j")")
        done ;;
    2-*)
        a=$(vertex "$1") && b=$(vertex "$2") || exit
        [ "$a" != "$b" ] || misuse "$1 has no link to itself"
        chosen=("$(link_between "$a" "$b")") ||
            die "$1 and $2 are no neighbours in $topology; the way is $(route "$a" "$b"). Name one of its links, or all links of a node: byre lab$(name_option) $command $1" ;;
    *) misuse "$command wants a node, or two neighbours" ;;
    esac
}

lab_link() {
    local words=() delay='' jitter='' loss='' rate='' clear='' change='' link number key
    while [ $# -gt 0 ]; do
        case $1 in
        --clear) clear=1 change=1 ;;
        --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
        --delay | --jitter | --loss | --rate)
            [ $# -ge 2 ] || misuse "$1 wants a value"
            change=1 key=${1#--}
            case $key in
            delay | jitter) number=$(scaled "$2" us=1 ms=1000 s=1000000 =1000000) ||
                misuse "\`$2' is no time: try 200us, or 1ms" ;;
            loss)
                if ! number=$(scaled "$2" %=10000 =10000) || [ "$number" -gt 1000000 ]; then
                    misuse "\`$2' is no loss: try 1%"
                fi ;;
            rate) number=$(scaled "$2" kbit=1 mbit=1000 gbit=1000000 bit=0.001) ||
                misuse "\`$2' is no rate: try 100mbit" ;;
            esac
            printf -v "$key" %s "$number"
            shift ;;
        -*) misuse "unknown option $1 of link" ;;
        *) words+=("$1") ;;
        esac
        shift
    done
    [ -z "$jitter" ] || [ "$jitter" = 0 ] || [ -n "$delay" ] || misuse "--jitter wants a --delay to vary"
    if [ -n "$change" ]; then take_lock; fi
    need_lab
    links_named ${words[@]+"${words[@]}"}
    for link in ${chosen[@]+"${chosen[@]}"}; do
        if [ -n "$change" ]; then
            set_shape "$link" || die "link $link could not be shaped"
        else
            link_line "$link"
        fi
    done
}

# set_shape LINK: the options of lab_link, which are its locals here; what was not given stays.
set_shape() {
    local old=$PLAIN old_delay old_jitter old_loss old_rate
    [ -n "$clear" ] || old=$(shape_of "$1")
    read -r old_delay old_jitter old_loss old_rate <<<"$old"
    mkdir -p "$dir/w/$1"
    echo "${delay:-$old_delay} ${jitter:-$old_jitter} ${loss:-$old_loss} ${rate:-$old_rate}" >"$dir/w/$1/shape"
    apply_shape "$1"
}

# mark_cut 1|0 WORD...
mark_cut() {
    local cut=$1 file k link
    shift
    take_lock
    need_lab
    links_named "$@"
    case $#-$1 in
    1-all)
        [ "$cut" = 0 ] || misuse "cut wants a node, or two neighbours"
        rm -f "$dir"/v/*/cut "$dir"/w/*/cut ;;
    1-*)
        k=$(vertex "$1")
        file=$dir/v/$k/cut ;;
    *)
        mkdir -p "$dir/w/${chosen[0]}"
        file=$dir/w/${chosen[0]}/cut ;;
    esac
    if [ "$cut" = 1 ]; then
        : >"$file"
    elif [ -n "${file:-}" ]; then
        rm -f "$file"
    fi
    for link in ${chosen[@]+"${chosen[@]}"}; do
        apply_shape "$link" || die "link $link did not change"
    done
}

lab_cut() {
    mark_cut 1 "$@"
}

lab_heal() {
    mark_cut 0 "$@"
}
