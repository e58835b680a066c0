/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters: each operation of each thread is done once, and none is lost; misuse. */
#include "sync_tools.h"

enum { THREADS = 3, EACH = 100 };

static byre_dsm_counter_t total, tickets, maximum;
static _Atomic int taken[8 * THREADS * EACH];

static void *count(void *arg)
{
    uint64_t seed = mix3((uint64_t)me, (uint64_t)(intptr_t)arg, 7);
    for (int i = 0; i < EACH; i++) {
        int64_t ticket = -1, seen = 0, mine = (int64_t)draw(&seed, 1000000);
        EXPECT(BYRE_OK, byre_dsm_counter_add(&total, i % 2 ? -i : 2 * i, NULL));
        EXPECT(BYRE_OK, byre_dsm_counter_add(&tickets, 1, &ticket));
        CHECK(ticket >= 0 && ticket < ranks * THREADS * EACH);
        EQUAL(0, atomic_fetch_add(&taken[ticket], 1));
        EXPECT(BYRE_OK, byre_dsm_counter_load(&maximum, &seen));
        while (mine > seen) { /* compare_swap tells what stands there */
            int64_t old = -1;
            EXPECT(BYRE_OK, byre_dsm_counter_compare_swap(&maximum, seen, mine, &old));
            if (old == seen) break;
            CHECK(old > seen);
            seen = old;
        }
        EXPECT(BYRE_OK, byre_dsm_counter_load(&maximum, &seen));
        CHECK(seen >= mine);
    }
    return NULL;
}

static int64_t load(const byre_dsm_counter_t *counter)
{
    int64_t value = -1;
    EXPECT(BYRE_OK, byre_dsm_counter_load(counter, &value));
    return value;
}

static void each_operation(void)
{
    int64_t old = -1;
    byre_dsm_counter_t counter, none = { 0 };
    EXPECT(BYRE_OK, byre_dsm_counter_create(right(), INT64_MAX, &counter));
    EXPECT(BYRE_OK, byre_dsm_counter_add(&counter, 1, &old));
    CHECK(old == INT64_MAX && load(&counter) == INT64_MIN);
    EXPECT(BYRE_OK, byre_dsm_counter_swap(&counter, -7, &old));
    CHECK(old == INT64_MIN && load(&counter) == -7);
    EXPECT(BYRE_OK, byre_dsm_counter_swap(&counter, -8, NULL));
    EXPECT(BYRE_OK, byre_dsm_counter_compare_swap(&counter, -7, 1, &old));
    CHECK(old == -8 && load(&counter) == -8);
    EXPECT(BYRE_OK, byre_dsm_counter_compare_swap(&counter, -8, 1, &old));
    CHECK(old == -8 && load(&counter) == 1);
    EXPECT(BYRE_OK, byre_dsm_counter_store(&counter, 5));
    EQUAL(5, load(&counter));
    EXPECT(BYRE_OK, byre_dsm_counter_destroy(&counter));
    EQUAL(0, load(&counter)); /* as new */
    EXPECT(BYRE_OK, byre_dsm_counter_destroy(&counter));

    EXPECT(BYRE_EINVAL, byre_dsm_counter_add(NULL, 1, NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_counter_swap(&none, 1, NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_counter_compare_swap(&none, 1, 1, NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_counter_load(&counter, NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_counter_store(&none, 1));
    EXPECT(BYRE_EINVAL, byre_dsm_counter_create(0, 1, NULL));
    EXPECT(BYRE_ERANK, byre_dsm_counter_create(ranks, 1, &none));
}

static void in_handler(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_dsm_counter_add(NULL, 1, NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_counter_load(NULL, NULL));
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

int main(void)
{
    total = BYRE_DSM_COUNTER(0);
    tickets = BYRE_DSM_COUNTER(1);
    maximum = BYRE_DSM_COUNTER(2);
    EXPECT(BYRE_ESTATE, byre_dsm_counter_store(&total, 1));
    start();
    CHECK(ranks <= 8);
    in_threads(THREADS, count);
    EXPECT(BYRE_OK, byre_barrier());
    int64_t sum = 0;
    for (int i = 0; i < EACH; i++) sum += i % 2 ? -i : 2 * i;
    EQUAL(sum * THREADS * ranks, load(&total));
    EQUAL(ranks * THREADS * EACH, load(&tickets));
    each_operation();
    EXPECT(BYRE_OK, byre_am_register(1, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_request(me, 1, NULL, 0, NULL, 0, NULL));
    return finish();
}
