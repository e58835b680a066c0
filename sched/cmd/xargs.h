/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xargs.h - `byre xargs': a job for each line, a window of them under way. What its files share.
 *
 *   xargs.c          options, the window, and the exit status
 *   xargs_loop.c     the one poll loop: the daemon and the input
 *   xargs_input.c    lines or items, as they come
 *   xargs_flight.c   jobs out and back: batches of SUBMIT; STARTED, ENDED
 *   xargs_emit.c     what they wrote: fetched, and shown job by job
 *   xargs_results.c  the same into files
 *   progress.c       the line on the terminal
 *
 *             flight_submit            ENDED                    emit                last byte written
 *   (input) ---------------> FLYING ----------> LANDED ------------------> TELLING -------------------> (freed)
 *                              ^                  |   flight_retry
 *                              +------------------+
 *
 * 1. A job is shown when it is at the head of the list of those to be shown: there in the order of ends, or of the
 *    input (--keep-order). Its output is asked for as soon as it has landed.
 * 2. Memory is bounded: at most XARGS_AHEAD jobs have landed and are not shown, else no more are sent out; each has at
 *    most a log's first window a stream here, and the rest where it ran.
 * 3. One round of the loop sends all it has to say at once: a SUBMIT for all free places, and one write.
 */
#ifndef BYRE__SCHED_CMD_XARGS_H
#define BYRE__SCHED_CMD_XARGS_H

#include <stdint.h>

#include "progress.h"
#include "share.h"

enum { XARGS_FAILED = 125, XARGS_MOST = 101, XARGS_WINDOW_MAX = 100000, XARGS_AHEAD = 1024 };
enum xargs_halt { HALT_NEVER, HALT_SOON, HALT_NOW };

typedef struct xargs_request {
    needs_t needs;
    int jobs; /* 0: twice the slots of the pool */
    char separator;
    int items; /* most items a job gets; 0: one, by {} or at the end */
    const char *input, *results;
    bool keep_order, json, verbose, quiet;
    enum xargs_halt halt;
    int retries;
    char **argv; /* NULL at its beginning: lines are commands */
} xargs_request_t;

typedef struct xargs_job {
    uint64_t seq; /* from 1 */
    char **argv;
    byre__job_id_t id;
    int attempts;
    enum { XARGS_FLYING, XARGS_LANDED, XARGS_TELLING } state;
    char node[BYRE__NODE_NAME];
    byre__end_t end;
    uint32_t log_tag[2]; /* the question for its output; 0: none is under way */
    bool log_done[2];
    byre__pack_t log[2];    /* come, and not shown */
    int file[2];            /* --results; -1 */
    struct xargs_job *next; /* to be shown */
    struct xargs_job *next_again;
} xargs_job_t;

/* Jobs of one SUBMIT. */
typedef struct xargs_batch {
    uint32_t tag, count, left; /* left: not landed */
    byre__job_id_t first;
    bool accepted;
    struct xargs_batch *next;
    xargs_job_t *jobs[];
} xargs_batch_t;

typedef struct xargs_input {
    int fd;
    char separator;
    byre__pack_t data;
    size_t at, looked; /* taken; no separator before it */
    bool hungry;       /* what is there is not enough for an item, or for a job */
    bool ended, failed;
    uint64_t bytes; /* of a regular file; 0: not known */
    uint64_t taken;
} xargs_input_t;

typedef struct xargs {
    const xargs_request_t *request;
    byre_sched_t *sched;
    uint32_t context;
    xargs_input_t input;
    uint32_t window, flying, landed; /* landed: and not shown */
    uint64_t seq, done, failed;      /* jobs: made; landed for good; of these with a status but 0 */
    bool halted, out_of_memory;
    xargs_batch_t *batches;          /* those with jobs that fly */
    xargs_job_t *show, **show_end;   /* to be shown, in order */
    xargs_job_t *again, **again_end; /* to be tried again */
    byre__pack_t specs;              /* scratch */
    progress_t progress;
} xargs_t;

extern byre__cmd_t xargs_command;

/* ---- xargs_loop.c ---- */
/* Until all has been done and shown, or is halted. BYRE_OK, or what broke the connection (explained). */
int xargs_loop(xargs_t *x);

/* ---- xargs_input.c ---- */
bool input_open(xargs_input_t *input, const char *path, char separator);
void input_close(xargs_input_t *input);
void input_read(xargs_input_t *input); /* once; it is ready */
/* The next item, borrowed until the next call here; NULL: none yet, or (ended) none any more. */
char *input_next(xargs_input_t *input);
bool input_over(const xargs_input_t *input); /* ended, and all taken */
/* The words of a job of the next item or items. NULL: not yet. */
char **input_words(xargs_t *x);

/* ---- xargs_flight.c ---- */
int flight_submit(xargs_t *x); /* fill the window */
/* A frame with the tag of a batch. BYRE_OK, BYRE_ENOTFOUND: it is none, or the error. */
int flight_take(xargs_t *x, const byre__frame_t *frame, byre__unpack_t *say);
void flight_free(xargs_job_t *job);
void flight_fini(xargs_t *x);

/* ---- xargs_emit.c ---- */
void emit_add(xargs_t *x, xargs_job_t *job);
int emit_ask(xargs_t *x); /* for the output of the first ones */
/* A frame with the tag of a LOG. As flight_take. */
int emit_take(xargs_t *x, const byre__frame_t *frame, byre__unpack_t *say);
int emit_show(xargs_t *x); /* as far as it goes */
void emit_fini(xargs_t *x);

/* ---- xargs_results.c ---- */
bool results_open(const xargs_request_t *request, xargs_job_t *job);
bool results_write(const xargs_request_t *request, const xargs_job_t *job, int stream,
                   const void *data, size_t bytes);
bool results_close(const xargs_request_t *request, xargs_job_t *job);

#endif
