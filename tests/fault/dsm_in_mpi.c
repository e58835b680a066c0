/* SPDX-License-Identifier: BSD-3-Clause */
/* Rank 0 gives MPI shared memory whose pages are at rank 1, without a pin. argv: send, recv or irecv (the
 * message comes later), with pinned- before it: with a pin, or half-: the first half of it is there;
 * bytes. Says what came of it. */
#include "../mpi/testing.h"
#include <mpi.h>

static char *shared, *own;

static void say(const char *what, int error, bool right)
{
    printf("rank %d: %s: error %d, contents %s\n", me, what, error, right ? "right" : "WRONG");
    fflush(stdout);
}

static void by_send(int bytes)
{
    MPI_Status status;
    int error;
    if (me == 0) {
        error = MPI_Send(shared, bytes, MPI_CHAR, 1, 1, MPI_COMM_WORLD);
        say("MPI_Send", error, true);
    } else if (me == 1) {
        error = MPI_Recv(own, bytes, MPI_CHAR, 0, 1, MPI_COMM_WORLD, &status);
        say("MPI_Recv of it", error, filled(own, (size_t)bytes, 7));
    }
}

static void by_recv(int bytes, bool early)
{
    MPI_Status status;
    MPI_Request req = MPI_REQUEST_NULL;
    int error = 0;
    fill(own, (size_t)bytes, 8);
    if (me == 0) {
        if (early) MPI_Irecv(shared, bytes, MPI_CHAR, 1, 1, MPI_COMM_WORLD, &req);
        MPI_Barrier(MPI_COMM_WORLD);
        usleep(100000);
        error = early ? MPI_Wait(&req, &status)
                      : MPI_Recv(shared, bytes, MPI_CHAR, 1, 1, MPI_COMM_WORLD, &status);
        say("MPI_Recv", error, filled(shared, (size_t)bytes, 8));
    } else if (me == 1) {
        MPI_Barrier(MPI_COMM_WORLD);
        error = MPI_Send(own, bytes, MPI_CHAR, 0, 1, MPI_COMM_WORLD);
        say("MPI_Send to it", error, true);
    } else {
        MPI_Barrier(MPI_COMM_WORLD);
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "send";
    int bytes = argc > 2 ? atoi(argv[2]) : 100, provided;
    bool pinned = strncmp(how, "pinned-", 7) == 0;
    bool half = strncmp(how, "half-", 5) == 0;
    how += pinned ? 7 : half ? 5 : 0;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    start();
    own = room_for((size_t)bytes);
    byre_dsm_attr_t attr = { .name = "absent" };
    EXPECT(BYRE_OK, byre_dsm_alloc((size_t)bytes, &attr, (void **)&shared));
    if (me == 1) fill(shared, (size_t)bytes, 7);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; me == 0 && half && i < (size_t)bytes / 2; i += 512) {
        if (how[0] == 's')
            (void)*(volatile char *)&shared[i];
        else
            shared[i] = 0;
    }
    if (me == 0 && pinned) EXPECT(BYRE_OK, byre_dsm_pin(shared, (size_t)bytes, how[0] != 's'));
    if (strcmp(how, "send") == 0)
        by_send(bytes);
    else
        by_recv(bytes, strcmp(how, "irecv") == 0);
    if (me == 0 && pinned) EXPECT(BYRE_OK, byre_dsm_unpin(shared, (size_t)bytes));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_finalize());
    MPI_Finalize();
    return 0;
}
