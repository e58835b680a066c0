/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests: lose and double messages of calls, which the transport never does. */
#ifndef BYRE__RPC_INJECT_H
#define BYRE__RPC_INJECT_H

#include "ids.h"
#include <stdint.h>

typedef enum byre__rpc_fate { BYRE__RPC_PASS, BYRE__RPC_LOSE, BYRE__RPC_DOUBLE } byre__rpc_fate_t;

/* What becomes of a message of calls (CALL or REPLY); any thread. NULL: they pass. */
extern byre__rpc_fate_t (*byre__rpc_inject)(int rank, int id);
/* After so long a client sends a call again that has no answer; 0: never, since nothing is lost. */
extern uint64_t byre__rpc_resend_ns;

#endif
