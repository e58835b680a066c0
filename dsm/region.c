/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The regions of this rank: made, found, unmade. All ranks make them in the same order, so that each finds the
 * same address and number by itself; alloc.c sees that it is so.
 */
#include "region.h"

#include "fault.h"
#include "report.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

dsm_region_t byre__dsm_regions[DSM_REGIONS];

/* Counts the calls that make regions, which all ranks make alike. With slot 0, the heap's, never free no id is 0
 * when it wraps. */
static uint32_t generation = 1;

/* Marked as inside (fault.h): a signal handler of the application that comes now and touches shared memory is
 * told so, and does not wait for the lock below it. */
void byre__dsm_lock(dsm_region_t *region)
{
    byre__inside_enter();
    pthread_mutex_lock(&region->lock);
}

bool byre__dsm_trylock(dsm_region_t *region)
{
    byre__inside_enter();
    if (pthread_mutex_trylock(&region->lock) == 0) return true;
    byre__inside_leave();
    return false;
}

void byre__dsm_unlock(dsm_region_t *region)
{
    pthread_mutex_unlock(&region->lock);
    byre__inside_leave();
}

/* ---- finding ------------------------------------------------------------------------------ */

/* No lock: whoever uses a region while it is being freed is in error anyway. */
dsm_region_t *byre__dsm_region_at(const void *addr, size_t bytes)
{
    uintptr_t at = (uintptr_t)addr;
    for (int i = 0; i < DSM_REGIONS; i++) {
        dsm_region_t *region = &byre__dsm_regions[i];
        if (atomic_load_explicit(&region->id, memory_order_acquire) == 0 || region->retired)
            continue;
        uintptr_t start = (uintptr_t)region->app;
        if (at >= start && at - start < region->bytes && bytes <= region->bytes - (at - start))
            return region;
    }
    return NULL;
}

dsm_region_t *byre__dsm_region_from(const void *addr)
{
    dsm_region_t *region = byre__dsm_region_at(addr, 1);
    return region != NULL && region->app == addr ? region : NULL;
}

/* ---- making ------------------------------------------------------------------------------- */

/* Zeros, of which only what is used takes memory. */
static void *map_zeros(size_t bytes)
{
    void *got = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) return NULL;
    return got;
}

static void unmap_tables(dsm_region_t *region)
{
    size_t set = region->units * byre__dsm.words * sizeof(uint64_t);
    if (region->unit != NULL) munmap(region->unit, region->units * sizeof *region->unit);
    if (region->touched != NULL) munmap(region->touched, region->units / DSM_CHUNK + 1);
    if (region->large != NULL) munmap(region->large, region->bytes / DSM_LARGE_BYTES + 1);
    if (region->copyset != NULL) munmap(region->copyset, set);
    if (region->in_flight != NULL) munmap(region->in_flight, set);
    if (region->missing != NULL) munmap(region->missing, set);
    region->unit = NULL;
    region->touched = region->large = NULL;
    region->copyset = region->in_flight = region->missing = NULL;
}

static int map_tables(dsm_region_t *region)
{
    size_t set = region->units * byre__dsm.words * sizeof(uint64_t);
    region->unit = map_zeros(region->units * sizeof *region->unit);
    region->touched = map_zeros(region->units / DSM_CHUNK + 1);
    region->large = map_zeros(region->bytes / DSM_LARGE_BYTES + 1);
    region->copyset = map_zeros(set);
    region->in_flight = map_zeros(set);
    region->missing = map_zeros(set);
    if (region->unit != NULL && region->touched != NULL && region->large != NULL &&
        region->copyset != NULL && region->in_flight != NULL && region->missing != NULL)
        return BYRE_OK;
    unmap_tables(region);
    return BYRE_ENOMEM;
}

size_t byre__dsm_next_touched(const dsm_region_t *region, size_t unit)
{
    while (unit < region->units && !region->touched[unit / DSM_CHUNK])
        unit = (unit / DSM_CHUNK + 1) * DSM_CHUNK;
    return unit < region->units ? unit : region->units;
}

static dsm_region_t *free_slot(void)
{
    for (int i = 0; i < DSM_REGIONS; i++)
        if (byre__dsm_regions[i].id == 0) return &byre__dsm_regions[i];
    return NULL;
}

static void fill(dsm_region_t *region, size_t bytes, const byre_dsm_attr_t *attr)
{
    region->attr = *attr;
    region->attr.name = NULL;
    (void)snprintf(region->name, sizeof region->name, "%s", attr->name != NULL ? attr->name : "");
    region->bytes = bytes;
    region->unit_bytes = attr->unit_pages * byre__dsm.page;
    region->units = bytes / region->unit_bytes;
    size_t size = (size_t)byre__dsm.size;
    region->block_units = (region->units + size - 1) / size;
    region->published = false;
    region->retired = false;
    region->under_way = 0;
    region->abandoned = false;
    region->latest_death = 0;
    region->splits = 0;
    region->pinned = region->queued = 0;
    memset(&region->stats, 0, sizeof region->stats);
    byre__dsm_holder_start(region);
}

void byre__dsm_region_next_call(void)
{
    generation++;
}

/* Slots are used again under new numbers, so that a late message finds nobody. */
int byre__dsm_region_make(size_t bytes, const byre_dsm_attr_t *attr, dsm_region_t **region_out)
{
    dsm_region_t *region = free_slot();
    if (region == NULL) return BYRE_ENOMEM;
    fill(region, bytes, attr);
    uintptr_t at = byre__dsm_frames_reserve(bytes, region->unit_bytes);
    if (at == 0) return BYRE_ENOMEM;
    int error = byre__dsm_frames_map(at, bytes, &region->app, &region->service);
    if (error != BYRE_OK) goto undo_reserve;
    error = map_tables(region);
    if (error != BYRE_OK) goto undo_frames;
    uint32_t slot = (uint32_t)(region - byre__dsm_regions);
    atomic_store(&region->id, generation * DSM_REGIONS + slot);
    error = byre__fault_register(region->app, bytes, byre__dsm_fault_resolve, region);
    if (error != BYRE_OK) goto undo_id;
    byre__dsm_report_region(region->id, region->name, region->app, region->unit_bytes);
    *region_out = region;
    return BYRE_OK;
undo_id:
    atomic_store(&region->id, 0);
    unmap_tables(region);
undo_frames:
    byre__dsm_frames_unmap(region->app, region->service, bytes);
undo_reserve:
    byre__dsm_frames_release(at);
    return error;
}

void byre__dsm_region_unmake(dsm_region_t *region)
{
    (void)byre__fault_unregister(region->app);
    byre__dsm_lock(region); /* messages that come now find nobody */
    atomic_store(&region->id, 0);
    byre__dsm_deferred_drop(region);
    for (size_t i = 0;
         region->queued > 0 && (i = byre__dsm_next_touched(region, i)) < region->units; i++)
        byre__dsm_manager_drop(region, i);
    byre__dsm_unlock(region);
    byre__timer_unset(&region->timer);
    byre__dsm_view_forget(region);
    unmap_tables(region);
    byre__dsm_large_forget(region); /* without the lock, which its end takes */
    /* Abandoned: units may still arrive in the service view. Only at the end: with a rank dead nobody frees. */
    if (region->under_way > 0) return;
    byre__dsm_frames_unmap(region->app, region->service, region->bytes);
    byre__dsm_frames_release((uintptr_t)region->app);
}

/* When a rank has failed, nobody waits for the others, who may still need what is here: it is served until
 * the end, but no longer this rank's. */
void byre__dsm_region_retire(dsm_region_t *region)
{
    (void)byre__fault_unregister(region->app);
    byre__dsm_lock(region);
    region->retired = true;
    byre__dsm_unlock(region);
}

/* ---- counters ----------------------------------------------------------------------------- */

static void add_stats(dsm_region_t *region, byre_dsm_stats_t *sum)
{
    byre__dsm_lock(region);
    const uint64_t *from = (const uint64_t *)&region->stats;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
    byre__dsm_unlock(region);
}

int byre_dsm_stats(const void *addr, byre_dsm_stats_t *stats_out)
{
    if (!byre__is_up() || !byre__dsm.up) return BYRE_ESTATE;
    if (stats_out == NULL) return BYRE_EINVAL;
    byre_dsm_stats_t sum = { 0 };
    if (addr != NULL) {
        dsm_region_t *region = byre__dsm_region_at(addr, 1);
        if (region == NULL) return BYRE_EINVAL;
        add_stats(region, &sum);
    } else {
        for (int i = 0; i < DSM_REGIONS; i++)
            if (byre__dsm_regions[i].id != 0) add_stats(&byre__dsm_regions[i], &sum);
    }
    *stats_out = sum;
    return BYRE_OK;
}
