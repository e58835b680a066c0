/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots of buffers that are being sent. Interface: cow.h. This file decides what to do with a
 * buffer and keeps the list of live snapshots; cow_pages.c moves the pages.
 *
 *   app     |....xxxx|xxxxxxxx|xxxxxxxx|xx......|      x: the buffer
 *                |    whole pages: moved    |
 *                | copied                   | copied
 *   shadow  |    xxxx|xxxxxxxx|xxxxxxxx|xx      |      the same offset in the page
 *
 * Invariants
 *  S1  Only pages that belong to the buffer as a whole are protected. What shares a page with the
 *      buffer is never touched.
 *  S2  While the lock is held (or signals are blocked) no memory of the application is read or
 *      written: that could fault, and then wait for us.
 *  S3  Live snapshots never overlap. A buffer that overlaps one either shares it (it lies inside and
 *      nobody has touched it since: the bytes are the same) or ends its hold on the memory first, by
 *      copying; the older snapshot keeps its shadow.
 *  S4  Whoever holds the lock waits for nobody who needs it: resolvers do not.
 *
 * What cannot be moved is copied (counter cow_copied_sends): buffers without a whole page, shared
 * mappings and files, memory that is read-only, many small mappings, or more than the kernel has room
 * for. The shadow of a large buffer has the same place within a huge page as the buffer: then whole
 * page tables move, and huge pages stay whole.
 */
#include "cow.h"

#include "counters.h"
#include "cow_pages.h"
#include "fault.h"
#include "maps.h"
#include "rawsys.h"

#include <byre_errors.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct byre__cow {
    struct byre__cow *next;
    const char *buf; /* what the caller gave */
    size_t bytes;
    unsigned refs;         /* sends that read it */
    bool retired;          /* all is home, no faults any more */
    _Atomic bool complete; /* the image has its edges too: it can be shared */
    char *image;           /* of buf[0] */
    void *map;             /* the shadow, or NULL: image is malloc'd */
    size_t map_bytes;
    byre__cow_pages_t *pages; /* NULL: a plain copy, not in the list */
};

_Atomic int byre__cow_live;

static struct byre__cow *snapshots; /* under `lock`, like all fields of those in the list */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- small things ------------------------------------------------------------------------------ */

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static uintptr_t page_floor(uintptr_t addr)
{
    return addr & ~(page_bytes() - 1);
}

static uintptr_t page_ceil(uintptr_t addr)
{
    return page_floor(addr + page_bytes() - 1);
}

/* S4, and C3 of cow_pages.c: no handler of the application may run on top of us and fault. What a
 * thread causes itself stays open, as in fault.c. */
static void enter(sigset_t *before_out)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigset_t all;

    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&all, own[i]);
    pthread_sigmask(SIG_BLOCK, &all, before_out);
    pthread_mutex_lock(&lock);
}

static void leave(const sigset_t *before)
{
    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* ---- what the buffer is ------------------------------------------------------------------------ */

struct survey {
    uintptr_t start, end;       /* the buffer */
    uintptr_t whole, whole_end; /* its whole pages; whole >= whole_end: none */
    bool movable;
    byre__cow_pieces_t pieces;
};

/* This thread's stack as the threads library made it. Asking takes long for the main thread. */
static bool thread_stack(uintptr_t *low_out, uintptr_t *high_out)
{
    static _Thread_local uintptr_t low, high;
    pthread_attr_t attr;
    void *addr = NULL;
    size_t bytes = 0;

    if (high == 0) {
        if (pthread_getattr_np(pthread_self(), &attr)) return false;
        int error = pthread_attr_getstack(&attr, &addr, &bytes);
        pthread_attr_destroy(&attr);
        if (error) return false;
        low = (uintptr_t)addr;
        high = low + bytes;
    }
    *low_out = low;
    *high_out = high;
    return true;
}

/* A frame that is pushed onto a protected page, a signal's above all, kills the process: so the caller's
 * own stack is refused. A user-level thread's stack is known by its stack pointer only. */
static bool on_own_stack(const struct survey *s, const byre__mapping_t *mapping)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), low, high;

    if (thread_stack(&low, &high) && here >= low && here < high)
        return s->start < high && s->end > low;
    return here >= mapping->start && here < mapping->end;
}

static void add_piece(struct survey *s, const byre__mapping_t *mapping)
{
    uintptr_t from = mapping->start > s->whole ? mapping->start : s->whole;
    uintptr_t to = mapping->end < s->whole_end ? mapping->end : s->whole_end;

    if (from >= to) return;
    if (!mapping->plain || s->pieces.count == BYRE__COW_PIECES)
        s->movable = false;
    else
        s->pieces.end[s->pieces.count++] = to - s->whole;
}

/* An unreadable shared mapping may belong to a part that makes it readable when it is touched. */
static bool is_usable(const byre__mapping_t *mapping)
{
    return mapping->readable || mapping->shared;
}

static int survey_mappings(struct survey *s, int maps)
{
    byre__mapping_t mapping;

    for (uintptr_t at = s->start; at < s->end; at = mapping.end) {
        if (!byre__maps_at(maps, at, &mapping) || !is_usable(&mapping) || on_own_stack(s, &mapping))
            return BYRE_EINVAL;
        add_piece(s, &mapping);
    }
    return BYRE_OK;
}

/* Asks the kernel; touches nothing of the buffer. */
static int survey(struct survey *s)
{
    int maps = byre__maps_open();

    s->movable = s->whole < s->whole_end;
    s->pieces.count = 0;
    if (maps < 0) return BYRE_ENOMEM;
    int error = survey_mappings(s, maps);
    byre__maps_close(maps);
    return error;
}

/* ---- those that live already ------------------------------------------------------------------- */

static bool overlaps(const struct byre__cow *cow, uintptr_t start, uintptr_t end)
{
    uintptr_t from = (uintptr_t)cow->pages->app;

    return !cow->retired && start < from + cow->pages->bytes && end > from;
}

/* The part of [start, end) that lies in the whole pages, as offsets there. */
static void inside(const struct byre__cow *cow, uintptr_t start, uintptr_t end, size_t *from_out,
                   size_t *to_out)
{
    uintptr_t low = (uintptr_t)cow->pages->app, high = low + cow->pages->bytes;

    *from_out = start > low ? start - low : 0;
    *to_out = (end < high ? end : high) - low;
}

/* S3: copies everything home. The shadow stays for its sends. */
static bool retire(struct byre__cow *cow)
{
    if (!byre__cow_pages_copy_home(cow->pages, 0, cow->pages->bytes)) return false;
    byre__cow_pages_retire(cow->pages);
    cow->retired = true;
    return true;
}

static bool retire_overlapping(const struct survey *s)
{
    for (struct byre__cow *cow = snapshots; cow; cow = cow->next)
        if (overlaps(cow, s->start, s->end) && !retire(cow)) return false;
    return true;
}

/* A snapshot that holds the buffer, untouched in its whole pages. */
static struct byre__cow *find_shareable(const struct survey *s)
{
    size_t from, to;

    for (struct byre__cow *cow = snapshots; cow; cow = cow->next) {
        uintptr_t start = (uintptr_t)cow->buf;
        if (cow->refs == 0 || !cow->complete || !overlaps(cow, s->start, s->end)) continue;
        if (s->start < start || s->end > start + cow->bytes) continue;
        inside(cow, s->start, s->end, &from, &to);
        if (byre__cow_pages_away(cow->pages, from, to)) return cow;
    }
    return NULL;
}

static bool same_bytes(const struct byre__cow *cow, uintptr_t from, uintptr_t to)
{
    size_t offset = from - (uintptr_t)cow->buf;

    return from >= to || memcmp(cow->buf + offset, cow->image + offset, to - from) == 0;
}

/* Partial pages are not protected: have they been written to? Touches the application: S2. */
static bool edges_unchanged(const struct byre__cow *cow, const struct survey *s)
{
    uintptr_t low = (uintptr_t)cow->pages->app, high = low + cow->pages->bytes;

    return same_bytes(cow, s->start, s->end < low ? s->end : low) &&
           same_bytes(cow, s->start > high ? s->start : high, s->end);
}

/* S3. The same buffer to several ranks. */
static struct byre__cow *share(const struct survey *s)
{
    sigset_t before;

    if (byre__cow_live == 0) return NULL;
    enter(&before);
    struct byre__cow *cow = find_shareable(s);
    if (cow) cow->refs++;
    leave(&before);
    if (!cow || edges_unchanged(cow, s)) return cow;
    byre__cow_end(cow);
    return NULL;
}

/* ---- begin ------------------------------------------------------------------------------------- */

#define HUGE_PAGE ((size_t)2 << 20)

/* A shadow for the pages that the buffer touches. */
static bool map_shadow(struct byre__cow *cow, const struct survey *s)
{
    uintptr_t first = page_floor(s->start);
    size_t bytes = page_ceil(s->end) - first;
    size_t slack = bytes >= HUGE_PAGE ? HUGE_PAGE : 0;
    void *map = mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED) return false;
    size_t shift = slack ? (first - (uintptr_t)map) % HUGE_PAGE : 0;
    cow->map = map;
    cow->map_bytes = bytes + slack;
    cow->image = (char *)map + shift + (s->start - first);
    return true;
}

static struct byre__cow *cow_new(const struct survey *s)
{
    struct byre__cow *cow = calloc(1, sizeof *cow);

    if (!cow) return NULL;
    cow->buf = (const char *)s->start; /* NOLINT(performance-no-int-to-ptr) */
    cow->bytes = s->end - s->start;
    cow->refs = 1;
    return cow;
}

static void cow_free(struct byre__cow *cow)
{
    if (cow->map)
        munmap(cow->map, cow->map_bytes);
    else
        free(cow->image);
    free(cow->pages);
    free(cow);
}

/* Under the lock, with a buffer that no snapshot holds. NULL: it cannot be moved. */
static struct byre__cow *move_away(const struct survey *s)
{
    size_t offset = s->whole - s->start;
    struct byre__cow *cow = cow_new(s);

    if (!cow) return NULL;
    if (!map_shadow(cow, s)) goto undo_cow;
    cow->pages = byre__cow_pages_new((char *)s->whole, /* NOLINT(performance-no-int-to-ptr) */
                                     cow->image + offset, &s->pieces);
    if (!cow->pages) goto undo_cow;
    byre__cow_live++; /* before the first page is protected */
    if (byre__cow_pages_leave(cow->pages)) goto undo_live;
    cow->next = snapshots;
    snapshots = cow;
    return cow;
undo_live:
    byre__cow_live--;
undo_cow:
    cow_free(cow);
    return NULL;
}

/* *cow_out is NULL with BYRE_OK when the buffer is to be copied. */
static int begin_by_moving(struct survey *s, struct byre__cow **cow_out)
{
    int error = BYRE_ENOMEM;
    sigset_t before;

    *cow_out = NULL;
    enter(&before);
    if (retire_overlapping(s)) {
        error = survey(s);
        if (!error && s->movable) *cow_out = move_away(s);
    }
    leave(&before);
    return error;
}

static void copy_edges(struct byre__cow *cow, const struct survey *s)
{
    size_t head = s->whole - s->start, tail = s->end - s->whole_end;

    memcpy(cow->image, cow->buf, head);
    memcpy(cow->image + cow->bytes - tail, cow->buf + cow->bytes - tail, tail);
    cow->complete = true;
}

static struct byre__cow *begin_by_copying(const struct survey *s)
{
    struct byre__cow *cow = cow_new(s);

    if (!cow) return NULL;
    cow->image = malloc(cow->bytes ? cow->bytes : 1);
    if (!cow->image) {
        cow_free(cow);
        return NULL;
    }
    if (cow->bytes) memcpy(cow->image, cow->buf, cow->bytes);
    return cow;
}

static int begin(struct survey *s, struct byre__cow **cow_out)
{
    *cow_out = share(s);
    if (!*cow_out) {
        int error = begin_by_moving(s, cow_out);
        if (error) return error;
        if (*cow_out) copy_edges(*cow_out, s);
    }
    if (*cow_out) {
        byre__count(cow_sends);
        return BYRE_OK;
    }
    *cow_out = begin_by_copying(s);
    if (!*cow_out) return BYRE_ENOMEM;
    byre__count(cow_copied_sends);
    return BYRE_OK;
}

int byre__cow_begin(const void *buf, size_t bytes, byre__cow_t **cow_out,
                    const void **send_from_out)
{
    uintptr_t start = (uintptr_t)buf;
    struct survey s = { .start = start, .end = start + bytes };
    struct byre__cow *cow;

    if ((!buf && bytes) || s.end < start) return BYRE_EINVAL;
    s.whole = page_ceil(s.start);
    s.whole_end = page_floor(s.end);
    int error = begin(&s, &cow);
    if (error) return error;
    *cow_out = cow;
    *send_from_out = cow->image + (start - (uintptr_t)cow->buf);
    return BYRE_OK;
}

/* ---- end, resolve ------------------------------------------------------------------------------ */

static void unlink_cow(struct byre__cow *cow)
{
    struct byre__cow **at = &snapshots;

    while (*at != cow) at = &(*at)->next;
    *at = cow->next;
    byre__cow_live--;
}

/* False: others read it still, or the kernel does not take its pages back: then it stays, so that the
 * application can go on. */
static bool end_last(struct byre__cow *cow)
{
    if (--cow->refs > 0) return false;
    if (!cow->retired) {
        if (!byre__cow_pages_move_home(cow->pages)) return false;
        byre__cow_pages_retire(cow->pages);
    }
    unlink_cow(cow);
    return true;
}

void byre__cow_end(byre__cow_t *cow)
{
    sigset_t before;

    if (!cow->pages) {
        cow_free(cow);
        return;
    }
    enter(&before);
    bool over = end_last(cow);
    leave(&before);
    if (!over) return;

    bool locked = cow->pages->locked;
    void *app = cow->pages->app;
    size_t bytes = cow->pages->bytes;
    cow_free(cow); /* before locking: the shadow counts towards RLIMIT_MEMLOCK */
    if (locked) (void)mlock(app, bytes);
}

void byre__cow_resolve_slow(const void *buf, size_t bytes)
{
    uintptr_t start = (uintptr_t)buf, end = start + bytes;
    sigset_t before;
    size_t from, to;

    enter(&before);
    for (struct byre__cow *cow = snapshots; cow; cow = cow->next) {
        if (!overlaps(cow, start, end)) continue;
        inside(cow, start, end, &from, &to);
        /* When the kernel refuses, whoever touches the memory is told by the resolver. */
        (void)byre__cow_pages_copy_home(cow->pages, from, to);
    }
    leave(&before);
}
