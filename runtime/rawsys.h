/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls as the SIGSEGV handler needs them: straight to the kernel. Open MPI patches the
 * library's mremap and munmap with hooks that take locks, and open, pwrite and nanosleep are
 * cancellation points: none of these may be called in the middle of somebody's memory access.
 * They leave errno as syscall(2) does; the dispatcher saves it.
 */
#ifndef BYRE__RAWSYS_H
#define BYRE__RAWSYS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline bool byre__raw_mprotect(void *addr, size_t bytes, int prot)
{
    return syscall(SYS_mprotect, addr, bytes, prot) == 0;
}

/* Fresh zeroed memory, or NULL. */
static inline void *byre__raw_map(size_t bytes)
{
    long at =
        syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    return at == -1 ? NULL : (void *)at; /* NOLINT(performance-no-int-to-ptr) */
}

static inline void byre__raw_unmap(void *addr, size_t bytes)
{
    (void)syscall(SYS_munmap, addr, bytes);
}

/* Replace what is mapped at `to` by the pages of `from`, in one step for everybody who looks. */
static inline bool byre__raw_move(void *from, size_t bytes, void *to)
{
    return syscall(SYS_mremap, from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != -1;
}

static inline int byre__raw_open(const char *path, int flags)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
}

static inline void byre__raw_close(int fd)
{
    (void)syscall(SYS_close, fd);
}

static inline void byre__raw_complain(const char *text, size_t bytes)
{
    (void)syscall(SYS_write, STDERR_FILENO, text, bytes);
}

/* One turn of waiting for another thread that needs only a processor to finish. The sleep is for a
 * thread of a real-time class, whose yield would give way to nobody. */
static inline void byre__raw_pause(unsigned turn)
{
    static const struct timespec nap = { 0, 50 * 1000 };
    if (turn < 100)
        (void)syscall(SYS_sched_yield);
    else
        (void)syscall(SYS_nanosleep, &nap, NULL);
}

#endif
