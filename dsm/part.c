/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory as a part of the runtime: start and finish, and the heap's region. */
#include "agree.h"
#include "heap.h"
#include "lent.h"
#include "log.h"
#include "node.h"
#include "part.h"
#include "region.h"
#include "report.h"
#include <unistd.h>

/* Used wherever memory is shared: so the linker takes this file out of libbyre.a, and hang_in with it. */
dsm_world_t byre__dsm;

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
    dsm_region_t *region;
    int error = byre__dsm_region_make(slice * size, &attr, &region);
    if (error != BYRE_OK) return error;
    error = byre__dsm_heap_start(region->app, slice * size);
    if (error != BYRE_OK) byre__dsm_region_unmake(region);
    return error;
}

static void stop(void)
{
    if (byre__dsm.up) {
        byre__dsm.up = false;
        byre__dsm_heap_stop();
        for (int i = 0; i < DSM_REGIONS; i++)
            if (byre__dsm_regions[i].id != 0) byre__dsm_region_unmake(&byre__dsm_regions[i]);
    }
    byre__dsm_report_stop();
    byre__dsm_gone_stop();
    byre__dsm_wire_stop();
    byre__dsm_agree_stop();
    byre__dsm_frames_stop();
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
