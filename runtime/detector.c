/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The failure detector.
 *
 * A rank on the same node is watched through its pidfd: the kernel tells of its death at once. For
 * the others, living ranks form a ring in the order of their numbers: each sends a heartbeat to its
 * successor every HEARTBEAT_MS and watches its predecessor (Bosilca et al., "Failure detection and
 * propagation in HPC systems", SC 2016). After PEER_TIMEOUT_MS without a sign of life the
 * predecessor is dead, and the one before it is watched. Who learns of a death tells the living at
 * distance 1, 2, 4, ... in the ring; who hears it for the first time does the same, so that all know
 * it after about log2(n) messages even if some tellers die.
 *
 * Any active message is a sign of life; before the verdict, so is anything that came over TCP from the
 * rank's node meanwhile (lifesign.c). Death is final: a rank that was only slow is dead for the
 * others, is told so, and takes all others for dead in turn.
 *
 * Invariants
 *  1. A state changes from alive to failed or left once, by the driver, and never back.
 *  2. The handlers of byre_on_peer_failure are called once per failed rank, after its state changed.
 *
 * Only the driver touches anything here, except the states and counts, which anyone reads, and the
 * list of handlers, which its lock guards.
 */
#include "detector.h"

#include "am.h"
#include "am_core.h"
#include "counters.h"
#include "env.h"
#include "lifesign.h"
#include "log.h"
#include "message.h"
#include "node.h"
#include "part.h"
#include "progress.h"
#include "sleep.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLERS = 16 };

_Atomic unsigned char *byre__peer_state;
_Atomic int byre__failures, byre__absent, byre__failures_acked;

static struct {
    uint64_t period_ns, timeout_ns;
    _Atomic uint64_t next_ns; /* the driver's; a sleeper reads it */
    bool *heard;              /* [size] has it given a sign of life since the last tick? */
    uint64_t heard_ns;        /* last one of the predecessor */
    int watched;              /* predecessor, or -1 */
    int *order;               /* failed ranks in the order in which they were found */
    _Atomic bool stopped;
} detector = { .watched = -1 };

static struct {
    pthread_mutex_t lock;
    struct {
        byre_failure_fn fn;
        void *arg;
        int told; /* how many of detector.order it has been told of */
    } list[HANDLERS];
    int count;
} handlers = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The next living rank in the ring: step 1 or -1. Own rank if there is no other. */
static int neighbour(int rank, int step)
{
    int size = byre__nodes.size, at = rank;
    do at = (at + step + size) % size;
    while (at != rank && byre__peer_state[at] != BYRE__ALIVE);
    return at;
}

static void tell_others(int dead)
{
    int size = byre__nodes.size, rank = byre__nodes.rank;
    for (int distance = 1; distance < size; distance *= 2) {
        int to = (rank + distance) % size;
        if (to != rank && byre__peer_state[to] != BYRE__ALIVE) to = neighbour(to, 1);
        if (to != rank)
            (void)byre__am_post(to, BYRE__AM_FAILURE, &dead, sizeof dead, NULL, 0, NULL, NULL);
    }
}

/* Tell every handler of every failure that it has not been told of. Invariant 2. */
static void call_handlers(void)
{
    for (int i = 0;; i++) {
        pthread_mutex_lock(&handlers.lock);
        bool due = i < handlers.count;
        byre_failure_fn fn = due ? handlers.list[i].fn : NULL;
        void *arg = due ? handlers.list[i].arg : NULL;
        int from = due ? handlers.list[i].told : 0;
        if (due) handlers.list[i].told = byre__failures;
        pthread_mutex_unlock(&handlers.lock);
        if (!due) return;
        byre__handler_enter();
        for (int k = from; k < byre__failures; k++) fn(detector.order[k], arg);
        byre__handler_leave();
    }
}

static void bury(int rank, unsigned char state)
{
    if (byre__peer_state[rank] != BYRE__ALIVE || rank == byre__nodes.rank) return;
    if (state == BYRE__FAILED) detector.order[byre__failures] = rank;
    atomic_store(&byre__peer_state[rank], state);
    atomic_fetch_add(&byre__absent, 1);
    if (byre__nodes.peers[rank].pidfd >= 0)
        byre__sleep_forget_process(byre__nodes.peers[rank].pidfd);
    byre__am_peer_gone(rank);
    byre__handler_enter();
    byre__parts_peer_gone(rank);
    byre__handler_leave();
    if (state != BYRE__FAILED) return;
    atomic_fetch_add(&byre__failures, 1);
    byre__count(peers_failed);
    byre__info("rank %d on %s has failed", rank, byre__nodes.names[byre__nodes.peers[rank].node]);
    tell_others(rank);
    call_handlers();
}

static void bury_everybody(void)
{
    byre__error("the others have declared this rank dead (it was silent for longer than "
                "BYRE_PEER_TIMEOUT_MS): it is cut off");
    for (int r = 0; r < byre__nodes.size; r++) bury(r, BYRE__FAILED);
}

/* ---- what comes --------------------------------------------------------------------------- */

static void on_heartbeat(const byre_am_t *am, void *arg)
{
    (void)am, (void)arg; /* byre__detector_heard has been called for it */
}

static void on_failure(const byre_am_t *am, void *arg)
{
    (void)arg;
    int dead;
    if (am->bytes != sizeof dead || detector.stopped) return;
    memcpy(&dead, am->data, sizeof dead);
    if (dead < 0 || dead >= byre__nodes.size) return;
    if (dead == byre__nodes.rank)
        bury_everybody();
    else
        bury(dead, BYRE__FAILED);
}

static void on_goodbye(const byre_am_t *am, void *arg)
{
    (void)arg;
    bury(am->source, BYRE__LEFT);
}

void byre__detector_heard(int rank)
{
    detector.heard[rank] = true; /* the next tick says when */
}

/* ---- what is due -------------------------------------------------------------------------- */

static int look_for_dead_processes(void)
{
    int found = 0;
    for (int r = 0; r < byre__nodes.size; r++) {
        int pidfd = byre__nodes.peers[r].pidfd;
        if (pidfd < 0 || byre__peer_state[r] != BYRE__ALIVE) continue;
        struct pollfd process = { .fd = pidfd, .events = POLLIN };
        if (poll(&process, 1, 0) <= 0) continue;
        bury(r, BYRE__FAILED);
        found++;
    }
    return found;
}

static int watch_predecessor(uint64_t now)
{
    int before = neighbour(byre__nodes.rank, -1);
    if (before == byre__nodes.rank) return 0;
    if (before != detector.watched || detector.heard[before]) detector.heard_ns = now;
    detector.watched = before;
    detector.heard[before] = false;
    if (byre__nodes.peers[before].pidfd >= 0) return 0; /* the kernel watches it */
    if (now - detector.heard_ns < detector.timeout_ns) return 0;
    if (byre__lifesign_within(byre__nodes.peers[before].node,
                              (uint32_t)(detector.timeout_ns / 1000000u)))
        return 0;
    bury(before, BYRE__FAILED);
    return 1;
}

static void send_heartbeat(void)
{
    int after = neighbour(byre__nodes.rank, 1);
    if (after == byre__nodes.rank || byre__nodes.peers[after].pidfd >= 0) return;
    byre__count(heartbeats);
    byre__am_signal(after, BYRE__AM_HEARTBEAT);
}

int byre__detector_tick(uint64_t now)
{
    if (detector.stopped || byre__nodes.size == 1) return 0;
    if (now != BYRE__TICK_NOW && now < detector.next_ns) return 0;
    now = byre__now_ns();
    /* A rank that did not run for a while has heard nobody: not the others' fault. */
    if (now > detector.next_ns + detector.timeout_ns / 2) detector.heard_ns = now;
    int found = look_for_dead_processes();
    if (now >= detector.next_ns) {
        detector.next_ns = now + detector.period_ns;
        found += byre__am_ring_unblock();
        found += watch_predecessor(now);
        send_heartbeat();
        call_handlers();
    }
    return found;
}

uint64_t byre__detector_due_ns(uint64_t now)
{
    if (byre__nodes.size == 1) return detector.period_ns * 10;
    return now >= detector.next_ns ? 0 : detector.next_ns - now;
}

/* ---- start and finish --------------------------------------------------------------------- */

int byre__detector_init(void)
{
    size_t size = (size_t)byre__nodes.size;
    detector.period_ns = (uint64_t)byre__env_int(BYRE__ENV_HEARTBEAT_MS) * 1000000u;
    detector.timeout_ns = (uint64_t)byre__env_int(BYRE__ENV_PEER_TIMEOUT_MS) * 1000000u;
    if (detector.period_ns < 1000000u) detector.period_ns = 1000000u;
    if (detector.timeout_ns < 4 * detector.period_ns) detector.timeout_ns = 4 * detector.period_ns;
    detector.stopped = false;
    detector.watched = -1;
    detector.next_ns = byre__now_ns() + detector.period_ns;
    handlers.count = 0;
    atomic_store(&byre__failures, 0);
    atomic_store(&byre__absent, 0);
    atomic_store(&byre__failures_acked, 0);
    byre__peer_state = calloc(size, sizeof *byre__peer_state);
    detector.heard = calloc(size, sizeof *detector.heard);
    detector.order = calloc(size, sizeof *detector.order);
    if (byre__peer_state == NULL || detector.heard == NULL || detector.order == NULL) {
        byre__detector_fini();
        return BYRE_ENOMEM;
    }
    (void)byre__am_register(BYRE__AM_HEARTBEAT, on_heartbeat, NULL, NULL);
    (void)byre__am_register(BYRE__AM_FAILURE, on_failure, NULL, NULL);
    (void)byre__am_register(BYRE__AM_GOODBYE, on_goodbye, NULL, NULL);
    return BYRE_OK;
}

void byre__detector_fini(void)
{
    free((void *)byre__peer_state);
    free(detector.heard);
    free(detector.order);
    byre__peer_state = NULL;
    detector.heard = NULL;
    detector.order = NULL;
}

void byre__detector_goodbye(void)
{
    for (int r = 0; r < byre__nodes.size; r++)
        if (r != byre__nodes.rank && byre__peer_state[r] == BYRE__ALIVE)
            byre__am_signal(r, BYRE__AM_GOODBYE);
}

void byre__detector_stop(void)
{
    detector.stopped = true;
}

/* ---- the public face ---------------------------------------------------------------------- */

int byre__failure_latest(void)
{
    int known = atomic_load(&byre__failures);
    return known > 0 ? detector.order[known - 1] : -1;
}

int byre_peer_failed(int rank)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (rank < 0 || rank >= byre__nodes.size) return BYRE_ERANK;
    return atomic_load(&byre__peer_state[rank]) == BYRE__FAILED;
}

int byre_on_peer_failure(byre_failure_fn fn, void *arg)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (fn == NULL) return BYRE_EINVAL;
    pthread_mutex_lock(&handlers.lock);
    bool room = handlers.count < HANDLERS;
    if (room) {
        handlers.list[handlers.count].fn = fn;
        handlers.list[handlers.count].arg = arg;
        handlers.list[handlers.count].told = 0;
        handlers.count++;
    }
    pthread_mutex_unlock(&handlers.lock);
    return room ? BYRE_OK : BYRE_ENOMEM; /* the next tick tells it of earlier failures */
}

int byre_failure_bound_ms(void)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    /* silence, a heartbeat that was sent just before death, and the tick that notices */
    return (int)((detector.timeout_ns + 3 * detector.period_ns) / 1000000u);
}

int byre_failures_ack(void)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    int known = atomic_load(&byre__failures);
    atomic_store(&byre__failures_acked, known);
    return known;
}
