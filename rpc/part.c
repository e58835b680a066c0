/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc as a part of the runtime: its start and end. */
#include "calls.h"

#include "pages.h"
#include "part.h"
#include "progress.h"
#include <byre_runtime.h>

static const struct {
    int (*start)(void);
    void (*stop)(void);
} steps[] = {
    { byre__rpc_names_start, byre__rpc_names_stop },
    { byre__rpc_slots_start, byre__rpc_slots_stop },
    { byre__rpc_filter_start, byre__rpc_filter_stop },
    { byre__rpc_serve_start, byre__rpc_serve_stop },
    { byre__rpc_contexts_start, byre__rpc_contexts_stop },
    { byre__rpc_shared_start, byre__rpc_shared_stop },
    { NULL, byre__rpc_bindings_stop },
    { NULL, byre__rpc_servers_stop },
};
enum { STEPS = sizeof steps / sizeof steps[0] };

static void stop_from(int step)
{
    while (--step >= 0) steps[step].stop();
}

static int start(void)
{
    for (int i = 0; i < STEPS; i++) {
        int error = steps[i].start != NULL ? steps[i].start() : BYRE_OK;
        if (error == BYRE_OK) continue;
        stop_from(i);
        return error;
    }
    return BYRE_OK;
}

/* Servers serve until every rank is here. */
static void finish(void)
{
    (void)byre_barrier();
    byre__rpc_servers_finish();
    byre__rpc_pool_stop();
}

static void stop(void)
{
    stop_from(STEPS);
    byre__rpc_pages_stop();
}

/* On the engine. Names first: whoever wakes up finds another server, or none. */
static void peer_gone(int rank)
{
    byre__rpc_names_peer_gone(rank);
    byre__rpc_slots_peer_gone(rank);
    byre__rpc_filter_peer_gone(rank);
    byre__rpc_contexts_peer_gone(rank);
}

static byre__part_t part = {
    .name = "rpc", .start = start, .finish = finish, .stop = stop, .peer_gone = peer_gone
};

int byre__rpc_check(void)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    return byre__in_handler() ? BYRE_ECONTEXT : BYRE_OK;
}

__attribute__((constructor)) static void hang_in(void)
{
    byre__part_register(&part);
}
