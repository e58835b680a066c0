/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rank has failed. What only it had is gone, and said so to those who ask; everything else goes on:
 * readers' copies take the place of their dead owner. Runs on the engine.
 *
 * With the dynamic manager nobody knows where a request is: with the living, in the dead rank's queue, or
 * with somebody who has not found it dead yet. So nobody waits any longer for what is under way now; and from
 * then on, nobody waits for long. It counts as lost until it comes, if it does. Chains of probable owners
 * may be broken, or circles (manager_dynamic.c: FARTHEST): what is behind them is lost too, even if it lives.
 */
#include "agree.h"
#include "region.h"

#include <string.h>

static void abandon(dsm_region_t *region, size_t unit, int dead)
{
    atomic_store_explicit(&region->unit[unit].lost, 1 + dead, memory_order_release);
    atomic_store_explicit(&region->abandoned, true, memory_order_release);
    byre__dsm_manager_astray(region, unit);
}

static void look_at_age(dsm_region_t *region, size_t unit)
{
    dsm_unit_t *u = &region->unit[unit];
    if (u->wanted == DSM_NONE || u->lost != 0) return;
    if (u->flags & UNIT_OLD) abandon(region, unit, region->latest_death - 1);
    u->flags |= UNIT_OLD;
}

static byre__timer_t patience;

/* What is seen under way twice is given up: after half a failure bound at least, a whole one at most. */
static void be_patient(void)
{
    int ms = byre_failure_bound_ms() / 2;
    if (ms > 0) byre__timer_set(&patience, byre__now_ns() + (uint64_t)ms * UINT64_C(1000000));
}

static void on_timer(byre__timer_t *timer)
{
    (void)timer;
    for (int i = 0; i < DSM_REGIONS; i++) {
        dsm_region_t *region = &byre__dsm_regions[i];
        if (region->id == 0 || !is_dynamic(region)) continue;
        byre__dsm_lock(region);
        for (size_t unit = 0; region->id != 0 && region->under_way > 0; unit++) {
            unit = byre__dsm_next_touched(region, unit);
            if (unit == region->units) break;
            look_at_age(region, unit);
        }
        byre__dsm_unlock(region);
    }
    be_patient();
}

void byre__dsm_gone_stop(void)
{
    byre__timer_unset(&patience);
}

static void unit_gone(dsm_region_t *region, size_t unit, int dead)
{
    dsm_unit_t *u = &region->unit[unit];
    if (u->wanted != DSM_NONE) {
        byre__dsm_ack_from_dead(region, unit, dead);
        if (is_dynamic(region)) {
            if (u->wanted != DSM_NONE) abandon(region, unit, dead);
        } else if (u->wanted != DSM_NONE && byre__dsm_manager(region, unit) == dead) {
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
            region->latest_death = 1 + rank;
            for (size_t unit = 0; (unit = byre__dsm_next_touched(region, unit)) < region->units;
                 unit++)
                unit_gone(region, unit, rank);
        }
        byre__dsm_unlock(region);
    }
    byre__dsm_agree_gone(rank);
    patience.fn = on_timer;
    be_patient();
}
