/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Start and finish: the order of the parts is the map of the runtime. Each step has its undo; a
 * failed start leaves nothing behind.
 */
#include "am_core.h"
#include "counters.h"
#include "detector.h"
#include "env.h"
#include "fault.h"
#include "log.h"
#include "machine.h"
#include "mailbox.h"
#include "message.h"
#include "node.h"
#include "part.h"
#include "popup.h"
#include "port.h"
#include "progress.h"
#include "service.h"
#include "sigpipe.h"
#include "transport.h"
#include <stdlib.h>
#include <string.h>

enum { DOWN, OVER = 2 };
_Atomic int byre__state = DOWN;

const byre__transport_t *byre__transport = &byre__transport_loopback;

int byre_initialized(void)
{
    return byre__is_up();
}

static void choose_transport(void)
{
    const char *wanted = byre__env_string(BYRE__ENV_TRANSPORT);
    bool mpi =
        strcmp(wanted, "mpi") == 0 || (strcmp(wanted, "auto") == 0 && byre__transport_mpi_wanted());
    byre__transport = mpi ? &byre__transport_mpi : &byre__transport_loopback;
}

/* Are two ranks bound to the same single processor (mpirun without a map does that on small nodes)? */
static bool share_one(const byre__cpuset_t *sets, int ranks)
{
    for (int i = 0; i < ranks; i++)
        for (int j = 0; j < i; j++)
            if (byre__cpuset_count(&sets[i]) == 1 && byre__cpuset_equal(&sets[i], &sets[j]))
                return true;
    return false;
}

/* Where the service threads of this node go, and whether there is a processor for each thread that
 * wants to spin: every rank one, and one more before service threads may. */
static int share_processors(void)
{
    size_t size = (size_t)byre__nodes.size;
    byre__cpuset_t own, outer, *all = malloc(size * sizeof *all);
    if (all == NULL) return BYRE_ENOMEM;
    byre__machine_own(&own);
    byre__machine_outer(&outer);
    int error = byre__transport->allgather(&own, all, sizeof own);
    int ranks = 0, self = 0, cores = byre__env_int(BYRE__ENV_CORES);
    if (cores < 0) cores = byre__cpuset_count(&outer);
    for (int r = 0; r < byre__nodes.size && error == BYRE_OK; r++) {
        if (byre__nodes.peers[r].slot == NULL) continue;
        if (r == byre__nodes.rank) self = ranks;
        all[ranks++] = all[r]; /* in place: ranks <= r */
    }
    if (error == BYRE_OK) {
        byre__service_place(all, ranks, self, &outer);
        byre__cores_short = ranks > cores || (cores > 1 && share_one(all, ranks));
        byre__cores_spare = ranks < cores && !byre__cores_short;
        byre__info("%d ranks on %d processors of this node: waiting threads %s", ranks, cores,
                   byre__cores_short ? "yield" : "spin");
    }
    free(all);
    return error;
}

struct step {
    const char *name;
    int (*start)(void);
    void (*undo)(void);
};

static int start_transport(void)
{
    int rank = 0, size = 1;
    int error = byre__transport->start(&rank, &size);
    if (error != BYRE_OK) return error;
    byre__log_rank(rank);
    error = byre__node_init(rank, size);
    if (error != BYRE_OK) byre__transport->stop(true);
    return error;
}

static void stop_transport(void)
{
    bool peers_failed = byre__failures > 0;
    byre__node_fini();
    byre__transport->stop(peers_failed);
}

static int start_popups(void)
{
    return byre__popup_init(byre__env_int(BYRE__ENV_POPUP_MAX));
}

static int start_machine(void)
{
    int error = byre__machine_load();
    if (error == BYRE_OK) error = share_processors();
    return error;
}

static const struct step steps[] = {
    { "faults", byre__fault_init, byre__fault_fini },
    { "SIGPIPE", byre__sigpipe_init, byre__sigpipe_fini },
    { "transport", start_transport, stop_transport },
    { "machine", start_machine, byre__machine_unload },
    { "active messages", byre__am_init, byre__am_fini },
    { "requests", byre__call_init, byre__call_fini },
    { "failure detector", byre__detector_init, byre__detector_fini },
    { "barrier", byre__barrier_init, NULL },
    { "messages", NULL, byre__message_fini },
    { "ports", NULL, byre__port_fini },
    { "pop-up threads", start_popups, byre__popup_fini },
    { "mailboxes", byre__mailbox_init, byre__mailbox_fini },
    { "parts", byre__parts_start, byre__parts_stop },
    { "progress", byre__progress_init, byre__progress_fini },
    { "service thread", byre__service_init, byre__service_fini },
};
enum { STEPS = sizeof steps / sizeof steps[0] };

static void undo_steps(int from)
{
    for (int i = from - 1; i >= 0; i--)
        if (steps[i].undo != NULL) steps[i].undo();
}

int byre_init(void)
{
    if (atomic_load(&byre__state) != DOWN) return BYRE_ESTATE;
    byre__log_init();
    int error = byre__env_check();
    if (error != BYRE_OK) return error;
    byre__counters_reset();
    choose_transport();
    for (int i = 0; i < STEPS; i++) {
        error = steps[i].start != NULL ? steps[i].start() : BYRE_OK;
        if (error == BYRE_OK) continue;
        byre__error("byre_init: %s: %s", steps[i].name, byre_strerror(error));
        undo_steps(i);
        return error;
    }
    atomic_store(&byre__state, BYRE__UP);
    error = byre_barrier(); /* nobody sends to a rank that is not up */
    if (error == BYRE_OK) return BYRE_OK;
    atomic_store(&byre__state, DOWN);
    undo_steps(STEPS);
    return error;
}

/* ---- finish -------------------------------------------------------------------------------------- */

static bool drained(void *arg)
{
    (void)arg;
    return byre__send_drained() && byre__am_drained();
}

/* After a failure nobody ends MPI in order: remove the files of this rank and of the dead. */
static void sweep_node(void)
{
    if (byre__transport->sweep == NULL) return;
    for (int r = 0; r < byre__nodes.size; r++) {
        const byre__slot_t *slot = byre__nodes.peers[r].slot;
        bool dead = byre__peer_state[r] == BYRE__FAILED;
        if (slot != NULL && (dead || r == byre__nodes.rank))
            byre__transport->sweep(byre__nodes.peers[r].on_machine);
    }
}

int byre_finalize(void)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    byre__parts_finish();
    (void)byre__wait_until(drained, NULL, 0);
    if (byre_barrier() == BYRE_OK) {
        (void)byre__wait_until(drained, NULL, 0);
        byre__detector_stop();
    } else {
        byre__detector_goodbye();
        (void)byre__wait_until(drained, NULL, 0);
    }
    if (byre__failures > 0) sweep_node();
    atomic_store(&byre__state, OVER);
    undo_steps(STEPS);
    return BYRE_OK;
}

/* ---- who is where -------------------------------------------------------------------------------- */

int byre_rank(void)
{
    return byre_initialized() ? byre__nodes.rank : BYRE_ESTATE;
}

int byre_size(void)
{
    return byre_initialized() ? byre__nodes.size : BYRE_ESTATE;
}

int byre_node_count(void)
{
    return byre_initialized() ? byre__nodes.nodes : BYRE_ESTATE;
}

int byre_node_of(int rank)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (rank < 0 || rank >= byre__nodes.size) return BYRE_ERANK;
    return byre__nodes.peers[rank].node;
}

const char *byre_node_name(int node)
{
    if (!byre_initialized() || node < 0 || node >= byre__nodes.nodes) return NULL;
    return byre__nodes.names[node];
}

int byre_port_max(void)
{
    return byre_initialized() ? byre__transport->max_tag : BYRE_ESTATE;
}
