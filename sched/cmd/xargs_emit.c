/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xargs_emit.c - what jobs wrote, job by job; see xargs.h.
 *
 * Those that have landed ask for their output, as far as a log's first window goes. It is written, and the window
 * opened again, only for the head of the list: one job's output is never in another's.
 */
#include "xargs.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

void emit_add(xargs_t *x, xargs_job_t *job)
{
    job->next = NULL;
    *x->show_end = job;
    x->show_end = &job->next;
}

static bool wants_output(const xargs_t *x)
{
    return !x->request->json || x->request->results != NULL;
}

/* ---- asking ------------------------------------------------------------------------------------------------ */

static int ask_log(xargs_t *x, xargs_job_t *job, int stream)
{
    byre__pack_t pack = { 0 };
    int error;

    job->log_tag[stream] = ++x->sched->tag;
    byre__pack_job_id(&pack, &job->id);
    byre__pack_u8(&pack, (uint8_t)(stream + 1));
    byre__pack_u64(&pack, 0);
    byre__pack_u8(&pack, 0);
    error = byre__stream_put(&x->sched->stream, BYRE__ASK_LOG, job->log_tag[stream], &pack);
    byre__pack_fini(&pack);
    return error == BYRE_OK ? error : byre__client_broken(x->sched, error);
}

int emit_ask(xargs_t *x)
{
    int error = BYRE_OK;

    for (xargs_job_t *job = x->show; job != NULL && error == BYRE_OK; job = job->next) {
        uint64_t bytes[2] = { job->end.out_bytes, job->end.err_bytes };

        if (job->state != XARGS_LANDED) continue;
        job->state = XARGS_TELLING;
        for (int i = 0; i < 2 && error == BYRE_OK; i++) {
            job->log_done[i] = bytes[i] == 0 || !wants_output(x);
            if (!job->log_done[i]) error = ask_log(x, job, i);
        }
    }
    return error;
}

static int grant(xargs_t *x, xargs_job_t *job, int stream, size_t bytes)
{
    byre__pack_t pack = { 0 };
    int error;

    if (job->log_done[stream]) return BYRE_OK;
    byre__pack_job_id(&pack, &job->id);
    byre__pack_u8(&pack, (uint8_t)(stream + 1));
    byre__pack_u32(&pack, (uint32_t)bytes);
    error = byre__stream_put(&x->sched->stream, BYRE__ASK_WINDOW, job->log_tag[stream], &pack);
    byre__pack_fini(&pack);
    return error == BYRE_OK ? error : byre__client_broken(x->sched, error);
}

int emit_take(xargs_t *x, const byre__frame_t *frame, byre__unpack_t *say)
{
    xargs_job_t *job = x->show;
    byre__job_id_t id;
    int stream;

    while (job != NULL && job->log_tag[0] != frame->tag && job->log_tag[1] != frame->tag)
        job = job->next;
    if (job == NULL) return BYRE_ENOTFOUND;
    stream = job->log_tag[0] == frame->tag ? 0 : 1;
    if (frame->type == BYRE__SAY_ERROR) {
        /* Its node may be gone: that is this output's loss, and not the end of everything. */
        byre__client_error(x->sched, say);
        progress_clear(&x->progress);
        byre__cmd_fail(&xargs_command, "output of job %llu: %s", (unsigned long long)job->seq,
                       byre_sched_explain(x->sched));
    }
    if (frame->type == BYRE__SAY_DONE || frame->type == BYRE__SAY_ERROR) {
        job->log_done[stream] = true;
        return BYRE_OK;
    }
    byre__unpack_job_id(say, &id);
    if (frame->type != BYRE__SAY_OUTPUT || byre__unpack_u8(say) != stream + 1 || say->failed)
        return byre__client_broken(x->sched, BYRE_EPROTO);
    byre__pack_raw(&job->log[stream], say->at, (size_t)(say->end - say->at));
    return job->log[stream].failed ? byre__client_broken(x->sched, BYRE_ENOMEM) : BYRE_OK;
}

/* ---- showing ------------------------------------------------------------------------------------------------ */

static void show_end(xargs_t *x, const xargs_job_t *job)
{
    char text[512], id[BYRE__JOB_ID];

    if (x->request->json) {
        byre__row_t row = { 0 };
        size_t n = 0;

        for (char **word = job->argv; *word != NULL && n + 1 < sizeof row.command; word++)
            n += (size_t)snprintf(row.command + n, sizeof row.command - n, "%s%s", n ? " " : "",
                                  *word);
        printf("{\"seq\": %llu, \"id\": ", (unsigned long long)job->seq);
        text_json(stdout, byre__job_id_format(&job->id, id));
        fputs(", \"node\": ", stdout);
        text_json(stdout, job->node);
        fputs(", \"command\": ", stdout);
        text_json(stdout, row.command);
        printf(", \"attempts\": %d, ", job->attempts);
        text_json_end(stdout, &job->end);
        puts("}");
        return;
    }
    text_never_ran(&job->end, job->node, job->argv[0], "the directory of `byre xargs'", text);
    if (text[0] == '\0' && x->request->verbose && byre__end_status(&job->end) != 0) {
        char end[TEXT_END];

        snprintf(text, sizeof text, "job %llu (%.100s) on %s: %s", (unsigned long long)job->seq,
                 job->argv[0], job->node, text_end(&job->end, end));
    }
    if (text[0] == '\0') return;
    progress_clear(&x->progress);
    byre__cmd_fail(&xargs_command, "%s", text);
}

/* What has come of one stream. */
static int write_out(xargs_t *x, xargs_job_t *job, int stream)
{
    byre__pack_t *log = &job->log[stream];
    size_t bytes = log->bytes;

    if (bytes == 0) return BYRE_OK;
    progress_clear(&x->progress);
    if (x->request->results != NULL && !results_write(x->request, job, stream, log->data, bytes))
        return byre__client_fail(x->sched, BYRE_ESYSTEM, "cannot write to %s: %s",
                                 x->request->results, strerror(errno));
    if (!x->request->json &&
        !output_write_all(stream == 0 ? STDOUT_FILENO : STDERR_FILENO, log->data, bytes))
        return byre__client_fail(x->sched, BYRE_ECLOSED, "cannot write the output: %s",
                                 strerror(errno));
    byre__pack_clear(log);
    return grant(x, job, stream, bytes);
}

/* The head of the list: as far as it is here. *whole_out: all of it was. */
static int show_head(xargs_t *x, xargs_job_t *job, bool *whole_out)
{
    int error = BYRE_OK;

    *whole_out = false;
    if (x->request->results != NULL && job->file[0] < 0 && !results_open(x->request, job))
        return byre__client_fail(x->sched, BYRE_ESYSTEM, "cannot write to %s: %s",
                                 x->request->results, strerror(errno));
    error = write_out(x, job, 0);
    /* Standard error comes behind all of standard output, so that each is whole. */
    if (error != BYRE_OK || !job->log_done[0]) return error;
    error = write_out(x, job, 1);
    *whole_out = error == BYRE_OK && job->log_done[1];
    return error;
}

int emit_show(xargs_t *x)
{
    while (x->show != NULL && x->show->state == XARGS_TELLING) {
        xargs_job_t *job = x->show;
        bool whole;
        int error = show_head(x, job, &whole);

        if (error != BYRE_OK || !whole) return error;
        show_end(x, job);
        if (x->request->results != NULL && !results_close(x->request, job))
            return byre__client_fail(x->sched, BYRE_ESYSTEM, "cannot write to %s: %s",
                                     x->request->results, strerror(errno));
        x->show = job->next;
        if (x->show == NULL) x->show_end = &x->show;
        x->landed--;
        flight_free(job);
    }
    return BYRE_OK;
}

void emit_fini(xargs_t *x)
{
    while (x->show != NULL) {
        xargs_job_t *job = x->show;

        x->show = job->next;
        for (int i = 0; i < 2; i++) {
            if (job->file[i] >= 0) close(job->file[i]);
        }
        flight_free(job);
    }
}
