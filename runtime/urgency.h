/* SPDX-License-Identifier: BSD-3-Clause */
/* How the service thread is scheduled. Described in urgency.c. All of it is called by that thread. */
#ifndef BYRE__URGENCY_H
#define BYRE__URGENCY_H

/* Choose, as BYRE_SERVICE_SCHED says and the system permits. Returns what came of it, as text. */
const char *byre__urgency_begin(void);

/* The thread has been awake, or asleep, since the last of these calls. */
void byre__urgency_spend(void);
void byre__urgency_earn(void);

#endif
