/* SPDX-License-Identifier: BSD-3-Clause */
/* xargs_flight.c - jobs out and back; see xargs.h. */
#include "xargs.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 256, BATCH_BYTES = 1 << 20 };

void flight_free(xargs_job_t *job)
{
    free(job->argv);
    for (int i = 0; i < 2; i++) byre__pack_fini(&job->log[i]);
    free(job);
}

/* ---- out ------------------------------------------------------------------------------------------------- */

static xargs_job_t *next_job(xargs_t *x)
{
    xargs_job_t *job = x->again;
    char **words;

    if (job != NULL) {
        x->again = job->next_again;
        if (x->again == NULL) x->again_end = &x->again;
        return job;
    }
    words = input_words(x);
    if (words == NULL) return NULL;
    job = calloc(1, sizeof *job);
    if (job == NULL) {
        x->out_of_memory = true;
        free(words);
        return NULL;
    }
    job->argv = words;
    job->seq = ++x->seq;
    job->file[0] = job->file[1] = -1;
    if (x->request->keep_order) emit_add(x, job);
    return job;
}

static void pack_job(xargs_t *x, const xargs_job_t *job)
{
    byre__spec_t spec = needs_spec(&x->request->needs, BYRE__JOB_ATTACHED, job->argv);
    char index[40];
    char *env[] = { index, NULL };

    snprintf(index, sizeof index, "BYRE_INDEX=%llu", (unsigned long long)job->seq - 1);
    spec.env = env;
    byre__pack_spec(&x->specs, &spec);
}

static xargs_batch_t *make_batch(xargs_t *x)
{
    uint32_t most = x->window - x->flying;
    xargs_batch_t *batch;
    xargs_job_t *job;

    if (most > BATCH) most = BATCH;
    batch = calloc(1, sizeof *batch + most * sizeof *batch->jobs);
    x->out_of_memory |= batch == NULL;
    if (batch == NULL) return NULL;
    byre__pack_clear(&x->specs);
    while (batch->count < most && x->specs.bytes < BATCH_BYTES && (job = next_job(x)) != NULL) {
        job->state = XARGS_FLYING;
        job->attempts++;
        pack_job(x, job);
        batch->jobs[batch->count++] = job;
    }
    batch->left = batch->count;
    if (batch->count > 0) return batch;
    free(batch);
    return NULL;
}

static int send_batch(xargs_t *x, xargs_batch_t *batch)
{
    byre__pack_t ask = { 0 };
    int error;

    byre__pack_u32(&ask, x->context);
    byre__pack_u32(&ask, batch->count);
    batch->tag = ++x->sched->tag;
    error = x->specs.failed ? BYRE_ENOMEM
                            : byre__stream_put_with(&x->sched->stream, BYRE__ASK_SUBMIT, batch->tag,
                                                    &ask, x->specs.data, x->specs.bytes);
    byre__pack_fini(&ask);
    batch->next = x->batches;
    x->batches = batch;
    x->flying += batch->count;
    return error == BYRE_OK ? BYRE_OK : byre__client_broken(x->sched, error);
}

int flight_submit(xargs_t *x)
{
    int error = BYRE_OK;

    while (error == BYRE_OK && !x->halted && x->flying < x->window && x->landed < XARGS_AHEAD) {
        xargs_batch_t *batch = make_batch(x);

        if (batch == NULL) break;
        error = send_batch(x, batch);
    }
    return x->out_of_memory ? byre__client_broken(x->sched, BYRE_ENOMEM) : error;
}

/* ---- back ------------------------------------------------------------------------------------------------- */

static void retry(xargs_t *x, xargs_job_t *job)
{
    job->next_again = NULL;
    *x->again_end = job;
    x->again_end = &job->next_again;
}

static void land(xargs_t *x, xargs_job_t *job)
{
    int status = byre__end_status(&job->end);

    if (status != 0 && job->attempts <= x->request->retries && !x->halted) {
        retry(x, job);
        return;
    }
    job->state = XARGS_LANDED;
    x->landed++;
    x->done++;
    x->failed += status != 0;
    if (status != 0 && x->request->halt != HALT_NEVER) x->halted = true;
    if (!x->request->keep_order) emit_add(x, job);
}

static bool take_ended(xargs_t *x, xargs_batch_t *batch, byre__unpack_t *say)
{
    byre__job_id_t id;
    xargs_job_t *job;
    uint64_t index;

    byre__unpack_job_id(say, &id);
    index = id.number - batch->first.number;
    if (say->failed || !batch->accepted || index >= batch->count ||
        strcmp(id.home, batch->first.home) != 0 || batch->jobs[index] == NULL)
        return false;
    job = batch->jobs[index];
    byre__unpack_text_into(say, job->node, sizeof job->node);
    byre__unpack_end(say, &job->end);
    if (!byre__unpack_done(say)) return false;
    batch->jobs[index] = NULL;
    batch->left--;
    x->flying--;
    job->id = id;
    land(x, job);
    return true;
}

static bool take_accepted(xargs_batch_t *batch, byre__unpack_t *say)
{
    byre__unpack_job_id(say, &batch->first);
    batch->accepted = byre__unpack_u32(say) == batch->count && byre__unpack_done(say);
    return batch->accepted;
}

int flight_take(xargs_t *x, const byre__frame_t *frame, byre__unpack_t *say)
{
    xargs_batch_t **at = &x->batches, *batch;
    bool right = false;

    while (*at != NULL && (*at)->tag != frame->tag) at = &(*at)->next;
    batch = *at;
    if (batch == NULL) return BYRE_ENOTFOUND;
    switch (frame->type) {
    case BYRE__SAY_ERROR:
        return byre__client_error(x->sched, say);
    case BYRE__SAY_ACCEPTED:
        right = take_accepted(batch, say);
        break;
    case BYRE__SAY_STARTED:
        right = true;
        break;
    case BYRE__SAY_ENDED:
        right = take_ended(x, batch, say);
        break;
    default:
        break;
    }
    if (!right) return byre__client_broken(x->sched, BYRE_EPROTO);
    if (batch->left == 0) {
        *at = batch->next;
        free(batch);
    }
    return BYRE_OK;
}

void flight_fini(xargs_t *x)
{
    while (x->batches != NULL) {
        xargs_batch_t *batch = x->batches;

        x->batches = batch->next;
        /* Those kept in order are in the list to be shown, which is freed by itself. */
        for (uint32_t i = 0; i < batch->count && !x->request->keep_order; i++) {
            if (batch->jobs[i] != NULL) flight_free(batch->jobs[i]);
        }
        free(batch);
    }
    while (x->again != NULL) {
        xargs_job_t *job = x->again;

        x->again = job->next_again;
        if (!x->request->keep_order) flight_free(job);
    }
    byre__pack_fini(&x->specs);
}
