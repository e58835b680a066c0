/* SPDX-License-Identifier: BSD-3-Clause */
/* run_loop.c - the loop of `byre run'; see run.h. */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKGROUND_MS = 300, READ_MOST = 32 << 10 };

void run_tell(run_t *run, uint16_t type, uint32_t job, const uint32_t *numbers, int count)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = run->first;

    id.number += job;
    byre__pack_job_id(&pack, &id);
    for (int i = 0; i < count; i++) byre__pack_u32(&pack, numbers[i]);
    (void)byre__stream_put(&run->sched->stream, type, run->tag, &pack);
    byre__pack_fini(&pack);
}

/* ---- stdin ------------------------------------------------------------------------------------------------ */

/* Only the first job has one; see run.c. */
static bool wants_stdin(const run_t *run)
{
    return run->jobs[0].started && !run->jobs[0].ended && !run->stdin_ended && run->room > 0;
}

static void end_stdin(run_t *run)
{
    run->stdin_ended = true;
    run_tell(run, BYRE__ASK_STDIN_END, 0, NULL, 0);
}

static void read_stdin(run_t *run)
{
    static char data[READ_MOST];
    byre__pack_t pack = { 0 };
    ssize_t n = read(STDIN_FILENO, data, run->room < READ_MOST ? run->room : READ_MOST);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) { /* also a terminal that has gone (EIO), or none at all (EBADF) */
        end_stdin(run);
        return;
    }
    byre__pack_job_id(&pack, &run->first);
    (void)byre__stream_put_with(&run->sched->stream, BYRE__ASK_STDIN, run->tag, &pack, data,
                                (size_t)n);
    byre__pack_fini(&pack);
    run->room -= (uint32_t)n;
}

/* ---- what the daemon says ------------------------------------------------------------------------------------ */

static bool take_started(run_job_t *job, byre__unpack_t *say)
{
    char cpus[64];

    byre__unpack_text_into(say, job->node, sizeof job->node);
    (void)byre__unpack_u64(say);
    byre__unpack_text_into(say, cpus, sizeof cpus);
    job->started = true;
    return byre__unpack_done(say);
}

static bool take_ended(run_t *run, uint32_t index, byre__unpack_t *say)
{
    run_job_t *job = &run->jobs[index];

    byre__unpack_text_into(say, job->node, sizeof job->node);
    byre__unpack_end(say, &job->end);
    if (!byre__unpack_done(say) || job->ended) return false;
    job->ended = true;
    run->left--;
    run_out_last(run, index);
    return true;
}

static bool take_room(run_t *run, uint32_t index, byre__unpack_t *say)
{
    uint32_t bytes = byre__unpack_u32(say);

    if (!byre__unpack_done(say) || bytes > (1U << 30)) return false;
    if (index == 0) run->room += bytes;
    return true;
}

static int take_frame(run_t *run, const byre__frame_t *frame, byre__unpack_t *say)
{
    byre__job_id_t id;
    uint32_t index;
    bool right;

    if (frame->tag != run->tag) return BYRE_OK;
    if (frame->type == BYRE__SAY_ERROR) return byre__client_error(run->sched, say);
    byre__unpack_job_id(say, &id);
    if (say->failed || strcmp(id.home, run->first.home) != 0 || id.number < run->first.number ||
        id.number - run->first.number >= run->count)
        return byre__client_broken(run->sched, BYRE_EPROTO);
    index = (uint32_t)(id.number - run->first.number);
    switch (frame->type) {
    case BYRE__SAY_STARTED:
        right = take_started(&run->jobs[index], say);
        break;
    case BYRE__SAY_OUTPUT:
        right = run_out_take(run, index, say);
        break;
    case BYRE__SAY_ROOM:
        right = take_room(run, index, say);
        break;
    case BYRE__SAY_ENDED:
        right = take_ended(run, index, say);
        break;
    default:
        right = false;
    }
    return right ? BYRE_OK : byre__client_broken(run->sched, BYRE_EPROTO);
}

/* Frames that have come before the connection broke count. */
static int take_frames(run_t *run)
{
    byre__frame_t frame;
    byre__unpack_t say;
    int got, error = byre__stream_fill(&run->sched->stream);

    while ((got = byre__stream_next(&run->sched->stream, &frame, &say)) == 1) {
        int wrong = take_frame(run, &frame, &say);

        if (wrong != BYRE_OK) return wrong;
    }
    if (got < 0) error = got;
    if (error == BYRE_OK || error == BYRE_EAGAIN || run->left == 0) return BYRE_OK;
    return byre__client_broken(run->sched, error);
}

/* ---- the loop ------------------------------------------------------------------------------------------------- */

enum { AT_DAEMON, AT_SIGNALS, AT_STDIN, AT_OUT, AT_ERR, PLACES };

/* What to wait for; a negative descriptor is none to poll. The timeout, ms. */
static int prepare(const run_t *run, struct pollfd at[static PLACES])
{
    bool background = wants_stdin(run) && run_tty_is_others();
    short backlog = byre__stream_backlog(&run->sched->stream) > 0 ? POLLOUT : 0;

    at[AT_DAEMON] =
        (struct pollfd){ run->left > 0 ? run->sched->stream.fd : -1, POLLIN | backlog, 0 };
    at[AT_SIGNALS] = (struct pollfd){ run->signals, POLLIN, 0 };
    at[AT_STDIN] =
        (struct pollfd){ wants_stdin(run) && !background ? STDIN_FILENO : -1, POLLIN, 0 };
    at[AT_OUT] = (struct pollfd){ run_out_waiting(run, 0) > 0 ? STDOUT_FILENO : -1, POLLOUT, 0 };
    at[AT_ERR] = (struct pollfd){ run_out_waiting(run, 1) > 0 ? STDERR_FILENO : -1, POLLOUT, 0 };
    return background ? BACKGROUND_MS : -1;
}

int run_loop(run_t *run)
{
    struct pollfd at[PLACES];
    int error = take_frames(run); /* the end may have come with ACCEPTED */

    while (error == BYRE_OK &&
           (run->left > 0 || run_out_waiting(run, 0) > 0 || run_out_waiting(run, 1) > 0)) {
        if (run->left > 0 && byre__stream_flush(&run->sched->stream) != BYRE_OK) {
            error = take_frames(run); /* it may have said something before it went */
            if (error == BYRE_OK && run->left > 0)
                error = byre__client_broken(run->sched, BYRE_EPEER);
            continue;
        }
        if (poll(at, PLACES, prepare(run, at)) < 0 && errno != EINTR) return BYRE_ESYSTEM;
        if (at[AT_SIGNALS].revents && !run_signal_take(run)) return BYRE_ECANCELED;
        if (at[AT_OUT].revents) run_out_write(run, 0);
        if (at[AT_ERR].revents) run_out_write(run, 1);
        if (at[AT_STDIN].revents) read_stdin(run);
        if (at[AT_DAEMON].revents & ~POLLOUT) error = take_frames(run);
    }
    return error;
}
