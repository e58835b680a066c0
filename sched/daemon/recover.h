/* SPDX-License-Identifier: BSD-3-Clause */
/* recover.h - start-up and rejoin. Described in recover.c. */
#ifndef BYRED_RECOVER_H
#define BYRED_RECOVER_H

#include "sched/daemon/jobs.h"

bool recover_ledger(void); /* rows into the table; false: the log says why */
/* The keeper has told what it has: at the start, and whenever it is met again. */
void recover_keeper(byre__unpack_t *state, uint64_t boot, uint32_t count);
bool recover_done(void);                                  /* that has happened */
void recover_hear_row(int rank, byre__unpack_t *payload); /* WIRE_SYNC_ROW */
void recover_settle(int rank); /* SYNC_END: what it has not told, it does not have */
void recover_queued(void);     /* all are in step: the queue goes to the policy */

#endif
