/* SPDX-License-Identifier: BSD-3-Clause */
/* service, variant request: how long does a request to a computing rank wait?
 *
 * The leader sends requests of 8 bytes after pauses of 1 to 5 ms, long enough for the target's
 * engine to go to sleep. The target computes and never calls Byre.
 *   free   only the target computes: a core is free for its service thread, if the machine has one
 *   full   every rank computes: the others, the leader too, in a second thread
 * Beside it, with the same pauses and the same load, a raw ping-pong whose target waits in MPI_Recv. */
#include "bench.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define BYTES 8
#define BLOCK 20 /* requests until the other side's turn */

enum { ID_ASK, ID_RELEASE };
enum { WHAT_BYRE, WHAT_RAW, WHAT_END };

static _Atomic unsigned releases; /* counted as in am.c */
static unsigned releases_seen;

static void on_ask(const byre_am_t *am, void *arg)
{
    (void)arg;
    check_byre("byre_am_reply", byre_am_reply(am, am->data, am->bytes));
}

static void on_release(const byre_am_t *am, void *arg)
{
    (void)am;
    (void)arg;
    atomic_fetch_add_explicit(&releases, 1, memory_order_release);
}

static void pause_randomly(unsigned *seed)
{
    struct timespec ts = { 0, 1000000 + (long)(rand_r(seed) % 4000000) };
    clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* ---- the target ------------------------------------------------------------------------------ */

static void serve_byre(void)
{
    while (atomic_load_explicit(&releases, memory_order_acquire) == releases_seen) compute(200);
    releases_seen++;
}

static void serve_raw(const struct crew *crew)
{
    char data[BYTES];
    for (int i = 0; i < BLOCK; i++) {
        MPI_Recv(data, BYTES, MPI_BYTE, crew->peer, 1, crew->world, MPI_STATUS_IGNORE);
        MPI_Send(data, BYTES, MPI_BYTE, crew->peer, 1, crew->world);
    }
}

static void serve(const struct crew *crew)
{
    for (;;) {
        int what;
        check_mpi("MPI_Bcast", MPI_Bcast(&what, 1, MPI_INT, 0, crew->comm));
        if (what == WHAT_BYRE)
            serve_byre();
        else if (what == WHAT_RAW)
            serve_raw(crew);
        else
            return;
    }
}

/* ---- the leader ------------------------------------------------------------------------------ */

static void command(const struct crew *crew, int what)
{
    check_mpi("MPI_Bcast", MPI_Bcast(&what, 1, MPI_INT, 0, crew->comm));
}

static void ask_byre(const struct crew *crew, double *seconds, unsigned *seed)
{
    char data[BYTES] = { 0 };

    command(crew, WHAT_BYRE);
    for (int i = 0; i < BLOCK; i++) {
        pause_randomly(seed);
        double start = now();
        check_byre("byre_am_request",
                   byre_am_request(crew->peer, ID_ASK, data, BYTES, data, BYTES, NULL));
        seconds[i] = now() - start;
    }
    check_byre("byre_am_send", byre_am_send(crew->peer, ID_RELEASE, NULL, 0, NULL, 0));
}

static void ask_raw(const struct crew *crew, double *seconds, unsigned *seed)
{
    char data[BYTES] = { 0 };

    command(crew, WHAT_RAW);
    for (int i = 0; i < BLOCK; i++) {
        pause_randomly(seed);
        double start = now();
        MPI_Send(data, BYTES, MPI_BYTE, crew->peer, 1, crew->world);
        MPI_Recv(data, BYTES, MPI_BYTE, crew->peer, 1, crew->world, MPI_STATUS_IGNORE);
        seconds[i] = now() - start;
    }
}

/* Three rows: the tail is what a caller with a deadline asks about. */
static void report(const struct crew *crew, const char *variant, struct samples *samples)
{
    static const char *const names[] = { "service.request", "service.request.p99",
                                         "service.request.max" };
    static const double percents[] = { 50, 99, 100 };
    struct row row = { .variant = variant,
                       .unit = "us",
                       .transport = transport_name(crew->first, crew->last),
                       .floor_name = "MPI_Send/Recv, target waits",
                       .ranks = crew->size,
                       .counts = true,
                       .size = (size_t)crew->size };

    row_fill(&row, samples, 1e6, false);
    for (int i = 0; i < 3; i++) {
        row.bench = names[i];
        row.value = percentile(samples->byre, samples->count, percents[i]);
        row.floor = percentile(samples->floor, samples->count, percents[i]);
        row.ratio = row.value / row.floor;
        row.ratio_p10 = row.ratio_p90 = NAN;
        if (i > 0) row.p10 = row.p90 = NAN;
        report_row(&row);
    }
}

static void lead(const struct options *opt, const struct crew *crew, const char *variant)
{
    struct samples samples;
    int blocks = options_reps(opt, 25, 5);
    unsigned seed = 1;

    samples_init(&samples, (blocks + 1) * BLOCK);
    ask_byre(crew, samples.byre, &seed); /* warm-up: overwritten */
    ask_raw(crew, samples.floor, &seed);
    for (int i = 0; i < blocks; i++) {
        if (i % 2) ask_raw(crew, samples.floor + samples.count, &seed);
        ask_byre(crew, samples.byre + samples.count, &seed);
        if (i % 2 == 0) ask_raw(crew, samples.floor + samples.count, &seed);
        samples.count += BLOCK;
    }
    command(crew, WHAT_END);
    report(crew, variant, &samples);
    samples_fini(&samples);
}

/* ---- both loads ------------------------------------------------------------------------------ */

/* Every process but the target gets one more computing thread; the target computes anyhow. */
static void load(const struct crew *crew, bool on)
{
    if (crew->leader) {
        crew_tell(crew, on ? CREW_HOGS_ON : CREW_HOGS_OFF);
        if (on)
            hogs_start();
        else
            hogs_stop();
    }
}

static void run_load(const struct options *opt, const struct crew *crew, bool full)
{
    if (full) load(crew, true);
    if (crew->leader)
        lead(opt, crew, full ? "full" : "free");
    else
        serve(crew);
    if (full) load(crew, false);
}

static void handlers(bool there)
{
    check_byre("byre_am_register", byre_am_register(ID_ASK, there ? on_ask : NULL, NULL, NULL));
    check_byre("byre_am_register",
               byre_am_register(ID_RELEASE, there ? on_release : NULL, NULL, NULL));
}

void service_requests(const struct options *opt)
{
    struct crew crew;

    handlers(true);
    crew_open(&crew, false);
    check_byre("byre_barrier", byre_barrier());
    if (crew.member) {
        run_load(opt, &crew, false);
        run_load(opt, &crew, true);
        if (crew.leader) crew_tell(&crew, CREW_END);
    } else {
        crew_idle(&crew);
    }
    crew_close(&crew);
    handlers(false);
}
