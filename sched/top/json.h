/* SPDX-License-Identifier: BSD-3-Clause */
/* json.h - what is known of the pool as one line of JSON. */
#ifndef BYRE__SCHED_TOP_JSON_H
#define BYRE__SCHED_TOP_JSON_H

#include <stdio.h>

#include "model.h"

void json_write(FILE *out, const model_t *model);

#endif
