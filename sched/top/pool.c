/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.c - the connection to the daemon, the way back to one that has gone, and who gets what it says; see pool.h. */
#include "pool.h"

#include <stdio.h>
#include <time.h>

#include "sched/cmd/share.h"

enum { HELLO_MS = 300, RETRY_MS = 1000 };

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pool_init(pool_t *pool, const char *name, model_t *model, view_t *view)
{
    *pool = (pool_t){ .name = name, .model = model, .view = view };
}

void pool_fini(pool_t *pool)
{
    pool_round_forget(&pool->round);
    byre_sched_close(pool->sched);
    pool->sched = NULL;
}

/* ---- connection ------------------------------------------------------------------------------------ */

int pool_open(pool_t *pool)
{
    char why[BYRE__CLIENT_WHY];
    int error = byre__client_open(pool->name, HELLO_MS, &pool->sched, why);

    pool->due_ms = monotonic_ms() + (error == BYRE_OK ? 0 : RETRY_MS);
    if (error != BYRE_OK) {
        pool->sched = NULL;
        model_gone(pool->model, why);
        return error;
    }
    pool->model->up = true;
    snprintf(pool->model->pool, sizeof pool->model->pool, "%s", pool->sched->pool);
    snprintf(pool->model->here, sizeof pool->model->here, "%s", pool->sched->node);
    return BYRE_OK;
}

void pool_lost(pool_t *pool, int error)
{
    if (error == BYRE_EPEER || error == BYRE_EPROTO || error == BYRE_ENOMEM)
        (void)byre__client_broken(pool->sched, error);
    model_gone(pool->model, byre_sched_explain(pool->sched));
    byre_sched_close(pool->sched);
    pool->sched = NULL;
    pool_round_forget(&pool->round);
    pool->kill_tag = 0;
    if (pool->log.phase != LOG_OFF) pool->log.phase = LOG_DUE;
    /* At once: it may have been started anew, and if not, that is said better than "has ended". */
    pool->due_ms = monotonic_ms();
}

bool pool_ask(pool_t *pool, uint16_t type, const byre__pack_t *payload, uint32_t *tag_out)
{
    int error = byre__client_ask(pool->sched, type, payload, tag_out);

    if (error == BYRE_OK) return true;
    pool_lost(pool, error);
    return false;
}

int pool_fd(const pool_t *pool)
{
    return pool->sched != NULL ? pool->sched->stream.fd : -1;
}

int pool_wait_ms(const pool_t *pool)
{
    int64_t left = pool->due_ms - monotonic_ms();

    /* While a round is under way its end is what counts; the clock goes on. */
    if (pool->sched != NULL && pool->round.asking) return pool->view->interval_ms;
    return left <= 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* ---- what is due ----------------------------------------------------------------------------------- */

void pool_tick(pool_t *pool)
{
    if (monotonic_ms() < pool->due_ms) return;
    if (pool->sched == NULL && pool_open(pool) != BYRE_OK) return;
    if (pool->round.asking || !pool_round_begin(pool)) return;
    pool->due_ms = monotonic_ms() + pool->view->interval_ms;
    pool_log_tick(pool);
}

void pool_now(pool_t *pool)
{
    if (pool->sched != NULL) pool->due_ms = monotonic_ms();
}

void pool_hurry(pool_t *pool)
{
    int64_t due = monotonic_ms() + pool->view->interval_ms;

    if (pool->due_ms > due) pool->due_ms = due;
}

void pool_kill(pool_t *pool, const byre__job_id_t *id, int signal)
{
    byre__pack_t pack = { 0 };

    if (pool->sched == NULL) {
        view_note(pool->view, true, "There is no daemon to tell.");
        return;
    }
    byre__pack_u32(&pack, (uint32_t)signal);
    byre__pack_u32(&pack, 1);
    byre__pack_job_id(&pack, id);
    byre__pack_u64(&pack, 1);
    pool->killed = *id;
    pool->kill_signal = signal;
    (void)pool_ask(pool, BYRE__ASK_KILL, &pack, &pool->kill_tag);
    byre__pack_fini(&pack);
}

/* ---- what comes back ------------------------------------------------------------------------------- */

static void take_killed(pool_t *pool, const byre__frame_t *frame, byre__unpack_t *say)
{
    char id[BYRE__JOB_ID], name[TEXT_SHORT];

    pool->kill_tag = 0;
    byre__job_id_format(&pool->killed, id);
    if (frame->type == BYRE__SAY_ERROR) {
        byre__client_error(pool->sched, say);
        view_note(pool->view, true, "%s", byre_sched_explain(pool->sched));
    } else if (byre__unpack_u64(say) == 0) {
        view_note(pool->view, false, "%s had already ended.", id);
    } else {
        view_note(pool->view, false, "%s was sent %s.", id, text_signal(pool->kill_signal, name));
        pool_now(pool);
    }
}

static void take(pool_t *pool, const byre__frame_t *frame, byre__unpack_t *say)
{
    const pool_round_t *round = &pool->round;

    if (frame->type == BYRE__SAY_OUTPUT) pool_log_grant(pool, frame, say);
    if (pool->sched == NULL) return;
    if (pool->log.phase != LOG_OFF && frame->tag == pool->log.tag)
        pool_log_take(pool, frame, say);
    else if (pool->kill_tag != 0 && frame->tag == pool->kill_tag)
        take_killed(pool, frame, say);
    else if (round->asking && frame->tag >= round->first && frame->tag <= round->last)
        pool_round_take(pool, frame, say);
}

bool pool_take(pool_t *pool)
{
    byre__frame_t frame;
    byre__unpack_t say;
    int got = 0, filled;

    if (pool->sched == NULL) return false;
    filled = byre__stream_fill(&pool->sched->stream);
    if (filled == BYRE_EAGAIN) return false;
    /* What came before the end is taken, too. */
    while (pool->sched != NULL && (got = byre__stream_next(&pool->sched->stream, &frame, &say)) > 0)
        take(pool, &frame, &say);
    if (got == 0) got = filled;
    if (pool->sched != NULL && got < 0) pool_lost(pool, got);
    return true;
}
