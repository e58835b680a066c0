/* SPDX-License-Identifier: BSD-3-Clause */
/* options.c - the command line of byre sim. */
#include "sim.h"

#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 50,
    POOL = 8,
    REPS = 5,
    REPS_MOST = 1000,
    NODES_MOST = 1000000,
    SLOTS_MOST = 100000
};

static const char help_begin[] = "usage: byre sim [POLICY...] [OPTION...]\n"
                                 "       byre sim pool [OPTION...]\n\n"
                                 "Nodes to which jobs come, and the policies that decide where a "
                                 "job runs: the same code that the\n"
                                 "daemons of `byre up' run, in simulated time. Prints how long "
                                 "jobs take, and what the policy costs.\n\n"
                                 "  POLICY  with its parameters: threshold,T=2,L=3   (all: each of "
                                 "them; this is the default)\n\n";

static const char help_end[] =
    "\n"
    "  parameters: T threshold, L most nodes that one decision asks, reprobe seconds after which "
    "an idle\n"
    "  node asks again (0: never), history seconds for which an answer is remembered\n\n"
    "the system\n"
    "  --nodes N          nodes (50; pool: 8)         --slots N     jobs that a node runs at once "
    "(1)\n"
    "  --speeds A,B,...   of the nodes, over and over --sources N   jobs come at the first N nodes "
    "only\n"
    "  --rho LIST         load of the whole: 0.8; 0.5,0.8,0.9; 0.1:0.9:0.1 (0.5,0.8,0.9)\n"
    "  --arrival DIST     gaps between jobs at a node: poisson, det, erlang:K, hyper:C (poisson)\n"
    "  --service DIST     how long a job takes: exp, det, erlang:K, hyper:C, pareto:A (exp)\n"
    "  --mean TIME        its mean (1s)\n"
    "  --probe TIME       from a question to its answer (0)\n"
    "  --transfer TIME    from the decision until a job is there (0)\n"
    "                     TIME: 1ms, 20us, 2s; a bare number is in mean services\n"
    "the run\n"
    "  --jobs N           that count, a repetition (100k; 2M is understood)\n"
    "  --warmup N         that end before and do not count (a quarter of --jobs)\n"
    "  --reps N           repetitions, for the confidence interval (5)     --seed N  (1)\n"
    "  --trace FILE       replay these jobs instead; a line: ARRIVAL SERVICE [NODE], in seconds\n"
    "  --write-trace FILE keep the jobs of a run\n"
    "output\n"
    "  --json             one object a line         --quiet   no progress on the terminal\n"
    "  --plot FILE        response time over load, FILE.svg or FILE.png (gnuplot)\n\n"
    "columns: mean response time, half its 95% confidence interval, what queueing theory says, "
    "percentiles,\n"
    "ratio of response to service time, probes and transfers a job, part of the slots in use\n\n"
    "examples\n"
    "  byre sim                                      all policies at three loads\n"
    "  byre sim threshold,T=1,L=3 receiver,L=3,reprobe=0 --rho 0.7,0.785,0.85\n"
    "                                                who should look: the sender or the receiver?\n"
    "  byre sim local threshold --probe 1ms --transfer 50ms --mean 200ms --service hyper:5\n"
    "  byre sim all --rho 0.1:0.95:0.05 --plot policies.svg\n"
    "  byre sim pool --nodes 16 --rho 0.8            why one pool beats machines apart\n";

int sim_complain(const char *format, ...)
{
    va_list args;

    fputs("byre sim: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry `byre sim --help'.\n", stderr);
    return SIM_USAGE;
}

static void help(void)
{
    fputs(help_begin, stdout);
    for (int i = 0; byre__policies[i]; i++) {
        printf("  %-10s %s\n", byre__policies[i]->name, byre__policies[i]->summary);
    }
    printf("  %-10s %s\n", sim_policy_choices.name, sim_policy_choices.summary);
    fputs(help_end, stdout);
}

/* ---- values ------------------------------------------------------------------------------------- */

/* "1000", "100k", "2M"; false: it is none, or not within. */
static bool count(const char *text, double least, double most, double *value_out)
{
    char *end;
    double value;

    if (*text < '0' || *text > '9') {
        return false;
    }
    value = strtod(text, &end);
    if (*end == 'k' || *end == 'K') {
        value *= 1e3;
        end++;
    } else if (*end == 'M') {
        value *= 1e6;
        end++;
    }
    *value_out = value;
    return *end == '\0' && value == floor(value) && value >= least && value <= most;
}

/* "1ms" in seconds; a bare number times `unit'. */
static bool duration(const char *text, double unit, double *seconds_out)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || !isfinite(value) || value < 0) {
        return false;
    }
    unit = strcmp(end, "s") == 0    ? 1
           : strcmp(end, "ms") == 0 ? 1e-3
           : strcmp(end, "us") == 0 ? 1e-6
           : *end == '\0'           ? unit
                                    : -1;
    *seconds_out = value * unit;
    return unit > 0;
}

static bool add_load(sim_options_t *o, double rho)
{
    if (!(rho > 0 && rho < 1) || o->loads == SIM_LOADS_MOST) {
        return false;
    }
    o->rho[o->loads++] = rho;
    return true;
}

/* "0.1:0.9:0.1", steps counted so that they do not drift. */
static bool load_range(sim_options_t *o, const char *text)
{
    double from, to, step;
    char rest;

    if (sscanf(text, "%lf:%lf:%lf%c", &from, &to, &step, &rest) != 3 || !(step > 0) ||
        !(from <= to)) {
        return false;
    }
    for (int i = 0; from + i * step <= to + step / 1e6; i++) {
        if (!add_load(o, round((from + i * step) * 1e9) / 1e9)) {
            return false;
        }
    }
    return true;
}

static bool numbers(const char *text, bool (*add)(sim_options_t *o, double value), sim_options_t *o)
{
    char *end;

    do {
        double value = strtod(text, &end);

        if (end == text || (*end != ',' && *end != '\0') || !add(o, value)) {
            return false;
        }
        text = end + 1;
    } while (*end != '\0');
    return true;
}

static bool add_speed(sim_options_t *o, double speed)
{
    int room = (int)(sizeof o->speeds / sizeof o->speeds[0]);

    if (!(speed > 0 && speed <= 1e6) || o->setup.speed_count == room) {
        return false;
    }
    o->speeds[o->setup.speed_count++] = speed;
    return true;
}

/* ---- policies ----------------------------------------------------------------------------------- */

static int add_policy(sim_options_t *o, const char *text)
{
    sim_choice_t *choice = &o->choice[o->choices];
    char why[160];

    if (strcmp(text, "all") == 0) {
        for (int i = 0; byre__policies[i]; i++) {
            int status = add_policy(o, byre__policies[i]->name);

            if (status != SIM_OK) {
                return status;
            }
        }
        return SIM_OK;
    }
    if (o->choices == SIM_POLICIES_MOST) {
        return sim_complain("%d policies at once are the most", SIM_POLICIES_MOST);
    }
    if (strlen(text) >= sizeof choice->name) {
        return sim_complain("`%.40s...' is too long to be a policy", text);
    }
    choice->policy = sim_policy_parse(text, &choice->params, why);
    if (!choice->policy) {
        return sim_complain("%s", why);
    }
    strcpy(choice->name, text);
    o->choices++;
    return SIM_OK;
}

/* ---- options ------------------------------------------------------------------------------------ */

enum {
    OPT_POLICY = 256,
    OPT_NODES,
    OPT_SLOTS,
    OPT_SPEEDS,
    OPT_SOURCES,
    OPT_RHO,
    OPT_ARRIVAL,
    OPT_SERVICE,
    OPT_MEAN,
    OPT_PROBE,
    OPT_TRANSFER,
    OPT_JOBS,
    OPT_WARMUP,
    OPT_REPS,
    OPT_SEED,
    OPT_TRACE,
    OPT_WRITE_TRACE,
    OPT_JSON,
    OPT_QUIET,
    OPT_PLOT,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    { "policy", required_argument, NULL, OPT_POLICY },
    { "nodes", required_argument, NULL, OPT_NODES },
    { "slots", required_argument, NULL, OPT_SLOTS },
    { "speeds", required_argument, NULL, OPT_SPEEDS },
    { "sources", required_argument, NULL, OPT_SOURCES },
    { "rho", required_argument, NULL, OPT_RHO },
    { "arrival", required_argument, NULL, OPT_ARRIVAL },
    { "service", required_argument, NULL, OPT_SERVICE },
    { "mean", required_argument, NULL, OPT_MEAN },
    { "probe", required_argument, NULL, OPT_PROBE },
    { "transfer", required_argument, NULL, OPT_TRANSFER },
    { "jobs", required_argument, NULL, OPT_JOBS },
    { "warmup", required_argument, NULL, OPT_WARMUP },
    { "reps", required_argument, NULL, OPT_REPS },
    { "seed", required_argument, NULL, OPT_SEED },
    { "trace", required_argument, NULL, OPT_TRACE },
    { "write-trace", required_argument, NULL, OPT_WRITE_TRACE },
    { "json", no_argument, NULL, OPT_JSON },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "plot", required_argument, NULL, OPT_PLOT },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

/* What was said and can only be understood when all has been read. */
typedef struct {
    const char *probe, *transfer;
    double warmup; /* -1: not said */
    bool arrival, service, reps;
} later_t;

static int counted(const char *option, const char *text, double least, double most,
                   double *value_out)
{
    if (count(text, least, most, value_out)) {
        return SIM_OK;
    }
    return sim_complain("--%s %s: write a whole number from %.0f to %.0f", option, text, least,
                        most);
}

static int read_dist(const char *option, const char *text, sim_dist_t *dist)
{
    const char *why;

    return sim_dist_parse(text, dist, &why) ? SIM_OK
                                            : sim_complain("--%s %s: %s", option, text, why);
}

static int number_option(sim_options_t *o, later_t *later, int option)
{
    double value = 0;
    int status;

    switch (option) {
    case OPT_NODES:
        status = counted("nodes", optarg, 1, NODES_MOST, &value);
        o->setup.nodes = (int)value;
        return status;
    case OPT_SLOTS:
        status = counted("slots", optarg, 1, SLOTS_MOST, &value);
        o->setup.slots = (uint32_t)value;
        return status;
    case OPT_SOURCES:
        status = counted("sources", optarg, 1, NODES_MOST, &value);
        o->setup.sources = (int)value;
        return status;
    case OPT_JOBS:
        status = counted("jobs", optarg, 1, 1e12, &value);
        o->setup.jobs = (uint64_t)value;
        return status;
    case OPT_WARMUP:
        return counted("warmup", optarg, 0, 1e12, &later->warmup);
    case OPT_REPS:
        status = counted("reps", optarg, 1, REPS_MOST, &value);
        o->reps = (int)value;
        later->reps = true;
        return status;
    default:
        status = counted("seed", optarg, 0, 9e15, &value);
        o->seed = (uint64_t)value;
        return status;
    }
}

static int text_option(sim_options_t *o, later_t *later, int option)
{
    switch (option) {
    case OPT_POLICY:
        return add_policy(o, optarg);
    case OPT_SPEEDS:
        o->setup.speed_count = 0;
        return numbers(optarg, add_speed, o)
                   ? SIM_OK
                   : sim_complain("--speeds %s: write numbers above 0, as 1,1,2", optarg);
    case OPT_RHO:
        o->loads = 0;
        return (strchr(optarg, ':') ? load_range(o, optarg) : numbers(optarg, add_load, o))
                   ? SIM_OK
                   : sim_complain("--rho %s: write loads above 0 and below 1, as 0.8, 0.5,0.8 or "
                                  "0.1:0.9:0.1 (from, to, step; %d at most)",
                                  optarg, SIM_LOADS_MOST);
    case OPT_ARRIVAL:
        later->arrival = true;
        return read_dist("arrival", optarg, &o->setup.arrival);
    case OPT_SERVICE:
        later->service = true;
        return read_dist("service", optarg, &o->setup.service);
    case OPT_MEAN:
        return duration(optarg, 1, &o->setup.mean_s) && o->setup.mean_s > 0
                   ? SIM_OK
                   : sim_complain("--mean %s: write a time above 0, as 1s, 20ms", optarg);
    default:
        return number_option(o, later, option);
    }
}

static int one_option(sim_options_t *o, later_t *later, int option)
{
    switch (option) {
    case OPT_PROBE:
        later->probe = optarg;
        return SIM_OK;
    case OPT_TRANSFER:
        later->transfer = optarg;
        return SIM_OK;
    case OPT_TRACE:
        o->trace = optarg;
        return SIM_OK;
    case OPT_WRITE_TRACE:
        o->write_trace = optarg;
        return SIM_OK;
    case OPT_JSON:
        o->json = true;
        return SIM_OK;
    case OPT_QUIET:
        o->quiet = true;
        return SIM_OK;
    case OPT_PLOT:
        o->plot = optarg;
        return SIM_OK;
    default:
        return text_option(o, later, option);
    }
}

/* ---- what fits together ------------------------------------------------------------------------- */

static int check_trace(sim_options_t *o, const later_t *later)
{
    if (o->trace && (later->arrival || later->service || o->loads > 0)) {
        return sim_complain(
            "--trace says what comes and how long it takes: leave --rho, --arrival and "
            "--service away");
    }
    if ((o->trace || o->write_trace) && o->plot) {
        return sim_complain(
            "--plot draws over the load, and a trace has one: leave one of them away");
    }
    if (o->write_trace && (o->loads != 1 || o->choices != 1)) {
        return sim_complain("--write-trace keeps the jobs of one run: name one POLICY (local will "
                            "do) and one load, as --rho 0.8");
    }
    if (o->write_trace && later->reps && o->reps != 1) {
        return sim_complain("--write-trace keeps the jobs of one run: leave --reps away");
    }
    if (o->trace && later->warmup >= 0) {
        return sim_complain("all jobs of a --trace count: leave --warmup away");
    }
    return SIM_OK;
}

static int check_pool(const sim_options_t *o, const later_t *later)
{
    if (o->choices > 0 || o->trace || o->write_trace || o->plot || later->arrival ||
        later->service || o->setup.slots > 1 || o->setup.speed_count > 0 || o->setup.sources > 0) {
        return sim_complain("pool compares three fixed systems: it takes --nodes, --rho, --mean, "
                            "--jobs, --warmup, --reps, --seed and --json");
    }
    return SIM_OK;
}

static int fill_in(sim_options_t *o, const later_t *later)
{
    static const double loads[] = { 0.5, 0.8, 0.9 };
    sim_setup_t *setup = &o->setup;

    if (setup->nodes == 0 && !o->trace) {
        setup->nodes = o->pool ? POOL : NODES;
    }
    if (setup->nodes > 0 && setup->sources > setup->nodes) {
        return sim_complain("--sources %d: there are %d nodes", setup->sources, setup->nodes);
    }
    if (setup->sources == 0) {
        setup->sources = setup->nodes;
    }
    if (setup->speed_count == 0) {
        o->speeds[setup->speed_count++] = 1;
    }
    if (o->loads == 0 && !o->trace) {
        memcpy(o->rho, loads, sizeof loads);
        o->loads = 3;
    }
    if ((later->probe && !duration(later->probe, setup->mean_s, &setup->probe_s)) ||
        (later->transfer && !duration(later->transfer, setup->mean_s, &setup->transfer_s))) {
        return sim_complain(
            "--probe and --transfer want a time: 1ms, 20us, 2s, or a number of mean "
            "services");
    }
    setup->warmup = later->warmup >= 0 ? (uint64_t)later->warmup : setup->jobs / 4;
    if (o->write_trace) {
        o->reps = 1;
        setup->warmup = 0;
    }
    if (o->trace && !later->reps) {
        o->reps = 1;
    }
    return o->choices == 0 && !o->pool ? add_policy(o, "all") : SIM_OK;
}

static int read_words(sim_options_t *o, int argc, char **argv)
{
    int status = SIM_OK;

    for (int i = optind; i < argc && status == SIM_OK; i++) {
        if (i == optind && strcmp(argv[i], "pool") == 0) {
            o->pool = true;
        } else {
            status = add_policy(o, argv[i]);
        }
    }
    return status;
}

int sim_options_parse(sim_options_t *options_out, int argc, char **argv)
{
    later_t later = { .warmup = -1 };
    sim_options_t *o = options_out;
    int option, status = SIM_OK;

    *o = (sim_options_t){ .reps = REPS,
                          .seed = 1,
                          .setup = { .slots = 1,
                                     .mean_s = 1,
                                     .jobs = 100000,
                                     .arrival = { .shape = SIM_EXP, .name = "poisson" },
                                     .service = { .shape = SIM_EXP, .name = "exp" } } };
    opterr = 0;
    while (status == SIM_OK && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (option == OPT_HELP || option == 'h') {
            help();
            return fflush(stdout) == 0 ? 1 : SIM_FAILED + 1;
        }
        if (option == OPT_VERSION) {
            puts("byre-sim " PACKAGE_VERSION);
            return 1;
        }
        status = option == ':'   ? sim_complain("%s wants a value", argv[optind - 1])
                 : option == '?' ? sim_complain("unknown option %s", argv[optind - 1])
                                 : one_option(o, &later, option);
    }
    if (status == SIM_OK) {
        status = read_words(o, argc, argv);
    }
    if (status == SIM_OK) {
        status = o->pool ? check_pool(o, &later) : check_trace(o, &later);
    }
    if (status == SIM_OK) {
        status = fill_in(o, &later);
    }
    return status == SIM_OK ? 0 : status + 1;
}
