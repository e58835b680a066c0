/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log_reader.c - byre log: what jobs wrote into the spool of the node they ran on.
 *
 * The question goes to the job's home first, which knows the node and sends it on there; the output goes straight
 * to the daemon that asks. A reader has a file, an offset and a window: it reads as far as the window
 * goes, and nothing is kept in memory. One that follows looks again every tenth of a second, until the job is over
 * and the file has been read to its end.
 */
#include <byre_errors.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sched/daemon/ask.h"
#include "sched/daemon/members.h"
#include "sched/daemon/wire.h"

#define FIRST_WINDOW ((uint32_t)256 << 10)
#define PIECE ((size_t)64 << 10)
#define BACKLOG ((size_t)1 << 20) /* to another daemon: let that leave first */
#define LOOK_S 0.1

typedef struct reader {
    struct reader *next;
    int to;
    uint32_t tag, window;
    byre__job_id_t id;
    uint8_t stream;
    bool follow;
    int fd; /* -1: there is no file, or none yet */
    uint64_t offset;
    double look_at;
} reader_t;

static reader_t *readers;

/* ---- what is said --------------------------------------------------------------------------------- */

static void say_error(int to, uint32_t tag, int error, const char *text)
{
    byre__pack_t pack = { 0 };

    byre__pack_u32(&pack, (uint32_t)error);
    byre__pack_text(&pack, text);
    wire_send(to, WIRE_SAY + BYRE__SAY_ERROR, tag, &pack);
    byre__pack_fini(&pack);
}

/* How much there is, which is not how far it was asked to read: byre top looks for the end like this. */
static void say_done(const reader_t *reader)
{
    byre__pack_t pack = { 0 };
    struct stat st = { 0 };

    if (reader->fd >= 0 && fstat(reader->fd, &st) != 0) st.st_size = 0;
    byre__pack_u64(&pack, (uint64_t)st.st_size);
    wire_send(reader->to, WIRE_SAY + BYRE__SAY_DONE, reader->tag, &pack);
    byre__pack_fini(&pack);
}

static bool say_output(const reader_t *reader, const void *data, size_t bytes)
{
    byre__pack_t pack = { 0 };
    int error;

    byre__pack_job_id(&pack, &reader->id);
    byre__pack_u8(&pack, reader->stream);
    error = peer_send(reader->to, WIRE_SAY + BYRE__SAY_OUTPUT, reader->tag, &pack, data, bytes);
    byre__pack_fini(&pack);
    return error == BYRE_OK;
}

/* ---- one reader ----------------------------------------------------------------------------------- */

static void destroy(reader_t *reader)
{
    if (reader->fd >= 0) {
        close(reader->fd);
    }
    free(reader);
}

static void open_file(reader_t *reader)
{
    char path[BYRE__STATE_PATH + 128], id[BYRE__JOB_ID];

    if (reader->fd < 0) {
        snprintf(path, sizeof path, "%s/spool/%s.%s", byred.dir,
                 byre__job_id_format(&reader->id, id), reader->stream == 2 ? "err" : "out");
        reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
}

/* At most what the window allows. 1: there was something; 0: not now, or the end of the file; -1: it broke. */
static int read_some(reader_t *reader)
{
    static char piece[PIECE];
    size_t most = reader->window < PIECE ? reader->window : PIECE;
    ssize_t n;

    open_file(reader);
    if (reader->fd < 0 || most == 0 || peer_backlog(reader->to) > BACKLOG) {
        return 0;
    }
    n = pread(reader->fd, piece, most, (off_t)reader->offset);
    if (n < 0) {
        byred_log("cannot read the output of a job: %m");
        return -1;
    }
    if (n == 0) {
        return 0;
    }
    if (!say_output(reader, piece, (size_t)n)) {
        return -1;
    }
    reader->offset += (uint64_t)n;
    reader->window -= (uint32_t)n;
    return 1;
}

static bool at_end(const reader_t *reader)
{
    struct stat st;

    return reader->fd < 0 || fstat(reader->fd, &st) != 0 || (uint64_t)st.st_size <= reader->offset;
}

/* Will nothing be written any more? Asked before the end of the file is looked for. */
static bool is_over(const reader_t *reader)
{
    const job_t *job = job_find_id(&reader->id);

    return job == NULL || !job_is_open(job);
}

/* A home's job that waits, or has gone elsewhere: where the question belongs now. -1: here. */
static int where(const job_t *job)
{
    return job != NULL && job_is_home(job) && job->stage >= STAGE_ELSEWHERE && job->node >= 0 &&
                   job->node != members_self()
               ? job->node
               : -1;
}

static void pass_on(const reader_t *reader, int rank)
{
    byre__pack_t pack = { 0 };

    if (!member_up(rank)) {
        say_error(reader->to, reader->tag, BYRE_EPEER,
                  "the node that has the output is not up; it is there again after `byre up'");
        return;
    }
    byre__pack_job_id(&pack, &reader->id);
    byre__pack_u8(&pack, reader->stream);
    byre__pack_u64(&pack, reader->offset);
    byre__pack_u8(&pack, reader->follow);
    byre__pack_u32(&pack, (uint32_t)reader->to);
    byre__pack_u32(&pack, reader->tag);
    wire_send(rank, WIRE_LOG, 0, &pack);
    byre__pack_fini(&pack);
}

/* false: it is done, or belongs elsewhere. */
static bool go_on(reader_t *reader)
{
    int elsewhere = where(job_find_id(&reader->id)), got;
    bool over = is_over(reader);

    if (elsewhere >= 0) {
        pass_on(reader, elsewhere);
        return false;
    }
    while ((got = read_some(reader)) > 0) {}
    if (got < 0) {
        say_error(reader->to, reader->tag, BYRE_ESYSTEM,
                  "the output cannot be read; byred.log on its node says why");
        return false;
    }
    if (at_end(reader) && (over || !reader->follow)) {
        say_done(reader);
        return false;
    }
    reader->look_at = reader->window > 0 ? byred_now() + LOOK_S : INFINITY;
    return true;
}

/* false: it is gone, and the next one is in its place. */
static bool pump(reader_t **at)
{
    reader_t *reader = *at;

    if (go_on(reader)) {
        return true;
    }
    *at = reader->next;
    destroy(reader);
    return false;
}

/* ---- questions ------------------------------------------------------------------------------------ */

static void node_of_row(void *arg, const ledger_job_t *job)
{
    *(int *)arg = job->node[0] == '\0' ? members_self() : member_intern(job->node);
}

/* A job of this home that is not in the table: it has ended. true: the question has been answered or sent on. */
static bool ended_elsewhere(const reader_t *reader)
{
    int node = -1;

    if (member_find(reader->id.home) != members_self() || job_find_id(&reader->id) != NULL) {
        return false;
    }
    if (ledger_get(byred.ledger, &reader->id, false, node_of_row, &node) != 0) {
        say_error(reader->to, reader->tag, BYRE_ENOTFOUND,
                  "there is no such job, or it is so old that its output is no longer kept");
        return true;
    }
    if (node < 0 || node == members_self()) {
        return false;
    }
    pass_on(reader, node);
    return true;
}

void serve_log(int from, uint32_t tag, byre__unpack_t *payload)
{
    reader_t *reader = calloc(1, sizeof *reader);

    (void)tag;
    if (reader == NULL) {
        byred_log("no memory to read the output of a job for node %s", member_name(from));
        return;
    }
    reader->fd = -1;
    reader->window = FIRST_WINDOW;
    byre__unpack_job_id(payload, &reader->id);
    reader->stream = byre__unpack_u8(payload);
    reader->offset = byre__unpack_u64(payload);
    reader->follow = byre__unpack_u8(payload) != 0;
    reader->to = (int)byre__unpack_u32(payload);
    reader->tag = byre__unpack_u32(payload);
    if (!byre__unpack_done(payload) || !member_up(reader->to) || ended_elsewhere(reader)) {
        destroy(reader);
        return;
    }
    reader->next = readers;
    readers = reader;
    (void)pump(&readers);
}

static reader_t **find(int to, uint32_t tag)
{
    reader_t **at = &readers;

    while (*at != NULL && ((*at)->to != to || (*at)->tag != tag)) {
        at = &(*at)->next;
    }
    return at;
}

void serve_log_window(int from, uint32_t tag, byre__unpack_t *payload)
{
    reader_t **at = find(from, tag);
    uint32_t more = byre__unpack_u32(payload);

    if (*at != NULL && !payload->failed && more <= UINT32_MAX / 2 - (*at)->window) {
        (*at)->window += more;
        (void)pump(at);
    }
}

void serve_log_close(int from, uint32_t tag)
{
    reader_t **at = find(from, tag), *reader = *at;

    if (reader != NULL) {
        *at = reader->next;
        destroy(reader);
    }
}

void log_member_gone(int rank)
{
    for (reader_t **at = &readers; *at != NULL;) {
        reader_t *reader = *at;

        if (reader->to == rank) {
            *at = reader->next;
            destroy(reader);
        } else {
            at = &reader->next;
        }
    }
}

double log_due(void)
{
    double due = INFINITY;

    for (const reader_t *reader = readers; reader != NULL; reader = reader->next) {
        due = fmin(due, reader->look_at);
    }
    return due;
}

void log_tick(void)
{
    for (reader_t **at = &readers; *at != NULL;) {
        if ((*at)->look_at > byred_now() || pump(at)) {
            at = &(*at)->next;
        }
    }
}
