/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * up.c - `byre up': a daemon on each node, started by mpirun, which goes on when this command has ended.
 *
 * The pool is up when the daemon of this node says that all are: it answers nobody before it has heard the others.
 */
#include "launch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/env.h"
#include "sched/state.h"

static byre__cmd_t command;

enum { WORDS_MAX = 256, ASK_MS = 500, OLD_MS = 5000 };

typedef struct request {
    const char *name, *hosts, *hostfile;
    double wait_s;
    char *byred[32]; /* options that go to the daemons */
    int byred_count;
    char remembered[PATH_MAX + 64];
} request_t;

typedef struct words {
    char *word[WORDS_MAX + 1];
    int count;
} words_t;

static void add_word(words_t *words, const char *word)
{
    if (words->count < WORDS_MAX) words->word[words->count++] = (char *)word;
    words->word[words->count] = NULL;
}

/* ---- which nodes ------------------------------------------------------------------------------------------ */

static void remember_hosts(const request_t *request, const char *dir)
{
    char path[BYRE__STATE_PATH + 16];
    FILE *file;

    snprintf(path, sizeof path, "%s/up.hosts", dir);
    if (request->hosts == NULL && request->hostfile == NULL) {
        (void)unlink(path);
        return;
    }
    file = fopen(path, "we");
    if (file == NULL) return;
    fprintf(file, "%s%s\n", request->hosts ? "hosts " : "hostfile ",
            request->hosts ? request->hosts : request->hostfile);
    fclose(file);
}

/* After a crash: those of the last byre up. */
static void recall_hosts(request_t *request, const char *dir)
{
    char path[BYRE__STATE_PATH + 16];
    FILE *file;

    if (request->hosts != NULL || request->hostfile != NULL) return;
    snprintf(path, sizeof path, "%s/up.hosts", dir);
    file = fopen(path, "re");
    if (file == NULL) return;
    if (fgets(request->remembered, sizeof request->remembered, file) != NULL) {
        char *value = strchr(request->remembered, ' ');

        request->remembered[strcspn(request->remembered, "\n")] = '\0';
        if (strncmp(request->remembered, "hosts ", 6) == 0) request->hosts = value + 1;
        if (strncmp(request->remembered, "hostfile ", 9) == 0) request->hostfile = value + 1;
    }
    fclose(file);
}

/* Jobs go through the daemon of the node one is on: there must be one here. */
static int check_hosts(const request_t *request)
{
    char host[256] = "this machine";
    int found;

    if (request->hosts == NULL && request->hostfile == NULL) return BYRE__CMD_OK;
    found = hosts_include_this(request->hosts, request->hostfile);
    if (found > 0) return BYRE__CMD_OK;
    if (found < 0) return byre__cmd_fail(&command, "%s: %s", request->hostfile, strerror(errno));
    (void)gethostname(host, sizeof host - 1);
    return byre__cmd_fail(
        &command,
        "%s is not one of the nodes. Jobs are submitted to the daemon of the node one is "
        "on: add %s to %s, or type `byre up' on one of them",
        host, host, request->hosts ? "--hosts" : request->hostfile);
}

/* ---- the start ------------------------------------------------------------------------------------------------- */

/* mpirun hands on to other nodes only what it is told to. */
static void add_variables(words_t *words)
{
    size_t count;
    const byre__env_var_t *table = byre__env_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (getenv(table[i].name) == NULL) continue;
        add_word(words, "-x");
        add_word(words, table[i].name);
    }
}

static void build(const request_t *request, const char *byred, const char *pool, words_t *words)
{
    add_word(words, BYRE_MPIRUN);
    add_word(words, "--enable-recovery");
    add_word(words, "--map-by");
    add_word(words, "ppr:1:node");
    add_word(words, "--bind-to");
    add_word(words, "none");
    if (request->hosts != NULL) {
        add_word(words, "--host");
        add_word(words, request->hosts);
    } else if (request->hostfile != NULL) {
        add_word(words, "--hostfile");
        add_word(words, request->hostfile);
    }
    add_variables(words);
    add_word(words, byred);
    add_word(words, "--pool");
    add_word(words, pool);
    for (int i = 0; i < request->byred_count; i++) add_word(words, request->byred[i]);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The line of progress, before something else is said. */
static void clear_line(void)
{
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}

/* mpirun has ended before the pool was up: in its own words. */
static int tell_failure(const char *dir, int status)
{
    clear_line();
    byre__cmd_fail(&command, "mpirun could not start the daemons%s; it says:",
                   WIFSIGNALED(status) ? " (it was killed)" : "");
    launch_show_log(dir, 0);
    return BYRE__CMD_FAILED;
}

static int tell_timeout(const request_t *request, const char *dir, const char *pool)
{
    bool found;

    clear_line();
    byre__cmd_fail(
        &command,
        "after %.0f s the daemon of this node does not answer (is this machine one of the "
        "nodes? can they reach each other? --wait gives more time). What mpirun says:",
        request->wait_s);
    launch_show_log(dir, 0);
    (void)launch_down(&command, pool, dir, false, &found);
    return BYRE__CMD_FAILED;
}

/* A daemon went on without those that could not start: the pool stays as it is. */
static int tell_incomplete(const char *dir, const byre_sched_t *sched)
{
    byre__cmd_fail(&command,
                   "only %u of %u nodes are up, and can be used; `byre nodes' tells which, and "
                   "another `byre up' tries again. What the others said:",
                   sched->nodes_up, sched->nodes);
    launch_show_log(dir, sched->nodes - sched->nodes_up);
    return BYRE__CMD_FAILED;
}

static int tell_not_here(const char *dir)
{
    clear_line();
    byre__cmd_fail(&command, "the daemon of this node could not start (those of other nodes may "
                             "have, and go on until the next `byre up'). It said:");
    launch_show_log(dir, 0);
    return BYRE__CMD_FAILED;
}

/* Had this node a daemon, which is there no more? Looks seldom, since it reads all of /proc. */
static bool daemon_ended(const char *pool, bool *seen)
{
    static unsigned calls;
    pid_t pid;
    bool there;

    if (calls++ % 8 != 0) return false;
    there = launch_daemons(pool, &pid, 1) > 0;
    *seen |= there;
    return *seen && !there;
}

/* Until all nodes are up: *sched_out. BYRE__CMD_OK or _FAILED, after a complaint. A daemon that answers has
 * heard all others, or that they are gone: who is not up then will not be. */
static int await(const request_t *request, const char *pool, const char *dir, pid_t mpirun,
                 byre_sched_t **sched_out)
{
    static const struct timespec nap = { 0, 30000000 };
    double begin = now_s();
    bool terminal = isatty(STDERR_FILENO), seen = false;
    char why[BYRE__CLIENT_WHY];
    int status;

    for (;;) {
        if (waitpid(mpirun, &status, WNOHANG) == mpirun) return tell_failure(dir, status);
        if (byre__client_open(pool, ASK_MS, sched_out, why) == BYRE_OK) break;
        if (daemon_ended(pool, &seen)) return tell_not_here(dir);
        if (now_s() - begin > request->wait_s) return tell_timeout(request, dir, pool);
        if (terminal && now_s() - begin > 0.5)
            fprintf(stderr, "\rstarting the daemons ... %.0f s\033[K", now_s() - begin);
        (void)nanosleep(&nap, NULL);
    }
    clear_line();
    if ((*sched_out)->nodes_up < (*sched_out)->nodes) return tell_incomplete(dir, *sched_out);
    return BYRE__CMD_OK;
}

static void show(byre_sched_t *sched, const char *pool, double seconds)
{
    static const char *const heads[] = { "NODE", ">SLOTS", ">MEM", "POLICY", "PLACE" };
    byre__node_row_t *rows;
    char text[TEXT_SHORT];
    table_t table;
    size_t count;

    printf("%s: %u node%s up", pool, sched->nodes_up, sched->nodes_up == 1 ? "" : "s");
    printf(seconds < 0 ? " already\n" : " in %.1f s\n", seconds);
    if (share_nodes(sched, &rows, &count) != BYRE_OK) return;
    table_begin(&table, heads, 5);
    for (size_t i = 0; i < count; i++) {
        table_cell(&table, "%s", rows[i].name);
        table_cell(&table, "%u", rows[i].slots);
        table_cell(&table, "%s", text_bytes((double)rows[i].load.mem_bytes, text));
        table_cell(&table, "%s", rows[i].policy);
        table_cell(&table, "%s", rows[i].place);
    }
    table_end(&table, stdout);
    free(rows);
}

static int start(const request_t *request, const char *pool, const char *dir)
{
    char byred[PATH_MAX];
    words_t words = { .count = 0 };
    byre_sched_t *sched = NULL;
    double begin = now_s();
    pid_t mpirun;
    int status = check_hosts(request);

    if (status != BYRE__CMD_OK) return status;
    if (!launch_find_byred(byred, sizeof byred))
        return byre__cmd_fail(&command, "there is no byred beside this byre, nor in %s",
                              BYRE_BINDIR);
    remember_hosts(request, dir);
    build(request, byred, pool, &words);
    mpirun = launch_start(dir, words.word);
    if (mpirun < 0) return byre__cmd_fail(&command, "cannot start mpirun: %s", strerror(errno));
    status = await(request, pool, dir, mpirun, &sched);
    if (status == BYRE__CMD_OK) show(sched, pool, now_s() - begin);
    byre_sched_close(sched);
    return status;
}

/* ---- what is there already ------------------------------------------------------------------------------------- */

/* Is there a pool as it should be? Otherwise what is left of it is ended: its jobs go on. */
static int look(const request_t *request, const char *pool, const char *dir, bool *up_out)
{
    char why[BYRE__CLIENT_WHY];
    byre_sched_t *sched;
    bool found;
    int error = byre__client_open(pool, OLD_MS, &sched, why);

    (void)request;
    *up_out = false;
    if (error == BYRE_ERIGHT || error == BYRE_EPROTO) return byre__cmd_fail(&command, "%s", why);
    if (error == BYRE_OK) {
        *up_out = sched->nodes_up == sched->nodes;
        if (*up_out)
            show(sched, pool, -1);
        else
            fprintf(
                stderr,
                "byre up: %u of %u nodes are gone: starting the daemons again, so that those that "
                "have come back join. Jobs go on.\n",
                sched->nodes - sched->nodes_up, sched->nodes);
        byre_sched_close(sched);
        if (*up_out) return BYRE__CMD_OK;
    }
    return launch_down(&command, pool, dir, false, &found);
}

static int up(request_t *request)
{
    const char *pool = byre__state_pool(request->name);
    char dir[BYRE__STATE_PATH] = "";
    bool is_up;
    int error, status;

    if (pool == NULL)
        return byre__cmd_misuse(&command,
                                "a pool's name has 1 to 32 of a-z A-Z 0-9 _ - and ., not `%s'",
                                request->name ? request->name : getenv("BYRE_POOL"));
    error = byre__state_dir(pool, true, dir);
    if (error == BYRE_ERIGHT)
        return byre__cmd_fail(&command,
                              "%s belongs to another user, or is open to others: say another "
                              "directory by BYRE_STATE",
                              dir);
    if (error != BYRE_OK)
        return byre__cmd_fail(&command, "cannot make the directory %s: %s", dir,
                              error == BYRE_ESYSTEM ? strerror(errno) : byre_strerror(error));
    status = look(request, pool, dir, &is_up);
    if (status != BYRE__CMD_OK || is_up) return status;
    recall_hosts(request, dir);
    return start(request, pool, dir);
}

/* ---- command line ---------------------------------------------------------------------------------------------- */

enum { TO_BYRED = 0x200 };

static int take_option(request_t *request, const struct option *long_option, int option,
                       char **argv)
{
    static char path[PATH_MAX];
    char *end;

    switch (option) {
    case TO_BYRED:
        if (request->byred_count + 2 > 32) return byre__cmd_misuse(&command, "too many options");
        if (asprintf(&request->byred[request->byred_count++], "--%s", long_option->name) < 0)
            return byre__cmd_fail(&command, "out of memory");
        if (long_option->has_arg) request->byred[request->byred_count++] = optarg;
        return BYRE__CMD_OK;
    case 'n':
        request->name = optarg;
        return BYRE__CMD_OK;
    case 'h':
        request->hosts = optarg;
        return BYRE__CMD_OK;
    case 'f': /* after a crash it is read again, maybe from elsewhere */
        request->hostfile = realpath(optarg, path);
        if (request->hostfile == NULL)
            return byre__cmd_fail(&command, "%s: %s", optarg, strerror(errno));
        return BYRE__CMD_OK;
    case 'w':
        request->wait_s = strtod(optarg, &end);
        if (end == optarg || *end != '\0' || !(request->wait_s > 0 && request->wait_s < 1e6))
            return byre__cmd_misuse(&command, "--wait wants seconds, not `%s'", optarg);
        return BYRE__CMD_OK;
    default:
        return share_bad_option(&command, option, argv);
    }
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        { "hostfile", required_argument, NULL, 'f' },
        { "hosts", required_argument, NULL, 'h' },
        { "host", required_argument, NULL, 'h' },
        { "name", required_argument, NULL, 'n' },
        { "pool", required_argument, NULL, 'n' },
        { "wait", required_argument, NULL, 'w' },
        { "policy", required_argument, NULL, TO_BYRED },
        { "place", required_argument, NULL, TO_BYRED },
        { "slots", required_argument, NULL, TO_BYRED },
        { "smt", no_argument, NULL, TO_BYRED },
        { "no-bind", no_argument, NULL, TO_BYRED },
        { "mem", required_argument, NULL, TO_BYRED },
        { "on-owner", required_argument, NULL, TO_BYRED },
        { "owner-idle", required_argument, NULL, TO_BYRED },
        { "owner-busy", required_argument, NULL, TO_BYRED },
        { "grace", required_argument, NULL, TO_BYRED },
        { "keep", required_argument, NULL, TO_BYRED },
        { NULL, 0, NULL, 0 },
    };
    request_t request = { .wait_s = 60 };
    int option, which = 0, status = BYRE__CMD_OK;

    opterr = 0;
    while (status == BYRE__CMD_OK && (option = getopt_long(argc, argv, ":", options, &which)) != -1)
        status = take_option(&request, &options[which], option, argv);
    if (status == BYRE__CMD_OK && optind < argc)
        status = byre__cmd_misuse(&command, "takes no argument, but there is `%s'", argv[optind]);
    if (status == BYRE__CMD_OK && request.hosts != NULL && request.hostfile != NULL)
        status = byre__cmd_misuse(&command, "--hosts and --hostfile exclude each other");
    return status == BYRE__CMD_OK ? up(&request) : status;
}

static byre__cmd_t command = {
    .name = "up",
    .synopsis = "[--hosts A,B... | --hostfile F] [--policy P] [--place P] [--slots N] [OPTION...]",
    .summary = "start a pool: a daemon on each node, to which jobs can be given",
    .details = "  --hosts A,B...   the nodes; this machine must be one of them\n"
               "  --hostfile F     the nodes as for mpirun, one a line\n"
               "                   with neither: those of the Slurm or lab allocation around it, "
               "of Open MPI's\n"
               "                   default hostfile, or this machine alone\n"
               "  --name N         the pool's name; without it $BYRE_POOL, or `pool'\n"
               "  --policy P       which node a job goes to: local, random, threshold, shortest, "
               "receiver or\n"
               "                   symmetric; with parameters as threshold,T=2,L=3\n"
               "  --place P        which processors it gets there: fcfs, fixed, last, "
               "minimum-intervening or\n"
               "                   mi-queue\n"
               "  --slots N        processors that each node gives away; without it all\n"
               "  --smt            hyperthreads count as processors;  --no-bind  jobs are not "
               "bound to any\n"
               "  --mem MIB        memory that each node gives away; without it all\n"
               "  --on-owner HOW   when somebody uses a node: ignore, warn-kill or requeue its "
               "jobs of others\n"
               "  --owner-idle S, --owner-busy F, --grace S, --keep N   see byred(8)\n"
               "  --wait S         give up after so many seconds; without it 60\n\n"
               "The daemons go on when you log out; `byre down' ends them. Jobs of a pool that "
               "crashed go on, and\n"
               "those that wait are not lost: `byre up' takes all back, on the nodes of last time. "
               "If the pool is\n"
               "up and nodes are gone, it starts the daemons again, so that nodes that have come "
               "back join.\n\n"
               "examples: byre up; byre up --hosts n1,n2,n3 --policy symmetric; byre up --slots 2 "
               "--name tests\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
