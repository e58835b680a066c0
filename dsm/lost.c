/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said when a touch cannot be satisfied. */
#include "fault.h"
#include "region.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* guards both */
    byre_dsm_lost_fn fn;
    void *arg;
} callback = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* In one write, also from a signal handler. */
void byre__dsm_say(const char *format, ...)
{
    char text[512];
    va_list args;
    int length = snprintf(text, sizeof text, "byre: rank %d: ", byre__dsm.rank);
    va_start(args, format);
    int more = vsnprintf(text + length, sizeof text - (size_t)length - 1, format, args);
    va_end(args);
    length += more < (int)sizeof text - length - 2 ? more : (int)sizeof text - length - 2;
    text[length++] = '\n';
    (void)!write(STDERR_FILENO, text, (size_t)length);
}

void byre__dsm_tell_lost(const dsm_region_t *region, const byre__fault_t *fault, int rank)
{
    byre_dsm_lost_t lost = { .addr = (void *)fault->addr, /* NOLINT(performance-no-int-to-ptr) */
                             .region = region->name,
                             .start = region->app,
                             .page = (fault->addr - (uintptr_t)region->app) / byre__dsm.page,
                             .rank = rank };
    byre__fault_leave(fault);
    pthread_mutex_lock(&callback.lock);
    byre_dsm_lost_fn fn = callback.fn;
    void *arg = callback.arg;
    pthread_mutex_unlock(&callback.lock);
    if (fn != NULL) fn(&lost, arg);
    byre__dsm_say(
        "page %zu of shared region %s%sat %p (address %p) was at rank %d, which has failed: the "
        "program ends (byre_dsm_on_lost could go on)",
        lost.page, lost.region, lost.region[0] != 0 ? " " : "", lost.start, lost.addr, rank);
    _exit(EXIT_FAILURE);
}

int byre_dsm_on_lost(byre_dsm_lost_fn fn, void *arg)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    pthread_mutex_lock(&callback.lock);
    callback.fn = fn;
    callback.arg = arg;
    pthread_mutex_unlock(&callback.lock);
    return BYRE_OK;
}
