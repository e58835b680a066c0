#!/usr/bin/env bash
# time-limit: 120
# `byre run' is transparent: on another node of the pool a job has what it would have here, and says what it would
# say here. Two daemons on this machine.
# shellcheck disable=SC2015,SC2016,SC2094 # what a job's shell expands; a job reads what we compare
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../support/pool.sh"
[ -x "$BYRE_BIN/byred" ] || skip "byred was not built"
mark=byre-run-$$-$RANDOM

no_pool() {
    [ -z "$pool_mpirun" ] || pool_crash
    pkill -KILL -f "byred-keeper $BYRE_STATE/"
    pkill -KILL -f "$mark"
    rm -rf "$WORK"
}
trap no_pool EXIT
trap 'exit 143' TERM INT HUP

there() { timeout -k 5 60 "$BYRE_BIN/byre" run --node t2 "$@"; }
none_left() { ! pgrep -f "$mark" >/dev/null; }
said() { # NAME STATUS PART COMMAND...
    local name=$1 status=$2 part=$3 text got
    shift 3
    text=$("$@" 2>&1 >/dev/null </dev/null)
    got=$?
    expect "$name: exit status ($text)" "$status" $got
    case $text in *"$part"*) ;; *) fail "$name: not said: $part, but: $text" ;; esac
}

pool_up 2 --slots 4 --no-bind

# ---- surroundings --------------------------------------------------------------------------------

# The environment, byte for byte, but for what belongs to the job.
same_env() {
    grep -azvE '^(_|BYRE_JOB|BYRE_KEEPER|BYRE_JOB_NODE|BYRE_POOL|BYRE_INDEX)=' | sort -z | od -c
}
odd=$'new\nline\ttab \xff\xfe\x01 "quote\\'
ODD=$odd EMPTY='' there env -0 | same_env >"$WORK/env.there"
ODD=$odd EMPTY='' env -0 | same_env >"$WORK/env.here"
cmp "$WORK/env.here" "$WORK/env.there" || fail "environment: $(diff "$WORK/env.here" "$WORK/env.there" | head -20)"
expect "no MPI in it" "" "$(there env | grep -aE '^(OMPI_|PMIX_|ORTE|OPAL_|PMI_)' | grep -avxFf <(env))"

mkdir "$WORK/a  dir'ectory "$'\xff'
expect "directory" "$(cd "$WORK"/a* || exit; pwd | od -c)" "$(cd "$WORK"/a* || exit; there pwd | od -c)"
expect "umask" 0027 "$(umask 027; there sh -c umask)"
# Run with limits of its own; some a test may not raise.
limited() {
    (
        ulimit -S -n 123
        ulimit -c 7 2>/dev/null
        ulimit -t 1000
        "$@" bash -c 'echo $(ulimit -n) $(ulimit -c) $(ulimit -t)'
    )
}
expect "limits" "$(limited env)" "$(limited there)"
expect "arguments" "$(printf '<%s>' '' 'a b' $'c\nd\xff' '*' '$x' | od -c)" "$(there printf '<%s>' '' 'a b' $'c\nd\xff' '*' '$x' | od -c)"
# 32 and 33 are the C library's own, which no program can change.
expect "signals are at their default" "$(printf 'SigBlk:\t0000000000000000 SigIgn:\t0000000000000000')" "$(trap '' PIPE USR1; there grep -E 'SigBlk|SigIgn' /proc/self/status | sed s/0000000180000000/0000000000000000/ | paste -sd ' ')"
expect "descriptors" "0 1 2" "$(exec 7</dev/null; there sh -c 'for f in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && printf "$f "; done' | sed 's/ $//')"

# ---- streams -------------------------------------------------------------------------------------

head -c 20971520 /dev/urandom >"$WORK/random"
there cat <"$WORK/random" | cmp - "$WORK/random" || fail "20 MiB through cat changed"
there cat "$WORK/random" >"$WORK/copy" && cmp "$WORK/random" "$WORK/copy" || fail "20 MiB out"
expect "stderr apart" "err" "$(there sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
expect "stdout apart" "out" "$(there sh -c 'echo out; echo err >&2' 2>/dev/null)"
expect "no line end" "a|" "$(there printf a)|"
expect "standard input ends" 3 "$(printf abc | there wc -c)"
expect "input nobody reads" ok "$(yes | head -c 3000000 | there echo ok)"
expect "output nobody reads" y "$(there yes 2>/dev/null | head -n 1)"

# ---- ends ----------------------------------------------------------------------------------------

for status in 0 1 42 126 255; do
    there sh -c "exit $status"
    expect "exit status" $status $?
done
for signal in TERM KILL SEGV; do
    (ulimit -c 0; there bash -c "kill -$signal \$\$") 2>/dev/null
    got=$?
    expect "killed by $signal" $((128 + $(kill -l $signal))) $got
done
said "no such program" 127 "t2: byre-no-such-program: command not found" there byre-no-such-program
said "no such file" 127 "t2: $WORK/nothing: No such file" there "$WORK/nothing"
echo data >"$WORK/data"
said "not executable" 126 "t2: $WORK/data: Permission denied" there "$WORK/data"
said "a directory" 126 "t2: $WORK: " there "$WORK"
printf '#!/no/such/interpreter\n' >"$WORK/script"
chmod +x "$WORK/script"
said "no interpreter" 127 "t2: $WORK/script: " there "$WORK/script"
mkdir "$WORK/gone"
in_gone() { (cd "$WORK/gone" && rmdir "$WORK/gone" && there true); }
said "no directory here" 125 "no working directory" in_gone
mkdir "$WORK/gone"
on t1 byre submit --node t2 --cpus 4 sh -c 'until [ -e "$1" ]; do sleep 0.1; done' "$mark" "$WORK/go" >/dev/null || fail "submit"
(cd "$WORK/gone" && on t1 byre run --node t2 --name waits true) >"$WORK/said" 2>&1 &
client=$!
eventually "a job waits" eval 'byre ps | grep -q "queued.*waits"'
rmdir "$WORK/gone"
touch "$WORK/go"
wait $client
expect "no directory there" 126 $?
grep -qF "t2: cannot change to directory $WORK/gone: No such file" "$WORK/said" || fail "no directory: $(cat "$WORK/said")"

# ---- signals, and a client that goes -------------------------------------------------------------

tree() { # SIGNAL
    local client
    : >"$WORK/tree"
    (trap - INT; exec setsid "$BYRE_BIN/byre" run --node t2 bash -c \
        'setsid sh -c "echo grandchild >>$2; exec -a $1 sleep 1000" sh "$@" & bash -c "exec -a $1 sleep 1000" sh "$@" & echo main >>$2; wait' \
        main "$mark" "$WORK/tree") </dev/null >/dev/null 2>&1 &
    client=$!
    eventually "a tree of processes runs" eval '[ "$(wc -l <"$WORK/tree")" = 2 ] && [ "$(pgrep -fc "^$mark")" -ge 1 ]'
    kill "-$1" $(pgrep -f "byre run --node t2 bash.*$mark")
    wait $client 2>/dev/null
    eventually "nothing is left of it after $1" none_left
}
for signal in INT TERM HUP KILL; do tree $signal; done

# ---- a job that is an MPI job --------------------------------------------------------------------

expect "mpirun in a job" "0 2
1 2" "$(there "$MPIRUN" "${mpi_options[@]}" -n 2 sh -c 'echo $OMPI_COMM_WORLD_RANK $OMPI_COMM_WORLD_SIZE' 2>"$WORK/err" | sort)"
there "$MPIRUN" "${mpi_options[@]}" -n 2 "$BYRE_OBJ/tests/mpi/send_recv" >"$WORK/log" 2>&1 || fail "an MPI program as a job: $(tail "$WORK/log")"

# ---- another user --------------------------------------------------------------------------------

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null &&
    (cd / && setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$BYRE_BIN/byre"); then
    node=$BYRE_STATE/pool/t1
    chmod 711 "$WORK" "$BYRE_STATE" "$BYRE_STATE/pool" "$node"
    other() { (cd / && setpriv --reuid 65534 --regid 65534 --clear-groups "$@"); }
    said "another user" 125 "belongs to another user" other "$BYRE_BIN/byre" run touch "$WORK/theirs"
    [ ! -e "$WORK/theirs" ] || fail "a job of another user ran"
    if command -v perl >/dev/null && other test -S "$node/byred.sock"; then # not below a private directory
        # Whatever the client looks at and the directories allow, the daemon and the keeper refuse themselves.
        knock='use IO::Socket::UNIX; $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!\n";
            alarm 20; print defined sysread($s, $b, 1) && length $b ? "served" : "sent away"'
        said "its own mode" 13 "Permission denied" other perl -e "$knock" "$node/byred.sock"
        for door in byred keeper; do
            chmod 777 "$node/$door.sock"
            expect "another user at $door.sock" "sent away" "$(other perl -e "$knock" "$node/$door.sock" 2>&1)"
            chmod 600 "$node/$door.sock"
        done
        grep -q "another user" "$node/byred.log" || fail "not in the log"
    fi
    chmod 700 "$WORK" "$BYRE_STATE" "$BYRE_STATE/pool" "$node"
fi
expect "the socket is the owner's" 600 "$(stat -c %a "$BYRE_STATE/pool/t1/byred.sock")"
pool_end
