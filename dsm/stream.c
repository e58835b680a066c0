/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fetching ahead. A thread that faults at equal distances is a stream, and units ahead of it are asked for
 * in windows, each twice as long as the one before, up to a limit. The first unit of a window is left
 * closed (UNIT_MARK): touching it is the sign to ask for the next window, which then travels while the
 * thread is busy with this one; once windows have their full length, the one behind that too, so that the
 * owner always has something to send. A stream begins late: fetching what nobody needs costs its owner, who
 * must ask for it again to write it.
 *
 *   |u u u u|M w w w|M w w w w w w w|          u: faults that made the stream
 *            ^       ^                         M touched: ask for the window behind the next (or for two)
 */
#include "region.h"

#include <stdlib.h>

enum {
    STREAMS = 4, /* a thread */
    HISTORY = 16,
    BEGIN = 3, /* equal distances */
    FIRST_WINDOW = 4,
    FARTHEST = 4096 /* units: a longer way is no stride */
};
#define WINDOW_BYTES ((size_t)2 << 20)

struct stream {
    uint32_t region; /* 0: none */
    enum dsm_access kind;
    size_t last; /* unit of the latest fault */
    ptrdiff_t stride;
    size_t window;
    size_t mark[2];    /* first units of the latest two windows, the latest last */
    size_t ahead;      /* first unit that was not asked for */
    unsigned long age; /* when it was used last */
};

/* Faults that belonged to no stream. Several that have just begun may be mixed. */
struct fault {
    uint32_t region;
    enum dsm_access kind;
    ptrdiff_t unit;
};

static _Thread_local struct stream streams[STREAMS];
static _Thread_local struct fault history[HISTORY];
static _Thread_local unsigned long now;

static size_t longest_window(const dsm_region_t *region)
{
    return WINDOW_BYTES > region->unit_bytes ? WINDOW_BYTES / region->unit_bytes : 1;
}

/* Windows of full length: two of them are under way. */
static bool is_long(const dsm_region_t *region, const struct stream *s)
{
    return s->window == longest_window(region);
}

static bool advances(const dsm_region_t *region, const struct stream *s, size_t unit)
{
    return unit == s->mark[1] || unit == s->ahead || (unit == s->mark[0] && is_long(region, s));
}

/* Is the unit one between, which has not come yet or was refused? */
static bool is_inside(const struct stream *s, size_t unit)
{
    ptrdiff_t done = (ptrdiff_t)unit - (ptrdiff_t)s->last;
    ptrdiff_t left = (ptrdiff_t)s->ahead - (ptrdiff_t)unit;
    return done % s->stride == 0 && done / s->stride >= 0 && left / s->stride >= 0;
}

static struct stream *find(const dsm_region_t *region, size_t unit, enum dsm_access kind)
{
    struct stream *inside = NULL;
    for (struct stream *s = streams; s < streams + STREAMS; s++) {
        if (s->region != region->id || s->kind != kind) continue;
        if (advances(region, s, unit)) return s; /* though another one may have reached so far */
        if (inside == NULL && is_inside(s, unit)) inside = s;
    }
    return inside;
}

static bool has_faulted(const struct fault *like, ptrdiff_t unit)
{
    for (int i = 0; i < HISTORY; i++)
        if (history[i].unit == unit && history[i].region == like->region &&
            history[i].kind == like->kind)
            return true;
    return false;
}

/* The shortest distance at which there were faults before this one; 0: none. */
static ptrdiff_t learn(const struct fault *fault)
{
    ptrdiff_t best = 0;
    for (int i = 0; i < HISTORY; i++) {
        ptrdiff_t distance = fault->unit - history[i].unit;
        if (history[i].region != fault->region || history[i].kind != fault->kind || distance == 0 ||
            labs(distance) > FARTHEST || (best != 0 && labs(distance) >= labs(best)))
            continue;
        int steps = 2;
        while (steps <= BEGIN && has_faulted(fault, fault->unit - steps * distance)) steps++;
        if (steps > BEGIN) best = distance;
    }
    return best;
}

static bool is_within(const dsm_region_t *region, ptrdiff_t unit)
{
    return unit >= 0 && (size_t)unit < region->units;
}

static bool is_askable(const dsm_unit_t *u, enum dsm_access kind)
{
    return u->wanted == DSM_NONE && u->access < kind;
}

/* Units of the stream from `first` on, at most `count`, that have one home. Beyond begins what is likely
 * to be somebody else's: the next window begins there, if the thread goes on. */
static size_t within_home(const dsm_region_t *region, const struct stream *s, size_t first,
                          size_t count)
{
    if (region->attr.home != BYRE_DSM_HOME_BLOCK) return count;
    int home = byre__dsm_home(region, first);
    size_t n = 1;
    ptrdiff_t at = (ptrdiff_t)first + s->stride;
    for (; n < count && is_within(region, at); n++, at += s->stride)
        if (byre__dsm_home(region, (size_t)at) != home) break;
    return n;
}

/* Wishes for [from, from + count). Neighbours in one message, as far as they have one manager. */
static void wish_run(dsm_region_t *region, size_t from, size_t count, enum dsm_access kind)
{
    size_t end = from + count < region->units ? from + count : region->units;
    for (size_t i = from; i < end;) {
        size_t n = byre__dsm_request(region, i, end - i, kind, true);
        i += n > 0 ? n : 1;
    }
}

static void wish(dsm_region_t *region, struct stream *s)
{
    if (region->attr.home == BYRE_DSM_HOME_BLOCK &&
        byre__dsm_home(region, s->ahead) != byre__dsm_home(region, s->last)) {
        s->mark[0] = s->mark[1] = s->ahead; /* a fault there goes on */
        return;
    }
    size_t most = longest_window(region);
    s->window = s->window == 0 ? FIRST_WINDOW : 2 * s->window;
    if (s->window > most) s->window = most;
    size_t count = within_home(region, s, s->ahead, s->window);
    s->mark[0] = s->mark[1];
    s->mark[1] = s->ahead;
    if (s->ahead < region->units && is_askable(&region->unit[s->ahead], s->kind))
        region->unit[s->ahead].flags |= UNIT_MARK;
    if (s->stride == 1) {
        wish_run(region, s->ahead, count, s->kind);
    } else if (s->stride == -1) {
        size_t from = s->ahead + 1 > count ? s->ahead + 1 - count : 0;
        wish_run(region, from, s->ahead + 1 - from, s->kind);
    } else {
        ptrdiff_t at = (ptrdiff_t)s->ahead;
        for (size_t i = 0; i < count && is_within(region, at); i++, at += s->stride)
            (void)byre__dsm_request(region, (size_t)at, 1, s->kind, true);
    }
    if (labs(s->stride) == 1) byre__dsm_large_ahead(region, s->ahead, s->window, (int)s->stride);
    ptrdiff_t ahead = (ptrdiff_t)s->ahead + s->stride * (ptrdiff_t)count;
    if (is_within(region, ahead))
        s->ahead = (size_t)ahead;
    else
        *s = (struct stream){ 0 }; /* the region ends here */
}

static void begin(dsm_region_t *region, size_t unit, enum dsm_access kind)
{
    struct fault fault = { region->id, kind, (ptrdiff_t)unit };
    ptrdiff_t stride = learn(&fault);
    history[now % HISTORY] = fault;
    if (stride == 0 || !is_within(region, (ptrdiff_t)unit + stride)) return;
    struct stream *oldest = &streams[0];
    for (struct stream *s = streams; s < streams + STREAMS; s++)
        if (s->age < oldest->age) oldest = s;
    *oldest = (struct stream){ .region = region->id,
                               .kind = kind,
                               .last = unit,
                               .stride = stride,
                               .mark = { unit, unit },
                               .ahead = (size_t)((ptrdiff_t)unit + stride),
                               .age = now };
    wish(region, oldest);
}

/* The thread has come to `unit`. The window that begins there is the latest, the one before it, or none. */
static void advance(dsm_region_t *region, struct stream *s, size_t unit)
{
    bool far = unit == s->ahead, latest = far || unit == s->mark[1];
    s->age = now;
    s->last = unit;
    if (far) {
        ptrdiff_t next = (ptrdiff_t)unit + s->stride;
        if (!is_within(region, next)) {
            *s = (struct stream){ 0 };
            return;
        }
        s->ahead = (size_t)next;
    }
    if (latest) wish(region, s);
    if (s->region != 0 && is_long(region, s) && (latest || unit == s->mark[0])) wish(region, s);
}

void byre__dsm_stream(dsm_region_t *region, size_t unit, enum dsm_access need)
{
    now++;
    if (region->unit[unit].wanted == DSM_NONE && region->unit[unit].access < need)
        (void)byre__dsm_request(region, unit, 1, need, false);
    region->unit[unit].flags &= (uint8_t)~UNIT_MARK;
    struct stream *s = find(region, unit, need);
    if (s != NULL)
        advance(region, s, unit);
    else
        begin(region, unit, need);
}
