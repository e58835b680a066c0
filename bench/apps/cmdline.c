/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line. Read before MPI starts, as byre-bench does. */
#include "apps.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const struct app *const all_apps[] = { &app_sor,   &app_matmul, &app_fft,  &app_sort,
                                       &app_nbody, &app_tsp,    &app_tree, NULL };

static const char help_text[] =
    "Usage: mpirun -n N byre-apps NAME[,NAME...] [OPTION...]\n"
    "       mpirun -n N byre-apps all [OPTION...]\n"
    "       byre-apps --list\n"
    "       byre-apps --noisy FILE.pgm [--size N]\n"
    "\n"
    "Runs applications, each in a version for shared memory (DSM) and in one written with MPI, in "
    "turns\n"
    "in one job. Checks every answer, and compares the times.\n"
    "\n"
    "Options:\n"
    "  --both, --dsm, --mpi   the versions to run (default: both)\n"
    "  --size N               size of the problem; --list says what it counts\n"
    "  --reps R               repetitions (default 5)\n"
    "  --quick                small problems, once\n"
    "  --no-sequential        compare the answers with one another only\n"
    "  --in FILE.pgm          sor: the picture to start from\n"
    "  --out FILE.pgm         sor: the picture that comes out\n"
    "  --json                 one object a line\n"
    "  --csv                  the same as comma-separated values\n"
    "  --noisy FILE.pgm       write a picture that sor can clean, and end\n"
    "  --list                 the applications\n"
    "  --help, --version\n"
    "\n"
    "Examples:\n"
    "  byre-apps --noisy noisy.pgm\n"
    "  mpirun -n 4 --oversubscribe byre-apps sor --in noisy.pgm --out clean.pgm\n"
    "  mpirun -n 2 byre-apps all\n"
    "  mpirun -n 2 --mca btl tcp,self byre-apps matmul,fft --reps 9\n";

enum {
    OPT_BOTH = 256,
    OPT_DSM,
    OPT_MPI,
    OPT_SIZE,
    OPT_REPS,
    OPT_QUICK,
    OPT_ALONE,
    OPT_IN,
    OPT_OUT,
    OPT_JSON,
    OPT_CSV,
    OPT_NOISY,
    OPT_SPOIL, /* for tests: a wrong answer must be noticed */
    OPT_LIST,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    { "both", no_argument, NULL, OPT_BOTH },
    { "dsm", no_argument, NULL, OPT_DSM },
    { "mpi", no_argument, NULL, OPT_MPI },
    { "size", required_argument, NULL, OPT_SIZE },
    { "reps", required_argument, NULL, OPT_REPS },
    { "quick", no_argument, NULL, OPT_QUICK },
    { "no-sequential", no_argument, NULL, OPT_ALONE },
    { "in", required_argument, NULL, OPT_IN },
    { "out", required_argument, NULL, OPT_OUT },
    { "json", no_argument, NULL, OPT_JSON },
    { "csv", no_argument, NULL, OPT_CSV },
    { "noisy", required_argument, NULL, OPT_NOISY },
    { "spoil", required_argument, NULL, OPT_SPOIL },
    { "list", no_argument, NULL, OPT_LIST },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

/* ---- words that end the program at once ---------------------------------------------------------- */

static void print_list(void)
{
    for (const struct app *const *app = all_apps; *app; app++)
        printf("%-8s %s\n%-8s size: %s; %zu unless you say so\n", (*app)->name, (*app)->what, "",
               (*app)->n_is, (*app)->n);
}

static int print_and_end(int option)
{
    if (!options_speaker()) return 1;
    if (option == OPT_HELP) fputs(help_text, stdout);
    if (option == OPT_VERSION) puts("byre-apps " PACKAGE_VERSION);
    if (option == OPT_LIST) print_list();
    fflush(stdout);
    return 1;
}

/* ---- values -------------------------------------------------------------------------------------- */

static int parse_number(const char *option, const char *text, size_t most, size_t *out)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < 1 || value > most)
        return options_complain("--%s \"%s\": not a number from 1 to %zu", option, text, most);
    *out = (size_t)value;
    return 0;
}

static int parse_reps(struct cmdline *cmd)
{
    size_t reps = 0;
    int status = parse_number("reps", optarg, 10000, &reps);
    if (!status) cmd->reps = (int)reps;
    return status;
}

static int parse_spoil(struct cmdline *cmd)
{
    cmd->spoil = optarg;
    return list_has("dsm,mpi", optarg) ? 0 : options_complain("--spoil: dsm or mpi");
}

static int parse_one(struct cmdline *cmd, int option, char **argv)
{
    switch (option) {
    case OPT_BOTH:
        cmd->dsm = cmd->mpi = true;
        return 0;
    case OPT_DSM:
        cmd->dsm = true;
        return 0;
    case OPT_MPI:
        cmd->mpi = true;
        return 0;
    case OPT_QUICK:
        cmd->quick = true;
        return 0;
    case OPT_ALONE:
        cmd->sequential = false;
        return 0;
    case OPT_IN:
        cmd->in = optarg;
        return 0;
    case OPT_OUT:
        cmd->out = optarg;
        return 0;
    case OPT_NOISY:
        cmd->noisy = optarg;
        return 0;
    case OPT_JSON:
        cmd->format = FORMAT_JSON;
        return 0;
    case OPT_CSV:
        cmd->format = FORMAT_CSV;
        return 0;
    case OPT_SIZE:
        return parse_number("size", optarg, (size_t)1 << 31, &cmd->n);
    case OPT_REPS:
        return parse_reps(cmd);
    case OPT_SPOIL:
        return parse_spoil(cmd);
    case ':':
        return options_complain("%s needs a value", argv[optind - 1]);
    default:
        return options_complain("unknown option %s; see byre-apps --help", argv[optind - 1]);
    }
}

/* ---- applications -------------------------------------------------------------------------------- */

static int add_app(struct cmdline *cmd, const char *word, size_t length)
{
    for (const struct app *const *app = all_apps; *app; app++) {
        if (strlen((*app)->name) != length || strncmp((*app)->name, word, length) != 0) continue;
        if (cmd->app_count == APPS_MAX)
            return options_complain("more than %d applications", APPS_MAX);
        cmd->apps[cmd->app_count++] = *app;
        return 0;
    }
    return options_complain("no application \"%.*s\"; see byre-apps --list", (int)length, word);
}

static int add_apps(struct cmdline *cmd, const char *names)
{
    if (!strcmp(names, "all")) {
        for (const struct app *const *app = all_apps; *app; app++)
            cmd->apps[cmd->app_count++] = *app;
        return 0;
    }
    for (const char *word = names;;) {
        size_t length = strcspn(word, ",");
        int status = add_app(cmd, word, length);
        if (status || !word[length]) return status;
        word += length + 1;
    }
}

static int check_size(const struct cmdline *cmd, const struct app *app)
{
    if (!cmd->n) return 0;
    if (cmd->n < app->least || cmd->n > app->most)
        return options_complain("%s: --size %zu: from %zu to %zu %s", app->name, cmd->n, app->least,
                                app->most, app->n_is);
    if (app->power && (cmd->n & (cmd->n - 1)))
        return options_complain("%s: --size %zu: %s", app->name, cmd->n, app->n_is);
    return 0;
}

static int check(const struct cmdline *cmd)
{
    bool picture = cmd->app_count == 1 && cmd->apps[0]->save;

    if ((cmd->in || cmd->out) && !picture)
        return options_complain("--in and --out are for sor alone");
    if (cmd->noisy) return options_complain("--noisy stands alone");
    if (cmd->in && cmd->n) return options_complain("--size is that of the picture with --in");
    if (cmd->spoil && !(strcmp(cmd->spoil, "dsm") ? cmd->mpi : cmd->dsm))
        return options_complain("--spoil %s: this version does not run", cmd->spoil);
    for (int i = 0; i < cmd->app_count; i++)
        if (check_size(cmd, cmd->apps[i])) return 2;
    return 0;
}

/* 1: the picture is there; 2 + 1: it cannot be. */
static int write_noisy(const struct cmdline *cmd)
{
    struct picture picture;
    size_t side = cmd->n ? cmd->n : app_sor.n;

    if (side > app_sor.most) return options_complain("--size %zu: too large a picture", side) + 1;
    if (!options_speaker()) return 1;
    picture_generate(&picture, side, side);
    const char *wrong = pgm_write(cmd->noisy, &picture);
    free(picture.pixels);
    return wrong ? options_complain("%s: %s", cmd->noisy, wrong) + 1 : 1;
}

int cmdline_parse(struct cmdline *cmd, int argc, char **argv)
{
    int option;

    *cmd = (struct cmdline){ .sequential = true };
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == OPT_HELP || option == OPT_VERSION || option == OPT_LIST)
            return print_and_end(option);
        if (parse_one(cmd, option, argv)) return 3;
    }
    if (cmd->noisy && optind == argc) return write_noisy(cmd);
    if (!cmd->dsm && !cmd->mpi) cmd->dsm = cmd->mpi = true;
    if (optind == argc)
        return options_complain("no application; see byre-apps --list, byre-apps --help") + 1;
    if (optind + 1 < argc)
        return options_complain("unexpected \"%s\"; see byre-apps --help", argv[optind + 1]) + 1;
    if (add_apps(cmd, argv[optind]) || check(cmd)) return 3;
    return 0;
}
