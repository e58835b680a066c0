/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank has failed. What only it had is gone, and said so to those who ask; everything else goes on:
 * readers' copies take the place of their dead owner. Runs on the engine. */
#include "agree.h"
#include "region.h"

#include <string.h>

static void unit_gone(dsm_region_t *region, size_t unit, int dead)
{
    dsm_unit_t *u = &region->unit[unit];
    if (u->wanted != DSM_NONE) {
        byre__dsm_ack_from_dead(region, unit, dead);
        if (u->wanted != DSM_NONE && region->attr.manager != BYRE_DSM_MANAGER_DYNAMIC &&
            byre__dsm_manager(region, unit) == dead) {
            dsm_msg_t msg = { .kind = u->wanted, .first = unit, .count = 1, .peer = dead };
            u->flags &= (uint8_t)~UNIT_DATA_CAME;
            memset(missing_of(region, unit), 0, byre__dsm.words * sizeof(uint64_t));
            byre__dsm_lost(region, &msg, dead);
        }
    }
    if (u->owner != 0 || !set_empty(copyset_of(region, unit)) || u->queue != NULL)
        byre__dsm_manager_gone(region, unit, dead);
}

void byre__dsm_peer_gone(int rank)
{
    for (int i = 0; i < DSM_REGIONS; i++) {
        dsm_region_t *region = &byre__dsm_regions[i];
        if (region->id == 0) continue;
        byre__dsm_lock(region);
        if (region->id != 0) {
            region->latest_death = rank;
            for (size_t unit = 0; unit < region->used; unit++) unit_gone(region, unit, rank);
            if (region->attr.manager == BYRE_DSM_MANAGER_DYNAMIC) region->deaths++;
        }
        byre__dsm_unlock(region);
    }
    byre__dsm_agree_gone(rank);
}
