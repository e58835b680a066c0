/* SPDX-License-Identifier: BSD-3-Clause */
/* ask_kill.c - byre kill, at the home of the jobs: it knows where they are, and whether they have begun. */
#include <stdlib.h>

#include "sched/daemon/ask.h"
#include "sched/daemon/run.h"
#include "sched/daemon/wire.h"

/* *at: where the range before it ended, and then this one. */
static uint64_t kill_range(const range_t *range, int signal, job_t **at)
{
    uint64_t count = 0, end = range->first + range->count;

    *at = jobs_home_from(*at, range->first);
    while (*at != NULL && (*at)->number < end) {
        job_t *job = *at;

        *at = job->newer; /* what is cancelled may be gone after it */
        if (job_is_open(job)) {
            count += signal == 0 || finish_kill(job, signal);
        }
    }
    return count;
}

void serve_kills(int from, uint32_t tag, byre__unpack_t *payload)
{
    uint32_t signal = byre__unpack_u32(payload), count = 0;
    char unknown[BYRE__NODE_NAME];
    range_t *ranges = NULL;
    byre__pack_t pack = { 0 };
    uint64_t killed = 0;
    job_t *at = NULL;

    if (ask_unpack_ranges(payload, &ranges, &count, unknown) == 0 && signal <= 64) {
        for (uint32_t i = 0; i < count; i++) {
            killed += kill_range(&ranges[i], (int)signal, &at);
        }
    }
    byre__pack_u64(&pack, killed);
    wire_send(from, WIRE_SAY + BYRE__SAY_KILLED, tag, &pack);
    byre__pack_fini(&pack);
    free(ranges);
}
