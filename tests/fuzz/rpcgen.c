/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * byre-rpcgen gets interface definitions that are broken in every way: it may complain, and must neither
 * crash nor hang.
 *
 *   rpcgen CORPUS-DIRECTORY [SECONDS [SEED]]   changes what is in the corpus, again and again
 *   rpcgen FILE                                one input
 *
 * What it dies of is in rpcgen-crash.idl. BYRE_FUZZ_KEEP=DIR keeps some accepted inputs there, for a C
 * compiler to judge. With clang -fsanitize=fuzzer -DBYRE_LIBFUZZER it is a fuzzer of libFuzzer.
 */
#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 64 * 1024, MAX_CORPUS = 200, HANGS_AFTER = 20 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t bytes);

static const unsigned char *input;
static size_t input_bytes;

static gen_source_t *read_input(gen_t *gen, const char *path)
{
    if (strcmp(path, "fuzz.idl") != 0 && strcmp(path, "self.idl") != 0) {
        errno = ENOENT;
        return NULL;
    }
    gen_source_t *source = GEN_NEW(&gen->arena, gen_source_t);
    source->path = gen_copy(&gen->arena, path, strlen(path));
    source->text = gen_copy(&gen->arena, (const char *)input, input_bytes);
    source->bytes = input_bytes;
    return source;
}

static bool accepted;

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t bytes)
{
    static void (*const emitters[])(gen_t *, gen_buffer_t *) = { gen_emit_header, gen_emit_types,
                                                                 gen_emit_client, gen_emit_server,
                                                                 gen_emit_local };
    static FILE *nowhere;
    gen_t *gen = malloc(sizeof *gen);
    if (gen == NULL) return 0;
    if (nowhere == NULL) nowhere = fopen("/dev/null", "w");
    input = data;
    input_bytes = bytes;
    gen_init(gen);
    gen->read = read_input;
    accepted = gen_compile(gen, "fuzz.idl");
    for (size_t i = 0; accepted && i < sizeof emitters / sizeof emitters[0]; i++) {
        gen_buffer_t out = { 0 };
        emitters[i](gen, &out);
        gen_buffer_free(&out);
    }
    if (!accepted && nowhere != NULL) gen_diag_print(&gen->diag, nowhere);
    gen_fini(gen);
    free(gen);
    return 0;
}

#ifndef BYRE_LIBFUZZER

/* ---- when it goes wrong ------------------------------------------------------------------------------ */

static void keep_crash(void)
{
    int fd = open("rpcgen-crash.idl", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) return;
    if (write(fd, input, input_bytes) < 0) perror("rpcgen-crash.idl");
    close(fd);
}

static void on_signal(int number)
{
    static const char text[] = "rpcgen: died or hung; the input is in rpcgen-crash.idl\n";
    keep_crash();
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

/* The sanitizers end the process their own way. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    keep_crash();
}

/* ---- changes ------------------------------------------------------------------------------------------- */

static uint64_t state;

static size_t below(size_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return limit == 0 ? 0 : (size_t)(state % limit);
}

typedef struct text {
    unsigned char *bytes;
    size_t used;
} text_t;

static text_t corpus[MAX_CORPUS];
static size_t corpus_count;

static const char *const words[] = {
    "interface ",
    "import \"self.idl\";",
    "struct s { ",
    "union [switch(int k)] u { case 1: ",
    "enum e { A, ",
    "[in] ",
    "[out] ",
    "[in, out] ",
    "[ptr] ",
    "[ref] ",
    "[unique] ",
    "[string] ",
    "[size_is(n)] ",
    "[length_is(n)] ",
    "[bulk, size_is(n)] ",
    "[switch_is(n)] ",
    "[context_handle] ",
    "[max(9)] ",
    "[shared] ",
    "typedef ",
    "const int N = ",
    "void ",
    "int ",
    "char ",
    "unsigned ",
    "long ",
    "double ",
    "bool ",
    "size_t ",
    "*",
    "**",
    "[]",
    "[4]",
    "[n]",
    "(",
    ")",
    "{",
    "}",
    ";",
    ",",
    ":",
    "=",
    "...",
    "*n",
    "n",
    "a",
    "s",
    "9999999999",
    "0x7fffffff",
    "-1",
    "1 << 62",
    "/",
    "%",
    "case 2: ",
    "default: ",
    "\"",
    "'a'",
    "/*",
    "*/",
    "//",
    "\n",
    "(void)",
    "[async] ",
    "[maybe] ",
    "[comm_status] ",
    "[timeout(1)] ",
    "[version(1.0)] ",
    "[name(\"x\")] ",
    ":3",
    "const ",
};

static void replace(text_t *text, size_t at, size_t removed, const void *bytes, size_t count)
{
    if (at > text->used) at = text->used;
    if (removed > text->used - at) removed = text->used - at;
    if (text->used - removed + count > LARGEST) return;
    memmove(text->bytes + at + count, text->bytes + at + removed, text->used - at - removed);
    memcpy(text->bytes + at, bytes, count);
    text->used = text->used - removed + count;
}

/* From one blank or sign to the next: whole words are exchanged more fruitfully than bytes. */
static size_t word_at(const text_t *text, size_t at)
{
    size_t end = at;
    while (end < text->used && strchr(" \n;,(){}[]", text->bytes[end]) == NULL) end++;
    return end - at + (end == at);
}

static void change(text_t *text)
{
    unsigned char copy[512];
    size_t at = below(text->used + 1), count = 0;
    const text_t *other = &corpus[below(corpus_count)];
    const char *word = words[below(sizeof words / sizeof words[0])];
    switch (below(9)) {
    case 0:
        replace(text, at, 0, word, strlen(word));
        break;
    case 1:
        replace(text, at, word_at(text, at), word, strlen(word));
        break;
    case 2:
        replace(text, at, word_at(text, at), "", 0);
        break;
    case 3:
        replace(text, at, below(40), "", 0);
        break;
    case 4:
        copy[0] = (unsigned char)below(256);
        replace(text, at, 1, copy, 1);
        break;
    case 5: /* a piece of another */
        count = below(sizeof copy);
        at = below(other->used);
        if (count > other->used - at) count = other->used - at;
        replace(text, below(text->used + 1), below(2) * below(100), other->bytes + at, count);
        break;
    case 6: /* a piece of this, moved or doubled */
        count = below(80);
        if (count > text->used - at) count = text->used - at;
        memcpy(copy, text->bytes + at, count);
        replace(text, below(text->used + 1), 0, copy, count);
        break;
    case 7: /* a word of this elsewhere */
        count = word_at(text, at);
        if (count > sizeof copy || at + count > text->used) break;
        memcpy(copy, text->bytes + at, count);
        at = below(text->used + 1);
        replace(text, at, word_at(text, at), copy, count);
        break;
    default: /* many of the same: nesting */
        count = below(50) == 0 ? 2000 : below(20);
        while (count-- > 0) replace(text, at, 0, word, strlen(word));
    }
}

/* ---- the loop ------------------------------------------------------------------------------------------- */

static int load(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (file == NULL || corpus_count == MAX_CORPUS) {
        if (file != NULL) fclose(file);
        return -1;
    }
    text_t *text = &corpus[corpus_count];
    if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode)) {
        text->bytes = malloc(LARGEST + 1);
        if (text->bytes != NULL) {
            text->used = fread(text->bytes, 1, LARGEST, file);
            corpus_count++;
        }
    }
    fclose(file);
    return 0;
}

/* All *.idl of a directory, and of those in it: the corpus is made of links to what other tests use. */
static int load_directory(const char *path, int depth)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    char name[4096];
    if (directory == NULL) return load(path);
    while ((entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);
        bool is_idl = length > 4 && strcmp(entry->d_name + length - 4, ".idl") == 0;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (is_idl) load(name);
        if (entry->d_name[0] != '.' && strchr(entry->d_name, '.') == NULL && depth > 0) {
            load_directory(name, depth - 1);
        }
    }
    closedir(directory);
    return 0;
}

static void keep_accepted(const text_t *text, unsigned long number)
{
    const char *directory = getenv("BYRE_FUZZ_KEEP");
    char name[4096];
    if (directory == NULL) return;
    snprintf(name, sizeof name, "%s/k%lu.idl", directory, number);
    FILE *file = fopen(name, "wb");
    if (file == NULL) return;
    fwrite(text->bytes, 1, text->used, file);
    fclose(file);
}

static void run(const text_t *text)
{
    alarm(HANGS_AFTER);
    LLVMFuzzerTestOneInput(text->bytes, text->used);
    alarm(0);
}

int main(int argc, char **argv)
{
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 0;
    unsigned long tries = 0, good = 0;
    struct timespec start, now;
    static unsigned char space[LARGEST + 1];
    text_t text = { space, 0 };
    state = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL);
    state = state * 0x9e3779b97f4a7c15u + 1;
    if (argc < 2 || load_directory(argv[1], 1) != 0 || corpus_count == 0) {
        fputs("usage: rpcgen CORPUS-DIRECTORY [SECONDS [SEED]] | FILE\n", stderr);
        return 2;
    }
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGALRM };
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) signal(signals[i], on_signal);
    for (size_t i = 0; i < corpus_count; i++) run(&corpus[i]);
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        const text_t *seed = &corpus[below(corpus_count)];
        memcpy(text.bytes, seed->bytes, seed->used);
        text.used = seed->used;
        for (size_t n = 1 + below(6); n > 0 && seconds > 0; n--) change(&text);
        run(&text);
        tries++;
        if (accepted && ++good % 64 == 1) keep_accepted(&text, good);
        /* What is accepted although it was changed leads to more. */
        if (accepted && seconds > 0 && below(20) == 0) {
            text_t *old = &corpus[corpus_count < MAX_CORPUS ? corpus_count : below(MAX_CORPUS)];
            if (corpus_count < MAX_CORPUS) {
                old->bytes = malloc(LARGEST + 1);
                if (old->bytes == NULL) break;
                corpus_count++;
            }
            memcpy(old->bytes, text.bytes, text.used);
            old->used = text.used;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) * 1e-9 <
             seconds);
    printf("%lu inputs, %lu of them accepted\n", tries, good);
    for (size_t i = 0; i < corpus_count; i++) free(corpus[i].bytes);
    return 0;
}

#endif
