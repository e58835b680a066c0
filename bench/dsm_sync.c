/* SPDX-License-Identifier: BSD-3-Clause */
/* Synchronisation. A barrier takes all ranks, those too that otherwise only wait. A lock has its home at
 * the owner's rank: the leader takes it when it is free, or both want it all the time. */
#include "dsm.h"

/* ---- barrier ----------------------------------------------------------------------------------- */

static byre_dsm_barrier_t barrier_of(byre_dsm_barrier_kind_t kind)
{
    return BYRE_DSM_BARRIER_OF(0, kind, 1);
}

/* The first one brings all to the start. */
double dsm_barriers(byre_dsm_barrier_kind_t kind, int n)
{
    byre_dsm_barrier_t barrier = barrier_of(kind);

    check_byre("byre_dsm_barrier", byre_dsm_barrier(&barrier));
    double start = now();
    for (int i = 0; i < n; i++) check_byre("byre_dsm_barrier", byre_dsm_barrier(&barrier));
    return now() - start;
}

double dsm_raw_barriers(const struct dsm *dsm, int n)
{
    MPI_Barrier(dsm->crew.world);
    double start = now();
    for (int i = 0; i < n; i++) MPI_Barrier(dsm->crew.world);
    return now() - start;
}

double dsm_barrier(void *arg, int n)
{
    struct dsm *dsm = arg;
    dsm_order_barriers(dsm, false, n);
    return dsm_barriers(dsm->figure->barrier, n);
}

double dsm_barrier_floor(void *arg, int n)
{
    struct dsm *dsm = arg;
    dsm_order_barriers(dsm, true, n);
    return dsm_raw_barriers(dsm, n);
}

/* ---- lock -------------------------------------------------------------------------------------- */

static byre_dsm_lock_t lock_of(const struct dsm *dsm)
{
    return BYRE_DSM_LOCK(dsm->crew.last);
}

static void take_and_give(const byre_dsm_lock_t *lock, int n)
{
    for (int i = 0; i < n; i++) {
        check_byre("byre_dsm_lock", byre_dsm_lock(lock));
        check_byre("byre_dsm_unlock", byre_dsm_unlock(lock));
    }
}

double dsm_lock_free(void *arg, int n)
{
    struct dsm *dsm = arg;
    byre_dsm_lock_t lock = lock_of(dsm);

    if (!dsm->crew.leader) return dsm_stand_by(dsm);
    double start = now();
    take_and_give(&lock, n);
    double seconds = now() - start;
    dsm_release(dsm);
    return seconds;
}

double dsm_lock_free_floor(void *arg, int n)
{
    return floor_requests(arg, n, DSM_REQUEST);
}

/* Seconds as if n times in all. */
double dsm_lock_contended(void *arg, int n)
{
    struct dsm *dsm = arg;
    byre_dsm_lock_t lock = lock_of(dsm);
    int each = n / 2 + 1;

    dsm_meet(dsm);
    double start = now();
    take_and_give(&lock, each);
    dsm_meet(dsm);
    return (now() - start) * n / (2 * each);
}

/* A hand-over is one message. */
double dsm_lock_contended_floor(void *arg, int n)
{
    return floor_requests(arg, n, DSM_REQUEST) / 2;
}
