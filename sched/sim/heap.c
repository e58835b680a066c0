/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap.c - what happens next: a heap with four children a node, which is less deep than one with two and whose
 * children lie side by side.
 *
 * Invariant: no event comes before its parent, (i - 1) / 4.
 */
#include "sim.h"

#include <stdlib.h>

enum { CHILDREN = 4 };

static bool before(const sim_event_t *a, const sim_event_t *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

bool sim_heap_put(sim_heap_t *heap, sim_event_t event)
{
    size_t i = heap->count;

    if (heap->count == heap->room) {
        size_t room = heap->room ? 2 * heap->room : 1024;
        sim_event_t *grown = realloc(heap->event, room * sizeof *grown);

        if (!grown) {
            return false;
        }
        heap->event = grown;
        heap->room = room;
    }
    event.order = heap->orders++;
    heap->count++;
    while (i > 0 && before(&event, &heap->event[(i - 1) / CHILDREN])) {
        heap->event[i] = heap->event[(i - 1) / CHILDREN];
        i = (i - 1) / CHILDREN;
    }
    heap->event[i] = event;
    return true;
}

static size_t least_child(const sim_heap_t *heap, size_t i)
{
    size_t first = i * CHILDREN + 1, least = first;
    size_t end = first + CHILDREN < heap->count ? first + CHILDREN : heap->count;

    for (size_t child = first + 1; child < end; child++) {
        if (before(&heap->event[child], &heap->event[least])) {
            least = child;
        }
    }
    return least;
}

bool sim_heap_take(sim_heap_t *heap, sim_event_t *event_out)
{
    sim_event_t last;
    size_t i = 0, child;

    if (heap->count == 0) {
        return false;
    }
    *event_out = heap->event[0];
    last = heap->event[--heap->count];
    while ((child = least_child(heap, i)) < heap->count && before(&heap->event[child], &last)) {
        heap->event[i] = heap->event[child];
        i = child;
    }
    heap->event[i] = last;
    return true;
}

void sim_heap_fini(sim_heap_t *heap)
{
    free(heap->event);
    *heap = (sim_heap_t){ 0 };
}
