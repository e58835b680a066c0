/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lane is a ring of cells and a ring of bytes. A cell is one cache line: a small message moves from
 * core to core as that line alone. What does not fit in it lies in the bytes, in one piece.
 *
 *   cells  | 5 | 6 | 7 | . | . |      `number` says which message a cell holds: message n is there
 *                \   \                when it is n + 1, so nothing need be cleared
 *   bytes  |....|xxxx|xx|......|      `end`: where the message's bytes end, as a running count
 *
 * The sender writes cells and bytes, the receiver says how much of both is free again, in batches:
 * else the line with the counts would travel with each message.
 *
 * Invariants
 *  1. A cell or byte is written by the sender only, between the time when it was freed and the time
 *     when its cell's number is stored (release); the receiver reads it after it has seen the number
 *     (acquire) and before it frees it. So a sender that dies in the middle leaves a message that
 *     was never sent, and no lane but its own is concerned.
 *  2. A sender without room sets `hungry`, then looks once more; a receiver frees, then looks at
 *     `hungry`; each with a full barrier in between: one of the two sees the other.
 *  3. Room is told at the latest when a quarter of the lane is free and not told of. So with an
 *     empty lane the sender knows of three quarters, more than any message needs.
 *  4. What the other side wrote lies within the lane; this is checked.
 */
#include "lane.h"

#include "log.h"

#include <stdatomic.h>
#include <string.h>

enum { CELLS = 128, BYTES = 1 << 18, LINE = 64, SMALL = 32 };

struct cell {
    _Alignas(LINE) _Atomic uint32_t number;
    uint32_t end;
    byre__am_wire_t wire;
    uint64_t unused; /* so that data is aligned as malloc would */
    unsigned char data[SMALL];
};

struct byre__lane {
    _Alignas(LINE) _Atomic uint32_t freed_cells; /* receiver's line */
    _Atomic uint32_t freed_bytes;
    _Alignas(LINE) _Atomic uint32_t hungry; /* the sender's wish, taken back by the receiver */
    struct cell cells[CELLS];
    _Alignas(LINE) unsigned char bytes[BYTES];
};

_Static_assert(sizeof(struct cell) == LINE, "a cell is a cache line");
_Static_assert(BYTES / 4 * 3 >= BYRE_AM_INLINE + BYRE__LANE_BULK + 2 * LINE, "invariant 3");

size_t byre__lane_bytes(void)
{
    return sizeof(struct byre__lane);
}

static uint32_t bounded(int credits)
{
    return credits < CELLS ? (uint32_t)credits : CELLS;
}

void byre__lane_open_out(byre__lane_out_t *out, byre__lane_t *lane, int credits)
{
    *out = (byre__lane_out_t){ .lane = lane, .limit = bounded(credits) };
}

void byre__lane_open_in(byre__lane_in_t *in, byre__lane_t *lane, int credits)
{
    uint32_t quarter = bounded(credits) / 4;
    *in = (byre__lane_in_t){ .lane = lane, .batch = quarter > 0 ? quarter : 1 };
}

static uint32_t lines(size_t bytes)
{
    return (uint32_t)((bytes + LINE - 1) / LINE * LINE);
}

/* Room for the inline payload and the bulk behind it, in the ring of bytes. */
static uint32_t room_needed(size_t bytes, size_t bulk_bytes)
{
    return (bytes > SMALL ? lines(bytes) : 0) + lines(bulk_bytes);
}

/* A piece that does not fit in before the end of the ring begins at its start. */
static uint32_t skip_to_fit(uint32_t at, uint32_t need)
{
    uint32_t offset = at % BYTES;
    return offset + need > BYTES ? BYTES - offset : 0;
}

static bool fits(const byre__lane_out_t *out, uint32_t need)
{
    return out->head - out->freed_cells < out->limit &&
           out->bytes + need - out->freed_bytes <= BYTES;
}

static void look_at_freed(byre__lane_out_t *out)
{
    out->freed_cells = atomic_load_explicit(&out->lane->freed_cells, memory_order_acquire);
    out->freed_bytes = atomic_load_explicit(&out->lane->freed_bytes, memory_order_acquire);
}

/* Invariant 2. */
static bool find_room(byre__lane_out_t *out, uint32_t need)
{
    if (__builtin_expect(fits(out, need), 1)) return true;
    look_at_freed(out);
    if (fits(out, need)) return true;
    atomic_store_explicit(&out->lane->hungry, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    look_at_freed(out);
    return fits(out, need);
}

bool byre__lane_has_room(byre__lane_out_t *out)
{
    return find_room(out, skip_to_fit(out->bytes, BYRE_AM_INLINE) + BYRE_AM_INLINE);
}

bool byre__lane_put(byre__lane_out_t *out, const byre__am_wire_t *wire, const void *data,
                    const void *bulk, size_t bulk_bytes)
{
    struct byre__lane *lane = out->lane;
    uint32_t need = room_needed(wire->bytes, bulk_bytes), skip = 0;
    if (need > 0) skip = skip_to_fit(out->bytes, need);
    if (!find_room(out, skip + need)) return false;
    struct cell *cell = &lane->cells[out->head % CELLS];
    unsigned char *at = lane->bytes + (out->bytes + skip) % BYTES;
    cell->wire = *wire;
    if (wire->bytes > SMALL) {
        memcpy(at, data, wire->bytes);
        at += lines(wire->bytes);
    } else if (wire->bytes > 0) {
        memcpy(cell->data, data, wire->bytes);
    }
    if (bulk_bytes > 0) memcpy(at, bulk, bulk_bytes);
    out->bytes += skip + need;
    cell->end = out->bytes;
    atomic_store_explicit(&cell->number, ++out->head, memory_order_release);
    return true;
}

bool byre__lane_get(const byre__lane_in_t *in, byre__lane_message_t *message_out)
{
    const struct byre__lane *lane = in->lane;
    const struct cell *cell = &lane->cells[in->tail % CELLS];
    if (atomic_load_explicit(&cell->number, memory_order_acquire) != in->tail + 1) return false;
    const byre__am_wire_t *wire = &cell->wire;
    size_t bulk_bytes = byre__bulk_along(wire);
    uint32_t need = room_needed(wire->bytes, bulk_bytes), offset = (cell->end - need) % BYTES;
    BYRE__ASSERT(bulk_bytes <= BYRE__LANE_BULK && offset + need <= BYTES); /* 4 */
    const unsigned char *at = lane->bytes + offset;
    message_out->wire = wire;
    message_out->data = wire->bytes > SMALL ? at : cell->data;
    message_out->bulk = wire->bytes > SMALL ? at + lines(wire->bytes) : at;
    return true;
}

/* Invariants 2 and 3. */
bool byre__lane_drop(byre__lane_in_t *in)
{
    struct byre__lane *lane = in->lane;
    in->bytes = lane->cells[in->tail % CELLS].end;
    in->tail++;
    if (__builtin_expect(
            in->tail - in->told_cells < in->batch && in->bytes - in->told_bytes < BYTES / 4, 1))
        return false;
    in->told_cells = in->tail;
    in->told_bytes = in->bytes;
    atomic_store_explicit(&lane->freed_cells, in->tail, memory_order_release);
    atomic_store_explicit(&lane->freed_bytes, in->bytes, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (__builtin_expect(atomic_load_explicit(&lane->hungry, memory_order_relaxed) == 0, 1))
        return false;
    atomic_store_explicit(&lane->hungry, 0, memory_order_relaxed);
    return true;
}
