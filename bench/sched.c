/* SPDX-License-Identifier: BSD-3-Clause */
/* sched: what placing a process costs. The floor starts the same processes by itself, one after the other:
 * fork, exec, wait.
 *
 *   run      `byre run true`, here and on another node: a client process for each
 *   xargs    commands through `byre xargs`
 *   submit   an array of jobs: accepted on disk, run, waited for
 *   others   the same commands through other systems (--peers)
 *
 * It runs on the pool that is up ($BYRE_POOL), else on one of its own on this machine. One rank is enough. */
#include "bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    FEW = 20,   /* jobs with a client process for each */
    BATCH = 400 /* jobs of one client */
};

static struct sched {
    const struct options *opt;
    char byre[4096];  /* the command */
    char input[4096]; /* of the batch under way: one command a line */
    char other[64];   /* another node of the pool, or "" */
    int nodes;
    int lines;                /* in `input' */
    const char *const *words; /* of a peer that reads commands */
    char state[64];           /* the directory of our own pool, or "" */
    bool ours;                /* the pool is our own */
} sched;

/* ---- processes ----------------------------------------------------------------------------------- */

static posix_spawn_file_actions_t *redirected(posix_spawn_file_actions_t *actions,
                                              const char *input)
{
    posix_spawn_file_actions_init(actions);
    posix_spawn_file_actions_addopen(actions, 0, input ? input : "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    return actions;
}

/* Start, wait; the exit status, or -1 when it could not be started. */
static int run_quietly(const char *const argv[], const char *input)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status, error = posix_spawnp(&pid, argv[0], redirected(&actions, input), NULL,
                                     (char *const *)argv, environ);

    posix_spawn_file_actions_destroy(&actions);
    if (error) return -1;
    while (waitpid(pid, &status, 0) < 0)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void must_run(const char *const argv[], const char *input)
{
    int status = run_quietly(argv, input);
    char why[64];

    if (status == 0) return;
    snprintf(why, sizeof why, "exit status %d", status);
    bench_die(argv[1] ? argv[1] : argv[0], why);
}

/* The first line that a command prints, without its end. */
static void first_line(const char *command, char *line_out, size_t room)
{
    FILE *pipe = popen(command, "r");

    line_out[0] = '\0';
    if (!pipe) return;
    if (!fgets(line_out, (int)room, pipe)) line_out[0] = '\0';
    line_out[strcspn(line_out, "\n")] = '\0';
    pclose(pipe);
}

/* ---- the sides ----------------------------------------------------------------------------------- */

#define WORDS(...) ((const char *[]){ __VA_ARGS__, NULL })

static double floor_loop(void *arg, int n)
{
    (void)arg;
    double start = now();
    for (int i = 0; i < n; i++) must_run(WORDS("/bin/true"), NULL);
    return now() - start;
}

static double run_here(void *arg, int n)
{
    struct sched *s = arg;
    double start = now();
    for (int i = 0; i < n; i++) must_run(WORDS(s->byre, "run", "/bin/true"), NULL);
    return now() - start;
}

static double run_there(void *arg, int n)
{
    struct sched *s = arg;
    double start = now();
    for (int i = 0; i < n; i++)
        must_run(WORDS(s->byre, "run", "--node", s->other, "/bin/true"), NULL);
    return now() - start;
}

/* Written anew when the number changes: outside the clock of a batch but for its warm-up. */
static void write_input(struct sched *s, int n)
{
    if (s->lines == n) return;
    FILE *file = fopen(s->input, "w");
    if (!file) bench_die(s->input, "cannot be written");
    for (int i = 0; i < n; i++) fputs("/bin/true\n", file);
    if (fclose(file)) bench_die(s->input, "cannot be written");
    s->lines = n;
}

static double run_xargs(void *arg, int n)
{
    struct sched *s = arg;
    write_input(s, n);
    double start = now();
    must_run(WORDS(s->byre, "xargs"), s->input);
    return now() - start;
}

static double run_submit(void *arg, int n)
{
    struct sched *s = arg;
    char range[32], line[256], command[4300], *ids = line;

    snprintf(range, sizeof range, "0-%d", n - 1);
    snprintf(command, sizeof command, "'%s' submit --array %s /bin/true", s->byre, range);
    double start = now();
    first_line(command, line, sizeof line);
    if (!line[0]) bench_die("byre submit", "no job was accepted");
    must_run(WORDS(s->byre, "wait", ids), NULL);
    return now() - start;
}

static double run_peer(void *arg, int n)
{
    struct sched *s = arg;
    write_input(s, n);
    double start = now();
    must_run(s->words, s->input);
    return now() - start;
}

static double run_srun(void *arg, int n)
{
    (void)arg;
    double start = now();
    for (int i = 0; i < n; i++) must_run(WORDS("srun", "-n1", "/bin/true"), NULL);
    return now() - start;
}

/* ---- figures ------------------------------------------------------------------------------------- */

static void measure(const char *bench, const char *variant, batch_fn fn, bool latency, int most)
{
    struct crew crew;
    struct samples samples;
    struct contest contest = contest_make(sched.opt, floor_loop, fn, &sched);
    struct row row = { .bench = bench,
                       .variant = variant,
                       .transport = "none",
                       .unit = latency ? "ms" : "jobs/s",
                       .floor_name = "fork, exec, wait",
                       .ranks = byre_size(),
                       .counts = true,
                       .size = (size_t)sched.nodes };

    contest.most = most;
    contest.least = sched.opt->quick ? most / 4 : most;
    contest.reps = options_reps(sched.opt, 11, 5);
    crew_open(&crew, true);
    contest_run(&crew, &contest, &samples);
    row_fill(&row, &samples, latency ? 1e3 : 1, !latency);
    report_row(&row);
    samples_fini(&samples);
    crew_close(&crew);
}

static bool wanted(const char *bench, const char *variant)
{
    return list_has(sched.opt->variants, bench) || list_has(sched.opt->variants, variant);
}

static bool is_there(const char *program)
{
    char command[128], line[256];
    snprintf(command, sizeof command, "command -v %s", program);
    first_line(command, line, sizeof line);
    return line[0] != '\0';
}

/* Arguments of `true' are as good as commands: each line of the input is one process. */
static void measure_peers(void)
{
    if (wanted("peers", "xargs_p8")) {
        sched.words = WORDS("xargs", "-P8", "-n1", "/bin/true");
        measure("sched.peer", "xargs_p8", run_peer, false, BATCH);
    }
    if (wanted("peers", "parallel_j8") && is_there("parallel")) {
        sched.words = WORDS("parallel", "-j8");
        measure("sched.peer", "parallel_j8", run_peer, false, BATCH / 4);
    }
    /* Installed is not configured. */
    if (wanted("peers", "srun") && is_there("srun") &&
        run_quietly(WORDS("sh", "-c", "exec srun -n1 /bin/true 2>/dev/null"), NULL) == 0)
        measure("sched.peer", "srun", run_srun, false, FEW);
}

/* ---- the pool ------------------------------------------------------------------------------------ */

static void find_byre(void)
{
    ssize_t length = readlink("/proc/self/exe", sched.byre, sizeof sched.byre - 8);
    sched.byre[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(sched.byre, '/');
    strcpy(slash ? slash + 1 : sched.byre, "byre");
}

/* The nodes that are up, by name; the first that is not this one is `other'. */
static int look_at_pool(void)
{
    char command[4300], line[256], here[64];
    int nodes;

    snprintf(command, sizeof command,
             "'%s' nodes --json 2>/dev/null | grep -c '\"state\": *\"up\"'", sched.byre);
    first_line(command, line, sizeof line);
    nodes = atoi(line);
    gethostname(here, sizeof here);
    here[sizeof here - 1] = '\0';
    here[strcspn(here, ".")] = '\0';
    snprintf(command, sizeof command,
             "'%s' nodes --json 2>/dev/null | sed -n 's/.*\"node\": *\"\\([^\"]*\\)\".*/\\1/p' | "
             "grep -vxF '%s'",
             sched.byre, here);
    first_line(command, sched.other, sizeof sched.other);
    return nodes;
}

static void close_pool(void)
{
    unlink(sched.input);
    if (sched.ours) (void)run_quietly(WORDS(sched.byre, "down", "--kill"), NULL);
    if (sched.state[0]) (void)run_quietly(WORDS("rm", "-rf", sched.state), NULL);
}

static int open_pool(void)
{
    find_byre();
    snprintf(sched.input, sizeof sched.input, "%s/byre-bench-%d", P_tmpdir, (int)getpid());
    sched.nodes = look_at_pool();
    if (sched.nodes > 0) return 0;
    snprintf(sched.state, sizeof sched.state, "%s/byre-bench-XXXXXX", P_tmpdir);
    if (!mkdtemp(sched.state)) bench_die(sched.state, "cannot be made");
    setenv("BYRE_STATE", sched.state, 1);
    int status = run_quietly(WORDS(sched.byre, "up"), NULL);
    sched.ours = status == 0;
    bench_on_death = close_pool;
    sched.nodes = look_at_pool();
    if (sched.nodes > 0) return 0;
    close_pool();
    return options_complain("no pool is up here, and `byre up' fails");
}

int subject_sched(const struct options *opt)
{
    static const char known[] =
        "run,xargs,submit,peers,here,there,detached,attached,xargs_p8,parallel_j8,srun";
    int status = options_variants(opt, known);

    if (status) return status;
    if (byre_size() > 1) return options_complain("sched: one rank is enough: byre-bench sched");
    sched.opt = opt;
    status = open_pool();
    if (status) return status;
    if (wanted("run", "here")) measure("sched.run", "here", run_here, true, FEW);
    if (sched.other[0] && wanted("run", "there"))
        measure("sched.run", "there", run_there, true, FEW);
    if (wanted("xargs", "attached")) measure("sched.xargs", "attached", run_xargs, false, BATCH);
    if (wanted("submit", "detached")) measure("sched.submit", "detached", run_submit, false, BATCH);
    if (opt->peers) measure_peers();
    bench_on_death = NULL;
    close_pool();
    return 0;
}
