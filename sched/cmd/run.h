/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.h - `byre run': jobs with streams, as if they ran here. What its files share.
 *
 *   run.c         options, submission, and the exit status
 *   run_loop.c    the one poll loop: the daemon, signals, stdin, stdout, stderr
 *   run_out.c     from OUTPUT frames to stdout and stderr, and windows back
 *   run_signal.c  signals that are sent on, and how to die of one
 *   run_tty.c     the terminal: raw, its size, and as it was
 *
 * 1. Nothing blocks but poll, once the jobs are accepted: signals are answered at all times.
 * 2. stdin is read only once the job has begun, and never more than ROOM allows.
 * 3. Memory is bounded: what is kept of a job's stream is never more than its window.
 * 4. The terminal is restored before this process stops or ends.
 */
#ifndef BYRE__SCHED_CMD_RUN_H
#define BYRE__SCHED_CMD_RUN_H

#include <stdint.h>

#include "share.h"

enum { RUN_WINDOW = 64 << 10, RUN_LINE = 32 << 10, RUN_FAILED = 125 };

typedef struct run_job {
    bool started, ended;
    char node[BYRE__NODE_NAME];
    byre__end_t end;
    byre__pack_t line[2]; /* of several jobs: the beginning of a line; stdout, stderr */
    uint32_t owed[2];     /* bytes passed on, and not told as WINDOW */
} run_job_t;

/* One of our own streams. */
typedef struct run_out {
    byre__pack_t waiting;
    size_t at;   /* written of it */
    bool closed; /* nobody reads it */
} run_out_t;

typedef struct run {
    byre_sched_t *sched;
    uint32_t tag;
    byre__job_id_t first; /* the others follow it */
    run_job_t *jobs;
    uint32_t count, left; /* not ended */
    bool label, tty;
    run_out_t out[2];

    uint32_t room; /* bytes of stdin that may be sent */
    bool stdin_ended;

    int signals;            /* signalfd */
    uint64_t interrupts[2]; /* when the last ones came, ms */
} run_t;

extern byre__cmd_t run_command;

/* ---- run_loop.c ---- */
/* Until all jobs have ended and what they wrote is written. BYRE_OK, or what broke the connection (explained),
 * BYRE_ECANCELED: the user insists on leaving (SIGINT three times in a second). */
int run_loop(run_t *run);
/* About one job: a frame that has no answer. */
void run_tell(run_t *run, uint16_t type, uint32_t job, const uint32_t *numbers, int count);

/* ---- run_out.c ---- */
/* A frame's payload after its id. false: it is not what talk.h says. */
bool run_out_take(run_t *run, uint32_t job, byre__unpack_t *say);
void run_out_last(run_t *run, uint32_t job); /* it has ended: a line without an end is one */
void run_out_write(run_t *run, int stream);  /* poll says that it is writable */
size_t run_out_waiting(const run_t *run, int stream);
void run_out_fini(run_t *run);

/* ---- run_signal.c ---- */
bool run_signal_open(run_t *run);
/* What has come. false: leave. */
bool run_signal_take(run_t *run);
/* Ends this process by that signal; returns the status to exit with if the signal does not end it. */
int run_signal_die(int number);

/* ---- run_tty.c ---- */
void run_tty_size(uint32_t *rows_out, uint32_t *cols_out);
void run_tty_raw(void);     /* if stdin is a terminal */
void run_tty_restore(void); /* any number of times */
/* stdin is a terminal, and not ours now: reading would stop this process. */
bool run_tty_is_others(void);

#endif
