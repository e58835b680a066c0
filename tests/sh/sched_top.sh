#!/usr/bin/env bash
# `byre top' on a terminal (of util-linux's script) and without one, beside a daemon that runs nothing, which is killed and
# started again; then beside two real ones.
# time-limit: 120
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/support/pool.sh
. "$BYRE_SRCDIR/tests/support/pool.sh"

fake=$BYRE_OBJ/tests/sh/sched_fake
[ -x "$BYRE_BIN/byre-top" ] || skip "byre-top is not built"
[ -x "$fake" ] || skip "sched_fake is not built"
command -v script >/dev/null || skip "script is missing (Debian: apt-get install bsdutils)"

export BYRE_POOL=toptest LC_ALL=C.UTF-8 TERM=xterm
unset COLUMNS LINES
screen=$WORK/screen
fake_pid='' script_pid=''

clean_up() {
    [ -z "$script_pid" ] || kill -9 "$script_pid" 2>/dev/null
    [ -z "$fake_pid" ] || kill "$fake_pid" 2>/dev/null
    pool_end
    rm -rf "$WORK"
}
trap clean_up EXIT

# await WHAT COMMAND...: until it succeeds.
await() {
    local what=$1 i
    shift
    for ((i = 0; i < 400; i++)); do
        "$@" && return
        sleep 0.05
    done
    fail "$what: not within 20 s; the screen: $(tail -c 3000 "$screen" 2>/dev/null | cat -v)"
}

start_fake() {
    "$fake" ok >"$WORK/fake" 2>&1 &
    fake_pid=$!
    await "the fake daemon" grep -q ready "$WORK/fake"
}

# ---- without a terminal ----------------------------------------------------------------------------------

# complains STATUS PART ARG...
complains() {
    local status=$1 part=$2 said
    shift 2
    said=$(run_byre top "$@" 2>&1 </dev/null)
    expect "byre top $*: exit status" "$status" $?
    case $said in *"$part"*) ;; *) fail "byre top $*: not said: $part, but: $said" ;; esac
}

complains 1 "no pool toptest is up on this node" --once
complains 2 "-d wants seconds" -d 0
complains 2 "-d wants seconds" -d soon
complains 2 "-n is for --json" -n 3
complains 2 "unknown option --bogus" --bogus
complains 2 "--pool wants a value" --pool
complains 2 "takes no argument" n1
run_byre help top | grep -q '^usage: byre top' || fail "no help"

start_fake
complains 1 "needs a terminal"
run_byre submit signals one >/dev/null || fail "submit"
run_byre submit say hello world >/dev/null || fail "submit"
run_byre submit signals two >/dev/null || fail "submit"

run_byre top --once >"$WORK/once" || fail "--once: exit status $?"
for line in '^byre top: pool pool, seen from n1 ' '^2 of 3 nodes up, 1 owned; ' '^n2 *owned ' '^n3 *gone ' \
    '^n1.1 *running n3:0-1 .* signals one$' '^n1.2 *done .* say hello world$'; do
    grep -q "$line" "$WORK/once" || fail "--once: no line $line in: $(cat "$WORK/once")"
done
expect "--once: a job is shown once" 1 "$(grep -c '^n1\.1 ' "$WORK/once")"
expect "--once: no line is longer" "" "$(COLUMNS=30 run_byre top --once | awk 'length > 30')"

run_byre top --json -n 3 -d 0.1 >"$WORK/json" || fail "--json: exit status $?"
expect "--json: lines" 3 "$(wc -l <"$WORK/json")"
expect "--json: objects" 3 "$(grep -c '^{"time_ms": [0-9]*, "daemon": true, .*}$' "$WORK/json")"
expect "--json: rates" 1 "$(grep -c '"rates_are_means": true' "$WORK/json")"
if command -v jq >/dev/null; then
    expect "--json: jq" "n1.1 n1.3" "$(head -n 1 "$WORK/json" | jq -r '[.jobs[] | select(.state == "running").id] | join(" ")')"
fi

# ---- on a terminal ---------------------------------------------------------------------------------------

# begin ARG...: byre top on a terminal of 24x80; around it a shell that notes the terminal's settings and its own
# end (what a shell starts beside itself ignores SIGINT, and so would byre top). What is on the screen goes into $screen, keys are what is written to descriptor 9.
begin() {
    mkfifo "$WORK/keys"
    cat >"$WORK/run" <<END
set -m
stty rows 24 cols 80
tty >"$WORK/tty"
stty -g >"$WORK/before"
sh -c 'echo \$\$ >"$WORK/pid"; exec env --default-signal=INT "$BYRE_BIN/byre" top $*'
echo \$? >"$WORK/status.new"
stty -g >"$WORK/after"
mv "$WORK/status.new" "$WORK/status"
END
    rm -f "$WORK/status" "$WORK/pid"
    : >"$screen"
    script -qfc "sh $WORK/run" "$screen" <"$WORK/keys" >/dev/null 2>&1 &
    script_pid=$!
    exec 9>"$WORK/keys"
    await "the first picture" on_screen 'nodes up'
}

on_screen() {
    grep -aqF -- "$1" "$screen"
}

# press KEYS TEXT: then all is drawn anew, and TEXT must be seen.
press() {
    local at
    at=$(wc -c <"$screen")
    printf '%b' "$1" >&9
    await "after $1: $2" seen_since "$at" "$2"
}

# seen_since BYTES TEXT: asks for all of it anew, so that the text is not left out where it was before.
seen_since() {
    printf '\014' >&9
    tail -c +$(($1 + 1)) "$screen" | grep -aqF -- "$2"
}

# ended STATUS NAME: with this status, and the terminal as it was.
ended() {
    await "$2: its end" test -e "$WORK/status"
    expect "$2: exit status" "$1" "$(cat "$WORK/status")"
    expect "$2: settings of the terminal" "$(cat "$WORK/before")" "$(cat "$WORK/after")"
    expect "$2: the full screen is left as often as it is entered" "$(grep -aoF $'\033[?1049h' "$screen" | wc -l)" \
        "$(grep -aoF $'\033[?1049l' "$screen" | wc -l)"
    on_screen $'\033[?1049h' || fail "$2: the full screen was never entered"
    exec 9>&-
    wait "$script_pid"
    script_pid=''
    rm -f "$WORK/keys"
}

begin -d 0.2
press '' '2 of 3 nodes up, 1 owned'
press '?' 'byre top: keys'
press 'x' 'n1.1 running'
press 'k' 'Which job? Select one'
press 'f' 'f: running'
press 'f' 'No such job (a shows all).'
press 'a' 'f: all'
press '\033[B\033[B\033[B' '1-3 of'
press 'l' 'stdout of n1.2  say hello world'
press '' $'\033[mhello world'
press 'e' 'Nothing has been written.'
press 'q' '1-3 of'
press '\033[A' '1-3 of'
press 'k' 'Kill n1.3 (signals)?'
press 'n' 'Nothing was sent.'
press 'k' 'Kill n1.3 (signals)?'
press 'y' 'n1.3 was sent TERM.'
press '' 'n1.3 sigTERM'

# Another size.
stty -F "$(cat "$WORK/tty")" rows 10 cols 40
press 'a' 'h help q quit  all'
stty -F "$(cat "$WORK/tty")" rows 24 cols 80
press 'a' 'k kill'

# Without a daemon it goes on, and finds the next one.
{ kill -9 "$fake_pid" && wait "$fake_pid"; } 2>/dev/null
press '' 'NO DAEMON: the daemon of this node has ended'
press '' 'Trying again; what is below is'
start_fake
press '' 'No job.'
press '' '2 of 3 nodes up, 1 owned'
printf 'q' >&9
ended 0 "q"

# However it ends.
for signal in TERM:143 INT:130 HUP:129 SEGV:139 ABRT:134; do
    begin -d 0.2
    kill -"${signal%:*}" "$(cat "$WORK/pid")"
    ended "${signal#*:}" "SIG${signal%:*}"
done

said=$(TERM=dumb script -qec "$BYRE_BIN/byre top" /dev/null </dev/null 2>&1)
expect "a terminal that cannot: exit status" 1 $?
case $said in *'cannot draw on a terminal of type `dumb'*) ;; *) fail "a terminal that cannot: $said" ;; esac
kill "$fake_pid"
wait "$fake_pid" 2>/dev/null
fake_pid=''

# ---- real daemons ----------------------------------------------------------------------------------------

export BYRE_POOL=topreal
pool_up 2 --slots 1 --policy threshold
run_byre submit --array 0-4 sleep 300 >/dev/null || fail "submit"

# counts RUNNING QUEUED: of the jobs, as --once has them.
counts() {
    run_byre top --once >"$WORK/once" && [ "$(grep -c ' running .* sleep 300$' "$WORK/once")" = "$1" ] &&
        [ "$(grep -c ' queued .* sleep 300$' "$WORK/once")" = "$2" ]
}
await "two run, three wait" counts 2 3
grep -q '^2 of 2 nodes up; slots 2/2; 2 running, 3 waiting' "$WORK/once" || fail "the counts: $(cat "$WORK/once")"
begin -d 0.2
press '\033[B' '2 running, 3 waiting'
press 'k' 'Kill t1.'
press 'K' 'was sent KILL.'
press '' 'sigKILL'
press '' '2 running, 2 waiting'
printf 'q' >&9
ended 0 "q with real daemons"

# Of 300 KB the end is shown, not the beginning, and then what comes.
run_byre kill 1..5 >/dev/null
# shellcheck disable=SC2016 # it is for that shell
id=$(run_byre submit sh -c 'seq 50000; while [ ! -e "$0" ]; do sleep 0.1; done; echo and more' "$WORK/go") || fail "submit"
begin -d 0.2
press 'f' 'f: running'
press '\033[B' "$id running"
press 'l' "stdout of $id"
press '' '49999'
press '' '(its end'
touch "$WORK/go"
press '' 'and more'
press '\033[H' 'scrolled up'
printf 'qq' >&9
ended 0 "the log of a real job"
