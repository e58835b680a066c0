/* SPDX-License-Identifier: BSD-3-Clause */
/* What a copy-on-write snapshot costs, beside a copy: printed, not judged. */
#include "cow_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

int main(void)
{
    TCase *tcase = new_case("cost", setup);
    Suite *suite = suite_create("cow_cost");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, cost);
    return run_suite(suite);
}
