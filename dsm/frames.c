/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where shared memory lies. All regions are in one window of addresses, the same on all ranks. A rank's
 * frames are one memfd, as long as the window and sparse, with two views of each region:
 *
 *   application view   in the window; its protection says what the application may do
 *   service view       anywhere; always writable; here units arrive, and from here they leave
 *
 * What is reserved and not in use is inaccessible, and a gap lies between neighbours: a pointer that
 * runs over a region's end is a SIGSEGV like any other.
 */
#include "region.h"

#include "log.h"
#include "paged.h"
#include "transport.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* ThreadSanitizer ends the program when it asks for addresses that it does not know. */
#if defined(__SANITIZE_THREAD__)
#define BYRE__TSAN 1
#else
#define BYRE__TSAN 0
#endif

#define TIB ((size_t)1 << 40)
#define GIB ((size_t)1 << 30)
#define GAP ((size_t)1 << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct range {
    uintptr_t start, end;
};

static struct {
    uintptr_t start;
    size_t bytes;
    int memfd;
    struct range used[DSM_REGIONS]; /* sorted */
    int count;
} window = { .memfd = -1 };

size_t byre__dsm_window_bytes(void)
{
    return window.bytes;
}

static void *reserve_at(uintptr_t at, size_t bytes)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at != 0 ? MAP_FIXED_NOREPLACE : 0);
    void *got = mmap((void *)at, bytes, PROT_NONE, flags, -1, 0); /* NOLINT */
    if (got == MAP_FAILED) return NULL;
    if (at == 0 || (uintptr_t)got == at) return got;
    munmap(got, bytes); /* a kernel that knows no NOREPLACE */
    return NULL;
}

/* 1: all ranks have it, 0: not all, negative: an error. */
static int all_have(bool mine)
{
    char one = (char)mine, *all = malloc((size_t)byre__dsm.size);
    if (all == NULL) return BYRE_ENOMEM;
    int error = byre__transport->allgather(&one, all, sizeof one);
    int have = 1;
    for (int r = 0; r < byre__dsm.size; r++) have &= all[r];
    free(all);
    return error != BYRE_OK ? error : have;
}

/* Where rank 0's kernel would put it; `at` is this rank's suggestion. */
static int ask_first(uintptr_t *at)
{
    uintptr_t *all = malloc((size_t)byre__dsm.size * sizeof *all);
    if (all == NULL) return BYRE_ENOMEM;
    int error = byre__transport->allgather(at, all, sizeof *at);
    *at = all[0];
    free(all);
    return error;
}

static int try_window(uintptr_t at, size_t bytes)
{
    void *got = reserve_at(at, bytes);
    int have = all_have(got != NULL);
    if (have == 1) {
        window.start = at;
        window.bytes = bytes;
        return 1;
    }
    if (got != NULL) munmap(got, bytes);
    return have;
}

/* Addresses that are hardly ever in use first; then what the kernel of rank 0 would take, which suits
 * small address spaces and sanitizers, shifted down by half so that other ranks' libraries are not there. */
static int find_window(void)
{
    static const uintptr_t usual[] = { 0x200000000000, 0x300000000000, 0x100000000000 };
    static const size_t sizes[] = { TIB, 256 * GIB, 64 * GIB };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t i = 0; !BYRE__TSAN && i < sizeof usual / sizeof usual[0]; i++) {
            int have = try_window(usual[i], sizes[s]);
            if (have != 0) return have;
        }
        void *probe = reserve_at(0, sizes[s]);
        uintptr_t at = 0;
        if (probe != NULL) {
            munmap(probe, sizes[s]);
            at = ((uintptr_t)probe - (BYRE__TSAN ? 0 : sizes[s] / 2)) & ~(uintptr_t)(GIB - 1);
        }
        int error = ask_first(&at);
        if (error != BYRE_OK) return error;
        if (at == 0) continue;
        int have = try_window(at, sizes[s]);
        if (have != 0) return have;
    }
    return 0;
}

int byre__dsm_frames_start(void)
{
    int have = find_window();
    if (have < 0) return have;
    int memfd = have ? memfd_create("byre-dsm", MFD_CLOEXEC) : -1;
    bool ready = memfd >= 0 && ftruncate(memfd, (off_t)window.bytes) == 0;
    int all = all_have(ready);
    if (all == 1) {
        window.memfd = memfd;
        byre__paged_start = window.start;
        byre__paged_end = window.start + window.bytes;
        return BYRE_OK;
    }
    if (memfd >= 0) close(memfd);
    if (window.bytes != 0) munmap((void *)window.start, window.bytes); /* NOLINT */
    window.bytes = 0;
    return all < 0 ? all : BYRE_ENOMEM;
}

void byre__dsm_frames_stop(void)
{
    byre__paged_start = byre__paged_end = 0;
    if (window.memfd >= 0) close(window.memfd);
    if (window.bytes != 0) munmap((void *)window.start, window.bytes); /* NOLINT */
    window.memfd = -1;
    window.bytes = 0;
    window.count = 0;
}

/* First fit: so all ranks, which call in the same order, get the same. What has room for large frames lies as
 * they do. */
uintptr_t byre__dsm_frames_reserve(size_t bytes, size_t align)
{
    uintptr_t at = window.start + GAP;
    int place = 0;
    if (bytes >= DSM_LARGE_BYTES && align < DSM_LARGE_BYTES) align = DSM_LARGE_BYTES;
    if (window.count == DSM_REGIONS || bytes > window.bytes) return 0;
    for (;; place++) {
        at = (at + align - 1) & ~(uintptr_t)(align - 1);
        uintptr_t limit =
            place < window.count ? window.used[place].start : window.start + window.bytes;
        if (at + bytes + GAP <= limit && at + bytes + GAP > at) break;
        if (place == window.count) return 0;
        at = window.used[place].end + GAP;
    }
    for (int i = window.count; i > place; i--) window.used[i] = window.used[i - 1];
    window.used[place] = (struct range){ at, at + bytes };
    window.count++;
    return at;
}

void byre__dsm_frames_release(uintptr_t at)
{
    for (int i = 0; i < window.count; i++) {
        if (window.used[i].start != at) continue;
        for (int k = i + 1; k < window.count; k++) window.used[k - 1] = window.used[k];
        window.count--;
        return;
    }
}

static void close_view(void *at, size_t bytes)
{
    /* cppcheck-suppress leakReturnValNotUsed ; it replaces what is there */
    (void)mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
               0);
}

/* Anywhere, but for large frames at a multiple of their size, as in the file. */
static char *map_service(size_t bytes, off_t offset)
{
    size_t slack = bytes >= DSM_LARGE_BYTES ? DSM_LARGE_BYTES : 0;
    char *room =
        mmap(NULL, bytes + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return MAP_FAILED;
    size_t before = slack > 0 ? -(uintptr_t)room & (DSM_LARGE_BYTES - 1) : 0;
    char *service = mmap(room + before, bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_NORESERVE | MAP_FIXED, window.memfd, offset);
    if (service == MAP_FAILED) {
        munmap(room, bytes + slack);
        return MAP_FAILED;
    }
    if (before > 0) munmap(room, before);
    if (slack > before) munmap(service + bytes, slack - before);
    return service;
}

int byre__dsm_frames_map(uintptr_t at, size_t bytes, char **app_out, char **service_out)
{
    off_t offset = (off_t)(at - window.start);
    char *app =
        mmap((void *)at, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, /* NOLINT */
             window.memfd, offset);
    if (app == MAP_FAILED) return BYRE_ENOMEM;
    char *service = map_service(bytes, offset);
    if (service == MAP_FAILED) {
        close_view(app, bytes);
        return BYRE_ENOMEM;
    }
    (void)madvise(service, bytes, MADV_DONTDUMP); /* a core file needs one view only */
    *app_out = app;
    *service_out = service;
    return BYRE_OK;
}

void byre__dsm_frames_unmap(char *app, char *service, size_t bytes)
{
    munmap(service, bytes);
    close_view(app, bytes);
    if (fallocate(window.memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)((uintptr_t)app - window.start), (off_t)bytes) != 0)
        byre__error("frames of a region of %zu bytes cannot be freed", bytes);
}

bool byre__dsm_frames_can_join(void)
{
    unsigned long bytes = 0;
    FILE *in = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
    if (in == NULL) return false;
    if (fscanf(in, "%lu", &bytes) != 1) bytes = 0; /* NOLINT(cert-err34-c) */
    fclose(in);
    return bytes == DSM_LARGE_BYTES;
}

int byre__dsm_frames_join(const char *app, char *service)
{
    off_t offset = (off_t)((uintptr_t)app - window.start);
    /* of nothing the kernel makes no large page */
    if (fallocate(window.memfd, FALLOC_FL_KEEP_SIZE, offset, (off_t)byre__dsm.page) != 0)
        return errno;
    return madvise(service, DSM_LARGE_BYTES, MADV_COLLAPSE) == 0 ? 0 : errno;
}
