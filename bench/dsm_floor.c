/* SPDX-License-Identifier: BSD-3-Clause */
/* What a fault of a shared memory on this machine costs at least: the messages that carry the request and
 * the unit, and the kernel's part. Both are measured apart and added, for nothing forces them to overlap. */
#include "dsm.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TAG 2
#define TAG_READY 3

static struct {
    char *buffer;
    size_t room;
    char *plain; /* private pages that are closed */
    size_t plain_bytes;
    size_t unit; /* as the handler needs it */
    int open_to;
} at;

char *floor_buffer(size_t bytes)
{
    if (bytes > at.room) {
        free(at.buffer);
        at.room = (bytes + 4095) & ~(size_t)4095;
        at.buffer = aligned_alloc(4096, at.room);
        if (!at.buffer) bench_die("buffers", "out of memory");
        memset(at.buffer, 'b', at.room);
    }
    return at.buffer;
}

void floor_open(const struct dsm *dsm)
{
    at.plain_bytes = DSM_UNITS * dsm->page;
    at.plain = mmap(NULL, at.plain_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at.plain == MAP_FAILED) bench_die("mmap", strerror(errno));
    mprotect(at.plain, at.plain_bytes, PROT_NONE);
    floor_buffer(DSM_UNIT_PAGES * dsm->page);
}

void floor_close(void)
{
    munmap(at.plain, at.plain_bytes);
    free(at.buffer);
    at.buffer = NULL;
    at.room = 0;
}

/* ---- messages ------------------------------------------------------------------------------------ */

static void leader_ready(const struct dsm *dsm, int n)
{
    dsm_order_raw(dsm, n);
    for (int i = 1; i <= dsm->readers; i++)
        MPI_Recv(NULL, 0, MPI_BYTE, dsm->crew.first + i, TAG_READY, dsm->crew.world,
                 MPI_STATUS_IGNORE);
}

static double lead(const struct dsm *dsm, int n, size_t reply)
{
    MPI_Comm world = dsm->crew.world;
    int owner = dsm->crew.last;

    leader_ready(dsm, n);
    double start = now();
    for (int i = 0; i < n; i++) {
        MPI_Send(at.buffer, DSM_REQUEST, MPI_BYTE, owner, TAG, world);
        MPI_Recv(at.buffer, (int)reply, MPI_BYTE, owner, TAG, world, MPI_STATUS_IGNORE);
        for (int k = 1; k <= dsm->readers; k++)
            MPI_Recv(at.buffer, DSM_REQUEST, MPI_BYTE, dsm->crew.first + k, TAG, world,
                     MPI_STATUS_IGNORE);
    }
    return now() - start;
}

static void own(const struct dsm *dsm, int n, size_t reply)
{
    MPI_Comm world = dsm->crew.world;
    int leader = dsm->crew.first;

    for (int i = 0; i < n; i++) {
        MPI_Recv(at.buffer, DSM_REQUEST, MPI_BYTE, leader, TAG, world, MPI_STATUS_IGNORE);
        for (int k = 1; k <= dsm->readers; k++)
            MPI_Send(at.buffer, DSM_REQUEST, MPI_BYTE, leader + k, TAG, world);
        MPI_Send(at.buffer, (int)reply, MPI_BYTE, leader, TAG, world);
    }
}

double floor_requests(struct dsm *dsm, int n, size_t reply)
{
    if (dsm->crew.leader) return lead(dsm, n, reply);
    own(dsm, n, reply);
    return 0;
}

void floor_reader(const struct dsm *dsm, int n)
{
    MPI_Comm world = dsm->crew.world;

    MPI_Send(NULL, 0, MPI_BYTE, dsm->crew.first, TAG_READY, world);
    for (int i = 0; i < n; i++) {
        MPI_Recv(at.buffer, DSM_REQUEST, MPI_BYTE, dsm->crew.last, TAG, world, MPI_STATUS_IGNORE);
        MPI_Send(at.buffer, DSM_REQUEST, MPI_BYTE, dsm->crew.first, TAG, world);
    }
}

/* ---- the kernel's part --------------------------------------------------------------------------- */

static void on_fault(int number, siginfo_t *info, void *context)
{
    char *unit = (char *)info->si_addr - (uintptr_t)info->si_addr % at.unit;
    (void)context;
    if ((char *)info->si_addr < at.plain || (char *)info->si_addr >= at.plain + at.plain_bytes)
        signal(number, SIG_DFL); /* a bug: the repeated access ends the program */
    else
        mprotect(unit, at.unit, at.open_to);
}

static void touch(char *unit, bool write)
{
    if (write)
        ++*(volatile uint64_t *)unit;
    else
        (void)*(volatile uint64_t *)unit;
}

/* The units are closed after all have been touched, as the array is by whoever gets it next. */
static void fault_distinct(const struct dsm *dsm, int n, bool write)
{
    for (int i = 0; i < n; i++) touch(at.plain + dsm->order[i] * at.unit, write);
    for (int i = 0; i < n; i++) mprotect(at.plain + dsm->order[i] * at.unit, at.unit, PROT_NONE);
}

static void fault_same(int n, bool write)
{
    char *unit = at.plain + (at.unit - (uintptr_t)at.plain % at.unit) % at.unit;
    for (int i = 0; i < n; i++) {
        touch(unit, write);
        mprotect(unit, at.unit, PROT_NONE);
    }
}

double floor_faults(const struct dsm *dsm, int n, bool write, bool distinct)
{
    struct sigaction mine = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, before;

    at.unit = dsm->unit;
    at.open_to = write ? PROT_READ | PROT_WRITE : PROT_READ;
    sigaction(SIGSEGV, &mine, &before);
    double start = now();
    if (distinct)
        fault_distinct(dsm, n, write);
    else
        fault_same(n, write);
    double seconds = now() - start;
    sigaction(SIGSEGV, &before, NULL);
    return seconds;
}
