/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors of the application beside shared memory. argv[1]: which; see dsm_wild.sh. */
#include "../mpi/testing.h"
#include <setjmp.h>

static sigjmp_buf back;
static volatile sig_atomic_t caught;
static volatile char *volatile wild;

static void leave_by_jump(int number)
{
    (void)number;
    caught++;
    siglongjmp(back, 1);
}

/* The application's own handler, which was there first, gets its faults and leaves by a jump. Shared memory
 * goes on all the time, and so do the errors. */
static void jumps(volatile char *shared, size_t bytes)
{
    for (int i = 1; i <= 5; i++) {
        EXPECT(BYRE_OK, byre_barrier());
        if (i % ranks == me) shared[0] = shared[4096] = (char)i;
        EXPECT(BYRE_OK, byre_barrier());
        EQUAL(i, shared[0]);
        if (sigsetjmp(back, 1) == 0) {
            if (i % 2)
                *wild = 1;
            else
                (void)shared[bytes + 4096];
            CHECK(!"reached");
        }
        EQUAL(i, caught);
        EQUAL(i, shared[4096]);
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "null";
    byre_dsm_attr_t attr = { .protocol = BYRE_DSM_CONSTANT, .name = "literal" };
    volatile char *shared;
    size_t bytes = 4 * 4096;
    struct sigaction action = { .sa_handler = leave_by_jump };
    if (strcmp(how, "jumps") == 0) sigaction(SIGSEGV, &action, NULL);
    start();
    EXPECT(BYRE_OK, byre_dsm_alloc(bytes, &attr, (void **)&shared));
    if (me == 0) shared[1] = 5;
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(5, shared[1]);
    EXPECT(BYRE_OK, byre_barrier());
    if (strcmp(how, "null") == 0)
        (void)*wild;
    else if (strcmp(how, "null-write") == 0)
        *wild = 1;
    else if (strcmp(how, "behind") == 0)
        (void)shared[bytes];
    else if (strcmp(how, "before") == 0)
        shared[-1] = 1;
    else if (strcmp(how, "jumps") == 0)
        jumps(shared, bytes);
    else if (strcmp(how, "freed") == 0) {
        EXPECT(BYRE_OK, byre_dsm_free((void *)shared));
        (void)shared[1];
    } else if (strcmp(how, "constant") == 0) {
        EXPECT(BYRE_OK, byre_dsm_publish((void *)shared));
        EQUAL(5, shared[1]);
        EXPECT(BYRE_OK, byre_barrier());
        shared[1] = 6;
    }
    EXPECT(BYRE_OK, byre_barrier());
    puts("survived");
    return finish();
}
