#!/usr/bin/env bash
# Links become slow, lossy, narrow and cut; nodes pause, crash, boot and get less of the processor; jobs and
# connections that live through it go on.
# time-limit: 120
. "$(dirname "$0")/lab.bash"

lab up 3 --share "$OUT" >/dev/null || fail "up"

# times FROM TO COUNT: least and mean round trip in milliseconds, and loss in percent, of so many pings.
times() {
    on "$1" ping -n -q -c "$3" -i "${4:-0.01}" -W 1 "$2" >"$WORK/ping"
    sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p' "$WORK/ping" >"$WORK/loss"
    sed -n 's|^rtt min/avg/max/mdev = \([0-9.]*\)/\([0-9.]*\)/.*|\1 \2|p' "$WORK/ping" >"$WORK/rtt"
    read -r loss <"$WORK/loss"
    least='' mean=''
    read -r least mean <"$WORK/rtt"
}

times n1 n2 20
between 0 "$least" 1 || fail "a link without a shape takes $least ms"
echo "plain: $least ms at least, $mean on average"

# ---- shapes --------------------------------------------------------------------------------------

lab link n1 n2 --delay 5ms || fail "link --delay"
times n1 n2 20
between 10 "$least" 14 || fail "5 ms each way make $least ms"
echo "delay 5 ms: $least ms at least, $mean on average"
times n1 n3 5
between 0 "$least" 2 || fail "n1-n3 has no delay, but takes $least ms"
expect "what link says" "n1     n2     $(lab status --json | sed 's/.*"carried_by": "\([a-z]*\)", "delay_us": 5000.*/\1/')  delay 5ms" \
    "$(lab link n1 n2)"

lab link n1 n2 --clear --loss 20% || fail "link --loss"
times n1 n2 400 0.002
between 25 "$loss" 48 || fail "20% each way make a loss of $loss%, not 36%"
echo "loss 20% each way: $loss% of the round trips"

lab link n1 n2 --clear --rate 20mbit || fail "link --rate"
start=$(now_s)
on n1 bash -c 'head -c 2000000 /dev/zero | ssh n2 "cat >/dev/null"' || fail "ssh over 20 mbit"
took=$(awk -v a="$start" -v b="$(now_s)" 'BEGIN { print b - a }')
between 0.7 "$took" 4 || fail "2 MB took $took s with 20 mbit/s"
echo "rate 20 mbit: 2 MB in $took s"
lab link all --clear
times n1 n2 5
between 0 "$least" 1 || fail "after --clear it takes $least ms"

# ---- a connection lives through everything -------------------------------------------------------

# Numbers by ssh from n1 to n2, ten a second.
# shellcheck disable=SC2016 # for the shell there
on n1 bash -c 'ssh n2 "for ((i = 1; i <= 40; i++)); do echo \$i; sleep 0.1; done"' >"$OUT/numbers" &
numbers=$!
sleep 0.5
lab link n1 n2 --delay 2ms --loss 2% || fail "shape under way"
sleep 0.3
lab cut n1 n2 || fail "cut"
sleep 0.5
cut_at=$(wc -l <"$OUT/numbers")
sleep 0.5
expect "nothing comes over a cut link" "$cut_at" "$(wc -l <"$OUT/numbers")"
! on n2 ping -n -q -c 1 -W 0.3 n1 >/dev/null || fail "a cut link carries"
on n3 ping -n -q -c 1 -W 1 n1 >/dev/null || fail "another link is cut"
lab heal n1 n2 || fail "heal"
lab pause n2 || fail "pause"
lab status | grep -q '^n2 .* paused ' || fail "status does not say paused"
sleep 0.3
lab resume n2 || fail "resume"
lab link all --clear
wait $numbers || fail "ssh broke"
expect "all numbers have come" "$(seq 40)" "$(cat "$OUT/numbers")"
echo "ok: a connection lives through shape, cut, heal, pause"

# ---- nodes ---------------------------------------------------------------------------------------

lab cut n3 || fail "cut n3"
! on n3 ping -n -q -c 1 -W 0.3 n1 >/dev/null || fail "a node that is cut off reaches n1"
! on n2 ping -n -q -c 1 -W 0.3 n3 >/dev/null || fail "a node that is cut off can be reached"
lab heal n3 || fail "heal n3"
on n3 ping -n -q -c 1 -W 1 n1 >/dev/null || fail "n3 is not healed"

lab crash n2 || fail "crash"
said=$(lab crash n2 2>&1) && fail "crashed twice"
expect "crash twice" "byre lab: n2 is down already" "$said"
lab status | grep -q '^n2 .* crashed ' || fail "status does not say crashed"
said=$(on n2 true 2>&1) && fail "a shell on a crashed node"
[[ $said = *"n2 is down"*"boot n2"* ]] || fail "not said how to boot: $said"
on n1 ping -n -q -c 1 -W 1 n3 >/dev/null || fail "the crash of n2 hurts n1 and n3"
lab link n1 n2 --delay 3ms || fail "the shape of a link to a node that is down"
lab boot n2 || fail "boot"
times n1 n2 5
between 6 "$least" 10 || fail "the link did not keep its shape over a boot: $least ms"
expect "ssh after boot" n2 "$(on n3 ssh n2 hostname)"
said=$(lab boot n2 2>&1) && fail "booted twice"
expect "boot twice" "byre lab: n2 is running" "$said"

if lab cpu n2 20% 2>"$WORK/err"; then
    # shellcheck disable=SC2016 # for the shell there
    spin='i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; cat /proc/$$/stat'
    start=$(now_s)
    ticks=$(on n2 sh -c "$spin" | awk '{ print $14 + $15 }')
    share=$(awk -v t="$ticks" -v a="$start" -v b="$(now_s)" 'BEGIN { printf "%.0f", t / (b - a) }')
    echo "cpu 20%: it got $share%"
    between 1 "$share" 40 || fail "20% of a processor were $share%"
    lab cpu n2 max || fail "cpu max"
else
    grep -q cgroup "$WORK/err" || fail "cpu does not say what is missing: $(cat "$WORK/err")"
    cat "$WORK/err"
fi

# ---- netem: where the kernel has none, at least what it would be told ----------------------------

if [ "$(cat "/run/byre-lab/$lab_name/shaper")" = emulator ]; then
    mkdir "$WORK/bin"
    cat >"$WORK/bin/tc" <<END
#!/bin/sh
echo "\$*" >>"$WORK/tc"
END
    chmod +x "$WORK/bin/tc"
    PATH=$WORK/bin:$PATH BYRE_LAB_SHAPER=netem lab link n1 n3 --delay 1ms --jitter 100us --loss 1% --rate 100mbit ||
        fail "link with netem"
    PATH=$WORK/bin:$PATH BYRE_LAB_SHAPER=netem lab link n1 n3 --clear || fail "link --clear with netem"
    expect "what tc is told" "qdisc replace dev n3 root netem limit 20000 delay 1000us 100us loss 1.0000% rate 100000kbit
qdisc replace dev n1 root netem limit 20000 delay 1000us 100us loss 1.0000% rate 100000kbit
qdisc del dev n3 root
qdisc del dev n1 root" "$(cat "$WORK/tc")"
fi
