/* SPDX-License-Identifier: BSD-3-Clause */
/* byre_sched.h from a program that is no job of mpirun. Run by sched_api.sh, with a pool of two slots on this node.
 * `sched_api none': there is no pool. */
#include <byre.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int line, int right, const char *what)
{
    if (right) return;
    fprintf(stderr, "sched_api.c:%d: %s\n", line, what);
    exit(1);
}
#define CHECK(condition) check(__LINE__, (condition), #condition)

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })

/* The id that is `more' behind. */
static const char *behind(const char *id, int more)
{
    static char text[BYRE_SCHED_ID];
    const char *dot = strrchr(id, '.');
    snprintf(text, sizeof text, "%.*s.%llu", (int)(dot - id), id,
             strtoull(dot + 1, NULL, 10) + (unsigned long long)more);
    return text;
}

static void ends(byre_sched_t *sched)
{
    char sh[] = "sh", c[] = "-c", seven[] = "exit 7", dies[] = "kill -TERM $$";
    char missing[] = "no-such-program-here", truth[] = "true";
    char own[] = "case $TMPDIR in */tmp/$BYRE_JOB.1) exit 3 ;; esac";
    const byre_sched_job_t jobs[] = { { .argv = ARGV(truth), .name = "first" },
                                      { .argv = ARGV(sh, c, seven), .cpus = 2 },
                                      { .argv = ARGV(sh, c, dies), .restartable = 1 },
                                      { .argv = ARGV(missing) },
                                      { .argv = ARGV(sh, c, own), .own_tmp = 1 } };
    const int status[] = { 0, 7, 128 + SIGTERM, 127, 3 };
    char id[BYRE_SCHED_ID];
    byre_sched_end_t end;

    CHECK(byre_sched_submit(sched, jobs, 5, id) == BYRE_OK);
    for (int i = 4; i >= 0; i--) {
        CHECK(byre_sched_wait(sched, behind(id, i), -1, &end) == BYRE_OK);
        CHECK(end.status == status[i] && !end.lost && end.run_s >= 0 && end.cpu_s >= 0);
        CHECK(end.node[0] != '\0' && strncmp(id, end.node, strlen(end.node)) == 0);
        CHECK(end.signal == (i == 2 ? SIGTERM : 0));
    }
    CHECK(byre_sched_wait(sched, strrchr(id, '.') + 1, 0, &end) == BYRE_OK && end.status == 0);
    CHECK(byre_sched_kill(sched, id, 0) == BYRE_ENOTFOUND);
}

static void kills(byre_sched_t *sched)
{
    char program[] = "sleep", length[] = "1000";
    const byre_sched_job_t job = { .argv = ARGV(program, length) };
    char id[BYRE_SCHED_ID];
    byre_sched_end_t end = { .status = -1 };

    CHECK(byre_sched_submit(sched, &job, 1, id) == BYRE_OK);
    CHECK(byre_sched_wait(sched, id, 0, &end) == BYRE_ETIMEOUT && end.status == -1);
    CHECK(byre_sched_wait(sched, id, 50, &end) == BYRE_ETIMEOUT);
    CHECK(byre_sched_kill(sched, id, 0) == BYRE_OK);
    CHECK(byre_sched_kill(sched, id, SIGINT) == BYRE_OK);
    CHECK(byre_sched_wait(sched, id, -1, &end) == BYRE_OK && end.status == 128 + SIGINT);
}

static void refusals(byre_sched_t *sched)
{
    char program[] = "true", id[BYRE_SCHED_ID];
    const byre_sched_job_t nothing = { .argv = NULL },
                           nowhere = { .argv = ARGV(program), .node = "no-such-node" },
                           too_wide = { .argv = ARGV(program), .cpus = 100000 };
    byre_sched_end_t end;

    CHECK(byre_sched_submit(sched, &nothing, 1, id) == BYRE_EINVAL);
    CHECK(byre_sched_submit(sched, &nowhere, 1, id) == BYRE_EINVAL);
    CHECK(strstr(byre_sched_explain(sched), "no-such-node") != NULL);
    CHECK(byre_sched_submit(sched, &too_wide, 1, id) == BYRE_ERANGE);
    CHECK(byre_sched_wait(sched, "not an id", -1, &end) == BYRE_EINVAL);
    CHECK(byre_sched_wait(sched, "999999999", -1, &end) == BYRE_ENOTFOUND);
    CHECK(byre_sched_kill(sched, "1", 1000) == BYRE_EINVAL);
    CHECK(byre_sched_explain(sched)[0] != '\0');
}

int main(int argc, char **argv)
{
    byre_sched_t *sched = NULL;
    int none = argc > 1 && strcmp(argv[1], "none") == 0;

    CHECK(byre_sched_open("no/pool", &sched) == BYRE_EINVAL);
    if (none) {
        CHECK(byre_sched_open(NULL, &sched) == BYRE_ENOTFOUND && sched == NULL);
        return 0;
    }
    CHECK(byre_sched_open(NULL, &sched) == BYRE_OK);
    ends(sched);
    kills(sched);
    refusals(sched);
    byre_sched_close(sched);
    byre_sched_close(NULL);
    return 0;
}
