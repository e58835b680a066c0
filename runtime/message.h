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

/* From this many bytes on a message may need both ends to move (rendezvous). */
enum { BYRE__LARGE = 4096 };

enum byre__request_kind {
    BYRE__REQUEST_SEND,   /* MPI's; tested by the thread that waits */
    BYRE__REQUEST_STAGED, /* a small receive: MPI's, into a stage (stage.h) */
    BYRE__REQUEST_ENGINE  /* the engine completes it and says so in `complete` */
};

struct byre_request {
    struct byre_request *next;
    enum byre__request_kind kind;
    _Atomic int complete; /* release: result and info are there */
    int result;
    int peer; /* destination, or source wanted */
    int port;
    byre__treq_t treq;
    void *buf;
    size_t room;
    void *stage;
    byre_info_t info;
    /* sends that the engine completes */
    byre_notice_t notice;
    byre__cow_t *cow;
    void *copy;
    size_t bytes;
    bool handed_out; /* the user has it, and frees it by waiting */
    bool is_send;
};

byre_request_t byre__request_get(void); /* NULL: no memory */
void byre__request_put(byre_request_t request);

/* Look whether it is complete (and test it, if it is MPI's). */
bool byre__request_done(byre_request_t request);

/* send.c: sends that the engine completes */
void byre__send_adopt(byre_request_t request);
int byre__send_poll(void);
bool byre__send_drained(void);
void byre__request_complete(byre_request_t request, int result);

/* recv.c, port.c: receives that the engine completes, kept messages, pop-up ports */
int byre__staged_finish(byre_request_t request, const byre__tstatus_t *status);
int byre__port_poll(void);
void byre__port_keep_stage(int port, int source, void *stage, size_t bytes);
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
