/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.h - the connection to the daemon of this node, which never makes anybody wait: questions are put, and what comes
 * back is taken when it comes, so that keys are answered while the daemon is not.
 *
 *   pool.c         the connection, lost and found again; what is due; kill
 *   pool_round.c   a round of questions
 *   pool_log.c     what a job has written
 *
 * 1. One round of questions at a time: all nodes, then the jobs of each home that is up. The model gets it whole, or not
 *    at all.
 * 2. Without a daemon it is tried again every second. Only that waits, at most HELLO_MS.
 */
#ifndef BYRE__SCHED_TOP_POOL_H
#define BYRE__SCHED_TOP_POOL_H

#include "sched/client.h"
#include "view.h"

typedef struct pool_round {
    bool asking;
    uint32_t first, last; /* tags */
    unsigned pending;     /* questions that are not answered */
    byre__node_row_t *nodes;
    byre__row_t *jobs;
    size_t node_count, node_room, job_count, job_room;
} pool_round_t;

typedef enum pool_log_phase { LOG_OFF, LOG_DUE, LOG_SIZE, LOG_READ } pool_log_phase_t;

typedef struct pool_log {
    pool_log_phase_t phase;
    bool sized;  /* the end has been looked for */
    uint64_t at; /* next byte */
    uint32_t tag;
} pool_log_t;

typedef struct pool {
    const char *name; /* as --pool says, or NULL */
    model_t *model;
    view_t *view;
    byre_sched_t *sched; /* NULL: no daemon */
    int64_t due_ms;      /* monotonic: next round, or next attempt to connect */
    pool_round_t round;
    pool_log_t log;
    uint32_t kill_tag; /* 0: none under way */
    byre__job_id_t killed;
    int kill_signal;
    unsigned rounds; /* that have been answered */
} pool_t;

void pool_init(pool_t *pool, const char *name, model_t *model, view_t *view);
void pool_fini(pool_t *pool);
/* The first connection: BYRE_OK or an error, the model says why. */
int pool_open(pool_t *pool);

/* For poll: -1 while there is no daemon. */
int pool_fd(const pool_t *pool);
/* Milliseconds until pool_tick has something to do. */
int pool_wait_ms(const pool_t *pool);
/* Ask, or connect, when that is due. */
void pool_tick(pool_t *pool);
/* Take what has come. true: something has changed. */
bool pool_take(pool_t *pool);
/* The next round at once. */
void pool_now(pool_t *pool);
/* One that was too long: after the interval has changed. */
void pool_hurry(pool_t *pool);

void pool_kill(pool_t *pool, const byre__job_id_t *id, int signal);
/* Begin to read what the view wants to see. */
void pool_log_begin(pool_t *pool);
void pool_log_end(pool_t *pool);

/* ---- among its files ------------------------------------------------------------------------------ */

/* The connection is broken: the model says so. */
void pool_lost(pool_t *pool, int error);
/* false: it was, just now. */
bool pool_ask(pool_t *pool, uint16_t type, const byre__pack_t *payload, uint32_t *tag_out);

/* ---- pool_round.c ---- */
bool pool_round_begin(pool_t *pool); /* as pool_ask */
/* A frame with a tag of the round. */
void pool_round_take(pool_t *pool, const byre__frame_t *frame, byre__unpack_t *say);
void pool_round_forget(pool_round_t *round);

/* ---- pool_log.c ---- */
void pool_log_tick(pool_t *pool);
/* A frame with the log's tag. */
void pool_log_take(pool_t *pool, const byre__frame_t *frame, byre__unpack_t *say);
/* Allow as much output as has come, whoever has asked for it: a reader that waits for it would stay. */
void pool_log_grant(pool_t *pool, const byre__frame_t *frame, const byre__unpack_t *say);

#endif
