/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several threads of each rank touch shared memory at once: the same page and different ones, reads and
 * writes, application threads and pop-up threads. Each word has one writer, who counts it up; readers never
 * see it go back, nor a number that was not written yet.
 */
#include "testing.h"

#include <pthread.h>

enum {
    PAGES = 6,
    THREADS = 3, /* application threads; one more slot is for pop-up threads */
    STEPS = 150,
    POPUPS = 20, /* messages to each rank */
    POPUP_STEPS = 8,
    PORT = 5,
    WRITERS_MAX = 64
};

static const struct kind {
    const char *name;
    byre_dsm_attr_t attr;
} kinds[] = {
    { "fixed", { .home = BYRE_DSM_HOME_CYCLIC } },
    { "central", { .manager = BYRE_DSM_MANAGER_CENTRAL } },
    { "dynamic", { .manager = BYRE_DSM_MANAGER_DYNAMIC } },
    { "migrate", { .protocol = BYRE_DSM_MIGRATE, .home = BYRE_DSM_HOME_CYCLIC } },
    { "migrate dynamic", { .protocol = BYRE_DSM_MIGRATE, .manager = BYRE_DSM_MANAGER_DYNAMIC } },
    { "unit 2", { .unit_pages = 2 } },
    { "hold", { .hold_us = 100 } },
    { "dynamic hold", { .hold_us = 100, .manager = BYRE_DSM_MANAGER_DYNAMIC } },
    { "freeze", { .freeze_after = 3, .defrost_us = 300, .home = BYRE_DSM_HOME_CYCLIC } },
};

static char *base;
static size_t page;
static const struct kind *kind;
static pthread_barrier_t together;
static _Atomic int popups_done;
static pthread_mutex_t popup_lock =
    PTHREAD_MUTEX_INITIALIZER; /* the pop-up threads' words have one writer */

static int writers(void)
{
    return ranks * (THREADS + 1);
}

/* A page has a word of each writer. */
/* Threads of one rank share words too: so they are atomic, and as cheap as plain ones. */
static _Atomic uint64_t *word(size_t in_page, int writer)
{
    return (_Atomic uint64_t *)(base + in_page * page) + writer;
}

static uint64_t load(size_t in_page, int writer)
{
    return atomic_load_explicit(word(in_page, writer), memory_order_relaxed);
}

static void store(size_t in_page, int writer, uint64_t value)
{
    atomic_store_explicit(word(in_page, writer), value, memory_order_relaxed);
}

/* What one thread knows: how far each word was when it looked last. */
struct view {
    int writer;
    uint64_t state, seen[PAGES][WRITERS_MAX];
};

static void look(struct view *view, size_t in_page, int writer)
{
    uint64_t now = load(in_page, writer), before = view->seen[in_page][writer];
    if (now < before || now > STEPS * POPUPS * POPUP_STEPS ||
        (writer == view->writer && now != before))
        failed(__FILE__, __LINE__, "%s: page %zu, word of writer %d: %llu after %llu", kind->name,
               in_page, writer, (unsigned long long)now, (unsigned long long)before);
    view->seen[in_page][writer] = now;
}

static void step(struct view *view)
{
    size_t in_page = draw(&view->state, PAGES);
    switch (draw(&view->state, 4)) {
    case 0:
        store(in_page, view->writer, ++view->seen[in_page][view->writer]);
        break;
    case 1: /* read and write at once */
        look(view, in_page, view->writer);
        store(in_page, view->writer, load(in_page, view->writer) + 1);
        view->seen[in_page][view->writer]++;
        break;
    default:
        look(view, in_page, (int)draw(&view->state, (uint64_t)writers()));
    }
    if (draw(&view->state, 8) == 0) (void)sched_yield();
}

static void *work(void *arg)
{
    int number = *(int *)arg;
    struct view view = { .writer = me * (THREADS + 1) + number };
    view.state = mix3((uint64_t)view.writer, 1, (uint64_t)(kind - kinds));
    for (int i = 0; i < STEPS; i++) {
        if (i % 25 == 0) { /* all threads of the rank fault on one page in the same moment */
            pthread_barrier_wait(&together);
            look(&view, (size_t)i % PAGES, (view.writer + i) % writers());
        }
        step(&view);
    }
    return NULL;
}

/* A pop-up thread knows nothing of those before it, but what the words say that only they write. */
static void on_message(void *msg, const byre_info_t *info, void *arg)
{
    struct view view = { .writer = me * (THREADS + 1) + THREADS };
    (void)msg, (void)arg;
    pthread_mutex_lock(&popup_lock);
    view.state = mix3((uint64_t)info->source, 2, (uint64_t)atomic_load(&popups_done));
    for (size_t i = 0; i < PAGES; i++) view.seen[i][view.writer] = *word(i, view.writer);
    for (int i = 0; i < POPUP_STEPS; i++) step(&view);
    pthread_mutex_unlock(&popup_lock);
    atomic_fetch_add(&popups_done, 1);
}

static void *send_popups(void *arg)
{
    (void)arg;
    for (int i = 0; i < POPUPS; i++)
        for (int r = 0; r < ranks; r++) EXPECT(BYRE_OK, byre_send(at(r, PORT), &i, sizeof i));
    return NULL;
}

static void run(void)
{
    pthread_t threads[THREADS + 1];
    int numbers[THREADS];
    atomic_store(&popups_done, 0);
    EXPECT(BYRE_OK, byre_dsm_alloc(PAGES * page, &kind->attr, (void **)&base));
    EXPECT(BYRE_OK, byre_port_popup(PORT, on_message, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
    }
    CHECK(pthread_create(&threads[THREADS], NULL, send_popups, NULL) == 0);
    for (int i = 0; i <= THREADS; i++) pthread_join(threads[i], NULL);
    UNTIL(atomic_load(&popups_done) == POPUPS * ranks);
    EXPECT(BYRE_OK, byre_port_popup(PORT, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
}

/* What is written all see, in the end: every rank adds up the same. */
static void same_everywhere(void)
{
    uint64_t sum = 0, first = 0;
    for (size_t i = 0; i < PAGES; i++)
        for (int w = 0; w < writers(); w++) sum = mix(sum + *word(i, w));
    for (int r = 0; r < ranks; r++)
        EXPECT(BYRE_OK, byre_isend_copy(at(r, PORT + 1), &sum, sizeof sum));
    for (int r = 0; r < ranks; r++) {
        EXPECT(BYRE_OK, byre_recv(PORT + 1, r, &first, sizeof first, NULL));
        CHECK(first == sum);
    }
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (writers() > WRITERS_MAX) return finish();
    CHECK(pthread_barrier_init(&together, NULL, THREADS) == 0);
    for (size_t k = 0; k < LENGTH(kinds); k++) {
        double begun = now_s();
        kind = &kinds[k];
        run();
        same_everywhere();
        if (me == 0 && getenv("VERBOSE"))
            fprintf(stderr, "%s: %.3f s\n", kind->name, now_s() - begun);
        EXPECT(BYRE_OK, byre_dsm_free(base));
    }
    return finish();
}
