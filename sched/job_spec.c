/* SPDX-License-Identifier: BSD-3-Clause */
/* job_spec.c - what to run, and in which surroundings; see job.h. */
#include "sched/job.h"

#include <byre_errors.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* ---- context -------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* mpirun tells its ranks its own settings as OMPI_MCA_*, among those of the user: then all of them go. */
static bool mpirun_is_around(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMIX_RANK") != NULL;
}

bool byre__context_is_foreign(const char *variable)
{
    static const char *const prefixes[] = { "PMIX_",           "PMI_",          "PMI2_",
                                            "ORTE_",           "IPATH_",        "HFI_",
                                            "OMPI_COMM_WORLD", "OMPI_UNIVERSE", "OMPI_APP_",
                                            "OMPI_FIRST_",     "OMPI_NUM_",     "OMPI_COMMAND=",
                                            "OMPI_ARGV=",      "OMPI_FILE_",    "MPI_LOCALRANKID=",
                                            "MPI_LOCALNRANKS=" };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (begins(variable, prefixes[i])) return true;
    return begins(variable, "OMPI_MCA_") && mpirun_is_around();
}

static char **copy_env(void)
{
    byre__pack_t pack = { 0 };
    uint32_t count = 0;
    byre__pack_u32(&pack, 0);
    for (char **v = environ; v != NULL && *v != NULL; v++) {
        if (byre__context_is_foreign(*v)) continue;
        byre__pack_text(&pack, *v);
        count++;
    }
    if (pack.failed) {
        byre__pack_fini(&pack);
        return NULL;
    }
    for (size_t i = 0; i < 4; i++) pack.data[i] = (uint8_t)(count >> 8 * i);
    byre__unpack_t unpack = byre__unpack_of(pack.data, pack.bytes);
    char **env = byre__unpack_texts(&unpack);
    byre__pack_fini(&pack);
    return env;
}

/* umask(2) can only be read by changing it, for all threads. */
static uint32_t current_umask(void)
{
    unsigned mask = 022;
    char line[128];
    FILE *status = fopen("/proc/self/status", "re");
    if (status == NULL) return mask;
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "Umask: %o", &mask) == 1) break;
    fclose(status);
    return mask;
}

/* $PWD where it is right: a directory reached through a link keeps the name the user knows. */
static char *current_directory(void)
{
    const char *pwd = getenv("PWD");
    struct stat there, here;
    if (pwd != NULL && pwd[0] == '/' && stat(pwd, &there) == 0 && stat(".", &here) == 0 &&
        there.st_dev == here.st_dev && there.st_ino == here.st_ino)
        return strdup(pwd);
    return getcwd(NULL, 0);
}

int byre__context_capture(byre__context_t *context_out)
{
    byre__context_t context = { .umask = current_umask() };
    for (int i = 0; i < BYRE__RLIMITS; i++) {
        struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
        (void)getrlimit((__rlimit_resource_t)i,
                        &limit); /* one that this kernel lacks is no limit */
        context.soft[i] = limit.rlim_cur;
        context.hard[i] = limit.rlim_max;
    }
    context.cwd = current_directory();
    if (context.cwd == NULL) return BYRE_ESYSTEM;
    context.env = copy_env();
    if (context.env == NULL) {
        free(context.cwd);
        return BYRE_ENOMEM;
    }
    *context_out = context;
    return BYRE_OK;
}

void byre__context_fini(byre__context_t *context)
{
    free(context->cwd);
    free(context->env);
    *context = (byre__context_t){ 0 };
}

void byre__pack_context(byre__pack_t *pack, const byre__context_t *context)
{
    byre__pack_text(pack, context->cwd);
    byre__pack_texts(pack, context->env);
    byre__pack_u32(pack, context->umask);
    for (int i = 0; i < BYRE__RLIMITS; i++) {
        byre__pack_u64(pack, context->soft[i]);
        byre__pack_u64(pack, context->hard[i]);
    }
}

void byre__unpack_context(byre__unpack_t *unpack, byre__context_t *context_out)
{
    *context_out = (byre__context_t){ 0 };
    context_out->cwd = byre__unpack_text(unpack);
    context_out->env = byre__unpack_texts(unpack);
    context_out->umask = byre__unpack_u32(unpack);
    for (int i = 0; i < BYRE__RLIMITS; i++) {
        context_out->soft[i] = byre__unpack_u64(unpack);
        context_out->hard[i] = byre__unpack_u64(unpack);
    }
}

/* Two runs of FNV-1a with different beginnings. Those who could make two contexts collide are the owner. */
static uint64_t hash(const uint8_t *data, size_t bytes, uint64_t begin)
{
    uint64_t h = begin;
    for (size_t i = 0; i < bytes; i++) h = (h ^ data[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

byre__context_key_t byre__context_key(const void *packed, size_t bytes)
{
    return (byre__context_key_t){ hash(packed, bytes, UINT64_C(0xcbf29ce484222325)),
                                  hash(packed, bytes, UINT64_C(0x9ae16a3b2f90404f)) };
}

/* ---- spec ----------------------------------------------------------------------------------------- */

void byre__spec_fini(byre__spec_t *spec)
{
    free(spec->argv);
    free(spec->env);
    free(spec->name);
    free(spec->node);
    free(spec->affinity);
    *spec = (byre__spec_t){ 0 };
}

void byre__pack_spec(byre__pack_t *pack, const byre__spec_t *spec)
{
    static char *const none[] = { NULL };
    byre__pack_u32(pack, spec->flags);
    byre__pack_texts(pack, spec->argv);
    byre__pack_texts(pack, spec->env != NULL ? spec->env : none);
    byre__pack_text(pack, spec->name);
    byre__pack_text(pack, spec->node);
    byre__pack_text(pack, spec->affinity);
    byre__pack_u32(pack, spec->cpus);
    byre__pack_u64(pack, spec->mem);
    byre__pack_u32(pack, (uint32_t)spec->rows << 16 | spec->cols);
}

void byre__unpack_spec(byre__unpack_t *unpack, byre__spec_t *spec_out)
{
    *spec_out = (byre__spec_t){ 0 };
    spec_out->flags = byre__unpack_u32(unpack);
    spec_out->argv = byre__unpack_texts(unpack);
    spec_out->env = byre__unpack_texts(unpack);
    spec_out->name = byre__unpack_text(unpack);
    spec_out->node = byre__unpack_text(unpack);
    spec_out->affinity = byre__unpack_text(unpack);
    spec_out->cpus = byre__unpack_u32(unpack);
    spec_out->mem = byre__unpack_u64(unpack);
    uint32_t size = byre__unpack_u32(unpack);
    spec_out->rows = (uint16_t)(size >> 16);
    spec_out->cols = (uint16_t)size;
    if (spec_out->argv == NULL || spec_out->argv[0] == NULL || spec_out->cpus == 0)
        unpack->failed = true;
}
