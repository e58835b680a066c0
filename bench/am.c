/* SPDX-License-Identifier: BSD-3-Clause */
/* am: active messages beside raw messages of the same bytes.
 *
 * The target waits, or computes (server.c). */
#include "bench.h"

#include <stdatomic.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

enum { ID_ECHO, ID_COUNT, ID_BULK, ID_STOP };

struct bench_am {
    struct pair pair;
    struct server server;
    bool bulk;
    _Atomic uint64_t counted; /* messages that the handlers have seen */
};

static void on_echo(const byre_am_t *am, void *arg)
{
    (void)arg;
    check_byre("byre_am_reply", byre_am_reply(am, am->data, am->bytes));
}

/* Also answers: a request here is the end of a stream, and FIFO order says that all before it has
 * been handled. */
static void on_count(const byre_am_t *am, void *arg)
{
    struct bench_am *bench = arg;
    atomic_fetch_add_explicit(&bench->counted, 1, memory_order_relaxed);
    if (am->call) check_byre("byre_am_reply", byre_am_reply(am, NULL, 0));
}

static void *place_bulk(const byre_am_t *am, void *arg)
{
    (void)am;
    return ((struct bench_am *)arg)->pair.in;
}

/* ---- round trip ------------------------------------------------------------------------------ */

static double roundtrip_byre(void *arg, int n)
{
    struct bench_am *bench = arg;
    struct pair *pair = &bench->pair;

    if (!pair->leader) return server_serve(&bench->server, pair);
    double start = now();
    for (int i = 0; i < n; i++)
        check_byre("byre_am_request", byre_am_request(pair->peer, ID_ECHO, pair->out, pair->bytes,
                                                      pair->in, pair->bytes, NULL));
    double seconds = now() - start;
    server_release(&bench->server, pair);
    return seconds;
}

static double roundtrip_floor(void *arg, int n)
{
    return pair_pingpong(&((struct bench_am *)arg)->pair, &raw_blocking, n);
}

/* ---- one way --------------------------------------------------------------------------------- */

static double stream_byre(void *arg, int n)
{
    struct bench_am *bench = arg;
    struct pair *pair = &bench->pair;
    size_t inline_bytes = bench->bulk ? 0 : pair->bytes;

    if (!pair->leader) return server_serve(&bench->server, pair);
    double start = now();
    for (int i = 0; i < n * pair->window; i++)
        check_byre("byre_am_send",
                   byre_am_send(pair->peer, bench->bulk ? ID_BULK : ID_COUNT, pair->out,
                                inline_bytes, bench->bulk ? pair->out : NULL,
                                bench->bulk ? pair->bytes : 0));
    check_byre("byre_am_request", byre_am_request(pair->peer, ID_COUNT, NULL, 0, NULL, 0, NULL));
    double seconds = now() - start;
    server_release(&bench->server, pair);
    return seconds;
}

/* n windows of blocking messages and one answer: what a program without active messages does. */
static double stream_floor(void *arg, int n)
{
    struct pair *pair = &((struct bench_am *)arg)->pair;
    double start = now();

    if (pair->leader) {
        raw_blocking.send(pair, n * pair->window);
        MPI_Recv(NULL, 0, MPI_BYTE, pair->peer, PORT_ACK, pair->comm, MPI_STATUS_IGNORE);
    } else {
        raw_blocking.recv(pair, n * pair->window);
        MPI_Send(NULL, 0, MPI_BYTE, pair->peer, PORT_ACK, pair->comm);
    }
    return now() - start;
}

/* ---- the figures ----------------------------------------------------------------------------- */

enum kind { ROUNDTRIP, RATE, BANDWIDTH };

static const struct figure {
    const char *bench, *variant;
    enum kind kind;
    bool computing;
} figures[] = {
    { "am.roundtrip", "waiting", ROUNDTRIP, false },
    { "am.roundtrip", "computing", ROUNDTRIP, true },
    { "am.rate", "waiting", RATE, false },
    { "am.bandwidth", "waiting", BANDWIDTH, false },
};

static void report_figure(const struct crew *crew, const struct figure *figure,
                          struct bench_am *bench, struct samples *samples)
{
    struct pair *pair = &bench->pair;
    struct row row = { .bench = figure->bench,
                       .variant = figure->variant,
                       .transport = transport_name(crew->first, crew->last),
                       .floor_name = raw_blocking.name,
                       .ranks = crew->size,
                       .size = pair->bytes };

    row.unit = figure->kind == ROUNDTRIP ? "us" : figure->kind == RATE ? "msg/s" : "MB/s";
    if (figure->kind == ROUNDTRIP)
        row_fill(&row, samples, 1e6, false);
    else if (figure->kind == RATE)
        row_fill(&row, samples, pair->window, true);
    else
        row_fill(&row, samples, pair->window * (double)pair->bytes / 1e6, true);
    report_row(&row);
}

static void measure(const struct options *opt, const struct crew *crew, struct bench_am *bench,
                    const struct figure *figure)
{
    bool roundtrip = figure->kind == ROUNDTRIP;
    struct contest contest = contest_make(opt, roundtrip ? roundtrip_floor : stream_floor,
                                          roundtrip ? roundtrip_byre : stream_byre, bench);
    struct samples samples;

    bench->server.computing = figure->computing;
    bench->bulk = figure->kind == BANDWIDTH;
    contest_run(crew, &contest, &samples);
    if (crew->leader) {
        report_figure(crew, figure, bench, &samples);
        samples_fini(&samples);
    }
}

static int figure_sizes(const struct options *opt, enum kind kind, size_t *sizes)
{
    static const size_t small[] = { 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096 };
    static const size_t small_quick[] = { 8, 1024 };
    static const size_t bulk[] = { 4096, 16384, 65536, 262144, 1048576, 4194304 };
    static const size_t bulk_quick[] = { 65536, 1048576 };

    if (kind == BANDWIDTH)
        return opt->quick ? options_sizes(opt, bulk_quick, COUNT(bulk_quick), sizes)
                          : options_sizes(opt, bulk, COUNT(bulk), sizes);
    return opt->quick ? options_sizes(opt, small_quick, COUNT(small_quick), sizes)
                      : options_sizes(opt, small, COUNT(small), sizes);
}

static void run_figure(const struct options *opt, const struct crew *crew, struct bench_am *bench,
                       const struct figure *figure)
{
    size_t sizes[SIZES_MAX];
    int count = figure_sizes(opt, figure->kind, sizes);

    for (int i = 0; i < count; i++) {
        if (figure->kind != BANDWIDTH && sizes[i] > BYRE_AM_INLINE) continue;
        if (figure->kind == BANDWIDTH && sizes[i] == 0) continue;
        bench->pair.bytes = sizes[i];
        /* Long messages need no deep window to fill the wire. */
        bench->pair.window = sizes[i] > 65536 ? 8 : opt->window;
        measure(opt, crew, bench, figure);
    }
}

static void handlers_register(struct bench_am *bench)
{
    check_byre("byre_am_register", byre_am_register(ID_ECHO, on_echo, NULL, bench));
    check_byre("byre_am_register", byre_am_register(ID_COUNT, on_count, NULL, bench));
    check_byre("byre_am_register", byre_am_register(ID_BULK, on_count, place_bulk, bench));
    server_open(&bench->server, ID_STOP);
    check_byre("byre_barrier", byre_barrier());
}

static void handlers_remove(struct bench_am *bench)
{
    for (int id = ID_ECHO; id < ID_STOP; id++)
        check_byre("byre_am_register", byre_am_register(id, NULL, NULL, NULL));
    server_close(&bench->server);
}

static bool wanted(const struct options *opt, const struct figure *figure)
{
    return list_has(opt->variants, figure->variant) ||
           list_has(opt->variants, strchr(figure->bench, '.') + 1);
}

int subject_am(const struct options *opt)
{
    static struct bench_am bench;
    struct crew crew;

    if (byre_size() < 2)
        return options_complain("am needs two ranks or more: mpirun -n 2 byre-bench am");
    if (options_variants(opt, "waiting,computing,roundtrip,rate,bandwidth")) return 2;
    crew_open(&crew, false);
    if (crew.member) pair_init(&bench.pair, &crew, options_longest(opt, 4194304), opt->window);
    handlers_register(&bench);
    for (int i = 0; crew.member && i < COUNT(figures); i++)
        if (wanted(opt, &figures[i])) run_figure(opt, &crew, &bench, &figures[i]);
    if (crew.leader) crew_tell(&crew, CREW_END);
    if (!crew.member) crew_idle(&crew);
    crew_close(&crew);
    handlers_remove(&bench);
    if (crew.member) pair_fini(&bench.pair);
    return 0;
}
