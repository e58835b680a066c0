/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.h - where a daemon, its keeper and its clients keep what outlives them: a directory of one user, pool
 * and node.
 *
 *   $BYRE_STATE, or /var/tmp/byre-UID        mode 0700, owned by the user, no symbolic link
 *     POOL/NODE/                             the directory of talk.h
 *       ledger.db                            daemon/ledger.h
 *       byred.sock byred.lock byred.log
 *       keeper.sock keeper.lock keeper.log ends    keeper/
 *       spool/ID.out spool/ID.err            what jobs wrote
 *
 * The pool is what `byre up --name' said: $BYRE_POOL, or "pool".
 */
#ifndef BYRE__SCHED_STATE_H
#define BYRE__SCHED_STATE_H

#include <stdbool.h>
#include <stddef.h>

#define BYRE__STATE_PATH 512

/* This node's name: $BYRE_NODE_NAME, or the host's, up to the first dot. false: it has none, or it is too long (47). */
bool byre__state_node(char *name_out, size_t room_bytes);
/* The pool's: `name', or $BYRE_POOL, or "pool". NULL: not 1..32 of a-z A-Z 0-9 _ - . or beginning with a dot. */
const char *byre__state_pool(const char *name);
/* The directory. With `create' it is made, and checked to be ours: BYRE_OK; BYRE_EINVAL: a bad name;
 * BYRE_ESYSTEM with errno; BYRE_ERIGHT: it belongs to somebody else or is open to others. */
int byre__state_dir(const char *pool, bool create, char dir_out[static BYRE__STATE_PATH]);

#endif
