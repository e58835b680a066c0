/* SPDX-License-Identifier: BSD-3-Clause */
/* job.c - ids, ends and rows of jobs; see job.h. Contexts and specs are in job_spec.c. */
#include "sched/job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ids ------------------------------------------------------------------------------------------ */

char *byre__job_id_format(const byre__job_id_t *id, char text_out[static BYRE__JOB_ID])
{
    snprintf(text_out, BYRE__JOB_ID, "%s.%" PRIu64, id->home, id->number);
    return text_out;
}

bool byre__job_id_parse(const char *text, const char *default_home, byre__job_id_t *id_out)
{
    const char *dot = strrchr(text, '.');
    const char *home = dot == NULL ? default_home : text, *digits = dot == NULL ? text : dot + 1;
    size_t length = dot == NULL ? (home == NULL ? 0 : strlen(home)) : (size_t)(dot - text);
    if (length == 0 || length >= BYRE__NODE_NAME || *digits < '1' || *digits > '9') return false;
    char *end;
    errno = 0;
    uint64_t number = strtoull(digits, &end, 10);
    if (errno != 0 || *end != '\0') return false;
    *id_out = (byre__job_id_t){ .number = number };
    memcpy(id_out->home, home, length);
    return true;
}

bool byre__job_id_equal(const byre__job_id_t *a, const byre__job_id_t *b)
{
    return a->number == b->number && strcmp(a->home, b->home) == 0;
}

void byre__pack_job_id(byre__pack_t *pack, const byre__job_id_t *id)
{
    byre__pack_text(pack, id->home);
    byre__pack_u64(pack, id->number);
}

void byre__unpack_job_id(byre__unpack_t *unpack, byre__job_id_t *id_out)
{
    *id_out = (byre__job_id_t){ 0 };
    byre__unpack_text_into(unpack, id_out->home, sizeof id_out->home);
    id_out->number = byre__unpack_u64(unpack);
}

/* ---- ends ----------------------------------------------------------------------------------------- */

void byre__pack_end(byre__pack_t *pack, const byre__end_t *end)
{
    byre__pack_u8(pack, end->kind);
    byre__pack_u32(pack, (uint32_t)end->code);
    byre__pack_u64(pack, end->user_us);
    byre__pack_u64(pack, end->system_us);
    byre__pack_u64(pack, end->max_rss_kb);
    byre__pack_u64(pack, end->started_ms);
    byre__pack_u64(pack, end->ended_ms);
    byre__pack_u64(pack, end->out_bytes);
    byre__pack_u64(pack, end->err_bytes);
    byre__pack_text(pack, end->detail);
}

void byre__unpack_end(byre__unpack_t *unpack, byre__end_t *end_out)
{
    *end_out = (byre__end_t){ 0 };
    end_out->kind = byre__unpack_u8(unpack);
    end_out->code = (int32_t)byre__unpack_u32(unpack);
    end_out->user_us = byre__unpack_u64(unpack);
    end_out->system_us = byre__unpack_u64(unpack);
    end_out->max_rss_kb = byre__unpack_u64(unpack);
    end_out->started_ms = byre__unpack_u64(unpack);
    end_out->ended_ms = byre__unpack_u64(unpack);
    end_out->out_bytes = byre__unpack_u64(unpack);
    end_out->err_bytes = byre__unpack_u64(unpack);
    byre__unpack_text_into(unpack, end_out->detail, sizeof end_out->detail);
    if (end_out->kind > BYRE__END_IMPOSSIBLE) unpack->failed = true;
}

int byre__end_status(const byre__end_t *end)
{
    switch ((enum byre__end_kind)end->kind) {
    case BYRE__END_EXITED:
        return end->code & 255;
    case BYRE__END_SIGNAL:
    case BYRE__END_CANCELLED:
        return 128 + end->code;
    case BYRE__END_NO_EXEC:
        return end->code == ENOENT || end->code == ENOTDIR ? 127 : 126;
    case BYRE__END_NO_CWD:
    case BYRE__END_NO_START:
        return 126;
    case BYRE__END_LOST:
    case BYRE__END_IMPOSSIBLE:
        break;
    }
    return 125;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

const char *byre__job_state_name(uint8_t state)
{
    static const char *const names[] = { [BYRE__JOB_QUEUED] = "queued",
                                         [BYRE__JOB_STARTED] = "running",
                                         [BYRE__JOB_AWAY] = "away",
                                         [BYRE__JOB_ENDED] = "ended" };
    return state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

void byre__pack_row(byre__pack_t *pack, const byre__row_t *row)
{
    byre__pack_job_id(pack, &row->id);
    byre__pack_u8(pack, row->state);
    byre__pack_u32(pack, row->flags);
    byre__pack_u32(pack, row->attempt);
    byre__pack_u32(pack, row->cpus);
    byre__pack_u64(pack, row->mem);
    byre__pack_text(pack, row->node);
    byre__pack_text(pack, row->cpu_list);
    byre__pack_text(pack, row->name);
    byre__pack_text(pack, row->command);
    byre__pack_u64(pack, (uint64_t)row->pid);
    byre__pack_u64(pack, row->submitted_ms);
    byre__pack_u64(pack, row->started_ms);
    byre__pack_end(pack, &row->end);
}

void byre__unpack_row(byre__unpack_t *unpack, byre__row_t *row_out)
{
    *row_out = (byre__row_t){ 0 };
    byre__unpack_job_id(unpack, &row_out->id);
    row_out->state = byre__unpack_u8(unpack);
    row_out->flags = byre__unpack_u32(unpack);
    row_out->attempt = byre__unpack_u32(unpack);
    row_out->cpus = byre__unpack_u32(unpack);
    row_out->mem = byre__unpack_u64(unpack);
    byre__unpack_text_into(unpack, row_out->node, sizeof row_out->node);
    byre__unpack_text_into(unpack, row_out->cpu_list, sizeof row_out->cpu_list);
    byre__unpack_text_into(unpack, row_out->name, sizeof row_out->name);
    byre__unpack_text_into(unpack, row_out->command, sizeof row_out->command);
    row_out->pid = (int64_t)byre__unpack_u64(unpack);
    row_out->submitted_ms = byre__unpack_u64(unpack);
    row_out->started_ms = byre__unpack_u64(unpack);
    byre__unpack_end(unpack, &row_out->end);
    if (row_out->state > BYRE__JOB_ENDED) unpack->failed = true;
}
