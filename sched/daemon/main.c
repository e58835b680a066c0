/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - byred: options, and the order in which a daemon comes up and goes.
 *
 *   directory, log        where this node's state is
 *   peers                 MPI, collective: before anything of this node can fail, or the others would wait for it
 *   ledger, placer        what this node had, and what it has to give
 *   loop                  keeper, then the others (recover.c), then clients
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/machine.h"
#include "sched/daemon/client.h"
#include "sched/daemon/down.h"
#include "sched/daemon/host.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/owner.h"
#include "sched/daemon/peer.h"
#include "sched/daemon/recover.h"
#include "sched/daemon/takeover.h"
#include "sched/daemon/wire.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

byred_t byred = { .place = "fcfs",
                  .bind = true,
                  .grace_ms = 30000,
                  .keep = 10000,
                  .owner_rule = { .idle_s = 300, .busy_others = 0.5 } };

static const char usage_text[] =
    "usage: mpirun --enable-recovery ... byred [OPTION...]\n"
    "\n"
    "The daemon of one node of a pool. `byre up' starts one on each node; there is rarely a reason "
    "to start it by\n"
    "hand.\n"
    "\n"
    "  --pool NAME         the pool's name (default: $BYRE_POOL, or \"pool\")\n"
    "  --policy TEXT       which node a job goes to, with parameters: \"threshold,T=2,L=3\" "
    "(default: threshold)\n"
    "  --place NAME        which processors of a node it gets: ";

static const char usage_more[] =
    "\n"
    "                      (default: fcfs)\n"
    "  --slots N           processors to give away (default: all that are allowed)\n"
    "  --smt               a hyperthread counts as a processor; else a core does\n"
    "  --no-bind           jobs are counted, not bound to processors\n"
    "  --mem MIB           memory to give away (default: all)\n"
    "  --on-owner HOW      when somebody uses this node: ignore (default), warn-kill, requeue\n"
    "  --owner-idle S      the owner is gone S seconds after the last key (default: 300)\n"
    "  --owner-busy F      load by others above this fraction counts as the owner (default: 0.5; "
    "above 1: never)\n"
    "  --grace S           seconds from the warning to the end of a guest (default: 30)\n"
    "  --keep N            ended jobs that are remembered (default: 10000)\n"
    "  --log FILE          where to write what happens (default: byred.log in the state "
    "directory)\n"
    "  --help, --version\n"
    "\n"
    "Policies:\n";

static void usage(void)
{
    fputs(usage_text, stdout);
    for (const char *const *name = byre__place_policies(); *name != NULL; name++) {
        printf("%s%s", name == byre__place_policies() ? "" : ", ", *name);
    }
    fputs(usage_more, stdout);
    for (const byre__policy_t *const *policy = byre__policies; *policy != NULL; policy++) {
        printf("  %-12s %s\n", (*policy)->name, (*policy)->summary);
    }
}

__attribute__((format(printf, 1, 2), noreturn)) static void misuse(const char *format, ...)
{
    va_list args;

    fputs("byred: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry `byred --help'.\n", stderr);
    exit(2);
}

/* ---- options ----------------------------------------------------------------------------------- */

static double number(const char *option, const char *text, double least, double most)
{
    char *end;
    double value;

    errno = 0;
    value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= least && value <= most)) {
        misuse("--%s wants a number from %g to %g, not `%s'", option, least, most, text);
    }
    return value;
}

static uint64_t mem_bytes;
static const char *log_path;

static enum byred_on_owner on_owner(const char *text)
{
    static const char *const names[] = { "ignore", "warn-kill", "requeue" };

    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum byred_on_owner)i;
        }
    }
    misuse("--on-owner wants ignore, warn-kill or requeue, not `%s'", text);
}

static void set_policy(const char *text)
{
    char error[160];

    byred.policy = byre__policy_parse(text, &byred.params, error);
    if (byred.policy == NULL) {
        misuse("%s", error);
    }
}

static void set_place(const char *text)
{
    for (const char *const *name = byre__place_policies(); *name != NULL; name++) {
        if (strcmp(text, *name) == 0) {
            byred.place = *name;
            return;
        }
    }
    misuse("there is no way of placing called `%s'", text);
}

enum {
    POOL = 256,
    POLICY,
    PLACE,
    SLOTS,
    SMT,
    NO_BIND,
    MEM,
    ON_OWNER,
    OWNER_IDLE,
    OWNER_BUSY,
    GRACE,
    KEEP,
    LOG,
    HELP,
    VERSION
};

static const struct option options[] = { { "pool", 1, NULL, POOL },
                                         { "policy", 1, NULL, POLICY },
                                         { "place", 1, NULL, PLACE },
                                         { "slots", 1, NULL, SLOTS },
                                         { "smt", 0, NULL, SMT },
                                         { "no-bind", 0, NULL, NO_BIND },
                                         { "mem", 1, NULL, MEM },
                                         { "on-owner", 1, NULL, ON_OWNER },
                                         { "owner-idle", 1, NULL, OWNER_IDLE },
                                         { "owner-busy", 1, NULL, OWNER_BUSY },
                                         { "grace", 1, NULL, GRACE },
                                         { "keep", 1, NULL, KEEP },
                                         { "log", 1, NULL, LOG },
                                         { "help", 0, NULL, HELP },
                                         { "version", 0, NULL, VERSION },
                                         { NULL, 0, NULL, 0 } };

static void take(int option)
{
    switch (option) {
    case POOL:
        byred.pool = optarg;
        break;
    case POLICY:
        set_policy(optarg);
        break;
    case PLACE:
        set_place(optarg);
        break;
    case SLOTS:
        byred.slots = (uint32_t)number("slots", optarg, 1, 65536);
        break;
    case SMT:
        byred.smt = true;
        break;
    case NO_BIND:
        byred.bind = false;
        break;
    case MEM:
        mem_bytes = (uint64_t)number("mem", optarg, 1, 1e12) << 20;
        break;
    case ON_OWNER:
        byred.on_owner = on_owner(optarg);
        break;
    case OWNER_IDLE:
        byred.owner_rule.idle_s = number("owner-idle", optarg, 0, 1e9);
        break;
    case OWNER_BUSY:
        byred.owner_rule.busy_others = number("owner-busy", optarg, 0, 1e9);
        break;
    case GRACE:
        byred.grace_ms = (uint32_t)(1000 * number("grace", optarg, 0, 1e6));
        break;
    case KEEP:
        byred.keep = (uint32_t)number("keep", optarg, 0, 1e9);
        break;
    case LOG:
        log_path = optarg;
        break;
    case HELP:
        usage();
        exit(0);
    case VERSION:
        puts("byred " PACKAGE_VERSION);
        exit(0);
    default:
        misuse("bad options");
    }
}

static void parse(int argc, char **argv)
{
    int option;
    const char *cores = getenv("BYRE_CORES");

    set_policy("threshold");
    if (cores != NULL && *cores != '\0' && cores[0] != '-') {
        /* A lab's node has fewer than its machine: less than one counts as one. */
        byred.slots = (uint32_t)number("slots (BYRE_CORES)", cores, 0, 65536);
        byred.slots = byred.slots > 0 ? byred.slots : 1;
    }
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        take(option);
    }
    if (optind < argc) {
        misuse("`%s' is not an option", argv[optind]);
    }
    if (byre__state_pool(byred.pool) == NULL) {
        misuse("a pool's name is 1 to 32 of a-z A-Z 0-9 _ - and ., not `%s'", byred.pool);
    }
    byred.pool = byre__state_pool(byred.pool);
}

/* ---- up ---------------------------------------------------------------------------------------- */

static bool open_directory(void)
{
    int error = byre__state_dir(byred.pool, true, byred.dir);
    static char path[BYRE__STATE_PATH + 32];
    ssize_t length;

    if (error != BYRE_OK) {
        fprintf(stderr, "byred: the state directory %s: %s\n", byred.dir,
                error == BYRE_ERIGHT
                    ? "belongs to somebody else, or is open to others: say another with $BYRE_STATE"
                : error == BYRE_ESYSTEM ? strerror(errno)
                                        : byre_strerror(error));
        return false;
    }
    snprintf(path, sizeof path, "%s/byred.log", byred.dir);
    log_path = log_path != NULL ? log_path : path;
    if (!byred_log_open(log_path)) {
        fprintf(stderr, "byred: cannot write %s: %s\n", log_path, strerror(errno));
        return false;
    }
    length = readlink("/proc/self/exe", byred.keeper_path, sizeof byred.keeper_path - 16);
    if (length <= 0) {
        return false;
    }
    byred.keeper_path[length] = '\0';
    strcpy(strrchr(byred.keeper_path, '/'), "/byred-keeper");
    return true;
}

static bool open_placer(void)
{
    byre__cpuset_t allowed;
    byre__place_config_t config = { .policy = byred.place,
                                    .slots = byred.slots,
                                    .smt = byred.smt,
                                    .bind = byred.bind,
                                    .mem = mem_bytes > 0 ? mem_bytes : byred.load.mem_bytes };
    int error = byre__machine_load();

    if (error != BYRE_OK) {
        byred_log("the machine cannot be read: %s", byre_strerror(error));
        return false;
    }
    byre__machine_outer(&allowed); /* a taskset around `byre up' counts */
    error = byre__placer_create(byre__machine_topology(), &allowed, &config, &byred.placer);
    if (error == BYRE_EINVAL && config.bind && config.slots != 0) {
        byred_log("%u slots are more than the processors of this node: jobs are not bound",
                  config.slots);
        byred.bind = config.bind = false;
        error = byre__placer_create(byre__machine_topology(), &allowed, &config, &byred.placer);
    }
    if (error != BYRE_OK) {
        byred_log("no processors to give away: %s", byre_strerror(error));
    }
    return error == BYRE_OK;
}

static void on_peer(void *arg, uint32_t events)
{
    peer_frame_t frame;

    (void)arg;
    (void)events;
    for (int i = 0; i < 256 && peer_next(&frame); i++) {
        wire_handle(&frame);
    }
}

static void on_ledger(void *arg, uint32_t events)
{
    (void)arg;
    (void)events;
    ledger_reap(byred.ledger);
}

static void on_signal(void *arg, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)events;
    if (read(*(int *)arg, &info, sizeof info) == (ssize_t)sizeof info) {
        down_signal();
    }
}

static int signal_fd(void)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        byred_log("signals cannot be heard: %m");
    }
    return fd;
}

static bool watch(loop_watch_t *watched, int fd, loop_fn fn, void *arg)
{
    *watched = (loop_watch_t){ .fd = fd, .fn = fn, .arg = arg };
    if (loop_add(watched, EPOLLIN)) {
        return true;
    }
    byred_log("the loop cannot wait for events: %m");
    return false;
}

/* Of what fails for one reason only. */
static bool had_memory(bool opened)
{
    if (!opened) {
        byred_log("%s", byre_strerror(BYRE_ENOMEM));
    }
    return opened;
}

/* What fails says in the log why. */
static bool open_parts(void)
{
    static loop_watch_t peer_watch, ledger_watch, signal_watch;
    static int signals;

    signals = signal_fd();
    return loop_open() && had_memory(members_open() && context_open() && jobs_open()) &&
           owner_open() && open_placer() && had_memory(host_open()) &&
           watch(&peer_watch, peer_fd(), on_peer, NULL) &&
           watch(&ledger_watch, ledger_fd(byred.ledger), on_ledger, NULL) &&
           watch(&signal_watch, signals, on_signal, &signals) && recover_ledger();
}

static bool open_all(char error[static 256])
{
    if (takeover_ledger(error) != BYRE_OK) {
        return false;
    }
    if (!open_parts()) {
        snprintf(error, 256, "cannot start: %.200s says why", log_path);
        return false;
    }
    return clients_open(error);
}

int main(int argc, char **argv)
{
    char error[256] = "";
    int status = 1;

    parse(argc, argv);
    assert(byred.policy != NULL);
    umask(077);
    if (!open_directory()) {
        return 1;
    }
    byred.up_ms = byred_ms();
    (void)signal_fd(); /* before there are other threads */
    if (peer_open(error) != BYRE_OK) {
        goto undo_log;
    }
    byred_log("byred " PACKAGE_VERSION " on node %s: pool %s, %d nodes, policy %s, place %s",
              peer_name(peer_self()), byred.pool, peer_count(), byred.policy->name, byred.place);
    if (!open_all(error)) {
        goto undo_peers;
    }
    keeper_open();
    status = loop_run();
    clients_close();
    byred_log("byred ends");

undo_peers:
    if (byred.ledger != NULL) {
        ledger_close(byred.ledger);
    }
    if (status != 0 && error[0] != '\0') {
        byred_complain(peer_name(peer_self()), error);
    }
    if (status != 0 || down_alone()) {
        _exit(status); /* MPI_Finalize would wait for who is gone, or goes on without us */
    }
    peer_close();
    return 0;
undo_log:
    if (error[0] != '\0') {
        byred_complain("", error);
    }
    return status;
}
