/* SPDX-License-Identifier: BSD-3-Clause */
/* The versions of an application in turns: each repetition runs both, every other one in the opposite
 * order. First comes a round that is not counted. Every answer, of this round too, is compared byte
 * by byte: with that of the sequential program, or else with the first one.
 *
 * The time of a run is that of the rank that took longest, all having begun at once. */
#include "apps.h"
#include "service.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct side {
    const char *name;
    const struct version *version; /* NULL: does not run */
    void *run;
    double *seconds, *messages, *bytes; /* [reps] */
};

struct trial {
    const struct cmdline *cmd;
    const struct app *app;
    struct job job;
    size_t answer_bytes;
    unsigned char *answer, *reference; /* rank 0 */
    const char *reference_name;        /* NULL: there is none yet */
    double sequential;
    struct side sides[VERSIONS];
    int reps;
    int wrong; /* answers */
};

/* ---- answers ------------------------------------------------------------------------------------- */

/* Rank 0. */
static void check_answer(struct trial *trial, const struct side *side)
{
    if (trial->cmd->spoil && !strcmp(trial->cmd->spoil, side->name))
        trial->answer[trial->answer_bytes / 2] ^= 1;
    if (!trial->reference_name) {
        memcpy(trial->reference, trial->answer, trial->answer_bytes);
        trial->reference_name = side->name;
        return;
    }
    size_t at = 0;
    while (at < trial->answer_bytes && trial->answer[at] == trial->reference[at]) at++;
    if (at == trial->answer_bytes) return;
    trial->wrong++;
    fprintf(
        stderr,
        "byre-apps: %s, %zu, %d ranks: the answer of the %s version differs from that of the %s "
        "version, first in byte %zu of %zu\n",
        trial->app->name, trial->job.n, trial->job.ranks, side->name, trial->reference_name, at,
        trial->answer_bytes);
}

/* The others wait in Byre's barrier, which leaves the processors to rank 0. */
static void run_sequential(struct trial *trial)
{
    if (trial->cmd->sequential && trial->job.rank == 0) {
        trial->sequential = trial->app->sequential(&trial->job, trial->reference);
        trial->reference_name = "sequential";
    }
    check_byre("byre_barrier", byre_barrier());
}

/* ---- one run ------------------------------------------------------------------------------------- */

/* What all ranks did for shared memory so far; rank 0's is valid. */
static void count_traffic(const struct trial *trial, double traffic_out[2])
{
    byre_dsm_stats_t stats;
    double own[2];

    check_byre("byre_dsm_stats", byre_dsm_stats(NULL, &stats));
    own[0] = (double)stats.messages_out;
    own[1] = (double)stats.bytes_out;
    check_mpi("MPI_Reduce",
              MPI_Reduce(own, traffic_out, 2, MPI_DOUBLE, MPI_SUM, 0, trial->job.comm));
}

/* A program without Byre has no service thread: where it can be parked for so long (between nodes it sends
 * the signs of life) MPI is measured without. */
static double measure(const struct trial *trial, const struct side *side)
{
    bool pause = side == &trial->sides[MPI] && byre_node_count() == 1;
    double own, longest = 0;

    if (pause) byre__service_pause(1);
    check_mpi("MPI_Barrier", MPI_Barrier(trial->job.comm));
    double start = now();
    side->version->run(side->run);
    own = now() - start;
    check_mpi("MPI_Reduce", MPI_Reduce(&own, &longest, 1, MPI_DOUBLE, MPI_MAX, 0, trial->job.comm));
    if (pause) byre__service_pause(0);
    return longest;
}

/* rep < 0: not counted. */
static void run_side(struct trial *trial, struct side *side, int rep)
{
    double before[2], after[2], seconds;

    if (!side->version) return;
    side->version->load(side->run);
    check_byre("byre_barrier", byre_barrier());
    count_traffic(trial, before);
    seconds = measure(trial, side);
    count_traffic(trial, after);
    if (rep >= 0) {
        side->seconds[rep] = seconds;
        side->messages[rep] = after[0] - before[0];
        side->bytes[rep] = after[1] - before[1];
    }
    side->version->collect(side->run, trial->answer);
    if (trial->job.rank == 0) check_answer(trial, side);
    check_byre("byre_barrier", byre_barrier());
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static void open_side(struct trial *trial, int which, const struct version *version,
                      const char *name)
{
    struct side *side = &trial->sides[which];
    size_t room = (size_t)trial->reps * sizeof(double);

    side->name = name;
    side->version = version;
    if (!version) return;
    side->seconds = app_memory(room);
    side->messages = app_memory(room);
    side->bytes = app_memory(room);
    side->run = version->create(&trial->job);
}

static void close_side(struct side *side)
{
    if (side->version) side->version->destroy(side->run);
    free(side->seconds);
    free(side->messages);
    free(side->bytes);
}

static void open_trial(struct trial *trial, MPI_Comm comm)
{
    const struct cmdline *cmd = trial->cmd;
    const struct app *app = trial->app;
    struct job *job = &trial->job;

    *job = (struct job){ .n = cmd->n       ? cmd->n
                              : cmd->quick ? app->quick_n
                                           : app->n,
                         .rank = byre_rank(),
                         .ranks = byre_size(),
                         .comm = comm,
                         .in = cmd->in };
    trial->sequential = NAN;
    trial->reps = cmd->reps ? cmd->reps : cmd->quick ? 1 : 5;
    if (app->prepare) app->prepare(job);
    trial->answer_bytes = app->answer_bytes(job);
    if (job->rank != 0) return;
    trial->answer = app_memory(trial->answer_bytes);
    trial->reference = app_memory(trial->answer_bytes);
}

static void close_trial(struct trial *trial)
{
    if (trial->app->release) trial->app->release(&trial->job);
    free(trial->answer);
    free(trial->reference);
}

static void rounds(struct trial *trial)
{
    for (int rep = trial->cmd->quick ? 0 : -1; rep < trial->reps; rep++) {
        run_side(trial, &trial->sides[rep & 1 ? DSM : MPI], rep);
        run_side(trial, &trial->sides[rep & 1 ? MPI : DSM], rep);
    }
}

/* Rank 0. The last answer is as good as any: all are equal. */
static void save(struct trial *trial)
{
    const char *file = trial->cmd->out;
    if (!file) return;
    const char *wrong = trial->app->save(&trial->job, trial->answer, file);
    if (!wrong) return;
    fprintf(stderr, "byre-apps: %s: %s\n", file, wrong);
    trial->wrong++;
}

static void report(struct trial *trial)
{
    struct side *dsm = &trial->sides[DSM];
    struct result result = { .app = trial->app,
                             .n = trial->job.n,
                             .ranks = trial->job.ranks,
                             .sequential = trial->sequential,
                             .seconds = { dsm->seconds, trial->sides[MPI].seconds },
                             .reps = trial->reps };
    if (dsm->version) {
        result.messages = median_of(dsm->messages, trial->reps);
        result.bytes = median_of(dsm->bytes, trial->reps);
    }
    table_result(trial->cmd, &result);
}

int trial_run(const struct cmdline *cmd, const struct app *app, MPI_Comm comm)
{
    struct trial trial = { .cmd = cmd, .app = app };

    open_trial(&trial, comm);
    run_sequential(&trial);
    open_side(&trial, DSM, cmd->dsm ? app->dsm : NULL, "dsm");
    open_side(&trial, MPI, cmd->mpi ? app->mpi : NULL, "mpi");
    rounds(&trial);
    if (trial.job.rank == 0 && !trial.wrong) save(&trial);
    check_mpi("MPI_Bcast", MPI_Bcast(&trial.wrong, 1, MPI_INT, 0, comm));
    if (trial.job.rank == 0 && !trial.wrong) report(&trial);
    close_side(&trial.sides[DSM]);
    close_side(&trial.sides[MPI]);
    close_trial(&trial);
    return trial.wrong > 0;
}
