/* SPDX-License-Identifier: BSD-3-Clause */
/* Bulk payloads: straight into the place that the receiver names, into memory that is freed, or refused;
 * in order with messages that have none; those that come along and those that follow, at and around the
 * limits between them, also behind one that is under way; a page costs one message of MPI. */
#include "testing.h"

#include "am_core.h"
#include "lane.h"
#include "transport.h"

enum { PLACED = 1, FREED, MAYBE, LIMITS, KEPT, EACH = 40 };

struct head {
    int number;
    int padding;
    uint64_t bytes;
};

static char **places; /* [ranks], 1 MiB each */
static int *next_of;
static _Atomic int placed, freed, refused, taken;

static size_t length_of(int number)
{
    static const size_t sizes[] = { 1, 100, 4096, 5000, 70000, 1024 * 1024, 0 };
    return sizes[(size_t)number % LENGTH(sizes)];
}

static uint64_t seed_of(int source, int to, int number)
{
    return mix3((uint64_t)source, (uint64_t)to, (uint64_t)number);
}

static void check_head(const byre_am_t *am)
{
    struct head head;
    EQUAL(sizeof head, am->bytes);
    memcpy(&head, am->data, sizeof head);
    EQUAL(head.bytes, am->bulk_bytes);
}

static void *place(const byre_am_t *am, void *arg)
{
    CHECK(arg == &placed);
    check_head(am);
    CHECK(am->bulk == NULL);
    return places[am->source];
}

static void in_place(const byre_am_t *am, void *arg)
{
    struct head head;
    CHECK(arg == &placed);
    check_head(am);
    memcpy(&head, am->data, sizeof head);
    EQUAL(next_of[am->source], head.number); /* those with bulk and those without */
    next_of[am->source]++;
    if (am->bulk_bytes > 0) CHECK(am->bulk == places[am->source]);
    CHECK(filled(places[am->source], am->bulk_bytes, seed_of(am->source, me, head.number)));
    atomic_fetch_add(&placed, 1);
}

static void in_freed_memory(const byre_am_t *am, void *arg)
{
    struct head head;
    (void)arg;
    check_head(am);
    memcpy(&head, am->data, sizeof head);
    CHECK(am->bulk != NULL || am->bulk_bytes == 0);
    CHECK(filled(am->bulk, am->bulk_bytes, seed_of(am->source, me, head.number)));
    if (am->bulk_bytes > 0) memset(am->bulk, 0, am->bulk_bytes); /* ours during the handler */
    atomic_fetch_add(&freed, 1);
}

/* Every third is refused. */
static void *maybe(const byre_am_t *am, void *arg)
{
    struct head head;
    (void)arg;
    memcpy(&head, am->data, sizeof head);
    return head.number % 3 == 0 ? NULL : places[am->source];
}

static void perhaps_refused(const byre_am_t *am, void *arg)
{
    struct head head;
    (void)arg;
    memcpy(&head, am->data, sizeof head);
    if (head.bytes == 0) {
        atomic_fetch_add(&taken, 1);
    } else if (head.number % 3 == 0) {
        CHECK(am->bulk == NULL);
        atomic_fetch_add(&refused, 1);
    } else {
        check_head(am);
        CHECK(am->bulk == places[am->source]);
        CHECK(filled(am->bulk, am->bulk_bytes, seed_of(am->source, me, head.number)));
        atomic_fetch_add(&taken, 1);
    }
}

static void send_all(int id, char *out)
{
    for (int i = 0; i < EACH; i++) {
        for (int to = 0; to < ranks; to++) {
            struct head head = { .number = i, .bytes = length_of(i) };
            fill(out + i % 5, head.bytes, seed_of(me, to, i));
            EXPECT(BYRE_OK, byre_am_send(to, id, &head, sizeof head,
                                         head.bytes ? out + i % 5 : NULL, head.bytes));
            memset(out + i % 5, 0, head.bytes); /* ours again */
        }
    }
}

/* ---- around the limits ------------------------------------------------------------------------- */

static const size_t inlines[] = { sizeof(struct head), sizeof(struct head) + 1, 63, 64, 256, 257,
                                  BYRE_AM_INLINE - 1,  BYRE_AM_INLINE };

static _Atomic int at_limits, kept;
static int next_at_limits[64]; /* [ranks] */

/* The longest bulk payload that fits into a frame behind so much. */
static size_t longest_along(size_t bytes)
{
    return (size_t)BYRE__AM_ROOM - (bytes + BYRE__AM_ALIGN - 1) / BYRE__AM_ALIGN * BYRE__AM_ALIGN;
}

static size_t bulk_at_limit(size_t bytes, int which)
{
    size_t along = longest_along(bytes);
    switch (which) {
    case 0:
        return along - 1;
    case 1:
        return along;
    case 2:
        return along + 1;
    case 3:
        return 1;
    case 4:
        return 4096;
    case 5:
        return BYRE__LANE_BULK;
    default:
        return BYRE__LANE_BULK + 1;
    }
}

enum { BULKS = 7, KINDS = BULKS * (int)LENGTH(inlines) };

static size_t inline_of(int number)
{
    return inlines[number % KINDS / BULKS];
}

static size_t bulk_of(int number)
{
    return bulk_at_limit(inline_of(number), number % BULKS);
}

static void check_whole(const byre_am_t *am, int number)
{
    uint64_t seed = seed_of(am->source, me, number);
    EQUAL(inline_of(number), am->bytes);
    EQUAL(bulk_of(number), am->bulk_bytes);
    CHECK((uintptr_t)am->data % 16 == 0);
    size_t tail = am->bytes - sizeof(struct head);
    CHECK(filled((const char *)am->data + sizeof(struct head), tail, seed + 1));
    CHECK(am->bulk != NULL && filled(am->bulk, am->bulk_bytes, seed));
}

static void on_limits(const byre_am_t *am, void *arg)
{
    struct head head;
    memcpy(&head, am->data, sizeof head);
    EQUAL(next_at_limits[am->source], head.number);
    next_at_limits[am->source]++;
    if (arg != NULL) CHECK(am->bulk == places[am->source]);
    CHECK(arg != NULL || (uintptr_t)am->bulk % 16 == 0);
    check_whole(am, head.number);
    if (arg == NULL) memset(am->bulk, 0, am->bulk_bytes);
    atomic_fetch_add(&at_limits, 1);
}

static void *place_at_limits(const byre_am_t *am, void *arg)
{
    (void)arg;
    CHECK(am->bulk == NULL);
    return places[am->source];
}

static void make_at_limit(int to, int number, unsigned char *data, void *bulk)
{
    struct head head = { .number = number, .bytes = bulk_of(number) };
    memcpy(data, &head, sizeof head);
    fill(data + sizeof head, inline_of(number) - sizeof head, seed_of(me, to, number) + 1);
    fill(bulk, head.bytes, seed_of(me, to, number));
}

static void limits(bool placed_there)
{
    static unsigned char data[BYRE_AM_INLINE], bulk[BYRE__LANE_BULK + 8];
    memset(next_at_limits, 0, sizeof next_at_limits);
    atomic_store(&at_limits, 0);
    EXPECT(BYRE_OK, byre_am_register(LIMITS, on_limits, placed_there ? place_at_limits : NULL,
                                     placed_there ? &placed : NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < KINDS; i++) {
        for (int to = 0; to < ranks; to++) {
            make_at_limit(to, i, data, bulk);
            EXPECT(BYRE_OK, byre_am_send(to, LIMITS, data, inline_of(i), bulk, bulk_of(i)));
            memset(bulk, 0, bulk_of(i));
        }
    }
    UNTIL(atomic_load(&at_limits) == KINDS * ranks);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_am_register(LIMITS, NULL, NULL, NULL));
}

/* ---- behind one that is under way ---------------------------------------------------------------- */

static _Atomic int dones;

static void on_done(int error, void *arg)
{
    EQUAL(BYRE_OK, error);
    EQUAL(0, atomic_fetch_add((_Atomic int *)arg, 1)); /* once */
    atomic_fetch_add(&dones, 1);
}

static void on_kept(const byre_am_t *am, void *arg)
{
    struct head head;
    (void)arg;
    memcpy(&head, am->data, sizeof head);
    EQUAL(next_at_limits[am->source], head.number);
    next_at_limits[am->source]++;
    EQUAL(head.bytes, am->bulk_bytes);
    CHECK(filled(am->bulk, am->bulk_bytes, seed_of(am->source, me, head.number)));
    atomic_fetch_add(&kept, 1);
}

/* A long one, a page, none, without waiting in between. */
static void behind_a_long_one(char *out)
{
    enum { ROUNDS = 30, PER_ROUND = 3 };
    static _Atomic int told[ROUNDS * PER_ROUND];
    static char pages[ROUNDS][4096];
    memset(next_at_limits, 0, sizeof next_at_limits);
    EXPECT(BYRE_OK, byre_am_register(KEPT, on_kept, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    int to = right();
    for (int i = 0; i < ROUNDS; i++) {
        struct head head = { .number = PER_ROUND * i, .bytes = MIB / 2 };
        UNTIL(atomic_load(&dones) == (PER_ROUND - 1) * i); /* `out` is ours */
        fill(out, head.bytes, seed_of(me, to, head.number));
        EXPECT(BYRE_OK, byre__am_post(to, KEPT, &head, sizeof head, out, head.bytes, on_done,
                                      &told[head.number]));
        head = (struct head){ .number = PER_ROUND * i + 1, .bytes = 4096 };
        fill(pages[i], head.bytes, seed_of(me, to, head.number));
        EXPECT(BYRE_OK, byre__am_post(to, KEPT, &head, sizeof head, pages[i], head.bytes, on_done,
                                      &told[head.number]));
        if (byre_node_of(to) != byre_node_of(me)) { /* it was copied */
            EQUAL(1, atomic_load(&told[head.number]));
            memset(pages[i], 0, head.bytes);
        }
        head = (struct head){ .number = PER_ROUND * i + 2 };
        EXPECT(BYRE_OK, byre__am_post(to, KEPT, &head, sizeof head, NULL, 0, NULL, NULL));
    }
    UNTIL(atomic_load(&kept) == ROUNDS * PER_ROUND);
    UNTIL(atomic_load(&dones) == ROUNDS * (PER_ROUND - 1));
    EXPECT(BYRE_OK, byre_barrier());
}

/* ---- what a page costs --------------------------------------------------------------------------- */

static int (*real_isend)(byre__channel_t channel, int to, int tag, const void *buf, size_t bytes,
                         bool sync, byre__treq_t *req_out);
static _Atomic int followed;

static int counting_isend(byre__channel_t channel, int to, int tag, const void *buf, size_t bytes,
                          bool sync, byre__treq_t *req_out)
{
    if (channel == BYRE__CHANNEL_BULK) atomic_fetch_add(&followed, 1);
    return real_isend(channel, to, tag, buf, bytes, sync, req_out);
}

/* Before there are threads that use it. */
static void count_what_follows(void)
{
    real_isend = byre__transport_mpi.isend;
    byre__transport_mpi.isend = counting_isend;
}

static void page_is_one_message(char *out)
{
    unsigned char about[64] = { 0 };
    struct head head = { .bytes = 4096 };
    int before = atomic_load(&followed);
    fill(out, 4096, seed_of(me, right(), 0));
    memcpy(about, &head, sizeof head);
    EXPECT(BYRE_OK, byre_am_send(right(), FREED, &head, sizeof head, out, 4096));
    EXPECT(BYRE_OK, byre_am_send(right(), 98, about, sizeof about, out, 4096));
    UNTIL(atomic_load(&freed) == EACH * ranks + 1);
    EQUAL(before, atomic_load(&followed));
    EXPECT(BYRE_OK, byre_am_send(right(), 98, about, sizeof about, out, MIB));
    EQUAL(before + 1, atomic_load(&followed));
    EXPECT(BYRE_OK, byre_barrier());
}

int main(void)
{
    count_what_follows();
    start();
    places = room_for((size_t)ranks * sizeof(char *));
    next_of = calloc((size_t)ranks, sizeof *next_of);
    CHECK(next_of != NULL);
    for (int r = 0; r < ranks; r++) places[r] = room_for(MIB);
    char *out = room_for(MIB + 8);
    EXPECT(BYRE_OK, byre_am_register(PLACED, in_place, place, &placed));
    EXPECT(BYRE_OK, byre_am_register(FREED, in_freed_memory, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(MAYBE, perhaps_refused, maybe, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    send_all(PLACED, out);
    UNTIL(atomic_load(&placed) == EACH * ranks);
    EXPECT(BYRE_OK, byre_barrier());
    send_all(FREED, out);
    UNTIL(atomic_load(&freed) == EACH * ranks);
    EXPECT(BYRE_OK, byre_barrier());
    send_all(MAYBE, out);
    UNTIL(atomic_load(&taken) + atomic_load(&refused) == EACH * ranks);
    CHECK(atomic_load(&refused) > 0 && atomic_load(&taken) > 0);
    EXPECT(BYRE_OK, byre_barrier());

    limits(true);
    limits(false);
    behind_a_long_one(out);

    /* For an id without handler: counted, and nobody hangs. */
    uint64_t unknown = 0;
    EXPECT(BYRE_OK, byre_am_send(right(), 99, NULL, 0, out, MIB));
    UNTIL(byre_counter_get("am_unknown", &unknown) == BYRE_OK && unknown == 1);
    EXPECT(BYRE_OK, byre_barrier());
    page_is_one_message(out);
    int error = finish();
    free(out);
    for (int r = 0; r < ranks; r++) free(places[r]);
    free(places);
    free(next_of);
    return error;
}
