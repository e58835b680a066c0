/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon is killed at any moment, many times: what it was told to be durable is in the ledger afterwards, whole,
 * and no number is given twice. */
#include "sched_ledger.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { LIVES = 150, MOST_JOBS = 200000 };

typedef struct word {
    uint64_t number;
    uint8_t state; /* durable so far; TAKEN: only the number was given */
} word_t;
enum { TAKEN = 100 };

static int report_fd;

typedef struct promise {
    word_t word;
} promise_t;

static void report(const word_t *word)
{
    if (write(report_fd, word, sizeof *word) != (ssize_t)sizeof *word) _exit(3);
}

static void on_durable(void *arg, int error)
{
    promise_t *promise = arg;
    if (error != BYRE_OK) _exit(4);
    report(&promise->word);
    free(promise);
}

static void promise(ledger_t *ledger, uint64_t number, uint8_t state)
{
    promise_t *mine = malloc(sizeof *mine);
    if (mine == NULL) _exit(5);
    mine->word = (word_t){ number, state };
    if (ledger_sync(ledger, true, on_durable, mine) != BYRE_OK) _exit(6);
}

/* ---- the life that is ended ---------------------------------------------------------------------------
 *
 * Check's own messages go by a file that parent and child share: a child that is killed must not be writing one. So
 * nothing here asserts: what fails ends it, and its parent sees that. */

static ledger_t *begin_life(void)
{
    ledger_t *ledger = NULL;
    char error[256];
    if (ledger_open(dir, &ledger, error) != BYRE_OK) _exit(10);
    return ledger;
}

static void insert(ledger_t *ledger, uint64_t number)
{
    ledger_job_t job = make_job(number);
    if (ledger_put_context(ledger, some_context, "a context", 9) != BYRE_OK) _exit(11);
    if (ledger_insert(ledger, &job) != BYRE_OK) _exit(12);
}

static void wait_for_disk(ledger_t *ledger)
{
    struct pollfd ready = { .fd = ledger_fd(ledger), .events = POLLIN };
    if (poll(&ready, 1, -1) != 1) _exit(13);
    ledger_reap(ledger);
}

/* Accepts jobs, one or many at a time, and ends some, as fast as it can. */
_Noreturn static void live(unsigned seed)
{
    ledger_t *ledger = begin_life();
    for (unsigned round = 0;; round++) {
        uint64_t count = 1 + (seed + round) % 37, first = ledger_take_numbers(ledger, count);
        if (first == 0) _exit(7);
        for (uint64_t n = first; n < first + count; n++) {
            word_t taken = { n, TAKEN };
            report(&taken);
            insert(ledger, n);
            if (n % 3 == 0) promise(ledger, n, BYRE__JOB_QUEUED);
            if (n % 4 == 0) {
                ledger_job_t job = make_job(n);
                end_job(&job);
                if (ledger_update(ledger, &job) != BYRE_OK) _exit(8);
                promise(ledger, n, BYRE__JOB_ENDED);
            }
        }
        if (round % 50 == 49 && ledger_prune(ledger, UINT64_MAX, NULL, NULL) != BYRE_OK) _exit(9);
        ledger_reap(ledger);
        if (ledger_backlog(ledger) > 2000) wait_for_disk(ledger);
    }
}

/* ---- and what is left of it --------------------------------------------------------------------------- */

/* Of each number: 0 unknown, 1 taken, 2 durably queued, 3 durably ended. */
static unsigned char known[MOST_JOBS];

/* Reads until the pipe is empty and its writer gone. Kills it after so many words, or promises. */
static void hear(int fd, pid_t child, unsigned kill_after, bool promises)
{
    word_t word;
    unsigned words = 0;
    while (read(fd, &word, sizeof word) == (ssize_t)sizeof word) {
        words += !promises || word.state != TAKEN;
        if (words == kill_after) ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_uint_lt(word.number, MOST_JOBS);
        unsigned char level = word.state == TAKEN ? 1 : word.state == BYRE__JOB_QUEUED ? 2 : 3;
        if (level == 1)
            ck_assert_msg(known[word.number] == 0, "number %llu came twice",
                          (unsigned long long)word.number);
        if (level > known[word.number]) known[word.number] = level;
    }
}

static void see(void *arg, const ledger_job_t *job)
{
    unsigned char *found = arg;
    ledger_job_t expected = make_job(job->id.number);
    if (job->state == BYRE__JOB_ENDED) end_job(&expected);
    check_same(job, &expected);
    ck_assert_uint_lt(job->id.number, MOST_JOBS);
    found[job->id.number] = job->state == BYRE__JOB_ENDED ? 3 : 2;
}

static void check_all(void)
{
    static unsigned char found[MOST_JOBS];
    memset(found, 0, sizeof found);
    ledger_t *ledger = open_ledger();
    ck_assert_int_eq(ledger_each_open(ledger, see, found), BYRE_OK);
    ck_assert_int_eq(ledger_each_ended(ledger, 0, UINT64_MAX, UINT32_MAX, see, found), BYRE_OK);
    ledger_close(ledger);
    for (size_t n = 0; n < MOST_JOBS; n++)
        ck_assert_msg(known[n] < 2 || found[n] >= known[n],
                      "job %zu was promised and is not there (%d, %d)", n, known[n], found[n]);
}

START_TEST(test_killed)
{
    unsigned promised = 0;
    uint64_t state = 42;
    for (unsigned life = 0; life < LIVES; life++) {
        int ends[2];
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            report_fd = ends[1];
            live(life);
        }
        close(ends[1]);
        state = state * 6364136223846793005u + 1442695040888963407u;
        bool promises = life % 2 == 0;
        hear(ends[0], child, 1 + (unsigned)(state >> 33) % (promises ? 100 : 600), promises);
        close(ends[0]);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended by itself: %x",
                      status);
        if (life % 10 == 9) check_all();
    }
    for (size_t n = 0; n < MOST_JOBS; n++) promised += known[n] >= 2;
    printf("%d lives, %u jobs promised, none missing\n", LIVES, promised);
    ck_assert_uint_ge(promised, LIVES / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_ledger_kill");
    TCase *tests = tcase_create("kill");
    tcase_add_checked_fixture(tests, make_dir, remove_dir);
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, test_killed);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
