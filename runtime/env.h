/* SPDX-License-Identifier: BSD-3-Clause */
/* The environment variables that Byre reads: one table, printed by `byre env` and the man page. */
#ifndef BYRE__ENV_H
#define BYRE__ENV_H

#include <stdbool.h>
#include <stddef.h>

/* X(id, variable, type, default, meaning). Types: int, bool, string, or choices as a|b|c. */
#define BYRE_ENVIRONMENT(X)                                                                        \
    X(TRANSPORT, "BYRE_TRANSPORT", "auto|mpi|loopback", "auto",                                    \
      "what carries messages; auto: Open MPI when started by mpirun or srun or when MPI is up, "   \
      "else loopback, a cluster of one")                                                           \
    X(LOG, "BYRE_LOG", "off|error|info|debug", "off", "what the library writes to stderr")         \
    X(SERVICE, "BYRE_SERVICE", "bool", "1",                                                        \
      "run the service thread; without it nothing is answered while the application computes")     \
    X(SERVICE_SCHED, "BYRE_SERVICE_SCHED", "auto|other|fifo", "auto",                              \
      "scheduling of the service thread: other with a short slice; fifo at the lowest real-time "  \
      "priority; auto: fifo where permitted, else other")                                          \
    X(SERVICE_CPUS, "BYRE_SERVICE_CPUS", "string", "auto",                                         \
      "where the service thread runs: auto (where it hurts least), none (unbound), or a CPU list") \
    X(CORES, "BYRE_CORES", "int", "-1",                                                            \
      "processors that the ranks of this node can count on, where others need some too; -1: all "  \
      "that they may use. With fewer than ranks, who waits does not spin")                         \
    X(SPIN_US, "BYRE_SPIN_US", "int", "-1",                                                        \
      "microseconds that a waiting thread spins before it yields; -1: 200 when every local rank "  \
      "has a core, else 0")                                                                        \
    X(YIELD_US, "BYRE_YIELD_US", "int", "2000",                                                    \
      "microseconds that a waiting thread polls and yields before it sleeps")                      \
    X(NAP_US, "BYRE_NAP_US", "int", "-1",                                                          \
      "longest nap of an engine with traffic it cannot be woken for; -1: 200 with a spare core, "  \
      "else 1000")                                                                                 \
    X(NODE_RANKS, "BYRE_NODE_RANKS", "int", "0",                                                   \
      "how many ranks of a machine make a node; 0: all. With 1, say, ranks of one machine treat "  \
      "each other as on different machines: to try or to measure that")                            \
    X(NODE_NAME, "BYRE_NODE_NAME", "string", "",                                                   \
      "this node's name; empty: the host's. Ranks of a machine under different names treat each "  \
      "other as on different machines, so that several daemons can be tried on one machine")       \
    X(HEARTBEAT_MS, "BYRE_HEARTBEAT_MS", "int", "100", "time between two heartbeats")              \
    X(PEER_TIMEOUT_MS, "BYRE_PEER_TIMEOUT_MS", "int", "2000",                                      \
      "silence after which a rank on another node is declared dead")                               \
    X(AM_CREDITS, "BYRE_AM_CREDITS", "int", "64",                                                  \
      "active messages that may be under way to one rank before the sender waits; within a "       \
      "node at most 128")                                                                          \
    X(POPUP_MAX, "BYRE_POPUP_MAX", "int", "64", "most pop-up threads at once")                     \
    X(DSM_REPORT, "BYRE_DSM_REPORT", "bool", "0",                                                  \
      "at byre_finalize rank 0 writes to stderr which units of shared memory went back and forth " \
      "between ranks most, and which lines of the program made them")                              \
    X(DSM_LARGE_FRAMES, "BYRE_DSM_LARGE_FRAMES", "bool", "1",                                      \
      "long stretches of shared memory get memory in pieces of 2 MiB, where the kernel permits")   \
    X(POOL, "BYRE_POOL", "string", "pool",                                                         \
      "the pool of nodes that byre run and its like use, where --pool says no other")              \
    X(STATE, "BYRE_STATE", "string", "/var/tmp/byre-UID",                                          \
      "directory of pools: ledgers, logs and sockets; owned by the user, on each node its own "    \
      "or shared by all")

enum byre__env_id {
#define BYRE__X(id, name, type, def, meaning) BYRE__ENV_##id,
    BYRE_ENVIRONMENT(BYRE__X)
#undef BYRE__X
        BYRE__ENV_COUNT
};

typedef struct byre__env_var {
    const char *name;
    const char *type;
    const char *def;
    const char *meaning;
} byre__env_var_t;

const byre__env_var_t *byre__env_table(size_t *count_out);

/* The value in force: the environment's or the default. Never NULL. */
const char *byre__env_string(enum byre__env_id id);
int byre__env_int(enum byre__env_id id);
bool byre__env_bool(enum byre__env_id id);

/* The environment's value of a variable, or NULL when it is not set. */
const char *byre__env_get(const char *name);

/* Check every variable against its type: BYRE_EINVAL with a logged line for the first bad one. */
int byre__env_check(void);

#endif
