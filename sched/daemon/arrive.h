/* SPDX-License-Identifier: BSD-3-Clause */
/* arrive.h - a home's jobs on their way to a node. Described in arrive.c. */
#ifndef BYRED_ARRIVE_H
#define BYRED_ARRIVE_H

#include "sched/daemon/jobs.h"

void arrive_put(job_t *job);   /* a new job, or one that needs another node: behind the others */
void arrive_again(job_t *job); /* where it was, by its number */
void arrive_run(void);         /* WORK_ARRIVALS */
void arrive_nudge(void);       /* a job of ours has ended elsewhere: there may be room */
double arrive_due(void);       /* when arrive_tick wants to be called */
void arrive_tick(void);
uint32_t arrive_count(void);
/* Jobs that this home could give to a node that asks (waiting here, or before the policy). */
uint32_t arrive_movable(void);
job_t *arrive_pick(int rank, uint32_t cpus, uint64_t mem);
void arrive_send(job_t *job, int rank, bool claimed);
void arrive_here(job_t *job);      /* into this node's queue */
void arrive_taken_out(job_t *job); /* from whatever list or stage it has before it begins */
void arrive_returned(int rank, const byre__job_id_t *id);
void arrive_member_gone(int index);

#endif
