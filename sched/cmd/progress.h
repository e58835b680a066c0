/* SPDX-License-Identifier: BSD-3-Clause */
/* progress.h - a line on the terminal that tells how far it is: bar, counts, rate, time left. */
#ifndef BYRE__SCHED_CMD_PROGRESS_H
#define BYRE__SCHED_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool on, drawn;
    uint64_t began_ms, drawn_ms;
} progress_t;

void progress_begin(progress_t *progress, bool on); /* on a terminal only */
/* Draw it, but not more often than a few times a second. `fraction': of all, or below 0: not known. */
void progress_draw(progress_t *progress, uint64_t done, uint64_t failed, uint64_t running,
                   double fraction);
void progress_clear(progress_t *progress); /* before something else is written there */
double progress_seconds(const progress_t *progress);

#endif
