/* SPDX-License-Identifier: BSD-3-Clause */
/* A manager, when a rank has died: what that asked for is forgotten, and somebody else has what it had. */
#include "manager.h"

#include "detector.h"

/* A living reader whose copy is certain becomes the owner; if there is none, the unit is gone. */
static void find_new_owner(dsm_region_t *region, size_t unit, int dead)
{
    dsm_unit_t *u = &region->unit[unit];
    const uint64_t *copyset = copyset_of(region, unit), *in_flight = in_flight_of(region, unit);
    for (int r = 0; (r = byre__dsm_set_next(copyset, r)) >= 0; r++) {
        if (set_has(in_flight, r) || byre__peer_absent(r)) continue;
        u->owner = 1 + r;
        return;
    }
    u->gone = 1 + dead;
}

/* Readers whose data may have been under way from the dead: those who have it ignore this, the others
 * ask again. */
static void refuse_readers(dsm_region_t *region, size_t unit)
{
    uint64_t *in_flight = in_flight_of(region, unit);
    for (int r = 0; (r = byre__dsm_set_next(in_flight, r)) >= 0; r++) {
        dsm_request_t request = { .requester = r, .kind = DSM_READ };
        set_remove(in_flight, r);
        byre__dsm_manager_refuse(region, unit, 1, &request);
    }
}

void byre__dsm_manager_gone(dsm_region_t *region, size_t unit, int dead)
{
    dsm_unit_t *u = &region->unit[unit];
    bool writing = u->flags & UNIT_WRITING, writer = set_has(in_flight_of(region, unit), dead);
    set_remove(copyset_of(region, unit), dead);
    set_remove(in_flight_of(region, unit), dead);
    byre__dsm_manager_forget(region, u, dead);
    if (is_dynamic(region)) {
        if (writing && writer) u->flags &= (uint8_t)~UNIT_WRITING;
    } else if (writing && writer) {
        u->flags &= (uint8_t)~UNIT_WRITING;
        u->gone = 1 + dead;
    } else if (writing && u->source == 1 + dead) {
        int requester = u->owner - 1; /* it may have got the data: it will tell */
        byre__dsm_manager_tell_lost(region, unit, requester, DSM_WRITE, dead, true);
        return;
    } else if (!writing && u->owner == 1 + dead) {
        find_new_owner(region, unit, dead);
        refuse_readers(region, unit);
    }
    byre__dsm_manager_serve_queue(region, unit);
}
