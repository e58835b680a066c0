#!/usr/bin/env bash
# The example job counts as tr, sort and uniq do: at 1 to 5 ranks, on real texts and on strange ones,
# and also when a worker is killed in the middle.
# time-limit: 120
. "$(dirname "$0")/../lib.sh"

wordfreq=$BYRE_BIN/wordfreq

# pipeline FILE...: all words, each file by itself, as wordfreq --all prints them
pipeline() {
    local file
    for file in "$@"; do
        LC_ALL=C tr -cs 'A-Za-z' '\n' <"$file"
        echo
    done | LC_ALL=C tr '[:upper:]' '[:lower:]' | grep . | LC_ALL=C sort | uniq -c |
        LC_ALL=C sort -k1,1nr -k2
}

# count [OPTION...] NP ARG...: mpirun's own words are none of ours
count() {
    local np=$1
    shift
    run_mpi "$np" "$wordfreq" "$@" 2>"$WORK/errors" || {
        cat "$WORK/errors" >&2
        fail "wordfreq $* at $np ranks: exit status not 0"
    }
}

# ---- real texts -----------------------------------------------------------------------------------

texts=()
for f in /usr/share/common-licenses/*; do
    [ -f "$f" ] && texts+=("$f")
done
if [ ${#texts[@]} = 0 ]; then
    texts=("$BYRE_SRCDIR"/runtime/include/*.h "$BYRE_SRCDIR"/runtime/*.c)
fi
all=$(pipeline "${texts[@]}")
top=$(head -n 10 <<<"$all")
for np in 1 2 3 4 5; do
    expect "top ten at $np ranks" "$top" "$(count $np "${texts[@]}")"
    expect "all words at $np ranks" "$all" "$(count $np --all --chunk 1000 "${texts[@]}")"
done
expect "top three" "$(head -n 3 <<<"$all")" "$(count 3 --top 3 "${texts[@]}")"
expect "top none" "" "$(count 2 --top 0 "${texts[@]}")"
expect "without mpirun" "$all" "$("$wordfreq" --all "${texts[@]}")"

# ---- strange ones ---------------------------------------------------------------------------------

mkdir "$WORK/strange"
: >"$WORK/strange/empty"
printf 'no newline at the end' >"$WORK/strange/unended"
printf '12 34 \303\251t\303\251 don'"'"'t A-a_a\000a\n' >"$WORK/strange/signs"
head -c 300000 /dev/zero | tr '\000' 'x' >"$WORK/strange/one-word"
{ printf 'before '; head -c 100000 /dev/zero | tr '\000' 'y'; printf ' after\n'; } >"$WORK/strange/long-word"
head -c 500000 /dev/urandom >"$WORK/strange/garbage"
head -c 70000 /dev/zero >"$WORK/strange/zeros"
for np in 1 3; do
    for chunk in 7 4096 1000000; do
        [ $chunk != 7 ] || [ $np != 3 ] || chunk=100
        expect "strange files at $np ranks, chunks of $chunk" "$(pipeline "$WORK"/strange/*)" \
            "$(count $np --all --chunk $chunk "$WORK"/strange/*)"
    done
    expect "an empty file at $np ranks" "" "$(count $np "$WORK/strange/empty")"
done
expect "the same file twice" "$(pipeline "${texts[0]}" "${texts[0]}")" \
    "$(count 3 --all "${texts[0]}" "${texts[0]}")"

# ---- JSON -----------------------------------------------------------------------------------------

count 3 --json --top 5 "${texts[@]}" >"$WORK/json"
if command -v python3 >/dev/null; then
    expect "JSON" "$(head -n 5 <<<"$all" | awk '{ print $1, $2 }')
$(wc -l <<<"$all") $(awk '{ n += $1 } END { print n }' <<<"$all") ${#texts[@]}" \
        "$(python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
for entry in report["top"]:
    print(entry["count"], entry["word"])
print(report["different"], report["words"], report["files"])' "$WORK/json")"
fi
count 2 --json "$WORK/strange/empty" >"$WORK/json"
grep -q '"top": \[\]' "$WORK/json" || fail "JSON of an empty file: $(cat "$WORK/json")"

# ---- errors ---------------------------------------------------------------------------------------

# refused NP STATUS TEXT ARG...: with the text on stderr, and nothing is counted; NP 0: without mpirun
refused() {
    local np=$1 status=$2 text=$3 got
    shift 3
    if [ "$np" = 0 ]; then
        "$wordfreq" "$@" >"$WORK/stdout" 2>"$WORK/errors"
    else
        run_mpi "$np" "$wordfreq" "$@" >"$WORK/stdout" 2>"$WORK/errors"
    fi
    got=$?
    [ $got = "$status" ] || fail "wordfreq $*: exit status $got instead of $status"
    grep -qF -- "$text" "$WORK/errors" ||
        fail "wordfreq $*: no \"$text\" in: $(cat "$WORK/errors")"
    # mpirun tells on stdout that a program failed
    ! grep -qE '^ +[0-9]+ [a-z]+$' "$WORK/stdout" || fail "wordfreq $* counted all the same"
}
missing="wordfreq: $WORK/missing: No such file or directory"
refused 0 1 "$missing" "${texts[0]}" "$WORK/missing" "${texts[0]}"
refused 3 1 "$missing" "${texts[0]}" "$WORK/missing" "${texts[0]}"
refused 0 1 "wordfreq: $WORK/strange: Is a directory" "$WORK/strange" "${texts[0]}"
refused 0 2 "which files?"
refused 3 2 "unknown option" --bogus "${texts[0]}"
refused 0 2 "--top wants a number" --top many "${texts[0]}"
refused 0 2 "--chunk wants a number" --chunk 0 "${texts[0]}"
if [ "$(id -u)" != 0 ]; then
    : >"$WORK/secret"
    chmod 0 "$WORK/secret"
    refused 0 1 "$WORK/secret: Permission denied" "$WORK/secret"
fi
count 2 --help | grep -q '^Usage: ' || fail "no usage"

# ---- a worker is killed ---------------------------------------------------------------------------

# Clock ticks that a process has used.
ticks() {
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '{ print $12 + $13 }'
}

# The process of rank 2 of this test's job, once it has joined the job (its service thread is there; in MPI's
# own start a death would end everything) and has counted for a few ticks since.
joined='' ticks_then=0
worker() {
    local p
    for p in $(pgrep -x wordfreq); do
        grep -qsz "^BYRE_WORDFREQ_TEST=$1\$" "/proc/$p/environ" || continue
        grep -qsz "^OMPI_COMM_WORLD_RANK=2\$" "/proc/$p/environ" || continue
        grep -qs '^byre-service$' "/proc/$p"/task/*/comm || continue
        if [ "$joined" != "$p" ]; then
            joined=$p
            ticks_then=$(ticks "$p")
        elif [ "$(ticks "$p")" -ge $((ticks_then + 5)) ] 2>/dev/null; then
            pid=$p
        fi
    done
}

# Enough work for a while.
copies=300
cat "${texts[@]}" >"$WORK/once"
for ((i = 0; i < copies; i++)); do cat "$WORK/once"; printf '\n'; done >"$WORK/often"
expected=$(pipeline "$WORK/once" | awk -v n=$copies '{ printf "%7d %s\n", $1 * n, $2 }' | LC_ALL=C sort -k1,1nr -k2)
killed=
for attempt in 1 2 3; do
    mark=$$-$attempt
    BYRE_WORDFREQ_TEST=$mark run_mpi --enable-recovery -x BYRE_WORDFREQ_TEST 4 "$wordfreq" --all \
        --chunk 4096 "$WORK/often" >"$WORK/stdout" 2>"$WORK/errors" &
    job=$!
    while kill -0 $job 2>/dev/null; do
        pid=''
        worker $mark
        [ -z "$pid" ] || { kill -KILL "$pid" && killed=yes; break; }
    done
    wait $job
    expect "with a worker killed in the middle" "$expected" "$(grep -E '^ *[0-9]+ [a-z]+$' "$WORK/stdout")"
    if grep -q 'rank 2 has died: its chunks go to others' "$WORK/errors"; then
        printf 'a worker was killed in attempt %d\n' $attempt
        exit 0
    fi
    # The job was over too soon, or the worker was killed when it was: once more.
done
[ -z "$killed" ] || fail "a worker was killed and nobody noticed: $(cat "$WORK/errors")"
fail "the job was always over before a worker could be killed"
