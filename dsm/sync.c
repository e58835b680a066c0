/* SPDX-License-Identifier: BSD-3-Clause */
/* Synchronisation: its start and end, the names of objects, calls to a home. Described in sync.h. */
#include "sync.h"

#include "detector.h"
#include "log.h"
#include "node.h"
#include "part.h"
#include "progress.h"

enum { SERIAL_BITS = 24, RANK_BITS = 16 };

static _Atomic uint32_t created; /* objects made by this rank */

/* ---- the part -------------------------------------------------------------------------------- */

static int start(void)
{
    static const struct {
        int id;
        byre_am_fn fn;
    } handlers[] = {
        { BYRE__SYNC_REQUEST, byre__sync_on_request },
        { BYRE__SYNC_GRANT, byre__sync_on_grant },
        { BYRE__SYNC_FORWARD, byre__sync_on_forward },
        { BYRE__SYNC_BARRIER, byre__sync_on_barrier },
    };
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        int error = byre__am_register(handlers[i].id, handlers[i].fn, NULL, NULL);
        if (error != BYRE_OK) return error;
    }
    atomic_store(&created, 0);
    return BYRE_OK;
}

static void stop(void)
{
    byre__sync_barriers_stop();
    byre__sync_home_stop();
    byre__sync_slots_stop();
}

static byre__part_t part = {
    .name = "dsm synchronisation",
    .start = start,
    .stop = stop,
    .peer_gone = byre__sync_home_peer_gone,
};

__attribute__((constructor)) static void hang_in(void)
{
    byre__part_register(&part);
}

/* ---- names ----------------------------------------------------------------------------------- */

int byre__sync_new_id(byre__sync_kind_t kind, uint64_t bits, uint64_t *id_out)
{
    uint32_t serial = atomic_load(&created);
    do {
        if (serial >> SERIAL_BITS != 0) return BYRE_ENOMEM;
    } while (!atomic_compare_exchange_weak(&created, &serial, serial + 1));
    *id_out = (uint64_t)kind << 60 | bits | (uint64_t)byre__nodes.rank << SERIAL_BITS | serial;
    return BYRE_OK;
}

static int home_of(uint64_t id)
{
    if (id & BYRE__SYNC_NAMED) return (int)((uint32_t)id % (uint32_t)byre__nodes.size);
    return (int)byre__sync_field(id);
}

int byre__sync_check(void)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    return byre__in_handler() ? BYRE_ECONTEXT : BYRE_OK;
}

int byre__sync_enter(const uint64_t *object, byre__sync_kind_t kind, uint64_t *id_out,
                     int *home_out)
{
    int error = byre__sync_check();
    if (error != BYRE_OK) return error;
    if (object == NULL) return BYRE_EINVAL;
    uint64_t id = *(const volatile uint64_t *)object;
    int home = home_of(id);
    if (byre__sync_kind(id) != kind || home >= byre__nodes.size) return BYRE_EINVAL;
    *id_out = id;
    *home_out = home;
    return BYRE_OK;
}

int byre__sync_create(byre__sync_kind_t kind, int home, uint64_t value, uint64_t *id_out)
{
    uint64_t id;
    int error = byre__sync_check();
    if (error != BYRE_OK) return error;
    if (id_out == NULL) return BYRE_EINVAL;
    if (home == BYRE_ANY) home = byre__nodes.rank;
    if (home < 0 || home >= byre__nodes.size || home >> RANK_BITS != 0) return BYRE_ERANK;
    error = byre__sync_new_id(kind, (uint64_t)home << 40, &id);
    if (error == BYRE_OK && value != 0)
        error = byre__sync_call(id, home, BYRE__OP_INIT, value, 0, NULL);
    if (error == BYRE_OK) *id_out = id;
    return error;
}

int byre__sync_destroy(const uint64_t *object, byre__sync_kind_t kind)
{
    return byre__sync_simple(object, kind, BYRE__OP_DESTROY, 0, 0, NULL);
}

/* ---- calls ----------------------------------------------------------------------------------- */

int byre__sync_ask(int home, const byre__sync_request_t *request)
{
    if (home != byre__nodes.rank || !byre__drive_try())
        return byre__sync_post(home, BYRE__SYNC_REQUEST, request, sizeof *request);
    (void)byre__engine_poll(); /* what has come from others goes first */
    byre__handler_enter();
    byre__sync_serve(home, request);
    byre__handler_leave();
    byre__drive_end();
    return BYRE_OK;
}

int byre__sync_call(uint64_t id, int home, byre__sync_op_t op, uint64_t a, uint64_t b,
                    uint64_t *value_out)
{
    byre__sync_slot_t *slot = byre__sync_slot_begin(id, home);
    if (slot == NULL) return BYRE_ENOMEM;
    byre__sync_request_t request = {
        .id = id, .token = byre__sync_slot_token(slot), .op = op, .a = a, .b = b
    };
    int error = byre__sync_ask(home, &request);
    if (error == BYRE_OK) error = byre__sync_slot_wait(slot);
    uint64_t value = slot->value;
    (void)byre__sync_slot_end(slot);
    if (error == BYRE_OK && value_out != NULL) *value_out = value;
    return error;
}

int byre__sync_simple(const uint64_t *object, byre__sync_kind_t kind, byre__sync_op_t op,
                      uint64_t a, uint64_t b, uint64_t *value_out)
{
    uint64_t id;
    int home, error = byre__sync_enter(object, kind, &id, &home);
    return error != BYRE_OK ? error : byre__sync_call(id, home, op, a, b, value_out);
}

int byre__sync_post(int rank, int message, const void *data, size_t bytes)
{
    int error = byre__am_post(rank, message, data, bytes, NULL, 0, NULL, NULL);
    BYRE__ASSERT(error == BYRE_OK || error == BYRE_EPEER || error == BYRE_ESTATE);
    return error == BYRE_OK ? BYRE_OK : BYRE_EPEER;
}
