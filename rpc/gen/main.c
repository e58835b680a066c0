/* SPDX-License-Identifier: BSD-3-Clause */
/* byre-rpcgen: the command line. */
#include "model.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SOURCE = 1 << 20, MAX_DIRS = 64 };

static const char help_text[] =
    "Usage: byre-rpcgen [OPTION...] FILE.idl\n"
    "\n"
    "Writes C for the interface in FILE.idl: FILE.h, FILE_types.c, FILE_client.c, FILE_server.c.\n"
    "\n"
    "Options:\n"
    "  -o DIR        write there (default: the current directory)\n"
    "  --header      only what is named by these options:\n"
    "  --client        the client stub, and FILE_types.c\n"
    "  --server        the server stub, and FILE_types.c\n"
    "  --local       FILE_local.c: calls are function calls, without messages\n"
    "  -I DIR        look there for imported files, too\n"
    "  --depend      print a rule for make instead: what would be written depends on what is read\n"
    "  --help, --version\n"
    "\n"
    "Examples:\n"
    "  byre-rpcgen calc.idl\n"
    "  byre-rpcgen -o build --header --client calc.idl\n"
    "\n"
    "byre_idl(5) has the language.\n";

enum { OPT_HEADER = 256, OPT_CLIENT, OPT_SERVER, OPT_LOCAL, OPT_DEPEND, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
    { "header", no_argument, NULL, OPT_HEADER },   { "client", no_argument, NULL, OPT_CLIENT },
    { "server", no_argument, NULL, OPT_SERVER },   { "local", no_argument, NULL, OPT_LOCAL },
    { "depend", no_argument, NULL, OPT_DEPEND },   { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION }, { NULL, 0, NULL, 0 }
};

typedef struct options {
    const char *directory, *source;
    const char *dirs[MAX_DIRS];
    int dir_count;
    bool header, client, server, local, depend;
} options_t;

/* A file that may be written. */
typedef struct output {
    const char *ending;
    void (*emit)(gen_t *gen, gen_buffer_t *out);
    bool wanted;
    char *path, *temporary;
    gen_buffer_t text;
} output_t;

enum { OUTPUTS = 5 };

/* ---- reading ----------------------------------------------------------------------------------------- */

static gen_source_t *read_file(gen_t *gen, const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    gen_buffer_t text = { 0 };
    char *bytes = NULL;
    size_t used = 0;
    if (file == NULL) return NULL;
    if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        goto close_file;
    }
    bytes = gen_alloc(&gen->arena, MAX_SOURCE + 1);
    used = fread(bytes, 1, MAX_SOURCE + 1, file);
    if (ferror(file)) goto close_file;
    if (used > MAX_SOURCE) {
        errno = EFBIG;
        goto close_file;
    }
    bytes[used] = 0;
    gen_source_t *source = GEN_NEW(&gen->arena, gen_source_t);
    source->path = gen_copy(&gen->arena, path, strlen(path));
    source->text = bytes;
    source->bytes = used;
    fclose(file);
    return source;

close_file:
    gen_buffer_free(&text);
    fclose(file);
    return NULL;
}

/* ---- writing: all files, or none ------------------------------------------------------------------------ */

static bool write_temporary(const output_t *output)
{
    FILE *file = fopen(output->temporary, "wb");
    if (file == NULL) return false;
    bool good = fwrite(output->text.text, 1, output->text.used, file) == output->text.used;
    int error = errno;
    if (fclose(file) != 0) {
        good = false;
        error = errno;
    }
    errno = error;
    return good;
}

static int complain(const char *path)
{
    fprintf(stderr, "byre-rpcgen: %s cannot be written: %s\n", path, strerror(errno));
    return 1;
}

static int write_all(output_t *outputs)
{
    int status = 0;
    for (int i = 0; i < OUTPUTS && status == 0; i++) {
        if (outputs[i].wanted && !write_temporary(&outputs[i])) status = complain(outputs[i].path);
    }
    for (int i = 0; i < OUTPUTS && status == 0; i++) {
        if (outputs[i].wanted && rename(outputs[i].temporary, outputs[i].path) != 0)
            status = complain(outputs[i].path);
    }
    for (int i = 0; i < OUTPUTS && status != 0; i++) {
        if (outputs[i].wanted) unlink(outputs[i].temporary);
    }
    return status;
}

/* ---- --depend ------------------------------------------------------------------------------------------- */

/* As make reads it: blanks and $ are special. */
static void put_path(const char *path)
{
    for (; *path != 0; path++) {
        if (*path == ' ' || *path == '#') putchar('\\');
        if (*path == '$') putchar('$');
        putchar(*path);
    }
}

static int print_rule(gen_t *gen, const output_t *outputs)
{
    for (int i = 0; i < OUTPUTS; i++) {
        if (!outputs[i].wanted) continue;
        put_path(outputs[i].path);
        putchar(' ');
    }
    fputs("&:", stdout);
    for (const gen_unit_t *unit = gen->units; unit != NULL; unit = unit->next) {
        putchar(' ');
        put_path(unit->source->path);
    }
    putchar('\n');
    return fflush(stdout) == 0 ? 0 : complain("standard output");
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

static int compile(gen_t *gen, const options_t *options)
{
    bool some = options->header || options->client || options->server || options->local;
    output_t outputs[OUTPUTS] = {
        { .ending = ".h", .emit = gen_emit_header, .wanted = options->header || !some },
        { .ending = "_types.c",
          .emit = gen_emit_types,
          .wanted = options->client || options->server || !some },
        { .ending = "_client.c", .emit = gen_emit_client, .wanted = options->client || !some },
        { .ending = "_server.c", .emit = gen_emit_server, .wanted = options->server || !some },
        { .ending = "_local.c", .emit = gen_emit_local, .wanted = options->local },
    };
    int status = 0;
    if (!gen_compile(gen, options->source)) {
        gen_diag_print(&gen->diag, stderr);
        return 1;
    }
    for (int i = 0; i < OUTPUTS; i++) {
        const char *directory = options->directory;
        outputs[i].path =
            GEN_TEXT(gen, "%s%s%s%s", directory == NULL ? "" : directory,
                     directory == NULL ? "" : "/", gen_file_base(gen), outputs[i].ending);
        outputs[i].temporary = GEN_TEXT(gen, "%s.%ld", outputs[i].path, (long)getpid());
        if (outputs[i].wanted && !options->depend) outputs[i].emit(gen, &outputs[i].text);
    }
    status = options->depend ? print_rule(gen, outputs) : write_all(outputs);
    for (int i = 0; i < OUTPUTS; i++) gen_buffer_free(&outputs[i].text);
    return status;
}

/* Would the header stand in the way of one that C, or Byre, has? */
static bool is_taken(const char *base, size_t length)
{
    static const char *const taken[] = {
        "assert",  "complex", "ctype",  "errno",  "fenv",   "float",       "inttypes", "iso646",
        "limits",  "locale",  "math",   "setjmp", "signal", "stdalign",    "stdarg",   "stdatomic",
        "stdbool", "stddef",  "stdint", "stdio",  "stdlib", "stdnoreturn", "string",   "strings",
        "tgmath",  "threads", "time",   "uchar",  "wchar",  "wctype",      "unistd",   "pthread",
        "fcntl",   "poll",    "sched",  "memory", "malloc", "alloca",      "features", "endian",
        "mpi",     "search",  "regex",  "glob",   "link"
    };
    if (strncmp(base, "byre", 4) == 0) return true;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strlen(taken[i]) == length && strncmp(taken[i], base, length) == 0) return true;
    }
    return false;
}

static int misuse(const char *format, const char *what)
{
    fputs("byre-rpcgen: ", stderr);
    fprintf(stderr, format, what);
    fputs("\nbyre-rpcgen --help tells how it is used.\n", stderr);
    return 2;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, options_t *options)
{
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":o:I:h", long_options, NULL)) != -1) {
        switch (c) {
        case 'o':
            options->directory = optarg;
            break;
        case 'I':
            if (options->dir_count == MAX_DIRS) return misuse("too many -I: %s", optarg);
            options->dirs[options->dir_count++] = optarg;
            break;
        case OPT_HEADER:
            options->header = true;
            break;
        case OPT_CLIENT:
            options->client = true;
            break;
        case OPT_SERVER:
            options->server = true;
            break;
        case OPT_LOCAL:
            options->local = true;
            break;
        case OPT_DEPEND:
            options->depend = true;
            break;
        case 'h':
        case OPT_HELP:
            fputs(help_text, stdout);
            return fflush(stdout) == 0 ? 0 : complain("standard output");
        case OPT_VERSION:
            printf("byre-rpcgen %s\n", PACKAGE_VERSION);
            return fflush(stdout) == 0 ? 0 : complain("standard output");
        case ':':
            return misuse("%s needs a value", argv[optind - 1]);
        default:
            return misuse("unknown option %s", argv[optind - 1]);
        }
    }
    if (optind == argc) return misuse("%s", "no file is named");
    if (optind + 1 < argc) return misuse("one file at a time: %s", argv[optind + 1]);
    options->source = argv[optind];
    const char *slash = strrchr(options->source, '/'),
               *base = slash == NULL ? options->source : slash + 1;
    size_t length = strlen(base);
    if (length < 5 || strcmp(base + length - 4, ".idl") != 0)
        return misuse("%s is not named *.idl", options->source);
    if (is_taken(base, length - 4))
        return misuse("%s would become a header of C or Byre: rename it", base);
    return -1;
}

int main(int argc, char **argv)
{
    options_t options = { 0 };
    gen_t *gen;
    int status = read_options(argc, argv, &options);
    if (status >= 0) return status;
    gen = malloc(sizeof *gen);
    if (gen == NULL) return misuse("%s", "no memory");
    gen_init(gen);
    gen->read = read_file;
    gen->dirs = options.dirs;
    gen->dir_count = options.dir_count;
    status = compile(gen, &options);
    gen_fini(gen);
    free(gen);
    return status;
}
