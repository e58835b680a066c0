/* SPDX-License-Identifier: BSD-3-Clause */
/* host.h - the policy's world. Described in host.c. */
#ifndef BYRED_HOST_H
#define BYRED_HOST_H

#include "sched/daemon/jobs.h"
#include "sched/daemon/peer.h"

bool host_open(void);
void host_arrive(job_t *job); /* the policy decides, now or later */
void host_departed(void);     /* WORK_DEPARTED */
void host_received(int from); /* noted; the policy hears of it at the top */
void host_member_gone(int rank);
void host_ready(void);
void host_probe(const peer_frame_t *frame);
void host_answer(const peer_frame_t *frame);
void host_release(int rank);
void host_claim_used(int rank);
uint32_t host_claimed_slots(void); /* free processors that are kept for somebody */
uint32_t host_deciding(void);
double host_due(void);
void host_tick(void);
int host_load(void);

#endif
