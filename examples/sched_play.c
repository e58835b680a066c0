/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sched_play: submits jobs at given times to the pool of this node, and prints their ids. Each job is a `sleep' of
 * a given length, so a trace of a queueing model becomes real processes; bench/sched-live does that on many
 * nodes at once and compares with `byre sim'.
 *
 *   sched_play START [NODE] <TRACE
 *
 * TRACE has lines "ARRIVAL SERVICE [NODE]", in seconds; with NODE only its lines are played. START is the time
 * of arrival 0, in seconds since 1970, so that several players begin together.
 */
#include <byre_sched.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void sleep_until(double when)
{
    struct timespec at = { .tv_sec = (time_t)when };
    at.tv_nsec = (long)((when - (double)at.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

static int submit_sleep(byre_sched_t *sched, double seconds, char *id_out)
{
    char length[32], program[] = "sleep";
    snprintf(length, sizeof length, "%.6f", seconds);
    char *argv[] = { program, length, NULL };
    byre_sched_job_t job = { .argv = argv };
    return byre_sched_submit(sched, &job, 1, id_out);
}

static int play(byre_sched_t *sched, double start, const char *node)
{
    char line[256], id[BYRE_SCHED_ID];
    while (fgets(line, sizeof line, stdin) != NULL) {
        double arrival, service;
        char where[64] = "";
        if (line[0] == '#' || line[0] == '\n') continue;
        if (sscanf(line, "%lf %lf %63s", &arrival, &service, where) < 2) {
            fprintf(stderr, "sched_play: this is no line of a trace: %s", line);
            return 2;
        }
        if (node != NULL && strcmp(node, where) != 0) continue;
        sleep_until(start + arrival);
        if (submit_sleep(sched, service, id) != BYRE_OK) {
            fprintf(stderr, "sched_play: %s\n", byre_sched_explain(sched));
            return 1;
        }
        puts(id);
    }
    return 0;
}

int main(int argc, char **argv)
{
    byre_sched_t *sched;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: sched_play START [NODE] <TRACE\n");
        return 2;
    }
    int error = byre_sched_open(NULL, &sched);
    if (error != BYRE_OK) {
        fprintf(stderr, "sched_play: %s; is a pool up here? (byre up)\n", byre_strerror(error));
        return 1;
    }
    int status = play(sched, strtod(argv[1], NULL), argc > 2 ? argv[2] : NULL);
    byre_sched_close(sched);
    return status;
}
