# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# base.bash: messages, numbers, where things are, processes, the lock of a lab.
#
# Globals of the whole command:
#   here      the directory of byre-lab
#   name      the lab's; command: the word after it
#   labs dir  the directory of all labs, and of this one
#   helpers   the directory of the C programs
#   lock      the file of the lock, once it is taken
#   topology nodes vertices links[] next[]    see plan.bash

die() {
    printf 'byre lab: %s\n' "$*" >&2
    exit 1
}

misuse() {
    printf "byre lab: %s\nTry \`byre lab --help'.\n" "$*" >&2
    exit 2
}

note() {
    printf 'byre lab: %s\n' "$*" >&2
}

# ---- where things are ----------------------------------------------------------------------------

# byre itself is one or two directories up from here, in bin/: in the source tree, or installed.
find_places() {
    local place
    labs=${BYRE_LAB_USER_HOME:-/run/byre-lab}
    dir=$labs/$name
    helpers=
    for place in "${BYRE_BIN:+$BYRE_BIN/lab}" "$here/lab" "$here/../bin/lab"; do
        [ -n "$place" ] && [ -x "$place/spawn" ] && helpers=$(cd "$place" && pwd) && break
    done
    [ -n "$helpers" ] || die "its helper programs are missing: run \`make' in the source tree, or set BYRE_BIN to the bin directory of a build"
}

# ---- numbers -------------------------------------------------------------------------------------

# scaled TEXT UNIT=FACTOR...: TEXT is a decimal number and one of the units; the product, rounded.
scaled() {
    local text=$1 unit factor number
    shift
    [[ $text =~ ^([0-9]+(\.[0-9]+)?)([a-zA-Z%]*)$ ]] || return 1
    number=${BASH_REMATCH[1]} unit=${BASH_REMATCH[3],,}
    for factor in "$@"; do
        [ "$unit" = "${factor%%=*}" ] || continue
        LC_ALL=C awk -v a="$number" -v b="${factor#*=}" 'BEGIN { printf "%.0f\n", a * b }'
        return
    done
    return 1
}

# json_string TEXT
json_string() {
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

# ---- processes -----------------------------------------------------------------------------------

# A number alone may be another process's by now; with the time of its start it is this one's.
start_time() {
    local line
    read -r line 2>/dev/null <"/proc/$1/stat" || return 1
    line=${line##*) }
    # shellcheck disable=SC2086 # its words
    set -- $line
    [ "$1" != Z ] && echo "${20}"
}

# remember PID FILE
remember() {
    local started
    started=$(start_time "$1") || return 1
    echo "$1 $started" >"$2"
}

# recall FILE: the number of the process, if it still lives.
recall() {
    local pid started
    read -r pid started 2>/dev/null <"$1" || return 1
    [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# until_true SECONDS COMMAND...: ask again and again, with pauses.
until_true() {
    local rounds=$(($1 * 50))
    shift
    while ! "$@"; do
        rounds=$((rounds - 1))
        [ $rounds -gt 0 ] || return 1
        sleep 0.02
    done
}

is_gone() {
    ! start_time "$1" >/dev/null
}

# Machinery of this lab carries its directory in the environment, also when nobody wrote its number down.
machinery() {
    local file
    grep -lsz "^BYRE_LAB_INIT=$dir\$" /proc/[0-9]*/environ 2>/dev/null | while read -r file; do
        file=${file#/proc/}
        echo "${file%/environ}"
    done
}

# ---- the lock ------------------------------------------------------------------------------------

# One command at a time changes a lab. The file goes when the lab goes, so whoever gets the lock looks
# whether it is still the lock of this name.
take_lock() {
    local _
    for _ in 1 2 3 4 5; do
        mkdir -p "$labs" 2>/dev/null || die "cannot make $labs"
        # In a subshell, because bash ends when a redirection of exec fails.
        (: >>"$dir.lock") 2>/dev/null || continue
        exec {lock}>>"$dir.lock" || exit 1
        flock -w "${BYRE_LAB_PATIENCE:-60}" "$lock" ||
            die "another byre lab command has been working on lab $name for a minute; try again, or end it"
        [ "/proc/self/fd/$lock" -ef "$dir.lock" ] && return
        exec {lock}>&-
    done
    die "cannot lock lab $name ($dir.lock)"
}

drop_lock_file() {
    rm -f "$dir.lock"
    rmdir "$labs" 2>/dev/null # unless there are others
    return 0
}
