/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pins and prefetches. Units are pinned in the order of their addresses, which all ranks share: so two
 * ranks that pin overlapping memory cannot wait for each other.
 */
#include "region.h"

static int check(const void *addr, size_t bytes, dsm_region_t **region_out)
{
    if (!byre__is_up() || !byre__dsm.up) return BYRE_ESTATE;
    dsm_region_t *region = byre__dsm_region_at(addr, bytes);
    if (region == NULL) return BYRE_EINVAL;
    *region_out = region;
    return BYRE_OK;
}

static size_t last_unit(const dsm_region_t *region, const void *addr, size_t bytes)
{
    return unit_at(region, (const char *)addr + (bytes > 0 ? bytes - 1 : 0));
}

/* Under the lock. What is under way or cannot be had now is left out. */
static void ask_ahead(dsm_region_t *region, size_t first, size_t last, enum dsm_access need)
{
    for (size_t i = first; i <= last;) {
        size_t n = byre__dsm_request(region, i, last - i + 1, need, true);
        i += n > 0 ? n : 1;
    }
}

int byre_dsm_prefetch(const void *addr, size_t bytes, int write)
{
    dsm_region_t *region;
    int error = check(addr, bytes, &region);
    if (error != BYRE_OK || (write && region->published)) return error;
    byre__dsm_lock(region);
    ask_ahead(region, unit_at(region, addr), last_unit(region, addr, bytes),
              write ? DSM_WRITE : DSM_READ);
    byre__dsm_unlock(region);
    return BYRE_OK;
}

/* A pin to read holds off writers only, one to write everybody. Which it was is not told when it is taken
 * back: those to write are assumed to stay longest, which is safe for both. */
static void release(dsm_region_t *region, dsm_unit_t *u)
{
    if (--u->pins == 0) region->pinned--;
    if (u->write_pins > u->pins) u->write_pins = u->pins;
}

int byre_dsm_pin(const void *addr, size_t bytes, int write)
{
    dsm_region_t *region;
    int error = check(addr, bytes, &region);
    if (error != BYRE_OK) return error;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    if (write && region->published) return BYRE_EINVAL;
    enum dsm_access need = write ? DSM_WRITE : DSM_READ;
    size_t first = unit_at(region, addr), last = last_unit(region, addr, bytes), i;
    byre__dsm_lock(region);
    ask_ahead(region, first, last, need);
    for (i = first; i <= last; i++) {
        dsm_unit_t *u = &region->unit[i];
        error = u->pins == UINT16_MAX ? BYRE_EBUSY : byre__dsm_await(region, i, need);
        if (error != BYRE_OK) break;
        if (u->pins++ == 0) region->pinned++;
        if (write) u->write_pins++;
    }
    while (error != BYRE_OK && i > first) release(region, &region->unit[--i]);
    if (error != BYRE_OK) byre__dsm_holder_retry(region, 0);
    byre__dsm_unlock(region);
    return error;
}

int byre_dsm_unpin(const void *addr, size_t bytes)
{
    dsm_region_t *region;
    int error = check(addr, bytes, &region);
    if (error != BYRE_OK) return error;
    size_t first = unit_at(region, addr), last = last_unit(region, addr, bytes);
    byre__dsm_lock(region);
    for (size_t i = first; i <= last; i++)
        if (region->unit[i].pins == 0) error = BYRE_EINVAL;
    for (size_t i = first; error == BYRE_OK && i <= last; i++) release(region, &region->unit[i]);
    byre__dsm_holder_retry(region, 0);
    byre__dsm_unlock(region);
    return error;
}
