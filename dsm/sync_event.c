/* SPDX-License-Identifier: BSD-3-Clause */
/* Events: a flag at the home, and those who wait for it. Described in sync.h. */
#include "sync.h"

typedef struct event {
    byre__sync_object_t base;
    byre__sync_queue_t queue; /* empty when it is set */
    bool set;
} event_t;

/* ---- home ------------------------------------------------------------------------------------- */

static void set(event_t *event)
{
    event->set = true;
    for (const byre__sync_node_t *node = event->queue.first; node != NULL; node = node->next)
        byre__sync_grant(node, BYRE_OK);
    byre__sync_clear(&event->queue);
}

static void handle(byre__sync_object_t *object, int source, const byre__sync_request_t *request)
{
    event_t *event = (event_t *)object;
    int error = BYRE_OK;
    switch (request->op) {
    case BYRE__OP_SET:
        set(event);
        break;
    case BYRE__OP_RESET:
        event->set = false;
        break;
    case BYRE__OP_WAIT:
        if (event->set) break;
        if (byre__sync_push(&event->queue, source, request->token) != NULL) return;
        error = BYRE_ENOMEM;
        break;
    case BYRE__OP_TRYWAIT:
        if (!event->set) error = BYRE_EAGAIN;
        break;
    default:
        error = BYRE_EPROTO;
    }
    byre__sync_answer(source, request->token, error, 0);
}

static void peer_gone(byre__sync_object_t *object, int rank)
{
    byre__sync_remove_rank(&((event_t *)object)->queue, rank);
}

static bool busy(const byre__sync_object_t *object)
{
    return ((const event_t *)object)->queue.first != NULL;
}

static void clear(byre__sync_object_t *object)
{
    byre__sync_clear(&((event_t *)object)->queue);
}

const byre__sync_class_t byre__sync_event_class = {
    .bytes = sizeof(event_t),
    .handle = handle,
    .peer_gone = peer_gone,
    .busy = busy,
    .clear = clear,
};

/* ---- the public face ------------------------------------------------------------------------ */

static const uint64_t *id_of(const byre_dsm_event_t *event)
{
    return event != NULL ? &event->id : NULL;
}

int byre_dsm_event_create(int home, byre_dsm_event_t *event_out)
{
    return byre__sync_create(BYRE__SYNC_EVENT, home, 0, event_out != NULL ? &event_out->id : NULL);
}

int byre_dsm_event_destroy(const byre_dsm_event_t *event)
{
    return byre__sync_destroy(id_of(event), BYRE__SYNC_EVENT);
}

int byre_dsm_event_set(const byre_dsm_event_t *event)
{
    return byre__sync_simple(id_of(event), BYRE__SYNC_EVENT, BYRE__OP_SET, 0, 0, NULL);
}

int byre_dsm_event_reset(const byre_dsm_event_t *event)
{
    return byre__sync_simple(id_of(event), BYRE__SYNC_EVENT, BYRE__OP_RESET, 0, 0, NULL);
}

int byre_dsm_event_wait(const byre_dsm_event_t *event)
{
    return byre__sync_simple(id_of(event), BYRE__SYNC_EVENT, BYRE__OP_WAIT, 0, 0, NULL);
}

int byre_dsm_event_test(const byre_dsm_event_t *event)
{
    return byre__sync_simple(id_of(event), BYRE__SYNC_EVENT, BYRE__OP_TRYWAIT, 0, 0, NULL);
}
