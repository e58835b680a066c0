/* SPDX-License-Identifier: BSD-3-Clause */
/* topology_spec.c - reads "grid:4x8", "hypercube:2^10".
 *
 * Interface: byre_topology_parse. The text comes from people and scripts: whatever it is, the answer is a
 * topology or one sentence that says what to write instead.
 */
#include "runtime/topology.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <byre_errors.h>

enum { MAX_EXTENTS = 3 };

typedef struct {
    const char *at; /* next character */
    char *why;      /* room for the complaint, may be null */
    size_t why_bytes;
} reader_t;

static int complain(reader_t *r, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int complain(reader_t *r, int error, const char *format, ...)
{
    va_list args;

    if (r->why && r->why_bytes > 0) {
        va_start(args, format);
        vsnprintf(r->why, r->why_bytes, format, args);
        va_end(args);
    }
    return error;
}

static int too_big(reader_t *r)
{
    return complain(r, BYRE_ERANGE, "too many nodes: the most is 2^30 = %d",
                    BYRE_TOPOLOGY_MAX_NODES);
}

/* Unsigned decimal number; not locale-dependent, no sign, no space. */
static int read_number(reader_t *r, int *number_out)
{
    int64_t number = 0;

    if (*r->at == '\0') {
        return complain(r, BYRE_EINVAL, "a number is missing at the end");
    }
    if (*r->at < '0' || *r->at > '9') {
        return complain(r, BYRE_EINVAL, "a number is expected where there is '%.8s'", r->at);
    }
    for (; *r->at >= '0' && *r->at <= '9'; r->at++) {
        number = number * 10 + (*r->at - '0');
        if (number > BYRE_TOPOLOGY_MAX_NODES) {
            return too_big(r);
        }
    }
    if (number == 0) {
        return complain(r, BYRE_EINVAL, "an extent of 0: the least is 1");
    }
    *number_out = (int)number;
    return 0;
}

/* NUMBER, or NUMBER^NUMBER. */
static int read_extent(reader_t *r, int *extent_out)
{
    int base = 0, exponent = 0, status = read_number(r, &base);
    int64_t power = 1;

    if (status < 0 || *r->at != '^') {
        *extent_out = status < 0 ? 0 : base;
        return status;
    }
    r->at++;
    status = read_number(r, &exponent);
    if (status < 0) {
        return status;
    }
    /* A base of 1 would count to 2^30 for nothing. */
    for (int i = 0; i < exponent && base > 1; i++) {
        power *= base;
        if (power > BYRE_TOPOLOGY_MAX_NODES) {
            return too_big(r);
        }
    }
    *extent_out = (int)power;
    return 0;
}

/* EXTENT, or EXTENTxEXTENT, or EXTENTxEXTENTxEXTENT, to the end of the text. */
static int read_extents(reader_t *r, int *extents, int *count_out)
{
    int count = 0, status;

    for (;;) {
        if (count == MAX_EXTENTS) {
            return complain(r, BYRE_EINVAL,
                            "more than three extents: a cube has three, as in cube:2x3x4");
        }
        status = read_extent(r, &extents[count++]);
        if (status < 0) {
            return status;
        }
        if (*r->at == '\0') {
            *count_out = count;
            return 0;
        }
        if (*r->at != 'x') {
            return complain(r, BYRE_EINVAL,
                            "'%.8s' after the number: extents are joined by x, as in 4x8", r->at);
        }
        r->at++;
    }
}

static int read_kind(reader_t *r, byre_topology_kind_t *kind_out)
{
    size_t length = strcspn(r->at, ":");

    for (byre_topology_kind_t kind = 0; byre_topology_kind_name(kind); kind++) {
        const char *name = byre_topology_kind_name(kind);

        if (strlen(name) == length && memcmp(name, r->at, length) == 0) {
            r->at += length;
            *kind_out = kind;
            return 0;
        }
    }
    return complain(r, BYRE_EINVAL,
                    "'%.*s' is no topology: star, ring, grid, torus, cube, hypercube, full are",
                    (int)(length < 24 ? length : 24), r->at);
}

/* The k with k^power = n, or 0. */
static int exact_root(int n, int power)
{
    for (int64_t k = 1;; k++) {
        int64_t value = power == 2 ? k * k : k * k * k;

        if (value >= n) {
            return value == n ? (int)k : 0;
        }
    }
}

/* A single number for a grid, torus or cube stands for the equal-sided one of that many nodes. */
static int make_sides(reader_t *r, byre_topology_kind_t kind, int *extents, int *count)
{
    int wanted = byre__topology_extents_of(kind);
    const char *name = byre_topology_kind_name(kind);

    if (*count == 1 && wanted > 1) {
        int side = exact_root(extents[0], wanted);

        if (side == 0) {
            return complain(r, BYRE_EINVAL,
                            "%d nodes make no %s with equal sides: give its sides, as in %s",
                            extents[0], name, wanted == 2 ? "4x8" : "2x3x4");
        }
        for (int i = 0; i < wanted; i++) {
            extents[i] = side;
        }
        *count = wanted;
    }
    if (*count != wanted) {
        return complain(r, BYRE_EINVAL, "a %s has %d extent%s, not %d, as in %s", name, wanted,
                        wanted > 1 ? "s" : "", *count,
                        wanted == 1   ? "8"
                        : wanted == 2 ? "4x8"
                                      : "2x3x4");
    }
    return 0;
}

static int check_hypercube(reader_t *r, byre_topology_kind_t kind, int nodes)
{
    int below = 1;

    if (kind != BYRE_TOPOLOGY_HYPERCUBE || (nodes & (nodes - 1)) == 0) {
        return 0;
    }
    while (below * 2 < nodes) {
        below *= 2;
    }
    if (nodes <= BYRE_TOPOLOGY_MAX_DIMENSIONS) {
        return complain(r, BYRE_EINVAL,
                        "a hypercube has 2^d nodes: %d or %d, not %d; if that is d, write 2^%d",
                        below, below * 2, nodes, nodes);
    }
    return complain(r, BYRE_EINVAL, "a hypercube has 2^d nodes: %d or %d, not %d", below, below * 2,
                    nodes);
}

int byre_topology_parse(const char *spec, byre_topology_t **topology_out, char *why_out,
                        size_t why_bytes)
{
    reader_t r = { .at = spec, .why = why_out, .why_bytes = why_bytes };
    byre_topology_kind_t kind = BYRE_TOPOLOGY_STAR;
    int extents[MAX_EXTENTS], count = 0, status;

    complain(&r, 0, "%s", "");
    if (!spec || !topology_out) {
        return complain(&r, BYRE_EINVAL, "no text, or nowhere to put the topology");
    }
    status = read_kind(&r, &kind);
    if (status < 0) {
        return status;
    }
    if (*r.at++ != ':') {
        return complain(&r, BYRE_EINVAL, "the size is missing, as in %s:8", spec);
    }
    status = read_extents(&r, extents, &count);
    if (status == 0) {
        status = make_sides(&r, kind, extents, &count);
    }
    if (status == 0) {
        status = check_hypercube(&r, kind, extents[0]);
    }
    if (status < 0) {
        return status;
    }
    status = byre_topology_create(kind, extents, count, topology_out);
    if (status == BYRE_ERANGE) {
        return too_big(&r);
    }
    return status == 0 ? 0 : complain(&r, status, "out of memory");
}
