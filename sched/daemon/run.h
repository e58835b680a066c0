/* SPDX-License-Identifier: BSD-3-Clause */
/* run.h - permission, start and end of jobs. Described in run.c (here) and grant.c (between home and node). */
#ifndef BYRED_RUN_H
#define BYRED_RUN_H

#include "sched/daemon/jobs.h"

/* ---- run.c: on this node ---- */
void run_begin(job_t *job, const byre__placement_t *placement); /* its processors have been taken */
void run_start(job_t *job);                                     /* permitted, and that is written */
void run_started(job_t *job, uint32_t attempt, int64_t pid, uint64_t started_ms);
void run_ended(job_t *job, uint32_t attempt, const byre__end_t *end);
void run_signal(job_t *job, int signal);      /* a job that is permitted here */
void run_kill(job_t *job, uint32_t grace_ms); /* its whole tree */
void run_give_back(job_t *job);               /* its processors */

/* ---- grant.c: at the home, and towards it ---- */
void grant_wanted(int rank, const byre__job_id_t *id, uint64_t boot);
void grant_given(int rank, const byre__job_id_t *id, uint32_t attempt);
void grant_denied(int rank, const byre__job_id_t *id);
void grant_permit(job_t *job, int node, uint64_t boot); /* attempt+1, into the ledger */

/* ---- finish.c: ends ---- */
/* The home: the end of a job, or of an attempt that is followed by another. */
void finish_job(job_t *job, const byre__end_t *end);
void finish_as(job_t *job, enum byre__end_kind kind, int code, const char *detail);
void finish_attempt(job_t *job, const byre__end_t *end, bool evicted);
void finish_again(
    job_t *job); /* back into the queue, its last attempt did not happen or may be repeated */
/* A home's job is to end, because somebody said so. true: it was there and not ended. */
bool finish_kill(job_t *job, int signal);
void finish_force(job_t *job, int signal, uint32_t grace_ms); /* then TERM, then KILL */
void finish_client_gone(job_t *job);
void finish_tick(void);
double finish_due(void);
void finish_reported(int rank, byre__unpack_t *payload);     /* WIRE_ENDED */
void finish_acknowledged(int rank, byre__unpack_t *payload); /* WIRE_ACK */
void finish_away(job_t *job, const char *node);              /* its node is gone */
void finish_guest(job_t *job); /* tell the home how a guest went, if that is up */
void finish_order(int rank, byre__unpack_t *payload); /* WIRE_KILL */

/* ---- sync.c: do something once the ledger has what was changed so far ---- */
typedef void (*sync_fn)(job_t *job);
void sync_after(job_t *job, bool durable, sync_fn fn); /* holds the job */
double sync_due(void);
void sync_tick(void);
void sync_run(void); /* WORK_SYNC */

#endif
