#!/usr/bin/env bash
# byre-apps: every application, in both versions, gives the answer of the sequential program at 1 to 4
# ranks; a wrong answer is noticed; pictures go in and come out; the command line and the rows. Never how
# fast anything is.
# time-limit: 240
. "$(dirname "$0")/../lib.sh"

apps=$BYRE_BIN/byre-apps
[ -x "$apps" ] || skip "byre-apps is not built"
BYRE_TEST_LIMIT=100
yield=(--mca mpi_yield_when_idle 1) # MPI that spins takes the cores from the rank that works
names="sor matmul fft sort nbody tsp tree"
keys="bench variant ranks transport value unit floor floor_name ratio p10 p90 reps n"

# job NP ARG...: a job; its standard output in $WORK/out.
job() {
    run_mpi "${yield[@]}" "$1" "$apps" "${@:2}" >"$WORK/out" 2>"$WORK/err" ||
        fail "byre-apps ${*:2} with $1 ranks: exit status $?: $(cat "$WORK/err")"
}

# ---- answers ---------------------------------------------------------------------------------------

for np in 1 2 3 4; do
    job $np all --quick
    for name in $names; do
        expect "$name with $np ranks: lines" "dsm mpi sequential" \
            "$(awk -v name="$name" '$1 == name { print $2 }' "$WORK/out" | sort | xargs)"
    done
done

# Sizes that nothing divides, and fewer of everything than ranks.
job 3 sor --size 37 --reps 2
job 3 matmul --size 2 --reps 1
job 4 matmul,nbody,tree,sort --size 3 --reps 1
job 4 tsp --size 3 --reps 1
job 3 fft --size 2 --reps 1
job 2 matmul --size 200 --reps 3 --no-sequential

# wrong VERSION NAME ARG...: what a version gets wrong must end the job with 1, and be said once.
wrong() {
    local status said
    run_mpi "${yield[@]}" 2 "$apps" "$2" --quick --spoil "$1" "${@:3}" >"$WORK/out" 2>"$WORK/err"
    status=$?
    expect "$2 spoilt in $1: exit status" 1 $status
    for name in ${2/all/$names}; do
        said=$(grep "^byre-apps: $name, .* differs" "$WORK/err")
        expect "$name spoilt in $1: messages" 1 "$(wc -l <<<"$said")"
        case $said in *"the $1 version"*) ;; *) fail "$name spoilt in $1: not said which: $said" ;; esac
        if grep -q "^$name " "$WORK/out"; then fail "$name spoilt in $1: figures all the same"; fi
    done
}
wrong dsm all
wrong mpi all
wrong dsm matmul --no-sequential

# ---- pictures --------------------------------------------------------------------------------------

# A picture of one grey stays as it is, plain or raw; rows may be narrower or wider than a page.
grey() { # WIDTH HEIGHT
    printf 'P2\n# grey\n%d %d\n255\n' "$1" "$2"
    awk -v n=$(($1 * $2)) 'BEGIN { for (i = 0; i < n; i++) print 77 }'
}
for size in "50 40" "1500 8"; do
    # shellcheck disable=SC2086
    grey $size >"$WORK/grey.pgm"
    job 3 sor --reps 1 --in "$WORK/grey.pgm" --out "$WORK/grey-out.pgm"
    expect "head of the picture" "P5 $size 255" "$(head -c 20 "$WORK/grey-out.pgm" | head -n 3 | xargs)"
    expect "its pixels" "M" "$(tail -n +4 "$WORK/grey-out.pgm" | fold -w 1 | sort -u)"
done
"$apps" --noisy "$WORK/noisy.pgm" --size 96 || fail "--noisy: exit status $?"
job 2 sor --reps 1 --in "$WORK/noisy.pgm" --out "$WORK/clean.pgm"
if cmp -s "$WORK/noisy.pgm" "$WORK/clean.pgm"; then fail "the picture is as noisy as before"; fi
job 2 sor --quick --dsm --out "$WORK/dsm.pgm"
job 4 sor --quick --mpi --out "$WORK/mpi.pgm"
cmp "$WORK/dsm.pgm" "$WORK/mpi.pgm" || fail "the versions write different pictures"
job 2 sor --reps 1 --in "$WORK/dsm.pgm" --out "$WORK/twice.pgm"
if cmp -s "$WORK/dsm.pgm" "$WORK/twice.pgm"; then fail "the picture was not read"; fi

# bad NAME PART: a file that is no picture is an error, with PART in the message.
bad() {
    run_mpi 2 "$apps" sor --in "$WORK/bad.pgm" >/dev/null 2>"$WORK/err"
    expect "$1: exit status" 1 $?
    grep -q "$2" "$WORK/err" || fail "$1: not said: $2, but: $(cat "$WORK/err")"
}
rm -f "$WORK/bad.pgm"
bad "no file" "No such file"
echo "P6 3 3 255" >"$WORK/bad.pgm"
bad "not a PGM" "not a PGM file"
printf 'P5 9 9 255\nabc' >"$WORK/bad.pgm"
bad "cut off" "ends too early"
printf 'P5 99999999999 9 255\nabc' >"$WORK/bad.pgm"
bad "too wide" "makes no sense"

# ---- words -----------------------------------------------------------------------------------------

"$apps" --help >"$WORK/help" || fail "--help: exit status $?"
for word in --both --size --reps --quick --json --in --out --list; do
    grep -q -e "$word" "$WORK/help" || fail "--help does not name $word"
done
"$apps" --version | grep -q '^byre-apps [0-9]' || fail "--version"
expect "list" "$names" "$("$apps" --list | sed -n 's/^\([a-z][a-z]*\) .*/\1/p' | xargs)"
complains() { # NAME PART ARG...
    local said
    said=$(timeout 20 "$apps" "${@:3}" 2>&1 >/dev/null)
    expect "$1: exit status" 2 $?
    case $said in *"$2"*) ;; *) fail "$1: not said: $2, but: $said" ;; esac
}
complains "nothing" "no application"
complains "unknown application" 'no application "sorr"' sorr
complains "unknown option" "unknown option --bogus" sor --bogus
complains "bad size" '--size "0"' sor --size 0
complains "no power" "a power of two" fft --size 100
complains "too many cities" "from 3 to" tsp --size 99
complains "picture for another" "for sor alone" fft --in x.pgm
complains "noisy and more" "stands alone" sor --noisy "$WORK/x.pgm"
complains "no such directory" "No such file" --noisy "$WORK/none/x.pgm"
complains "two sizes" "that of the picture" sor --size 9 --in x.pgm
complains "too much" 'unexpected "9"' sor 9
expect "one complaint of a job" 1 "$(run_mpi 2 "$apps" sorr 2>&1 >/dev/null | grep -c '^byre-apps:')"

# ---- rows ------------------------------------------------------------------------------------------

job 2 sor,tsp --quick --json
lines=$(wc -l <"$WORK/out")
expect "JSON: lines" 8 "$lines"
for key in $keys; do
    expect "JSON: lines with $key" "$lines" "$(grep -c "\"$key\":" "$WORK/out")"
done
expect "JSON: lines that are no objects" "" "$(grep -vE '^\{.*[0-9]\}$' "$WORK/out")"
for bench in dsm.app dsm.app.speedup dsm.app.messages dsm.app.bytes; do
    grep -q "\"bench\":\"$bench\",\"variant\":\"sor\",\"ranks\":2" "$WORK/out" || fail "JSON: no $bench"
done
grep -q '"dsm.app",.*"floor_name":"mpi","ratio":[0-9]' "$WORK/out" || fail "JSON: no ratio to MPI"
awk -F'"value":' '/messages/ && $2 + 0 <= 0 { exit 1 }' "$WORK/out" || fail "JSON: no messages with two ranks"
job 2 sor --quick --csv --mpi
expect "CSV: lines" 3 "$(wc -l <"$WORK/out")"
expect "CSV: fields" 14 "$(awk -F, '{ print NF }' "$WORK/out" | sort -u)"
exit 0
