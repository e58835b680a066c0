/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.c - stdin, stdout and stderr of a job with STREAMS: pipes, or a terminal.
 *
 * Output: at most `window' bytes are read that the client has not confirmed; they stay in the ring `recent'.
 * Input: at most KEEPER_WINDOW bytes wait for the job; ROOM says how many more may come.
 * A pipe or terminal that we do not want to read now is taken from epoll: its hangup would be told for ever.
 */
#include "sched/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { ROOM_STEP = KEEPER_WINDOW / 4 };

/* ---- open, close ------------------------------------------------------------------------------------ */

static void nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static int open_terminal(keeper_job_t *job, const byre__spec_t *spec, int theirs[3])
{
    struct winsize size = { .ws_row = spec->rows, .ws_col = spec->cols };
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), copy = -1, slave = -1;
    if (master < 0) return errno;
    if (unlockpt(master) != 0) goto fail;
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    copy = fcntl(master, F_DUPFD_CLOEXEC, 3);
    if (slave < 0 || copy < 0) goto fail;
    if (size.ws_row > 0 && size.ws_col > 0) ioctl(master, TIOCSWINSZ, &size);
    nonblocking(master);
    job->out[0].watch.fd = master;
    job->in.watch.fd = copy;
    theirs[0] = theirs[1] = theirs[2] = slave;
    return 0;
fail:;
    int error = errno;
    if (slave >= 0) close(slave);
    if (copy >= 0) close(copy);
    close(master);
    return error;
}

static int open_pipes(keeper_job_t *job, int theirs[3])
{
    int *ours[] = { &job->in.watch.fd, &job->out[0].watch.fd, &job->out[1].watch.fd };
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) {
            int error = errno;
            while (i-- > 0) {
                close(theirs[i]);
                theirs[i] = -1;
            }
            return error;
        }
        *ours[i] = ends[i == 0];
        theirs[i] = ends[i != 0];
        nonblocking(*ours[i]);
    }
    return 0;
}

int keeper_stream_open(keeper_t *k, keeper_job_t *job, const byre__spec_t *spec, int theirs[3])
{
    (void)k;
    for (int i = 0; i < 2; i++) {
        job->out[i].recent = malloc(KEEPER_WINDOW);
        if (job->out[i].recent == NULL) return ENOMEM;
    }
    return job->flags & BYRE__JOB_PTY ? open_terminal(job, spec, theirs) : open_pipes(job, theirs);
}

static void close_one(keeper_t *k, keeper_watch_t *watch)
{
    if (watch->fd < 0) return;
    keeper_watch(k, watch, 0);
    close(watch->fd);
    watch->fd = -1;
}

static void close_stdin(keeper_t *k, keeper_job_t *job)
{
    close_one(k, &job->in.watch);
    free(job->in.waiting);
    job->in.waiting = NULL;
    job->in.taken = job->in.put;
}

static void drop_recent(keeper_out_t *out)
{
    free(out->recent);
    out->recent = NULL;
}

void keeper_stream_close(keeper_t *k, keeper_job_t *job)
{
    close_stdin(k, job);
    for (int i = 0; i < 2; i++) {
        keeper_out_t *out = &job->out[i];
        close_one(k, &out->watch);
        drop_recent(out);
        if (out->file >= 0) close(out->file);
        out->file = -1;
    }
}

void keeper_stream_begin(keeper_t *k, keeper_job_t *job)
{
    for (int i = 0; i < 2; i++)
        if (job->out[i].watch.fd >= 0) keeper_watch(k, &job->out[i].watch, EPOLLIN);
}

/* ---- output ------------------------------------------------------------------------------------------- */

static void remember(keeper_out_t *out, const uint8_t *data, size_t bytes)
{
    size_t at = (size_t)(out->read % KEEPER_WINDOW), first = KEEPER_WINDOW - at;
    if (first > bytes) first = bytes;
    memcpy(out->recent + at, data, first);
    memcpy(out->recent, data + first, bytes - first);
}

/* How much may be read now? */
static size_t allowed(const keeper_t *k, const keeper_job_t *job, const keeper_out_t *out)
{
    if (job->spooling) return KEEPER_WINDOW;
    if (k->held) return 0;
    /* A client may open the window wider than KEEPER_WINDOW: then it vouches for what it was sent. */
    uint64_t unconfirmed = out->read > out->granted ? out->read - out->granted : 0;
    return KEEPER_WINDOW - (size_t)unconfirmed;
}

typedef enum { TOOK, CLOSED, EMPTY, NOT_ALLOWED } pumped_t;

/* Read once, and tell it. */
static pumped_t pump(keeper_t *k, keeper_job_t *job, keeper_out_t *out)
{
    size_t room = allowed(k, job, out);
    if (room == 0) {
        keeper_watch(k, &out->watch, 0);
        return NOT_ALLOWED;
    }
    ssize_t n;
    do {
        n = read(out->watch.fd, k->chunk, room);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) return EMPTY;
    if (n <= 0) { /* a terminal that nobody has open says EIO */
        close_one(k, &out->watch);
        return CLOSED;
    }
    if (job->spooling) {
        keeper_spool_write(k, job, out, k->chunk, (size_t)n);
        out->granted = out->read + (uint64_t)n;
    } else {
        remember(out, k->chunk, (size_t)n);
        keeper_say_output(k, job, out->stream, k->chunk, (size_t)n);
    }
    out->read += (uint64_t)n;
    if (byre__stream_backlog(&k->stream) > KEEPER_BACKLOG) k->held = true;
    return TOOK;
}

/* A terminal can be closed by everybody and opened again, as long as the job lives: then wait for its end. */
void keeper_stream_readable(keeper_t *k, keeper_job_t *job, keeper_out_t *out)
{
    if (out->watch.fd < 0) return;
    if (pump(k, job, out) == CLOSED) keeper_job_settle(k, job);
}

bool keeper_stream_drain(keeper_t *k, keeper_job_t *job)
{
    close_stdin(k, job);
    for (int i = 0; i < 2; i++) {
        keeper_out_t *out = &job->out[i];
        pumped_t pumped = TOOK;
        while (out->watch.fd >= 0 && pumped == TOOK) pumped = pump(k, job, out);
        if (out->watch.fd >= 0 && pumped == NOT_ALLOWED) return false;
        /* EMPTY: somebody who is no process of the job has it open, and will not keep us from ending it. */
        close_one(k, &out->watch);
        if (out->read <= out->granted) drop_recent(out);
        if (out->file >= 0) close(out->file);
        out->file = -1;
    }
    return true;
}

void keeper_stream_window(keeper_t *k, keeper_job_t *job, uint8_t stream, uint32_t bytes)
{
    keeper_out_t *out = &job->out[stream - 1];
    if (job->spooling) return;
    out->granted += bytes;
    if (out->watch.fd >= 0)
        keeper_watch(k, &out->watch, EPOLLIN);
    else if (out->read <= out->granted)
        drop_recent(out);
    keeper_job_settle(k, job);
}

void keeper_stream_release(keeper_t *k)
{
    k->held = false;
    for (keeper_job_t *job = k->jobs, *next; job != NULL; job = next) {
        next = job->next;
        if (!(job->flags & BYRE__JOB_STREAMS) || job->state == KEEPER_ENDED) continue;
        for (int i = 0; i < 2; i++)
            if (job->out[i].watch.fd >= 0) keeper_watch(k, &job->out[i].watch, EPOLLIN);
        keeper_job_settle(k, job);
    }
}

void keeper_stream_resize(keeper_job_t *job, uint32_t rows, uint32_t cols)
{
    struct winsize size = { .ws_row = (uint16_t)rows, .ws_col = (uint16_t)cols };
    if (job->flags & BYRE__JOB_PTY && job->out[0].watch.fd >= 0)
        ioctl(job->out[0].watch.fd, TIOCSWINSZ, &size);
}

/* ---- input ---------------------------------------------------------------------------------------------- */

static void tell_room(keeper_t *k, keeper_job_t *job, bool now)
{
    keeper_in_t *in = &job->in;
    if (in->owed == 0 || (!now && in->owed < ROOM_STEP)) return;
    keeper_say_room(k, job, in->owed);
    in->owed = 0;
}

/* A terminal has no end that could be closed: its end of file is a character. A line that is not ended takes
 * two, the first of which only hands over the line. */
static void end_terminal_input(keeper_job_t *job)
{
    struct termios mode;
    int fd = job->in.watch.fd;
    if (tcgetattr(fd, &mode) != 0 || !(mode.c_lflag & ICANON)) return;
    char ends[2] = { (char)mode.c_cc[VEOF], (char)mode.c_cc[VEOF] };
    if (write(fd, ends, job->in.line_open ? 2 : 1) < 0 && errno != EAGAIN)
        keeper_log("a terminal does not take the end of its input: %s", strerror(errno));
}

static void all_taken(keeper_t *k, keeper_job_t *job)
{
    keeper_in_t *in = &job->in;
    keeper_watch(k, &in->watch, 0);
    tell_room(k, job, true);
    if (!in->ending) return;
    if (job->flags & BYRE__JOB_PTY) end_terminal_input(job);
    close_stdin(k, job);
}

/* Write what the job takes. */
void keeper_stream_writable(keeper_t *k, keeper_job_t *job)
{
    keeper_in_t *in = &job->in;
    if (in->watch.fd < 0) return;
    while (in->taken < in->put) {
        size_t at = (size_t)(in->taken % KEEPER_WINDOW), bytes = (size_t)(in->put - in->taken);
        if (bytes > KEEPER_WINDOW - at) bytes = KEEPER_WINDOW - at;
        ssize_t n = write(in->watch.fd, in->waiting + at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            keeper_watch(k, &in->watch, EPOLLOUT);
            tell_room(k, job, false);
            return;
        }
        if (n < 0) { /* nobody reads it any more: as if it had been read */
            in->owed += (uint32_t)(in->put - in->taken);
            tell_room(k, job, true);
            close_stdin(k, job);
            return;
        }
        in->line_open = in->waiting[at + (size_t)n - 1] != '\n';
        in->taken += (uint64_t)n;
        in->owed += (uint32_t)n;
    }
    all_taken(k, job);
}

bool keeper_stream_stdin(keeper_t *k, keeper_job_t *job, const uint8_t *data, size_t bytes)
{
    keeper_in_t *in = &job->in;
    if (job->spooling || in->ending) return true; /* too late */
    if (in->put - in->taken + in->owed + bytes > KEEPER_WINDOW) return false;
    if (in->watch.fd < 0) { /* closed by the job */
        in->owed += (uint32_t)bytes;
        tell_room(k, job, true);
        return true;
    }
    if (in->waiting == NULL) in->waiting = malloc(KEEPER_WINDOW);
    if (in->waiting == NULL) {
        keeper_log("no memory for the input of a job: it ends here");
        close_stdin(k, job);
        return true;
    }
    size_t at = (size_t)(in->put % KEEPER_WINDOW), first = KEEPER_WINDOW - at;
    if (first > bytes) first = bytes;
    memcpy(in->waiting + at, data, first);
    memcpy(in->waiting, data + first, bytes - first);
    in->put += bytes;
    keeper_stream_writable(k, job);
    return true;
}

void keeper_stream_stdin_end(keeper_t *k, keeper_job_t *job)
{
    job->in.ending = true;
    if (job->in.watch.fd >= 0) keeper_stream_writable(k, job);
}
