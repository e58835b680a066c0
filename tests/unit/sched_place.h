/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of placing share: a machine that hwloc makes up. */
#ifndef SCHED_PLACE_TEST_H
#define SCHED_PLACE_TEST_H

#include "sched/place/place.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hwloc_topology_t topology; /* the caller destroys it */

static inline void build(const char *synthetic)
{
    ck_assert_int_eq(hwloc_topology_init(&topology), 0);
    ck_assert_int_eq(hwloc_topology_set_synthetic(topology, synthetic), 0);
    ck_assert_int_eq(hwloc_topology_load(topology), 0);
}

#endif
