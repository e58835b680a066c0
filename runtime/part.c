/* SPDX-License-Identifier: BSD-3-Clause */
#include "part.h"

#include "log.h"
#include <byre_errors.h>
#include <stdbool.h>
#include <stddef.h>

static byre__part_t *parts; /* written by constructors only */
static bool started;        /* are they up, so that peers may be gone for them? */

void byre__part_register(byre__part_t *part)
{
    part->next = parts;
    parts = part;
}

static void stop_until(const byre__part_t *end)
{
    for (byre__part_t *part = parts; part != end; part = part->next)
        if (part->stop != NULL) part->stop();
}

int byre__parts_start(void)
{
    for (byre__part_t *part = parts; part != NULL; part = part->next) {
        int error = part->start != NULL ? part->start() : BYRE_OK;
        if (error == BYRE_OK) continue;
        byre__error("%s does not start: %s", part->name, byre_strerror(error));
        stop_until(part);
        return error;
    }
    started = true;
    return BYRE_OK;
}

void byre__parts_finish(void)
{
    for (byre__part_t *part = parts; part != NULL; part = part->next)
        if (part->finish != NULL) part->finish();
}

void byre__parts_stop(void)
{
    started = false;
    stop_until(NULL);
}

void byre__parts_peer_gone(int rank)
{
    for (byre__part_t *part = parts; started && part != NULL; part = part->next)
        if (part->peer_gone != NULL) part->peer_gone(rank);
}
