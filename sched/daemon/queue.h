/* SPDX-License-Identifier: BSD-3-Clause */
/* queue.h - the jobs that wait here for processors, home's and guests. Described in queue.c. */
#ifndef BYRED_QUEUE_H
#define BYRED_QUEUE_H

#include "sched/daemon/jobs.h"

void queue_put(job_t *job);
void queue_remove(job_t *job);
void queue_run(void); /* WORK_QUEUE */
uint32_t queue_count(void);
uint32_t queue_cpus(void); /* that they need in all */
job_t *queue_first(void);
job_t *queue_next(const job_t *job);
uint32_t queue_movable(void);                        /* home jobs that are not bound to this node */
void queue_guest(int rank, byre__unpack_t *payload); /* WIRE_JOB */
void queue_drop(int rank, const byre__job_id_t *id); /* WIRE_DROP */
void queue_return_guests(void);                      /* all of them, to their homes */
void queue_member_gone(int index);                   /* drops its guests */

#endif
