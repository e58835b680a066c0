/* SPDX-License-Identifier: BSD-3-Clause */
/* The requests for a unit that wait at its manager, in order of arrival. */
#include "manager.h"

#include "log.h"
#include <stdlib.h>

void byre__dsm_manager_enqueue(dsm_region_t *region, dsm_unit_t *u, const dsm_request_t *request)
{
    dsm_queued_t *entry = malloc(sizeof *entry);
    BYRE__ASSERT(entry != NULL); /* a lost request would hang its thread */
    *entry = (dsm_queued_t){ .requester = request->requester,
                             .kind = (uint8_t)request->kind,
                             .hops = request->hops,
                             .have = request->have };
    dsm_queued_t **end = &u->queue;
    while (*end != NULL) end = &(*end)->next;
    *end = entry;
    region->queued++;
}

dsm_request_t byre__dsm_manager_dequeue(dsm_region_t *region, dsm_unit_t *u)
{
    dsm_queued_t *entry = u->queue;
    dsm_request_t request = { entry->requester, (enum dsm_access)entry->kind, entry->hops,
                              entry->have };
    u->queue = entry->next;
    region->queued--;
    free(entry);
    return request;
}

void byre__dsm_manager_forget(dsm_region_t *region, dsm_unit_t *u, int dead)
{
    for (dsm_queued_t **at = &u->queue; *at != NULL;) {
        dsm_queued_t *entry = *at;
        if (entry->requester != dead) {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        region->queued--;
        free(entry);
    }
}

void byre__dsm_manager_drop(dsm_region_t *region, size_t unit)
{
    while (region->unit[unit].queue != NULL)
        (void)byre__dsm_manager_dequeue(region, &region->unit[unit]);
}
