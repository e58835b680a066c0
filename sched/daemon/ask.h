/* SPDX-License-Identifier: BSD-3-Clause */
/* ask.h - questions of clients that the pool answers. Described in ask.c. */
#ifndef BYRED_ASK_H
#define BYRED_ASK_H

#include "sched/daemon/client.h"
#include "sched/daemon/peer.h"

typedef struct range {
    int home;
    uint64_t first, count;
} range_t;

typedef struct ask {
    struct ask *prev, *next;
    client_t *client;
    uint32_t tag, number; /* the client's; ours */
    uint16_t kind;        /* BYRE__ASK_... */
    uint8_t *waiting;     /* by rank: it has not answered */
    int pending;
    char missing[200]; /* names of nodes that did not answer */

    /* LIST */
    int rank;    /* whose rows come now */
    bool paused; /* the next page waits for the client to read */
    uint8_t what;
    uint32_t left;
    uint64_t next_open, last_ended;
    /* KILL */
    uint64_t killed;
    /* LIST, WAIT */
    range_t *ranges;
    uint32_t range_count;
    /* LOG */
    int source;
} ask_t;

/* From a client. */
void ask_begin(client_t *client, uint16_t kind, uint32_t tag, byre__unpack_t *payload);
void ask_window(client_t *client, byre__unpack_t *payload, uint32_t tag); /* of a LOG */
bool ask_has_log(client_t *client, uint32_t tag);
void ask_pump(client_t *client); /* it has read: go on */
void ask_client_gone(client_t *client);
/* Answers (type without WIRE_SAY), and the end of who should answer. */
void ask_answer(int from, uint32_t number, uint16_t say, byre__unpack_t *payload);
void ask_member_gone(int rank);
void ask_end(ask_t *ask);
/* count, ranges: in order, merged. BYRE_OK, BYRE_EPROTO, BYRE_ENOTFOUND (an unknown home: its name in
 * *unknown_out). */
int ask_unpack_ranges(byre__unpack_t *payload, range_t **ranges_out, uint32_t *count_out,
                      char unknown_out[static BYRE__NODE_NAME]);
void ask_pack_ranges(byre__pack_t *pack, const range_t *ranges, uint32_t count, int home);
bool ask_ranges_have(const range_t *ranges, uint32_t count, uint64_t number); /* all of one home */
uint32_t ask_ranges_of(const range_t *ranges, uint32_t count, int home);

/* ---- ask_list.c ---- */
void ask_list_next(ask_t *ask); /* the next page */
void serve_list(int from, uint32_t tag, byre__unpack_t *payload);
/* ---- ask_nodes.c ---- */
void serve_nodes(int from, uint32_t tag);
void nodes_row(byre__node_row_t *row_out);
void ask_nodes_missing(ask_t *ask);
/* ---- ask_kill.c ---- */
void serve_kills(int from, uint32_t tag, byre__unpack_t *payload);
/* ---- watch.c: who waits for ends ---- */
void serve_watch(int from, uint32_t tag, byre__unpack_t *payload);
void serve_unwatch(int from, uint32_t tag);
void watch_ended(job_t *job, const byre__end_t *end);
void watch_member_gone(int rank);
/* ---- log_reader.c ---- */
void serve_log(int from, uint32_t tag, byre__unpack_t *payload);
void serve_log_window(int from, uint32_t tag, byre__unpack_t *payload);
void serve_log_close(int from, uint32_t tag);
void log_member_gone(int rank);
double log_due(void);
void log_tick(void);

#endif
