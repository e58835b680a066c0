/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h - a connection to the daemon of this node, as the calls of byre_sched.h and the commands share it.
 *
 * 1. Every question has a tag of its own, never used again on the connection. What comes with the tag of a
 *    question that nobody waits for any more (a wait that timed out) is dropped.
 * 2. A context is sent before the first question that names it, and again only when it has changed.
 * 3. After BYRE_EPEER or BYRE_EPROTO nothing more is said on the connection.
 */
#ifndef BYRE__SCHED_CLIENT_H
#define BYRE__SCHED_CLIENT_H

#include <byre_sched.h>

#include "frame.h"
#include "job.h"
#include "talk.h"

enum { BYRE__CLIENT_WHY = 512 }; /* room for a reason */

struct byre_sched {
    byre__stream_t stream;
    char node[BYRE__NODE_NAME]; /* this node's name, as the daemon says */
    char *dir;                  /* where its socket is */
    char pool[40];
    uint32_t nodes, nodes_up; /* when the connection was made */
    uint32_t tag;             /* the last one given */
    uint32_t context;         /* number of the one sent last; 0: none */
    byre__context_key_t context_key;
    char explain[BYRE__CLIENT_WHY];
};

/* As byre_sched_open; why_out says what is the matter, for a person. `timeout_ms' bounds the wait for the
 * daemon's WELCOME (-1: for ever): BYRE_ETIMEOUT. */
int byre__client_open(const char *pool, int timeout_ms, byre_sched_t **sched_out,
                      char why_out[static BYRE__CLIENT_WHY]);

/* Process id of the daemon, or 0. */
int byre__client_daemon(const byre_sched_t *sched);

/* Note why a call fails, and return its error. */
int byre__client_fail(byre_sched_t *sched, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for the end of the connection (BYRE_EPEER, BYRE_EPROTO, BYRE_ENOMEM ...). */
int byre__client_broken(byre_sched_t *sched, int error);

/* Put a question; the tag of its answers. BYRE_OK, BYRE_ENOMEM, BYRE_ERANGE (too long), BYRE_EPEER. */
int byre__client_ask(byre_sched_t *sched, uint16_t type, const byre__pack_t *payload,
                     uint32_t *tag_out);
/* The next answer to it: BYRE_OK, BYRE_ETIMEOUT, BYRE_EPEER, BYRE_EPROTO, or the error that the daemon answered
 * with (explained). */
int byre__client_answer(byre_sched_t *sched, uint32_t tag, int timeout_ms, byre__frame_t *frame_out,
                        byre__unpack_t *payload_out);
/* Like it, and it must be of this type. */
int byre__client_expect(byre_sched_t *sched, uint32_t tag, uint16_t type,
                        byre__unpack_t *payload_out);
/* What an ERROR frame says: its error, explained. */
int byre__client_error(byre_sched_t *sched, byre__unpack_t *payload);

/* Send this process's context, unless it was the last one sent; its number. BYRE_OK, BYRE_ENOMEM, BYRE_ESYSTEM,
 * BYRE_ERANGE (an environment beyond all measure), BYRE_EPEER. */
int byre__client_context(byre_sched_t *sched, uint32_t *number_out);

#endif
