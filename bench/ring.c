/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring: one token; every rank receives it and sends it on. With more ranks than cores it shows
 * how waiting ranks give way to the one that has the token. */
#include "bench.h"

#include <stdlib.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

struct ring {
    const struct crew *crew;
    char *token;
    size_t bytes;
};

static double ring_floor(void *arg, int n)
{
    struct ring *ring = arg;
    const struct crew *crew = ring->crew;
    int next = (crew->rank + 1) % crew->size, before = (crew->rank + crew->size - 1) % crew->size;
    int bytes = (int)ring->bytes;
    double start = now();

    for (int i = 0; i < n; i++) {
        if (crew->leader) MPI_Send(ring->token, bytes, MPI_BYTE, next, 1, crew->world);
        MPI_Recv(ring->token, bytes, MPI_BYTE, before, 1, crew->world, MPI_STATUS_IGNORE);
        if (!crew->leader) MPI_Send(ring->token, bytes, MPI_BYTE, next, 1, crew->world);
    }
    return now() - start;
}

static double ring_byre(void *arg, int n)
{
    struct ring *ring = arg;
    const struct crew *crew = ring->crew;
    byre_addr_t next = { (crew->rank + 1) % crew->size, PORT_DATA };
    int before = (crew->rank + crew->size - 1) % crew->size;
    double start = now();

    for (int i = 0; i < n; i++) {
        if (crew->leader) check_byre("byre_send", byre_send(next, ring->token, ring->bytes));
        check_byre("byre_recv", byre_recv(PORT_DATA, before, ring->token, ring->bytes, NULL));
        if (!crew->leader) check_byre("byre_send", byre_send(next, ring->token, ring->bytes));
    }
    return now() - start;
}

static void ring_measure(const struct options *opt, struct ring *ring)
{
    const struct crew *crew = ring->crew;
    struct contest contest = contest_make(opt, ring_floor, ring_byre, ring);
    struct samples samples;

    contest_run(crew, &contest, &samples);
    if (!crew->leader) return;
    struct row row = { .bench = "p2p.ring",
                       .variant = "blocking",
                       .unit = "us",
                       .transport = transport_name(-1, -1),
                       .floor_name = raw_blocking.name,
                       .ranks = crew->size,
                       .size = ring->bytes };
    row_fill(&row, &samples, 1e6 / crew->size, false);
    report_row(&row);
    samples_fini(&samples);
}

void p2p_ring(const struct options *opt)
{
    static const size_t own[] = { 8, 1024, 65536 };
    size_t sizes[SIZES_MAX];
    struct crew crew;
    struct ring ring = { .crew = &crew };
    int count = options_sizes(opt, own, opt->quick ? 1 : COUNT(own), sizes);
    size_t longest = options_longest(opt, 65536);

    crew_open(&crew, true);
    ring.token = calloc(1, longest + 1);
    if (!ring.token) bench_die("buffers", "out of memory");
    for (int i = 0; i < count; i++) {
        ring.bytes = sizes[i];
        ring_measure(opt, &ring);
    }
    free(ring.token);
    crew_close(&crew);
}
