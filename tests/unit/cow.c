/* SPDX-License-Identifier: BSD-3-Clause */
/* Copy-on-write snapshots, one thread at a time: invariants S1-S4 of runtime/cow.c. */
#include "cow_testing.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

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

/* ---- the suite ---------------------------------------------------------------------------------------------- */

static void add_tests(TCase *tcase, bool proc_mem)
{
    (void)proc_mem;
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
    if (!SANITIZED) {
        tcase_add_test(tcase, mappings_merge_again);
        tcase_add_test(tcase, mappings_merge_after_faults);
        tcase_add_test(tcase, locked_memory);
    }
}

int main(void)
{
    return run_suite(in_all_ways("cow", add_tests));
}
