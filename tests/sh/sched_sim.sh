#!/usr/bin/env bash
# time-limit: 240
# byre sim: the command line; every row of the models within 1% up to a load of 0.9 and 2% at 0.95; where sender-
# and receiver-initiated sharing cross; traces; the same command prints the same.
#
# Seeds are fixed, so the figures are the same each time, but for what another mathematical library may round
# otherwise: runs are long enough that 1% is at least twice their standard deviation.
. "$(dirname "$0")/../lib.sh"

sim() {
    timeout -k 5 200 "$BYRE_BIN/byre-sim" "$@"
}

# field NAME <JSON-LINES: the values of a number, one a line
field() {
    sed -n "s/.*\"$1\": \([0-9.e+-]*\).*/\1/p"
}

# ---- the command line ----------------------------------------------------------------------------

# expect_misuse NAME PART ARG...: ends with 2, says PART and where to find help.
expect_misuse() {
    local name=$1 part=$2 said got
    shift 2
    said=$(sim "$@" 2>&1 >/dev/null)
    got=$?
    [ $got = 2 ] || fail "$name: exit status $got, not 2: $said"
    case $said in
    *"$part"*"byre sim --help"*) ;;
    *) fail "$name: not said: $part, but: $said" ;;
    esac
}

expect_misuse "no such policy" "there is no policy" thresholds
expect_misuse "no such parameter" "it has T, L" threshold,Q=2
expect_misuse "no such option" "unknown option --knots" --knots 3
expect_misuse "no value" "--rho wants a value" --rho
expect_misuse "too much" "below 1" --rho 1
expect_misuse "a range backwards" "from, to, step" --rho 0.9:0.1:0.1
expect_misuse "no nodes" "whole number from 1" --nodes 0
expect_misuse "half a job" "whole number from 1" --jobs 0.5
expect_misuse "no distribution" "erlang:K" --service normal
expect_misuse "no time" "1ms" --probe 3min
expect_misuse "no speed" "numbers above 0" --speeds 1,0
expect_misuse "more sources than nodes" "there are 4 nodes" --nodes 4 --sources 5
expect_misuse "a picture of what kind" ".svg or .png" --plot picture.gif
expect_misuse "a trace has its load" "leave --rho" --trace x --rho 0.5
expect_misuse "a trace of many runs" "one POLICY" --write-trace x
expect_misuse "pool and policies" "three fixed systems" pool local
expect "help comes three ways" "$(sim --help)" "$(run_byre help sim)"
sim --help | grep -q '^  symmetric ' || fail "the help does not list symmetric"

# ---- the models -----------------------------------------------------------------------------------

# model LIMIT ARG...: all rows are within LIMIT of their theory; `rows' counts them. They go to $WORK/$part.
rows=0
model() {
    local limit=$1 row
    shift
    sim --json --reps 1 "$@" >"$WORK/$part" || fail "byre sim $* failed"
    while read -r row; do
        awk -v limit="$limit" -v mean="$(field mean_s <<<"$row")" -v theory="$(field theory_s <<<"$row")" \
            'BEGIN { exit !(theory > 0 && mean > theory * (1 - limit) && mean < theory * (1 + limit)) }' ||
            fail "more than $limit from the model: $row"
        rows=$((rows + 1))
    done <"$WORK/$part"
}

sharing="threshold,T=1,L=1 threshold,T=1,L=3 threshold,T=2,L=3 receiver,L=1,reprobe=0 receiver,L=3,reprobe=0 choices,L=1"
half() {
    part=half
    # shellcheck disable=SC2086
    model 0.01 random $sharing --nodes 2000 --rho 0.5 --jobs 1M
    # shellcheck disable=SC2086
    model 0.01 random $sharing --nodes 1000 --rho 0.8 --jobs 2M --warmup 400k
    model 0.01 threshold,T=2,L=3 receiver,L=3,reprobe=0 choices,L=1 --nodes 1000 --rho 0.9 --jobs 3M
    model 0.01 symmetric,L=9 --nodes 10 --rho 0.5,0.8 --jobs 500k
    model 0.01 symmetric,L=9 --nodes 10 --rho 0.9 --jobs 2M
    model 0.02 symmetric,L=4 --nodes 5 --rho 0.95 --jobs 2M
    model 0.01 local --nodes 1 --slots 8 --rho 0.8 --jobs 2M
    model 0.01 local --nodes 2 --service det --rho 0.8 --jobs 3M
    model 0.01 local --nodes 2 --service erlang:3 --speeds 2 --mean 20ms --rho 0.7 --jobs 3M
}
other_half() {
    part=other
    model 0.01 local --nodes 1 --rho 0.5,0.8 --jobs 5M
    model 0.01 local --nodes 1 --rho 0.9 --jobs 25M
    model 0.02 local --nodes 1 --rho 0.95 --jobs 20M
    model 0.01 random threshold,T=1,L=1 --nodes 500 --rho 0.9 --jobs 8M --warmup 500k
    model 0.01 threshold,T=1,L=3 receiver,L=1,reprobe=0 --nodes 500 --rho 0.9 --jobs 5M --warmup 500k
    # shellcheck disable=SC2086
    model 0.02 $sharing --nodes 2000 --rho 0.95 --jobs 3M --warmup 1500k
}
# Two halves side by side.
{ half && echo "$rows" >"$WORK/rows"; } &
first=$!
other_half
wait $first || exit 1
expect "rows of one half" 24 "$(cat "$WORK/rows")"
expect "rows of the other" 14 "$rows"

# ---- where senders and receivers cross --------------------------------------------------------------

# crossing L RHO: at RHO - 0.04 the sender is better, at RHO + 0.04 the receiver.
crossing() {
    local sender receiver side
    for side in -1 1; do
        sim "threshold,T=1,L=$1" "receiver,L=$1,reprobe=0" --json --reps 1 --nodes 500 --jobs 1M \
            --rho "$(awk -v rho="$2" -v side=$side 'BEGIN { print rho + side * 0.04 }')" >"$WORK/cross"
        { read -r sender && read -r receiver; } < <(field mean_s <"$WORK/cross")
        awk -v s="$sender" -v r="$receiver" -v side=$side 'BEGIN { exit !(side * s > side * r) }' ||
            fail "L=$1 on side $side of $2: sender $sender, receiver $receiver"
    done
}
crossing 1 0.755
crossing 3 0.785
crossing 5 0.813

# ---- the same again, traces, outputs -----------------------------------------------------------------

small=(all --nodes 8 --jobs 2k --reps 2 --probe 1ms --transfer 0.1 --service hyper:4)
expect "the same command prints the same" "$(sim "${small[@]}")" "$(sim "${small[@]}")"
[ "$(sim "${small[@]}" --json)" != "$(sim "${small[@]}" --json --seed 2)" ] || fail "the seed changes nothing"
expect "a row a policy and load" 18 "$(sim "${small[@]}" --json | grep -c '^{.*}$')"
if command -v python3 >/dev/null; then
    sim "${small[@]}" --json | python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' ||
        fail "not JSON"
fi

sim symmetric --nodes 4 --rho 0.7 --jobs 3k --write-trace "$WORK/trace" --json >"$WORK/written" ||
    fail "--write-trace"
expect "jobs in the trace" 3000 "$(grep -vc '^#' "$WORK/trace")"
sim symmetric --nodes 4 --trace "$WORK/trace" --json >"$WORK/replayed" || fail "--trace"
for key in mean_s p99_s probes_per_job transfers_per_job span_s jobs; do
    expect "$key of the run that wrote it" "$(field $key <"$WORK/written")" "$(field $key <"$WORK/replayed")"
done
printf '0 4 0\n1 4 0 # the second\n\n2 4 0\n' | sim threshold --nodes 2 --trace - --json >"$WORK/hand" || fail "a trace from a pipe"
expect "a trace by hand" 4.66666667 "$(field mean_s <"$WORK/hand")"

# bad_trace LINE PART: the second line is LINE; the message names it and says PART.
bad_trace() {
    printf '3 1 0\n%s\n' "$1" >"$WORK/bad"
    sim local --nodes 4 --trace "$WORK/bad" >/dev/null 2>"$WORK/err" && fail "a trace with \`$1' was taken"
    grep -q "$2" "$WORK/err" || fail "a trace with \`$1': $(cat "$WORK/err")"
}
bad_trace "1 1 0" "bad:2: it arrives before"
bad_trace "4" "bad:2: write ARRIVAL SERVICE"
bad_trace "4 x 0" "bad:2: write ARRIVAL SERVICE"
bad_trace "4 1 0 9" "bad:2: write ARRIVAL SERVICE"
bad_trace "4 -1 0" "bad:2: times are not negative"
bad_trace "4 1 0.5" "bad:2: a node is a whole number"
bad_trace "4 1 nan" "bad:2: write ARRIVAL"
bad_trace "4 1 4" "nodes 5 or more"
: >"$WORK/bad"
sim local --trace "$WORK/bad" 2>&1 | grep -q "has no job" || fail "an empty trace"
sim local --trace "$WORK/none" 2>&1 | grep -q "No such file" || fail "no trace"

# The gain of a pool of n is n.
sim pool --nodes 10 --rho 0.8 --jobs 400k --json >"$WORK/pool" || fail "pool"
expect "what the formulas say" "5 1.20459008 0.5" "$(field theory_s <"$WORK/pool" | xargs)"
awk -v limit=0.03 '{ t = $1; m = $2; if (m < t * (1 - limit) || m > t * (1 + limit)) exit 1 }' \
    < <(paste <(field theory_s <"$WORK/pool") <(field mean_s <"$WORK/pool")) || fail "pool: $(cat "$WORK/pool")"

if [ -w /dev/full ]; then
    sim local --jobs 100 >/dev/full 2>"$WORK/err" && fail "a full disk went unnoticed"
    grep -q 'cannot write' "$WORK/err" || fail "a full disk: $(cat "$WORK/err")"
fi
if command -v gnuplot >/dev/null; then
    sim local symmetric --rho 0.2,0.8 --jobs 1k --plot "$WORK/it's.svg" >/dev/null || fail "--plot"
    grep -q '</svg>' "$WORK/it's.svg" || fail "no picture"
    grep -q 'symmetric' "$WORK/it's.svg" || fail "no policy in the picture"
    sim local --rho 0.2,0.8 --jobs 1k --plot "$WORK/p.png" >/dev/null || fail "--plot png"
    expect "a PNG" "PNG" "$(head -c 4 "$WORK/p.png" | tail -c 3)"
fi
