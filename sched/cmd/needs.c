/* SPDX-License-Identifier: BSD-3-Clause */
/* needs.c - the options of run, submit and xargs that say what a job needs. */
#include "share.h"

#include <string.h>

static int take_cpus(const byre__cmd_t *cmd, needs_t *needs, const char *text)
{
    int cpus = byre__cmd_number(text);

    if (cpus < 1) return byre__cmd_misuse(cmd, "--cpus wants a number from 1, not `%s'", text);
    needs->cpus = (uint32_t)cpus;
    return BYRE__CMD_OK;
}

static int take_mem(const byre__cmd_t *cmd, needs_t *needs, const char *text)
{
    needs->mem = text_parse_bytes(text);
    if (needs->mem > 0) return BYRE__CMD_OK;
    return byre__cmd_misuse(cmd, "--mem wants a size as 512M or 2G, not `%s'", text);
}

int needs_take(const byre__cmd_t *cmd, needs_t *needs, int option)
{
    const char *text = optarg;

    switch (option) {
    case ASKED_POOL:
        needs->pool = text;
        return BYRE__CMD_OK;
    case NEEDS_NODE:
        if (strlen(text) >= BYRE__NODE_NAME || text[0] == '\0')
            return byre__cmd_misuse(cmd, "`%s' is no node's name", text);
        needs->node = text;
        return BYRE__CMD_OK;
    case NEEDS_CPUS:
        return take_cpus(cmd, needs, text);
    case NEEDS_MEM:
        return take_mem(cmd, needs, text);
    case NEEDS_AFFINITY:
        needs->affinity = text;
        return BYRE__CMD_OK;
    case NEEDS_RESTARTABLE:
        needs->restartable = true;
        return BYRE__CMD_OK;
    case NEEDS_OWN_TMP:
        needs->own_tmp = true;
        return BYRE__CMD_OK;
    case NEEDS_NAME:
        needs->name = text;
        return BYRE__CMD_OK;
    default:
        return OPTIONS_UNKNOWN;
    }
}

static char *or_nothing(const char *text)
{
    static char nothing[] = "";

    return text != NULL ? (char *)text : nothing;
}

byre__spec_t needs_spec(const needs_t *needs, uint32_t flags, char **argv)
{
    return (byre__spec_t){
        .flags = flags | (needs->restartable ? BYRE__JOB_RESTARTABLE : 0) |
                 (needs->own_tmp ? BYRE__JOB_OWN_TMP : 0),
        .argv = argv,
        .name = or_nothing(needs->name),
        .node = or_nothing(needs->node),
        .affinity = or_nothing(needs->affinity),
        .cpus = needs->cpus ? needs->cpus : 1,
        .mem = needs->mem,
    };
}
