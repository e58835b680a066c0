/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole pages of a snapshot (cow.h), in chunks.
 *
 *            pages_leave              a fault or copy_home: write_home
 *   (HOME) ----BUSY----> AWAY ----------------BUSY------------------> HOME
 *                         |                                            ^
 *                         +----- move_home: mremap back, BUSY ---------+
 *
 *   AWAY  the bytes are in the shadow only; the application's pages are empty and PROT_NONE
 *   BUSY  one thread is changing the mapping; everybody else who needs the chunk waits
 *   HOME  ordinary memory again, for good
 *
 * Invariants
 *  C1  No thread ever sees an empty page: the application's pages are made inaccessible before they
 *      are emptied and accessible after they are filled. Filling an inaccessible page is what
 *      /proc/self/mem is for (debuggers do it); where the kernel forbids that, a filled page is moved
 *      in, which is one step for everybody else too but leaves a mapping that never merges again.
 *  C2  The shadow's bytes do not change while the snapshot lives. Copies go home, the originals stay:
 *      they may be under the hands of a network card.
 *  C3  A chunk is BUSY only for the length of a few system calls, and its owner waits for nobody
 *      meanwhile. Signals are blocked: in the handler by the dispatcher, elsewhere by cow.c. So
 *      waiting for a BUSY chunk by yielding always ends, also when the waiting thread was interrupted
 *      inside MPI or Byre and holds their locks: the owner needs none of them.
 *  C4  The resolver takes no lock and calls the kernel only, past all library hooks (rawsys.h): it is
 *      safe wherever an access can fault.
 *  C5  Once HOME, a chunk stays HOME and accessible as far as we are concerned. So a thread that is
 *      told so twice in a row for one address was not stopped by us: the fault is the
 *      application's own.
 *  C6  Everything that splits a mapping can fail (vm.max_map_count). Bringing a snapshot home as a
 *      whole splits none: its ends were split when it left. That is the way out, by one thread at a
 *      time, which alone may wait for BUSY chunks while it owns some: their owners own only those.
 *  C7  Both ranges stay mapped as long as the snapshot lives, whichever way pages move. A gap would
 *      take in a mapping of another thread, and the end of the snapshot would unmap it.
 *
 * After fork the child has a snapshot of its own, the same way; /proc/self is the child's. It never
 * ends there: the shadow stays until exec or exit. A chunk that was BUSY at the moment of the fork
 * stays BUSY in the child: its access there hangs.
 */
#include "cow_pages.h"

#include "counters.h"
#include "fault.h"
#include "log.h"
#include "rawsys.h"

#include <byre_errors.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { HOME, BUSY, AWAY };

bool byre__cow_no_proc_mem;

/* ---- chunks ------------------------------------------------------------------------------------ */

static size_t chunk_start(const byre__cow_pages_t *p, size_t chunk)
{
    return chunk < p->chunks ? chunk * p->chunk_bytes : p->bytes;
}

static size_t chunk_behind(const byre__cow_pages_t *p, size_t offset)
{
    return (offset + p->chunk_bytes - 1) / p->chunk_bytes;
}

static void set_states(byre__cow_pages_t *p, size_t first, size_t behind, unsigned char state)
{
    for (size_t i = first; i < behind; i++) atomic_store(&p->state[i], state);
}

static bool claim(byre__cow_pages_t *p, size_t chunk)
{
    unsigned char expected = AWAY;

    return atomic_compare_exchange_strong(&p->state[chunk], &expected, BUSY);
}

/* Claims the run of chunks from `first` that are away; returns the end of it. */
static size_t claim_run(byre__cow_pages_t *p, size_t first, size_t behind)
{
    size_t i = first;

    while (i < behind && claim(p, i)) i++;
    return i;
}

/* Waits until nobody works on the chunk. */
static unsigned char settled(const byre__cow_pages_t *p, size_t chunk)
{
    unsigned char state;

    for (unsigned turn = 0; (state = atomic_load(&p->state[chunk])) == BUSY; turn++)
        byre__raw_pause(turn);
    return state;
}

static bool all_home(const byre__cow_pages_t *p, size_t first, size_t behind)
{
    for (size_t i = first; i < behind; i++)
        if (settled(p, i) != HOME) return false;
    return true;
}

bool byre__cow_pages_away(const byre__cow_pages_t *p, size_t from, size_t to)
{
    for (size_t i = from / p->chunk_bytes; i < chunk_behind(p, to); i++)
        if (atomic_load(&p->state[i]) != AWAY) return false;
    return true;
}

/* Mappings end where chunks do: pages that two mappings share there are none. */
static size_t choose_chunk(const byre__cow_pieces_t *pieces)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (unsigned i = 0; i + 1 < pieces->count; i++)
        if (pieces->end[i] % (page * BYRE__COW_CHUNK_PAGES) != 0) return page;
    return page * BYRE__COW_CHUNK_PAGES;
}

byre__cow_pages_t *byre__cow_pages_new(char *app, char *shadow, const byre__cow_pieces_t *pieces)
{
    static _Atomic uint64_t serials;
    size_t bytes = pieces->end[pieces->count - 1], chunk_bytes = choose_chunk(pieces);
    size_t chunks = (bytes + chunk_bytes - 1) / chunk_bytes;
    byre__cow_pages_t *p = calloc(1, sizeof *p + chunks * sizeof p->state[0]);

    if (!p) return NULL;
    p->app = app;
    p->shadow = shadow;
    p->bytes = bytes;
    p->chunk_bytes = chunk_bytes;
    p->chunks = chunks;
    p->serial = atomic_fetch_add(&serials, 1u) + 1;
    p->pieces = *pieces;
    return p;
}

/* ---- coming home by copying, also in the signal handler ---------------------------------------- */

/* Writes through the protection, C1. */
static bool poke_home(byre__cow_pages_t *p, size_t from, size_t to)
{
    int memory = byre__cow_no_proc_mem ? -1 : byre__raw_open("/proc/self/mem", O_WRONLY);
    size_t at = from;

    if (memory < 0) return false;
    while (at < to) {
        long put = syscall(SYS_pwrite64, memory, p->shadow + at, to - at, (uintptr_t)(p->app + at));
        if (put <= 0) break;
        at += (size_t)put;
    }
    byre__raw_close(memory);
    return at == to;
}

/* Fill the pages of app[from, to) and open them. The caller owns the chunks. */
static bool fill(byre__cow_pages_t *p, size_t from, size_t to)
{
    size_t bytes = to - from;

    if (poke_home(p, from, to))
        return byre__raw_mprotect(p->app + from, bytes, PROT_READ | PROT_WRITE);
    void *copy = byre__raw_map(bytes);
    if (!copy) return false;
    memcpy(copy, p->shadow + from, bytes);
    if (byre__raw_move(copy, bytes, p->app + from)) return true;
    byre__raw_unmap(copy, bytes);
    return false;
}

static bool fill_chunks(byre__cow_pages_t *p, size_t first, size_t behind)
{
    bool filled = fill(p, chunk_start(p, first), chunk_start(p, behind));

    set_states(p, first, behind, filled ? HOME : AWAY);
    return filled;
}

/* C6. All that is not home becomes ours. */
static void claim_rest(byre__cow_pages_t *p)
{
    for (size_t i = 0; i < p->chunks; i++)
        while (settled(p, i) == AWAY && !claim(p, i))
            ;
}

/* C6. After claim_rest what is not HOME is ours. */
static bool fill_claimed(byre__cow_pages_t *p)
{
    size_t behind;

    for (size_t i = 0; i < p->chunks; i = behind) {
        behind = i + 1;
        if (atomic_load(&p->state[i]) == HOME) continue;
        while (behind < p->chunks && atomic_load(&p->state[behind]) == BUSY) behind++;
        if (!poke_home(p, chunk_start(p, i), chunk_start(p, behind))) return false;
    }
    return byre__raw_mprotect(p->app, p->bytes, PROT_READ | PROT_WRITE);
}

/* C6. The last resort for chunks [first, behind): bring everything home at once. */
static bool fill_all(byre__cow_pages_t *p, size_t first, size_t behind)
{
    if (atomic_exchange(&p->wholesale, true)) {
        for (unsigned turn = 0; atomic_load(&p->wholesale); turn++) byre__raw_pause(turn);
        return all_home(p, first, behind);
    }
    claim_rest(p);
    bool filled = fill_claimed(p);
    for (size_t i = 0; i < p->chunks; i++)
        if (atomic_load(&p->state[i]) == BUSY) atomic_store(&p->state[i], filled ? HOME : AWAY);
    atomic_store(&p->wholesale, false);
    return filled;
}

bool byre__cow_pages_copy_home(byre__cow_pages_t *p, size_t from, size_t to)
{
    size_t first = from / p->chunk_bytes, behind = chunk_behind(p, to);

    for (size_t i = first, end; i < behind; i = end) {
        end = claim_run(p, i, behind);
        if (end == i) {
            if (settled(p, i) == HOME) end++;
        } else if (!fill_chunks(p, i, end)) {
            return fill_all(p, first, behind);
        }
    }
    return true;
}

/* C5 */
static bool told_before(const byre__cow_pages_t *p, uintptr_t addr)
{
    static _Thread_local struct {
        uint64_t serial;
        uintptr_t addr;
    } told __attribute__((tls_model("initial-exec")));

    if (told.serial == p->serial && told.addr == addr) return true;
    told.serial = p->serial;
    told.addr = addr;
    return false;
}

static void complain(void)
{
    static const char text[] =
        "byre: a copy-on-write send: no room to give a page back to the program that touches it. "
        "Either memory is exhausted or the process has more mappings than vm.max_map_count "
        "allows: raise it (sysctl -w vm.max_map_count=262144), or use byre_isend_copy\n";

    byre__raw_complain(text, sizeof text - 1);
}

/* In the signal handler: C3, C4. */
static bool resolve_fault(const byre__fault_t *fault, void *arg)
{
    byre__cow_pages_t *p = arg;
    size_t offset = fault->addr - (uintptr_t)p->app;
    unsigned char state = atomic_load(&p->state[offset / p->chunk_bytes]);

    if (state == HOME) return !told_before(p, fault->addr);
    if (state == AWAY) byre__count(cow_faults);
    if (byre__cow_pages_copy_home(p, offset, offset + 1)) return true;
    complain();
    return false;
}

/* ---- leaving, and coming home by moving --------------------------------------------------------- */

/* The addresses that the pages leave stay mapped (C7). By the library's mremap, not ours: Open MPI's
 * hook in it makes network drivers forget what they know of the pages' addresses. */
static bool move_pages(char *from, size_t bytes, char *to)
{
    return mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) ==
           (void *)to;
}

static size_t piece_start(const byre__cow_pages_t *p, unsigned piece)
{
    return piece == 0 ? 0 : p->pieces.end[piece - 1];
}

/* Undo: the first `pieces` mappings are in the shadow, inaccessible. */
static void take_back(byre__cow_pages_t *p, unsigned pieces)
{
    for (unsigned i = 0; i < pieces; i++) {
        size_t from = piece_start(p, i), to = p->pieces.end[i];
        if (move_pages(p->shadow + from, to - from, p->app + from)) continue;
        BYRE__ASSERT(byre__raw_mprotect(p->shadow + from, to - from, PROT_READ));
        BYRE__ASSERT(poke_home(p, from, to));
    }
    BYRE__ASSERT(byre__raw_mprotect(p->app, p->bytes, PROT_READ | PROT_WRITE));
}

static bool give_away(byre__cow_pages_t *p)
{
    unsigned gone = 0;

    /* May have changed a part before it failed. */
    bool closed = byre__raw_mprotect(p->app, p->bytes, PROT_NONE);
    while (closed && gone < p->pieces.count) {
        size_t from = piece_start(p, gone);
        if (!move_pages(p->app + from, p->pieces.end[gone] - from, p->shadow + from)) break;
        gone++;
    }
    if (gone == p->pieces.count && byre__raw_mprotect(p->shadow, p->bytes, PROT_READ | PROT_WRITE))
        return true;
    take_back(p, gone);
    return false;
}

/* The kernel refuses this advice for locked memory: the cheapest way to ask. */
static bool is_locked(char *page)
{
    return madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_COLD) && errno == EINVAL;
}

int byre__cow_pages_leave(byre__cow_pages_t *p)
{
    set_states(p, 0, p->chunks, BUSY); /* whoever faults meanwhile waits: C1, C3 */
    int error = byre__fault_register(p->app, p->bytes, resolve_fault, p);
    if (error) return error;
    bool gone = give_away(p);
    p->locked = gone && is_locked(p->shadow);
    set_states(p, 0, p->chunks, gone ? AWAY : HOME);
    if (gone) return BYRE_OK;
    byre__cow_pages_retire(p);
    return BYRE_ENOMEM;
}

/* Moving a run home leaves seams to its neighbours if these came home as copies and the kernel does
 * not see that they belong together. A bound on the runs bounds the seams. */
static bool many_runs(const byre__cow_pages_t *p)
{
    enum { MOST_RUNS = 64 };
    unsigned runs = 0;
    unsigned char before = HOME;

    for (size_t i = 0; i < p->chunks; i++) {
        unsigned char state = atomic_load(&p->state[i]);
        if (state != HOME && before == HOME) runs++;
        before = state;
    }
    return runs > MOST_RUNS;
}

static void move_runs_home(byre__cow_pages_t *p, size_t first, size_t behind)
{
    for (size_t i = first, end; i < behind; i = end) {
        end = claim_run(p, i, behind);
        if (end == i) {
            end++;
            continue;
        }
        size_t from = chunk_start(p, i), to = chunk_start(p, end);
        bool moved = move_pages(p->shadow + from, to - from, p->app + from);
        set_states(p, i, end, moved ? HOME : AWAY);
    }
}

bool byre__cow_pages_move_home(byre__cow_pages_t *p)
{
    if (!many_runs(p))
        for (unsigned i = 0; i < p->pieces.count; i++)
            move_runs_home(p, piece_start(p, i) / p->chunk_bytes,
                           chunk_behind(p, p->pieces.end[i]));
    return byre__cow_pages_copy_home(p, 0, p->bytes); /* what could not be moved */
}

void byre__cow_pages_retire(byre__cow_pages_t *p)
{
    BYRE__ASSERT(byre__fault_unregister(p->app) == BYRE_OK);
}
