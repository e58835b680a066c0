/* SPDX-License-Identifier: BSD-3-Clause */
/* draw.h - pictures of small topologies, in characters. */
#ifndef BYRE__DRAW_H
#define BYRE__DRAW_H

#include <stdbool.h>
#include <stdio.h>

#include <byre_topology.h>

/* Is it small enough for a picture of 78 columns and about 40 lines? */
bool byre__draw_fits(const byre_topology_t *topology);

/* Only if it fits. */
void byre__draw(FILE *out, const byre_topology_t *topology);

#endif
