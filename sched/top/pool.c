/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.c - rounds of questions to the daemon, and the way back to one that has gone; see pool.h. */
#include "pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sched/cmd/share.h"

enum {
    HELLO_MS = 300,
    RETRY_MS = 1000,
    OPEN_ALL = 1000, /* jobs asked for, over all homes: each is a message between daemons */
    ENDED_ALL = 200,
    OPEN_LEAST = MODEL_LISTED_LEAST, /* of one home */
    ENDED_LEAST = 10,
    HOMES_EACH = 64 /* with more homes they are asked for together */
};

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

static void forget_round(pool_round_t *round)
{
    free(round->nodes);
    free(round->jobs);
    *round = (pool_round_t){ 0 };
}

void pool_fini(pool_t *pool)
{
    forget_round(&pool->round);
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
    forget_round(&pool->round);
    pool->kill_tag = 0;
    if (pool->log.phase != LOG_OFF) pool->log.phase = LOG_DUE;
    /* At once: it may have been started anew, and if not, that is said better than "has ended". */
    pool->due_ms = monotonic_ms();
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

/* ---- questions ------------------------------------------------------------------------------------- */

static bool ask(pool_t *pool, uint16_t type, const byre__pack_t *payload, uint32_t *tag_out)
{
    int error = byre__client_ask(pool->sched, type, payload, tag_out);

    if (error == BYRE_OK) return true;
    pool_lost(pool, error);
    return false;
}

static bool begin_round(pool_t *pool)
{
    pool_round_t *round = &pool->round;

    forget_round(round);
    if (!ask(pool, BYRE__ASK_NODES, NULL, &round->first)) return false;
    round->last = round->first;
    round->pending = 1;
    round->asking = true;
    return true;
}

static bool ask_jobs(pool_t *pool, uint8_t what, uint32_t most, const char *home)
{
    byre__job_id_t first = { .number = 1 };
    byre__pack_t pack = { 0 };
    bool done;

    byre__pack_u8(&pack, what);
    byre__pack_u32(&pack, most);
    byre__pack_u32(&pack, home != NULL ? 1 : 0);
    if (home != NULL) {
        snprintf(first.home, sizeof first.home, "%s", home);
        byre__pack_job_id(&pack, &first);
        byre__pack_u64(&pack, INT64_MAX - 1); /* all: ids are less than 2^63 */
    }
    done = ask(pool, BYRE__ASK_LIST, &pack, &pool->round.last);
    byre__pack_fini(&pack);
    pool->round.pending += done;
    return done;
}

static uint32_t at_least(uint32_t number, uint32_t least)
{
    return number > least ? number : least;
}

/* Each home by itself: else the first ones use up what may be asked for. */
static bool ask_all_jobs(pool_t *pool)
{
    pool_round_t *round = &pool->round;
    uint32_t homes = 0;

    for (size_t i = 0; i < round->node_count; i++)
        homes += round->nodes[i].state != BYRE__NODE_GONE;
    if (homes == 0 || homes > HOMES_EACH)
        return ask_jobs(pool, 1, OPEN_ALL, NULL) && ask_jobs(pool, 2, ENDED_ALL, NULL);
    for (size_t i = 0; i < round->node_count; i++) {
        const char *name = round->nodes[i].name;

        if (round->nodes[i].state == BYRE__NODE_GONE) continue;
        if (!ask_jobs(pool, 1, at_least(OPEN_ALL / homes, OPEN_LEAST), name) ||
            !ask_jobs(pool, 2, at_least(ENDED_ALL / homes, ENDED_LEAST), name))
            return false;
    }
    return true;
}

void pool_tick(pool_t *pool)
{
    if (monotonic_ms() < pool->due_ms) return;
    if (pool->sched == NULL && pool_open(pool) != BYRE_OK) return;
    if (pool->round.asking || !begin_round(pool)) return;
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
    (void)ask(pool, BYRE__ASK_KILL, &pack, &pool->kill_tag);
    byre__pack_fini(&pack);
}

/* ---- answers --------------------------------------------------------------------------------------- */

/* Room for one more. */
static void *grow(void *array, size_t count, size_t *room, size_t each)
{
    size_t more = *room ? 2 * *room : 64;

    if (count < *room) return array;
    array = realloc(array, more * each);
    if (array != NULL) *room = more;
    return array;
}

static int take_node(pool_round_t *round, byre__unpack_t *say)
{
    byre__node_row_t *nodes =
        grow(round->nodes, round->node_count, &round->node_room, sizeof *nodes);

    if (nodes == NULL) return BYRE_ENOMEM;
    round->nodes = nodes;
    byre__unpack_node_row(say, &nodes[round->node_count]);
    if (!byre__unpack_done(say)) return BYRE_EPROTO;
    round->node_count++;
    return BYRE_OK;
}

static int take_job(pool_round_t *round, byre__unpack_t *say)
{
    byre__row_t *jobs = grow(round->jobs, round->job_count, &round->job_room, sizeof *jobs);

    if (jobs == NULL) return BYRE_ENOMEM;
    round->jobs = jobs;
    byre__unpack_row(say, &jobs[round->job_count]);
    if (!byre__unpack_done(say)) return BYRE_EPROTO;
    round->job_count++;
    return BYRE_OK;
}

/* A question has been answered; after the last one the model gets it all. */
static void answered(pool_t *pool, uint32_t tag)
{
    pool_round_t *round = &pool->round;

    round->pending--;
    if (tag == round->first && !ask_all_jobs(pool)) return;
    if (round->pending > 0) return;
    if (!model_answer(pool->model, text_now_ms(), round->nodes, round->node_count, round->jobs,
                      round->job_count)) {
        round->nodes = NULL;
        round->jobs = NULL;
        pool_lost(pool, BYRE_ENOMEM);
        return;
    }
    *round = (pool_round_t){ 0 };
    pool->rounds++;
}

static void take_round(pool_t *pool, const byre__frame_t *frame, byre__unpack_t *say)
{
    int error = BYRE_OK;

    switch (frame->type) {
    case BYRE__SAY_NODE:
        error = take_node(&pool->round, say);
        break;
    case BYRE__SAY_ROW:
        error = take_job(&pool->round, say);
        break;
    case BYRE__SAY_ERROR:
        /* A node that has just left: what the others say is still true. */
        (void)byre__client_error(pool->sched, say);
        view_note(pool->view, true, "%s", byre_sched_explain(pool->sched));
        answered(pool, frame->tag);
        break;
    case BYRE__SAY_DONE:
        answered(pool, frame->tag);
        break;
    default:
        error = BYRE_EPROTO;
        break;
    }
    if (error != BYRE_OK) pool_lost(pool, error);
}

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
        take_round(pool, frame, say);
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
