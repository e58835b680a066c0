# shellcheck shell=bash disable=SC2154 # the globals of byre-lab: see base.bash
# SPDX-License-Identifier: BSD-3-Clause
# user.bash: for those who are not root.

enter_privileges() {
    [ "$(id -u)" != 0 ] || return 0
    die "it takes root: sudo $(command -v byre || echo byre) lab $*"
}
