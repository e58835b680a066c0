/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.c - a workload as a text file. A line is a job:
 *
 *     ARRIVAL SERVICE [NODE]
 *
 * seconds since the beginning, in order; seconds that it takes; the number of the node at which it comes, from 0.
 * Without a node it comes at a random one. Empty lines, and what follows a #, are nothing.
 */
#include "sim.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NODE_MOST = 1000000 };

/* A number, and the blanks after it; false: there is none. */
static bool number(const char **at, double *value_out)
{
    char *end;

    *value_out = strtod(*at, &end);
    if (end == *at || !isfinite(*value_out) || (*end != '\0' && !isspace((unsigned char)*end))) {
        return false;
    }
    while (isspace((unsigned char)*end)) {
        end++;
    }
    *at = end;
    return true;
}

/* What is wrong with a line, or NULL. */
static const char *read_line(const char *line, double last, sim_arrival_t *arrival_out)
{
    double node = -1;

    if (!number(&line, &arrival_out->at) || !number(&line, &arrival_out->service_s) ||
        (*line != '\0' && !number(&line, &node)) || *line != '\0') {
        return "write ARRIVAL SERVICE [NODE]: two numbers of seconds, and a node from 0";
    }
    if (arrival_out->at < 0 || arrival_out->service_s < 0) {
        return "times are not negative";
    }
    if (arrival_out->at < last) {
        return "it arrives before the line above: sort the file (sort -n)";
    }
    if (node != floor(node) || node < -1 || node >= NODE_MOST) {
        return "a node is a whole number from 0";
    }
    arrival_out->node = (int)node;
    return NULL;
}

static bool append(sim_trace_t *trace, size_t *room, const sim_arrival_t *arrival)
{
    if (trace->count == *room) {
        size_t more = *room ? 2 * *room : 1024;
        sim_arrival_t *grown = realloc(trace->arrival, more * sizeof *grown);

        if (!grown) {
            return false;
        }
        trace->arrival = grown;
        *room = more;
    }
    trace->arrival[trace->count++] = *arrival;
    if (arrival->node >= trace->nodes) {
        trace->nodes = arrival->node + 1;
    }
    return true;
}

static int read_all(FILE *in, const char *file, sim_trace_t *trace)
{
    size_t room = 0, length = 0, line_number = 0;
    char *line = NULL;
    int status = SIM_OK;
    double last = 0;

    while (status == SIM_OK && getline(&line, &length, in) > 0) {
        const char *at = line, *why;
        sim_arrival_t arrival;

        line_number++;
        line[strcspn(line, "#\n")] = '\0';
        at += strspn(at, " \t\r");
        if (*at == '\0') {
            continue;
        }
        why = read_line(at, last, &arrival);
        if (why) {
            fprintf(stderr, "byre sim: %s:%zu: %s\n", file, line_number, why);
            status = SIM_FAILED;
        } else if (!append(trace, &room, &arrival)) {
            fprintf(stderr, "byre sim: %s: no memory for so many jobs\n", file);
            status = SIM_FAILED;
        }
        last = arrival.at;
    }
    free(line);
    return status;
}

int sim_trace_read(const char *file, sim_trace_t *trace_out)
{
    bool standard = strcmp(file, "-") == 0;
    FILE *in = standard ? stdin : fopen(file, "re");
    int status;

    *trace_out = (sim_trace_t){ 0 };
    if (!in) {
        fprintf(stderr, "byre sim: --trace %s: %s\n", file, strerror(errno));
        return SIM_FAILED;
    }
    status = read_all(in, file, trace_out);
    if (status == SIM_OK && ferror(in)) {
        fprintf(stderr, "byre sim: --trace %s: %s\n", file, strerror(errno));
        status = SIM_FAILED;
    } else if (status == SIM_OK && trace_out->count == 0) {
        fprintf(stderr,
                "byre sim: %s has no job; byre sim --write-trace FILE shows how one looks\n", file);
        status = SIM_FAILED;
    }
    if (!standard) {
        fclose(in);
    }
    if (status != SIM_OK) {
        sim_trace_fini(trace_out);
    }
    return status;
}

void sim_trace_fini(sim_trace_t *trace)
{
    free(trace->arrival);
    *trace = (sim_trace_t){ 0 };
}

void sim_trace_head(FILE *out)
{
    fputs("# arrival_s service_s node\n", out);
}

/* Digits enough to read back the same. */
void sim_trace_line(FILE *out, const sim_arrival_t *arrival)
{
    fprintf(out, "%.17g %.17g %d\n", arrival->at, arrival->service_s, arrival->node);
}
