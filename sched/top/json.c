/* SPDX-License-Identifier: BSD-3-Clause */
/* json.c - see json.h. */
#include "json.h"

#include <math.h>

#include "sched/cmd/share.h"

static void member_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, ", \"%s\": ", name);
    text_json(out, text);
}

/* JSON has no infinity. */
static void member_real(FILE *out, const char *name, double value)
{
    if (isfinite(value))
        fprintf(out, ", \"%s\": %.6g", name, value);
    else
        fprintf(out, ", \"%s\": null", name);
}

static void member_count(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, ", \"%s\": %llu", name, (unsigned long long)value);
}

static void member_rates(FILE *out, const rates_t *r)
{
    fprintf(out, ", \"per_second\": {\"probes\": %.6g", r->probes);
    member_real(out, "probes_won", r->won);
    member_real(out, "claims_refused", r->refused);
    member_real(out, "sent", r->sent);
    member_real(out, "received", r->received);
    member_real(out, "started", r->started);
    member_real(out, "ended", r->ended);
    member_real(out, "messages", r->messages);
    member_real(out, "bytes", r->bytes);
    member_real(out, "daemon_cpu", r->cpu);
    fputc('}', out);
}

static const char *state_of(uint8_t state)
{
    return state == BYRE__NODE_UP ? "up" : state == BYRE__NODE_OWNED ? "owned" : "gone";
}

static void node(FILE *out, const model_node_t *n)
{
    const byre__node_row_t *row = &n->row;

    fputs("{\"node\": ", out);
    text_json(out, row->name);
    member_text(out, "state", state_of(row->state));
    member_count(out, "slots", row->slots);
    member_count(out, "slots_used", row->slots_used);
    member_count(out, "running", row->running);
    member_count(out, "queued", row->queued);
    member_real(out, "busy", row->load.busy);
    member_real(out, "busy_others", row->load.busy_others);
    member_real(out, "runnable", row->load.runnable);
    member_count(out, "mem_bytes", row->load.mem_bytes);
    member_count(out, "mem_free_bytes", row->load.mem_free_bytes);
    member_real(out, "owner_idle_s", row->load.owner_idle_s);
    member_rates(out, &n->rates);
    fputc('}', out);
}

static void job(FILE *out, const byre__row_t *row, uint64_t now_ms)
{
    char id[BYRE__JOB_ID];

    fputs("{\"id\": ", out);
    text_json(out, byre__job_id_format(&row->id, id));
    member_text(out, "state", byre__job_state_name(row->state));
    member_text(out, "node", row->node);
    member_text(out, "processors", row->cpu_list);
    member_text(out, "name", row->name);
    member_text(out, "command", row->command);
    member_real(out, "time_s", model_job_ms(row, now_ms) / 1e3);
    if (row->state == BYRE__JOB_ENDED) {
        fputs(", ", out);
        text_json_end(out, &row->end);
    }
    fputc('}', out);
}

void json_write(FILE *out, const model_t *model)
{
    totals_t t = model_totals(model);

    fprintf(out, "{\"time_ms\": %llu, \"daemon\": %s", (unsigned long long)model->now_ms,
            model->up ? "true" : "false");
    if (!model->up) member_text(out, "why", model->why);
    member_text(out, "pool", model->pool);
    member_text(out, "seen_from", model->here);
    member_count(out, "answered_ms", model->answered_ms);
    fprintf(out, ", \"rates_are_means\": %s", model->rates_are_means ? "true" : "false");
    member_count(out, "nodes_known", t.nodes);
    member_count(out, "nodes_up", t.up);
    member_count(out, "nodes_owned", t.owned);
    member_count(out, "slots", t.slots);
    member_count(out, "slots_used", t.slots_used);
    member_count(out, "running", t.running);
    member_count(out, "queued", t.queued);
    member_rates(out, &t.rates);
    fputs(", \"nodes\": [", out);
    for (size_t i = 0; i < model->node_count; i++) {
        if (i > 0) fputs(", ", out);
        node(out, &model->nodes[i]);
    }
    fputs("], \"jobs\": [", out);
    for (size_t i = 0; i < model->job_count; i++) {
        if (i > 0) fputs(", ", out);
        job(out, &model->jobs[i], model->now_ms);
    }
    fputs("]}\n", out);
}
