/* SPDX-License-Identifier: BSD-3-Clause */
/* MPI that was started for one thread only cannot carry Byre: an error, and MPI works on. */
#include "testing.h"
#include <mpi.h>

int main(void)
{
    int provided = -1, sum = 0, one = 1;

    watch_the_time();
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SINGLE, &provided);
    if (provided == MPI_THREAD_MULTIPLE) {
        puts("this MPI always provides MPI_THREAD_MULTIPLE");
        MPI_Finalize();
        return 77;
    }
    EXPECT(BYRE_ETHREADS, byre_init());
    CHECK(!byre_initialized());
    EXPECT(BYRE_ESTATE, byre_rank());
    EXPECT(BYRE_ESTATE, byre_finalize());
    EXPECT(BYRE_ETHREADS, byre_init());
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    EQUAL(ranks, sum);
    MPI_Finalize();
    return 0;
}
