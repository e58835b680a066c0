/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports with something special about them: queued receives, kept messages, a pop-up handler. */
#ifndef BYRE__PORT_H
#define BYRE__PORT_H

#include "message.h"

/* Queue a receive: the engine completes it. BYRE_EBUSY, BYRE_ENOMEM. */
int byre__port_enqueue(byre_request_t request);
/* Is a message kept for such a receive (BYRE_OK, BYRE_EAGAIN), or is the port a handler's
 * (BYRE_EBUSY)? Are receives queued? */
int byre__port_state(int number, int from, byre_info_t *info_out, bool *queued_out);
void byre__port_fini(void);

#endif
