/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_out.c - what jobs write, to our stdout and stderr; see run.h.
 *
 * One job's bytes pass as they come. Those of several are put together line by line: the beginning of a line waits
 * with its job, up to RUN_LINE bytes, which is less than a window, so that a job that writes no newline
 * is not stuck. A window is opened by as much as has been written to our own stream.
 */
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

size_t run_out_waiting(const run_t *run, int stream)
{
    return run->out[stream].waiting.bytes - run->out[stream].at;
}

static void pass(run_t *run, int stream, const void *data, size_t bytes)
{
    if (!run->out[stream].closed) byre__pack_raw(&run->out[stream].waiting, data, bytes);
}

/* A whole line of a job, in two parts; the label before it. */
static void pass_line(run_t *run, uint32_t job, int stream, const uint8_t *data, size_t bytes)
{
    byre__pack_t *line = &run->jobs[job].line[stream];

    if (run->label) {
        char label[BYRE__NODE_NAME + 32];
        int n = snprintf(label, sizeof label, "%u@%s: ", job, run->jobs[job].node);

        pass(run, stream, label, (size_t)n);
    }
    pass(run, stream, line->data, line->bytes);
    pass(run, stream, data, bytes);
    byre__pack_clear(line);
}

static void take_lines(run_t *run, uint32_t job, int stream, const uint8_t *data, size_t bytes)
{
    byre__pack_t *line = &run->jobs[job].line[stream];

    while (bytes > 0) {
        const uint8_t *end = memchr(data, '\n', bytes);
        size_t n = end ? (size_t)(end - data) + 1 : bytes;

        if (end != NULL || line->bytes + n >= RUN_LINE)
            pass_line(run, job, stream, data, n);
        else
            byre__pack_raw(line, data, n);
        data += n;
        bytes -= n;
    }
}

void run_out_last(run_t *run, uint32_t job)
{
    for (int stream = 0; stream < 2; stream++) {
        if (run->jobs[job].line[stream].bytes > 0)
            pass_line(run, job, stream, (const uint8_t *)"\n", 1);
        byre__pack_fini(&run->jobs[job].line[stream]);
    }
}

/* ---- windows ------------------------------------------------------------------------------------------- */

static void grant(run_t *run, uint32_t job, int stream, uint32_t bytes)
{
    uint32_t numbers[1] = { bytes };
    byre__pack_t pack = { 0 };
    byre__job_id_t id = run->first;

    id.number += job;
    run->jobs[job].owed[stream] -= bytes;
    if (run->jobs[job].ended) return;
    byre__pack_job_id(&pack, &id);
    byre__pack_u8(&pack, (uint8_t)(stream + 1));
    byre__pack_u32(&pack, numbers[0]);
    (void)byre__stream_put(&run->sched->stream, BYRE__ASK_WINDOW, run->tag, &pack);
    byre__pack_fini(&pack);
}

/* What has been written. Of several jobs nobody counts whose it was: once all has been, theirs has. Small
 * amounts wait for more, as long as a good part of the window is open. */
static void grant_written(run_t *run, int stream)
{
    size_t waiting = run_out_waiting(run, stream);

    if (run->count > 1 && waiting > 0) return;
    for (uint32_t i = 0; i < run->count; i++) {
        uint32_t owed = run->jobs[i].owed[stream];
        size_t kept = run->count > 1 ? run->jobs[i].line[stream].bytes : waiting;

        if (owed > kept && owed - kept >= RUN_WINDOW / 4)
            grant(run, i, stream, owed - (uint32_t)kept);
    }
}

bool run_out_take(run_t *run, uint32_t job, byre__unpack_t *say)
{
    int stream = byre__unpack_u8(say) - 1;
    size_t bytes = (size_t)(say->end - say->at);

    if (say->failed || stream < 0 || stream > 1) return false;
    if (bytes > RUN_WINDOW - run->jobs[job].owed[stream]) return false;
    run->jobs[job].owed[stream] += (uint32_t)bytes;
    if (run->count > 1)
        take_lines(run, job, stream, say->at, bytes);
    else
        pass(run, stream, say->at, bytes);
    if (run->out[stream].waiting.failed) return false;
    if (run->out[stream].closed) grant_written(run, stream);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------------------- */

/* Nobody reads it: what a pipe would tell the writer, the jobs are told by a signal. */
static void close_out(run_t *run, int stream)
{
    uint32_t number = SIGPIPE;

    run->out[stream].closed = true;
    byre__pack_clear(&run->out[stream].waiting);
    run->out[stream].at = 0;
    for (uint32_t i = 0; i < run->count && stream == 0; i++) {
        if (!run->jobs[i].ended) run_tell(run, BYRE__ASK_SIGNAL, i, &number, 1);
    }
}

void run_out_write(run_t *run, int stream)
{
    run_out_t *out = &run->out[stream];
    size_t bytes = run_out_waiting(run, stream);
    ptrdiff_t n;

    if (bytes == 0) return;
    n = output_write_some(stream == 0 ? STDOUT_FILENO : STDERR_FILENO, out->waiting.data + out->at,
                          bytes);
    if (n < 0) {
        if (errno != EPIPE)
            byre__cmd_fail(&run_command, "cannot write to %s: %s",
                           stream == 0 ? "standard output" : "standard error", strerror(errno));
        close_out(run, stream);
    } else {
        out->at += (size_t)n;
    }
    if (out->at == out->waiting.bytes) {
        byre__pack_clear(&out->waiting);
        out->at = 0;
    }
    grant_written(run, stream);
}

void run_out_fini(run_t *run)
{
    for (int i = 0; i < 2; i++) byre__pack_fini(&run->out[i].waiting);
}
