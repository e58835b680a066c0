#!/usr/bin/env bash
# byre-bench: its help, its complaints, and that every subject gives rows of the promised form.
# Never how fast anything is: a loaded machine is no failure.
# time-limit: 300
. "$(dirname "$0")/../lib.sh"

bench=$BYRE_BIN/byre-bench
[ -x "$bench" ] || skip "byre-bench is not built"
BYRE_TEST_LIMIT=100
keys="bench variant ranks transport value unit floor floor_name ratio p10 p90 reps"

# job OPTION... NP ARG...: a job; its standard output in $WORK/out.
job() {
    run_mpi "$@" >"$WORK/out" 2>"$WORK/err" || fail "byre-bench ${*}: exit status $?: $(cat "$WORK/err")"
    [ -s "$WORK/out" ] || fail "byre-bench ${*}: no output"
}

# Every line an object with all the keys, and nothing after it.
check_json() {
    local key lines
    lines=$(wc -l <"$WORK/out")
    for key in $keys; do
        [ "$(grep -c "\"$key\":" "$WORK/out")" = "$lines" ] || fail "$1: a line without \"$key\""
    done
    expect "$1: bytes or n in each line" "$lines" "$(grep -cE '"(bytes|n)":[0-9]+,' "$WORK/out")"
    expect "$1: lines that are no objects" "" "$(grep -vE '^\{.*[0-9]\}$' "$WORK/out")"
    if grep -qiE ':-?(nan|inf)' "$WORK/out"; then fail "$1: not a number: $(cat "$WORK/out")"; fi
    awk -F'"value":' '$2 + 0 < 0 { exit 1 }' "$WORK/out" || fail "$1: a value below 0"
}

# has BENCH VARIANT: is there such a row?
has() {
    grep -q "\"bench\":\"$1\",\"variant\":\"$2\"" "$WORK/out" || fail "no row $1 $2: $(cat "$WORK/out")"
}

# value BENCH VARIANT: of the first such row.
value() {
    sed -n "/\"bench\":\"$1\",\"variant\":\"$2\"/{s/.*\"value\":\([^,]*\),.*/\1/p;q}" "$WORK/out"
}

# at_most WHAT LIMIT NUMBER
at_most() {
    awk -v limit="$2" -v number="$3" 'BEGIN { exit !(number > 0 && number <= limit) }' ||
        fail "$1: $3 instead of $2 at most"
}

# complains NAME PART ARG...: exit status 2 alone and as a job, with PART in the one message.
complains() {
    local name=$1 part=$2 said status
    shift 2
    said=$(timeout 20 "$bench" "$@" 2>&1 >/dev/null)
    expect "$name: exit status" 2 $?
    case $said in *"$part"*) ;; *) fail "$name: not said: $part, but: $said" ;; esac
    said=$(run_mpi 2 "$bench" "$@" 2>&1 >/dev/null)
    status=$?
    expect "$name: exit status of the job" 2 $status
    expect "$name: messages" 1 "$(grep -c '^byre-bench:' <<<"$said")"
}

# ---- words ---------------------------------------------------------------------------------------

"$bench" --help >"$WORK/help" || fail "--help: exit status $?"
for word in p2p ring am service dsm sched machine compare --json --csv --plot --quick --reps --sizes Examples; do
    grep -q -e "$word" "$WORK/help" || fail "--help does not name $word"
done
expect "one help in a job" 1 "$(run_mpi 2 "$bench" --help | grep -c '^Usage')"
"$bench" --version | grep -q '^byre-bench [0-9]' || fail "--version"
complains "no subject" "no subject"
complains "unknown subject" 'unknown subject "p3p"' p3p
complains "unknown option" "unknown option --bogus" p2p --bogus
complains "option without value" "--reps needs a value" p2p --reps
complains "bad size" '--sizes "8x"' p2p --sizes 8x
complains "huge size" "below 2 GiB" p2p --sizes 8,4G
complains "bad number" '--reps "0"' p2p --reps 0
complains "bad mode" '--modes "fast"' p2p --modes fast
complains "bad picture" "FILE.svg" p2p --plot picture.png
complains "bad file" "No such file" compare "$WORK/none" "$WORK/none"
said=$(run_mpi 2 "$bench" p2p --variants bogus 2>&1 >/dev/null)
expect "bad variant: exit status" 2 $?
case $said in *'no variant "bogus"'*) ;; *) fail "bad variant: $said" ;; esac
said=$(run_mpi 1 "$bench" dsm 2>&1 >/dev/null)
expect "one rank, dsm: exit status" 2 $?
said=$(run_mpi 1 "$bench" p2p 2>&1 >/dev/null)
expect "one rank: exit status" 2 $?
case $said in *"two ranks"*) ;; *) fail "one rank: $said" ;; esac

# ---- rows ----------------------------------------------------------------------------------------

job 2 "$bench" p2p --quick --json
check_json p2p
for variant in blocking isend callback eventfd copy; do
    has p2p.latency $variant
    has p2p.bandwidth $variant
    has p2p.rate $variant
done
for variant in sync signal cow cow_write irecv get_message; do has p2p.latency $variant; done
cp "$WORK/out" "$WORK/p2p.jsonl"

job 2 "$bench" am --quick --json
check_json am
for figure in roundtrip rate bandwidth; do has am.$figure waiting; done
has am.roundtrip computing

job 2 "$bench" rpc --quick --json --reps 3
check_json rpc
for variant in engine popup engine_computing popup_computing; do has rpc.null $variant; done
for figure in in out rate; do has rpc.$figure engine; done
for figure in in both rate; do has rpc.$figure popup; done

complains "peers of another subject" "--peers compares rpc" p2p --peers
# Rows of libtirpc when it was there, else the names of its packages.
if "$bench" rpc --peers 2>&1 | grep -q 'needs libtirpc'; then
    complains "no peers" "apt-get install libtirpc-dev rpcsvc-proto" rpc --peers
else
    job 2 "$bench" rpc --quick --json --reps 1 --peers --variants tirpc_tcp,tirpc_unix
    check_json "rpc, peers"
    for figure in null in out both; do
        for variant in tirpc_tcp tirpc_unix; do has rpc.$figure $variant; done
    done
    expect "peers: rows" 14 "$(wc -l <"$WORK/out")"
    expect "peers: rows of 64 KiB" 6 "$(grep -c '"bytes":65536,' "$WORK/out")"
fi

job 2 "$bench" service --quick --json --reps 1
check_json service
has service.cost computing
has service.cpu computing
has service.request free
has service.request full
has service.idle waiting

job 2 "$bench" dsm --quick --json --reps 2 --sizes 256K
check_json dsm
for variant in waiting computing; do
    has dsm.read_miss $variant
    has dsm.write_miss $variant
done
has dsm.upgrade waiting
has dsm.ping_pong turns
has dsm.false_sharing halves
for variant in first later sum; do has dsm.seq_read $variant; done
for variant in first later fill; do has dsm.seq_write $variant; done
has dsm.random read
for kind in default central tree tournament dissemination; do has dsm.barrier $kind; done
for variant in free computing contended; do has dsm.lock $variant; done
# A read miss whose home is the owner: request, data, confirmation; no page more than it asked for.
at_most "messages a read miss takes" 3 "$(value dsm.messages read_miss.waiting)"
expect "bytes a read miss takes" "$(getconf PAGESIZE)" "$(value dsm.bytes read_miss.waiting)"

# With a rank that is a third party, and gets copies.
job 3 "$bench" dsm --quick --json --reps 1 --variants forwarded,upgrade
check_json "dsm, three ranks"
at_most "messages a forwarded read miss takes" 4 "$(value dsm.messages read_miss.forwarded)"
expect "upgrades: rows" 2 "$(grep -c '"bench":"dsm.upgrade"' "$WORK/out")"

# On a pool of its own, which it leaves nothing of. Under mpirun: that must not matter to `byre up'.
if [ -x "$BYRE_BIN/byred" ]; then
    export BYRE_STATE=$WORK/state
    mkdir -m 700 "$BYRE_STATE"
    job 1 "$bench" sched --quick --json --reps 1
    check_json sched
    has sched.run here
    has sched.xargs attached
    has sched.submit detached
    expect "sched: rows" 3 "$(wc -l <"$WORK/out")"
    expect "sched: nodes" 3 "$(grep -c '"n":1,' "$WORK/out")"
    job 1 "$bench" sched --quick --json --reps 1 --peers --variants xargs_p8
    check_json "sched, peers"
    has sched.peer xargs_p8
    expect "sched: daemons that are left" "" "$(pgrep -fa "^[^ ]*byred(-keeper)? .*$BYRE_STATE")"
    complains "sched: unknown variant" 'no variant "bogus"' sched --variants bogus
fi
said=$(run_mpi 2 "$bench" sched 2>&1 >/dev/null)
expect "two ranks, sched: exit status" 2 $?
case $said in *"one rank is enough"*) ;; *) fail "two ranks, sched: $said" ;; esac

job 3 "$bench" ring --quick --json --reps 2
check_json ring
has p2p.ring blocking

# Over TCP, with a rank that does not take part.
job --mca btl tcp,self 3 "$bench" p2p --quick --json --variants blocking --sizes 0,8 --modes latency
check_json tcp
expect "over TCP" 2 "$(grep -c '"transport":"tcp"' "$WORK/out")"

# ---- other forms ---------------------------------------------------------------------------------

job 2 "$bench" p2p --quick --csv --variants blocking --sizes 8 --reps 2
expect "CSV: lines" 4 "$(wc -l <"$WORK/out")"
expect "CSV: fields" 14 "$(awk -F, '{ print NF }' "$WORK/out" | sort -u)"
expect "CSV: head" "bench,variant" "$(head -n 1 "$WORK/out" | cut -d, -f1,2)"

job 2 "$bench" p2p --quick --variants blocking --sizes 8 --reps 2
grep -q '^# machine' "$WORK/out" || fail "the table does not name the machine"
grep -q '^8  ' "$WORK/out" || fail "the table has no row"

"$bench" machine >"$WORK/out" 2>&1 || fail "machine: $(cat "$WORK/out")"
"$bench" machine --json | grep -q '^{"machine":' || fail "machine --json"

"$bench" compare "$WORK/p2p.jsonl" "$WORK/p2p.jsonl" --fail 1 >"$WORK/out" || fail "compare with itself"
grep -q '^p2p.latency ' "$WORK/out" || fail "compare prints no rows"
grep '"bench":"p2p.latency"' "$WORK/p2p.jsonl" | sed 's/"ratio":[^,]*/"ratio":99/' >"$WORK/worse"
"$bench" compare "$WORK/p2p.jsonl" "$WORK/worse" --fail 10 >"$WORK/out"
expect "compare finds what is worse" 1 $?
"$bench" compare "$WORK/p2p.jsonl" "$WORK/worse" >/dev/null || fail "compare only prints unless asked"

if command -v gnuplot >/dev/null; then
    job 2 "$bench" p2p --quick --variants blocking,isend --reps 2 --plot "$WORK/p2p.svg"
    grep -q '</svg>' "$WORK/p2p.svg" || fail "the picture is not finished"
    grep -q 'p2p.latency' "$WORK/p2p.svg" || fail "the picture has no title"
fi
exit 0
