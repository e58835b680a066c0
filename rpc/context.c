/* SPDX-License-Identifier: BSD-3-Clause */
#include "calls.h"
_Thread_local const byre__rpc_context_hooks_t *byre__rpc_context_hooks;
void byre__rpc_contexts_calling(const byre__rpc_target_t *target) { (void)target; }
void byre__rpc_contexts_closed(const byre__rpc_target_t *target, const unsigned char *serials, unsigned count) { (void)target, (void)serials, (void)count; }
void byre__rpc_contexts_serving(byre__rpc_scope_t *scope) { (void)scope; }
void byre__rpc_contexts_served(byre__rpc_scope_t *scope, bool ok, byre__rpc_bytes_t *bytes) { (void)scope, (void)ok, (void)bytes; }
void byre__rpc_contexts_done(void) {}
void byre__rpc_contexts_server_gone(byre_rpc_server_t server) { (void)server; }
int byre__rpc_contexts_start(void) { return BYRE_OK; }
void byre__rpc_contexts_stop(void) {}
void byre__rpc_contexts_peer_gone(int rank) { (void)rank; }
