/* SPDX-License-Identifier: BSD-3-Clause */
/* Signs of life below MPI. Described in lifesign.c. */
#ifndef BYRE__LIFESIGN_H
#define BYRE__LIFESIGN_H

#include <stdbool.h>
#include <stdint.h>

/* Has a TCP socket of this process received something from that node in the last `ms`? Slow (it asks
 * the kernel for every descriptor): for the moment before a verdict. */
bool byre__lifesign_within(int node, uint32_t ms);

#endif
