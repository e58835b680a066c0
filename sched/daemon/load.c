/* SPDX-License-Identifier: BSD-3-Clause */
/* load.c - the meter. A reading is about the last seconds: from a sample that is SPAN_S old, or the oldest there is,
 * until now. Samples closer than APART_S to the last one are used and not kept, so that the ring is long enough.
 */
#include "sched/daemon/load_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <byre_errors.h>

#define SPAN_S 4.0
#define APART_S 0.5

/* ---- files -------------------------------------------------------------------------------------- */

FILE *byre__load_open(const byre__meter_t *meter, const char *path)
{
    char name[512];

    if ((size_t)snprintf(name, sizeof name, "%s%s", meter->root, path) >= sizeof name) return NULL;
    return fopen(name, "re");
}

bool byre__load_exists(const byre__meter_t *meter, const char *path)
{
    char name[512];

    return (size_t)snprintf(name, sizeof name, "%s%s", meter->root, path) < sizeof name &&
           access(name, F_OK) == 0;
}

/* ---- create, destroy ---------------------------------------------------------------------------- */

int byre__meter_create_at(const char *root, load_source_t source, byre__meter_t **meter_out)
{
    byre__meter_t *meter = calloc(1, sizeof *meter);
    double runnable;
    int status;

    if (!meter) return BYRE_ENOMEM;
    if ((size_t)snprintf(meter->root, sizeof meter->root, "%s", root) >= sizeof meter->root) {
        free(meter);
        return BYRE_ERANGE;
    }
    byre__load_choose(meter, source);
    status = byre__load_cpu(meter, &meter->sample[0], &runnable);
    if (status != BYRE_OK) {
        free(meter);
        return status;
    }
    meter->samples = 1;
    for (int i = 0; i < 3; i++) meter->average[i] = runnable;
    meter->average_at_s = meter->sample[0].at_s;
    *meter_out = meter;
    return BYRE_OK;
}

int byre__meter_create(byre__meter_t **meter_out)
{
    return byre__meter_create_at("", LOAD_FIND_OUT, meter_out);
}

void byre__meter_destroy(byre__meter_t *meter)
{
    if (!meter) return;
    byre__load_idle_fini(&meter->idle);
    free(meter);
}

const char *byre__meter_method(const byre__meter_t *meter)
{
    return meter->method;
}

/* ---- busy --------------------------------------------------------------------------------------- */

/* The newest that is old enough, else the oldest. */
static const load_sample_t *base_for(const byre__meter_t *meter, double now_s)
{
    const load_sample_t *sample = NULL;

    for (unsigned i = 0; i < meter->samples; i++) {
        sample = &meter->sample[(meter->newest + SAMPLES - i) % SAMPLES];
        if (now_s - sample->at_s >= SPAN_S) break;
    }
    return sample;
}

static void keep_sample(byre__meter_t *meter, const load_sample_t *now)
{
    if (now->at_s - meter->sample[meter->newest].at_s < APART_S) return;
    meter->newest = (meter->newest + 1) % SAMPLES;
    meter->sample[meter->newest] = *now;
    if (meter->samples < SAMPLES) meter->samples++;
}

static double between(double low, double value, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* Too soon after the last sample the clock of the kernel has not moved: what was said then still holds. The
 * times of processes are not read at one moment, hence the bounds. */
static void rate(byre__meter_t *meter, const load_sample_t *now)
{
    const load_sample_t *base = base_for(meter, now->at_s);
    double there = now->there_s - base->there_s, used = now->used_s - base->used_s,
           own = now->own_s - base->own_s;

    if (there <= 0) return;
    meter->busy = between(0, used / there, 1);
    meter->busy_others = between(0, meter->busy - (own > 0 ? own / there : 0), 1);
}

/* ---- load averages ------------------------------------------------------------------------------ */

/* Of what we count ourselves, with the kernel's formula. */
static void average(byre__meter_t *meter, double runnable, double now_s, double out[3])
{
    static const double minutes[3] = { 1, 5, 15 };

    for (int i = 0; i < 3; i++) {
        double keep = exp(-(now_s - meter->average_at_s) / (60 * minutes[i]));

        meter->average[i] = meter->average[i] * keep + runnable * (1 - keep);
        out[i] = meter->average[i];
    }
    meter->average_at_s = now_s;
}

static void read_loadavg(const byre__meter_t *meter, double out[3])
{
    FILE *file = byre__load_open(meter, "/proc/loadavg");

    if (!file) return;
    if (fscanf(file, "%lf %lf %lf", &out[0], &out[1], &out[2]) != 3) {
        out[0] = out[1] = out[2] = 0;
    }
    fclose(file);
}

/* ---- read --------------------------------------------------------------------------------------- */

int byre__meter_read(byre__meter_t *meter, double own_cpu_s, byre__load_t *load_out)
{
    byre__load_t load = { 0 };
    load_sample_t now;
    int status = byre__load_cpu(meter, &now, &load.runnable);

    if (status != BYRE_OK) return status;
    now.own_s = own_cpu_s;
    rate(meter, &now);
    keep_sample(meter, &now);
    load.busy = meter->busy;
    load.busy_others = meter->busy_others;
    average(meter, load.runnable, now.at_s, load.loadavg);
    if (meter->loadavg_is_ours) read_loadavg(meter, load.loadavg);
    byre__load_mem(meter, &load);
    load.owner_idle_s = byre__load_owner_idle(meter, now.at_s);
    *load_out = load;
    return BYRE_OK;
}

/* ---- the owner ---------------------------------------------------------------------------------- */

const char *byre__owner_is_there(const byre__load_t *load, const byre__owner_rule_t *rule,
                                 char reason_out[static 96])
{
    if (load->owner_idle_s < rule->idle_s) {
        snprintf(reason_out, 96, "somebody used this machine %.0f s ago (free after %.0f s)",
                 load->owner_idle_s, rule->idle_s);
        return reason_out;
    }
    if (rule->busy_others <= 1 && load->busy_others > rule->busy_others) {
        snprintf(reason_out, 96, "others use %.0f%% of its processors (free up to %.0f%%)",
                 100 * load->busy_others, 100 * rule->busy_others);
        return reason_out;
    }
    return NULL;
}
