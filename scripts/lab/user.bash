# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# user.bash: for those who are not root.
#
# An ordinary user can be root in a user namespace, if the system allows it and has set aside a range of
# user numbers for this user: sshd, for one, needs a second number. A process, the holder, keeps that
# namespace from the first lab to the last, and every command of byre lab enters it and goes on there as
# root. There are no cgroups then.

enter_privileges() {
    [ "$(id -u)" != 0 ] || return 0
    local home=${XDG_RUNTIME_DIR:-/tmp/byre-lab-$(id -u)}/byre-lab holder
    holder=$(recall "$home.holder") || holder=$(start_holder "$home" "$@") || exit 1
    BYRE_LAB_USER_HOME=$home BYRE_LAB=$name \
        exec nsenter -t "$holder" -U --preserve-credentials -S 0 -G 0 bash "$here/byre-lab" "$@"
}

# start_holder HOME COMMAND...: prints its number.
start_holder() {
    local home=$1 holder said why=
    shift
    if ! said=$(unshare --user --map-root-user --map-auto true 2>&1); then
        why=${said##*unshare: }
        command -v newuidmap >/dev/null || why="newuidmap is missing (Debian: the package uidmap)"
        die "it takes root: sudo $(command -v byre || echo byre) lab $*
(Or user namespaces, which this system does not give you: $why. They take a line for you in /etc/subuid and /etc/subgid.)"
    fi
    mkdir -p "${home%/*}" || exit 1
    setsid unshare --user --map-root-user --map-auto sleep infinity </dev/null >/dev/null 2>&1 &
    holder=$!
    until_true 5 maps_are_set "$holder" || die "the user namespace did not start"
    remember "$holder" "$home.holder"
    echo "$holder"
}

maps_are_set() {
    [ "$(wc -l <"/proc/$1/uid_map")" -ge 2 ] && [ "$(cat "/proc/$1/comm")" = sleep ]
}

# leave_user_namespace: if there is no lab, or no longer.
leave_user_namespace() {
    local holder
    [ -n "${BYRE_LAB_USER_HOME:-}" ] && [ ! -e "$labs" ] || return 0
    holder=$(recall "$labs.holder") && kill "$holder"
    rm -f "$labs.holder"
    rmdir "${labs%/*}" 2>/dev/null
    return 0
}
