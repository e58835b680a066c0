/* SPDX-License-Identifier: BSD-3-Clause */
/* Allocation failures in byre_init and in the shared heap: the n-th thing that it asks for (memory, a mapping, a descriptor, a
 * thread) is refused, for n = 1, 2, ... until it asks no more. Each time byre_init says so or does
 * without; it leaves nothing behind; and the next byre_init works. The heap gives no block, and goes on.
 *
 * The linker sends what Byre's objects call through the functions here (tests/part.mk: --wrap). Only the
 * library's own requests count, not those of libraries below it.
 */
#include "dsm/heap_slice.h"
#include "suite.h"

#include <byre.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is asked for ------------------------------------------------------------------------ */

enum { MOST = 4096 };

static struct {
    bool counting;    /* requests count, and what they got is noted */
    int requests;     /* so far */
    int refuse;       /* the number of the one that fails; 0: none */
    const char *what; /* it was */
    pthread_mutex_t lock;
    void *live[MOST]; /* memory and mappings that were given and not given back */
    int lives;
} book = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool refused(const char *what)
{
    pthread_mutex_lock(&book.lock);
    bool no = book.counting && ++book.requests == book.refuse;
    if (no) book.what = what;
    pthread_mutex_unlock(&book.lock);
    if (no) errno = ENOMEM;
    return no;
}

static void *given(void *memory)
{
    pthread_mutex_lock(&book.lock);
    if (book.counting && memory != NULL && book.lives < MOST) book.live[book.lives++] = memory;
    pthread_mutex_unlock(&book.lock);
    return memory;
}

static void given_back(void *memory)
{
    pthread_mutex_lock(&book.lock);
    for (int i = 0; i < book.lives; i++) {
        if (book.live[i] != memory) continue;
        book.live[i] = book.live[--book.lives];
        break;
    }
    pthread_mutex_unlock(&book.lock);
}

/* WRAP(result, name, parameters, arguments, what a refusal returns) */
#define WRAP(result, name, parameters, arguments, none) \
    result __real_##name parameters;                    \
    result __wrap_##name parameters;                    \
    result __wrap_##name parameters                     \
    {                                                   \
        if (refused(#name)) return none;                \
        return __real_##name arguments;                 \
    }

#define WRAP_MEMORY(name, parameters, arguments) \
    void *__real_##name parameters;              \
    void *__wrap_##name parameters;              \
    void *__wrap_##name parameters               \
    {                                            \
        if (refused(#name)) return NULL;         \
        return given(__real_##name arguments);   \
    }

WRAP_MEMORY(malloc, (size_t bytes), (bytes))
WRAP_MEMORY(calloc, (size_t count, size_t bytes), (count, bytes))
WRAP_MEMORY(aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes))

void *__real_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes)
{
    if (refused("realloc")) return NULL;
    given_back(memory);
    return given(__real_realloc(memory, bytes));
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return refused("strdup") ? NULL : given(__real_strdup(text));
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
    if (memory != NULL) given_back(memory);
    __real_free(memory);
}

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
    if (refused("mmap")) return MAP_FAILED;
    void *memory = __real_mmap(at, bytes, prot, flags, fd, offset);
    if (memory != MAP_FAILED && (flags & MAP_FIXED) == 0) (void)given(memory);
    return memory;
}

int __real_munmap(void *memory, size_t bytes);
int __wrap_munmap(void *memory, size_t bytes);
int __wrap_munmap(void *memory, size_t bytes)
{
    given_back(memory);
    return __real_munmap(memory, bytes);
}

WRAP(int, eventfd, (unsigned value, int flags), (value, flags), -1)
WRAP(int, epoll_create1, (int flags), (flags), -1)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
WRAP(DIR *, opendir, (const char *path), (path), NULL)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg),
     (thread, attributes, run, arg), EAGAIN)

/* ---- one attempt, in a process of its own ------------------------------------------------------- */

enum { REFUSED_ONE = 0, ASKED_FOR_LESS = 1, BROKEN = 2 };

static int number;

#define MUST(condition)                                                                         \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            fprintf(stderr, "%s:%d: request %d (%s) refused: %s\n", __FILE__, __LINE__, number, \
                    book.what ? book.what : "none", #condition);                                \
            _exit(BROKEN);                                                                      \
        }                                                                                       \
    } while (0)

static int entries(const char *directory)
{
    DIR *dir = __real_opendir(directory);
    int count = 0;
    MUST(dir != NULL);
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count;
}

static void *nothing(void *arg)
{
    return arg;
}

/* A thread that was joined is in /proc for a moment longer. The test's time limit is the limit. */
static void wait_for_threads(int threads)
{
    while (entries("/proc/self/task") > threads) (void)sched_yield();
}

static void nothing_is_left(int threads, int descriptors, const struct sigaction *segv)
{
    struct sigaction now;
    sigaction(SIGSEGV, NULL, &now);
    MUST(!byre_initialized());
    wait_for_threads(threads);
    MUST(entries("/proc/self/fd") == descriptors);
    MUST(now.sa_handler == segv->sa_handler);
    MUST(book.lives == 0);
}

/* A little of everything. */
static void works(void)
{
    int got = 0;
    MUST(byre_isend_copy((byre_addr_t){ 0, 1 }, &number, sizeof number) == BYRE_OK);
    MUST(byre_recv(1, BYRE_ANY, &got, sizeof got, NULL) == BYRE_OK);
    MUST(got == number);
    MUST(byre_barrier() == BYRE_OK);
}

static int attempt(void)
{
    pthread_t thread;
    struct sigaction segv;

    /* The first thread and the first stream of a process set things up for good. */
    int threads = entries("/proc/self/task");
    MUST(__real_pthread_create(&thread, NULL, nothing, NULL) == 0);
    pthread_join(thread, NULL);
    wait_for_threads(threads);
    int descriptors = entries("/proc/self/fd");
    sigaction(SIGSEGV, NULL, &segv);

    book.refuse = number;
    book.counting = true;
    int error = byre_init();
    int requests = book.requests;
    book.refuse = 0;
    if (requests < number) MUST(error == BYRE_OK);
    MUST(error == BYRE_OK || error == BYRE_ENOMEM || error == BYRE_ESYSTEM);
    if (error != BYRE_OK) {
        nothing_is_left(threads, descriptors, &segv);
        MUST(byre_init() == BYRE_OK);
    }
    works();
    MUST(byre_finalize() == BYRE_OK);
    nothing_is_left(threads, descriptors, &segv);
    book.counting = false;
    return requests < number ? ASKED_FOR_LESS : REFUSED_ONE;
}

START_TEST(every_request_refused_once)
{
    int end = REFUSED_ONE;
    setenv("BYRE_TRANSPORT", "loopback", 1);
    if (_i == 1) setenv("BYRE_SERVICE", "0", 1);
    for (number = 1; end == REFUSED_ONE; number++) {
        int status = 0;
        fflush(NULL);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) _exit(attempt());
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status), "request %d refused: ended by signal %d", number,
                      WTERMSIG(status));
        end = WEXITSTATUS(status);
        ck_assert_msg(end == REFUSED_ONE || end == ASKED_FOR_LESS, "request %d refused", number);
    }
    ck_assert_msg(number > 10, "only %d requests: are they counted?", number);
    printf("%d requests refused one after the other\n", number - 2);
}
END_TEST

/* ---- the shared heap ---------------------------------------------------------------------------- */

/* Check allocates, too: only what the heap asks for counts. */
#define COUNTED(call)          \
    do {                       \
        book.counting = true;  \
        call;                  \
        book.counting = false; \
    } while (0)

/* Blocks of all kinds, one of which may be refused. */
static void use_heap(byre__slice_t *slice)
{
    enum { BLOCKS = 60 };
    void *block[BLOCKS];
    int refusals = 0, error = BYRE_OK;
    for (int i = 0; i < BLOCKS; i++) {
        size_t bytes = i % 3 == 0 ? ((size_t)20 << 20) >> i % 10 : (size_t)i * 40;
        COUNTED(block[i] = byre__slice_take(slice, bytes));
        ck_assert(byre__slice_sound(slice));
        if (block[i] != NULL) continue;
        refusals++;
        COUNTED(block[i] = byre__slice_take(slice, bytes));
        ck_assert_ptr_nonnull(block[i]);
    }
    ck_assert_int_eq(refusals, book.what != NULL);
    int requests = book.requests;
    for (int i = 0; i < BLOCKS; i++) {
        COUNTED(error = byre__slice_give(slice, block[i * 7 % BLOCKS]));
        ck_assert_int_eq(error, BYRE_OK);
    }
    ck_assert_int_eq(book.requests, requests); /* giving back asks for nothing */
    ck_assert(byre__slice_sound(slice));
}

START_TEST(heap)
{
    bool asked = true;
    for (number = 1; asked; number++) {
        byre__slice_t *slice = NULL;
        byre__slice_stats_t stats;
        int error = BYRE_OK;
        book.requests = 0;
        book.refuse = number;
        book.what = NULL;
        COUNTED(error = byre__slice_create((void *)0x200000000000, (size_t)1 << 30, 4096, &slice));
        ck_assert_int_eq(error, book.what != NULL ? BYRE_ENOMEM : BYRE_OK);
        if (error == BYRE_OK) {
            use_heap(slice);
            byre__slice_stats(slice, &stats);
            ck_assert_uint_eq(stats.blocks + stats.bytes + stats.pages, 0);
            ck_assert_uint_eq(stats.free_runs, 1);
            byre__slice_destroy(slice);
        }
        ck_assert_int_eq(book.lives, 0);
        asked = book.what != NULL;
    }
    ck_assert_int_gt(number, 50);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alloc_failure");
    TCase *tcase = tcase_create("byre_init");
    tcase_set_timeout(tcase, 50);
    tcase_add_loop_test(tcase, every_request_refused_once, 0, 2);
    tcase_add_test(tcase, heap);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
