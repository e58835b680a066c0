/* SPDX-License-Identifier: BSD-3-Clause */
/* dsm: what the files of this subject share.
 *
 *   dsm.c         the table of figures, and how one is run
 *   dsm_array.c   the shared array: who makes it, who had it last, what its coherence took
 *   dsm_floor.c   what a fault costs at least: raw messages, one SIGSEGV, two changes of protection
 *   dsm_fault.c   one fault at a time: read_miss, write_miss, upgrade
 *   dsm_bounce.c  two ranks that want the same: ping_pong, false_sharing
 *   dsm_stream.c  many pages in a row: seq_read, seq_write, random
 *   dsm_sync.c    barrier, lock
 *
 * Two ranks take part: the leader touches memory that the other one, the *owner*, has written. All
 * other ranks sit in byre_recv and obey orders (a region is made by all ranks, a copy is read by
 * them). Whatever brings the array into its state is done before the clock starts. */
#ifndef BYRE_BENCH_DSM_H
#define BYRE_BENCH_DSM_H

#include "bench.h"
#include <stdint.h>

enum over { OVER_NOTHING, OVER_READERS, OVER_UNITS, OVER_BYTES, OVER_RANKS };

struct dsm;

struct dsm_figure {
    const char *bench, *variant;
    batch_fn floor, byre;
    const char *floor_name;
    enum over over; /* what its rows differ in */
    bool computing; /* the owner computes instead of waiting */
    bool third;     /* a third rank is the home, so a request takes one message more */
    bool rate;      /* in MB/s */
    byre_dsm_barrier_kind_t barrier;
};

/* What the protocol did while the clock ran, all ranks together. */
struct dsm_tally {
    double faults, messages, bytes;
};

struct dsm {
    const struct dsm_figure *figure;
    struct crew crew;
    int home;
    char *base; /* the region */
    size_t bytes, unit, page;
    size_t *order;  /* units, chosen anew for each batch */
    unsigned seed;  /* of dsm_choose: the same on both members */
    uint64_t stamp; /* what the owner wrote last */
    int readers;    /* ranks that get a copy to read besides the leader */
    bool copies;    /* the leader has a copy to read before the clock starts */
    unsigned stops_seen;
    struct dsm_tally tally, before;
};

enum { DSM_UNITS = 1024 };   /* of the array of one fault at a time */
enum { DSM_REQUEST = 64 };   /* bytes of a raw request */
enum { DSM_UNIT_PAGES = 8 }; /* of the longest unit measured */

static inline volatile uint64_t *dsm_word(const struct dsm *dsm, size_t unit)
{
    return (volatile uint64_t *)(dsm->base + unit * dsm->unit);
}

/* ---- dsm_array.c ----------------------------------------------------------------------------- */

/* All ranks, before anything and after everything. longest: bytes of the longest array. */
void dsm_open(struct dsm *dsm, size_t longest);
void dsm_close(struct dsm *dsm);
/* Not a member: obey the leader until dsm_close. */
void dsm_idle(struct dsm *dsm);

/* Members: make the array, forget it. */
void dsm_make(struct dsm *dsm, size_t bytes, unsigned unit_pages);
void dsm_drop(struct dsm *dsm);

/* Members: choose `count` units in an order without strides, the same on both: dsm->order. */
void dsm_choose(struct dsm *dsm, int count);
/* Members: the owner writes the first word of `count` chosen units (0: of all pages), the readers read
 * all, and so does the leader if it is to have copies. Returns when that is so. */
void dsm_prepare(struct dsm *dsm, int count);

/* The owner waits, or computes, until the leader releases it. */
double dsm_stand_by(struct dsm *dsm);
void dsm_release(struct dsm *dsm);

/* Both come here before either goes on. */
void dsm_meet(const struct dsm *dsm);

/* Leader: what happens between these two is counted. */
void dsm_count_begin(struct dsm *dsm);
void dsm_count_end(struct dsm *dsm);

/* Leader: readers answer n raw requests of the owner. */
void dsm_order_raw(const struct dsm *dsm, int n);
/* Leader: those who do not take part come to n barriers. The owner may call it too. */
void dsm_order_barriers(const struct dsm *dsm, bool raw, int n);

/* ---- dsm_floor.c ----------------------------------------------------------------------------- */

void floor_open(const struct dsm *dsm);
void floor_close(void);
char *floor_buffer(size_t bytes); /* warm, at least so long */

/* Members: n requests of 64 bytes, each answered with `reply` bytes by the owner, who also tells the
 * readers; these answer too. The leader's return is the time in seconds. */
double floor_requests(struct dsm *dsm, int n, size_t reply);
void floor_reader(const struct dsm *dsm, int n); /* a reader's part */
/* n faults, each resolved by opening the unit, and closing it afterwards. distinct: n units, in the order
 * of dsm_choose; else always the same. Seconds. */
double floor_faults(const struct dsm *dsm, int n, bool write, bool distinct);

/* ---- dsm_sync.c -------------------------------------------------------------------------------- */

/* Everybody's part of n barriers; seconds. */
double dsm_barriers(byre_dsm_barrier_kind_t kind, int n);
double dsm_raw_barriers(const struct dsm *dsm, int n);

/* ---- figures ----------------------------------------------------------------------------------- */

double dsm_read_miss(void *arg, int n), dsm_read_miss_floor(void *arg, int n);
double dsm_write_miss(void *arg, int n), dsm_write_miss_floor(void *arg, int n);
double dsm_upgrade(void *arg, int n), dsm_upgrade_floor(void *arg, int n);
double dsm_ping_pong(void *arg, int n), dsm_ping_pong_floor(void *arg, int n);
double dsm_false_sharing(void *arg, int n), dsm_false_sharing_floor(void *arg, int n);
double dsm_read_first(void *arg, int n), dsm_read_later(void *arg, int n);
double dsm_read_sum(void *arg, int n), dsm_read_floor(void *arg, int n);
double dsm_read_sum_floor(void *arg, int n), dsm_read_fresh_floor(void *arg, int n);
double dsm_write_first(void *arg, int n), dsm_write_later(void *arg, int n);
double dsm_write_fill(void *arg, int n), dsm_write_floor(void *arg, int n);
double dsm_write_fill_floor(void *arg, int n);
double dsm_barrier(void *arg, int n), dsm_barrier_floor(void *arg, int n);
double dsm_lock_free(void *arg, int n), dsm_lock_free_floor(void *arg, int n);
double dsm_lock_contended(void *arg, int n), dsm_lock_contended_floor(void *arg, int n);
double dsm_random(void *arg, int n), dsm_random_floor(void *arg, int n);

#endif
