/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Synchronisation across ranks, inside. Public contract: byre_dsm_sync.h.
 *
 *   sync.c             the part's start and end, names of objects, calls to a home
 *   sync_home.c        what a home keeps: a table of objects; queues
 *   sync_slot.c        what a waiting thread leaves behind to be found by GRANT; what a thread holds
 *   sync_lock.c        the queue lock, its user's side; sync_lock_home.c its home's
 *   sync_rwlock.c, sync_condition.c, sync_semaphore.c, sync_event.c, sync_counter.c
 *   barrier.c          barriers; barrier_plan.c which rank tells which
 *
 * A thread that asks a home for something leaves a slot, and its token travels with the REQUEST; sooner or
 * later a GRANT names the token, from the home or, for a lock, from who had it. Messages may grow: a receiver
 * takes the bytes that it knows, and what is longer than the struct is payload. So GRANT and BARRIER have
 * room for what a weaker memory model has to hand over with a lock.
 *
 * Invariants
 *  1. A home's objects and queues are touched on the engine only, where one handler runs at a time.
 *  2. An object that was named by the caller, who may have it in shared memory, is read once, in the
 *     caller's context, when nothing is held.
 *  3. A thread that waits also stops when the home is gone. An answer that comes later finds nobody: a
 *     token holds the generation of its slot.
 *  4. A message that somebody waits for is never dropped for want of memory.
 */
#ifndef BYRE__DSM_SYNC_H
#define BYRE__DSM_SYNC_H

#include "ids.h"
#include "recycle.h"
#include <byre_dsm_sync.h>
#include <byre_runtime.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- messages ------------------------------------------------------------------------------- */

enum {
    BYRE__SYNC_REQUEST = BYRE__AM_DSM_SYNC, /* to a home: byre__sync_request_t */
    BYRE__SYNC_GRANT,                       /* to a waiting thread: byre__sync_grant_t */
    BYRE__SYNC_FORWARD,                     /* to a thread with a lock: byre__sync_forward_t */
    BYRE__SYNC_BARRIER                      /* barrier.c */
};

typedef enum byre__sync_op {
    BYRE__OP_DESTROY, /* any kind */
    BYRE__OP_INIT,    /* semaphore, counter: a is the value */
    BYRE__OP_COUNT,   /* lock: how many wait or hold; for tests */
    BYRE__OP_ACQUIRE, /* lock */
    BYRE__OP_TRY,
    BYRE__OP_RELEASE, /* lock: token is the holder's, a its successor's, rank the successor's; no GRANT */
    BYRE__OP_READ, /* rwlock */
    BYRE__OP_WRITE,
    BYRE__OP_TRYREAD,
    BYRE__OP_TRYWRITE,
    BYRE__OP_LEAVE,   /* rwlock: token is the holder's; no GRANT */
    BYRE__OP_ENQUEUE, /* condition: a is the token that a signal shall name */
    BYRE__OP_SIGNAL,
    BYRE__OP_BROADCAST,
    BYRE__OP_WAIT, /* semaphore, event */
    BYRE__OP_TRYWAIT,
    BYRE__OP_POST,
    BYRE__OP_SET,
    BYRE__OP_RESET,
    BYRE__OP_LOAD, /* counter */
    BYRE__OP_STORE,
    BYRE__OP_ADD,
    BYRE__OP_SWAP,
    BYRE__OP_COMPARE_SWAP /* a if it is b */
} byre__sync_op_t;

typedef struct byre__sync_request {
    uint64_t id;
    uint64_t token;
    uint64_t a, b;
    uint32_t op;
    int32_t rank;
} byre__sync_request_t;

typedef struct byre__sync_grant {
    uint64_t token;
    uint64_t value;
    int32_t error; /* BYRE_OK: it is yours */
    uint32_t unused;
} byre__sync_grant_t;

typedef struct byre__sync_forward {
    uint64_t token; /* of the one who shall hand over */
    uint64_t next_token;
    int32_t next_rank;
    uint32_t unused;
} byre__sync_forward_t;

/* ---- names of objects (sync.c) -------------------------------------------------------------- */

/*
 * An id:   63..60 kind   59 named   58..56 kind of barrier   55..40 home, or threads of a barrier
 *          named:     31..0 number given by the program, whose home is that number modulo the ranks
 *          created:   39..24 rank that made it   23..0 how many it had made before
 */
typedef enum byre__sync_kind {
    BYRE__SYNC_LOCK = 1,
    BYRE__SYNC_RWLOCK,
    BYRE__SYNC_CONDITION,
    BYRE__SYNC_SEMAPHORE,
    BYRE__SYNC_EVENT,
    BYRE__SYNC_COUNTER,
    BYRE__SYNC_BARRIERS,
    BYRE__SYNC_KINDS
} byre__sync_kind_t;

#define BYRE__SYNC_NAMED (UINT64_C(1) << 59)

static inline byre__sync_kind_t byre__sync_kind(uint64_t id)
{
    return (byre__sync_kind_t)(id >> 60);
}
static inline uint32_t byre__sync_field(uint64_t id) /* home or threads */
{
    return (uint32_t)(id >> 40) & 0xffff;
}

/* A fresh id; BYRE_ENOMEM when there are no more. */
int byre__sync_new_id(byre__sync_kind_t kind, uint64_t bits, uint64_t *id_out);
/* The whole of byre_dsm_KIND_create for a kind with a home. */
int byre__sync_create(byre__sync_kind_t kind, int home, uint64_t value, uint64_t *id_out);
int byre__sync_destroy(const uint64_t *object, byre__sync_kind_t kind);

/* May this be called here? */
int byre__sync_check(void);
/* The beginning of a call: checks, reads the id (invariant 2) and finds the home. */
int byre__sync_enter(const uint64_t *object, byre__sync_kind_t kind, uint64_t *id_out,
                     int *home_out);

/* Ask the home. value_out may be NULL. */
int byre__sync_call(uint64_t id, int home, byre__sync_op_t op, uint64_t a, uint64_t b,
                    uint64_t *value_out);
/* A call that is nothing but this. */
int byre__sync_simple(const uint64_t *object, byre__sync_kind_t kind, byre__sync_op_t op,
                      uint64_t a, uint64_t b, uint64_t *value_out);
/* Give a request to the home, without waiting for what comes of it; at once if that is this rank and its
 * engine is free. BYRE_OK or BYRE_EPEER. */
int byre__sync_ask(int home, const byre__sync_request_t *request);
/* Send without waiting. BYRE_OK or BYRE_EPEER. Invariant 4. */
int byre__sync_post(int rank, int message, const void *data, size_t bytes);

/* ---- at home (sync_home.c); engine only ------------------------------------------------------ */

typedef struct byre__sync_object {
    struct byre__sync_object *next; /* in its bucket */
    uint64_t id;
} byre__sync_object_t;

/* What a kind does at home. */
typedef struct byre__sync_class {
    size_t bytes; /* of an object, whose first member is byre__sync_object_t; all zero at first */
    void (*handle)(byre__sync_object_t *object, int source, const byre__sync_request_t *request);
    void (*peer_gone)(byre__sync_object_t *object, int rank); /* or NULL */
    bool (*busy)(const byre__sync_object_t *object);          /* may not be destroyed; or NULL */
    void (*clear)(byre__sync_object_t *object);               /* at the end of the job; or NULL */
} byre__sync_class_t;

extern const byre__sync_class_t byre__sync_lock_class, byre__sync_rwlock_class,
    byre__sync_condition_class, byre__sync_semaphore_class, byre__sync_event_class,
    byre__sync_counter_class;

void byre__sync_on_request(const byre_am_t *am, void *arg);
void byre__sync_serve(int source, const byre__sync_request_t *request);
void byre__sync_home_peer_gone(int rank);
void byre__sync_home_stop(void);

/* Threads that wait, in order. */
typedef struct byre__sync_node {
    struct byre__sync_node *next;
    uint64_t token;
    int rank;
    int mode;          /* rwlock: READ or WRITE */
    int granted_by;    /* lock: the rank that handed it over, or BYRE_ANY: the home */
    bool granted;      /* rwlock */
    bool released;     /* lock: it has come and gone, but not yet its predecessor */
    int to_rank;       /* lock, released: to whom it was handed over */
    uint64_t to_token; /* 0: to nobody */
} byre__sync_node_t;

typedef struct byre__sync_queue {
    byre__sync_node_t *first, **end;
} byre__sync_queue_t;

static inline byre__sync_node_t *byre__sync_last(const byre__sync_queue_t *queue)
{
    return queue->first == NULL ? NULL
                                : (byre__sync_node_t *)queue->end; /* `next` is at its front */
}
/* NULL: no memory. */
byre__sync_node_t *byre__sync_push(byre__sync_queue_t *queue, int rank, uint64_t token);
/* Take out the one at *at. */
void byre__sync_remove(byre__sync_queue_t *queue, byre__sync_node_t **at);
void byre__sync_remove_rank(byre__sync_queue_t *queue, int rank);
void byre__sync_clear(byre__sync_queue_t *queue);

/* Any thread, when the rank is another one. */
void byre__sync_answer(int rank, uint64_t token, int error, uint64_t value);
void byre__sync_grant(const byre__sync_node_t *node, int error);

/* ---- at the waiting thread (sync_slot.c) ------------------------------------------------------ */

typedef struct byre__sync_slot {
    struct byre__sync_slot *next_free; /* the recycler's */
    struct byre__sync_slot *next_held; /* of the same thread */
    _Atomic uint64_t tag;              /* see sync_slot.c */
    uint64_t id;
    uint64_t value;      /* the engine's: of GRANT */
    uint64_t next_token; /* the engine's, valid once the tag says so */
    int next_rank;
    uint32_t index;
    int home;
} byre__sync_slot_t;

/* NULL: no memory. */
byre__sync_slot_t *byre__sync_slot_begin(uint64_t id, int home);
uint64_t byre__sync_slot_token(const byre__sync_slot_t *slot);
/* Wait for GRANT: BYRE_OK, what GRANT says, or BYRE_EPEER: the home is gone. */
int byre__sync_slot_wait(byre__sync_slot_t *slot);
/* Whom to hand over to, if FORWARD has said so, else token 0. The slot is free again. */
typedef struct byre__sync_next {
    uint64_t token;
    int rank;
} byre__sync_next_t;
byre__sync_next_t byre__sync_slot_end(byre__sync_slot_t *slot);

/* Ask for something that a thread can hold, wait, and hold it. BYRE_EBUSY: this thread does. */
int byre__sync_take(uint64_t id, int home, byre__sync_op_t op);
/* The same as a whole call. */
int byre__sync_acquire(const uint64_t *object, byre__sync_kind_t kind, byre__sync_op_t op);
void byre__sync_hold(byre__sync_slot_t *slot);
/* What the calling thread holds, or NULL. */
byre__sync_slot_t *byre__sync_held(uint64_t id);
void byre__sync_unhold(byre__sync_slot_t *slot);

/* From any thread: what GRANT does without a value. Who is parked has to be woken. */
void byre__sync_slot_grant(uint64_t token, int error);
void byre__sync_slot_answer(uint64_t token, int error, uint64_t value); /* engine only */
void byre__sync_on_grant(const byre_am_t *am, void *arg);
void byre__sync_slot_forward(const byre__sync_forward_t *forward); /* engine only */
void byre__sync_on_forward(const byre_am_t *am, void *arg);
void byre__sync_slots_stop(void);

/* ---- locks, by id (sync_lock.c) ------------------------------------------------- */

int byre__sync_lock(uint64_t id, int home);
int byre__sync_unlock(byre__sync_slot_t *slot);

/* ---- barriers (barrier.c) ---------------------------------------------------------------------- */

void byre__sync_on_barrier(const byre_am_t *am, void *arg);
void byre__sync_barriers_stop(void);

#endif
