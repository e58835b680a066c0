/* SPDX-License-Identifier: BSD-3-Clause */
/* The fuzzer of unmarshalling, for some rounds: see there. */
#include "../fuzz/rpc_unmarshal.c" /* NOLINT(bugprone-suspicious-include) */
