/* SPDX-License-Identifier: BSD-3-Clause */
/* One fault at a time, in an order in which no stride can be seen. The floor sends what the protocol must
 * send, with MPI's own calls, and takes as many faults as the leader does. */
#include "dsm.h"

static void touch_all(const struct dsm *dsm, int n, bool write)
{
    for (int i = 0; i < n; i++) {
        volatile uint64_t *word = dsm_word(dsm, dsm->order[i]);
        if (*word != dsm->stamp) bench_die("shared memory", "a value that was not written last");
        if (write) word[1] = dsm->stamp;
    }
}

/* A write to a page that is not here must not begin with a read. */
static void write_blindly(const struct dsm *dsm, int n)
{
    for (int i = 0; i < n; i++) dsm_word(dsm, dsm->order[i])[1] = dsm->stamp;
}

enum kind { READ_MISS, WRITE_MISS, UPGRADE };

static double fault(struct dsm *dsm, int n, enum kind kind)
{
    dsm->copies = kind == UPGRADE;
    dsm_choose(dsm, n);
    dsm_prepare(dsm, n);
    if (!dsm->crew.leader) return dsm_stand_by(dsm);
    dsm_count_begin(dsm);
    double start = now();
    if (kind == WRITE_MISS)
        write_blindly(dsm, n);
    else
        touch_all(dsm, n, kind == UPGRADE);
    double seconds = now() - start;
    dsm_count_end(dsm);
    dsm_release(dsm);
    return seconds;
}

static double fault_floor(struct dsm *dsm, int n, enum kind kind)
{
    double seconds = floor_requests(dsm, n, kind == UPGRADE ? DSM_REQUEST : dsm->unit);

    dsm_choose(dsm, n);
    if (!dsm->crew.leader) return seconds;
    return seconds + floor_faults(dsm, n, kind != READ_MISS, true);
}

double dsm_read_miss(void *arg, int n)
{
    return fault(arg, n, READ_MISS);
}

double dsm_read_miss_floor(void *arg, int n)
{
    return fault_floor(arg, n, READ_MISS);
}

double dsm_write_miss(void *arg, int n)
{
    return fault(arg, n, WRITE_MISS);
}

double dsm_write_miss_floor(void *arg, int n)
{
    return fault_floor(arg, n, WRITE_MISS);
}

double dsm_upgrade(void *arg, int n)
{
    return fault(arg, n, UPGRADE);
}

double dsm_upgrade_floor(void *arg, int n)
{
    return fault_floor(arg, n, UPGRADE);
}
