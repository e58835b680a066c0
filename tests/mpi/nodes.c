/* SPDX-License-Identifier: BSD-3-Clause */
/* The node map says what MPI says: ranks of one node are those that share its memory.
 *
 * apart: no
 */
#include "testing.h"
#include <mpi.h>

int main(void)
{
    MPI_Comm node;
    char name[256] = "";
    int leader, local = 0, *leaders;

    start();
    leaders = room_for((size_t)ranks * sizeof *leaders);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    leader = me;
    MPI_Bcast(&leader, 1, MPI_INT, 0, node);
    MPI_Comm_size(node, &local);
    MPI_Allgather(&leader, 1, MPI_INT, leaders, 1, MPI_INT, MPI_COMM_WORLD);

    CHECK(byre_node_count() >= 1 && byre_node_count() <= ranks);
    int mine = 0;
    for (int r = 0; r < ranks; r++) {
        CHECK(byre_node_of(r) >= 0 && byre_node_of(r) < byre_node_count());
        EQUAL(leaders[r] == leaders[me], byre_node_of(r) == byre_node_of(me));
        if (byre_node_of(r) == byre_node_of(me)) mine++;
    }
    EQUAL(local, mine);
    EQUAL(byre_node_of(leader), byre_node_of(me));

    CHECK(gethostname(name, sizeof name - 1) == 0);
    for (int n = 0; n < byre_node_count(); n++)
        CHECK(byre_node_name(n) != NULL && byre_node_name(n)[0] != 0);
    const char *told = byre_node_name(byre_node_of(me));
    CHECK(strncmp(told, name, strlen(told)) == 0);

    /* Everybody has the same map. */
    int *maps = room_for((size_t)ranks * (size_t)ranks * sizeof(int));
    int *map = room_for((size_t)ranks * sizeof(int));
    for (int r = 0; r < ranks; r++) map[r] = byre_node_of(r);
    MPI_Allgather(map, ranks, MPI_INT, maps, ranks, MPI_INT, MPI_COMM_WORLD);
    for (int i = 0; i < ranks * ranks; i++) EQUAL(map[i % ranks], maps[i]);
    free(map);
    free(maps);
    free(leaders);
    MPI_Comm_free(&node);
    return finish();
}
