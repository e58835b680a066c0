/* SPDX-License-Identifier: BSD-3-Clause */
/* clean.h - old ends leave the ledger, and the output of these jobs the disks. Described in clean.c. */
#ifndef BYRED_CLEAN_H
#define BYRED_CLEAN_H

#include "sched/daemon/jobs.h"

void clean_look(void);                     /* every second: is it time? */
void clean_heard(byre__unpack_t *payload); /* WIRE_CLEAN */

#endif
