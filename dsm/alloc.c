/* SPDX-License-Identifier: BSD-3-Clause */
/* byre_dsm_alloc, free and publish: a region by agreement of all ranks (agree.c). */
#include "agree.h"
#include "heap.h"
#include "progress.h"
#include "region.h"

#include <string.h>

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
    byre__dsm_region_next_call();
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
                    : byre__dsm_region_make((bytes + unit - 1) / unit * unit, &full, &region);
    }
    say.error = error;
    if (region != NULL) say.at = (uintptr_t)region->app;
    error = byre__dsm_agree(&say);
    if (error != BYRE_OK || region == NULL) {
        if (region != NULL) byre__dsm_region_unmake(region);
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
    dsm_region_t *region = byre__dsm_region_from(addr);
    if (region == NULL) return BYRE_EINVAL;
    if (is_pinned(region)) return BYRE_EBUSY;
    (void)byre__wait_until(nothing_under_way, region,
                           0); /* also with a dead rank: it is lost then */
    error = agree_on(region, DSM_AGREE_FREE, BYRE_OK);
    if (error == BYRE_OK) byre__dsm_region_unmake(region);
    if (error == BYRE_EPEER) byre__dsm_region_retire(region);
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
    dsm_region_t *region = byre__dsm_region_from(addr);
    if (region == NULL) return BYRE_EINVAL;
    if (region->attr.protocol != BYRE_DSM_CONSTANT || region->published) return BYRE_EINVAL;
    (void)byre__wait_until(nothing_under_way, region, 0);
    error = agree_on(region, DSM_AGREE_PUBLISH, BYRE_OK);
    if (error != BYRE_OK) return error;
    make_constant(region);
    return agree_on(region, DSM_AGREE_PUBLISHED, BYRE_OK);
}
