/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client_job.c - byre_sched_submit, _wait and _kill: one question each, and its answer.
 */
#include "client.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* ---- submit ---------------------------------------------------------------------------------------- */

/* A spec borrows the caller's texts: it is packed and not freed. */
static byre__spec_t spec_of(const byre_sched_job_t *job)
{
    static char nothing[] = "";

    return (byre__spec_t){
        .flags = (job->restartable ? BYRE__JOB_RESTARTABLE : 0U) |
                 (job->own_tmp ? BYRE__JOB_OWN_TMP : 0U),
        .argv = (char **)job->argv,
        .name = job->name ? (char *)job->name : nothing,
        .node = job->node ? (char *)job->node : nothing,
        .affinity = job->affinity ? (char *)job->affinity : nothing,
        .cpus = job->cpus ? job->cpus : 1,
        .mem = job->mem_bytes,
    };
}

static int submit(byre_sched_t *sched, const byre_sched_job_t *jobs, size_t count, uint32_t context,
                  byre__job_id_t *first_out)
{
    byre__pack_t ask = { 0 };
    byre__unpack_t say;
    uint32_t tag;
    int error;

    byre__pack_u32(&ask, context);
    byre__pack_u32(&ask, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        byre__spec_t spec = spec_of(&jobs[i]);

        byre__pack_spec(&ask, &spec);
    }
    error = byre__client_ask(sched, BYRE__ASK_SUBMIT, &ask, &tag);
    byre__pack_fini(&ask);
    if (error == BYRE_OK) error = byre__client_expect(sched, tag, BYRE__SAY_ACCEPTED, &say);
    if (error != BYRE_OK) return error;
    byre__unpack_job_id(&say, first_out);
    if (byre__unpack_u32(&say) != count || !byre__unpack_done(&say))
        return byre__client_broken(sched, BYRE_EPROTO);
    return BYRE_OK;
}

int byre_sched_submit(byre_sched_t *sched, const byre_sched_job_t *jobs, size_t count,
                      char id_out[BYRE_SCHED_ID])
{
    byre__job_id_t first;
    uint32_t context;
    int error;

    if (count == 0) return byre__client_fail(sched, BYRE_EINVAL, "no job is given");
    if (count > UINT32_MAX)
        return byre__client_fail(sched, BYRE_ERANGE, "%zu jobs are more than a pool can hold",
                                 count);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].argv == NULL || jobs[i].argv[0] == NULL)
            return byre__client_fail(sched, BYRE_EINVAL, "job %zu has no program: argv is empty",
                                     i);
    }
    error = byre__client_context(sched, &context);
    if (error == BYRE_OK) error = submit(sched, jobs, count, context, &first);
    if (error == BYRE_OK) byre__job_id_format(&first, id_out);
    return error;
}

/* ---- wait and kill --------------------------------------------------------------------------------- */

/* [what, if it has one,] and the one job. */
static int ask_about(byre_sched_t *sched, uint16_t type, const uint32_t *what, const char *id_text,
                     uint32_t *tag_out)
{
    byre__pack_t ask = { 0 };
    byre__job_id_t id;
    int error;

    if (id_text == NULL || !byre__job_id_parse(id_text, sched->node, &id))
        return byre__client_fail(sched, BYRE_EINVAL, "`%s' is no job's id: they look like %s.17",
                                 id_text ? id_text : "", sched->node);
    if (what != NULL) byre__pack_u32(&ask, *what);
    byre__pack_u32(&ask, 1);
    byre__pack_job_id(&ask, &id);
    byre__pack_u64(&ask, 1);
    error = byre__client_ask(sched, type, &ask, tag_out);
    byre__pack_fini(&ask);
    return error;
}

static void tell_end(const byre__end_t *end, const char *node, byre_sched_end_t *end_out)
{
    memset(end_out, 0, sizeof *end_out);
    snprintf(end_out->node, sizeof end_out->node, "%s", node);
    end_out->status = byre__end_status(end);
    end_out->lost = end->kind == BYRE__END_LOST;
    if (end->kind == BYRE__END_SIGNAL || end->kind == BYRE__END_CANCELLED)
        end_out->signal = end->code;
    if (end->ended_ms > end->started_ms && end->started_ms > 0)
        end_out->run_s = (double)(end->ended_ms - end->started_ms) / 1e3;
    end_out->cpu_s = (double)(end->user_us + end->system_us) / 1e6;
}

static int wait_for(byre_sched_t *sched, const char *id_text, int timeout_ms,
                    byre_sched_end_t *end_out)
{
    char node[BYRE__NODE_NAME];
    byre__job_id_t id;
    byre__end_t end;
    byre__frame_t frame;
    byre__unpack_t say;
    uint32_t tag = 0;
    int error = ask_about(sched, BYRE__ASK_WAIT, NULL, id_text, &tag);

    if (error == BYRE_OK) error = byre__client_answer(sched, tag, timeout_ms, &frame, &say);
    if (error != BYRE_OK) return error;
    /* DONE alone: none was there to wait for. */
    if (frame.type == BYRE__SAY_DONE)
        return byre__client_fail(sched, BYRE_ENOTFOUND, "there is no job %s (any more)", id_text);
    if (frame.type != BYRE__SAY_ENDED) return byre__client_broken(sched, BYRE_EPROTO);
    byre__unpack_job_id(&say, &id);
    byre__unpack_text_into(&say, node, sizeof node);
    byre__unpack_end(&say, &end);
    if (!byre__unpack_done(&say)) return byre__client_broken(sched, BYRE_EPROTO);
    tell_end(&end, node, end_out);
    return BYRE_OK;
}

/* A look instead of a wait: is it there, and not ended? What has ended is then told without waiting. */
static bool is_open(byre_sched_t *sched, const char *id_text)
{
    return byre_sched_kill(sched, id_text, 0) == BYRE_OK;
}

int byre_sched_wait(byre_sched_t *sched, const char *id_text, int timeout_ms,
                    byre_sched_end_t *end_out)
{
    if (timeout_ms == 0) {
        if (is_open(sched, id_text))
            return byre__client_fail(sched, BYRE_ETIMEOUT, "job %s has not ended", id_text);
        timeout_ms = -1;
    }
    return wait_for(sched, id_text, timeout_ms, end_out);
}

int byre_sched_kill(byre_sched_t *sched, const char *id_text, int signal)
{
    uint32_t tag = 0, number = (uint32_t)signal;
    byre__unpack_t say;
    uint64_t reached;
    int error;

    if (signal < 0 || signal > SIGRTMAX)
        return byre__client_fail(sched, BYRE_EINVAL, "%d is no signal", signal);
    error = ask_about(sched, BYRE__ASK_KILL, &number, id_text, &tag);
    if (error == BYRE_OK) error = byre__client_expect(sched, tag, BYRE__SAY_KILLED, &say);
    if (error != BYRE_OK) return error;
    reached = byre__unpack_u64(&say);
    if (!byre__unpack_done(&say)) return byre__client_broken(sched, BYRE_EPROTO);
    if (reached == 0)
        return byre__client_fail(sched, BYRE_ENOTFOUND, "there is no job %s, or it has ended",
                                 id_text);
    return BYRE_OK;
}
