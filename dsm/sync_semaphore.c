/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting semaphores (Dijkstra 1965): a value and a queue at the home. Described in sync.h. */
#include "sync.h"

typedef struct semaphore {
    byre__sync_object_t base;
    byre__sync_queue_t queue; /* not empty: value is 0 */
    uint32_t value;
} semaphore_t;

/* ---- home ------------------------------------------------------------------------------------- */

/* 1: the caller waits. */
static int take(semaphore_t *semaphore, int source, const byre__sync_request_t *request)
{
    if (semaphore->value > 0) {
        semaphore->value--;
        return BYRE_OK;
    }
    if (request->op == BYRE__OP_TRYWAIT) return BYRE_EAGAIN;
    return byre__sync_push(&semaphore->queue, source, request->token) != NULL ? 1 : BYRE_ENOMEM;
}

static int post(semaphore_t *semaphore)
{
    if (semaphore->queue.first != NULL) {
        byre__sync_grant(semaphore->queue.first, BYRE_OK);
        byre__sync_remove(&semaphore->queue, &semaphore->queue.first);
        return BYRE_OK;
    }
    if (semaphore->value == UINT32_MAX) return BYRE_ERANGE;
    semaphore->value++;
    return BYRE_OK;
}

static void handle(byre__sync_object_t *object, int source, const byre__sync_request_t *request)
{
    semaphore_t *semaphore = (semaphore_t *)object;
    int error = BYRE_OK;
    switch (request->op) {
    case BYRE__OP_INIT:
        semaphore->value = (uint32_t)request->a;
        break;
    case BYRE__OP_WAIT:
    case BYRE__OP_TRYWAIT:
        error = take(semaphore, source, request);
        break;
    case BYRE__OP_POST:
        error = post(semaphore);
        break;
    default:
        error = BYRE_EPROTO;
    }
    if (error <= 0) byre__sync_answer(source, request->token, error, 0);
}

static void peer_gone(byre__sync_object_t *object, int rank)
{
    byre__sync_remove_rank(&((semaphore_t *)object)->queue, rank);
}

static bool busy(const byre__sync_object_t *object)
{
    return ((const semaphore_t *)object)->queue.first != NULL;
}

static void clear(byre__sync_object_t *object)
{
    byre__sync_clear(&((semaphore_t *)object)->queue);
}

const byre__sync_class_t byre__sync_semaphore_class = {
    .bytes = sizeof(semaphore_t),
    .handle = handle,
    .peer_gone = peer_gone,
    .busy = busy,
    .clear = clear,
};

/* ---- the public face ------------------------------------------------------------------------ */

static const uint64_t *id_of(const byre_dsm_semaphore_t *semaphore)
{
    return semaphore != NULL ? &semaphore->id : NULL;
}

int byre_dsm_semaphore_create(int home, uint32_t value, byre_dsm_semaphore_t *semaphore_out)
{
    return byre__sync_create(BYRE__SYNC_SEMAPHORE, home, value,
                             semaphore_out != NULL ? &semaphore_out->id : NULL);
}

int byre_dsm_semaphore_destroy(const byre_dsm_semaphore_t *semaphore)
{
    return byre__sync_destroy(id_of(semaphore), BYRE__SYNC_SEMAPHORE);
}

int byre_dsm_semaphore_wait(const byre_dsm_semaphore_t *semaphore)
{
    return byre__sync_simple(id_of(semaphore), BYRE__SYNC_SEMAPHORE, BYRE__OP_WAIT, 0, 0, NULL);
}

int byre_dsm_semaphore_trywait(const byre_dsm_semaphore_t *semaphore)
{
    return byre__sync_simple(id_of(semaphore), BYRE__SYNC_SEMAPHORE, BYRE__OP_TRYWAIT, 0, 0, NULL);
}

int byre_dsm_semaphore_post(const byre_dsm_semaphore_t *semaphore)
{
    return byre__sync_simple(id_of(semaphore), BYRE__SYNC_SEMAPHORE, BYRE__OP_POST, 0, 0, NULL);
}
