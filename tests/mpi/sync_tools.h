/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of synchronisation share: numbers at rank 0 that are read and written by messages, with
 * nothing to protect them; threads. */
#ifndef SYNC_TOOLS_H
#define SYNC_TOOLS_H

#include "testing.h"
#include <pthread.h>

enum { AM_PEEK = 100, AM_POKE, CELLS = 16, PORT_GO = 900 };

static int64_t cells[CELLS]; /* rank 0's, touched by its handlers only */

struct poke {
    int64_t value;
    int cell;
};

static inline void on_peek(const byre_am_t *am, void *arg)
{
    int cell;
    (void)arg;
    memcpy(&cell, am->data, sizeof cell);
    EXPECT(BYRE_OK, byre_am_reply(am, &cells[cell], sizeof cells[cell]));
}

static inline void on_poke(const byre_am_t *am, void *arg)
{
    struct poke poke;
    (void)arg;
    memcpy(&poke, am->data, sizeof poke);
    cells[poke.cell] = poke.value;
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

static inline int64_t peek(int cell)
{
    int64_t value = -1;
    EXPECT(BYRE_OK, byre_am_request(0, AM_PEEK, &cell, sizeof cell, &value, sizeof value, NULL));
    return value;
}

static inline void poke(int cell, int64_t value)
{
    struct poke text = { .value = value, .cell = cell };
    EXPECT(BYRE_OK, byre_am_request(0, AM_POKE, &text, sizeof text, NULL, 0, NULL));
}

static inline void start_with_cells(void)
{
    start();
    EXPECT(BYRE_OK, byre_am_register(AM_PEEK, on_peek, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(AM_POKE, on_poke, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
}

/* Every rank gets what `from` has. */
static inline void share(int from, void *object, size_t bytes)
{
    if (me != from) {
        EXPECT(BYRE_OK, byre_recv(PORT_GO, from, object, bytes, NULL));
        return;
    }
    for (int r = 0; r < ranks; r++)
        if (r != me) EXPECT(BYRE_OK, byre_send(at(r, PORT_GO), object, bytes));
}

/* Run fn(0) ... fn(count - 1), each in a thread of its own. */
static inline void in_threads(int count, void *(*fn)(void *))
{
    pthread_t threads[16];
    CHECK(count <= (int)LENGTH(threads));
    for (int i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, fn, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < count; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

#endif
