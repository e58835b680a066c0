/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of daemons' frames share: nodes by name on one machine, and waiting as a daemon does. */
#ifndef SCHED_PEER_TOOLS_H
#define SCHED_PEER_TOOLS_H

#include "../mpi/testing.h"
#include "sched/daemon/peer.h"
#include <poll.h>

/* Each rank is a node of its own: n0, n1 ... ; with the domain that a host's name may have. */
static inline void open_peers(void)
{
    char name[64], error[256];
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    watch_the_time();
    (void)snprintf(name, sizeof name, "n%s.some.domain", rank != NULL ? rank : "0");
    CHECK(setenv("BYRE_NODE_NAME", name, 1) == 0);
    int result = peer_open(error);
    if (result != BYRE_OK)
        failed(__FILE__, __LINE__, "peer_open: %s: %s", byre_error_name(result), error);
    CHECK(error[0] == '\0');
    me = peer_self();
    ranks = peer_count();
}

static inline void await_peers(int timeout_ms)
{
    struct pollfd ready = { .fd = peer_fd(), .events = POLLIN };
    (void)poll(&ready, 1, timeout_ms);
}

/* The next frame, however long it takes. */
static inline void next_frame(peer_frame_t *frame_out)
{
    while (!peer_next(frame_out)) await_peers(-1);
}

#endif
