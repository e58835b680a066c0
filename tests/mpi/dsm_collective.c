/* SPDX-License-Identifier: BSD-3-Clause */
/* Collective calls of shared memory: what one rank cannot do, or does otherwise, is the same error on all, and
 * afterwards all goes on. Publishing, and freeing what is pinned. */
#include "testing.h"

#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static size_t page;

static void differ(void)
{
    void *base = NULL;
    byre_dsm_attr_t attr = { .unit_pages = me == 0 ? 2 : 1 };
    int error = ranks > 1 ? BYRE_EINVAL : BYRE_OK;
    EXPECT(error, byre_dsm_alloc((size_t)(me == 0 ? 1 : 2) * page, NULL, &base));
    if (base != NULL) EXPECT(BYRE_OK, byre_dsm_free(base));
    base = NULL;
    EXPECT(error, byre_dsm_alloc(2 * page, &attr, &base));
    if (base != NULL) EXPECT(BYRE_OK, byre_dsm_free(base));
    attr = (byre_dsm_attr_t){ .home_rank = me == 0 ? ranks : 0 }; /* it differs, too */
    EXPECT(ranks > 1 ? BYRE_EINVAL : BYRE_ERANK, byre_dsm_alloc(page, &attr, &base));
    attr.home_rank = ranks;
    EXPECT(BYRE_ERANK, byre_dsm_alloc(page, &attr, &base));
}

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    CHECK(in != NULL && fscanf(in, "%lu", &pages) == 1);
    CHECK(fclose(in) == 0);
    return pages * page;
}

/* One rank has no address space for the region: its error is that of all. */
static void no_memory(void)
{
    void *base = NULL;
    struct rlimit before, limit;
    CHECK(getrlimit(RLIMIT_AS, &before) == 0);
    limit = before;
    limit.rlim_cur = address_space() + 256 * MIB;
    if (me == 0) CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    EXPECT(BYRE_ENOMEM, byre_dsm_alloc(4096 * MIB, NULL, &base));
    if (me == 0) CHECK(setrlimit(RLIMIT_AS, &before) == 0);
    CHECK(base == NULL);
}

static void goes_on(void)
{
    void *base;
    EXPECT(BYRE_OK, byre_dsm_alloc((size_t)ranks * page, NULL, &base));
    volatile int *word = base;
    word[me] = me + 1;
    EXPECT(BYRE_OK, byre_barrier());
    for (int r = 0; r < ranks; r++) EQUAL(r + 1, word[r]);
    EXPECT(BYRE_OK, byre_dsm_pin(base, page, 0));
    EXPECT(BYRE_EBUSY, byre_dsm_free(base));
    EXPECT(BYRE_OK, byre_dsm_unpin(base, page));
    EXPECT(BYRE_EINVAL, byre_dsm_unpin(base, page));
    EXPECT(BYRE_EINVAL, byre_dsm_publish(base));
    EXPECT(BYRE_OK, byre_dsm_free(base));
    EXPECT(BYRE_EINVAL, byre_dsm_free(base));
}

static void constant(void)
{
    void *base;
    byre_dsm_stats_t before, after;
    byre_dsm_attr_t attr = { .protocol = BYRE_DSM_CONSTANT };
    EXPECT(BYRE_OK, byre_dsm_alloc((size_t)ranks * page, &attr, &base));
    volatile int *word = base;
    size_t step = page / sizeof *word;
    word[(size_t)me * step] = me + 1;
    EXPECT(BYRE_OK, byre_dsm_publish(base));
    EXPECT(BYRE_EINVAL, byre_dsm_publish(base));
    EXPECT(BYRE_EINVAL, byre_dsm_pin(base, 1, 1));
    for (int r = 0; r < ranks; r++) EQUAL(r + 1, word[(size_t)r * step]);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_dsm_stats(base, &before));
    for (int r = 0; r < ranks; r++) EQUAL(r + 1, word[(size_t)r * step]);
    EXPECT(BYRE_OK, byre_dsm_stats(base, &after));
    EQUAL(before.messages_out, after.messages_out); /* each unit was fetched once */
    EXPECT(BYRE_OK, byre_dsm_free(base));
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    differ();
    if (!SANITIZED) no_memory(); /* they take address space as they please */
    goes_on();
    constant();
    return finish();
}
