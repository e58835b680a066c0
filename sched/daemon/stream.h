/* SPDX-License-Identifier: BSD-3-Clause */
/* stream.h - input, output, windows and signals of attached jobs. Described in stream.c. */
#ifndef BYRED_STREAM_H
#define BYRED_STREAM_H

#include "sched/daemon/jobs.h"
#include "sched/daemon/peer.h"

/* From the client, or (from another daemon) from the home: STDIN, STDIN_END, WINDOW, RESIZE. */
void stream_ask(client_t *client, uint16_t type, byre__unpack_t *payload);
void stream_wire(const peer_frame_t *frame);
void stream_begun(job_t *job); /* it can take what has waited */
void stream_output(job_t *job, uint8_t stream, const void *data,
                   size_t bytes); /* from the keeper */
void stream_room(job_t *job, uint32_t bytes);
void stream_say(job_t *job, const char *line); /* a line of ours on the client's stderr */
void stream_orphan(job_t *job); /* nobody reads any more: what it writes is thrown away */

#endif
