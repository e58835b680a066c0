#!/usr/bin/env bash
# The links are wired as `byre topology' says, for real: a packet that may be forwarded one time less than
# its route is long does not arrive, one that may be forwarded that often does; and a message comes by that
# way, too.
# time-limit: 180
. "$(dirname "$0")/lab.bash"

# hops TOPOLOGY FROM TO: what byre topology says; nodes are numbered from 1 here and from 0 there.
hops() {
    run_byre topology "$1" --json --route $(($2 - 1)) $(($3 - 1)) |
        sed -n 's/.*"route": \[\(.*\)\].*/\1/p' | awk -F, '{ print NF - 1 }'
}

# On a node: TO HOPS... as arguments. A packet's TTL is how often it may be sent: once for each hop.
cat >"$OUT/measure" <<'END'
while [ $# -gt 0 ]; do
    ping -n -q -c 1 -W 2 -t "$2" "$1" >/dev/null || echo "$1 cannot be reached by $2 hops"
    [ "$2" -le 1 ] || ! ping -n -q -c 1 -W 2 -t $(($2 - 1)) "$1" >/dev/null || echo "$1 is nearer than $2 hops"
    shift 2
done
END

# forwarded NODE: packets that it has passed on.
forwarded() {
    # shellcheck disable=SC2016 # for awk
    on "$1" awk '/^Ip:/ && $7 ~ /^[0-9]/ { print $7 }' /proc/net/snmp
}

# check_hops UP_ARGUMENTS TOPOLOGY NODES FROM...
check_hops() {
    local arguments=$1 topology=$2 nodes=$3 from to said pairs longest=0 count=0 h
    shift 3
    # shellcheck disable=SC2086 # words
    lab up $arguments --share "$OUT" >/dev/null || fail "up $arguments"
    lab status --json | grep -q "\"topology\": \"$topology\"" || fail "up $arguments is not $topology"
    for from in "$@"; do
        pairs=()
        for ((to = 1; to <= nodes; to++)); do
            [ "$to" != "$from" ] || continue
            h=$(hops "$topology" "$from" "$to")
            pairs+=("n$to" "$h")
            count=$((count + 1))
            [ "$h" -le "$longest" ] || longest=$h
        done
        said=$(on "n$from" bash "$OUT/measure" "${pairs[@]}")
        [ -z "$said" ] || fail "$topology, from n$from: $said"
    done
    expect "$topology: its diameter" \
        "$(run_byre topology "$topology" --json | sed 's/.*"diameter": \([0-9]*\).*/\1/')" "$longest"
    printf 'ok: %s, %d routes, up to %d hops\n' "$topology" $count "$longest"
}

check_hops "5 --topology ring" ring:5 5 1 3
before=$(forwarded n2)
lab_mpirun -n 2 --host n1,n3 "$BYRE_OBJ/tests/mpi/send_recv" >"$WORK/log" 2>&1 || {
    cat "$WORK/log"
    fail "send_recv over two hops"
}
after=$(forwarded n2)
[ "$after" -gt $((before + 100)) ] || fail "n2 forwarded only $((after - before)) packets of a job of n1 and n3"
echo "ok: n2 forwarded $((after - before)) packets of a job of n1 and n3"
lab down
check_hops "--topology grid:2x3" grid:2x3 6 1 2
lab down
check_hops "--topology torus:3x3" torus:3x3 9 1 5
lab down
check_hops "8 --topology cube" cube:2x2x2 8 1 6
lab down
check_hops "--topology hypercube:3" hypercube:8 8 1 4
lab down
check_hops "4 --topology star" star:4 4 1 2 3 4
lab down
check_hops "" full:4 4 1 2 3 4
