/* SPDX-License-Identifier: BSD-3-Clause */
/* up.c - `byre up': options, what is there already, and the start; see up.h. */
#include "up.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/env.h"
#include "sched/state.h"

enum { WORDS_MAX = 256, OLD_MS = 5000 };

/* ---- the start ------------------------------------------------------------------------------------------------- */

typedef struct words {
    char *word[WORDS_MAX + 1];
    int count;
} words_t;

static void add_word(words_t *words, const char *word)
{
    if (words->count < WORDS_MAX) words->word[words->count++] = (char *)word;
    words->word[words->count] = NULL;
}

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

static void build(const up_request_t *request, const char *byred, const char *pool, words_t *words)
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

static int start(const up_request_t *request, const char *pool, const char *dir)
{
    char byred[PATH_MAX];
    words_t words = { .count = 0 };
    byre_sched_t *sched = NULL;
    double begin = up_now_s();
    pid_t mpirun;
    int status = up_hosts_check(request);

    if (status != BYRE__CMD_OK) return status;
    if (!launch_find_byred(byred, sizeof byred))
        return byre__cmd_fail(&up_command, "there is no byred beside this byre, nor in %s",
                              BYRE_BINDIR);
    up_hosts_remember(request, dir);
    build(request, byred, pool, &words);
    mpirun = launch_start(dir, words.word);
    if (mpirun < 0) return byre__cmd_fail(&up_command, "cannot start mpirun: %s", strerror(errno));
    status = up_await(request, pool, dir, mpirun, &sched);
    if (status == BYRE__CMD_OK) show(sched, pool, up_now_s() - begin);
    byre_sched_close(sched);
    return status;
}

/* ---- what is there already ------------------------------------------------------------------------------------- */

/* Is there a pool as it should be? Otherwise what is left of it is ended: its jobs go on. */
static int look(const char *pool, const char *dir, bool *up_out)
{
    char why[BYRE__CLIENT_WHY];
    byre_sched_t *sched;
    bool found;
    int error = byre__client_open(pool, OLD_MS, &sched, why);

    *up_out = false;
    if (error == BYRE_ERIGHT || error == BYRE_EPROTO) return byre__cmd_fail(&up_command, "%s", why);
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
    return launch_down(&up_command, pool, dir, false, &found);
}

static int up(up_request_t *request)
{
    const char *pool = byre__state_pool(request->name);
    char dir[BYRE__STATE_PATH] = "";
    bool is_up;
    int error, status;

    if (pool == NULL)
        return byre__cmd_misuse(&up_command,
                                "a pool's name has 1 to 32 of a-z A-Z 0-9 _ - and ., not `%s'",
                                request->name ? request->name : getenv("BYRE_POOL"));
    error = byre__state_dir(pool, true, dir);
    if (error == BYRE_ERIGHT)
        return byre__cmd_fail(&up_command,
                              "%s belongs to another user, or is open to others: say another "
                              "directory by BYRE_STATE",
                              dir);
    if (error != BYRE_OK)
        return byre__cmd_fail(&up_command, "cannot make the directory %s: %s", dir,
                              error == BYRE_ESYSTEM ? strerror(errno) : byre_strerror(error));
    status = look(pool, dir, &is_up);
    if (status != BYRE__CMD_OK || is_up) return status;
    up_hosts_recall(request, dir);
    return start(request, pool, dir);
}

/* ---- command line ---------------------------------------------------------------------------------------------- */

/* What the daemons are told. */
enum { POLICY = 0x200, PLACE, SLOTS, SMT, NO_BIND, MEM, ON_OWNER, IDLE, BUSY, GRACE, KEEP };

static const struct option table[] = {
    { "hostfile", required_argument, NULL, 'f' },
    { "hosts", required_argument, NULL, 'h' },
    { "host", required_argument, NULL, 'h' },
    { "name", required_argument, NULL, 'n' },
    { "pool", required_argument, NULL, 'n' },
    { "wait", required_argument, NULL, 'w' },
    { "policy", required_argument, NULL, POLICY },
    { "place", required_argument, NULL, PLACE },
    { "slots", required_argument, NULL, SLOTS },
    { "smt", no_argument, NULL, SMT },
    { "no-bind", no_argument, NULL, NO_BIND },
    { "mem", required_argument, NULL, MEM },
    { "on-owner", required_argument, NULL, ON_OWNER },
    { "owner-idle", required_argument, NULL, IDLE },
    { "owner-busy", required_argument, NULL, BUSY },
    { "grace", required_argument, NULL, GRACE },
    { "keep", required_argument, NULL, KEEP },
    { NULL, 0, NULL, 0 },
};

static int hand_on(up_request_t *request, int option)
{
    const struct option *at = table;

    while (at->val != option) at++;
    if (request->byred_count + 2 > 32) return byre__cmd_misuse(&up_command, "too many options");
    if (asprintf(&request->byred[request->byred_count++], "--%s", at->name) < 0)
        return byre__cmd_fail(&up_command, "out of memory");
    if (at->has_arg) request->byred[request->byred_count++] = optarg;
    return BYRE__CMD_OK;
}

static int take_option(void *arg, int option)
{
    static char path[PATH_MAX];
    up_request_t *request = arg;

    switch (option) {
    case 'n':
        request->name = optarg;
        return BYRE__CMD_OK;
    case 'h':
        request->hosts = optarg;
        return BYRE__CMD_OK;
    case 'f': /* after a crash it is read again, maybe from elsewhere */
        request->hostfile = realpath(optarg, path);
        if (request->hostfile == NULL)
            return byre__cmd_fail(&up_command, "%s: %s", optarg, strerror(errno));
        return BYRE__CMD_OK;
    case 'w': /* more than 0 */
        return options_seconds(&up_command, "--wait", DBL_TRUE_MIN, 1e6, &request->wait_s);
    default:
        return hand_on(request, option);
    }
}

static const options_t options = { ":", table, take_option, true };

static int run(int argc, char **argv)
{
    up_request_t request = { .wait_s = 60 };
    int status = options_read(&up_command, &options, argc, argv, &request);

    if (status == BYRE__CMD_OK && request.hosts != NULL && request.hostfile != NULL)
        status = byre__cmd_misuse(&up_command, "--hosts and --hostfile exclude each other");
    return status == BYRE__CMD_OK ? up(&request) : status;
}

byre__cmd_t up_command = {
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
    byre__cmd_register(&up_command);
}
