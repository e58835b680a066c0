/* SPDX-License-Identifier: BSD-3-Clause */
/* p2p: latency, bandwidth, message rate and the ring, each variant beside raw Open MPI. The methods
 * are those of the OSU micro-benchmarks: latency is half a round trip; bandwidth and rate send a
 * window of messages and wait for one answer. */
#include "bench.h"

#include <stdint.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* A variant of Byre, what it is compared with, and where it makes sense. Copy-on-write works on
 * pages: below one it is not offered. 64 copies of the longest messages would measure memory. */
static const struct variant {
    const char *name;
    const struct flavour *byre, *raw;
    unsigned modes;
    size_t least, most_in_window;
} variants[] = {
    { "blocking", &byre_blocking, &raw_blocking, MODE_LATENCY | MODE_BANDWIDTH | MODE_RATE, 0,
      SIZE_MAX },
    { "sync", &byre_sync, &raw_sync, MODE_LATENCY, 0, SIZE_MAX },
    { "isend", &byre_nonblocking, &raw_isend, MODE_LATENCY | MODE_BANDWIDTH | MODE_RATE, 0,
      SIZE_MAX },
    { "callback", &byre_callback, &raw_isend, MODE_LATENCY | MODE_BANDWIDTH | MODE_RATE, 0,
      SIZE_MAX },
    { "eventfd", &byre_eventfd, &raw_isend, MODE_LATENCY | MODE_BANDWIDTH | MODE_RATE, 0,
      SIZE_MAX },
    { "signal", &byre_signal, &raw_isend, MODE_LATENCY, 0, SIZE_MAX },
    { "copy", &byre_copy, &raw_blocking, MODE_LATENCY | MODE_BANDWIDTH | MODE_RATE, 0, 1 << 20 },
    { "cow", &byre_cow, &raw_isend, MODE_LATENCY | MODE_BANDWIDTH, 4096, SIZE_MAX },
    { "cow_write", &byre_cow_write, &raw_isend, MODE_LATENCY, 4096, SIZE_MAX },
    { "irecv", &byre_posted, &raw_irecv, MODE_LATENCY | MODE_RATE, 0, SIZE_MAX },
    { "get_message", &byre_taken, &raw_probe, MODE_LATENCY | MODE_RATE, 0, SIZE_MAX },
};

static const size_t all_sizes[] = {
    0,    1,    2,    4,     8,     16,    32,     64,     128,    256,     512,     1024,
    2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304
};
static const size_t quick_sizes[] = { 8, 4096, 1048576 };
static const size_t quick_rate_sizes[] = { 8, 1024 };
#define RATE_LONGEST 4096

/* ---- one figure ------------------------------------------------------------------------------ */

struct duel {
    struct pair *pair;
    const struct variant *variant;
    bool window;
};

static double duel_run(struct duel *duel, const struct flavour *flavour, int n)
{
    return duel->window ? pair_stream(duel->pair, flavour, n)
                        : pair_pingpong(duel->pair, flavour, n);
}

static double duel_floor(void *arg, int n)
{
    struct duel *duel = arg;
    return duel_run(duel, duel->variant->raw, n);
}

static double duel_byre(void *arg, int n)
{
    struct duel *duel = arg;
    return duel_run(duel, duel->variant->byre, n);
}

/* Seconds per iteration become what the mode is about. */
static void report_mode(struct row *row, struct samples *samples, enum mode mode,
                        const struct pair *pair)
{
    double window = pair->window;

    row->bench = mode == MODE_LATENCY     ? "p2p.latency"
                 : mode == MODE_BANDWIDTH ? "p2p.bandwidth"
                                          : "p2p.rate";
    row->unit = mode == MODE_LATENCY ? "us" : mode == MODE_BANDWIDTH ? "MB/s" : "msg/s";
    if (mode == MODE_LATENCY)
        row_fill(row, samples, 1e6 / 2, false);
    else if (mode == MODE_BANDWIDTH)
        row_fill(row, samples, window * (double)pair->bytes / 1e6, true);
    else
        row_fill(row, samples, window, true);
    report_row(row);
}

static void measure(const struct options *opt, const struct crew *crew, struct pair *pair,
                    const struct variant *variant, enum mode mode)
{
    struct duel duel = { pair, variant, mode != MODE_LATENCY };
    struct contest contest = contest_make(opt, duel_floor, duel_byre, &duel);
    struct samples samples;

    contest_run(crew, &contest, &samples);
    if (!crew->leader) return;
    struct row row = { .variant = variant->name,
                       .transport = transport_name(crew->first, crew->last),
                       .floor_name = variant->raw->name,
                       .ranks = crew->size,
                       .size = pair->bytes };
    report_mode(&row, &samples, mode, pair);
    samples_fini(&samples);
}

/* ---- all figures ----------------------------------------------------------------------------- */

static int mode_sizes(const struct options *opt, enum mode mode, size_t *sizes)
{
    if (opt->quick && mode == MODE_RATE)
        return options_sizes(opt, quick_rate_sizes, COUNT(quick_rate_sizes), sizes);
    if (opt->quick) return options_sizes(opt, quick_sizes, COUNT(quick_sizes), sizes);
    return options_sizes(opt, all_sizes, COUNT(all_sizes), sizes);
}

static bool fits(const struct options *opt, const struct variant *variant, enum mode mode,
                 size_t bytes)
{
    if (!(variant->modes & mode) || !list_has(opt->variants, variant->name)) return false;
    if (mode == MODE_BANDWIDTH && (bytes == 0 || bytes > variant->most_in_window)) return false;
    /* A rate of long messages is a bandwidth; the user's own sizes are obeyed. */
    if (mode == MODE_RATE && opt->size_count == 0 && bytes > RATE_LONGEST) return false;
    return bytes >= variant->least;
}

static void run_mode(const struct options *opt, const struct crew *crew, struct pair *pair,
                     enum mode mode)
{
    size_t sizes[SIZES_MAX];
    int count = mode_sizes(opt, mode, sizes);

    for (int v = 0; v < COUNT(variants); v++)
        for (int i = 0; i < count; i++)
            if (fits(opt, &variants[v], mode, sizes[i])) {
                pair->bytes = sizes[i];
                measure(opt, crew, pair, &variants[v], mode);
            }
}

static void run_pairs(const struct options *opt, unsigned modes)
{
    struct crew crew;
    struct pair pair;

    crew_open(&crew, false);
    if (crew.member) {
        pair_init(&pair, &crew, options_longest(opt, all_sizes[COUNT(all_sizes) - 1]), opt->window);
        for (unsigned mode = MODE_LATENCY; mode <= MODE_RATE; mode <<= 1)
            if (modes & mode) run_mode(opt, &crew, &pair, mode);
        pair_fini(&pair);
        if (crew.leader) crew_tell(&crew, CREW_END);
    } else {
        crew_idle(&crew);
    }
    crew_close(&crew);
}

int subject_p2p(const struct options *opt)
{
    static const char known[] =
        "blocking,sync,isend,callback,eventfd,signal,copy,cow,cow_write,irecv,"
        "get_message";
    unsigned modes = opt->modes ? opt->modes : MODE_LATENCY | MODE_BANDWIDTH | MODE_RATE;

    if (byre_size() < 2)
        return options_complain("%s needs two ranks or more: mpirun -n 2 byre-bench %s",
                                opt->subject, opt->subject);
    if (options_variants(opt, known)) return 2;
    if (modes & (MODE_LATENCY | MODE_BANDWIDTH | MODE_RATE)) run_pairs(opt, modes);
    if (modes & MODE_RING) p2p_ring(opt);
    return 0;
}
