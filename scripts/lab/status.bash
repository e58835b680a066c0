# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# status.bash: what there is.

names_of_labs() {
    local place
    for place in "$labs"/*/; do
        [ ! -d "$place" ] || basename "$place"
    done
}

lab_list() {
    local name dir
    for name in $(names_of_labs); do
        dir=$labs/$name
        if [ ! -e "$dir/up" ]; then
            printf '%-16s half made\n' "$name"
        else
            load_plan
            printf '%-16s %s\n' "$name" "$topology"
        fi
    done
}

state_of() {
    if ! pid_of "$1" >/dev/null; then
        [ -e "$dir/v/$1/crashed" ] && echo crashed || echo dead
    elif [ -e "$dir/v/$1/paused" ]; then
        echo paused
    elif [ -e "$dir/v/$1/cut" ]; then
        echo cut
    else
        echo up
    fi
}

# Decimal fractions: microseconds as milliseconds, millionths as percent, kbit as mbit.
fraction() {
    LC_ALL=C awk -v a="$1" -v b="$2" 'BEGIN { printf "%.10g", a / b }'
}

link_line() {
    local delay jitter loss rate how text=''
    read -r delay jitter loss rate <<<"$(shape_of "$1")"
    how=$(how_of "$1")
    [ "$delay" = 0 ] || text+=" delay $(fraction "$delay" 1000)ms"
    [ "$jitter" = 0 ] || text+=" jitter $(fraction "$jitter" 1000)ms"
    [ "$loss" = 0 ] || text+=" loss $(fraction "$loss" 10000)%"
    [ "$rate" = 0 ] || text+=" rate $(fraction "$rate" 1000)mbit"
    ! is_cut "$1" || text+=" cut"
    printf '%-6s %-6s %-9s%s\n' "$(name_of "${1%-*}")" "$(name_of "${1#*-}")" "$how" "$text"
}

link_json() {
    local delay jitter loss rate cut=false
    read -r delay jitter loss rate <<<"$(shape_of "$1")"
    ! is_cut "$1" || cut=true
    printf '{"ends": ["%s", "%s"], "carried_by": "%s", "delay_us": %d, "jitter_us": %d, "loss_percent": %s, "rate_kbit": %d, "cut": %s}' \
        "$(name_of "${1%-*}")" "$(name_of "${1#*-}")" "$(how_of "$1")" "$delay" "$jitter" \
        "$(fraction "$loss" 10000)" "$rate" "$cut"
}

# vertex_facts K: state, process 1, processes, load of a minute, share of a processor
vertex_facts() {
    local pid=0 processes=0 load=0.00 cpu=max
    if pid=$(pid_of "$1"); then
        processes=$(processes_of "$1" | wc -l)
        read -r load _ <"$dir/v/$1/loadavg"
    else
        pid=0
    fi
    [ ! -e "$dir/v/$1/cpu" ] || read -r cpu <"$dir/v/$1/cpu"
    echo "$(state_of "$1") $pid $processes $load $cpu"
}

lab_status() {
    local k state pid processes load cpu
    case ${1:-} in '' | --json) ;; *) misuse "status wants nothing, or --json" ;; esac
    need_lab
    if [ "${1:-}" = --json ]; then
        status_json
        return
    fi
    printf 'lab %s: %s\n\n%-7s %-12s %-8s %8s %10s %6s %5s\n' "$name" "$topology" \
        node address state 'pid' processes load cpu
    for ((k = 1; k <= vertices; k++)); do
        read -r state pid processes load cpu <<<"$(vertex_facts "$k")"
        [ "$cpu" = max ] || cpu+=%
        [ "$pid" != 0 ] || pid=- processes=- load=-
        printf '%-7s %-12s %-8s %8s %10s %6s %5s\n' "$(name_of "$k")" "$(address_of "$k")" \
            "$state" "$pid" "$processes" "$load" "$cpu"
    done
    printf '\n%-6s %-6s %-9s shape\n' link '' 'by'
    for k in ${links[@]+"${links[@]}"}; do
        link_line "$k"
    done
}

status_json() {
    local k state pid processes load cpu comma=
    printf '{"name": %s, "topology": "%s", "directory": %s, "nodes": [' \
        "$(json_string "$name")" "$topology" "$(json_string "$dir")"
    for ((k = 1; k <= vertices; k++)); do
        read -r state pid processes load cpu <<<"$(vertex_facts "$k")"
        [ "$cpu" != max ] || cpu=null
        printf '%s{"name": "%s", "address": "%s", "switch": %s, "state": "%s", "pid": %s, "processes": %d, "load": %s, "cpu_percent": %s}' \
            "$comma" "$(name_of "$k")" "$(address_of "$k")" \
            "$([ "$k" -gt "$nodes" ] && echo true || echo false)" "$state" \
            "$([ "$pid" != 0 ] && echo "$pid" || echo null)" "$processes" "$load" "$cpu"
        comma=', '
    done
    printf '], "links": ['
    comma=
    for k in ${links[@]+"${links[@]}"}; do
        printf '%s' "$comma"
        link_json "$k"
        comma=', '
    done
    printf ']}\n'
}
