/* SPDX-License-Identifier: BSD-3-Clause */
/* down.h - the end of the pool. Described in down.c. */
#ifndef BYRED_DOWN_H
#define BYRED_DOWN_H

#include "sched/daemon/client.h"

void down_asked(client_t *client, uint32_t tag, byre__unpack_t *payload); /* BYRE__ASK_DOWN */
void down_heard(int how);                                                 /* WIRE_DOWN */
void down_bye(int rank);
void down_signal(void); /* SIGTERM to this daemon: it goes, jobs go on */
void down_tick(void);
double down_due(void);
bool down_over(void);
bool down_alone(void); /* then: it ends without the others, and waits for nobody */

#endif
