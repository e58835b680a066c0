/* SPDX-License-Identifier: BSD-3-Clause */
/* What the processor says about a fault: the part of fault.c that differs by machine. */
#ifndef BYRE__FAULT_ARCH_H
#define BYRE__FAULT_ARCH_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#if defined __x86_64__

/* Bit 1 of a page fault's error code: the access was a write. */
static inline bool byre__arch_is_write(const ucontext_t *uc)
{
    return (uc->uc_mcontext.gregs[REG_ERR] & 2) != 0;
}

#elif defined __aarch64__

#include <asm/sigcontext.h>

/* The kernel appends records to the context; the one with ESR_MAGIC holds the exception syndrome,
 * whose bit 6 (WnR) tells a data abort by a write. */
static inline bool byre__arch_is_write(const ucontext_t *uc)
{
    const unsigned char *at = (const unsigned char *)uc->uc_mcontext.__reserved;
    const unsigned char *end = at + sizeof uc->uc_mcontext.__reserved;

    while (at + sizeof(struct esr_context) <= end) {
        const struct _aarch64_ctx *head = (const struct _aarch64_ctx *)(const void *)at;
        if (head->magic == ESR_MAGIC)
            return (((const struct esr_context *)(const void *)at)->esr & (1u << 6)) != 0;
        if (head->size == 0) break;
        at += head->size;
    }
    return true;
}

#else

/* Unknown machine: a resolver that prepares for a write is right for a read too, only dearer. */
static inline bool byre__arch_is_write(const ucontext_t *uc)
{
    (void)uc;
    return true;
}

#endif
#endif
