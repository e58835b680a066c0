/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What carries bytes between ranks. Two implementations: Open MPI (transport_mpi.c, the only file
 * of the library that includes mpi.h) and loopback (transport_loopback.c, a cluster of one).
 *
 * Every operation may be called from any thread at any time and none of them blocks, but for
 * start, stop and the collectives. Matching is MPI's: by channel, source and tag, in order.
 */
#ifndef BYRE__TRANSPORT_H
#define BYRE__TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum byre__channel {
    BYRE__CHANNEL_MSG,  /* users' messages; the tag is the port */
    BYRE__CHANNEL_AM,   /* active messages: header and inline payload */
    BYRE__CHANNEL_BULK, /* bulk payloads of active messages */
    BYRE__CHANNELS
} byre__channel_t;

typedef struct byre__treq {
    void *handle;
} byre__treq_t; /* an operation under way */

typedef struct byre__tmsg {
    void *handle;
} byre__tmsg_t; /* a message that was matched and not yet received */

typedef struct byre__tstatus {
    int source;
    int tag;
    size_t bytes;
    int error; /* BYRE_OK, BYRE_ETRUNC (the tail is lost), BYRE_ECANCELED, BYRE_EMPI */
} byre__tstatus_t;

enum { BYRE__TEST_MOST = 64 };

#define BYRE__ANY_SOURCE (-1)
#define BYRE__ANY_TAG (-1) /* of a receive */

typedef struct byre__transport {
    const char *name;
    int (*start)(int *rank_out, int *size_out);
    /* With failed peers the collective end is left out, since it would hang. */
    void (*stop)(bool peers_failed);
    /* Remove what a local rank leaves behind without the collective end. May be NULL. */
    void (*sweep)(int local_rank);
    int max_tag;

    /* Collective, blocking: only in byre_init. */
    int (*allgather)(const void *mine, void *all, size_t bytes);
    int (*node_leader)(int *leader_out); /* lowest rank of this rank's node */

    /* A handle of NULL says that it is complete already. */
    int (*isend)(byre__channel_t channel, int to, int tag, const void *buf, size_t bytes, bool sync,
                 byre__treq_t *req_out);
    int (*irecv)(byre__channel_t channel, int from, int tag, void *buf, size_t bytes,
                 byre__treq_t *req_out);
    /* True when complete; the request is gone then (NULL). status may be NULL for sends. */
    bool (*test)(byre__treq_t *req, byre__tstatus_t *status_out);
    /* One that is complete, of up to BYRE__TEST_MOST that are not NULL: its index, or -1. It moves what is under
     * way on once, where so many calls of `test` would do so, and yield, as often. */
    int (*test_any)(byre__treq_t *const *reqs, int count, byre__tstatus_t *status_out);
    /* Give up a receive; test tells how it ended. */
    void (*cancel)(byre__treq_t *req);
    bool (*probe)(byre__channel_t channel, int from, int tag, byre__tstatus_t *status_out);
    bool (*take)(byre__channel_t channel, int from, int tag, byre__tmsg_t *msg_out,
                 byre__tstatus_t *status_out);
    int (*receive)(byre__tmsg_t *msg, void *buf, size_t bytes, byre__treq_t *req_out);
} byre__transport_t;

extern const byre__transport_t byre__transport_loopback;
extern byre__transport_t byre__transport_mpi;
bool byre__transport_mpi_wanted(void); /* started by mpirun or srun, or MPI is up */

/* The one in use. */
extern const byre__transport_t *byre__transport;

#endif
