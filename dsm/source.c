/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where in the source an instruction is. The dynamic linker knows which file was loaded where; addr2line
 * (binutils) reads that file's debugging information. Without either there is less to say, and no complaint.
 *
 *     addr2line -fCisa     0x0000000000001189      for each address: itself,
 *                                  bump                    then a function and a line, the
 *                                  counter.c:12            innermost inlined one first
 */
#include "source.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 256 }; /* addresses for one addr2line */

extern char **environ;

typedef struct module {
    uintptr_t bias; /* address minus address in the file */
    char file[256];
} module_t;

/* False: nobody knows this address. */
static bool find_module(uint64_t ip, Dl_info *info, module_t *module_out)
{
    struct link_map *map = NULL;

    if (!dladdr1((void *)(uintptr_t)ip, info, (void **)&map, RTLD_DL_LINKMAP) || !map) return false;
    module_out->bias = map->l_addr;
    if (map->l_name[0] != '\0') /* else the program itself */
        (void)snprintf(module_out->file, sizeof module_out->file, "%s", map->l_name);
    else
        (void)snprintf(module_out->file, sizeof module_out->file, "/proc/%d/exe", (int)getpid());
    return true;
}

static void without_lines(uint64_t ip, byre__source_text_t *text)
{
    Dl_info info;
    module_t module;
    size_t room = sizeof text->text;

    if (!find_module(ip, &info, &module)) {
        (void)snprintf(text->text, room, "0x%llx", (unsigned long long)ip);
    } else if (info.dli_sname) {
        (void)snprintf(text->text, room, "%.80s+0x%llx", info.dli_sname,
                       (unsigned long long)(ip - (uintptr_t)info.dli_saddr));
    } else {
        const char *slash = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
        const char *name = slash ? slash + 1 : info.dli_fname;
        (void)snprintf(text->text, room, "%.80s+0x%llx", name ? name : "",
                       (unsigned long long)(ip - module.bias));
    }
}

/* ---- addr2line --------------------------------------------------------------------------------- */

/* Its standard output, or NULL. */
static FILE *start_addr2line(char *const *arguments, pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    FILE *output = NULL;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC)) return NULL;
    if (posix_spawn_file_actions_init(&actions)) goto undo_pipe;
    int error =
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) ||
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) ||
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) ||
        posix_spawnp(pid_out, "addr2line", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (!error) output = fdopen(ends[0], "r");
    if (!error && !output) (void)waitpid(*pid_out, NULL, 0);
undo_pipe:
    close(ends[1]);
    if (!output) close(ends[0]);
    return output;
}

/* The next line without its end; false at the end of all. */
static bool read_line(FILE *from, char *line, size_t room)
{
    if (!fgets(line, (int)room, from)) return false;
    size_t length = strcspn(line, "\n");
    if (line[length] == '\n')
        line[length] = '\0';
    else
        while (!ferror(from) && !feof(from) && fgetc(from) != '\n') continue;
    return true;
}

/* Gives each of `which` its text, as far as addr2line knows it. */
static void read_lines(FILE *from, byre__source_text_t *texts, const size_t *which, size_t count)
{
    char function[512] = "", line[512];
    size_t i = 0;
    bool more = read_line(from, line, sizeof line);

    while (more && i < count) { /* `line` is an address */
        bool known = read_line(from, function, sizeof function) &&
                     read_line(from, line, sizeof line) && line[0] != '?';
        bool named = function[0] != '?';
        if (known)
            (void)snprintf(texts[which[i]].text, sizeof texts->text, "%.70s%s%.40s",
                           named ? function : "", named ? " at " : "", line);
        i++;
        do {
            more = read_line(from, line, sizeof line);
        } while (more && strncmp(line, "0x", 2) != 0); /* what it was inlined into */
    }
}

/* Those of one module. */
static void ask_addr2line(const module_t *module, const uint64_t *ips, byre__source_text_t *texts,
                          const size_t *which, size_t count)
{
    char program[] = "addr2line", options[] = "-fCisa", of[] = "-e", file[sizeof module->file];
    char addresses[BATCH][20];
    char *arguments[4 + BATCH + 1] = { program, options, of, file };
    pid_t pid;

    memcpy(file, module->file, sizeof file);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "0x%llx",
                       (unsigned long long)(ips[which[i]] - module->bias));
        arguments[4 + i] = addresses[i];
    }
    FILE *output = start_addr2line(arguments, &pid);
    if (!output) return;
    read_lines(output, texts, which, count);
    (void)fclose(output);
    (void)waitpid(pid, NULL, 0);
}

void byre__source_find(const uint64_t *ips, size_t count, byre__source_text_t *texts)
{
    bool *done = calloc(count + 1, sizeof *done);

    for (size_t i = 0; i < count; i++) without_lines(ips[i], &texts[i]);
    for (size_t i = 0; done && i < count; i++) {
        module_t module, other;
        Dl_info info;
        size_t which[BATCH], some = 0;
        if (done[i] || !find_module(ips[i], &info, &module)) continue;
        for (size_t j = i; j < count && some < BATCH; j++) {
            if (done[j] || !find_module(ips[j], &info, &other)) continue;
            if (other.bias != module.bias || strcmp(other.file, module.file) != 0) continue;
            done[j] = true;
            which[some++] = j;
        }
        ask_addr2line(&module, ips, texts, which, some);
    }
    free(done);
}
