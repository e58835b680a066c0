/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Regions, units, and what the files of the coherence protocol share.
 *
 *   fault.c     a thread touches a unit that is not here: classify, request, wait
 *   request.c   the requester: asks the manager, installs what comes          (REQUEST, DATA, GRANT, ACK)
 *   manager.c   the manager: who has what, who is next                                (REQUEST, CONFIRM)
 *               manager_queue.c: what waits there; manager_dynamic.c: probable owners
 *   holder.c    whoever has a copy: gives it, drops it, or puts that off            (FORWARD, INVALIDATE)
 *   wire.c      the messages, on their way out and in
 *   view.c      what the application sees of the frames: protection changes, mappings counted
 *   frames.c    the window of addresses, the memfd with two views; large.c: large frames
 *   stream.c    detects strides, fetches ahead
 *   pin.c       byre_dsm_pin and unpin
 *   gone.c      peers that have failed; manager_gone.c: their units; lost.c: a touch of what they took along
 *   origin.c    was the thread inside MPI? origin_calls.c: what the kernel said to MPI
 *   region.c    the regions of this rank: made, found, unmade
 *   alloc.c     alloc, free, publish, by agreement of all ranks (agree.c)
 *   part.c      start and finish
 *
 * Protocol and invariants 1-4, 6: docs/dsm.md. One lock a region guards all of its fields and units,
 * but for those that say otherwise. It is held across sends, which never block, and protection changes,
 * never while waiting, and whoever holds it touches service views only, so it never faults. Order:
 * region lock, then the runtime's leaves.
 */
#ifndef BYRE__DSM_REGION_H
#define BYRE__DSM_REGION_H

#include "progress.h"
#include "timer.h"
#include "wire.h"
#include <byre_dsm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of what they permit. */
enum dsm_access { DSM_NONE, DSM_READ, DSM_WRITE };

enum {
    UNIT_DATA_CAME = 1, /* requester of a write: only acknowledgements are missing */
    UNIT_WISH = 2,      /* requested ahead: nobody waits for it */
    UNIT_MARK = 4,      /* opened when touched, so that more is fetched then: stream.c */
    UNIT_FROZEN = 8,    /* held for defrost_us */
    UNIT_DEFERRED = 16, /* something of it is in region->deferred */
    UNIT_WRITING = 32,  /* manager: the transaction in flight is a write */
    UNIT_OLD = 64       /* a request that has been under way for long: gone.c */
};

/* A request that waits at its manager. */
typedef struct dsm_queued {
    struct dsm_queued *next;
    int32_t requester;
    uint8_t kind, hops;
    bool have; /* as DSM_HAVE */
} dsm_queued_t;

/* All zero is a unit that nobody has touched. */
typedef struct dsm_unit {
    /* this rank's copy. access, wanted, lost: written under the lock, read by waiting threads */
    _Atomic uint8_t access; /* enum dsm_access: what this rank may do */
    _Atomic uint8_t wanted; /* what was requested; NONE: nothing is under way */
    uint8_t mapped;         /* what the application view permits: at most `access` */
    uint8_t flags;
    _Atomic int32_t lost;      /* 1 + the dead rank that had it, of the last request; while it is
                                * `wanted`: it may come or not, nobody waits for it (gone.c) */
    uint16_t readers, writers; /* threads of this rank that wait for it */
    uint16_t pins, write_pins; /* all, and those to write */
    uint32_t since;            /* time of arrival: dsm_clock() */
    uint16_t bounces;          /* taken away soon after arrival, times in a row */
    uint8_t unused[2];
    /* manager */
    int32_t owner;  /* 1 + owner; 0: not touched yet. Dynamic: the probable one, 0 is the home */
    int32_t source; /* 1 + the previous owner, while it gives the unit to a writer */
    int32_t gone;   /* 1 + the dead rank with the only copy */
    dsm_queued_t *queue;
} dsm_unit_t;

/* What was put off, in order of arrival. */
typedef struct dsm_deferred {
    struct dsm_deferred *next;
    enum byre__dsm_id id; /* FORWARD or INVALIDATE */
    bool has_acks;
    dsm_msg_t msg;   /* of one unit */
    uint64_t acks[]; /* as behind the message */
} dsm_deferred_t;

typedef struct dsm_region {
    pthread_mutex_t lock;
    /* 0: not in use; else the call that made it, and its slot: id % DSM_REGIONS */
    _Atomic uint32_t id;
    int latest_death; /* 1 + the rank */
    /* These three are read without the lock. */
    _Atomic bool published;
    _Atomic bool retired;   /* freed while a rank was dead: others may still be served */
    _Atomic bool abandoned; /* dynamic: a rank died while requests were under way: gone.c */
    char name[64];
    byre_dsm_attr_t attr;
    char *app, *service; /* the two views */
    size_t bytes, unit_bytes, units;
    size_t block_units;  /* home placement BLOCK: units a rank */
    dsm_unit_t *unit;    /* [units] */
    uint8_t *touched;    /* [units / DSM_CHUNK + 1] some of these may not be all zero */
    uint8_t *large;      /* [bytes / DSM_LARGE_BYTES + 1] a large frame was tried */
    uint64_t *copyset;   /* [units][words] manager: who may have a copy */
    uint64_t *in_flight; /* [units][words] manager: requesters that have not confirmed */
    uint64_t *missing;   /* [units][words] requester of a write: acknowledgements that are due */
    _Atomic size_t under_way; /* units with `wanted`; read without the lock by who waits for 0 */
    dsm_deferred_t *deferred, **deferred_end;
    byre__timer_t timer; /* to look at `deferred` */
    size_t queued;       /* requests that wait, of all units */
    size_t pinned;       /* units with pins */
    size_t splits;       /* neighbours with different protection */
    byre_dsm_stats_t stats;
} dsm_region_t;

enum {
    DSM_REGIONS = 1024,
    DSM_CHUNK = 512,   /* units; regions may be large and hardly used */
    DSM_WORDS_MAX = 64 /* of a set of ranks: 4096 of them */
};
#define DSM_LARGE_BYTES ((size_t)2 << 20)
extern dsm_region_t byre__dsm_regions[DSM_REGIONS];

typedef struct dsm_world {
    bool up;
    int rank, size;
    size_t words; /* of a set of ranks */
    size_t page;
} dsm_world_t;
extern dsm_world_t byre__dsm;

/* Tests switch coherence off to see that they notice: INVALIDATE is acknowledged and ignored. */
extern bool byre__dsm_no_invalidate;

/* ---- sets of ranks ------------------------------------------------------------------------ */

static inline bool set_has(const uint64_t *set, int rank)
{
    return set[rank / 64] >> (rank % 64) & 1;
}
static inline void set_add(uint64_t *set, int rank)
{
    set[rank / 64] |= UINT64_C(1) << (rank % 64);
}
static inline void set_remove(uint64_t *set, int rank)
{
    set[rank / 64] &= ~(UINT64_C(1) << (rank % 64));
}
static inline bool set_empty(const uint64_t *set)
{
    for (size_t i = 0; i < byre__dsm.words; i++)
        if (set[i] != 0) return false;
    return true;
}
static inline void set_clear(uint64_t *set)
{
    for (size_t i = 0; i < byre__dsm.words; i++) set[i] = 0;
}
/* The first member from `rank` on, or -1. */
int byre__dsm_set_next(const uint64_t *set, int rank);

static inline uint64_t *copyset_of(const dsm_region_t *region, size_t unit)
{
    return region->copyset + unit * byre__dsm.words;
}
static inline uint64_t *in_flight_of(const dsm_region_t *region, size_t unit)
{
    return region->in_flight + unit * byre__dsm.words;
}
static inline uint64_t *missing_of(const dsm_region_t *region, size_t unit)
{
    return region->missing + unit * byre__dsm.words;
}

/* ---- regions ------------------------------------------------------------------------------ */

/* The region that holds all of [addr, addr + bytes), or NULL. */
dsm_region_t *byre__dsm_region_at(const void *addr, size_t bytes);
/* ... or that begins at addr. */
dsm_region_t *byre__dsm_region_from(const void *addr);
/* A message's region, locked; NULL: it is gone, or the message makes no sense. */
dsm_region_t *byre__dsm_region_enter(const dsm_msg_t *msg, size_t bytes);
void byre__dsm_lock(dsm_region_t *region);
bool byre__dsm_trylock(dsm_region_t *region);
void byre__dsm_unlock(dsm_region_t *region);

static inline void mark_touched(dsm_region_t *region, size_t first, size_t count)
{
    for (size_t c = first / DSM_CHUNK; c <= (first + count - 1) / DSM_CHUNK; c++)
        region->touched[c] = 1;
}
/* The first unit from `unit` on that somebody may have touched, or region->units. */
size_t byre__dsm_next_touched(const dsm_region_t *region, size_t unit);

static inline size_t unit_at(const dsm_region_t *region, const void *addr)
{
    return (size_t)((const char *)addr - region->app) / region->unit_bytes;
}

static inline bool is_dynamic(const dsm_region_t *region)
{
    return region->attr.manager == BYRE_DSM_MANAGER_DYNAMIC;
}

/* On this rank. A call that makes regions says so first, on all ranks alike, whatever becomes of it. */
void byre__dsm_region_next_call(void);
int byre__dsm_region_make(size_t bytes, const byre_dsm_attr_t *attr, dsm_region_t **region_out);
void byre__dsm_region_unmake(dsm_region_t *region);
void byre__dsm_region_retire(dsm_region_t *region);

int byre__dsm_home(const dsm_region_t *region, size_t unit);
/* Who is asked for it: with the dynamic manager the probable owner, which is this rank if it is the owner. */
int byre__dsm_manager(const dsm_region_t *region, size_t unit);

/* ---- the protocol, all under the lock ------------------------------------------------------- */

/* request.c */
/* Ask for `first` and, as wishes, for those behind it, at most count - 1 of them, that have the same
 * manager and are not here or under way. Returns how many units were asked for. */
size_t byre__dsm_request(dsm_region_t *region, size_t first, size_t count, enum dsm_access kind,
                         bool wish);
void byre__dsm_requester_data(dsm_region_t *region, const dsm_msg_t *msg, const uint64_t *acks,
                              int source);
void byre__dsm_requester_ack(dsm_region_t *region, const dsm_msg_t *msg, int source);
void byre__dsm_refused(dsm_region_t *region, const dsm_msg_t *msg);
void byre__dsm_lost(dsm_region_t *region, const dsm_msg_t *msg, int source);
/* An acknowledgement that will not come. */
void byre__dsm_ack_from_dead(dsm_region_t *region, size_t unit, int dead);

/* manager*.c; manager.h has what these share */
void byre__dsm_manager_request(dsm_region_t *region, const dsm_msg_t *msg);
void byre__dsm_manager_confirm(dsm_region_t *region, const dsm_msg_t *msg, int source);
/* A transaction is in flight, and its CONFIRM awaited. */
void byre__dsm_manager_open(dsm_region_t *region, size_t unit, int requester, bool write);
/* Dynamic: this rank becomes the owner, and then may do what it wanted; another one becomes it; this one
 * does not, as those believed who queued here. */
void byre__dsm_manager_inherit(dsm_region_t *region, size_t unit);
void byre__dsm_manager_settle(dsm_region_t *region, size_t unit);
void byre__dsm_manager_hand_over(dsm_region_t *region, size_t unit, int owner);
void byre__dsm_manager_forgo(dsm_region_t *region, size_t unit);
/* A request of this rank was lost with a dead rank: begin again at the home. */
void byre__dsm_manager_astray(dsm_region_t *region, size_t unit);
/* A rank is dead. */
void byre__dsm_manager_gone(dsm_region_t *region, size_t unit, int dead);
void byre__dsm_manager_drop(dsm_region_t *region, size_t unit); /* frees its queue */

/* holder.c */
void byre__dsm_holder_start(dsm_region_t *region);
void byre__dsm_holder_forward(dsm_region_t *region, const dsm_msg_t *msg, const uint64_t *acks);
void byre__dsm_holder_invalidate(dsm_region_t *region, const dsm_msg_t *msg);
/* Look again at what was put off; `soon_ns` from now when there is any. */
void byre__dsm_holder_retry(dsm_region_t *region, uint64_t soon_ns);
void byre__dsm_deferred_drop(dsm_region_t *region);

/* view.c */
/* Let the application view of some units permit `access` and no more. */
void byre__dsm_view(dsm_region_t *region, size_t first, size_t count, enum dsm_access access);
void byre__dsm_view_start(void);
void byre__dsm_view_forget(dsm_region_t *region); /* it is being unmapped */
extern long byre__dsm_view_budget;                /* for tests */

/* wire.c */
/* Send a message of the protocol, or deliver it here if it is for this rank. acks may be NULL. BYRE_EPEER:
 * the rank is dead. */
int byre__dsm_emit(dsm_region_t *region, int to, enum byre__dsm_id id, const dsm_msg_t *msg,
                   const uint64_t *acks);
int byre__dsm_wire_start(void);
void byre__dsm_wire_stop(void);

/* Microseconds (nearly), for differences. */
uint32_t byre__dsm_clock(void);

/* ---- others ------------------------------------------------------------------------------- */

/* frames.c */
int byre__dsm_frames_start(void); /* BYRE_ENOMEM: no window of addresses; then there is no DSM */
void byre__dsm_frames_stop(void);
/* Address space in the window: the same on all ranks when called in the same order. 0: none. */
uintptr_t byre__dsm_frames_reserve(size_t bytes, size_t align);
void byre__dsm_frames_release(uintptr_t at);
int byre__dsm_frames_map(uintptr_t at, size_t bytes, char **app_out, char **service_out);
void byre__dsm_frames_unmap(char *app, char *service, size_t bytes);
size_t byre__dsm_window_bytes(void);
/* Does this machine have large pages of that size? */
bool byre__dsm_frames_can_join(void);
/* Make the frames of DSM_LARGE_BYTES one large page. 0, or what the kernel says. */
int byre__dsm_frames_join(const char *app, char *service);

/* large.c */
void byre__dsm_large_start(void);
/* Large frames for what units [first, first + count) cover whole. */
void byre__dsm_large_within(dsm_region_t *region, size_t first, size_t count);
/* A stream asks for `window` units, `unit` first, and goes up (step 1) or down (-1). */
void byre__dsm_large_ahead(dsm_region_t *region, size_t unit, size_t window, int step);
void byre__dsm_large_forget(const dsm_region_t *region); /* it is being unmapped */

/* fault.c */
struct byre__fault;
bool byre__dsm_fault_resolve(const struct byre__fault *fault, void *region);
/* Wait until a unit permits `need`. Under the lock, which is given up meanwhile. BYRE_EPEER: lost. */
int byre__dsm_await(dsm_region_t *region, size_t unit, enum dsm_access need);

/* stream.c */
/* A fault at `unit`: ask for it (unless it is under way or here), and for what will be touched next. */
void byre__dsm_stream(dsm_region_t *region, size_t unit, enum dsm_access need);

/* origin.c */
void byre__dsm_origin_start(void);
/* Was the interrupted code inside MPI? */
bool byre__dsm_origin_is_mpi(const void *ucontext);
/* The interrupted instruction. */
const void *byre__dsm_origin_pc(const void *ucontext);
/* Is the file a library of MPI, or one that it uses? */
bool byre__dsm_origin_is_library(const char *name);
/* origin_calls.c: from now on MPI's system calls on shared memory that is elsewhere are noticed. */
void byre__dsm_origin_calls(void);

/* lost.c */
/* Calls the callback, which may not return; else the program ends. Nothing is locked. */
_Noreturn void byre__dsm_tell_lost(const dsm_region_t *region, const struct byre__fault *fault,
                                   int rank);
/* A line on standard error, for a person. */
void byre__dsm_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* gone.c */
void byre__dsm_peer_gone(int rank);
void byre__dsm_gone_stop(void);

#endif
