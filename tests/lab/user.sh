#!/usr/bin/env bash
# An ordinary user has a lab in a user namespace, if the system allows it and numbers are set aside; and is
# told what to do if not. The user exists only in this test: in a mount namespace with another /etc/passwd.
# time-limit: 60
. "$(dirname "$0")/lab.bash"

command -v newuidmap >/dev/null || skip "newuidmap is missing (Debian: apt-get install uidmap)"
command -v setpriv >/dev/null || skip "setpriv is missing"

user=54321
# Where the user may look, too.
rm -rf "$WORK"
WORK=$(mktemp -d /tmp/byre-work.XXXXXX) || exit 1
chmod 755 "$WORK"
mkdir "$WORK/home"
chown $user:$user "$WORK/home"
cp /etc/passwd /etc/group "$WORK"
echo "byretest:x:$user:$user::$WORK/home:/bin/bash" >>"$WORK/passwd"
echo "byretest:x:$user:" >>"$WORK/group"
echo "byretest:600000:65536" >"$WORK/subid"
: >"$WORK/nothing"

# as_user SUBID COMMAND...: as this user, who has these numbers.
as_user() {
    local subid=$1
    shift
    # shellcheck disable=SC2016 # for the shell in there
    unshare -m bash -c '
        for file in passwd group; do mount -n --bind "$WORK/$file" /etc/$file || exit 99; done
        for file in subuid subgid; do [ ! -e /etc/$file ] || mount -n --bind "$1" /etc/$file || exit 99; done
        user=$2
        shift 2
        unset XDG_RUNTIME_DIR
        HOME=$WORK/home exec setpriv --reuid $user --regid $user --clear-groups "$@"' \
        bash "$subid" $user "$@"
}

user_gone() {
    as_user "$WORK/subid" "$BYRE_BIN/byre" lab --name "$lab_name" down 2>/dev/null
    rm -rf "/tmp/byre-lab-$user"
    lab_gone
}
trap user_gone EXIT

if [ ! -e /etc/subuid ] || [ ! -e /etc/subgid ]; then
    skip "there is no /etc/subuid"
fi
as_user "$WORK/subid" test -x "$BYRE_BIN/byre" || skip "ordinary users cannot run $BYRE_BIN/byre"

said=$(as_user "$WORK/nothing" "$BYRE_BIN/byre" lab up 2 2>&1) && fail "a lab for a user without numbers"
[[ $said = *"it takes root: sudo"*"lab up 2"*/etc/subuid* ]] || fail "not told: $said"

as_user "$WORK/subid" unshare --user --map-root-user --map-auto true 2>"$WORK/err" ||
    skip "no user namespaces here: $(cat "$WORK/err")"
cd "$WORK/home" || exit 1
lab_of_user() {
    as_user "$WORK/subid" "$BYRE_BIN/byre" lab --name "$lab_name" "$@"
}
lab_of_user up 2 --share "$WORK" || fail "up"
expect "mpirun" "n1 n2" "$(lab_of_user run mpirun -N 1 hostname 2>"$WORK/err" | sort | paste -s -d ' ')"
lab_of_user run --timeout 30 mpirun -N 1 "$BYRE_OBJ/tests/mpi/send_recv" >"$WORK/log" 2>&1 || {
    cat "$WORK/log"
    fail "send_recv"
}
lab_of_user pause n2 || fail "pause"
lab_of_user status | grep -q '^n2 .* paused' || fail "status"
lab_of_user resume n2 || fail "resume"
lab_of_user crash n2 || fail "crash"
lab_of_user boot n2 || fail "boot"
expect "ssh" n2 "$(lab_of_user sh n1 ssh n2 hostname)"
lab_of_user down || fail "down"
lab_of_user down 2>/dev/null || fail "down twice"
[ ! -e "/tmp/byre-lab-$user" ] || fail "left: $(find "/tmp/byre-lab-$user")"
for ((i = 0; i < 50; i++)); do
    pgrep -u $user >/dev/null || break
    sleep 0.1
done
! pgrep -l -u $user || fail "processes are left"
