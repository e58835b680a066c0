/* SPDX-License-Identifier: BSD-3-Clause */
/* dsm: what a touch of shared memory costs that is elsewhere. */
#include "dsm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define VARIANTS                                                                      \
    "read_miss,write_miss,upgrade,ping_pong,false_sharing,seq_read,seq_write,random," \
    "barrier,lock,waiting,computing,forwarded,first,fresh,later,sum,fill,"            \
    "default,central,tree,tournament,dissemination,free,contended"
#define ROUND_TRIP "MPI round trip, SIGSEGV, 2 mprotect"
#define TRANSFER "MPI_Send/Irecv of 1 MiB"
#define READ_MISS .byre = dsm_read_miss, .floor = dsm_read_miss_floor, .floor_name = ROUND_TRIP
#define WRITE_MISS .byre = dsm_write_miss, .floor = dsm_write_miss_floor, .floor_name = ROUND_TRIP
#define BARRIER(kind)                                                                            \
    .bench = "dsm.barrier", .byre = dsm_barrier, .floor = dsm_barrier_floor, .over = OVER_RANKS, \
    .floor_name = "MPI_Barrier", .barrier = BYRE_DSM_BARRIER_##kind
#define LOCK_FREE                                                             \
    .bench = "dsm.lock", .byre = dsm_lock_free, .floor = dsm_lock_free_floor, \
    .floor_name = "MPI round trip", .over = OVER_RANKS
#define SEQ(name) .bench = (name), .floor_name = TRANSFER, .over = OVER_BYTES, .rate = true

static const struct dsm_figure figures[] = {
    { .bench = "dsm.read_miss", .variant = "waiting", READ_MISS },
    { .bench = "dsm.read_miss", .variant = "computing", .computing = true, READ_MISS },
    { .bench = "dsm.read_miss", .variant = "forwarded", .third = true, READ_MISS },
    { .bench = "dsm.write_miss", .variant = "waiting", WRITE_MISS },
    { .bench = "dsm.write_miss", .variant = "computing", .computing = true, WRITE_MISS },
    { .bench = "dsm.write_miss", .variant = "forwarded", .third = true, WRITE_MISS },
    { .bench = "dsm.upgrade",
      .variant = "waiting",
      .byre = dsm_upgrade,
      .floor = dsm_upgrade_floor,
      .floor_name = ROUND_TRIP,
      .over = OVER_READERS },
    { .bench = "dsm.ping_pong",
      .variant = "turns",
      .byre = dsm_ping_pong,
      .floor = dsm_ping_pong_floor,
      .floor_name = ROUND_TRIP ", hand-over",
      .over = OVER_UNITS },
    { .bench = "dsm.false_sharing",
      .variant = "halves",
      .byre = dsm_false_sharing,
      .floor = dsm_false_sharing_floor,
      .floor_name = "MPI_Sendrecv of the halves",
      .over = OVER_UNITS },
    { .variant = "first", .byre = dsm_read_first, .floor = dsm_read_floor, SEQ("dsm.seq_read") },
    { .bench = "dsm.seq_read",
      .variant = "fresh",
      .byre = dsm_read_first,
      .floor = dsm_read_fresh_floor,
      .floor_name = TRANSFER ", new memory",
      .over = OVER_BYTES,
      .rate = true },
    { .variant = "later", .byre = dsm_read_later, .floor = dsm_read_floor, SEQ("dsm.seq_read") },
    { .variant = "sum", .byre = dsm_read_sum, .floor = dsm_read_sum_floor, SEQ("dsm.seq_read") },
    { .variant = "first", .byre = dsm_write_first, .floor = dsm_write_floor, SEQ("dsm.seq_write") },
    { .variant = "later", .byre = dsm_write_later, .floor = dsm_write_floor, SEQ("dsm.seq_write") },
    { .variant = "fill",
      .byre = dsm_write_fill,
      .floor = dsm_write_fill_floor,
      SEQ("dsm.seq_write") },
    { .bench = "dsm.random",
      .variant = "read",
      .byre = dsm_random,
      .floor = dsm_random_floor,
      .floor_name = "MPI round trip",
      .over = OVER_BYTES },
    { .variant = "default", BARRIER(DEFAULT) },
    { .variant = "central", BARRIER(CENTRAL) },
    { .variant = "tree", BARRIER(TREE) },
    { .variant = "tournament", BARRIER(TOURNAMENT) },
    { .variant = "dissemination", BARRIER(DISSEMINATION) },
    { .variant = "free", LOCK_FREE },
    { .variant = "computing", .computing = true, LOCK_FREE },
    { .bench = "dsm.lock",
      .variant = "contended",
      .byre = dsm_lock_contended,
      .floor = dsm_lock_contended_floor,
      .floor_name = "MPI message",
      .over = OVER_RANKS },
};

enum { SHARED_PAGES = 64 }; /* of false sharing */

static const char *short_name(const struct dsm_figure *figure)
{
    return strchr(figure->bench, '.') + 1;
}

/* ---- rows ---------------------------------------------------------------------------------------- */

/* Iterations of a random figure are as many reads as there are pages. */
static double per_iteration(const struct dsm *dsm)
{
    const struct dsm_figure *figure = dsm->figure;
    size_t pages = dsm->bytes / dsm->page;
    if (figure->rate) return (double)dsm->bytes / 1e6;
    return figure->over == OVER_BYTES ? 1e6 / (double)pages : 1e6;
}

static bool counts_ranks(const struct dsm_figure *figure)
{
    return figure->over == OVER_READERS || figure->over == OVER_RANKS;
}

/* A barrier takes all ranks, a lock is between two. */
static size_t row_size(const struct dsm *dsm)
{
    switch (dsm->figure->over) {
    case OVER_RANKS:
        return dsm->figure->byre == dsm_barrier ? (size_t)dsm->crew.size : 2;
    case OVER_READERS:
        return (size_t)dsm->readers + 1;
    case OVER_BYTES:
        return dsm->bytes;
    default:
        return dsm->unit;
    }
}

/* What the faults of a figure took, kept until its own rows are out. */
static struct tally {
    struct row row;
    struct dsm_tally tally;
} tallies[SIZES_MAX];
static int tally_count;

static void keep_tally(const struct dsm *dsm, struct row row)
{
    static char variants[COUNT(figures)][48]; /* the report remembers the name */
    char *variant = variants[dsm->figure - figures];

    if (!(dsm->tally.faults > 0)) return;
    snprintf(variant, sizeof variants[0], "%s.%s", short_name(dsm->figure), row.variant);
    row.variant = variant;
    row.floor_name = "none";
    row.floor = row.ratio = row.ratio_p10 = row.ratio_p90 = row.p10 = row.p90 = NAN;
    tallies[tally_count++] = (struct tally){ row, dsm->tally };
}

static void report_tallies(void)
{
    for (int i = 0; i < tally_count; i++) {
        struct row row = tallies[i].row;
        row.bench = "dsm.messages";
        row.unit = "msg/fault";
        row.value = tallies[i].tally.messages / tallies[i].tally.faults;
        report_row(&row);
    }
    for (int i = 0; i < tally_count; i++) {
        struct row row = tallies[i].row;
        row.bench = "dsm.bytes";
        row.unit = "B/fault";
        row.value = tallies[i].tally.bytes / tallies[i].tally.faults;
        report_row(&row);
    }
    tally_count = 0;
}

static void report(const struct dsm *dsm, struct samples *samples)
{
    const struct dsm_figure *figure = dsm->figure;
    struct row row = { .bench = figure->bench,
                       .variant = figure->variant,
                       .unit = figure->rate ? "MB/s" : "us",
                       .transport = transport_name(dsm->crew.first, dsm->crew.last),
                       .floor_name = figure->floor_name,
                       .ranks = dsm->crew.size,
                       .counts = counts_ranks(figure),
                       .size = row_size(dsm) };

    row_fill(&row, samples, per_iteration(dsm), figure->rate);
    report_row(&row);
    keep_tally(dsm, row);
}

/* ---- figures ------------------------------------------------------------------------------------- */

static void measure(const struct options *opt, struct dsm *dsm)
{
    const struct dsm_figure *figure = dsm->figure;
    struct contest contest = contest_make(opt, figure->floor, figure->byre, dsm);
    struct samples samples;

    dsm->tally = (struct dsm_tally){ 0 };
    if (figure->over == OVER_NOTHING || figure->over == OVER_READERS) contest.most = DSM_UNITS;
    contest_run(&dsm->crew, &contest, &samples);
    if (!dsm->crew.leader) return;
    report(dsm, &samples);
    samples_fini(&samples);
}

static void over_nothing(const struct options *opt, struct dsm *dsm)
{
    dsm_make(dsm, DSM_UNITS * dsm->page, 1);
    measure(opt, dsm);
    dsm_drop(dsm);
}

static void over_readers(const struct options *opt, struct dsm *dsm)
{
    dsm_make(dsm, DSM_UNITS * dsm->page, 1);
    for (dsm->readers = 0; dsm->readers <= dsm->crew.size - 2; dsm->readers++) measure(opt, dsm);
    dsm->readers = 0;
    dsm_drop(dsm);
}

static void over_units(const struct options *opt, struct dsm *dsm)
{
    for (unsigned pages = 1; pages <= DSM_UNIT_PAGES; pages *= 2) {
        dsm_make(dsm, SHARED_PAGES * dsm->page, pages);
        measure(opt, dsm);
        dsm_drop(dsm);
    }
}

static const size_t own_sizes[] = { 32 << 20 }, quick_sizes[] = { 4 << 20 };

static void over_bytes(const struct options *opt, struct dsm *dsm)
{
    size_t sizes[SIZES_MAX];
    int count = options_sizes(opt, opt->quick ? quick_sizes : own_sizes, 1, sizes);

    for (int i = 0; i < count; i++) {
        size_t pages = (sizes[i] + dsm->page - 1) / dsm->page;
        dsm_make(dsm, (pages ? pages : 1) * dsm->page, 1);
        measure(opt, dsm);
        dsm_drop(dsm);
    }
}

static void run_figure(const struct options *opt, struct dsm *dsm, const struct dsm_figure *figure)
{
    static void (*const runs[])(const struct options *, struct dsm *) = {
        [OVER_NOTHING] = over_nothing, [OVER_READERS] = over_readers, [OVER_UNITS] = over_units,
        [OVER_BYTES] = over_bytes,     [OVER_RANKS] = measure,
    };

    dsm->figure = figure;
    dsm->home = figure->third ? dsm->crew.first + 1 : dsm->crew.last;
    runs[figure->over](opt, dsm);
    report_tallies();
}

static bool wanted(const struct options *opt, const struct dsm *dsm,
                   const struct dsm_figure *figure)
{
    if (figure->third && dsm->crew.size < 3) return false;
    return list_has(opt->variants, figure->variant) || list_has(opt->variants, short_name(figure));
}

int subject_dsm(const struct options *opt)
{
    static struct dsm dsm;

    if (byre_size() < 2)
        return options_complain("dsm needs two ranks or more: mpirun -n 2 byre-bench dsm");
    if (options_variants(opt, VARIANTS)) return 2;
    dsm_open(&dsm, options_longest(opt, own_sizes[0]));
    for (int i = 0; dsm.crew.member && i < COUNT(figures); i++)
        if (wanted(opt, &dsm, &figures[i])) run_figure(opt, &dsm, &figures[i]);
    if (!dsm.crew.member) dsm_idle(&dsm);
    dsm_close(&dsm);
    return 0;
}
