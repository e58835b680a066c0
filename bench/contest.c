/* SPDX-License-Identifier: BSD-3-Clause */
/* Two sides, measured side by side.
 *
 * The leader decides what to run and tells the others: {side, iterations}. First the number of
 * iterations is found that makes a batch of each side long against the clock and the barrier; these
 * batches are the warm-up too. Then the repetitions: each runs both sides once, and every
 * other one in the opposite order, so that neither drift nor the neighbour's leftovers favour a
 * side. Each batch is preceded by a short one that is not counted: it lets caches, sleeping threads
 * and the other rank catch up after the barrier.
 *
 * While raw MPI is measured Byre's service thread is parked (unless asked otherwise): the floor is
 * what a program without Byre gets, in the same thread level. So are calls of other systems. */
#include "bench.h"
#include "service.h"

#include <time.h>

#define BATCH_SECONDS 4e-3
#define MOST_ITERATIONS (1 << 20)
#define FEWEST_REPS 5 /* whatever the time */

enum { SIDE_FLOOR, SIDE_BYRE, SIDE_NONE };

double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* Every member's part of one batch. */
static double batch(const struct crew *crew, const struct contest *contest, int side, int n)
{
    batch_fn run = side == SIDE_FLOOR ? contest->floor : contest->byre;
    bool pause = contest->pause && (side == SIDE_FLOOR || contest->foreign);
    double seconds;

    if (pause) byre__service_pause(1);
    check_mpi("MPI_Barrier", MPI_Barrier(crew->comm));
    run(contest->arg, n / 4 + 1);
    seconds = run(contest->arg, n);
    if (pause) byre__service_pause(0);
    return seconds / n;
}

/* Leader: seconds per iteration. */
static double lead(const struct crew *crew, const struct contest *contest, int side, int n)
{
    int command[2] = { side, n };
    check_mpi("MPI_Bcast", MPI_Bcast(command, 2, MPI_INT, 0, crew->comm));
    return side == SIDE_NONE ? 0 : batch(crew, contest, side, n);
}

static void follow(const struct crew *crew, const struct contest *contest)
{
    for (;;) {
        int command[2];
        check_mpi("MPI_Bcast", MPI_Bcast(command, 2, MPI_INT, 0, crew->comm));
        if (command[0] == SIDE_NONE) return;
        batch(crew, contest, command[0], command[1]);
    }
}

/* How many iterations make a batch of this side long enough. */
static int calibrate(const struct crew *crew, const struct contest *contest, int side)
{
    int most = contest->most ? contest->most : MOST_ITERATIONS;
    int n = contest->least ? contest->least : 1;
    for (;;) {
        double seconds = lead(crew, contest, side, n) * n;
        if (seconds >= BATCH_SECONDS || n >= most) return n;
        /* The first iterations are slow: never trust one step to get there. */
        double factor = seconds > 0 ? 1.2 * BATCH_SECONDS / seconds : 16;
        factor = factor < 1.5 ? 1.5 : factor > 16 ? 16 : factor;
        n = (int)(n * factor) + 1;
        if (n > most) n = most;
    }
}

/* Both sides once, in the order that the repetition's number says. */
static void repeat(const struct crew *crew, const struct contest *contest, const int n[2],
                   struct samples *samples)
{
    int i = samples->count;
    if (i % 2) samples->byre[i] = lead(crew, contest, SIDE_BYRE, n[SIDE_BYRE]);
    samples->floor[i] = lead(crew, contest, SIDE_FLOOR, n[SIDE_FLOOR]);
    if (i % 2 == 0) samples->byre[i] = lead(crew, contest, SIDE_BYRE, n[SIDE_BYRE]);
    samples->count++;
}

struct contest contest_make(const struct options *opt, batch_fn floor, batch_fn byre, void *arg)
{
    return (struct contest){ .floor = floor,
                             .byre = byre,
                             .arg = arg,
                             .reps = options_reps(opt, 25, 7),
                             .seconds = opt->reps    ? 1e9
                                        : opt->quick ? 0.1
                                                     : 10,
                             .pause = !opt->beside };
}

void contest_run(const struct crew *crew, const struct contest *contest,
                 struct samples *samples_out)
{
    if (!crew->leader) {
        follow(crew, contest);
        return;
    }
    samples_init(samples_out, contest->reps);
    double start = now();
    int n[2] = { calibrate(crew, contest, SIDE_FLOOR), calibrate(crew, contest, SIDE_BYRE) };
    while (samples_out->count < contest->reps &&
           (samples_out->count < FEWEST_REPS || now() - start < contest->seconds))
        repeat(crew, contest, n, samples_out);
    lead(crew, contest, SIDE_NONE, 0);
}
