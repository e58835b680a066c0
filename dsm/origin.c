/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where did a fault happen: inside MPI? Then the thread holds MPI's locks and must not wait.
 *
 * Return addresses tell. A stack without any address of MPI's code cannot have MPI below it, and that is
 * quickly seen: the words of the stack are compared with the ranges of its libraries. A word that looks
 * so may be a stale one, left by an earlier call; then the frames are really unwound. Code of the program
 * itself is seldom called by MPI: there, only the nearest part of the stack is looked at.
 */
#include "region.h"

#include <execinfo.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { RANGES = 128, NEAR = 1024, FAR = 65536, FRAMES = 64 };

static struct {
    struct {
        uintptr_t start, end;
    } mpi[RANGES];
    int count;
    uintptr_t low, high;                  /* of all of them */
    uintptr_t program_start, program_end; /* code of the program itself */
} origin;

bool byre__dsm_origin_is_library(const char *name)
{
    static const char *const known[] = { "/libmpi",  "/libopen-", "/mca_",    "/libpmix",
                                         "/libucp.", "/libuct.",  "/libucs.", "/libfabric" };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(name, known[i]) != NULL) return true;
    return false;
}

static int add_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    bool *first = arg, program = *first;
    (void)size;
    *first = false;
    if (!program && !byre__dsm_origin_is_library(info->dlpi_name)) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        uintptr_t start = info->dlpi_addr + segment->p_vaddr, end = start + segment->p_memsz;
        if (program) {
            origin.program_start = start;
            origin.program_end = end;
        } else if (origin.count < RANGES) {
            origin.mpi[origin.count].start = start;
            origin.mpi[origin.count++].end = end;
            if (origin.low == 0 || start < origin.low) origin.low = start;
            if (end > origin.high) origin.high = end;
        }
    }
    return 0;
}

void byre__dsm_origin_start(void)
{
    void *frames[4];
    bool first = true;
    memset(&origin, 0, sizeof origin);
    (void)dl_iterate_phdr(add_object, &first);
    (void)backtrace(frames, 4); /* loads the unwinder now: a handler may not */
}

static bool is_mpi(uintptr_t at)
{
    if (at < origin.low || at >= origin.high) return false;
    for (int i = 0; i < origin.count; i++)
        if (at >= origin.mpi[i].start && at < origin.mpi[i].end) return true;
    return false;
}

const void *byre__dsm_origin_pc(const void *ucontext)
{
    const ucontext_t *uc = ucontext;
#if defined(__x86_64__)
    return (const void *)uc->uc_mcontext.gregs[REG_RIP]; /* NOLINT(performance-no-int-to-ptr) */
#elif defined(__aarch64__)
    return (const void *)uc->uc_mcontext.pc; /* NOLINT(performance-no-int-to-ptr) */
#else
    (void)uc;
    return NULL;
#endif
}

static uintptr_t stack_of(const ucontext_t *uc)
{
#if defined(__x86_64__)
    return (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return (uintptr_t)uc->uc_mcontext.sp;
#else
    (void)uc;
    return 0;
#endif
}

/* Where the stack that sp is on ends, without a call that a signal handler may not make: the C library puts
 * a thread's descriptor at the end of its stack, and knows where the first thread's begins. */
extern void *
    __libc_stack_end; /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): its own name */

static uintptr_t stack_end(uintptr_t sp)
{
    uintptr_t descriptor = (uintptr_t)pthread_self();
    uintptr_t first = (uintptr_t)__libc_stack_end;
    return sp < descriptor && (sp > first || descriptor < first) ? descriptor : first;
}

/* Reads whatever is on the stack: sanitizers would mind. */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) static bool
looks_like_mpi(uintptr_t from, uintptr_t bytes)
{
    uintptr_t end = stack_end(from);
    if (from > end || end - from > ((uintptr_t)1 << 32)) return false; /* a stack of its own */
    if (end - from > bytes) end = from + bytes;
    for (uintptr_t at = from & ~(uintptr_t)7; at + 8 <= end; at += 8)
        if (is_mpi(*(const uintptr_t *)at)) return true; /* NOLINT(performance-no-int-to-ptr) */
    return false;
}

static bool unwinds_to_mpi(void)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    for (int i = 0; i < count; i++)
        if (is_mpi((uintptr_t)frames[i])) return true;
    return false;
}

bool byre__dsm_origin_is_mpi(const void *ucontext)
{
    uintptr_t pc = (uintptr_t)byre__dsm_origin_pc(ucontext);
    if (origin.count == 0) return false;
    if (is_mpi(pc)) return true;
    bool program = pc >= origin.program_start && pc < origin.program_end;
    uintptr_t stack = stack_of(ucontext);
    return looks_like_mpi(stack, program ? NEAR : FAR) && unwinds_to_mpi();
}
