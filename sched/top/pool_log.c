/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool_log.c - the end of what a job has written, and what it goes on to write.
 *
 * First the size is asked for, by reading from beyond any end; then the last TAIL_BYTES; then, with each round, what
 * has come since. Nothing follows: a question that is not answered until the job ends could not be taken back.
 */
#include "pool.h"

#include <stdio.h>
#include <string.h>

#define BEYOND (UINT64_C(1) << 50) /* no file is so long, and offsets of files go so far */

static void ask_log(pool_t *pool, uint64_t from)
{
    byre__pack_t pack = { 0 };

    byre__pack_job_id(&pack, &pool->view->log_job);
    byre__pack_u8(&pack, pool->view->log_stream);
    byre__pack_u64(&pack, from);
    byre__pack_u8(&pack, 0);
    (void)pool_ask(pool, BYRE__ASK_LOG, &pack, &pool->log.tag);
    byre__pack_fini(&pack);
}

void pool_log_tick(pool_t *pool)
{
    pool_log_t *log = &pool->log;

    if (log->phase != LOG_DUE || pool->sched == NULL) return;
    log->phase = log->sized ? LOG_READ : LOG_SIZE;
    ask_log(pool, log->sized ? log->at : BEYOND);
}

void pool_log_begin(pool_t *pool)
{
    pool->log = (pool_log_t){ .phase = LOG_DUE };
    pool_log_tick(pool);
}

void pool_log_end(pool_t *pool)
{
    pool->log = (pool_log_t){ 0 };
}

void pool_log_grant(pool_t *pool, const byre__frame_t *frame, const byre__unpack_t *say)
{
    byre__unpack_t rest = *say;
    byre__pack_t pack = { 0 };
    byre__job_id_t id;
    uint8_t stream;
    int error;

    byre__unpack_job_id(&rest, &id);
    stream = byre__unpack_u8(&rest);
    if (rest.failed) {
        pool_lost(pool, BYRE_EPROTO);
        return;
    }
    byre__pack_job_id(&pack, &id);
    byre__pack_u8(&pack, stream);
    byre__pack_u32(&pack, (uint32_t)(rest.end - rest.at));
    error = byre__stream_put(&pool->sched->stream, BYRE__ASK_WINDOW, frame->tag, &pack);
    byre__pack_fini(&pack);
    if (error == BYRE_OK) error = byre__stream_drain(&pool->sched->stream);
    if (error != BYRE_OK) pool_lost(pool, error);
}

/* The size is known: the last part of it is what is read. */
static void sized(pool_t *pool, uint64_t bytes)
{
    pool_log_t *log = &pool->log;

    log->sized = true;
    /* One that only repeats what was asked for: then all of it is read, and the end is kept. */
    if (bytes >= BEYOND) bytes = 0;
    log->at = bytes > TAIL_BYTES ? bytes - TAIL_BYTES : 0;
    pool->view->log.cut = log->at > 0;
    log->phase = LOG_READ;
    ask_log(pool, log->at);
}

void pool_log_take(pool_t *pool, const byre__frame_t *frame, byre__unpack_t *say)
{
    pool_log_t *log = &pool->log;
    view_t *view = pool->view;
    byre__job_id_t id;

    switch (frame->type) {
    case BYRE__SAY_OUTPUT:
        byre__unpack_job_id(say, &id);
        (void)byre__unpack_u8(say);
        if (log->phase != LOG_READ || say->failed) break;
        tail_add(&view->log, say->at, (size_t)(say->end - say->at));
        log->at += (uint64_t)(say->end - say->at);
        break;
    case BYRE__SAY_DONE:
        view->log_why[0] = '\0';
        if (log->phase == LOG_SIZE)
            sized(pool, byre__unpack_u64(say));
        else
            log->phase = LOG_DUE;
        break;
    case BYRE__SAY_ERROR:
        byre__client_error(pool->sched, say);
        snprintf(view->log_why, sizeof view->log_why, "%s", byre_sched_explain(pool->sched));
        log->phase = LOG_DUE;
        break;
    default:
        pool_lost(pool, BYRE_EPROTO);
        break;
    }
}
