/* SPDX-License-Identifier: BSD-3-Clause */
/* Copy-on-write snapshots: invariants S1-S4 of runtime/cow.c, C1-C6 of runtime/cow_pages.c. */
#include "runtime/cow.h"
#include "runtime/counters.h"
#include "runtime/cow_pages.h"
#include "runtime/fault.h"
#include "runtime/maps.h"

#include <byre_errors.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Sanitizers map memory themselves and make mlock do nothing: what counts mappings, uses them up, or locks
 * is left out. ThreadSanitizer does not see what system calls do to memory, and rightly calls it a race
 * when a buffer is sent that others write to: writers then stay in the whole pages. */
#if defined __SANITIZE_THREAD__
enum { SANITIZED = 1, UNDER_TSAN = 1 };
#elif defined __SANITIZE_ADDRESS__
enum { SANITIZED = 1, UNDER_TSAN = 0 };
#else
enum { SANITIZED = 0, UNDER_TSAN = 0 };
#endif

static size_t page;

static void setup(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    signal(SIGSEGV, SIG_DFL);
    ck_assert_int_eq(byre__fault_init(), BYRE_OK);
}

static void setup_without_proc_mem(void)
{
    setup();
    byre__cow_no_proc_mem = true;
}

static void setup_maps_as_text(void)
{
    setup();
    byre__maps_as_text = true;
}

static void teardown(void)
{
    ck_assert_int_eq(byre__cow_live, 0);
}

static char *map_bytes(size_t bytes)
{
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(at, MAP_FAILED);
    return at;
}

/* Every eight bytes tell where they are. */
static void fill(char *at, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++) at[i] = (char)(seed + i + (i >> 8) * 7 + (i >> 12) * 13);
}

static bool is_filled(const char *at, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != (char)(seed + i + (i >> 8) * 7 + (i >> 12) * 13)) return false;
    return true;
}

static byre__cow_t *begin(const void *buf, size_t bytes, const char **image_out)
{
    byre__cow_t *cow = NULL;
    const void *image = NULL;

    ck_assert_int_eq(byre__cow_begin(buf, bytes, &cow, &image), BYRE_OK);
    ck_assert_ptr_nonnull(cow);
    *image_out = image;
    return cow;
}

static int begin_error(const void *buf, size_t bytes)
{
    byre__cow_t *cow = NULL;
    const void *image = NULL;
    int error = byre__cow_begin(buf, bytes, &cow, &image);

    if (error == BYRE_OK) byre__cow_end(cow);
    return error;
}

/* An access that writes what is there. */
static void touch(char *at)
{
    volatile char *byte = at;
    char value = *byte;

    *byte = value;
}

static unsigned count_mappings(void)
{
    char text[8192];
    unsigned lines = 0;
    FILE *maps = fopen("/proc/self/maps", "r");

    ck_assert_ptr_nonnull(maps);
    while (fgets(text, sizeof text, maps)) lines++;
    fclose(maps);
    return lines;
}

/* ---- the bytes are those of the call --------------------------------------------------------------- */

static void write_and_read_while_away(char *buf, size_t bytes)
{
    const char *image;
    uint64_t moved = byre__counters.cow_sends;

    fill(buf, bytes, 1);
    byre__cow_t *cow = begin(buf, bytes, &image);
    ck_assert_uint_eq(byre__counters.cow_sends, moved + 1);
    ck_assert(is_filled(image, bytes, 1));
    ck_assert(is_filled(buf, bytes, 1)); /* reads see the bytes */
    fill(buf, bytes, 2);
    ck_assert(is_filled(image, bytes, 1)); /* writes do not reach the message */
    ck_assert(is_filled(buf, bytes, 2));
    byre__cow_end(cow);
    ck_assert(is_filled(buf, bytes, 2)); /* nor does its end undo them */
    fill(buf, bytes, 3);
    ck_assert(is_filled(buf, bytes, 3));
}

START_TEST(anonymous_memory)
{
    char *at = map_bytes(100 * page);

    write_and_read_while_away(at, 100 * page);
    ck_assert_uint_gt(byre__counters.cow_faults, 0);
}
END_TEST

START_TEST(unaligned)
{
    char *at = map_bytes(64 * page);

    write_and_read_while_away(at + 1, 40 * page);
    write_and_read_while_away(at + page - 1, page + 2);
    write_and_read_while_away(at + 3 * page, 17 * page + 5);
    write_and_read_while_away(at + 77, 62 * page + 1);
}
END_TEST

/* From the program break. */
START_TEST(heap)
{
    char *at = sbrk((intptr_t)(80 * page));

    ck_assert_ptr_ne(at, (void *)-1);
    write_and_read_while_away(at + 100, 70 * page);
}
END_TEST

START_TEST(never_touched_before)
{
    char *at = map_bytes(40 * page);
    const char *image;
    byre__cow_t *cow = begin(at, 40 * page, &image);

    for (size_t i = 0; i < 40 * page; i++) ck_assert_int_eq(image[i], 0);
    at[20 * page] = 1;
    ck_assert_int_eq(image[20 * page], 0);
    byre__cow_end(cow);
    ck_assert_int_eq(at[20 * page], 1);
    ck_assert_int_eq(at[39 * page], 0);
}
END_TEST

START_TEST(large)
{
    size_t bytes = (size_t)64 << 20;
    char *at = map_bytes(bytes + page);
    const char *image;

    (void)madvise(at, bytes + page, MADV_HUGEPAGE);
    fill(at, bytes + page, 1);
    byre__cow_t *cow = begin(at + 9, bytes, &image);
    for (size_t i = 0; i < bytes; i += 777 * page) at[i + 9] = 1;
    for (size_t i = 0; i < bytes; i += page / 2)
        ck_assert_int_eq(image[i], (char)(1 + (i + 9) + ((i + 9) >> 8) * 7 + ((i + 9) >> 12) * 13));
    byre__cow_end(cow);
    ck_assert(is_filled(at, 9, 1));
    for (size_t i = 1; i < bytes; i += page / 2) {
        size_t j = i + 9;
        ck_assert_int_eq(at[j], (char)(1 + j + (j >> 8) * 7 + (j >> 12) * 13));
    }
    munmap(at, bytes + page);
}
END_TEST

/* S1: a neighbour on the same page is never in the way. */
START_TEST(shared_pages)
{
    char *at = map_bytes(20 * page);
    size_t half = 10 * page + page / 2;
    const char *first_image, *second_image;

    fill(at, 20 * page, 1);
    byre__cow_t *first = begin(at, half, &first_image);
    byre__cow_t *second = begin(at + half, 20 * page - half, &second_image);
    uint64_t faults = byre__counters.cow_faults;
    at[half - 1] = 1;
    at[half] = 2;
    ck_assert_uint_eq(byre__counters.cow_faults, faults);
    fill(at, 20 * page, 2);
    byre__cow_end(first);
    ck_assert(
        is_filled(second_image, 1,
                  1 + (unsigned)half + (unsigned)(half >> 8) * 7 + (unsigned)(half >> 12) * 13));
    byre__cow_end(second);
    ck_assert(is_filled(at, 20 * page, 2));
}
END_TEST

/* ---- several snapshots of one buffer ----------------------------------------------------------------- */

START_TEST(shared_by_three)
{
    size_t bytes = 50 * page;
    char *at = map_bytes(51 * page) + 100;
    const char *image[3];
    byre__cow_t *cow[3];

    fill(at, bytes, 1);
    for (int i = 0; i < 3; i++) cow[i] = begin(at, bytes, &image[i]);
    ck_assert_ptr_eq(image[0], image[2]); /* untouched: no copy */
    ck_assert_uint_eq(byre__counters.cow_faults, 0);
    at[10 * page] = 99;
    for (int i = 0; i < 3; i++) ck_assert(is_filled(image[i], bytes, 1));
    byre__cow_end(cow[0]);
    byre__cow_end(cow[2]);
    ck_assert(is_filled(image[1], bytes, 1));
    byre__cow_end(cow[1]);
    ck_assert_int_eq(at[10 * page], 99);
}
END_TEST

START_TEST(part_of_another)
{
    char *at = map_bytes(40 * page);
    const char *whole_image, *part_image;

    fill(at, 40 * page, 1);
    byre__cow_t *whole = begin(at, 40 * page, &whole_image);
    byre__cow_t *part = begin(at + 3 * page + 7, 20 * page, &part_image);
    ck_assert_ptr_eq(part_image, whole_image + 3 * page + 7);
    byre__cow_end(whole);
    at[4 * page] = 1;
    ck_assert_int_eq(part_image[page - 7], whole_image[4 * page]);
    ck_assert_int_ne(part_image[page - 7], 1);
    byre__cow_end(part);
}
END_TEST

/* Written to in between, once in a whole page and once in a partial one. */
static void changed_in_between(size_t where)
{
    size_t bytes = 30 * page;
    char *at = map_bytes(32 * page) + 50;
    const char *image[2];
    byre__cow_t *cow[2];

    fill(at, bytes, 1);
    cow[0] = begin(at, bytes, &image[0]);
    char old = at[where];
    at[where] = (char)(old + 1);
    cow[1] = begin(at, bytes, &image[1]);
    at[where] = (char)(old + 2);
    ck_assert_int_eq(image[0][where], old);
    ck_assert_int_eq(image[1][where], (char)(old + 1));
    byre__cow_end(cow[0]);
    ck_assert_int_eq(image[1][where], (char)(old + 1));
    byre__cow_end(cow[1]);
    ck_assert_int_eq(at[where], (char)(old + 2));
    at[where] = old;
    ck_assert(is_filled(at, bytes, 1));
}

START_TEST(not_shared_when_changed)
{
    changed_in_between(5 * page);
    changed_in_between(0);
    changed_in_between(30 * page - 1);
}
END_TEST

START_TEST(overlapping)
{
    char *at = map_bytes(60 * page);
    const char *image[3];
    byre__cow_t *cow[3];

    fill(at, 60 * page, 1);
    cow[0] = begin(at, 30 * page, &image[0]);
    cow[1] = begin(at + 20 * page + 1, 30 * page, &image[1]);
    cow[2] = begin(at + 5, 59 * page, &image[2]);
    fill(at, 60 * page, 2);
    ck_assert(is_filled(image[0], 30 * page, 1));
    ck_assert_int_eq(memcmp(image[1], image[2] + 20 * page - 4, 30 * page), 0);
    ck_assert_int_eq(memcmp(image[2], image[0] + 5, 30 * page - 5), 0);
    for (int i = 0; i < 3; i++) byre__cow_end(cow[i]);
    ck_assert(is_filled(at, 60 * page, 2));
}
END_TEST

/* ---- resolve ------------------------------------------------------------------------------------------ */

static bool kernel_can_read(const char *at, size_t bytes)
{
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    bool can = write(pipes[1], at, bytes) == (ssize_t)bytes;
    close(pipes[0]);
    close(pipes[1]);
    return can;
}

START_TEST(resolved_for_the_kernel)
{
    char *at = map_bytes(64 * page);
    const char *image;

    fill(at, 64 * page, 1);
    byre__cow_t *cow = begin(at, 64 * page, &image);
    ck_assert(!kernel_can_read(at + 17 * page, page));
    byre__cow_resolve(at + 17 * page - 1, page + 2);
    ck_assert(kernel_can_read(at + 17 * page - 1, page + 2));
    ck_assert(is_filled(at, 64 * page, 1));
    byre__cow_resolve(at - 100 * page, 300 * page);
    ck_assert(kernel_can_read(at + 63 * page, page));
    fill(at, 64 * page, 2);
    ck_assert(is_filled(image, 64 * page, 1));
    byre__cow_end(cow);
    byre__cow_resolve(at, 64 * page);
    ck_assert(is_filled(at, 64 * page, 2));
}
END_TEST

/* ---- what cannot be moved ------------------------------------------------------------------------------ */

static void expect_copied(char *at, size_t bytes)
{
    uint64_t copied = byre__counters.cow_copied_sends;
    const char *image;
    byre__cow_t *cow = begin(at, bytes, &image);

    ck_assert_uint_eq(byre__counters.cow_copied_sends, copied + 1);
    ck_assert_ptr_ne(image, at);
    ck_assert_int_eq(memcmp(image, at, bytes), 0);
    byre__cow_end(cow);
}

START_TEST(small)
{
    char *at = map_bytes(4 * page);

    fill(at, 4 * page, 1);
    expect_copied(at, 1);
    expect_copied(at + page - 10, page);
    expect_copied(at + 1, 2 * page - 2);
    expect_copied(at, 0);
    ck_assert_int_eq(begin_error(NULL, 0), BYRE_OK);
    ck_assert_int_eq(begin_error(NULL, 1), BYRE_EINVAL);
}
END_TEST

START_TEST(shared_mapping)
{
    char *at = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    fill(at, 8 * page, 1);
    expect_copied(at, 8 * page);
}
END_TEST

START_TEST(read_only_memory)
{
    char *at = map_bytes(8 * page);

    fill(at, 8 * page, 1);
    mprotect(at, 8 * page, PROT_READ);
    expect_copied(at, 8 * page);
    mprotect(at + 3 * page, page, PROT_READ | PROT_WRITE);
    expect_copied(at, 8 * page);
}
END_TEST

static const char constants[3 * 4096] = "in the program's file";

START_TEST(file_mapping)
{
    char name[] = "/tmp/byre-cow-XXXXXX";
    int fd = mkstemp(name);

    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_eq(ftruncate(fd, (off_t)(8 * page)), 0);
    char *at = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    fill(at, 4 * page, 1);
    expect_copied(at, 8 * page);
    expect_copied((char *)(uintptr_t)constants, sizeof constants);
    close(fd);
}
END_TEST

START_TEST(many_mappings)
{
    char *at = map_bytes(1000 * page);

    fill(at, 1000 * page, 1);
    for (size_t i = 0; i < 1000; i += 2)
        mprotect(at + i * page, page, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (size_t i = 0; i < 1000; i += 2) madvise(at + i * page, page, MADV_DONTFORK);
    for (size_t i = 0; i < 1000; i += 2) mprotect(at + i * page, page, PROT_READ | PROT_WRITE);
    expect_copied(at, 1000 * page);
}
END_TEST

/* Several mappings, but not many, and not at places that suit us. */
START_TEST(some_mappings)
{
    char *at = map_bytes(100 * page);

    madvise(at + 13 * page, 40 * page, MADV_DONTFORK);
    write_and_read_while_away(at + 10, 90 * page);
    const char *image;
    byre__cow_t *cow = begin(at + 10, 90 * page, &image);
    at[14 * page] = 1;
    at[60 * page] = 1;
    byre__cow_end(cow);
    at[14 * page] = 2;
}
END_TEST

START_TEST(unmapped)
{
    char *at = map_bytes(16 * page);

    fill(at, 16 * page, 1);
    munmap(at + 8 * page, page);
    ck_assert_int_eq(begin_error(at, 16 * page), BYRE_EINVAL);
    ck_assert_int_eq(begin_error(at + 8 * page + 1, 1), BYRE_EINVAL);
    ck_assert_int_eq(begin_error((void *)8, 8), BYRE_EINVAL);
    ck_assert_int_eq(begin_error(at, SIZE_MAX), BYRE_EINVAL);
    ck_assert_int_eq(begin_error(at, SIZE_MAX / 2), BYRE_EINVAL);
    mprotect(at, page, PROT_NONE);
    ck_assert_int_eq(begin_error(at, 4 * page), BYRE_EINVAL);
    ck_assert_int_eq(begin_error(at + page, 7 * page), BYRE_OK);
}
END_TEST

/* Under AddressSanitizer a local array may lie elsewhere: alloca does not. */
__attribute__((no_sanitize("address"))) static int send_from_stack(size_t bytes)
{
    char *local = __builtin_alloca(bytes); /* cppcheck-suppress allocaCalled */

    memset(local, 1, bytes);
    return begin_error(local, bytes);
}

static void *stack_of_a_thread(void *arg)
{
    *(int *)arg = send_from_stack(40 * page);
    return NULL;
}

START_TEST(own_stack)
{
    pthread_t thread;
    int error = BYRE_OK;

    ck_assert_int_eq(send_from_stack(40 * page), BYRE_EINVAL);
    ck_assert_int_eq(send_from_stack(100), BYRE_EINVAL);
    pthread_create(&thread, NULL, stack_of_a_thread, &error);
    pthread_join(thread, NULL);
    ck_assert_int_eq(error, BYRE_EINVAL);
}
END_TEST

/* ---- what stays behind: nothing -------------------------------------------------------------------------- */

START_TEST(mappings_merge_again)
{
    char *at = map_bytes(200 * page);
    const char *image;

    fill(at, 200 * page, 1);
    byre__cow_end(begin(at + 10, 190 * page, &image));
    unsigned before = count_mappings();
    for (int i = 0; i < 1000; i++) byre__cow_end(begin(at + 10, 190 * page, &image));
    ck_assert_uint_le(count_mappings(), before);
    ck_assert(is_filled(at, 200 * page, 1));
}
END_TEST

/* Touched every time, at changing places. Pages that are moved in, for want of /proc/self/mem, do leave
 * seams; when there are too many of them the buffer is copied. */
START_TEST(mappings_merge_after_faults)
{
    char *at = map_bytes(2000 * page);
    unsigned most = byre__cow_no_proc_mem ? 2 * BYRE__COW_PIECES : 2;
    const char *image;

    fill(at, 2000 * page, 1);
    unsigned before = count_mappings();
    for (int i = 0; i < 300; i++) {
        byre__cow_t *cow = begin(at + 10, 1900 * page, &image);
        for (size_t j = 0; j < 10; j++) at[(1 + (size_t)rand() % 1900) * page]++;
        byre__cow_end(cow);
    }
    ck_assert_uint_le(count_mappings(), before + most);
}
END_TEST

START_TEST(locked_memory)
{
    char *at = map_bytes(64 * page);
    const char *image;

    fill(at, 64 * page, 1);
    if (mlock(at, 64 * page)) return; /* not allowed here */
    byre__cow_t *cow = begin(at, 64 * page, &image);
    at[5 * page] = 1;
    byre__cow_end(cow);
    /* The kernel refuses this advice for locked memory. */
    for (size_t i = 0; i < 64; i++)
        ck_assert(madvise(at + i * page, page, MADV_COLD) != 0 && errno == EINVAL);
}
END_TEST

/* ---- many threads ------------------------------------------------------------------------------------------ */

enum { WRITERS = 3, SHOTS = 100 };

static char *arena;
static size_t arena_bytes;
static _Atomic bool over;

static bool may_write(size_t offset)
{
    return !UNDER_TSAN || (offset >= page && arena_bytes - offset > page);
}

/* Each word only grows, and no two snapshots may go backwards: nobody saw an empty page. */
static void *hammer(void *arg)
{
    size_t words = arena_bytes / sizeof(uint64_t);
    unsigned seed = (unsigned)(uintptr_t)arg;

    while (!over) {
        size_t at = (size_t)rand_r(&seed) % words;
        if (at % WRITERS != (uintptr_t)arg || !may_write(at * sizeof(uint64_t))) continue;
        _Atomic uint64_t *word = (_Atomic uint64_t *)(void *)arena + at;
        uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
        if (old == 0) abort();
        atomic_store_explicit(word, old + 1, memory_order_relaxed);
    }
    return NULL;
}

static uint64_t sum_of(const char *at)
{
    const uint64_t *word = (const uint64_t *)(const void *)at;
    uint64_t sum = 0;

    for (size_t i = 0; i < arena_bytes / sizeof *word; i++) {
        if (word[i] == 0) return 0;
        sum = sum * 31 + word[i];
    }
    return sum;
}

/* Several at once of the same buffer, too: the writers are in the way of all of them. */
static void *snapshots_on(void *arg)
{
    const void *image;
    byre__cow_t *cow;

    (void)arg;
    for (int i = 0; i < SHOTS; i++) {
        if (byre__cow_begin(arena, arena_bytes, &cow, &image)) abort();
        uint64_t first = sum_of(image);
        sched_yield();
        if (first == 0 || sum_of(image) != first) abort(); /* the image does not change */
        byre__cow_end(cow);
    }
    return NULL;
}

static void run_hammers(size_t bytes, size_t offset, int shooters)
{
    pthread_t writers[WRITERS], shooter[4];

    arena_bytes = bytes;
    arena = map_bytes(bytes + offset + page) + offset;
    for (size_t i = 0; i < bytes / 8; i++) ((uint64_t *)(void *)arena)[i] = 1;
    for (uintptr_t i = 0; i < WRITERS; i++) pthread_create(&writers[i], NULL, hammer, (void *)i);
    for (int i = 0; i < shooters; i++) pthread_create(&shooter[i], NULL, snapshots_on, NULL);
    for (int i = 0; i < shooters; i++) pthread_join(shooter[i], NULL);
    over = true;
    for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    ck_assert_uint_gt(sum_of(arena), 0);
}

START_TEST(under_writers)
{
    run_hammers(64 * page, 0, 1);
    ck_assert_uint_gt(byre__counters.cow_faults, 0);
}
END_TEST

START_TEST(under_writers_unaligned)
{
    run_hammers(37 * page + 48, 1000, 1);
}
END_TEST

START_TEST(several_under_writers)
{
    run_hammers(20 * page, 16, 3);
}
END_TEST

static void *end_elsewhere(void *cow)
{
    byre__cow_end(cow);
    return NULL;
}

START_TEST(ended_by_another_thread)
{
    char *at = map_bytes(64 * page);
    const char *image;
    pthread_t thread;

    fill(at, 64 * page, 1);
    byre__cow_t *cow = begin(at, 64 * page, &image);
    pthread_create(&thread, NULL, end_elsewhere, cow);
    pthread_join(thread, NULL);
    ck_assert(is_filled(at, 64 * page, 1));
}
END_TEST

/* ---- limits of the kernel ---------------------------------------------------------------------------------- */

/* Uses up all mappings but about `leave`: neighbours differ, so that they do not merge. False: there are
 * too many. */
static bool use_up_mappings(unsigned leave)
{
    enum { MOST = 300000 };
    char *at =
        mmap(NULL, MOST * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t i = 1;

    ck_assert_ptr_ne(at, MAP_FAILED);
    while (i < MOST && mprotect(at + i * page, page, PROT_READ) == 0) i += 2;
    for (unsigned j = 0; j < leave; j++) mprotect(at + (i - 2 * (j + 1)) * page, page, PROT_NONE);
    if (i >= MOST) puts("cow: vm.max_map_count is too high to be tested");
    return i < MOST;
}

/* C6: with no mapping left to split, the first access brings everything home. */
START_TEST(no_mappings_left)
{
    char *at = map_bytes(640 * page);
    const char *image;

    fill(at, 640 * page, 1);
    byre__cow_t *cow = begin(at + 9, 630 * page, &image);
    bool used_up = use_up_mappings(0);
    at[100 * page] = 1;
    at[300 * page] = 1;
    ck_assert_int_eq(at[300 * page], 1);
    ck_assert_int_ne(image[300 * page - 9], 1);
    if (used_up) ck_assert(kernel_can_read(at + 500 * page, page));
    byre__cow_end(cow);
    if (used_up) expect_copied(at + 9, 630 * page);
}
END_TEST

static _Atomic int ready;

static void *touch_every_chunk(void *at)
{
    ready++;
    while (ready <= WRITERS) sched_yield();
    for (size_t i = 0; i < 40; i++) *(volatile char *)((char *)at + i * 16 * page) = 3;
    return NULL;
}

/* One brings everything home, the others wait for it. */
START_TEST(no_mappings_left_for_several)
{
    char *at = map_bytes(640 * page);
    pthread_t threads[WRITERS];
    const char *image;

    fill(at, 640 * page, 1);
    byre__cow_t *cow = begin(at, 640 * page, &image);
    for (int i = 0; i < WRITERS; i++) pthread_create(&threads[i], NULL, touch_every_chunk, at);
    while (ready < WRITERS) sched_yield();
    use_up_mappings(0);
    ready++;
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    ck_assert(is_filled(image, 640 * page, 1));
    for (size_t i = 0; i < 40; i++) ck_assert_int_eq(at[i * 16 * page], 3);
    byre__cow_end(cow);
}
END_TEST

START_TEST(no_mappings_left_at_the_end)
{
    char *at = map_bytes(640 * page);
    const char *image;

    fill(at, 640 * page, 1);
    byre__cow_t *cow = begin(at + 9, 630 * page, &image);
    touch(at + 100 * page);
    use_up_mappings(0);
    byre__cow_end(cow);
    ck_assert(is_filled(at, 640 * page, 1));
}
END_TEST

START_TEST(few_mappings_left)
{
    char *at = map_bytes(640 * page);

    fill(at, 640 * page, 1);
    use_up_mappings((unsigned)_i);
    const char *image;
    byre__cow_t *cow = begin(at + 9, 630 * page, &image);
    touch(at + 100 * page);
    touch(at + 300 * page);
    byre__cow_end(cow);
    ck_assert(is_filled(at, 640 * page, 1));
}
END_TEST

START_TEST(no_address_space)
{
    struct rlimit limit;
    size_t bytes = (size_t)32 << 20;
    char *at = map_bytes(bytes);

    fill(at, bytes, 1);
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = bytes; /* less than is in use */
    setrlimit(RLIMIT_AS, &limit);
    int error = begin_error(at, bytes);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
    ck_assert_int_eq(error, BYRE_ENOMEM);
    ck_assert(is_filled(at, bytes, 1));
}
END_TEST

/* The library's mremap, by which pages leave and come home: refuses from the given call on, or only it. */
static _Atomic int refuse_from = -1, refuse_only = -1, mremap_calls;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void *mremap(void *from, size_t old_bytes, size_t new_bytes, int flags, ...)
{
    int call = mremap_calls++;
    va_list more;

    if (call == refuse_only || (refuse_from >= 0 && call >= refuse_from)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    va_start(more, flags);
    long at = syscall(SYS_mremap, from, old_bytes, new_bytes, flags, va_arg(more, void *));
    va_end(more);
    return (void *)at;
}

/* Three mappings to be moved there and back. */
static void send_with_refusals(void)
{
    char *at = map_bytes(100 * page);
    const char *image;

    fill(at, 100 * page, 1);
    madvise(at + 16 * page, 48 * page, MADV_DONTFORK);
    mremap_calls = 0;
    byre__cow_t *cow = begin(at, 100 * page, &image);
    ck_assert(is_filled(image, 100 * page, 1));
    at[20 * page]++;
    ck_assert(is_filled(image, 100 * page, 1));
    at[20 * page]--;
    byre__cow_end(cow);
    ck_assert(is_filled(at, 100 * page, 1));
    ck_assert(kernel_can_read(at, page));
    ck_assert(kernel_can_read(at + 99 * page, page));
}

START_TEST(moves_refused)
{
    refuse_from = _i;
    send_with_refusals();
    refuse_from = -1;
    refuse_only = _i;
    send_with_refusals();
}
END_TEST

/* Nothing helps: the program is told why, and dies of its access. */
static void touch_without_way_out(void)
{
    const char *image;
    char *at = map_bytes(64 * page);

    byre__cow_no_proc_mem = true;
    begin(at, 64 * page, &image);
    if (use_up_mappings(0)) at[20 * page] = 1;
    kill(getpid(), SIGSEGV);
}

START_TEST(no_way_out)
{
    struct rlimit none = { 0, 0 };
    int status, pipes[2];
    char text[512] = "";

    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &none);
        alarm(20);
        dup2(pipes[1], STDERR_FILENO);
        touch_without_way_out();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    ck_assert_int_gt(read(pipes[0], text, sizeof text - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, "vm.max_map_count"));
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

/* C5: what the application protects itself is not given back to it. */
START_TEST(own_protection)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct rlimit none = { 0, 0 };
        const char *image;
        setrlimit(RLIMIT_CORE, &none);
        alarm(20);
        char *at = map_bytes(8 * page);
        begin(at, 8 * page, &image);
        at[0] = 1;
        mprotect(at, page, PROT_READ);
        at[0] = 2;
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
END_TEST

/* The child's accesses are its own affair. */
START_TEST(forked)
{
    char *at = map_bytes(64 * page);
    const char *image;
    int status;

    fill(at, 64 * page, 1);
    byre__cow_t *cow = begin(at, 64 * page, &image);
    char first = at[0];
    at[0] = 5;
    pid_t child = fork();
    if (child == 0) {
        at[0] = first;
        if (!is_filled(at, 64 * page, 1)) _exit(1);
        memset(at, 9, 64 * page);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(at[0], 5);
    at[0] = first;
    ck_assert(is_filled(at, 64 * page, 1));
    ck_assert(is_filled(image, 64 * page, 1));
    byre__cow_end(cow);
}
END_TEST

/* ---- what it costs ------------------------------------------------------------------------------------------ */

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

enum { REPS = 200 };

static double median(double *times)
{
    qsort(times, REPS, sizeof *times, ascending);
    return times[REPS / 2];
}

static void print_cost(size_t bytes)
{
    static double copy[REPS], cow[REPS], touched[REPS];
    char *at = map_bytes(bytes), *to = map_bytes(bytes);
    const char *image;

    fill(at, bytes, 1);
    fill(to, bytes, 1);
    for (int i = 0; i < REPS; i++) {
        double start = now_us();
        memcpy(to, at, bytes);
        __asm__ volatile("" ::"r"(to) : "memory");
        copy[i] = now_us() - start;
        start = now_us();
        byre__cow_end(begin(at, bytes, &image));
        cow[i] = now_us() - start;
        start = now_us();
        byre__cow_t *snapshot = begin(at, bytes, &image);
        at[bytes / 2] = 1;
        byre__cow_end(snapshot);
        touched[i] = now_us() - start;
    }
    printf("cow: %5zu KiB: memcpy %.1f us, begin+end %.1f us, with one access %.1f us\n",
           bytes >> 10, median(copy), median(cow), median(touched));
    munmap(at, bytes);
    munmap(to, bytes);
}

START_TEST(cost)
{
    for (size_t bytes = 64 << 10; bytes <= 16 << 20; bytes *= 4) print_cost(bytes);
}
END_TEST

/* ---- the suite ---------------------------------------------------------------------------------------------- */

/* The behaviour must be the same however the kernel is asked. */
static TCase *behaviour(const char *name, void (*fixture)(void))
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, fixture, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, anonymous_memory);
    tcase_add_test(tcase, unaligned);
    tcase_add_test(tcase, heap);
    tcase_add_test(tcase, never_touched_before);
    tcase_add_test(tcase, large);
    tcase_add_test(tcase, shared_pages);
    tcase_add_test(tcase, shared_by_three);
    tcase_add_test(tcase, part_of_another);
    tcase_add_test(tcase, not_shared_when_changed);
    tcase_add_test(tcase, overlapping);
    tcase_add_test(tcase, resolved_for_the_kernel);
    tcase_add_test(tcase, small);
    tcase_add_test(tcase, shared_mapping);
    tcase_add_test(tcase, read_only_memory);
    tcase_add_test(tcase, file_mapping);
    tcase_add_test(tcase, many_mappings);
    tcase_add_test(tcase, some_mappings);
    tcase_add_test(tcase, unmapped);
    tcase_add_test(tcase, own_stack);
    tcase_add_test(tcase, ended_by_another_thread);
    if (!UNDER_TSAN || fixture != setup_without_proc_mem) {
        tcase_add_test(tcase, under_writers);
        tcase_add_test(tcase, under_writers_unaligned);
        tcase_add_test(tcase, several_under_writers);
    }
    if (!SANITIZED) {
        tcase_add_test(tcase, mappings_merge_again);
        tcase_add_test(tcase, mappings_merge_after_faults);
        tcase_add_test(tcase, locked_memory);
    }
    return tcase;
}

static TCase *limits(void)
{
    TCase *tcase = tcase_create("limits");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, own_protection);
    tcase_add_test(tcase, forked);
    tcase_add_test(tcase, cost);
    tcase_add_loop_test(tcase, moves_refused, 0, 8);
    if (!SANITIZED) {
        tcase_add_test(tcase, no_way_out);
        tcase_add_test(tcase, no_mappings_left);
        tcase_add_test(tcase, no_mappings_left_for_several);
        tcase_add_test(tcase, no_mappings_left_at_the_end);
        tcase_add_loop_test(tcase, few_mappings_left, 0, 12);
        tcase_add_test(tcase, no_address_space);
    }
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("cow");

    suite_add_tcase(suite, behaviour("usual", setup));
    suite_add_tcase(suite, behaviour("without /proc/self/mem", setup_without_proc_mem));
    suite_add_tcase(suite, behaviour("maps as text", setup_maps_as_text));
    suite_add_tcase(suite, limits());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
