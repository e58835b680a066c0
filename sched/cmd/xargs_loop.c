/* SPDX-License-Identifier: BSD-3-Clause */
/* xargs_loop.c - the loop of `byre xargs': input in, jobs out, what they wrote back; see xargs.h. */
#include "xargs.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static int take_frames(xargs_t *x)
{
    byre__frame_t frame;
    byre__unpack_t say;
    int got, error = byre__stream_fill(&x->sched->stream);

    while ((got = byre__stream_next(&x->sched->stream, &frame, &say)) == 1) {
        int wrong = flight_take(x, &frame, &say);

        if (wrong == BYRE_ENOTFOUND) wrong = emit_take(x, &frame, &say);
        if (wrong != BYRE_OK && wrong != BYRE_ENOTFOUND) return wrong;
    }
    if (got < 0) error = got;
    return error == BYRE_OK || error == BYRE_EAGAIN ? BYRE_OK
                                                    : byre__client_broken(x->sched, error);
}

static double fraction_done(const xargs_t *x)
{
    if (x->input.ended && input_over(&x->input) && x->seq > 0)
        return (double)x->done / (double)x->seq;
    if (x->input.bytes > 0 && x->seq > 0)
        return (double)x->input.taken / (double)x->input.bytes * (double)x->done / (double)x->seq;
    return -1;
}

static bool is_over(const xargs_t *x)
{
    bool no_more = x->halted || (input_over(&x->input) && x->again == NULL);

    bool shown = x->show == NULL || x->show->state == XARGS_FLYING;

    /* Those that are under way are killed when the connection ends. */
    if (x->halted && x->request->halt == HALT_NOW) return shown;
    /* Halted, some kept in order may never land: those before them have been shown. */
    return no_more && x->flying == 0 && shown;
}

/* One round: what came, what goes. Everything is put first and written at once. */
static int round_of(xargs_t *x)
{
    int error = emit_ask(x);

    if (error == BYRE_OK) error = emit_show(x);
    if (error == BYRE_OK) error = flight_submit(x); /* last: what was shown has made room */
    if (error == BYRE_OK && byre__stream_flush(&x->sched->stream) != BYRE_OK) {
        error = take_frames(x);
        if (error == BYRE_OK) error = byre__client_broken(x->sched, BYRE_EPEER);
    }
    return error;
}

static bool wants_input(const xargs_t *x)
{
    return x->input.hungry && !x->input.ended && !x->halted && x->flying < x->window;
}

int xargs_loop(xargs_t *x)
{
    int error = round_of(x);

    while (error == BYRE_OK && !is_over(x)) {
        short backlog = byre__stream_backlog(&x->sched->stream) > 0 ? POLLOUT : 0;
        struct pollfd at[2] = { { x->sched->stream.fd, POLLIN | backlog, 0 },
                                { wants_input(x) ? x->input.fd : -1, POLLIN, 0 } };

        if (x->show == NULL || x->show->state != XARGS_TELLING || x->flying > 0)
            progress_draw(&x->progress, x->done, x->failed, x->flying, fraction_done(x));
        if (poll(at, 2, x->progress.on ? 200 : -1) < 0 && errno != EINTR)
            return byre__client_fail(x->sched, BYRE_ESYSTEM, "poll: %s", strerror(errno));
        if (at[1].revents) input_read(&x->input);
        if (at[0].revents & ~POLLOUT) error = take_frames(x);
        if (error == BYRE_OK) error = round_of(x);
    }
    return error;
}
