/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wordfreq: the words of text files, most frequent first, counted by a dispatcher and its workers.
 *
 *   mpirun -n 4 wordfreq [--top N | --all] [--json] [--chunk BYTES] FILE...
 *
 * Rank 0, the dispatcher, reads the files, cuts them into chunks between words and deals the chunks out
 * with nonblocking sends, a few at a time to each worker; whoever returns a result gets the next
 * chunk. Results come back in two ways, to show both: those of even chunks are taken with
 * byre_get_message, those of odd ones make a thread pop up.
 *
 *                  WORK: chunks                              RESULTS: of even chunks, and the numbers
 *   dispatcher  ------------------> worker  --------------->          of odd chunks that are merged
 *                  (byre_isend)             (byre_send)      POPUPS: of odd chunks
 *
 * A chunk is kept until its result is there. When a worker dies (start with mpirun
 * --enable-recovery), its chunks are dealt out again; when the last has died, and in a cluster of
 * one, the dispatcher counts by itself.
 */
#include "wordfreq.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ------------------------------------------------------------------------------------ */

void complain(const char *what, const char *why)
{
    fprintf(stderr, "wordfreq: %s: %s\n", what, why);
}

void *or_die(void *memory)
{
    if (memory != NULL) return memory;
    complain("cannot go on", "out of memory");
    exit(1);
}

void must(int error, const char *what)
{
    if (error == BYRE_OK) return;
    complain(what, byre_strerror(error));
    exit(1);
}

/* ---- the command line -------------------------------------------------------------------------- */

static const char usage[] =
    "Usage: mpirun -n RANKS wordfreq [OPTION]... FILE...\n"
    "Count the words of text files: runs of the letters A-Z and a-z, folded to lower case.\n"
    "\n"
    "  --top N        print the N most frequent words (default 10)\n"
    "  --all          print all words\n"
    "  --json         print JSON\n"
    "  --chunk BYTES  deal out pieces of about this size (default 32768)\n"
    "  --help         print this\n"
    "\n"
    "Rank 0 reads the files; the other ranks count. Start mpirun with --enable-recovery, and the\n"
    "death of a worker is survived.\n";

typedef struct options {
    size_t top, chunk_bytes;
    bool json, help;
} options_t;

static bool parse_number(const char *text, size_t least, size_t *number_out)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *end != 0 || end == text || text[0] == '-' || number < least ||
        number > (1ull << 30))
        return false;
    *number_out = (size_t)number;
    return true;
}

/* NULL, or what is wrong. */
static const char *parse(int argc, char **argv, options_t *options)
{
    static const struct option known[] = {
        { "top", required_argument, NULL, 't' }, { "all", no_argument, NULL, 'a' },
        { "json", no_argument, NULL, 'j' },      { "chunk", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },      { NULL, 0, NULL, 0 },
    };
    *options = (options_t){ .top = 10, .chunk_bytes = 32768 };
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 't':
            if (!parse_number(optarg, 0, &options->top)) return "--top wants a number";
            break;
        case 'a':
            options->top = SIZE_MAX;
            break;
        case 'j':
            options->json = true;
            break;
        case 'c':
            if (!parse_number(optarg, 1, &options->chunk_bytes))
                return "--chunk wants a number of bytes, 1 to 1073741824";
            break;
        case 'h':
            options->help = true;
            break;
        default:
            return "unknown option, or an option without its value; see --help";
        }
    }
    if (!options->help && optind == argc) return "which files? See --help";
    return NULL;
}

static int lead(int argc, char **argv, const options_t *options)
{
    char **files = argv + optind;
    int count = argc - optind;
    if (!files_are_fine(files, count)) {
        dismiss_workers();
        return 1;
    }
    dispatch(files, count, options->chunk_bytes);
    report(options->top, options->json);
    clean_up();
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

int main(int argc, char **argv)
{
    options_t options;
    const char *wrong = parse(argc, argv, &options);
    int error = byre_init();
    if (error != BYRE_OK) {
        complain("byre_init", byre_strerror(error));
        return 1;
    }
    int status = 0;
    if (wrong != NULL) { /* said once, by one rank */
        if (byre_rank() == 0) complain("usage", wrong);
        status = byre_rank() == 0 ? 2 : 0;
    } else if (options.help) {
        if (byre_rank() == 0) fputs(usage, stdout);
    } else {
        status = byre_rank() == 0 ? lead(argc, argv, &options) : work();
    }
    must(byre_finalize(), "byre_finalize");
    return status;
}
