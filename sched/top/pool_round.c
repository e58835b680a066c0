/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_round.c - a round of questions: the nodes, then the jobs of each; when all is answered, the model gets it. */
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "sched/cmd/share.h"

enum {
    OPEN_ALL = 1000, /* jobs asked for, over all homes: each is a message between daemons */
    ENDED_ALL = 200,
    OPEN_LEAST = MODEL_LISTED_LEAST, /* of one home */
    ENDED_LEAST = 10,
    HOMES_EACH = 64 /* with more homes they are asked for together */
};

void pool_round_forget(pool_round_t *round)
{
    free(round->nodes);
    free(round->jobs);
    *round = (pool_round_t){ 0 };
}

/* ---- questions ------------------------------------------------------------------------------------- */

bool pool_round_begin(pool_t *pool)
{
    pool_round_t *round = &pool->round;

    pool_round_forget(round);
    if (!pool_ask(pool, BYRE__ASK_NODES, NULL, &round->first)) return false;
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
    done = pool_ask(pool, BYRE__ASK_LIST, &pack, &pool->round.last);
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

void pool_round_take(pool_t *pool, const byre__frame_t *frame, byre__unpack_t *say)
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
