/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Regions: made, found, published, freed. All ranks make them in the same order, so that each finds the
 * same address and number by itself; agree.c sees that it is so.
 */
#include "region.h"

#include "agree.h"
#include "fault.h"
#include "heap.h"
#include "lent.h"
#include "log.h"
#include "node.h"
#include "part.h"
#include "report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

dsm_region_t byre__dsm_regions[DSM_REGIONS];
dsm_world_t byre__dsm;

static dsm_region_t *heap_region;
static uint32_t generation =
    1; /* counts the calls that make regions, which all ranks make alike. With slot 0,
                                 * the heap's, never free no id is 0 when it wraps */

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

static dsm_region_t *region_from(const void *addr)
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

/* On this rank only. Slots are used again under new numbers, so that a late message finds nobody. */
static int make(size_t bytes, const byre_dsm_attr_t *attr, dsm_region_t **region_out)
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

static void unmake(dsm_region_t *region)
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
static void retire(dsm_region_t *region)
{
    (void)byre__fault_unregister(region->app);
    byre__dsm_lock(region);
    region->retired = true;
    byre__dsm_unlock(region);
}

static int check_attr(byre_dsm_attr_t *attr)
{
    if (attr->unit_pages == 0) attr->unit_pages = 1;
    if (attr->defrost_us == 0) attr->defrost_us = 1000;
    if (attr->manager == BYRE_DSM_MANAGER_DEFAULT) attr->manager = BYRE_DSM_MANAGER_FIXED;
    if (attr->home_rank < 0 || attr->home_rank >= byre__dsm.size) return BYRE_ERANK;
    bool sane = attr->protocol <= BYRE_DSM_CONSTANT && attr->manager <= BYRE_DSM_MANAGER_DYNAMIC &&
                attr->home <= BYRE_DSM_HOME_RANK && attr->unit_pages <= BYRE_DSM_UNIT_PAGES_MAX &&
                (attr->unit_pages & (attr->unit_pages - 1)) == 0;
    return sane ? BYRE_OK : BYRE_EINVAL;
}

static bool may_call(int *error_out)
{
    *error_out = BYRE_OK;
    if (!byre__is_up())
        *error_out = BYRE_ESTATE;
    else if (byre__in_handler())
        *error_out = BYRE_ECONTEXT;
    else if (!byre__dsm.up)
        *error_out = BYRE_ENOMEM;
    return *error_out == BYRE_OK;
}

/* Member by member: ranks compare the bytes, of which padding is some. The name may differ. */
static void copy_attr(byre_dsm_attr_t *to, const byre_dsm_attr_t *from)
{
    memset(to, 0, sizeof *to);
    if (from == NULL) return;
    to->protocol = from->protocol;
    to->manager = from->manager;
    to->home = from->home;
    to->home_rank = from->home_rank;
    to->unit_pages = from->unit_pages;
    to->hold_us = from->hold_us;
    to->freeze_after = from->freeze_after;
    to->defrost_us = from->defrost_us;
}

int byre_dsm_alloc(size_t bytes, const byre_dsm_attr_t *attr, void **addr_out)
{
    int error;
    if (!may_call(&error)) return error;
    generation++;
    dsm_agree_t say;
    memset(&say, 0, sizeof say);
    say.call = DSM_AGREE_ALLOC;
    copy_attr(&say.attr, attr);
    say.bytes = bytes;
    dsm_region_t *region = NULL;
    error = addr_out == NULL || bytes == 0 ? BYRE_EINVAL : check_attr(&say.attr);
    if (error == BYRE_OK) {
        size_t unit = say.attr.unit_pages * byre__dsm.page;
        byre_dsm_attr_t full = say.attr;
        full.name = attr != NULL ? attr->name : NULL;
        error = bytes > byre__dsm_window_bytes()
                    ? BYRE_ENOMEM
                    : make((bytes + unit - 1) / unit * unit, &full, &region);
    }
    say.error = error;
    if (region != NULL) say.at = (uintptr_t)region->app;
    error = byre__dsm_agree(&say);
    if (error != BYRE_OK || region == NULL) {
        if (region != NULL) unmake(region);
        return error;
    }
    byre__dsm_origin_calls();
    *addr_out = region->app;
    return BYRE_OK;
}

/* ---- freeing ------------------------------------------------------------------------------ */

static bool nothing_under_way(void *arg)
{
    const dsm_region_t *region = arg;
    return atomic_load_explicit(&region->under_way, memory_order_acquire) == 0 ||
           atomic_load_explicit(&region->abandoned, memory_order_acquire);
}

static bool is_pinned(dsm_region_t *region)
{
    byre__dsm_lock(region);
    bool pinned = region->pinned > 0;
    byre__dsm_unlock(region);
    return pinned;
}

static int agree_on(const dsm_region_t *region, int call, int error)
{
    dsm_agree_t say;
    memset(&say, 0, sizeof say);
    say.call = call;
    say.error = error;
    say.at = (uintptr_t)region->app;
    return byre__dsm_agree(&say);
}

int byre_dsm_free(void *addr)
{
    int error;
    if (addr == NULL) return BYRE_OK;
    if (!byre__is_up() || !byre__dsm.up) return BYRE_ESTATE;
    if (byre__dsm_heap_owns(addr)) return byre__dsm_heap_free(addr);
    if (!may_call(&error)) return error;
    dsm_region_t *region = region_from(addr);
    if (region == NULL || region == heap_region) return BYRE_EINVAL;
    if (is_pinned(region)) return BYRE_EBUSY;
    (void)byre__wait_until(nothing_under_way, region,
                           0); /* also with a dead rank: it is lost then */
    error = agree_on(region, DSM_AGREE_FREE, BYRE_OK);
    if (error == BYRE_OK) unmake(region);
    if (error == BYRE_EPEER) retire(region);
    return error;
}

/* ---- publishing --------------------------------------------------------------------------- */

static void make_constant(dsm_region_t *region)
{
    byre__dsm_lock(region);
    region->published = true;
    for (size_t i = 0; (i = byre__dsm_next_touched(region, i)) < region->units; i++) {
        dsm_unit_t *u = &region->unit[i];
        if (u->mapped == DSM_WRITE) byre__dsm_view(region, i, 1, DSM_READ);
        if (u->access == DSM_WRITE) u->access = DSM_READ;
    }
    byre__dsm_unlock(region);
}

int byre_dsm_publish(void *addr)
{
    int error;
    if (!may_call(&error)) return error;
    dsm_region_t *region = region_from(addr);
    if (region == NULL) return BYRE_EINVAL;
    if (region->attr.protocol != BYRE_DSM_CONSTANT || region->published) return BYRE_EINVAL;
    (void)byre__wait_until(nothing_under_way, region, 0);
    error = agree_on(region, DSM_AGREE_PUBLISH, BYRE_OK);
    if (error != BYRE_OK) return error;
    make_constant(region);
    return agree_on(region, DSM_AGREE_PUBLISHED, BYRE_OK);
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

/* ---- start and finish --------------------------------------------------------------------- */

#define GIB ((size_t)1 << 30)

/* A slice for each rank; at most a quarter of the window. */
static int start_heap(void)
{
    size_t size = (size_t)byre__dsm.size, most = byre__dsm_window_bytes() / 4;
    size_t slice = 16 * GIB < most / size ? 16 * GIB : most / size;
    slice -= slice % ((size_t)2 << 20);
    byre_dsm_attr_t attr = {
        .manager = BYRE_DSM_MANAGER_FIXED, .unit_pages = 1, .name = "heap", .defrost_us = 1000
    };
    int error = make(slice * size, &attr, &heap_region);
    if (error != BYRE_OK) return error;
    error = byre__dsm_heap_start(heap_region->app, slice * size);
    if (error != BYRE_OK) unmake(heap_region);
    return error;
}

static void stop(void)
{
    if (byre__dsm.up) {
        byre__dsm.up = false;
        byre__dsm_heap_stop();
        for (int i = 0; i < DSM_REGIONS; i++)
            if (byre__dsm_regions[i].id != 0) unmake(&byre__dsm_regions[i]);
    }
    byre__dsm_report_stop();
    byre__dsm_gone_stop();
    byre__dsm_wire_stop();
    byre__dsm_agree_stop();
    byre__dsm_frames_stop();
    heap_region = NULL;
}

/* Without a window of addresses (a limit of the address space) the job runs, and has no shared memory:
 * byre_dsm_alloc says so. */
static int start(void)
{
    byre__dsm.rank = byre__nodes.rank;
    byre__dsm.size = byre__nodes.size;
    byre__dsm.words = ((size_t)byre__dsm.size + 63) / 64;
    byre__dsm.page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < DSM_REGIONS; i++) pthread_mutex_init(&byre__dsm_regions[i].lock, NULL);
    int error =
        byre__dsm_report_start(); /* collective: before what a rank may have to do without */
    if (error == BYRE_OK) error = byre__dsm_wire_start();
    if (error == BYRE_OK) error = byre__dsm_agree_start();
    if (error != BYRE_OK) goto undo;
    error = byre__dsm_frames_start();
    if (error == BYRE_ENOMEM) {
        byre__error("no address space for shared memory: is there a limit (ulimit -v)?");
        return BYRE_OK;
    }
    if (error != BYRE_OK) goto undo;
    byre__dsm_origin_start();
    byre__dsm_view_start();
    byre__dsm_large_start();
    error = start_heap();
    if (error != BYRE_OK) goto undo;
    byre__dsm.up = true;
    return BYRE_OK;
undo:
    stop();
    return error;
}

static byre__part_t part = { .name = "distributed shared memory",
                             .start = start,
                             .finish = byre__dsm_report_finish,
                             .stop = stop,
                             .peer_gone = byre__dsm_peer_gone };

__attribute__((constructor)) static void hang_in(void)
{
    byre__part_register(&part);
    byre__lent_memory = byre__dsm_lend;
}
