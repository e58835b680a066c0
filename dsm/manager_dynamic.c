/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dynamic manager (Li and Hudak 1989): the owner of a unit is its manager, and a rank that is not the owner
 * passes requests on to the probable one. What an owner does is in manager.c; this is how requests find it, and
 * how a rank becomes the owner, and ceases to be.
 */
#include "manager.h"

enum { FARTHEST = 100 }; /* hops: when a rank has died, the chain may be a circle */

/* Pass a request on. The one who wants to write will be the owner after all who are before it; but this
 * rank is the owner only when it has come. */
static void dynamic_forward(dsm_region_t *region, size_t unit, const dsm_request_t *request)
{
    int owner = byre__dsm_manager(region, unit);
    dsm_msg_t msg = byre__dsm_manager_msg(region, unit, 1, request);
    if (request->have) msg.flags |= DSM_HAVE;
    int dead = region->latest_death - 1;
    if (dead < 0 || request->hops < FARTHEST) {
        if (byre__dsm_emit(region, owner, DSM_REQUEST, &msg, NULL) == BYRE_OK) {
            if (request->kind == DSM_WRITE && request->requester != byre__dsm.rank)
                region->unit[unit].owner = 1 + request->requester;
            return;
        }
        dead = owner;
    }
    byre__dsm_manager_tell_lost(region, unit, request->requester, request->kind, dead, false);
}

static void pass_on(dsm_region_t *region, size_t unit)
{
    dsm_unit_t *u = &region->unit[unit];
    while (u->queue != NULL) {
        dsm_request_t request = byre__dsm_manager_dequeue(region, u);
        dynamic_forward(region, unit, &request);
    }
}

void byre__dsm_manager_hand_over(dsm_region_t *region, size_t unit, int owner)
{
    dsm_unit_t *u = &region->unit[unit];
    u->owner = 1 + owner;
    u->flags &= (uint8_t)~UNIT_WRITING;
    set_clear(copyset_of(region, unit));
    set_clear(in_flight_of(region, unit));
    pass_on(region, unit);
}

void byre__dsm_manager_inherit(dsm_region_t *region, size_t unit)
{
    dsm_unit_t *u = &region->unit[unit];
    u->owner = 1 + byre__dsm.rank;
    u->flags |= UNIT_WRITING; /* until it is complete */
    set_clear(copyset_of(region, unit));
    set_add(copyset_of(region, unit), byre__dsm.rank);
}

void byre__dsm_manager_settle(dsm_region_t *region, size_t unit)
{
    region->unit[unit].flags &= (uint8_t)~UNIT_WRITING;
    set_clear(in_flight_of(region, unit));
    byre__dsm_manager_serve_queue(region, unit);
}

void byre__dsm_manager_forgo(dsm_region_t *region, size_t unit)
{
    if (is_dynamic(region) && !is_owner(region, unit)) pass_on(region, unit);
}

void byre__dsm_manager_astray(dsm_region_t *region, size_t unit)
{
    if (is_owner(region, unit)) return;
    if (byre__dsm_home(region, unit) != byre__dsm.rank) region->unit[unit].owner = 0;
    pass_on(region, unit);
}

/* A request for a unit that somebody else owns. One that will own it itself keeps it in its queue. */
void byre__dsm_manager_not_the_owner(dsm_region_t *region, size_t unit,
                                     const dsm_request_t *request)
{
    dsm_unit_t *u = &region->unit[unit];
    if (u->wanted == DSM_WRITE && u->lost == 0)
        byre__dsm_manager_enqueue(region, u, request);
    else
        dynamic_forward(region, unit, request);
}
