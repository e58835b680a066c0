/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc: remote procedure calls beside raw messages that carry the same bytes there and back.
 *
 * The server waits, or computes (server.c). A procedure is run on the engine, or by a thread of the pool ("popup").
 * With --peers the same calls go through other systems as well; the floor is still the raw messages. */
#include "bench.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

#define VARIANTS "engine,popup,engine_computing,popup_computing,null,in,out,both,graph,rate"

enum { ID_STOP, MOST_CALLS = 64, MOST_NODES = 1000000 };

struct node {
    int64_t value;
    struct node *next;
};

struct bench_rpc {
    struct pair pair;
    byre_rpc_server_t servers[2];
    byre_rpc_binding_t bindings[2];
    struct server server;
    size_t there, back; /* bytes of the floor's messages */
    uint32_t proc;
    enum peer_wire wire;
    struct node *nodes; /* the leader's list */
    int calls;          /* under way at once */
};

/* ---- the interface, as byre-rpcgen would write it --------------------------------------------- */

struct frame {
    uint64_t bytes;
    void *data;
};

static int64_t frame_bytes(const void *frame)
{
    return (int64_t)((const struct frame *)frame)->bytes;
}

static const byre_rpc_type_t t_u64 = {
    .name = "uint64_t", .kind = BYRE_RPC_INT, .flags = BYRE_RPC_F_FLAT, .align = 8, .size = 8
};
static const byre_rpc_type_t t_byte = {
    .name = "byte", .kind = BYRE_RPC_INT, .flags = BYRE_RPC_F_FLAT, .align = 1, .size = 1
};
static const byre_rpc_type_t t_bytes = { .name = "byte *",
                                         .kind = BYRE_RPC_POINTER,
                                         .flags = BYRE_RPC_F_REF | BYRE_RPC_F_BULK,
                                         .align = 8,
                                         .size = 8,
                                         .element = &t_byte,
                                         .size_is = frame_bytes };
#define BYTES(direction)                                                      \
    {                                                                         \
        { "bytes", &t_u64, offsetof(struct frame, bytes), 0, BYRE_RPC_IN },   \
            { "data", &t_bytes, offsetof(struct frame, data), 0, direction }, \
    }
static const byre_rpc_field_t in_params[] = BYTES(BYRE_RPC_IN);
static const byre_rpc_field_t out_params[] = BYTES(BYRE_RPC_OUT);
static const byre_rpc_field_t both_params[] = BYTES(BYRE_RPC_IN | BYRE_RPC_OUT);

/* A list: one object a node, found by following pointers, restored in place. */
static const byre_rpc_type_t t_i64 = { .name = "int64_t",
                                       .kind = BYRE_RPC_INT,
                                       .flags = BYRE_RPC_F_FLAT | BYRE_RPC_F_SIGNED,
                                       .align = 8,
                                       .size = 8 };
static const byre_rpc_type_t t_node;
static const byre_rpc_type_t t_next = { .name = "node *",
                                        .kind = BYRE_RPC_POINTER,
                                        .flags = BYRE_RPC_F_PTR,
                                        .align = 8,
                                        .size = 8,
                                        .element = &t_node };
static const byre_rpc_field_t node_fields[] = {
    { "value", &t_i64, offsetof(struct node, value), 0, 0 },
    { "next", &t_next, offsetof(struct node, next), 0, 0 },
};
static const byre_rpc_type_t t_node = { .name = "node",
                                        .kind = BYRE_RPC_STRUCT,
                                        .align = 8,
                                        .count = 2,
                                        .size = sizeof(struct node),
                                        .fields = node_fields };
static const byre_rpc_field_t graph_params[] = {
    { "list", &t_next, offsetof(struct frame, data), 0, BYRE_RPC_IN | BYRE_RPC_OUT },
};

static void do_nothing(const void *procs, void *frame)
{
    (void)procs, (void)frame;
}

enum {
    PROC_NULL = PEER_NULL,
    PROC_IN = PEER_IN,
    PROC_OUT = PEER_OUT,
    PROC_BOTH = PEER_BOTH,
    PROC_GRAPH
};
static const byre_rpc_proc_t procs[] = {
    { "null", NULL, 0, BYRE_RPC_P_ASYNC, 1, 0, do_nothing },
    { "in", in_params, 2, 0, sizeof(struct frame), 0, do_nothing },
    { "out", out_params, 2, 0, sizeof(struct frame), 0, do_nothing },
    { "both", both_params, 2, 0, sizeof(struct frame), 0, do_nothing },
    { "graph", graph_params, 1, 0, sizeof(struct frame), 0, do_nothing },
};
static void *client;
static const byre_rpc_interface_t interface = {
    .name = "bench", .major = 1, .procs = procs, .proc_count = COUNT(procs), .client = &client
};

/* ---- calls one after the other ------------------------------------------------------------------- */

static double call_byre(void *arg, int n)
{
    struct bench_rpc *bench = arg;
    struct pair *pair = &bench->pair;

    if (!pair->leader) return server_serve(&bench->server, pair);
    double start = now();
    for (int i = 0; i < n; i++) {
        bool graph = bench->proc == PROC_GRAPH;
        struct frame frame = { pair->bytes, graph ? (void *)bench->nodes : pair->out };
        check_byre("byre_rpc_call", byre_rpc_call(&interface, bench->proc, &frame));
    }
    double seconds = now() - start;
    server_release(&bench->server, pair);
    return seconds;
}

static double call_floor(void *arg, int n)
{
    struct bench_rpc *bench = arg;
    struct pair *pair = &bench->pair;
    int peer = pair->peer, there = (int)bench->there, back = (int)bench->back;
    double start = now();

    for (int i = 0; i < n; i++) {
        if (pair->leader) {
            MPI_Send(pair->out, there, MPI_BYTE, peer, PORT_DATA, pair->comm);
            MPI_Recv(pair->in, back, MPI_BYTE, peer, PORT_ACK, pair->comm, MPI_STATUS_IGNORE);
        } else {
            MPI_Recv(pair->in, there, MPI_BYTE, peer, PORT_DATA, pair->comm, MPI_STATUS_IGNORE);
            MPI_Send(pair->out, back, MPI_BYTE, peer, PORT_ACK, pair->comm);
        }
    }
    return now() - start;
}

static double call_peer(void *arg, int n)
{
    struct bench_rpc *bench = arg;
    double start = now();

    if (!bench->pair.leader) {
        peer_tirpc_serve();
        return 0;
    }
    for (int i = 0; i < n; i++) peer_tirpc_call(bench->wire, (enum peer_proc)bench->proc);
    double seconds = now() - start;
    peer_tirpc_stop(bench->wire);
    return seconds;
}

/* ---- many calls under way -------------------------------------------------------------------------- */

static double rate_byre(void *arg, int n)
{
    struct bench_rpc *bench = arg;
    byre_rpc_future_t futures[MOST_CALLS];
    char frame = 0;

    if (!bench->pair.leader) return server_serve(&bench->server, &bench->pair);
    double start = now();
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < bench->calls; k++)
            check_byre("byre_rpc_begin",
                       byre_rpc_begin(&interface, PROC_NULL, &frame, &futures[k]));
        for (int k = 0; k < bench->calls; k++)
            check_byre("byre_rpc_end", byre_rpc_end(futures[k], &frame));
    }
    double seconds = now() - start;
    server_release(&bench->server, &bench->pair);
    return seconds;
}

static double rate_floor(void *arg, int n)
{
    struct bench_rpc *bench = arg;
    struct pair *pair = &bench->pair;
    MPI_Request requests[2 * MOST_CALLS];
    double start = now();

    for (int i = 0; i < n; i++) {
        for (int k = 0; k < bench->calls; k++) {
            if (pair->leader) {
                MPI_Irecv(NULL, 0, MPI_BYTE, pair->peer, PORT_ACK, pair->comm, &requests[2 * k]);
                MPI_Isend(NULL, 0, MPI_BYTE, pair->peer, PORT_DATA, pair->comm,
                          &requests[2 * k + 1]);
            } else {
                MPI_Recv(NULL, 0, MPI_BYTE, pair->peer, PORT_DATA, pair->comm, MPI_STATUS_IGNORE);
                MPI_Send(NULL, 0, MPI_BYTE, pair->peer, PORT_ACK, pair->comm);
            }
        }
        if (pair->leader) MPI_Waitall(2 * bench->calls, requests, MPI_STATUSES_IGNORE);
    }
    return now() - start;
}

/* ---- the figures ------------------------------------------------------------------------------------ */

static const struct figure {
    const char *bench, *variant;
    uint32_t proc;
    bool popup, computing;
    bool peer;
    enum peer_wire wire;
} figures[] = {
    { "rpc.null", "engine", PROC_NULL, false, false, false, 0 },
    { "rpc.null", "popup", PROC_NULL, true, false, false, 0 },
    { "rpc.null", "engine_computing", PROC_NULL, false, true, false, 0 },
    { "rpc.null", "popup_computing", PROC_NULL, true, true, false, 0 },
    { "rpc.in", "engine", PROC_IN, false, false, false, 0 },
    { "rpc.in", "popup", PROC_IN, true, false, false, 0 },
    { "rpc.out", "engine", PROC_OUT, false, false, false, 0 },
    { "rpc.both", "popup", PROC_BOTH, true, false, false, 0 },
    { "rpc.graph", "engine", PROC_GRAPH, false, false, false, 0 },
};
static const struct figure rates[] = {
    { "rpc.rate", "engine", PROC_NULL, false, false, false, 0 },
    { "rpc.rate", "popup", PROC_NULL, true, false, false, 0 },
};
static const struct figure peers[] = {
    { "rpc.null", "tirpc_tcp", PROC_NULL, false, false, true, PEER_TCP },
    { "rpc.null", "tirpc_unix", PROC_NULL, false, false, true, PEER_UNIX },
    { "rpc.in", "tirpc_tcp", PROC_IN, false, false, true, PEER_TCP },
    { "rpc.in", "tirpc_unix", PROC_IN, false, false, true, PEER_UNIX },
    { "rpc.out", "tirpc_tcp", PROC_OUT, false, false, true, PEER_TCP },
    { "rpc.out", "tirpc_unix", PROC_OUT, false, false, true, PEER_UNIX },
    { "rpc.both", "tirpc_tcp", PROC_BOTH, false, false, true, PEER_TCP },
    { "rpc.both", "tirpc_unix", PROC_BOTH, false, false, true, PEER_UNIX },
};

static void measure(const struct options *opt, const struct crew *crew, struct bench_rpc *bench,
                    const struct figure *figure)
{
    bool rate = bench->calls > 0, graph = figure->proc == PROC_GRAPH;
    batch_fn call = figure->peer ? call_peer : call_byre;
    struct contest contest =
        contest_make(opt, rate ? rate_floor : call_floor, rate ? rate_byre : call, bench);
    struct samples samples;
    struct row row = { .bench = figure->bench,
                       .variant = figure->variant,
                       .transport = transport_name(crew->first, crew->last),
                       .floor_name = rate ? "MPI_Isend and Irecv" : raw_blocking.name,
                       .ranks = crew->size,
                       .counts = rate || graph,
                       .size = rate    ? (size_t)bench->calls
                               : graph ? bench->pair.bytes / sizeof(struct node)
                                       : bench->pair.bytes,
                       .unit = rate ? "call/s" : "us" };

    bench->server.computing = figure->computing;
    bench->proc = figure->proc;
    bench->wire = figure->wire;
    contest.foreign = figure->peer;
    bool both = figure->proc == PROC_BOTH || graph;
    bench->there = figure->proc == PROC_IN || both ? bench->pair.bytes : 0;
    bench->back = figure->proc == PROC_OUT || both ? bench->pair.bytes : 0;
    if (bench->pair.leader && !figure->peer)
        check_byre("byre_rpc_use", byre_rpc_use(&interface, bench->bindings[figure->popup]));
    contest_run(crew, &contest, &samples);
    if (!crew->leader) return;
    row_fill(&row, &samples, rate ? bench->calls : 1e6, rate);
    report_row(&row);
    samples_fini(&samples);
}

static void run_figure(const struct options *opt, const struct crew *crew, struct bench_rpc *bench,
                       const struct figure *figure)
{
    static const size_t all[] = {
        64, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216
    };
    static const size_t quick[] = { 64, 1024, 65536 };
    static const size_t few[] = { 1024, 65536 };
    size_t sizes[SIZES_MAX] = { 0 };
    int count = 1;

    if (figure->proc != PROC_NULL)
        count = figure->peer ? options_sizes(opt, few, COUNT(few), sizes)
                : opt->quick ? options_sizes(opt, quick, COUNT(quick), sizes)
                             : options_sizes(opt, all, COUNT(all), sizes);
    for (int i = 0; i < count; i++) {
        bench->pair.bytes = sizes[i];
        bench->calls = 0;
        measure(opt, crew, bench, figure);
    }
}

static void run_graph(const struct options *opt, const struct crew *crew, struct bench_rpc *bench,
                      const struct figure *figure)
{
    size_t most = opt->quick ? 10000 : MOST_NODES;

    bench->nodes = calloc(most, sizeof *bench->nodes);
    if (!bench->nodes) bench_die("calloc", "no memory for a list");
    for (size_t n = opt->quick ? 100 : 1; n <= most; n *= 100) {
        for (size_t i = 0; i < n; i++)
            bench->nodes[i] = (struct node){ (int64_t)i, i + 1 < n ? &bench->nodes[i + 1] : NULL };
        bench->pair.bytes = n * sizeof *bench->nodes;
        measure(opt, crew, bench, figure);
    }
    free(bench->nodes);
}

static void run_rate(const struct options *opt, const struct crew *crew, struct bench_rpc *bench,
                     const struct figure *figure)
{
    for (bench->calls = 1; bench->calls <= MOST_CALLS; bench->calls *= opt->quick ? 64 : 4)
        measure(opt, crew, bench, figure);
}

/* ---- start and finish ------------------------------------------------------------------------------- */

static const char *const names[] = { "bench engine", "bench popup" };

static void open_rpc(struct bench_rpc *bench, const struct crew *crew)
{
    server_open(&bench->server, ID_STOP);
    check_byre("byre_barrier", byre_barrier());
    for (int i = 0; i < 2 && crew->member; i++) {
        byre_rpc_export_attr_t attr = { .serving = i == 0 ? BYRE_RPC_ENGINE : BYRE_RPC_POPUP };
        byre_rpc_bind_attr_t bind = { .pick = BYRE_RPC_RANK, .rank = crew->peer, .wait_ms = -1 };
        if (!crew->leader)
            check_byre("byre_rpc_export",
                       byre_rpc_export(&interface, procs, names[i], &attr, &bench->servers[i]));
        else
            check_byre("byre_rpc_bind",
                       byre_rpc_bind(&interface, names[i], &bind, &bench->bindings[i]));
    }
}

static void close_rpc(struct bench_rpc *bench)
{
    for (int i = 0; i < 2; i++) {
        check_byre("byre_rpc_unbind", byre_rpc_unbind(bench->bindings[i]));
        if (bench->servers[i])
            check_byre("byre_rpc_unexport", byre_rpc_unexport(bench->servers[i]));
    }
    server_close(&bench->server);
}

static bool wanted(const struct options *opt, const struct figure *figure)
{
    return list_has(opt->variants, figure->variant) ||
           list_has(opt->variants, strchr(figure->bench, '.') + 1);
}

static void run_peers(const struct options *opt, const struct crew *crew, struct bench_rpc *bench)
{
    peer_tirpc_open(&bench->pair);
    for (int i = 0; i < COUNT(peers); i++)
        if (wanted(opt, &peers[i])) run_figure(opt, crew, bench, &peers[i]);
    peer_tirpc_close();
}

/* Whether Byre takes it for several nodes or not. */
static bool one_machine(void)
{
    MPI_Comm here;
    int size;

    check_mpi("MPI_Comm_split_type",
              MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here));
    MPI_Comm_size(here, &size);
    check_mpi("MPI_Comm_free", MPI_Comm_free(&here));
    return size == byre_size();
}

static int check_options(const struct options *opt)
{
    if (byre_size() < 2)
        return options_complain("rpc needs two ranks or more: mpirun -n 2 byre-bench rpc");
    if (opt->peers && !one_machine())
        return options_complain("--peers measures inside one machine: start all ranks on it");
    return options_variants(opt, opt->peers ? VARIANTS ",tirpc_tcp,tirpc_unix" : VARIANTS);
}

int subject_rpc(const struct options *opt)
{
    static struct bench_rpc bench;
    struct crew crew;

    if (check_options(opt)) return 2;
    crew_open(&crew, false);
    if (crew.member) pair_init(&bench.pair, &crew, options_longest(opt, 16777216), opt->window);
    open_rpc(&bench, &crew);
    for (int i = 0; crew.member && i < COUNT(figures); i++)
        if (wanted(opt, &figures[i]))
            (figures[i].proc == PROC_GRAPH ? run_graph : run_figure)(opt, &crew, &bench,
                                                                     &figures[i]);
    for (int i = 0; crew.member && i < COUNT(rates); i++)
        if (wanted(opt, &rates[i])) run_rate(opt, &crew, &bench, &rates[i]);
    if (crew.member && opt->peers) run_peers(opt, &crew, &bench);
    if (crew.leader) crew_tell(&crew, CREW_END);
    if (!crew.member) crew_idle(&crew);
    crew_close(&crew);
    close_rpc(&bench);
    if (crew.member) pair_fini(&bench.pair);
    return 0;
}
