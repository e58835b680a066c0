/* SPDX-License-Identifier: BSD-3-Clause */
/* The service thread: drives the engine while the application computes. */
#ifndef BYRE__SERVICE_H
#define BYRE__SERVICE_H

#include "machine.h"
#include <sys/types.h>

/* Before byre__service_init: the processors that the ranks of this node are bound to, this one's
 * index among them, and those that the job may use. */
void byre__service_place(const byre__cpuset_t *ranks, int count, int self,
                         const byre__cpuset_t *outer);

int byre__service_init(void);
void byre__service_fini(void);

/* Wake the service thread so that it looks after the engine, or out of somebody's way. Any thread;
 * async-signal-safe. */
void byre__service_kick(void);

/* Wake it from its deep sleep, if it is in one: there is new work that nothing announces. */
void byre__service_rouse(void);

/* Park the service thread (1) or let it go on (0): for measuring what it costs. */
void byre__service_pause(int pause);

/* Thread id and scheduling class ("other", "other, short slice", "fifo"), for `byre topo`. */
pid_t byre__service_tid(void);
const char *byre__service_scheduling(void);

#endif
