/* SPDX-License-Identifier: BSD-3-Clause */
/* Bulk payloads: straight into the place that the receiver names, into memory that is freed, or refused;
 * in order with messages that have none. */
#include "testing.h"

enum { PLACED = 1, FREED, MAYBE, EACH = 40 };

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

int main(void)
{
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

    /* For an id without handler: counted, and nobody hangs. */
    uint64_t unknown = 0;
    EXPECT(BYRE_OK, byre_am_send(right(), 99, NULL, 0, out, MIB));
    UNTIL(byre_counter_get("am_unknown", &unknown) == BYRE_OK && unknown == 1);
    int error = finish();
    free(out);
    for (int r = 0; r < ranks; r++) free(places[r]);
    free(places);
    free(next_of);
    return error;
}
