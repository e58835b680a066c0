/* SPDX-License-Identifier: BSD-3-Clause */
/* An application that uses MPI itself, with receives that take anything from anybody: neither takes
 * what is the other's, and MPI stays up when Byre goes. */
#include "testing.h"
#include <mpi.h>

enum { ROUNDS = 200, PORTS = 3 };

int main(void)
{
    int provided = MPI_THREAD_SINGLE, mpi_rank = -1, mpi_size = 0, flag = 0, sum = 0;
    MPI_Request wildcard;
    MPI_Status status;
    int caught = -1;

    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
    if (provided < MPI_THREAD_MULTIPLE) {
        puts("this MPI lacks MPI_THREAD_MULTIPLE");
        MPI_Finalize();
        return 77;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &mpi_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &mpi_size);
    MPI_Irecv(&caught, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &wildcard);
    start();
    EQUAL(mpi_rank, me);
    EQUAL(mpi_size, ranks);

    for (int i = 0; i < ROUNDS; i++) {
        int port = i % PORTS, number = me * ROUNDS + i, got = -1;
        byre_request_t req;
        EXPECT(BYRE_OK, byre_isend(at(right(), port), &number, sizeof number, NULL, &req));
        /* MPI's message has the port as its tag, to make a mix-up likely. */
        if (i % 2 == 0) {
            int mine = -number - 1;
            MPI_Send(&mine, 1, MPI_INT, right(), port, MPI_COMM_WORLD);
            MPI_Wait(&wildcard, &status);
            EQUAL(-(left() * ROUNDS + i) - 1, caught);
            EQUAL(left(), status.MPI_SOURCE);
            EQUAL(port, status.MPI_TAG);
            if (i + 2 < ROUNDS)
                MPI_Irecv(&caught, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD,
                          &wildcard);
        } else {
            /* Byre's message waits, and MPI sees nothing of it. */
            UNTIL(byre_poll(port, BYRE_ANY, NULL) == BYRE_OK);
            MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &status);
            if (flag) CHECK(status.MPI_SOURCE == left());
        }
        EXPECT(BYRE_OK, byre_recv(port, i % 3 == 0 ? left() : BYRE_ANY, &got, sizeof got, NULL));
        EQUAL(left() * ROUNDS + i, got);
        EXPECT(BYRE_OK, byre_wait(&req, NULL));
    }
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &status);
    CHECK(!flag);
    EXPECT(BYRE_OK, byre_barrier());
    MPI_Barrier(MPI_COMM_WORLD);
    EXPECT(BYRE_OK, byre_finalize());

    MPI_Finalized(&flag);
    CHECK(!flag);
    MPI_Allreduce(&mpi_rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    EQUAL(mpi_size * (mpi_size - 1) / 2, sum);
    EXPECT(BYRE_ESTATE, byre_init());
    MPI_Finalize();
    return 0;
}
