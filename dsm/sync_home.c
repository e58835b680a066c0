/* SPDX-License-Identifier: BSD-3-Clause */
/* What a home keeps: a table of objects, and queues of those who wait. Engine only. See sync.h. */
#include "sync.h"

#include "log.h"
#include "node.h"
#include <stdlib.h>
#include <string.h>

enum { FEWEST_BUCKETS = 64 };

static struct {
    byre__sync_object_t **buckets;
    size_t count, size; /* size: buckets, a power of two */
    byre__sync_node_t *free_nodes;
} home;

static const byre__sync_class_t *const classes[BYRE__SYNC_KINDS] = {
    [BYRE__SYNC_LOCK] = &byre__sync_lock_class,
    [BYRE__SYNC_RWLOCK] = &byre__sync_rwlock_class,
    [BYRE__SYNC_CONDITION] = &byre__sync_condition_class,
    [BYRE__SYNC_SEMAPHORE] = &byre__sync_semaphore_class,
    [BYRE__SYNC_EVENT] = &byre__sync_event_class,
    [BYRE__SYNC_COUNTER] = &byre__sync_counter_class,
};

/* ---- the table --------------------------------------------------------------------------------- */

static size_t bucket_of(uint64_t id, size_t size)
{
    return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (size - 1);
}

static byre__sync_object_t **find(uint64_t id)
{
    if (home.size == 0) return NULL;
    byre__sync_object_t **at = &home.buckets[bucket_of(id, home.size)];
    while (*at != NULL && (*at)->id != id) at = &(*at)->next;
    return *at != NULL ? at : NULL;
}

/* Without memory the chains become longer. */
static bool grow(void)
{
    if (home.count < home.size) return true;
    size_t size = home.size == 0 ? FEWEST_BUCKETS : 2 * home.size;
    byre__sync_object_t **buckets = calloc(size, sizeof(byre__sync_object_t *));
    if (buckets == NULL) return home.size > 0;
    for (size_t i = 0; i < home.size; i++) {
        for (byre__sync_object_t *object = home.buckets[i], *next; object != NULL; object = next) {
            byre__sync_object_t **at = &buckets[bucket_of(object->id, size)];
            next = object->next;
            object->next = *at;
            *at = object;
        }
    }
    free(home.buckets);
    home.buckets = buckets;
    home.size = size;
    return true;
}

static byre__sync_object_t *find_or_make(uint64_t id, const byre__sync_class_t *class)
{
    byre__sync_object_t **at = find(id);
    if (at != NULL) return *at;
    byre__sync_object_t *object = grow() ? calloc(1, class->bytes) : NULL;
    if (object == NULL) return NULL;
    object->id = id;
    at = &home.buckets[bucket_of(id, home.size)];
    object->next = *at;
    *at = object;
    home.count++;
    return object;
}

static int destroy(uint64_t id, const byre__sync_class_t *class)
{
    byre__sync_object_t **at = find(id);
    if (at == NULL) return BYRE_OK;
    byre__sync_object_t *object = *at;
    if (class->busy != NULL && class->busy(object)) return BYRE_EBUSY;
    *at = object->next;
    free(object);
    home.count--;
    return BYRE_OK;
}

/* ---- what comes -------------------------------------------------------------------------------- */

void byre__sync_serve(int source, const byre__sync_request_t *request)
{
    byre__sync_kind_t kind = byre__sync_kind(request->id);
    const byre__sync_class_t *class = kind < BYRE__SYNC_KINDS ? classes[kind] : NULL;
    bool leaves = request->op == BYRE__OP_RELEASE || request->op == BYRE__OP_LEAVE;
    if (class == NULL) {
        byre__sync_answer(source, request->token, BYRE_EPROTO, 0);
    } else if (request->op == BYRE__OP_DESTROY) {
        byre__sync_answer(source, request->token, destroy(request->id, class), 0);
    } else if (!leaves || find(request->id) != NULL) {
        byre__sync_object_t *object = find_or_make(request->id, class);
        if (object != NULL)
            class->handle(object, source, request);
        else
            byre__sync_answer(source, request->token, BYRE_ENOMEM, 0);
    }
}

void byre__sync_on_request(const byre_am_t *am, void *arg)
{
    byre__sync_request_t request;
    (void)arg;
    if (am->bytes < sizeof request) {
        byre__error("a synchronisation request from rank %d is damaged: %zu bytes", am->source,
                    am->bytes);
        return;
    }
    memcpy(&request, am->data, sizeof request);
    byre__sync_serve(am->source, &request);
}

void byre__sync_home_peer_gone(int rank)
{
    for (size_t i = 0; i < home.size; i++) {
        for (byre__sync_object_t *object = home.buckets[i]; object != NULL; object = object->next) {
            const byre__sync_class_t *class = classes[byre__sync_kind(object->id)];
            if (class->peer_gone != NULL) class->peer_gone(object, rank);
        }
    }
}

void byre__sync_home_stop(void)
{
    for (size_t i = 0; i < home.size; i++) {
        for (byre__sync_object_t *object = home.buckets[i], *next; object != NULL; object = next) {
            const byre__sync_class_t *class = classes[byre__sync_kind(object->id)];
            next = object->next;
            if (class->clear != NULL) class->clear(object);
            free(object);
        }
    }
    while (home.free_nodes != NULL) {
        byre__sync_node_t *node = home.free_nodes;
        home.free_nodes = node->next;
        free(node);
    }
    free(home.buckets);
    memset(&home, 0, sizeof home);
}

/* ---- queues ------------------------------------------------------------------------------------ */

/* A queue that is all zero is empty. */
byre__sync_node_t *byre__sync_push(byre__sync_queue_t *queue, int rank, uint64_t token)
{
    byre__sync_node_t *node = home.free_nodes;
    if (node != NULL)
        home.free_nodes = node->next;
    else if ((node = malloc(sizeof *node)) == NULL)
        return NULL;
    *node = (byre__sync_node_t){ .token = token, .rank = rank, .granted_by = BYRE_ANY };
    if (queue->first == NULL) queue->end = &queue->first;
    *queue->end = node;
    queue->end = &node->next;
    return node;
}

void byre__sync_remove(byre__sync_queue_t *queue, byre__sync_node_t **at)
{
    byre__sync_node_t *node = *at;
    *at = node->next;
    if (queue->end == &node->next) queue->end = at;
    node->next = home.free_nodes;
    home.free_nodes = node;
}

void byre__sync_remove_rank(byre__sync_queue_t *queue, int rank)
{
    for (byre__sync_node_t **at = &queue->first; *at != NULL;) {
        if ((*at)->rank == rank)
            byre__sync_remove(queue, at);
        else
            at = &(*at)->next;
    }
}

void byre__sync_clear(byre__sync_queue_t *queue)
{
    while (queue->first != NULL) byre__sync_remove(queue, &queue->first);
}

/* ---- answers ----------------------------------------------------------------------------------- */

void byre__sync_answer(int rank, uint64_t token, int error, uint64_t value)
{
    byre__sync_grant_t grant = { .token = token, .value = value, .error = error };
    if (rank == byre__nodes.rank)
        byre__sync_slot_answer(token, error, value);
    else
        (void)byre__sync_post(rank, BYRE__SYNC_GRANT, &grant, sizeof grant);
}

void byre__sync_grant(const byre__sync_node_t *node, int error)
{
    byre__sync_answer(node->rank, node->token, error, 0);
}
