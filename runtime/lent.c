/* SPDX-License-Identifier: BSD-3-Clause */
#include "lent.h"

byre__lent_fn byre__lent_memory;
