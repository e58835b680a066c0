/* SPDX-License-Identifier: BSD-3-Clause */
/* Users' messages inside the runtime: requests, what the engine does for them, ports. */
#ifndef BYRE__MESSAGE_H
#define BYRE__MESSAGE_H

#include "cow.h"
#include "node.h"
#include "transport.h"
#include <byre_runtime.h>
#include <stdatomic.h>
#include <stdbool.h>

enum {
    BYRE__LARGE = 4096, /* from here on a message may need both ends to move (rendezvous) */
    BYRE__STAGED = 4096 /* up to here a receive's copy is cheaper than a matched probe */
};

enum byre__request_kind {
    BYRE__REQUEST_SEND,   /* MPI's; tested by the thread that waits */
    BYRE__REQUEST_STAGED, /* a small receive: MPI's, into a stage (stage.h) */
    BYRE__REQUEST_ENGINE, /* the engine completes it and says so in `complete` */
    BYRE__REQUEST_SENT    /* byre__request_sent */
};

/* What the fast path touches is in the first cache line. */
struct byre_request {
    struct byre_request *next;
    byre__treq_t treq;
    void *buf;
    union {
        size_t room;  /* of a receive */
        size_t bytes; /* of a send */
    };
    _Atomic unsigned char complete; /* release: result and info are there */
    unsigned char kind;             /* enum byre__request_kind */
    bool is_send;
    union {
        bool handed_out; /* a send: the user has it, and frees it by waiting */
        bool paged;      /* a receive into shared memory: whoever collects it copies (paged.h) */
    };
    int result;
    int peer;             /* destination, or source wanted */
    _Atomic int owners;   /* staged: two while what came is kept and the request not collected */
    byre_info_t info;     /* its port is there from the beginning */
    byre_notice_t notice; /* from here: sends that the engine completes */
    byre__cow_t *cow;
    void *copy;
    void *paged_buf; /* of a queued receive that is `paged`; buf is ordinary memory then */
};

/* A receive with a stage: its request ends where the fields of sends begin, and what it receives
 * comes there. */
#define BYRE__STAGE_HEAD 64
_Static_assert(offsetof(struct byre_request, notice) <= BYRE__STAGE_HEAD, "head of a stage");
static inline void *byre__stage_data(byre_request_t request)
{
    return (char *)request + BYRE__STAGE_HEAD;
}

/* A receive ended so: may MPI still write to its memory? */
static inline bool byre__left_to_mpi(int result, size_t bytes)
{
    return result == BYRE_EPEER && bytes > 0;
}

byre_request_t byre__request_get(void); /* NULL: no memory */
void byre__request_put(byre_request_t request);

/* Of all sends that were complete at once. */
extern struct byre_request byre__request_sent;

/* Look whether it is complete (and test it, if it is MPI's). */
bool byre__request_done(byre_request_t request);
void byre__request_wait(byre_request_t request);

/* send.c: sends that the engine completes */
int byre__send_poll(void);
bool byre__send_drained(void);

/* recv.c, port*.c: receives that the engine completes, kept messages, pop-up ports */
int byre__port_poll(void);
void byre__port_keep_stage(int port, int source, byre_request_t stage, size_t bytes);
void byre__port_keep_message(int port, int source, byre__tmsg_t message, size_t bytes);
bool byre__port_cancel(byre_request_t request);

/* Work for the engine: queued receives, pop-up ports, sends to complete. */
extern _Atomic int byre__message_jobs;
/* Ports with a queue, kept messages or a handler: then a receive takes the slow path. */
extern _Atomic int byre__port_special;

static inline bool byre__message_work(void)
{
    return atomic_load_explicit(&byre__message_jobs, memory_order_relaxed) != 0;
}
int byre__message_poll(void);
int byre__message_init(void);
void byre__message_fini(void);

static inline int byre__check_port(int port)
{
    return __builtin_expect(port < 0 || port > byre__transport->max_tag, 0) ? BYRE_EPORT : BYRE_OK;
}

#endif
