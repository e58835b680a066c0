/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread touches memory that is not here. Everything happens on that thread, in its SIGSEGV handler:
 * it asks, drives the engine until the unit has come, and repeats the access.
 *
 * Why that is safe: a page fault is synchronous. Application code that faults holds no lock of the
 * runtime or of MPI, so the thread may enter both, as any call of Byre could in its place. It is not
 * application code when the thread is
 *   inside the runtime      its calls copy such buffers beforehand (paged.h), so it is a handler of active
 *                           messages, or a call that was forgotten
 *   inside MPI              the application gave it shared memory that is not pinned: origin.c
 * Then waiting would be a deadlock, and the program ends with a message instead.
 */
#include "fault.h"

#include "log.h"
#include "region.h"
#include "report.h"
#include <stdlib.h>

static void refuse(const dsm_region_t *region, uintptr_t addr, const char *where,
                   const char *remedy)
{
    byre__dsm_say("address %p of shared memory%s%s was touched %s, while its page is elsewhere: %s",
                  (void *)addr, region->name[0] != 0 ? " of region " : "",
                  region->name, /* NOLINT */
                  where, remedy);
}

/* Is the access one that cannot wait? */
static bool is_hopeless(const dsm_region_t *region, const byre__fault_t *fault)
{
    if (byre__in_handler())
        refuse(region, fault->addr, "in a handler of active messages",
               "handlers may not wait; use byre_dsm_pin beforehand, or a pop-up thread");
    /* before the next: it may be the engine that moves MPI's messages on */
    else if (byre__dsm_origin_is_mpi(fault->ucontext))
        refuse(region, fault->addr, "inside MPI",
               "link with -lbyre_pmpi, or call byre_dsm_pin before the MPI call and "
               "byre_dsm_unpin after it");
    else if (fault->in_runtime)
        refuse(region, fault->addr, "inside a call of Byre", "use byre_dsm_pin beforehand");
    else
        return false;
    return true;
}

/* ---- waiting ------------------------------------------------------------------------------ */

struct wait {
    const dsm_unit_t *unit;
    enum dsm_access need;
};

/* Something has become of it. */
static bool is_settled(void *arg)
{
    const struct wait *wait = arg;
    return atomic_load_explicit(&wait->unit->access, memory_order_acquire) >= wait->need ||
           atomic_load_explicit(&wait->unit->wanted, memory_order_acquire) == DSM_NONE ||
           atomic_load_explicit(&wait->unit->lost, memory_order_acquire) != 0;
}

static int wait_once(dsm_region_t *region, size_t unit, enum dsm_access need)
{
    dsm_unit_t *u = &region->unit[unit];
    struct wait wait = { u, need };
    uint16_t *waiting = need == DSM_WRITE ? &u->writers : &u->readers;
    (*waiting)++;
    u->flags &= (uint8_t)~UNIT_WISH;
    byre__dsm_unlock(region);
    (void)byre__wait_until(is_settled, &wait, 0);
    byre__dsm_lock(region);
    (*waiting)--;
    if (u->access >= need) {
        u->since = byre__dsm_clock(); /* for a moment it is this thread's */
        byre__dsm_holder_retry(region, 5000);
        return BYRE_OK;
    }
    return u->lost != 0 ? BYRE_EPEER : BYRE_EAGAIN;
}

int byre__dsm_await(dsm_region_t *region, size_t unit, enum dsm_access need)
{
    dsm_unit_t *u = &region->unit[unit];
    if (region->attr.protocol == BYRE_DSM_MIGRATE) need = DSM_WRITE;
    while (u->access < need) {
        if (u->wanted == DSM_NONE) {
            (void)byre__dsm_request(region, unit, 1, need, false);
            if (u->wanted == DSM_NONE && u->lost != 0) return BYRE_EPEER;
            if (u->access >= need) break;
        }
        int error = wait_once(region, unit, need);
        if (error == BYRE_EPEER) return error;
    }
    if (u->mapped < u->access) {
        u->flags &= (uint8_t)~UNIT_MARK;
        byre__dsm_view(region, unit, 1, (enum dsm_access)u->access);
    }
    return BYRE_OK;
}

/* ---- the fault ---------------------------------------------------------------------------- */

static void count_fault(dsm_region_t *region, const dsm_unit_t *u, enum dsm_access need)
{
    if (u->access >= need || u->wanted != DSM_NONE)
        region->stats.other_faults++;
    else if (need == DSM_READ)
        region->stats.read_faults++;
    else if (u->access == DSM_READ)
        region->stats.upgrades++;
    else
        region->stats.write_faults++;
}

/* An instruction may touch two units. Two ranks that each have the one that the other needs would take them
 * from each other for ever; so a thread keeps the lower one while it waits for its neighbour, in the order of
 * addresses, which cannot end in a circle. */
static _Thread_local struct latest {
    uint32_t region;
    size_t unit;
    bool write;
    const void *pc;
} latest;

static uint16_t *keep_lower(dsm_region_t *region, size_t unit, const void *pc)
{
    if (latest.region != region->id || latest.pc != pc || latest.unit + 1 != unit) return NULL;
    dsm_unit_t *lower = &region->unit[latest.unit];
    if (lower->access < (latest.write ? DSM_WRITE : DSM_READ)) return NULL;
    return lower->access == DSM_WRITE ? &lower->writers : &lower->readers;
}

static int await_for(dsm_region_t *region, size_t unit, enum dsm_access need, const void *pc)
{
    uint16_t *kept = keep_lower(region, unit, pc);
    if (kept != NULL) (*kept)++;
    int error = byre__dsm_await(region, unit, need);
    if (kept != NULL) {
        (*kept)--;
        region->unit[unit - 1].since = byre__dsm_clock();
        byre__dsm_holder_retry(region, 5000);
    }
    latest = (struct latest){ region->id, unit, need == DSM_WRITE, pc };
    return error;
}

bool byre__dsm_fault_resolve(const byre__fault_t *fault, void *arg)
{
    dsm_region_t *region = arg;
    enum dsm_access need = fault->write ? DSM_WRITE : DSM_READ;
    const void *pc = byre__dsm_origin_pc(fault->ucontext);
    size_t offset = fault->addr - (uintptr_t)region->app, unit = offset / region->unit_bytes;
    if (region->published && fault->write) {
        byre__dsm_say("write to %p, in region %s, which has been published: it is constant",
                      (void *)fault->addr, region->name); /* NOLINT */
        return false;
    }
    if (is_hopeless(region, fault)) return false;
    byre__dsm_lock(region);
    count_fault(region, &region->unit[unit], need);
    if (__builtin_expect(byre__dsm_report_on, 0))
        byre__dsm_report_fault(region->id, unit, offset % region->unit_bytes, fault->write, pc);
    byre__dsm_stream(region, unit, need);
    int error = await_for(region, unit, need, pc);
    int dead = region->unit[unit].lost - 1;
    byre__dsm_unlock(region);
    if (__builtin_expect(error != BYRE_OK, 0)) byre__dsm_tell_lost(region, fault, dead);
    return true;
}
