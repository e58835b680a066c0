/* SPDX-License-Identifier: BSD-3-Clause */
/* The fuzzer of frames, for some rounds: see there. */
#include "../fuzz/sched_frame.c" /* NOLINT(bugprone-suspicious-include) */
