/* SPDX-License-Identifier: BSD-3-Clause */
/* Who takes part in a measurement, what the others do meanwhile, and what ends a job.
 *
 * Ranks that do not take part sit in byre_recv, which is quiet after a moment. In a raw MPI_Recv or
 * MPI_Barrier they would burn the cores that are being measured. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

void crew_open(struct crew *crew, bool everyone)
{
    *crew = (struct crew){ .rank = byre_rank(), .size = byre_size(), .peer = -1 };
    crew->last = crew->size - 1;
    crew->member = everyone || crew->rank == crew->first || crew->rank == crew->last;
    crew->leader = crew->rank == crew->first;
    if (!everyone && crew->member) crew->peer = crew->leader ? crew->last : crew->first;
    check_mpi("MPI_Comm_dup", MPI_Comm_dup(MPI_COMM_WORLD, &crew->world));
    check_mpi("MPI_Comm_split", MPI_Comm_split(crew->world, crew->member ? 0 : MPI_UNDEFINED,
                                               crew->rank, &crew->comm));
}

void crew_tell(const struct crew *crew, int command)
{
    for (int rank = 0; rank < crew->size; rank++)
        if (rank != crew->first && rank != crew->last)
            check_byre("byre_send",
                       byre_send((byre_addr_t){ rank, PORT_CREW }, &command, sizeof command));
}

void crew_idle(const struct crew *crew)
{
    int command = CREW_END;
    do {
        check_byre("byre_recv", byre_recv(PORT_CREW, crew->first, &command, sizeof command, NULL));
        if (command == CREW_HOGS_ON) hogs_start();
        if (command == CREW_HOGS_OFF) hogs_stop();
    } while (command != CREW_END);
}

void crew_close(struct crew *crew)
{
    if (crew->comm != MPI_COMM_NULL) check_mpi("MPI_Comm_free", MPI_Comm_free(&crew->comm));
    check_byre("byre_barrier", byre_barrier());
    check_mpi("MPI_Comm_free", MPI_Comm_free(&crew->world));
}

/* ---- errors ---------------------------------------------------------------------------------- */

void (*bench_on_death)(void);

void bench_die(const char *what, const char *why)
{
    void (*tidy)(void) = bench_on_death;

    bench_on_death = NULL;
    fprintf(stderr, "%s: rank %d: %s: %s\n", program_invocation_short_name, byre_rank(), what, why);
    fflush(stderr);
    if (tidy) tidy();
    MPI_Abort(MPI_COMM_WORLD, 1);
    abort();
}

void check_byre(const char *call, int error)
{
    if (__builtin_expect(error != BYRE_OK, 0)) bench_die(call, byre_strerror(error));
}

void check_mpi(const char *call, int error)
{
    if (__builtin_expect(error != MPI_SUCCESS, 0)) bench_die(call, "Open MPI reported an error");
}

/* ---- computing ------------------------------------------------------------------------------- */

static _Atomic unsigned long sink;

void compute(long units)
{
    unsigned long x = 88172645463325252UL;
    for (long i = 0; i < units; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    atomic_store_explicit(&sink, x, memory_order_relaxed);
}

long compute_calibrate(double seconds)
{
    const long units = 1 << 20;
    double best = 1;
    for (int i = 0; i < 20; i++) {
        double start = now();
        compute(units);
        double took = now() - start;
        best = took < best ? took : best;
    }
    return (long)((double)units * seconds / best);
}

static pthread_t hog;
static atomic_bool hog_stop;

static void *hog_main(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&hog_stop, memory_order_relaxed)) compute(1000);
    return NULL;
}

void hogs_start(void)
{
    atomic_store(&hog_stop, false);
    if (pthread_create(&hog, NULL, hog_main, NULL)) bench_die("pthread_create", "no more threads");
}

void hogs_stop(void)
{
    atomic_store(&hog_stop, true);
    pthread_join(hog, NULL);
}
