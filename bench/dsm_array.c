/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared array, and the ranks around it. A rank that does not take part learns from the leader's
 * orders what all must do together. */
#include "dsm.h"
#include "service.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ID_STOP, ID_STATS };
enum { PORT_READY = PORT_CREW + 1, PORT_DONE };

enum what {
    ORDER_END,
    ORDER_MAKE,
    ORDER_DROP,
    ORDER_READ,
    ORDER_RAW,
    ORDER_BARRIERS,
    ORDER_RAW_BARRIERS
};

struct order {
    enum what what;
    int home, count;
    byre_dsm_barrier_kind_t barrier;
    unsigned unit_pages;
    size_t bytes;
};

/* The computing owner's way out: counted, because it may be told twice before it looks. */
static _Atomic unsigned stops;

static void on_stop(const byre_am_t *am, void *arg)
{
    (void)am;
    (void)arg;
    atomic_fetch_add_explicit(&stops, 1, memory_order_release);
}

static void on_stats(const byre_am_t *am, void *arg)
{
    void *region;
    byre_dsm_stats_t stats;
    (void)arg;
    memcpy(&region, am->data, sizeof region);
    check_byre("byre_dsm_stats", byre_dsm_stats(region, &stats));
    check_byre("byre_am_reply", byre_am_reply(am, &stats, sizeof stats));
}

/* ---- all ranks ------------------------------------------------------------------------------- */

void dsm_open(struct dsm *dsm, size_t longest)
{
    crew_open(&dsm->crew, false);
    dsm->page = (size_t)sysconf(_SC_PAGESIZE);
    dsm->seed = 1;
    size_t most = longest / dsm->page + 1;
    dsm->order = calloc(most > DSM_UNITS ? most : DSM_UNITS, sizeof *dsm->order);
    if (!dsm->order) bench_die("buffers", "out of memory");
    floor_open(dsm);
    check_byre("byre_am_register", byre_am_register(ID_STOP, on_stop, NULL, NULL));
    check_byre("byre_am_register", byre_am_register(ID_STATS, on_stats, NULL, NULL));
    check_byre("byre_barrier", byre_barrier());
}

static void send_order(int from, int to, struct order order)
{
    for (int rank = from; rank < to; rank++)
        check_byre("byre_send", byre_send((byre_addr_t){ rank, PORT_CREW }, &order, sizeof order));
}

/* The ranks between first and last are those that do not take part. */
static void order_idle(const struct dsm *dsm, struct order what)
{
    if (dsm->crew.leader) send_order(dsm->crew.first + 1, dsm->crew.last, what);
}

void dsm_close(struct dsm *dsm)
{
    if (dsm->crew.member) order_idle(dsm, (struct order){ .what = ORDER_END });
    crew_close(&dsm->crew);
    check_byre("byre_am_register", byre_am_register(ID_STOP, NULL, NULL, NULL));
    check_byre("byre_am_register", byre_am_register(ID_STATS, NULL, NULL, NULL));
    floor_close();
    free(dsm->order);
}

static void make(struct dsm *dsm, const struct order *order)
{
    byre_dsm_attr_t attr = { .home = BYRE_DSM_HOME_RANK,
                             .home_rank = order->home,
                             .unit_pages = order->unit_pages,
                             .name = "byre-bench" };
    void *base;
    check_byre("byre_dsm_alloc", byre_dsm_alloc(order->bytes, &attr, &base));
    dsm->base = base;
    dsm->bytes = order->bytes;
    dsm->unit = order->unit_pages * dsm->page;
}

static void drop(struct dsm *dsm)
{
    check_byre("byre_dsm_free", byre_dsm_free(dsm->base));
    dsm->base = NULL;
}

void dsm_make(struct dsm *dsm, size_t bytes, unsigned unit_pages)
{
    struct order order = {
        .what = ORDER_MAKE, .home = dsm->home, .bytes = bytes, .unit_pages = unit_pages
    };
    order_idle(dsm, order);
    make(dsm, &order);
}

void dsm_drop(struct dsm *dsm)
{
    order_idle(dsm, (struct order){ .what = ORDER_DROP });
    drop(dsm);
}

/* ---- the ranks that do not take part ----------------------------------------------------------- */

static void signal_to(int rank, int port)
{
    check_byre("byre_send", byre_send((byre_addr_t){ rank, port }, NULL, 0));
}

static void wait_for(int rank, int port)
{
    check_byre("byre_recv", byre_recv(port, rank, NULL, 0, NULL));
}

/* A pin fetches what is missing in runs, which is faster than faults one by one. */
static void get_copies(const struct dsm *dsm)
{
    check_byre("byre_dsm_pin", byre_dsm_pin(dsm->base, dsm->bytes, 0));
    check_byre("byre_dsm_unpin", byre_dsm_unpin(dsm->base, dsm->bytes));
}

/* The service thread is parked as on the members. */
static void obey_raw(const struct dsm *dsm, const struct order *order)
{
    byre__service_pause(1);
    if (order->what == ORDER_RAW)
        floor_reader(dsm, order->count);
    else
        (void)dsm_raw_barriers(dsm, order->count);
    byre__service_pause(0);
}

static void obey(struct dsm *dsm, const struct order *order)
{
    switch (order->what) {
    case ORDER_MAKE:
        make(dsm, order);
        break;
    case ORDER_DROP:
        drop(dsm);
        break;
    case ORDER_READ:
        get_copies(dsm);
        signal_to(dsm->crew.first, PORT_READY);
        break;
    case ORDER_BARRIERS:
        (void)dsm_barriers(order->barrier, order->count);
        break;
    case ORDER_RAW:
    case ORDER_RAW_BARRIERS:
        obey_raw(dsm, order);
        break;
    case ORDER_END:
        break;
    }
}

void dsm_idle(struct dsm *dsm)
{
    struct order order;
    do {
        check_byre("byre_recv", byre_recv(PORT_CREW, dsm->crew.first, &order, sizeof order, NULL));
        obey(dsm, &order);
    } while (order.what != ORDER_END);
}

void dsm_order_raw(const struct dsm *dsm, int n)
{
    send_order(dsm->crew.first + 1, dsm->crew.first + 1 + dsm->readers,
               (struct order){ .what = ORDER_RAW, .count = n });
}

void dsm_order_barriers(const struct dsm *dsm, bool raw, int n)
{
    order_idle(dsm, (struct order){ .what = raw ? ORDER_RAW_BARRIERS : ORDER_BARRIERS,
                                    .count = n,
                                    .barrier = dsm->figure->barrier });
}

/* ---- the array's state ------------------------------------------------------------------------- */

/* Would a fault there, after those in `recent`, be the fourth at equal distances? Then it would begin a
 * stream (dsm/stream.c), and units come that nobody asked for. */
static bool makes_stride(const size_t *recent, int count, size_t unit)
{
    for (int i = 0; i < count; i++) {
        size_t step = unit - recent[i];
        bool second = false, third = false;
        for (int k = 0; k < count; k++) {
            second = second || recent[k] == recent[i] - step;
            third = third || recent[k] == recent[i] - 2 * step;
        }
        if (step != 0 && second && third) return true;
    }
    return false;
}

/* Units in random order, in which no stride can be seen, nor one that goes on from the choice before. */
void dsm_choose(struct dsm *dsm, int count)
{
    static size_t recent[32]; /* more than a thread remembers */
    static int seen;

    for (size_t i = 0; i < DSM_UNITS; i++) dsm->order[i] = i;
    for (size_t i = 0; i < (size_t)count; i++) {
        size_t j, unit;
        int tries = 0;
        do {
            j = i + (size_t)rand_r(&dsm->seed) % (DSM_UNITS - i);
            unit = dsm->order[j];
        } while (makes_stride(recent, seen < 32 ? seen : 32, unit) && ++tries < 1000);
        recent[seen++ % 32] = unit;
        dsm->order[j] = dsm->order[i];
        dsm->order[i] = unit;
    }
}

static void write_chosen(const struct dsm *dsm, int count)
{
    for (int i = 0; i < count; i++) *dsm_word(dsm, dsm->order[i]) = dsm->stamp;
}

static void write_all(const struct dsm *dsm)
{
    check_byre("byre_dsm_pin", byre_dsm_pin(dsm->base, dsm->bytes, 1));
    for (size_t at = 0; at < dsm->bytes; at += dsm->page)
        *(volatile uint64_t *)(dsm->base + at) = dsm->stamp;
    check_byre("byre_dsm_unpin", byre_dsm_unpin(dsm->base, dsm->bytes));
}

static void write_some(const struct dsm *dsm, int count)
{
    if (count)
        write_chosen(dsm, count);
    else
        write_all(dsm);
    signal_to(dsm->crew.first, PORT_READY);
}

static void spread_copies(const struct dsm *dsm)
{
    int end = dsm->crew.first + 1 + dsm->readers;

    send_order(dsm->crew.first + 1, end, (struct order){ .what = ORDER_READ });
    for (int rank = dsm->crew.first + 1; rank < end; rank++) wait_for(rank, PORT_READY);
    if (dsm->copies) get_copies(dsm);
}

void dsm_prepare(struct dsm *dsm, int count)
{
    dsm->stamp++;
    if (!dsm->crew.leader) {
        write_some(dsm, count);
        return;
    }
    wait_for(dsm->crew.last, PORT_READY);
    spread_copies(dsm);
}

/* ---- the owner while the clock runs ------------------------------------------------------------ */

double dsm_stand_by(struct dsm *dsm)
{
    if (!dsm->figure->computing) {
        wait_for(dsm->crew.first, PORT_DONE);
        return 0;
    }
    while (atomic_load_explicit(&stops, memory_order_acquire) == dsm->stops_seen) compute(200);
    dsm->stops_seen++;
    return 0;
}

void dsm_release(struct dsm *dsm)
{
    if (dsm->figure->computing)
        check_byre("byre_am_send", byre_am_send(dsm->crew.last, ID_STOP, NULL, 0, NULL, 0));
    else
        signal_to(dsm->crew.last, PORT_DONE);
}

/* ---- what coherence takes ---------------------------------------------------------------------- */

/* Messages of a pair arrive in order: what a rank has sent before the request is counted. */
static struct dsm_tally count(const struct dsm *dsm)
{
    struct dsm_tally tally = { 0 };
    for (int rank = 0; rank < dsm->crew.size; rank++) {
        byre_dsm_stats_t stats;
        check_byre("byre_am_request", byre_am_request(rank, ID_STATS, &dsm->base, sizeof dsm->base,
                                                      &stats, sizeof stats, NULL));
        tally.faults +=
            (double)(stats.read_faults + stats.write_faults + stats.upgrades + stats.other_faults);
        tally.messages += (double)stats.messages_out;
        tally.bytes += (double)stats.bytes_out;
    }
    return tally;
}

void dsm_count_begin(struct dsm *dsm)
{
    dsm->before = count(dsm);
}

void dsm_count_end(struct dsm *dsm)
{
    struct dsm_tally after = count(dsm);
    dsm->tally.faults += after.faults - dsm->before.faults;
    dsm->tally.messages += after.messages - dsm->before.messages;
    dsm->tally.bytes += after.bytes - dsm->before.bytes;
}
