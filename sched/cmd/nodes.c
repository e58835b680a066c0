/* SPDX-License-Identifier: BSD-3-Clause */
/* nodes.c - `byre nodes': who is in the pool. `byre load': what they are doing, and what placing has cost. */
#include "share.h"

#include <math.h>
#include <stdlib.h>

static byre__cmd_t nodes_command, load_command;

static const char *state_name(const byre__node_row_t *row)
{
    static const char *const names[] = { "up", "owned", "gone" };

    return row->state < 3 ? names[row->state] : "unknown";
}

/* A number, or null: JSON knows no infinity. */
static void json_real(FILE *out, const char *name, double value, const char *after)
{
    fprintf(out, "\"%s\": ", name);
    if (isfinite(value))
        fprintf(out, "%.6g%s", value, after);
    else
        fprintf(out, "null%s", after);
}

static void json_count(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, ", \"%s\": %llu", name, (unsigned long long)value);
}

/* ---- byre nodes ------------------------------------------------------------------------------------- */

static void nodes_text(const byre__node_row_t *rows, size_t count)
{
    static const char *const heads[] = { "NODE",    "STATE",  ">SLOTS", ">USED",  ">RUNNING",
                                         ">QUEUED", ">ENDED", ">MEM",   "POLICY", "PLACE" };
    table_t table;
    char text[TEXT_SHORT];

    table_begin(&table, heads, 10);
    for (size_t i = 0; i < count; i++) {
        const byre__node_row_t *row = &rows[i];

        table_cell(&table, "%s", row->name);
        table_cell(&table, "%s", state_name(row));
        table_cell(&table, "%u", row->slots);
        table_cell(&table, "%u", row->slots_used);
        table_cell(&table, "%u", row->running);
        table_cell(&table, "%u", row->queued);
        table_cell(&table, "%llu", (unsigned long long)row->jobs_ended);
        table_cell(&table, "%s", text_bytes((double)row->load.mem_bytes, text));
        table_cell(&table, "%s", row->policy);
        table_cell(&table, "%s", row->place);
    }
    table_end(&table, stdout);
}

static void nodes_json(const byre__node_row_t *row)
{
    fputs("  {\"node\": ", stdout);
    text_json(stdout, row->name);
    printf(", \"state\": \"%s\", \"rank\": %d", state_name(row), row->rank);
    json_count(stdout, "slots", row->slots);
    json_count(stdout, "slots_used", row->slots_used);
    json_count(stdout, "running", row->running);
    json_count(stdout, "queued", row->queued);
    json_count(stdout, "ended", row->jobs_ended);
    json_count(stdout, "mem_bytes", row->load.mem_bytes);
    json_count(stdout, "up_ms", row->up_ms);
    fputs(", \"policy\": ", stdout);
    text_json(stdout, row->policy);
    fputs(", \"place\": ", stdout);
    text_json(stdout, row->place);
    fputs("}", stdout);
}

/* ---- byre load --------------------------------------------------------------------------------------- */

static double mean(double sum, uint64_t count)
{
    return count > 0 ? sum / (double)count : 0;
}

static void load_table(const byre__node_row_t *rows, size_t count)
{
    static const char *const heads[] = { "NODE",  "STATE", ">BUSY", ">OTHERS", ">RUNNABLE",
                                         ">LOAD", ">FREE", "OWNER", ">JOBS",   ">QUEUED" };
    table_t table;
    char text[TEXT_SHORT];

    table_begin(&table, heads, 10);
    for (size_t i = 0; i < count; i++) {
        const byre__load_t *load = &rows[i].load;

        table_cell(&table, "%s", rows[i].name);
        table_cell(&table, "%s", state_name(&rows[i]));
        table_cell(&table, "%.0f%%", 100 * load->busy);
        table_cell(&table, "%.0f%%", 100 * load->busy_others);
        table_cell(&table, "%.1f", load->runnable);
        table_cell(&table, "%.2f", load->loadavg[0]);
        table_cell(&table, "%s", text_bytes((double)load->mem_free_bytes, text));
        if (isfinite(load->owner_idle_s))
            table_cell(&table, "idle %s", text_time(1e3 * load->owner_idle_s, text));
        else
            table_cell(&table, "-");
        table_cell(&table, "%u", rows[i].running);
        table_cell(&table, "%u", rows[i].queued);
    }
    table_end(&table, stdout);
}

static void cost_table(const byre__node_row_t *rows, size_t count)
{
    static const char *const heads[] = { "NODE",      ">SUBMITTED", ">STARTED", ">PROBES",
                                         ">WON",      ">REFUSED",   ">SENT",    ">RECEIVED",
                                         ">MESSAGES", ">BYTES",     ">CPU",     ">WAIT",
                                         ">RESPONSE" };
    table_t table;
    char text[TEXT_SHORT];

    table_begin(&table, heads, 13);
    for (size_t i = 0; i < count; i++) {
        const byre__tally_t *tally = &rows[i].tally;

        table_cell(&table, "%s", rows[i].name);
        table_cell(&table, "%llu", (unsigned long long)tally->submitted);
        table_cell(&table, "%llu", (unsigned long long)tally->started);
        table_cell(&table, "%llu", (unsigned long long)tally->probes_out);
        table_cell(&table, "%llu", (unsigned long long)tally->probes_won);
        table_cell(&table, "%llu", (unsigned long long)tally->claims_refused);
        table_cell(&table, "%llu", (unsigned long long)tally->sent);
        table_cell(&table, "%llu", (unsigned long long)tally->received);
        table_cell(&table, "%llu", (unsigned long long)tally->peer_messages);
        table_cell(&table, "%s", text_bytes((double)tally->peer_bytes, text));
        table_cell(&table, "%.2fs", tally->cpu_s);
        table_cell(&table, "%.3fs", mean(tally->wait_s, tally->ended));
        table_cell(&table, "%.3fs", mean(tally->response_s, tally->ended));
    }
    table_end(&table, stdout);
}

static void load_text(const byre__node_row_t *rows, size_t count)
{
    load_table(rows, count);
    puts("\nWhat placing has cost since the daemons began (WAIT, RESPONSE: mean of an ended job):");
    cost_table(rows, count);
}

static void load_json(const byre__node_row_t *row)
{
    const byre__load_t *load = &row->load;
    const byre__tally_t *tally = &row->tally;

    fputs("  {\"node\": ", stdout);
    text_json(stdout, row->name);
    printf(", \"state\": \"%s\", ", state_name(row));
    json_real(stdout, "busy", load->busy, ", ");
    json_real(stdout, "busy_others", load->busy_others, ", ");
    json_real(stdout, "runnable", load->runnable, ", \"loadavg\": ");
    printf("[%.2f, %.2f, %.2f], ", load->loadavg[0], load->loadavg[1], load->loadavg[2]);
    json_real(stdout, "owner_idle_s", load->owner_idle_s, "");
    json_count(stdout, "mem_bytes", load->mem_bytes);
    json_count(stdout, "mem_free_bytes", load->mem_free_bytes);
    json_count(stdout, "running", row->running);
    json_count(stdout, "queued", row->queued);
    json_count(stdout, "submitted", tally->submitted);
    json_count(stdout, "started", tally->started);
    json_count(stdout, "ended", tally->ended);
    json_count(stdout, "lost", tally->lost);
    json_count(stdout, "probes_out", tally->probes_out);
    json_count(stdout, "probes_in", tally->probes_in);
    json_count(stdout, "probes_won", tally->probes_won);
    json_count(stdout, "claims_refused", tally->claims_refused);
    json_count(stdout, "sent", tally->sent);
    json_count(stdout, "received", tally->received);
    json_count(stdout, "peer_messages", tally->peer_messages);
    json_count(stdout, "peer_bytes", tally->peer_bytes);
    fputs(", ", stdout);
    json_real(stdout, "cpu_s", tally->cpu_s, ", ");
    json_real(stdout, "mean_wait_s", mean(tally->wait_s, tally->ended), ", ");
    json_real(stdout, "mean_response_s", mean(tally->response_s, tally->ended), "}");
}

/* ---- both -------------------------------------------------------------------------------------------- */

static const struct option table[] = { POOL_OPTION, JSON_OPTION, { NULL, 0, NULL, 0 } };
static const options_t options = { ":", table, options_asked, true };

static int show(const byre__cmd_t *cmd, int argc, char **argv,
                void (*text)(const byre__node_row_t *rows, size_t count),
                void (*json)(const byre__node_row_t *row))
{
    asked_t asked = { 0 };
    byre__node_row_t *rows = NULL;
    byre_sched_t *sched;
    size_t count = 0;
    int status = options_read(cmd, &options, argc, argv, &asked);

    if (status != BYRE__CMD_OK) return status;
    sched = share_connect(cmd, asked.pool);
    if (sched == NULL) return BYRE__CMD_FAILED;
    if (share_nodes(sched, &rows, &count) != BYRE_OK) {
        status = share_failed(cmd, sched);
    } else if (asked.json) {
        puts("[");
        for (size_t i = 0; i < count; i++) {
            json(&rows[i]);
            puts(i + 1 < count ? "," : "");
        }
        puts("]");
    } else {
        text(rows, count);
    }
    free(rows);
    byre_sched_close(sched);
    return status;
}

static int run_nodes(int argc, char **argv)
{
    return show(&nodes_command, argc, argv, nodes_text, nodes_json);
}

static int run_load(int argc, char **argv)
{
    return show(&load_command, argc, argv, load_text, load_json);
}

static byre__cmd_t nodes_command = {
    .name = "nodes",
    .synopsis = "[--json] [--pool P]",
    .summary = "the nodes of the pool, and how many jobs each has",
    .details =
        "  --json    a JSON array with an object for each node\n"
        "  --pool P  the pool; without it $BYRE_POOL, or `pool'\n\n"
        "STATE is `up', `owned' (its owner is using it: it takes no jobs of others) or `gone'.\n"
        "A slot is a processor to give away; a job takes one, or as many as it said with "
        "--cpus.\n\n"
        "examples: byre nodes; byre nodes --json | jq -r '.[] | select(.state == \"up\").node'\n",
    .run = run_nodes,
};

static byre__cmd_t load_command = {
    .name = "load",
    .synopsis = "[--json] [--pool P]",
    .summary = "how busy the nodes are, and what placing jobs on them has cost",
    .details =
        "  --json    a JSON array with an object for each node\n"
        "  --pool P  the pool; without it $BYRE_POOL, or `pool'\n\n"
        "The first table is what a node does now: the share of its processors' time that is used,\n"
        "the share used by others than this pool, tasks that want to run, free memory, and how "
        "long\n"
        "ago its owner touched it. The second is what the policy has done: PROBES asked of "
        "others,\n"
        "those WON (they found a place), claims REFUSED because another came first, jobs SENT and\n"
        "RECEIVED, and what the daemons spent on it in messages, bytes and processor time.\n"
        "`byre top' shows it live.\n\n"
        "examples: byre load; byre load --json | jq '[.[].probes_out] | add'\n",
    .run = run_load,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&nodes_command);
    byre__cmd_register(&load_command);
}
