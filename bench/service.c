/* SPDX-License-Identifier: BSD-3-Clause */
/* service: what it costs that somebody is always at home.
 *
 *   cost      a fixed computation with the service thread at work and with it parked
 *   request   how long a request to a computing rank waits (request.c)
 *   idle      the processor time of a rank that waits in byre_recv */
#include "bench.h"
#include "service.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static double clock_seconds(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void sleep_seconds(double seconds)
{
    struct timespec ts = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts))
        ;
}

/* ---- cost ------------------------------------------------------------------------------------ */

struct window {
    double seconds; /* the computation, wall clock */
    double others;  /* processor time of this process's other threads, percent of a core */
};

/* The wall clock tells what the application lost, and hears every neighbour of a virtual machine;
 * the processor clocks tell what the service thread took, and hear nothing else. */
static struct window window_measure(const struct crew *crew, long units, bool paused)
{
    struct window mine, sum;
    double start, process, thread;

    if (paused) byre__service_pause(1);
    check_mpi("MPI_Barrier", MPI_Barrier(crew->comm));
    compute(units / 20); /* until the service thread has found its pace again */
    process = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    thread = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
    start = now();
    compute(units);
    mine.seconds = now() - start;
    thread = clock_seconds(CLOCK_THREAD_CPUTIME_ID) - thread;
    process = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - process;
    mine.others = 100 * (process - thread) / mine.seconds;
    if (paused) byre__service_pause(0);
    check_mpi("MPI_Allreduce", MPI_Allreduce(&mine, &sum, 2, MPI_DOUBLE, MPI_SUM, crew->comm));
    return (struct window){ sum.seconds / crew->size, sum.others / crew->size };
}

static void cost_report(const struct crew *crew, struct samples *times, double *others)
{
    struct row row = { .bench = "service.cost",
                       .variant = "computing",
                       .unit = "s",
                       .transport = transport_name(-1, -1),
                       .floor_name = "service thread parked",
                       .ranks = crew->size,
                       .counts = true,
                       .size = (size_t)crew->size };

    row_fill(&row, times, 1, false);
    report_row(&row);
    row.bench = "service.cpu";
    row.unit = "%";
    row.floor_name = "none";
    row.floor = row.ratio = row.ratio_p10 = row.ratio_p90 = NAN;
    row.value = median_of(others, times->count);
    row.p10 = percentile(others, times->count, 10);
    row.p90 = percentile(others, times->count, 90);
    report_row(&row);
}

static void run_cost(const struct options *opt)
{
    struct crew crew;
    struct samples times;
    int reps = options_reps(opt, 25, 5);

    crew_open(&crew, true);
    long units = compute_calibrate(opt->quick ? 0.1 : 0.5);
    check_mpi("MPI_Bcast", MPI_Bcast(&units, 1, MPI_LONG, 0, crew.comm));
    double *others = calloc((size_t)reps, sizeof *others);
    samples_init(&times, reps);
    for (int i = 0; i < reps; i++) {
        bool paused_first = i % 2;
        struct window one = window_measure(&crew, units, paused_first);
        struct window two = window_measure(&crew, units, !paused_first);
        times.floor[i] = paused_first ? one.seconds : two.seconds;
        times.byre[i] = paused_first ? two.seconds : one.seconds;
        others[i] = paused_first ? two.others : one.others;
    }
    times.count = reps;
    if (crew.leader) cost_report(&crew, &times, others);
    samples_fini(&times);
    free(others);
    crew_close(&crew);
}

/* ---- idle ------------------------------------------------------------------------------------ */

#define SETTLE_SECONDS 0.1

struct idle {
    MPI_Comm world;
    double seconds; /* how long to look */
    bool raw;
    double percent;
};

/* Beside the waiting thread, asleep but for reading two clocks; then it ends the wait. */
static void *idle_watch(void *arg)
{
    struct idle *idle = arg;

    sleep_seconds(SETTLE_SECONDS);
    double start = now(), used = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    sleep_seconds(idle->seconds);
    used = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - used;
    idle->percent = 100 * used / (now() - start);
    if (idle->raw)
        MPI_Send(NULL, 0, MPI_BYTE, byre_rank(), PORT_END, idle->world);
    else
        check_byre("byre_send", byre_send((byre_addr_t){ byre_rank(), PORT_END }, NULL, 0));
    return NULL;
}

static double idle_measure(const struct crew *crew, bool raw, double seconds)
{
    struct idle idle = { crew->world, seconds, raw, 0 };
    pthread_t watch;
    double mean;

    check_mpi("MPI_Barrier", MPI_Barrier(crew->comm));
    if (pthread_create(&watch, NULL, idle_watch, &idle))
        bench_die("pthread_create", "no more threads");
    if (raw)
        MPI_Recv(NULL, 0, MPI_BYTE, crew->rank, PORT_END, crew->world, MPI_STATUS_IGNORE);
    else
        check_byre("byre_recv", byre_recv(PORT_END, crew->rank, NULL, 0, NULL));
    pthread_join(watch, NULL);
    check_mpi("MPI_Allreduce",
              MPI_Allreduce(&idle.percent, &mean, 1, MPI_DOUBLE, MPI_SUM, crew->comm));
    return mean / crew->size;
}

static void run_idle(const struct options *opt)
{
    struct crew crew;
    struct samples samples;
    int reps = options_reps(opt, 3, 1);
    double seconds = opt->quick ? 0.5 : 2;

    crew_open(&crew, true);
    samples_init(&samples, reps);
    for (int i = 0; i < reps; i++) {
        samples.floor[i] = idle_measure(&crew, true, seconds / 4);
        samples.byre[i] = idle_measure(&crew, false, seconds);
    }
    samples.count = reps;
    if (crew.leader) {
        struct row row = { .bench = "service.idle",
                           .variant = "waiting",
                           .unit = "%",
                           .transport = transport_name(-1, -1),
                           .floor_name = "MPI_Recv",
                           .ranks = crew.size,
                           .counts = true,
                           .size = (size_t)crew.size };
        row_fill(&row, &samples, 1, false);
        report_row(&row);
    }
    samples_fini(&samples);
    crew_close(&crew);
}

int subject_service(const struct options *opt)
{
    if (options_variants(opt, "cost,request,idle")) return 2;
    if (list_has(opt->variants, "cost")) run_cost(opt);
    if (list_has(opt->variants, "request") && byre_size() > 1) service_requests(opt);
    if (list_has(opt->variants, "idle")) run_idle(opt);
    return 0;
}
