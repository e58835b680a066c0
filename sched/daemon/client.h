/* SPDX-License-Identifier: BSD-3-Clause */
/* client.h - connections of clients on this node. Described in client.c. */
#ifndef BYRED_CLIENT_H
#define BYRED_CLIENT_H

#include "sched/frame.h"
#include "sched/talk.h"
#include "sched/daemon/jobs.h"

#define CLIENT_FILL \
    ((size_t)1 << 20) /* rows and output of logs wait while so much has not been read */
#define CLIENT_MAX \
    ((size_t)32    \
     << 20) /* a client that has so much to read is dropped: the ends of 100,000 jobs fit */
#define CLIENTS_MAX ((size_t)128 << 20) /* when all of them have, the one that has most */

typedef struct client_context {
    uint32_t number;
    context_t *context;
} client_context_t;

struct client {
    client_t *prev, *next;
    loop_watch_t watch;
    byre__stream_t stream;
    uint64_t serial; /* never used again: for answers that come later */
    bool dead;       /* goes at the end of the round */
    client_context_t *contexts;
    size_t context_count;
    live_t *jobs;
};

bool clients_open(char error_out[static 256]);
void clients_close(void);
void clients_ready(void); /* they can be answered now */
void clients_flush(void); /* write, pump, bury the dead */
client_t *client_by_serial(uint64_t serial);

void client_say(client_t *client, uint16_t type, uint32_t tag, const byre__pack_t *pack);
void client_say_with(client_t *client, uint16_t type, uint32_t tag, const byre__pack_t *pack,
                     const void *data, size_t bytes);
__attribute__((format(printf, 4, 5))) void client_error(client_t *client, uint32_t tag, int error,
                                                        const char *format, ...);

/* ---- what the clients of attached jobs are told; nothing when there is none ---- */
void client_tell_started(job_t *job);
void client_tell_ended(job_t *job, const byre__end_t *end);

/* ---- ask_submit.c ---- */
void ask_context(client_t *client, byre__unpack_t *payload);
void ask_submit(client_t *client, uint32_t tag, byre__unpack_t *payload);

#endif
