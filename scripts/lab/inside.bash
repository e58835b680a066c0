#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# inside.bash DIR VERTEX NAME HELPERS SHARE...: the first that runs in a new node, as its process 1.
#
# Its namespaces are new, and its mounts are its own, so nothing of this can be seen outside. Makes what a
# machine has for itself, and becomes init. Fails at the first thing that fails, and says so in its log.

set -eu
dir=$1 vertex=$2 name=$3 helpers=$4
shift 4
shares=("$@")
mine=$dir/v/$vertex
fail() {
    echo "cannot $*"
    exit 1
}

hostname "$name" || fail "set the host name"
mount -n -t proc -o nosuid,nodev,noexec proc /proc || fail "mount /proc"

# The switch only forwards packets.
if [ "$name" = switch ]; then
    : >"$mine/ready"
    exec "$helpers/init" "$mine/loadavg"
fi

# /sys/class/net is that of the network namespace in which sysfs was mounted. cgroups stay as they are.
mkdir -p "$mine/cgroup"
mount -n --rbind /sys/fs/cgroup "$mine/cgroup" 2>/dev/null || rmdir "$mine/cgroup"
if mount -n -t sysfs -o nosuid,nodev,noexec sysfs /sys && [ -d "$mine/cgroup" ]; then
    mount -n --rbind "$mine/cgroup" /sys/fs/cgroup
    umount -n -l "$mine/cgroup"
fi
rmdir "$mine/cgroup" 2>/dev/null || true

# A new directory is built aside, so that what is to be shared is still there to be bound. Of /run a node
# sees only the lab, no sockets of the host's daemons.
own() {
    local place=$1 mode=$2 share
    mkdir -p "$mine/new"
    mount -n -t tmpfs -o "mode=$mode,nosuid,nodev" "$name" "$mine/new" || fail "make $place"
    for share in "$dir" ${shares[@]+"${shares[@]}"}; do
        case $share in "$place"/*) ;; *) continue ;; esac
        mkdir -p "$mine/new${share#"$place"}"
        mount -n --bind "$share" "$mine/new${share#"$place"}" || fail "share $share"
    done
    mount -n --move "$mine/new" "$place" || fail "move $place"
    rmdir "$mine/new"
}
own /tmp 1777
own /var/tmp 1777
own /run 755
mkdir -p /run/sshd /run/lock /run/user
mount -n -t tmpfs -o mode=1777,nosuid,nodev "$name" /dev/shm || fail "make /dev/shm"
if [ -d /dev/mqueue ]; then
    mount -n -t mqueue mqueue /dev/mqueue || fail "make /dev/mqueue"
fi

# over FILE PLACE: FILE instead of what the host has there, if it has it.
over() {
    [ ! -e "$2" ] || mount -n --bind "$1" "$2" || fail "replace $2"
}
over "$mine/hostname" /etc/hostname
over "$dir/hosts" /etc/hosts
over "$dir/openmpi.conf" /etc/openmpi/openmpi-mca-params.conf
over "$dir/ssh_config" /etc/ssh/ssh_config
over "$mine/loadavg" /proc/loadavg
# sshd starts commands by a shell that reads it: slow, and full of surprises.
over /dev/null "$HOME/.bashrc"
# To sshd, an account whose password was locked is closed, whatever key comes.
over "$dir/shadow" /etc/shadow
# An ordinary user is root in here, but not at home in /root.
if [ "$HOME" != /root ] && [ -d /root ]; then
    mount -n --rbind "$HOME" /root 2>/dev/null || mount -n -t tmpfs -o mode=700 "$name" /root
fi

sshd=$(command -v sshd || echo /usr/sbin/sshd)
: >"$mine/ready"
cd /
exec "$helpers/init" "$mine/loadavg" "$sshd" -D -e -f "$dir/sshd_config"
