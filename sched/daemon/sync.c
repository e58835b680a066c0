/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sync.c - "once the ledger has it": steps that wait for the disk, one ledger_sync a round of the loop for all of
 * them. When the ledger is in trouble they wait until it is not: what has not been written does not happen.
 */
#include <math.h>
#include <stdlib.h>

#include "sched/daemon/run.h"

#define RETRY_S 1.0

typedef struct step {
    job_t *job;
    sync_fn fn;
} step_t;

typedef struct batch {
    step_t *steps;
    size_t count, room;
    bool durable;
} batch_t;

static batch_t *gathering[2]; /* [durable] */
static double retry_at = INFINITY;
static bool troubled;

static bool add(bool durable, step_t step)
{
    batch_t *batch = gathering[durable];

    if (batch == NULL) {
        batch = gathering[durable] = calloc(1, sizeof *batch);
        if (batch == NULL) {
            return false;
        }
        batch->durable = durable;
    }
    if (batch->count == batch->room) {
        step_t *more = realloc(batch->steps, (batch->room * 2 + 16) * sizeof *more);

        if (more == NULL) {
            return false;
        }
        batch->steps = more;
        batch->room = batch->room * 2 + 16;
    }
    batch->steps[batch->count++] = step;
    return true;
}

void sync_after(job_t *job, bool durable, sync_fn fn)
{
    job_hold(job);
    if (!add(durable, (step_t){ job, fn })) {
        byred_log("out of memory: job %s stays where it is until the next `byre up'",
                  job_name(job));
        return;
    }
    byred.work |= WORK_SYNC;
}

/* Once more, later. */
static void put_off(const batch_t *batch)
{
    if (!troubled) {
        const char *why = ledger_trouble(byred.ledger);

        byred_log("the ledger cannot be written (%s): nothing is accepted and no job that must be "
                  "on disk "
                  "begins until it can",
                  why != NULL ? why : "the ledger cannot be written");
    }
    troubled = true;
    for (size_t i = 0; i < batch->count; i++) {
        (void)add(batch->durable, batch->steps[i]); /* its hold goes on */
    }
    retry_at = byred_now() + RETRY_S;
}

static void written(void *arg, int error)
{
    batch_t *batch = arg;

    if (error != BYRE_OK) {
        put_off(batch);
    } else {
        troubled = false;
        for (size_t i = 0; i < batch->count; i++) {
            batch->steps[i].fn(batch->steps[i].job);
            job_release(batch->steps[i].job);
        }
    }
    free(batch->steps);
    free(batch);
}

void sync_run(void)
{
    if (retry_at != INFINITY) {
        return;
    }
    for (int durable = 0; durable < 2; durable++) {
        batch_t *batch = gathering[durable];

        gathering[durable] = NULL;
        if (batch != NULL && ledger_sync(byred.ledger, batch->durable, written, batch) != BYRE_OK) {
            written(batch, BYRE_ENOMEM);
        }
    }
}

double sync_due(void)
{
    return retry_at;
}

void sync_tick(void)
{
    retry_at = INFINITY;
    byred.work |= WORK_SYNC;
}
