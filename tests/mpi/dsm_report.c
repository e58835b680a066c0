/* SPDX-License-Identifier: BSD-3-Clause */
/* BYRE_DSM_REPORT, with faults that did not happen and some that did: what rank 0 writes at the end. */
#include "testing.h"

#include "dsm/report.h"
#include <pthread.h>
#include <stdarg.h>

enum { COUNTERS = 3, OLD = 4, SHARED = 5, LONG = 6, UNKNOWN = 77, THREADS = 4, TIMES = 1000 };
#define BASE ((char *)0x200000000000)

/* Their addresses stand for instructions that fault. */
static int bump(int n)
{
    return n + me;
}
enum { BUMP_LINE = __LINE__ - 4 };

static int others[5];

static void faults(uint32_t region, size_t unit, size_t offset, bool write, const void *ip,
                   int times)
{
    for (int i = 0; i < times; i++) byre__dsm_report_fault(region, unit, offset, write, ip);
}

/* Many at once, of one unit and of new ones: none is lost. */
static void *hammer(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        byre__dsm_report_fault(LONG, 1, 8, i % 2 == 0, (void *)(uintptr_t)bump);
        byre__dsm_report_fault(LONG, 100 + (size_t)i % 5, 8, false, (void *)(uintptr_t)bump);
    }
    return arg;
}

static void count_faults(void)
{
    pthread_t threads[THREADS];
    byre__dsm_report_region(COUNTERS, "counters", BASE, 4096);
    byre__dsm_report_region(OLD, "old", BASE + MIB, 4096);
    faults(OLD, 0, 40, true, bump, 30);
    byre__dsm_report_region(SHARED, "new", BASE + 2 * MIB, 4096);
    byre__dsm_report_region(LONG, NULL, BASE + 3 * MIB, 16384);
    faults(COUNTERS, 3, (size_t)me * 64, true, bump, 500);
    faults(COUNTERS, 3, (size_t)me * 64 + 8, false, &others[0], 100);
    faults(SHARED, 0, 40, true, bump, 200);
    for (int i = 0; i < 5; i++) faults(SHARED, 9, 0, false, &others[i], 10 - i);
    faults(UNKNOWN, 4, 4095, me == 0, NULL, 2);
    faults(COUNTERS, 1, 0, true, bump, 1); /* once a rank: it did not bounce */
    if (me == 0) faults(COUNTERS, 2, 0, true, bump, 10000);
    for (int t = 0; t < THREADS; t++) CHECK(pthread_create(&threads[t], NULL, hammer, NULL) == 0);
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    /* More units than there is room for, on one rank. */
    for (size_t unit = 0; me == 0 && unit < 1200000; unit++)
        faults(UNKNOWN, 1000 + unit, 0, false, bump, 1);
}

/* Each rank increments a counter of its own, in turn, in a page of all. */
static void real_faults(void)
{
    enum { TURNS = 5 };
    void *page;
    EXPECT(BYRE_OK, byre_dsm_alloc(4096, &(byre_dsm_attr_t){ .name = "real" }, &page));
    volatile uint64_t *counter = (uint64_t *)page + 16 * (me + 1);
    for (int turn = 0; turn < TURNS * ranks; turn++) {
        if (turn % ranks == me) *counter = *counter + 1;
        EXPECT(BYRE_OK, byre_barrier());
    }
    EQUAL(TURNS, *counter);
    EXPECT(BYRE_OK, byre_dsm_free(page)); /* its name is still known */
}

/* ---- what was written --------------------------------------------------------------------- */

static char report[1 << 16];

static void has(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void has(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (strstr(report, text) == NULL)
        fputs(report, stderr), failed(__FILE__, __LINE__, "no `%s' in this", text);
}

static void lacks(const char *text)
{
    if (strstr(report, text) != NULL) failed(__FILE__, __LINE__, "`%s' in\n%.8000s", text, report);
}

static void check_lines(void)
{
    for (char *line = report; *line != '\0'; line = strchr(line, '\n') + 1)
        CHECK(strncmp(line, "byre: ", 6) == 0 && strchr(line, '\n') != NULL);
}

static void check_report(int size)
{
    check_lines();
    if (size == 1) {
        has("no unit went back and forth");
        return;
    }
    has(", pages 4-7, at 0x200000304000: %d faults: %d reads, %d writes\n", 4 * size * TIMES,
        2 * size * TIMES, 2 * size * TIMES);
    has("1. region 6, pages 4-7");
    for (int unit = 0; unit < 5; unit++)
        has("%d. region 6, pages %d-%d, at %p: %d faults: %d reads\n", 2 + unit, 400 + 4 * unit,
            403 + 4 * unit, (void *)(BASE + 3 * MIB + (size_t)(100 + unit) * 16384), 800 * size,
            800 * size);
    has("7. counters, page 3, at 0x200000003000: %d faults: %d reads, %d writes; each rank at a "
        "place of "
        "its own: false sharing?\n",
        600 * size, 100 * size, 500 * size);
    for (int rank = 0; rank < size; rank++) has("rank %d: 100 reads, 500 writes\n", rank);
    has("8. new, page 0, at 0x200000200000: %d faults: %d writes\n", 200 * size, 200 * size);
    has("10. old, page 0, at 0x200000100000: %d faults: %d writes\n", 30 * size, 30 * size);
    has("9. new, page 9, at 0x200000209000: %d faults: %d reads\n", 40 * size, 40 * size);
    has("11. real, page 0, at 0x");
    has("+256  ");
    has("12. region 77, unit 4: %d faults: %d reads, 2 writes\n", 2 * size, 2 * size - 2);
    has("+4095  ");
    lacks("page 1,");
    lacks("page 2,");
    CHECK(strstr(report, " dsm_report+0x") != NULL);
    if (system("command -v addr2line >/dev/null") != 0) return;
    const char *text = strstr(report, "+64  bump at dsm_report.c:");
    CHECK(text != NULL);
    int line = atoi(strchr(text, ':') + 1);
    CHECK(line >= BUMP_LINE && line < BUMP_LINE + 3); /* the compiler's choice */
}

/* The wish of one rank is enough, as when mpirun does not hand the variable on. */
static void wish(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *size = getenv("OMPI_COMM_WORLD_SIZE");
    bool last = rank == NULL || size == NULL || atoi(rank) == atoi(size) - 1;
    CHECK(setenv("BYRE_DSM_REPORT", last ? "1" : "0", 1) == 0);
}

int main(void)
{
    FILE *log = tmpfile();
    CHECK(log != NULL);
    wish();
    start();
    CHECK(byre__dsm_report_on);
    CHECK(bump(1) == 1 + me);
    real_faults();
    count_faults();
    EXPECT(BYRE_OK, byre_barrier());
    int rank = me, size = ranks, before = dup(STDERR_FILENO);
    CHECK(before >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
    EXPECT(BYRE_OK, byre_finalize());
    CHECK(dup2(before, STDERR_FILENO) >= 0);
    CHECK(!byre__dsm_report_on);
    rewind(log);
    size_t bytes = fread(report, 1, sizeof report - 1, log);
    if (rank == 0)
        check_report(size);
    else
        EQUAL(0, bytes);
    fclose(log);
    return 0;
}
