/* SPDX-License-Identifier: BSD-3-Clause */
/* One daemon a node, and each node has a name of its own: otherwise no daemon starts, and each says why.
 * apart: no
 * lab: no nodes of a lab have names of their own
 * ranks: 1 2 4 */
#include "sched_peer_tools.h"

int main(void)
{
    char error[256];
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    watch_the_time();
    /* The last one has the name of the one before it. */
    const char *names[] = { "a", "b", "c", "c" };
    int number = rank != NULL ? atoi(rank) : 0, size = atoi(getenv("OMPI_COMM_WORLD_SIZE"));
    CHECK(setenv("BYRE_NODE_NAME", size == 2 ? "both" : names[number], 1) == 0);
    int result = peer_open(error);
    if (size == 1) {
        EQUAL(BYRE_OK, result);
        peer_close();
        return 0;
    }
    EQUAL(BYRE_EEXIST, result);
    CHECK(strstr(error, size == 2 ? "two daemons on node \"both\"" : "\"c\"") != NULL);
    CHECK(!byre_initialized());
    return 0;
}
