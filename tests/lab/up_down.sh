#!/usr/bin/env bash
# Up and down: fast, each node a machine of its own, several labs at once, no mess after mistakes and
# crashes; and nothing outside the lab changes, or is left.
# time-limit: 120
. "$(dirname "$0")/lab.bash"

other() {
    "$BYRE_BIN/byre" lab --name "$lab_name-b" "$@"
}

# words: lines as one.
words() {
    paste -s -d ' '
}

# snapshot: of this machine, as far as a lab could change it.
snapshot() {
    ip -o link | sed 's/ qlen .*//'
    ip -o addr | sed 's/ valid_lft .*//'
    ip route show table all
    ip rule
    command -v nft >/dev/null && nft list ruleset
    cksum /etc/hosts /etc/hostname /etc/openmpi/* /etc/ssh/* ~/.ssh/* ~/.bashrc 2>/dev/null
    hostname
    cat /proc/self/mounts
    cat /proc/sys/net/ipv4/ip_forward
    find /sys/fs/cgroup -maxdepth 3 -name 'byre-lab*' 2>/dev/null
    find /run /tmp /var/tmp /dev/shm /etc -maxdepth 2 -name '*byre-lab*' 2>/dev/null
}

# Processes of these labs, wherever; the namespaces of processes that are.
left() {
    local pid
    for pid in $(pgrep -f "byre-lab/$lab_name"); do
        tr '\0' ' ' <"/proc/$pid/cmdline"
        echo
    done
    grep -lsz "^BYRE_LAB_INIT=.*/$lab_name" /proc/[0-9]*/environ
    grep -ls "byre-lab/$lab_name" /proc/[0-9]*/mounts
}

snapshot >"$WORK/before"

# ---- up ------------------------------------------------------------------------------------------

said=$(lab status 2>&1) && fail "status of no lab"
expect "no lab" "byre lab: there is no lab \`$lab_name'; start it with: byre lab --name $lab_name up 4" "$said"

start=$(now_s)
lab up 4 --share "$OUT" >"$WORK/up" || fail "up: $(cat "$WORK/up")"
took=$(awk -v a="$start" -v b="$(now_s)" 'BEGIN { printf "%.1f", b - a }')
cat "$WORK/up"
between 0 "$took" 5 || fail "up took $took s"

said=$(lab up 4 2>&1) && fail "up twice"
[[ $said = "byre lab: lab $lab_name is up already, with 4 nodes (full:4);"*"down" ]] || fail "up twice: $said"
other up 2 --topology ring >/dev/null || fail "a second lab"
lab list | grep -q "^$lab_name-b  *ring:2$" || fail "list: $(lab list)"

# ---- each node is a machine ----------------------------------------------------------------------

for k in 1 2 3 4; do
    expect "host name" "n$k" "$(on "n$k" hostname)"
    on "n$k" sh -c "echo $k >/tmp/mine && echo $k >/dev/shm/mine" || fail "n$k cannot write"
    on "n$k" ip -o -4 addr show dev node | grep -q "10.77.0.$k/24" || fail "address of n$k"
done
for k in 1 2 3 4; do
    expect "its own /tmp, /dev/shm" "$k $k" "$(on "n$k" cat /tmp/mine /dev/shm/mine | words)"
done
expect "init is process 1" 1 "$(on n2 pgrep -o -x init)"
expect "its own processes" "" "$(on n2 pgrep -x mpirun)"
on n1 sh -c '[ ! -e /run/byre-lab/'"$lab_name-b"' ]' || fail "n1 sees another lab"
expect "ssh" n3 "$(on n1 ssh n3 hostname)"
expect "between labs" "n2" "$(other sh n1 ssh n2 hostname)"
said=$(on n1 "$BYRE_BIN/byre" lab --name "$lab_name" down 2>&1) && fail "down from inside"
[[ $said = *"this is node n1"* ]] || fail "from inside: $said"

# ---- jobs ----------------------------------------------------------------------------------------

expect "run mpirun -N 1" "n1 n2 n3 n4" "$(lab_mpirun -N 1 hostname | sort | words)"
cp "/run/byre-lab/$lab_name/hostfile" "$OUT/hosts"
expect "mpirun --hostfile" "n1 n2 n3 n4" "$(lab_mpirun --hostfile "$OUT/hosts" -N 1 hostname | sort | words)"
lab_mpirun -n 8 --map-by ppr:2:node "$BYRE_OBJ/tests/mpi/nodes" >"$WORK/log" 2>&1 || {
    cat "$WORK/log"
    fail "the node map is not what MPI says"
}
if lab_mpirun -n 2 --map-by node --mca btl vader,self "$BYRE_OBJ/tests/mpi/send_recv" >/dev/null 2>&1; then
    fail "two nodes share memory"
fi
expect "exit status" 7 "$(lab run sh -c 'exit 7'; echo $?)"
expect "input and output" "abc" "$(echo abc | lab run --on n2 cat)"
start=$(now_s)
expect "--timeout" 124 "$(lab run --timeout 1 sleep 20 2>/dev/null; echo $?)"
between 0 "$(awk -v a="$start" -v b="$(now_s)" 'BEGIN { print b - a }')" 8 || fail "--timeout 1 took long"
(cd /tmp && lab run true) 2>/dev/null || fail "run in /tmp"
mkdir "$WORK/hidden"
said=$(cd "$WORK/hidden" && lab run true 2>&1) && fail "run in a directory that nodes cannot see"
[[ $said = *"cannot see the directory $WORK/hidden"*--share* ]] || fail "not said: $said"

# ---- status --------------------------------------------------------------------------------------

expect "lines of status" 4 "$(lab status | grep -c '^n[1-4]  *10\.77\.0\.[1-4]  *up ')"
if command -v python3 >/dev/null; then
    lab status --json | python3 -c '
import json, sys
lab = json.load(sys.stdin)
assert [n["name"] for n in lab["nodes"]] == ["n1", "n2", "n3", "n4"], lab
assert all(n["state"] == "up" and n["pid"] > 1 for n in lab["nodes"]), lab
assert len(lab["links"]) == 6 and not any(l["cut"] for l in lab["links"]), lab
' || fail "status --json"
fi

# ---- mistakes ------------------------------------------------------------------------------------

# misuse PART ARG...: refused with status 2, and PART is said.
misuse() {
    local part=$1 said status
    shift
    said=$(lab "$@" 2>&1)
    status=$?
    [ $status = 2 ] || fail "byre lab $*: status $status: $said"
    [[ $said = *"$part"* ]] || fail "byre lab $*: not said: $part, but: $said"
}
misuse "there is no command \`frobnicate'" frobnicate
misuse "is no number of nodes" up 0
misuse "4 nodes, not 5" up 5 --topology grid:2x2
misuse "is no topology" up --topology moebius:4
misuse "there is no \`n5'" crash n5
misuse "there is no \`switch'" link switch --delay 1ms
misuse "is no time" link n1 n2 --delay soon
misuse "is no loss" link n1 n2 --loss 200%
misuse "is no rate" link n1 n2 --rate fast
misuse "no percentage" cpu n1 lots
misuse "cannot be the name" --name ../x status
said=$(other link n1 n2 --delay 1ms 2>&1 && other link n2 n1) || fail "either order of names: $said"
other down || fail "down of the second lab"
other up 3 --topology star >/dev/null || fail "star"
said=$(other link n1 n2 --delay 1ms 2>&1) && fail "a link of two that are no neighbours"
[[ $said = *"n1 and n2 are no neighbours in star:3; the way is n1 -> switch -> n2"* ]] || fail "not said: $said"
other link n1 switch --delay 1ms || fail "the link to the switch"
other down || fail "down of the star"

# ---- down, and up after a crash ------------------------------------------------------------------

lab pause n3 || fail "pause"
lab link n1 n2 --delay 1ms || fail "link"
lab down || fail "down"
[ -z "$(left)" ] || fail "left behind: $(left)"
said=$(lab down 2>&1) || fail "down twice is no failure"
expect "down twice" "byre lab: there is no lab \`$lab_name'; nothing to do" "$said"
snapshot | diff "$WORK/before" - || fail "the machine is not as it was"

# The machine crashes: processes are gone, files are not.
lab up 2 >/dev/null || fail "up"
lab status --json | grep -o '"pid": [0-9]*' | grep -o '[0-9]*' | xargs kill -KILL
sleep 0.3
lab status | grep -q '^n1 .* dead ' || fail "status does not say dead"
said=$(lab up 2 2>&1) || fail "up after a crash: $said"
[[ $said = *"lab $lab_name died with an earlier run of this machine"*"up in"* ]] || fail "up after a crash: $said"
expect "works again" n2 "$(on n1 ssh n2 hostname)"
rm "/run/byre-lab/$lab_name/up" # it was killed before it had come up
said=$(lab up 2 2>&1) || fail "up after half an up: $said"
[[ $said = *"left half made"* ]] || fail "up after half an up: $said"
lab down || fail "down"
[ -z "$(left)" ] || fail "left behind: $(left)"
snapshot | diff "$WORK/before" - || fail "the machine is not as it was"

# Interrupted on the way up; and in the middle of a run.
lab up 16 >"$WORK/up" 2>&1 &
sleep 0.5
kill -TERM $!
wait $!
[ ! -e "/run/byre-lab/$lab_name" ] || lab down
[ -z "$(left)" ] || fail "left behind by an interrupted up: $(left)"
snapshot | diff "$WORK/before" - || fail "the machine is not as it was, after an interrupted up"

# An ordinary user is told.
if command -v setpriv >/dev/null; then
    said=$(setpriv --reuid 65534 --regid 65534 --clear-groups bash "$BYRE_SRCDIR/scripts/byre-lab" up 2 2>&1) &&
        fail "nobody may start labs"
    [[ $said = *root*sudo* ]] || fail "nobody is not told: $said"
fi
