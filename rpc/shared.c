/* SPDX-License-Identifier: BSD-3-Clause */
#include "calls.h"
int byre__rpc_shared_make(const byre_rpc_interface_t *interface, uint64_t *address_out) { (void)interface, (void)address_out; return BYRE_ENOTFOUND; }
int byre__rpc_shared_place(const byre_rpc_interface_t *interface, uint64_t address) { (void)interface, (void)address; return BYRE_ENOTFOUND; }
int byre__rpc_shared_start(void) { return BYRE_OK; }
void byre__rpc_shared_stop(void) {}
