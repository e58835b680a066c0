/* SPDX-License-Identifier: BSD-3-Clause */
/* n bodies that attract one another: every body looks at all others, NBODY_STEPS times. A rank moves its
 * own bodies, and needs the places of all. */
#ifndef BYRE_APPS_NBODY_H
#define BYRE_APPS_NBODY_H

#include "apps.h"

#define NBODY_STEPS 20

struct body {
    double x, y, z, mass;
};

struct velocity {
    double x, y, z;
};

struct body nbody_body(size_t i, size_t n);
/* Change the velocities of the bodies of `span` (velocities[0] is that of the first). */
void nbody_accelerate(const struct body *bodies, size_t n, struct span span,
                      struct velocity *velocities);
/* Move `count` bodies. */
void nbody_move(struct body *bodies, const struct velocity *velocities, size_t count);

#endif
