/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters: 64 bits at the home, where one operation is done after the other. Described in sync.h. */
#include "sync.h"

typedef struct counter {
    byre__sync_object_t base;
    uint64_t value;
} counter_t;

/* ---- home ------------------------------------------------------------------------------------- */

static void handle(byre__sync_object_t *object, int source, const byre__sync_request_t *request)
{
    counter_t *counter = (counter_t *)object;
    uint64_t old = counter->value;
    int error = BYRE_OK;
    switch (request->op) {
    case BYRE__OP_LOAD:
        break;
    case BYRE__OP_INIT:
    case BYRE__OP_STORE:
    case BYRE__OP_SWAP:
        counter->value = request->a;
        break;
    case BYRE__OP_ADD:
        counter->value += request->a;
        break;
    case BYRE__OP_COMPARE_SWAP:
        if (old == request->b) counter->value = request->a;
        break;
    default:
        error = BYRE_EPROTO;
    }
    byre__sync_answer(source, request->token, error, old);
}

const byre__sync_class_t byre__sync_counter_class = {
    .bytes = sizeof(counter_t),
    .handle = handle,
};

/* ---- the public face ------------------------------------------------------------------------ */

static const uint64_t *id_of(const byre_dsm_counter_t *counter)
{
    return counter != NULL ? &counter->id : NULL;
}

int byre_dsm_counter_create(int home, int64_t value, byre_dsm_counter_t *counter_out)
{
    return byre__sync_create(BYRE__SYNC_COUNTER, home, (uint64_t)value,
                             counter_out != NULL ? &counter_out->id : NULL);
}

int byre_dsm_counter_destroy(const byre_dsm_counter_t *counter)
{
    return byre__sync_destroy(id_of(counter), BYRE__SYNC_COUNTER);
}

static int operate(const byre_dsm_counter_t *counter, byre__sync_op_t op, int64_t a, int64_t b,
                   int64_t *old_out)
{
    uint64_t old;
    int error =
        byre__sync_simple(id_of(counter), BYRE__SYNC_COUNTER, op, (uint64_t)a, (uint64_t)b, &old);
    if (error == BYRE_OK && old_out != NULL) *old_out = (int64_t)old;
    return error;
}

int byre_dsm_counter_add(const byre_dsm_counter_t *counter, int64_t delta, int64_t *old_out)
{
    return operate(counter, BYRE__OP_ADD, delta, 0, old_out);
}

int byre_dsm_counter_swap(const byre_dsm_counter_t *counter, int64_t value, int64_t *old_out)
{
    return operate(counter, BYRE__OP_SWAP, value, 0, old_out);
}

int byre_dsm_counter_compare_swap(const byre_dsm_counter_t *counter, int64_t expected,
                                  int64_t value, int64_t *old_out)
{
    return operate(counter, BYRE__OP_COMPARE_SWAP, value, expected, old_out);
}

int byre_dsm_counter_load(const byre_dsm_counter_t *counter, int64_t *value_out)
{
    int error = byre__sync_check();
    if (error == BYRE_OK && value_out == NULL) error = BYRE_EINVAL;
    return error != BYRE_OK ? error : operate(counter, BYRE__OP_LOAD, 0, 0, value_out);
}

int byre_dsm_counter_store(const byre_dsm_counter_t *counter, int64_t value)
{
    return operate(counter, BYRE__OP_STORE, value, 0, NULL);
}
