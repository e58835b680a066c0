/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line. Read before MPI starts: a mistake costs nothing, and no rank waits for another
 * that has already left. Every rank reads the same words, so all come to the same end; one speaks. */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "Usage: mpirun -n N byre-bench SUBJECT [OPTION...]\n"
    "       byre-bench compare BASELINE RESULT [--fail PERCENT]\n"
    "\n"
    "Measures Byre beside raw Open MPI, interleaved in one job.\n"
    "\n"
    "Subjects:\n"
    "  p2p        latency, bandwidth, message rate of every way to send and to receive\n"
    "  ring       one token around all ranks; the same as p2p --modes ring\n"
    "  am         active messages: round trip (waiting and computing target), rate, bulk\n"
    "  rpc        remote procedure calls: null call, arguments in and out, many under way\n"
    "  service    what the service thread costs, how long requests wait, what waiting costs\n"
    "  dsm        shared memory: faults, streams, bouncing pages, barriers, locks\n"
    "  sched      placing commands: byre run, xargs, submit (one rank; a pool is started\n"
    "             unless one is up)\n"
    "  machine    the machine that the figures belong to\n"
    "  compare    two files of --json lines: how the ratios changed (no mpirun)\n"
    "\n"
    "Options:\n"
    "  --json            one object a line\n"
    "  --csv             the same as comma-separated values\n"
    "  --plot FILE.svg   draw a picture as well (needs gnuplot)\n"
    "  --quick           a look in less than 15 seconds\n"
    "  --reps N          repetitions of each figure (default 25; service: see the man page)\n"
    "  --sizes LIST      message sizes in bytes: 8,4K,1M; dsm: of the arrays of seq_read,\n"
    "                    seq_write and random\n"
    "  --variants LIST   p2p: blocking,sync,isend,callback,eventfd,signal,copy,cow,cow_write,\n"
    "                    irecv,get_message; am: roundtrip,computing,rate,bandwidth;\n"
    "                    rpc: null,in,out,both,graph,rate or engine,popup,engine_computing,\n"
    "                    popup_computing;\n"
    "                    service: cost,request,idle; dsm: read_miss,write_miss,upgrade,\n"
    "                    ping_pong,false_sharing,seq_read,seq_write,random,barrier,lock, or\n"
    "                    a variant of one of them such as computing;\n"
    "                    sched: run,xargs,submit,peers\n"
    "  --modes LIST      p2p: latency,bandwidth,rate,ring\n"
    "  --window N        messages under way at once (default 64)\n"
    "  --peers           rpc: also what rpcgen and libtirpc take: tirpc_tcp,tirpc_unix;\n"
    "                    sched: also xargs -P8, GNU parallel, srun, where they are installed\n"
    "  --beside          let the service thread run while raw MPI is measured\n"
    "  --fail PERCENT    compare: exit 1 when a ratio is worse by more\n"
    "  --help, --version\n"
    "\n"
    "Examples:\n"
    "  mpirun -n 2 byre-bench p2p --quick\n"
    "  mpirun -n 2 --mca btl tcp,self byre-bench p2p --variants blocking --sizes 8,4K,1M\n"
    "  mpirun -n 4 --oversubscribe byre-bench ring\n"
    "  mpirun -n 2 byre-bench p2p --json --plot p2p.svg >p2p.jsonl\n"
    "  byre-bench compare bench/baselines/reference.jsonl p2p.jsonl\n";

enum {
    OPT_JSON = 256,
    OPT_CSV,
    OPT_PLOT,
    OPT_QUICK,
    OPT_REPS,
    OPT_SIZES,
    OPT_VARIANTS,
    OPT_MODES,
    OPT_WINDOW,
    OPT_BESIDE,
    OPT_PEERS,
    OPT_FAIL,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = { { "json", no_argument, NULL, OPT_JSON },
                                              { "csv", no_argument, NULL, OPT_CSV },
                                              { "plot", required_argument, NULL, OPT_PLOT },
                                              { "quick", no_argument, NULL, OPT_QUICK },
                                              { "reps", required_argument, NULL, OPT_REPS },
                                              { "sizes", required_argument, NULL, OPT_SIZES },
                                              { "variants", required_argument, NULL, OPT_VARIANTS },
                                              { "modes", required_argument, NULL, OPT_MODES },
                                              { "window", required_argument, NULL, OPT_WINDOW },
                                              { "beside", no_argument, NULL, OPT_BESIDE },
                                              { "peers", no_argument, NULL, OPT_PEERS },
                                              { "fail", required_argument, NULL, OPT_FAIL },
                                              { "help", no_argument, NULL, OPT_HELP },
                                              { "version", no_argument, NULL, OPT_VERSION },
                                              { NULL, 0, NULL, 0 } };

/* The launcher tells the rank before MPI does. */
bool options_speaker(void)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                         "SLURM_PROCID" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank) return !strcmp(rank, "0");
    }
    return true;
}

int options_complain(const char *format, ...)
{
    va_list args;

    if (!options_speaker()) return 2;
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    fflush(stderr);
    return 2;
}

static bool list_has_word(const char *list, const char *word, size_t length)
{
    while (*list) {
        size_t part = strcspn(list, ",");
        if (part == length && !strncmp(list, word, length)) return true;
        list += part + (list[part] == ',');
    }
    return false;
}

bool list_has(const char *list, const char *name)
{
    return !list || list_has_word(list, name, strlen(name));
}

int options_variants(const struct options *opt, const char *known)
{
    for (const char *word = opt->variants; word && *word;) {
        size_t length = strcspn(word, ",");
        if (!list_has_word(known, word, length))
            return options_complain("%s has no variant \"%.*s\"; it has %s", opt->subject,
                                    (int)length, word, known);
        word += length + (word[length] == ',');
    }
    return 0;
}

int options_sizes(const struct options *opt, const size_t *own, int count, size_t *sizes_out)
{
    if (opt->size_count) {
        memcpy(sizes_out, opt->sizes, (size_t)opt->size_count * sizeof *sizes_out);
        return opt->size_count;
    }
    memcpy(sizes_out, own, (size_t)count * sizeof *sizes_out);
    return count;
}

size_t options_longest(const struct options *opt, size_t own)
{
    size_t longest = opt->size_count ? 0 : own;
    for (int i = 0; i < opt->size_count; i++)
        longest = opt->sizes[i] > longest ? opt->sizes[i] : longest;
    return longest;
}

int options_reps(const struct options *opt, int normal, int quick)
{
    return opt->reps ? opt->reps : opt->quick ? quick : normal;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int parse_number(const char *option, const char *text, long least, long most, int *out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most)
        return options_complain("--%s \"%s\": not a number from %ld to %ld", option, text, least,
                                most);
    *out = (int)value;
    return 0;
}

static size_t suffix_of(const char **end)
{
    size_t factor = 1;
    if (**end == 'k' || **end == 'K')
        factor = 1 << 10;
    else if (**end == 'm' || **end == 'M')
        factor = 1 << 20;
    else if (**end == 'g' || **end == 'G')
        factor = 1 << 30;
    *end += factor > 1;
    return factor;
}

/* Raw MPI counts in int, hence the limit. */
static int parse_sizes(struct options *opt, const char *text)
{
    opt->size_count = 0;
    for (const char *word = text;; word++) {
        char *stop;
        errno = 0;
        unsigned long long value = strtoull(word, &stop, 10);
        const char *end = stop;
        size_t factor = suffix_of(&end);
        if (errno || stop == word || *word == '-' || *word == '+' || (*end && *end != ',') ||
            value > INT_MAX / factor)
            return options_complain("--sizes \"%s\": want sizes below 2 GiB such as 8,4K,1M", text);
        if (opt->size_count == SIZES_MAX)
            return options_complain("--sizes: more than %d sizes", SIZES_MAX);
        opt->sizes[opt->size_count++] = (size_t)value * factor;
        word = end;
        if (!*word) return 0;
    }
}

static int parse_modes(struct options *opt, const char *text)
{
    static const char *const names[] = { "latency", "bandwidth", "rate", "ring" };

    opt->modes = 0;
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, ",");
        unsigned mode = 0;
        for (unsigned i = 0; i < 4; i++)
            if (list_has_word(names[i], word, length)) mode = 1u << i;
        if (!mode)
            return options_complain("--modes \"%s\": want some of latency,bandwidth,rate,ring",
                                    text);
        opt->modes |= mode;
        word += length + (word[length] == ',');
    }
    return 0;
}

static int parse_percent(struct options *opt, const char *text)
{
    char *end;
    opt->fail_percent = strtod(text, &end);
    if (end == text || *end || !(opt->fail_percent >= 0))
        return options_complain("--fail \"%s\": not a percentage", text);
    return 0;
}

static int parse_plot(struct options *opt, const char *file)
{
    size_t length = strlen(file);
    if (length < 5 || strcmp(file + length - 4, ".svg") != 0)
        return options_complain("--plot \"%s\": the picture is an SVG; name it so, FILE.svg", file);
    opt->plot = file;
    return 0;
}

static int parse_help(int option)
{
    if (options_speaker()) {
        fputs(option == OPT_HELP ? help_text : "byre-bench " PACKAGE_VERSION "\n", stdout);
        fflush(stdout);
    }
    return 1;
}

static int parse_one(struct options *opt, int option, char **argv)
{
    switch (option) {
    case OPT_JSON:
        opt->format = FORMAT_JSON;
        return 0;
    case OPT_CSV:
        opt->format = FORMAT_CSV;
        return 0;
    case OPT_QUICK:
        opt->quick = true;
        return 0;
    case OPT_BESIDE:
        opt->beside = true;
        return 0;
    case OPT_PEERS:
        opt->peers = true;
        return 0;
    case OPT_VARIANTS:
        opt->variants = optarg;
        return 0;
    case OPT_PLOT:
        return parse_plot(opt, optarg);
    case OPT_REPS:
        return parse_number("reps", optarg, 1, 100000, &opt->reps);
    case OPT_WINDOW:
        return parse_number("window", optarg, 1, WINDOW_MAX, &opt->window);
    case OPT_SIZES:
        return parse_sizes(opt, optarg);
    case OPT_MODES:
        return parse_modes(opt, optarg);
    case OPT_FAIL:
        return parse_percent(opt, optarg);
    case ':':
        return options_complain("%s needs a value", argv[optind - 1]);
    default:
        return options_complain("unknown option %s; see byre-bench --help", argv[optind - 1]);
    }
}

static int check_peers(const struct options *opt)
{
    bool rpc = !strcmp(opt->subject, "rpc");
    if (opt->peers && !rpc && strcmp(opt->subject, "sched") != 0)
        return options_complain("--peers compares rpc and sched, not %s", opt->subject);
    if (opt->peers && rpc && !HAVE_TIRPC)
        return options_complain("--peers needs libtirpc and rpcgen when Byre is configured "
                                "(Debian: apt-get install libtirpc-dev rpcsvc-proto)");
    return 0;
}

static int check_subject(struct options *opt)
{
    static const char known[] = "p2p,ring,am,rpc,service,dsm,sched,machine,compare";
    bool compare;

    if (!opt->subject)
        return options_complain("no subject; one of %s, see byre-bench --help", known);
    if (!list_has(known, opt->subject))
        return options_complain("unknown subject \"%s\"; one of %s", opt->subject, known);
    compare = !strcmp(opt->subject, "compare");
    if (compare && opt->file_count != 2)
        return options_complain("compare wants two files: byre-bench compare BASELINE RESULT");
    if (!compare && opt->file_count)
        return options_complain("unexpected \"%s\"; see byre-bench --help", opt->files[0]);
    if (opt->plot && list_has("rpc,service,dsm,sched,machine,compare", opt->subject))
        return options_complain("--plot draws p2p, ring and am, not %s", opt->subject);
    return check_peers(opt);
}

int options_parse(struct options *opt, int argc, char **argv)
{
    int option;

    *opt = (struct options){ .window = 64, .fail_percent = -1 };
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == OPT_HELP || option == OPT_VERSION) return parse_help(option);
        if (parse_one(opt, option, argv)) return 3;
    }
    if (optind < argc) opt->subject = argv[optind++];
    opt->files = argv + optind;
    opt->file_count = argc - optind;
    if (check_subject(opt)) return 3;
    if (!strcmp(opt->subject, "ring") && !opt->modes) opt->modes = MODE_RING;
    return 0;
}
