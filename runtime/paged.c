/* SPDX-License-Identifier: BSD-3-Clause */
#include "paged.h"

uintptr_t byre__paged_start, byre__paged_end;
