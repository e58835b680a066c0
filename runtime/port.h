/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports with something special about them: queued receives, kept messages, a pop-up handler. */
#ifndef BYRE__PORT_H
#define BYRE__PORT_H

#include "message.h"
#include "popup.h"

/* A message that was taken out of MPI and fits nobody yet. */
struct byre__kept {
    struct byre__kept *next;
    int source;
    size_t bytes;
    void *stage;          /* it lies here, or */
    byre__tmsg_t message; /* MPI has it, matched */
};

struct byre__port {
    struct byre__port *next; /* in its hash bucket */
    int number;
    struct byre_request *queue, **queue_end; /* receives, in the order in which they began */
    struct byre__kept *kept, **kept_end;
    byre_popup_fn popup;
    void *popup_arg;
    bool popup_ending; /* byre_port_popup waits for `running` to become 0 */
    int running;       /* pop-up handlers that run or are to run */
};

/* A receive whose message has been matched. */
struct byre__taking {
    struct byre__taking *next;
    byre__treq_t treq;
    byre_request_t request;      /* of a queued receive, or */
    struct byre__popup_msg *msg; /* of a pop-up port */
};

/* Queue a receive: the engine completes it. BYRE_EBUSY, BYRE_ENOMEM. */
int byre__port_enqueue(byre_request_t request);
/* Is a message kept for such a receive (BYRE_OK, BYRE_EAGAIN), or is the port a handler's
 * (BYRE_EBUSY)? Are receives queued? */
int byre__port_state(int number, int from, byre_info_t *info_out, bool *queued_out);
void byre__port_fini(void);

#endif
