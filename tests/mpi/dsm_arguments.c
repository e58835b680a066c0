/* SPDX-License-Identifier: BSD-3-Clause */
/* What the calls of shared memory refuse; regions of an extreme size; nothing is left of those that have
 * been freed. */
#include "testing.h"

#include <dirent.h>
#include <sys/resource.h>

enum { AM_CALLS = 5, LOOPS = 60 };
#define GIB ((size_t)1 << 30)

static size_t page;
static char *base;

/* ---- outside of a job, and in handlers ------------------------------------------------------ */

static void outside(void)
{
    void *addr;
    byre_dsm_stats_t stats;
    EXPECT(BYRE_ESTATE, byre_dsm_alloc(1, NULL, &addr));
    EXPECT(BYRE_ESTATE, byre_dsm_free(&addr));
    EXPECT(BYRE_OK, byre_dsm_free(NULL));
    EXPECT(BYRE_ESTATE, byre_dsm_publish(&addr));
    EXPECT(BYRE_ESTATE, byre_dsm_prefetch(&addr, 1, 0));
    EXPECT(BYRE_ESTATE, byre_dsm_pin(&addr, 1, 0));
    EXPECT(BYRE_ESTATE, byre_dsm_unpin(&addr, 1));
    EXPECT(BYRE_ESTATE, byre_dsm_stats(NULL, &stats));
    EXPECT(BYRE_ESTATE, byre_dsm_on_lost(NULL, NULL));
    CHECK(byre_dsm_malloc(1) == NULL);
}

static void in_handler(const byre_am_t *am, void *arg)
{
    void *addr;
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_dsm_alloc(1, NULL, &addr));
    EXPECT(BYRE_ECONTEXT, byre_dsm_free(base));
    EXPECT(BYRE_ECONTEXT, byre_dsm_publish(base));
    EXPECT(BYRE_ECONTEXT, byre_dsm_pin(base, 1, 0));
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

/* ---- alloc ---------------------------------------------------------------------------------- */

static void refused(int error, size_t bytes, byre_dsm_attr_t attr)
{
    void *addr = &attr;
    EXPECT(error, byre_dsm_alloc(bytes, &attr, &addr));
    CHECK(addr == &attr); /* outputs only on success */
}

static void alloc_refuses(void)
{
    EXPECT(BYRE_EINVAL, byre_dsm_alloc(1, NULL, NULL));
    refused(BYRE_EINVAL, 0, (byre_dsm_attr_t){ 0 });
    refused(BYRE_ENOMEM, SIZE_MAX, (byre_dsm_attr_t){ 0 });
    refused(BYRE_ENOMEM, SIZE_MAX / 2, (byre_dsm_attr_t){ .unit_pages = 64 });
    refused(BYRE_EINVAL, 1, (byre_dsm_attr_t){ .unit_pages = 3 });
    refused(BYRE_EINVAL, 1, (byre_dsm_attr_t){ .unit_pages = 2 * BYRE_DSM_UNIT_PAGES_MAX });
    refused(BYRE_ERANK, 1, (byre_dsm_attr_t){ .home_rank = ranks });
    refused(BYRE_ERANK, 1, (byre_dsm_attr_t){ .home_rank = -1, .home = BYRE_DSM_HOME_RANK });
    refused(BYRE_EINVAL, 1, (byre_dsm_attr_t){ .protocol = (byre_dsm_protocol_t)9 });
    refused(BYRE_EINVAL, 1, (byre_dsm_attr_t){ .manager = (byre_dsm_manager_t)9 });
    refused(BYRE_EINVAL, 1, (byre_dsm_attr_t){ .home = (byre_dsm_home_t)9 });
    if (ranks == 1) return;
    /* One rank differs, or only one makes no sense: all are told. */
    bool other = me == ranks - 1;
    refused(BYRE_EINVAL, 1, (byre_dsm_attr_t){ .unit_pages = other ? 2 : 1 });
    refused(BYRE_EINVAL, 1, (byre_dsm_attr_t){ .hold_us = other });
    refused(BYRE_EINVAL, 1,
            (byre_dsm_attr_t){ .manager =
                                   other ? BYRE_DSM_MANAGER_DYNAMIC : BYRE_DSM_MANAGER_CENTRAL });
    refused(BYRE_EINVAL, other ? 10 * page : page, (byre_dsm_attr_t){ 0 });
    refused(BYRE_EINVAL, 1, (byre_dsm_attr_t){ .home_rank = other ? ranks : 0 });
    refused(BYRE_EINVAL, other ? 0 : 1, (byre_dsm_attr_t){ 0 });
}

/* One rank alone has no room: all are told why. */
static void one_has_no_memory(void)
{
    struct rlimit before, small;
    long pages = -1;
    FILE *in = fopen("/proc/self/statm", "r");
    CHECK(in != NULL && fscanf(in, "%ld", &pages) == 1);
    fclose(in);
    CHECK(getrlimit(RLIMIT_AS, &before) == 0);
    small = before;
    small.rlim_cur = (rlim_t)pages * page + 64 * MIB;
    if (me == ranks - 1) CHECK(setrlimit(RLIMIT_AS, &small) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    refused(BYRE_ENOMEM, GIB, (byre_dsm_attr_t){ 0 });
    CHECK(setrlimit(RLIMIT_AS, &before) == 0);
    EXPECT(BYRE_OK, byre_barrier());
}

/* Names may differ, and 0 is the same as what it stands for. */
static void alloc_accepts(void)
{
    byre_dsm_attr_t attr = { .name = me == 0 ? "zero" : NULL,
                             .unit_pages = (unsigned)me % 2,
                             .defrost_us = me % 2 ? 1000 : 0,
                             .manager =
                                 me % 2 ? BYRE_DSM_MANAGER_FIXED : BYRE_DSM_MANAGER_DEFAULT };
    void *addr = NULL;
    EXPECT(BYRE_OK, byre_dsm_alloc(1, &attr, &addr));
    CHECK((uintptr_t)addr % page == 0);
    EXPECT(BYRE_OK, byre_dsm_free(addr));
    attr = (byre_dsm_attr_t){ .unit_pages = BYRE_DSM_UNIT_PAGES_MAX };
    EXPECT(BYRE_OK, byre_dsm_alloc(1, &attr, &addr));
    CHECK((uintptr_t)addr % (BYRE_DSM_UNIT_PAGES_MAX * page) == 0);
    ((char *)addr)[BYRE_DSM_UNIT_PAGES_MAX * page - 1] = 1; /* rounded up to a unit */
    EXPECT(BYRE_OK, byre_dsm_free(addr));
}

/* ---- the others ----------------------------------------------------------------------------- */

static void others_refuse(void)
{
    byre_dsm_stats_t stats;
    char own[8];
    EXPECT(BYRE_EINVAL, byre_dsm_free(own));
    EXPECT(BYRE_EINVAL, byre_dsm_free(base + page));
    EXPECT(BYRE_EINVAL, byre_dsm_free(base + 4 * page));
    EXPECT(BYRE_EINVAL, byre_dsm_publish(own));
    EXPECT(BYRE_EINVAL, byre_dsm_publish(base)); /* another protocol */
    EXPECT(BYRE_EINVAL, byre_dsm_prefetch(own, 1, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_prefetch(base + page, 4 * page, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_prefetch(base, SIZE_MAX, 0));
    EXPECT(BYRE_OK, byre_dsm_prefetch(base, 4 * page, 1));
    EXPECT(BYRE_OK, byre_dsm_prefetch(base, 0, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_pin(base, SIZE_MAX, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_stats(base, NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_stats(own, &stats));
    EXPECT(BYRE_OK, byre_dsm_stats(NULL, &stats));
    EXPECT(BYRE_OK, byre_dsm_stats(base + 3 * page, &stats));
    EXPECT(BYRE_OK, byre_dsm_on_lost(NULL, NULL));
}

static void constant(void)
{
    byre_dsm_attr_t attr = { .protocol = BYRE_DSM_CONSTANT };
    char *addr;
    EXPECT(BYRE_OK, byre_dsm_alloc(2 * page, &attr, (void **)&addr));
    if (me == 0) addr[page] = 5;
    EXPECT(BYRE_EINVAL, byre_dsm_publish(addr + page));
    EXPECT(BYRE_OK, byre_dsm_publish(addr));
    EXPECT(BYRE_EINVAL, byre_dsm_publish(addr));
    EXPECT(BYRE_EINVAL, byre_dsm_pin(addr, 1, 1));
    EXPECT(BYRE_OK, byre_dsm_pin(addr + page, 1, 0));
    EQUAL(5, addr[page]);
    EQUAL(0, addr[0]);
    EXPECT(BYRE_OK, byre_dsm_unpin(addr + page, 1));
    EXPECT(BYRE_OK, byre_dsm_free(addr));
    EXPECT(BYRE_EINVAL, byre_dsm_free(addr));
    EXPECT(BYRE_EINVAL, byre_dsm_pin(addr, 1, 0));
}

/* ---- memory --------------------------------------------------------------------------------- */

static long resident_bytes(void)
{
    long pages = -1;
    FILE *in = fopen("/proc/self/statm", "r");
    CHECK(in != NULL && fscanf(in, "%*d %ld", &pages) == 1);
    fclose(in);
    return pages * (long)page;
}

/* Address space is for nothing; memory is for what is touched. */
static void huge(void)
{
    char *addr;
    size_t bytes = 64 * GIB;
    long before = resident_bytes();
    EXPECT(BYRE_OK, byre_dsm_alloc(bytes, NULL, (void **)&addr));
    for (size_t i = (size_t)me; i < 64; i += (size_t)ranks) addr[i * GIB] = (char)(i + 1);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; i < 64; i++) EQUAL(i + 1, addr[i * GIB]);
    EQUAL(0, addr[bytes - 1]);
    long grown = resident_bytes() - before;
    CHECK(grown < 8 * (long)MIB);
    EXPECT(BYRE_OK, byre_dsm_free(addr));
}

static int lines_of(const char *path)
{
    int lines = 0;
    FILE *in = fopen(path, "r");
    CHECK(in != NULL);
    for (int c; (c = getc(in)) != EOF;) lines += c == '\n';
    fclose(in);
    return lines;
}

static int open_files(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count;
}

static void many(int loops)
{
    for (int i = 0; i < loops; i++) {
        byre_dsm_attr_t attr = { .unit_pages = 1u << i % 3,
                                 .manager =
                                     i % 2 ? BYRE_DSM_MANAGER_DYNAMIC : BYRE_DSM_MANAGER_FIXED };
        char *addr[2];
        for (int k = 0; k < 2; k++)
            EXPECT(BYRE_OK, byre_dsm_alloc((size_t)(40 + i) * page, &attr, (void **)&addr[k]));
        for (int k = 0; k < 40; k += 2) {
            EQUAL(0, addr[k % 4 / 2][(size_t)k * page + 1]); /* what another region left is gone */
            addr[k % 4 / 2][(size_t)k * page + (size_t)(2 + me)] = 1;
        }
        EXPECT(BYRE_OK, byre_barrier());
        for (int k = 0; k < 40; k++) addr[0][(size_t)k * page + 1] = 1;
        EXPECT(BYRE_OK, byre_dsm_free(addr[i % 2]));
        EXPECT(BYRE_OK, byre_dsm_free(addr[1 - i % 2]));
    }
}

static void no_leaks(void)
{
    many(2);
    int files = open_files(), maps = lines_of("/proc/self/maps");
    long bytes = resident_bytes();
    many(LOOPS);
    UNTIL(open_files() <= files); /* the engine has one open for a moment, now and then */
    CHECK(lines_of("/proc/self/maps") <= maps + 4); /* MPI and malloc may grow a little */
    CHECK(resident_bytes() - bytes < 8 * (long)MIB);
}

int main(void)
{
    outside();
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    alloc_refuses();
    one_has_no_memory();
    alloc_accepts();
    EXPECT(BYRE_OK, byre_dsm_alloc(4 * page, NULL, (void **)&base));
    EXPECT(BYRE_OK, byre_am_register(AM_CALLS, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_am_request(right(), AM_CALLS, NULL, 0, NULL, 0, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    others_refuse();
    EXPECT(BYRE_OK, byre_dsm_free(base));
    constant();
    huge();
    no_leaks();
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_finalize());
    outside();
    return 0;
}
