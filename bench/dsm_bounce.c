/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ranks that want the same unit. */
#include "dsm.h"

#define TAG 4

static int me(const struct dsm *dsm)
{
    return dsm->crew.leader ? 0 : 1;
}

static void hand_over(const struct dsm *dsm)
{
    check_byre("byre_send", byre_send((byre_addr_t){ dsm->crew.peer, PORT_DATA }, NULL, 0));
}

static void take_over(const struct dsm *dsm)
{
    check_byre("byre_recv", byre_recv(PORT_DATA, dsm->crew.peer, NULL, 0, NULL));
}

void dsm_meet(const struct dsm *dsm)
{
    hand_over(dsm);
    take_over(dsm);
}

/* ---- ping-pong: they take turns -------------------------------------------------------------- */

double dsm_ping_pong(void *arg, int n)
{
    struct dsm *dsm = arg;

    if (dsm->crew.leader) dsm_count_begin(dsm);
    double start = now();
    for (int hop = 0; hop < n; hop++) {
        if (hop % 2 != me(dsm)) {
            take_over(dsm);
            continue;
        }
        dsm_word(dsm, 0)[me(dsm)] = (uint64_t)hop; /* a store: no read before it */
        hand_over(dsm);
    }
    double seconds = now() - start;
    if (dsm->crew.leader) dsm_count_end(dsm);
    return seconds;
}

double dsm_ping_pong_floor(void *arg, int n)
{
    struct dsm *dsm = arg;
    char *buffer = floor_buffer(dsm->unit);
    MPI_Comm world = dsm->crew.world;
    int peer = dsm->crew.peer, unit = (int)dsm->unit;

    double start = now();
    for (int hop = 0; hop < n; hop++) {
        if (hop % 2 == me(dsm)) {
            MPI_Send(buffer, DSM_REQUEST, MPI_BYTE, peer, TAG, world);
            MPI_Recv(buffer, unit, MPI_BYTE, peer, TAG, world, MPI_STATUS_IGNORE);
            MPI_Send(NULL, 0, MPI_BYTE, peer, TAG, world);
        } else {
            MPI_Recv(buffer, DSM_REQUEST, MPI_BYTE, peer, TAG, world, MPI_STATUS_IGNORE);
            MPI_Send(buffer, unit, MPI_BYTE, peer, TAG, world);
            MPI_Recv(NULL, 0, MPI_BYTE, peer, TAG, world, MPI_STATUS_IGNORE);
        }
    }
    double seconds = now() - start;
    return seconds + (dsm->crew.leader ? floor_faults(dsm, n, true, false) : 0);
}

/* ---- false sharing: they write neighbouring words at the same time ----------------------------- */

static void write_mine(volatile uint64_t *words, size_t bytes, int mine)
{
    for (size_t i = (size_t)mine; i < bytes / sizeof *words; i += 2) words[i] = i;
}

double dsm_false_sharing(void *arg, int n)
{
    struct dsm *dsm = arg;

    if (dsm->crew.leader) dsm_count_begin(dsm);
    dsm_meet(dsm);
    double start = now();
    for (int i = 0; i < n; i++) {
        write_mine((uint64_t *)dsm->base, dsm->bytes, me(dsm));
        dsm_meet(dsm);
    }
    double seconds = now() - start;
    if (dsm->crew.leader) dsm_count_end(dsm);
    return seconds;
}

/* Who passes messages packs words of its own, and sends them once. */
double dsm_false_sharing_floor(void *arg, int n)
{
    struct dsm *dsm = arg;
    char *buffer = floor_buffer(2 * dsm->bytes);
    int half = (int)(dsm->bytes / 2);

    double start = now();
    for (int i = 0; i < n; i++) {
        write_mine((uint64_t *)buffer, dsm->bytes, me(dsm));
        MPI_Sendrecv(buffer, half, MPI_BYTE, dsm->crew.peer, TAG, buffer + dsm->bytes, half,
                     MPI_BYTE, dsm->crew.peer, TAG, dsm->crew.world, MPI_STATUS_IGNORE);
    }
    return now() - start;
}
