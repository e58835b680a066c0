/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the manager share: manager.c, manager_queue.c, manager_dynamic.c, manager_gone.c. What others
 * call is in region.h. All under the region's lock. */
#ifndef BYRE__DSM_MANAGER_H
#define BYRE__DSM_MANAGER_H

#include "region.h"

/* What a REQUEST asks of one unit or more. */
typedef struct dsm_request {
    int requester;
    enum dsm_access kind;
    uint8_t hops;
    bool have; /* the requester has a copy to read */
} dsm_request_t;

static inline bool is_owner(const dsm_region_t *region, size_t unit)
{
    return byre__dsm_manager(region, unit) == byre__dsm.rank;
}

/* manager.c */
/* A message about a request, to be sent to whomever it concerns. */
dsm_msg_t byre__dsm_manager_msg(const dsm_region_t *region, size_t first, size_t count,
                                const dsm_request_t *request);
void byre__dsm_manager_refuse(dsm_region_t *region, size_t first, size_t count,
                              const dsm_request_t *request);
/* The unit went down with a dead rank. `answer`: the requester says what it has got of it, by a CONFIRM. */
void byre__dsm_manager_tell_lost(dsm_region_t *region, size_t unit, int requester,
                                 enum dsm_access kind, int dead, bool answer);
/* Serve what waits, until something has to go on waiting. */
void byre__dsm_manager_serve_queue(dsm_region_t *region, size_t unit);

/* manager_queue.c */
void byre__dsm_manager_enqueue(dsm_region_t *region, dsm_unit_t *u, const dsm_request_t *request);
/* There is one. */
dsm_request_t byre__dsm_manager_dequeue(dsm_region_t *region, dsm_unit_t *u);
void byre__dsm_manager_forget(dsm_region_t *region, dsm_unit_t *u, int dead); /* its requests */

/* manager_dynamic.c */
/* A request has come for a unit that somebody else owns. */
void byre__dsm_manager_not_the_owner(dsm_region_t *region, size_t unit,
                                     const dsm_request_t *request);

#endif
