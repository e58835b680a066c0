/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine of remote procedure calls, inside. Public contract: byre_rpc.h; the bytes: marshal.h.
 *
 *   client                                       server
 *   call.c     a call from begin to end          serve.c    a call from its arrival to its reply
 *   attempt.c  ... one attempt at a server       filter.c   duplicates, replies kept for them
 *   slot.c     where a reply finds its call      server.c   export and unexport
 *   binding.c  which server                      pool.c     threads for procedures that may block
 *   names.c    the names of all servers          polled.c   procedures run in byre_rpc_serve
 *   context.c  context handles, both sides       thread.c   what a thread knows of its calls
 *   shared.c   variables shared by all           part.c     start and end
 *   inspect.c  what procedures are like
 *
 * A call is named by its client's rank, the number of its slot there, and the slot's generation, which only
 * grows. With one word a server can tell a new call from a duplicate and from one that came too late.
 *
 * Invariants
 *  1. A procedure that is not [idempotent] runs at most once for a call, whatever is lost, doubled or late on
 *     the way: filter.c.
 *  2. Packing and unpacking touch the program's memory, which may be shared memory with pages elsewhere:
 *     they happen on the thread that calls, or that runs the procedure, with no lock held. Only procedures
 *     served on the engine are packed there; what they are given lies in ordinary memory, and what they
 *     return has to.
 *  3. Whoever waits for a rank also ends when that rank is absent.
 *  4. A thread that waits in a call does not count against its server's bound, so a chain of calls through
 *     any ranks always finds a thread: pool.c, polled.c.
 *  5. The engine's handlers neither wait nor run programs' procedures, but for servers that ask for it.
 */
#ifndef BYRE__RPC_CALLS_H
#define BYRE__RPC_CALLS_H

#include "ids.h"
#include "marshal.h"
#include <byre_rpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* May a call of the library that may wait be made here? BYRE_OK, BYRE_ESTATE, BYRE_ECONTEXT. */
int byre__rpc_check(void);

/* ---- messages (ranks of a job are of one architecture) ------------------------------------------ */

/* Followed by the arguments: inline, or as bulk payload. With a little of these, header and all lie in one
 * cache line of the lane. */
typedef struct byre__rpc_wire_call {
    uint64_t call;   /* slot.c */
    uint32_t server; /* server.c */
    uint16_t proc;
    uint16_t flags;
} byre__rpc_wire_call_t;
enum {
    BYRE__RPC_ONE_WAY = 1, /* nobody waits for a reply */
    BYRE__RPC_APART =
        8 /* of call and reply: the bulk array is not among what was packed (inspect.c) */
};

typedef struct byre__rpc_wire_reply {
    uint64_t call;
    int32_t error;
    uint16_t flags;
    uint16_t closed; /* so many serials of context handles come first */
} byre__rpc_wire_reply_t;
enum {
    BYRE__RPC_RAN = 2, /* the procedure has */
    BYRE__RPC_KEPT = 4 /* say when you have it */
};

/* Send, or let the tests lose or double it (inject.h). As byre__am_post, but waits for room until the deadline
 * (0: as long as it takes; BYRE_ETIMEOUT), if not BYRE__RPC_QUEUE; in handlers it never waits. */
#define BYRE__RPC_QUEUE UINT64_MAX
int byre__rpc_send(int rank, int id, const void *data, size_t bytes, const void *bulk,
                   size_t bulk_bytes, byre__am_done_fn done, void *arg, uint64_t deadline_ns);

/* ---- what procedures are like (inspect.c) -------------------------------------------------------- */

typedef struct byre__rpc_look {
    bool contexts;                /* there are context handles among the parameters */
    const byre_rpc_field_t *bulk; /* the one array that may travel apart, or NULL */
    byre_rpc_proc_t rest;         /* then: the procedure without it */
} byre__rpc_look_t;

/* One for each procedure; NULL: no memory. */
byre__rpc_look_t *byre__rpc_inspect(const byre_rpc_interface_t *interface);
void byre__rpc_looks_free(byre__rpc_look_t *looks, const byre_rpc_interface_t *interface);
/* The bulk array of a frame and its length in bytes; 0 also if its size makes no sense. */
size_t byre__rpc_bulk_of(const byre__rpc_look_t *look, const void *frame, void **array_out);
/* From here on it travels apart. */
enum { BYRE__RPC_APART_FROM = BYRE_AM_INLINE };
bool byre__rpc_interface_is_valid(const byre_rpc_interface_t *interface);

/* ---- names (names.c) ----------------------------------------------------------------------------- */

enum { BYRE__RPC_NAME_MAX = 63 };

typedef struct byre__rpc_entry { /* travels */
    char name[BYRE__RPC_NAME_MAX + 1];
    uint64_t interface; /* of its name */
    uint64_t hash;
    uint64_t shared; /* address of its variables, or 0 */
    uint32_t major, minor;
    uint32_t server;
    int32_t rank;
} byre__rpc_entry_t;

extern _Atomic uint32_t byre__rpc_names_version; /* changes with the table; never 0 */

uint64_t byre__rpc_hash_text(const char *text);
/* Tell all ranks, this one included, and wait until the living know. Gone: the entry is taken back. */
int byre__rpc_names_tell(const byre__rpc_entry_t *entry, bool gone);
/* Entries of a name, at most `room`; how many there are. */
size_t byre__rpc_names_find(const char *name, byre__rpc_entry_t *entries, size_t room);
bool byre__rpc_names_has(int rank, uint32_t server);
int byre__rpc_names_start(void);
void byre__rpc_names_stop(void);
void byre__rpc_names_peer_gone(int rank);

/* ---- calls of this rank: slots (slot.c) ----------------------------------------------------------- */

typedef struct byre__rpc_slot {
    struct byre__rpc_slot *next_free; /* the recycler's */
    _Atomic uint64_t tag;             /* slot.c */
    _Atomic int rank;
    uint32_t index;
    _Atomic uintptr_t thread; /* that waits, or 0 */
    /* Of the reply, valid when the slot is over: */
    int error;
    uint16_t flags, closed;
    bool heap;            /* reply is malloc's, and whoever ends the slot's call frees it */
    bool incoming;        /* the engine's: a bulk payload is on its way */
    unsigned char *reply; /* room for it is given by the call, or found by the engine */
    size_t room, bytes;
    void *bulk; /* the caller's array, or NULL */
    size_t bulk_bytes;
    unsigned char small[64];
} byre__rpc_slot_t;

/* With room for a reply, or NULL; with the caller's array, if it travels apart and comes back. NULL: no
 * memory. */
byre__rpc_slot_t *byre__rpc_slot_begin(int rank, void *reply, size_t room, void *bulk,
                                       size_t bulk_bytes);
uint64_t byre__rpc_slot_call(const byre__rpc_slot_t *slot);
bool byre__rpc_slot_over(const byre__rpc_slot_t *slot);
/* End it from this side, unless a reply has come or is coming. */
bool byre__rpc_slot_fail(byre__rpc_slot_t *slot, uint64_t call, int error);
bool byre__rpc_slot_fail_thread(uintptr_t thread, int error);
void byre__rpc_slot_end(byre__rpc_slot_t *slot);
int byre__rpc_slots_start(void);
void byre__rpc_slots_stop(void);
void byre__rpc_slots_peer_gone(int rank);

/* ---- bindings (binding.c) -------------------------------------------------------------------------- */

typedef struct byre__rpc_target {
    int32_t rank;
    uint32_t server;
} byre__rpc_target_t;

struct byre_rpc_binding {
    struct byre_rpc_binding *next; /* all of this rank */
    const byre_rpc_interface_t *interface;
    byre__rpc_look_t *looks;
    byre_rpc_bind_attr_t attr;
    char name[BYRE__RPC_NAME_MAX + 1];
    _Atomic uint32_t version; /* of the names, by which target was chosen; 0: look again */
    _Atomic uint64_t target;  /* rank << 32 | server */
    _Atomic int calls;        /* under way */
    pthread_mutex_t lock;     /* guards what follows, and the choice */
    unsigned turn;            /* round robin */
    bool lost;                /* its server has died or gone; without rebind it has none any more */
};

/* The binding that a call on this thread uses; NULL: there is none. */
byre_rpc_binding_t byre__rpc_binding_of(const byre_rpc_interface_t *interface);
/* BYRE_OK, BYRE_EPEER, BYRE_ENOTFOUND. */
int byre__rpc_binding_target(byre_rpc_binding_t binding, byre__rpc_target_t *target_out);
void byre__rpc_bindings_stop(void);

/* ---- servers (server.c) ---------------------------------------------------------------------------- */

struct byre__rpc_job;

struct byre_rpc_server {
    const byre_rpc_interface_t *interface;
    const void *procs;
    byre__rpc_look_t *looks;
    byre__rpc_entry_t entry;
    byre_rpc_export_attr_t attr;
    uint32_t index;
    bool closing;        /* a thread is at it; server.c's lock */
    _Atomic uint32_t id; /* 0: not in use, or closing; changed on the engine */
    /* byre__rpc_serving guards what follows */
    struct byre__rpc_job *first, **end; /* calls that wait for a thread */
    _Atomic unsigned waiting;           /* how many; anyone may look */
    bool waking;                        /* pool.c: a thread is on its way that passes on */
    unsigned active;          /* threads that run its procedures and do not wait in calls */
    _Atomic unsigned running; /* calls that are run; anyone may look */
};

/* Guards the queues of servers and the pool. A leaf: nothing is called while it is held. */
extern pthread_mutex_t byre__rpc_serving;

byre_rpc_server_t byre__rpc_server_find(uint32_t id);
bool byre__rpc_server_is_open(byre_rpc_server_t server);
void byre__rpc_server_close(uint32_t id); /* on the engine */
void byre__rpc_server_ran(byre_rpc_server_t server);
void byre__rpc_servers_finish(void);
void byre__rpc_servers_stop(void);

/* ---- duplicates (filter.c) -------------------------------------------------------------------------- */

typedef enum byre__rpc_verdict {
    BYRE__RPC_FRESH,
    BYRE__RPC_NO_ROOM, /* there is no memory to remember it */
    BYRE__RPC_DROP     /* a duplicate, which was answered if it could be, or too late */
} byre__rpc_verdict_t;

/* On the engine. `again`: the procedure may run once more. */
byre__rpc_verdict_t byre__rpc_filter(int rank, uint64_t call, bool again);
/* Send a reply, and keep it for duplicates if `keep`. bytes begin with a byre__rpc_wire_reply_t; they are
 * taken over, or copied if borrowed. So is `bulk`, malloc's, an array that travels apart, or NULL. Any
 * thread. */
void byre__rpc_answer(int rank, uint64_t call, byre__rpc_bytes_t *bytes, void *bulk,
                      size_t bulk_bytes, bool keep);
void byre__rpc_answer_error(int rank, uint64_t call, int error, bool ran);
/* The call has an end without an answer. */
void byre__rpc_filter_end(int rank, uint64_t call);
void byre__rpc_on_taken(const byre_am_t *am, void *arg);
int byre__rpc_filter_start(void);
void byre__rpc_filter_stop(void);
void byre__rpc_filter_peer_gone(int rank);

/* ---- serving (serve.c, pool.c, polled.c) --------------------------------------------------------------- */

/* A call at the server. */
typedef struct byre__rpc_job {
    struct byre__rpc_job *next; /* the recycler's, a queue's */
    byre_rpc_server_t server;
    uint64_t call;
    int client;
    uint32_t proc;
    unsigned char *args; /* small, bulk, or malloc's */
    size_t bytes;
    void *bulk; /* malloc's: the payload, which is the arguments, or the array that travels apart */
    size_t bulk_bytes;
    bool apart;
    bool passes_on; /* the pool's: its thread starts the next one, too */
    unsigned char small[256];
} byre__rpc_job_t;

/* Runs the procedure and answers; the job is gone. Not with a lock. */
void byre__rpc_job_run(byre__rpc_job_t *job, bool pooled);
/* Answers with an error and without having run. */
void byre__rpc_job_refuse(byre__rpc_job_t *job, int error);
/* Nobody waits for it any longer. */
void byre__rpc_job_drop(byre__rpc_job_t *job);
/* BYRE_OK: it runs or waits; BYRE_EAGAIN the queue is full. On the engine. */
int byre__rpc_pool_submit(byre__rpc_job_t *job);
/* This thread, which runs a procedure, waits in a call of its own (invariant 4). */
void byre__rpc_pool_block(byre_rpc_server_t server);
void byre__rpc_pool_unblock(byre_rpc_server_t server);
void byre__rpc_pool_stop(void); /* ends the threads */
/* The first that waits, or NULL. With byre__rpc_serving. */
byre__rpc_job_t *byre__rpc_queue_take(byre_rpc_server_t server);
/* False: as many wait as may, and `more`. */
bool byre__rpc_queue_add(byre_rpc_server_t server, byre__rpc_job_t *job, unsigned more);
/* Without the lock. NULL: it does not wait. */
byre__rpc_job_t *byre__rpc_queue_remove(byre_rpc_server_t server, int client, uint64_t call);
int byre__rpc_polled_submit(byre__rpc_job_t *job);   /* on the engine */
bool byre__rpc_polled_one(byre_rpc_server_t server); /* run the first that waits */
int byre__rpc_serve_start(void);
void byre__rpc_serve_stop(void);

/* ---- threads (thread.c) -------------------------------------------------------------------------------- */

/* A procedure that a thread runs; on its stack, the innermost first. */
typedef struct byre__rpc_scope {
    struct byre__rpc_scope *outer;
    byre_rpc_server_t server;
    byre__rpc_arena_t *arena;
    int client;
    bool pooled; /* the thread belongs to the pool and counts for the server's bound */
    struct byre__rpc_held *held; /* contexts that the call uses: context.c */
} byre__rpc_scope_t;
extern _Thread_local byre__rpc_scope_t *byre__rpc_scope;
extern _Thread_local byre_rpc_outcome_t byre__rpc_latest;

/* ---- context handles (context.c, handle.c) --------------------------------------------------------------- */

typedef struct byre__rpc_context byre__rpc_context_t; /* the server's state behind a handle */

enum { BYRE__RPC_HELD = 16 };
typedef struct byre__rpc_held { /* contexts that a call uses; on its thread's stack */
    unsigned count;
    unsigned given; /* so many came with the call, the others were made by it */
    bool ran;
    const byre__rpc_context_hooks_t
        *outer; /* of an interrupted packing: a page fault may run handlers */
    byre__rpc_context_t *contexts[BYRE__RPC_HELD];
    void *before[BYRE__RPC_HELD]; /* of parameters: the [in,out] handle before the procedure ran */
} byre__rpc_held_t;

static inline uint64_t byre__rpc_owner_word(const byre__rpc_target_t *target)
{
    return (uint64_t)(uint32_t)target->rank << 32 | target->server;
}

/* At the client: around packing and unpacking of a call to `target`. */
void byre__rpc_contexts_calling(const byre__rpc_target_t *target);
void byre__rpc_contexts_called(void);
/* Whose is the first handle in the frame? False: there is none. */
bool byre__rpc_contexts_owner(const byre_rpc_proc_t *proc, const void *frame,
                              byre__rpc_target_t *target_out);
/* Handles that the server has ended. */
void byre__rpc_contexts_closed(const byre__rpc_target_t *target, const unsigned char *serials,
                               unsigned count);
void byre__rpc_handles_peer_gone(int rank);
void byre__rpc_handles_stop(void);

/* At the server, on the thread of the scope: before arguments are read; before and after the procedure;
 * after the reply was written. `after` tells which have ended. */
void byre__rpc_contexts_serving(byre__rpc_scope_t *scope, byre__rpc_held_t *held);
void byre__rpc_contexts_before(byre__rpc_held_t *held, const byre_rpc_proc_t *proc, void *frame);
unsigned byre__rpc_contexts_after(byre__rpc_held_t *held, const byre_rpc_proc_t *proc, void *frame,
                                  uint64_t *serials);
void byre__rpc_contexts_served(byre__rpc_scope_t *scope, bool packed);
/* A server was taken back: its contexts are run down. Waits for it. */
void byre__rpc_contexts_server_gone(byre_rpc_server_t server);
int byre__rpc_contexts_start(void);
void byre__rpc_contexts_stop(void);
void byre__rpc_contexts_peer_gone(int rank);

/* ---- shared variables (shared.c) ------------------------------------------------------------------------- */

/* Find or make the variables of an interface. */
int byre__rpc_shared_make(const byre_rpc_interface_t *interface, uint64_t *address_out);
/* Set the pointers behind their names. */
int byre__rpc_shared_place(const byre_rpc_interface_t *interface, uint64_t address);
int byre__rpc_shared_start(void);
void byre__rpc_shared_stop(void);

#endif
