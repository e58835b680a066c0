/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger: rows come back as they were written, callbacks keep their word about the disk, numbers are not
 * given twice, and the memory of many jobs is bounded. */
#include "sched_ledger.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* ---- the disk is watched: SQLite's calls come here ------------------------------------------------------ */

static _Atomic int log_syncs; /* of ledger.db-wal */
static _Atomic int sync_error;

static int note_sync(int fd, long call)
{
    char link[64], path[320];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, sizeof path - 1);
    path[bytes > 0 ? bytes : 0] = '\0';
    const char *tail = strstr(path, "ledger.db-wal");
    if (tail != NULL && sync_error != 0) {
        errno = sync_error;
        return -1;
    }
    int result = (int)syscall(call, fd);
    if (tail != NULL) log_syncs++;
    return result;
}

int fsync(int fd)
{
    return note_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return note_sync(fd, SYS_fdatasync);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

typedef struct seen {
    ledger_job_t jobs[16];
    char specs[16][256];
    int count;
} seen_t;

static void see(void *arg, const ledger_job_t *job)
{
    seen_t *seen = arg;
    ck_assert_int_lt(seen->count, 16);
    ck_assert_uint_le(job->spec_bytes, sizeof seen->specs[0]);
    memcpy(seen->specs[seen->count], job->spec, job->spec_bytes);
    seen->jobs[seen->count] = *job;
    seen->jobs[seen->count].spec = seen->specs[seen->count];
    seen->count++;
}

static void check_get(ledger_t *ledger, const ledger_job_t *job)
{
    seen_t seen = { .count = 0 };
    ck_assert_int_eq(ledger_get(ledger, &job->id, job->guest, see, &seen), BYRE_OK);
    ck_assert_int_eq(seen.count, 1);
    check_same(&seen.jobs[0], job);
}

START_TEST(test_rows)
{
    ledger_t *ledger = open_ledger();
    ledger_job_t home = make_job(17), guest = make_job(17), bare = make_job(18);
    seen_t none = { .count = 0 };
    guest.guest = 1;
    (void)strcpy(guest.id.home, "other");
    bare.spec_bytes = 0;
    put_context(ledger);
    ck_assert_int_eq(ledger_insert(ledger, &home), BYRE_OK);
    ck_assert_int_eq(ledger_insert(ledger, &guest), BYRE_OK);
    ck_assert_int_eq(ledger_insert(ledger, &bare), BYRE_OK);
    for (int again = 0; again < 2; again++) {
        check_get(ledger, &home);
        check_get(ledger, &guest);
        check_get(ledger, &bare);
        home.guest = 1, guest.guest = 0;
        ck_assert_int_eq(ledger_get(ledger, &home.id, true, see, &none), BYRE_ENOTFOUND);
        ck_assert_int_eq(ledger_get(ledger, &guest.id, false, see, &none), BYRE_ENOTFOUND);
        home.guest = 0, guest.guest = 1;
        ledger_close(ledger);
        ledger = open_ledger();
    }
    end_job(&home);
    end_job(&guest);
    ck_assert_int_eq(ledger_update(ledger, &home), BYRE_OK);
    ck_assert_int_eq(ledger_update(ledger, &guest), BYRE_OK);
    for (int again = 0; again < 2; again++) {
        check_get(ledger, &home);
        check_get(ledger, &guest);
        ledger_close(ledger);
        ledger = open_ledger();
    }
    ck_assert_int_eq(ledger_delete(ledger, &home.id, false), BYRE_OK);
    ck_assert_int_eq(ledger_get(ledger, &home.id, false, see, &none), BYRE_ENOTFOUND);
    check_get(ledger, &guest);
    ck_assert_int_eq(ledger_delete(ledger, &guest.id, true), BYRE_OK);
    ck_assert_int_eq(ledger_get(ledger, &guest.id, true, see, &none), BYRE_ENOTFOUND);
    check_get(ledger, &bare);
    ck_assert_int_eq(none.count, 0);
    ledger_close(ledger);
}
END_TEST

START_TEST(test_guest_of_a_later_attempt)
{
    ledger_t *ledger = open_ledger();
    ledger_job_t job = make_job(3);
    job.guest = 1;
    job.attempt = 1;
    put_context(ledger);
    ck_assert_int_eq(ledger_insert(ledger, &job), BYRE_OK);
    job.attempt = 2;
    ck_assert_int_eq(ledger_insert(ledger, &job), BYRE_OK);
    check_get(ledger, &job);
    ck_assert_uint_eq(count_open(ledger), 1);
    ledger_close(ledger);
}
END_TEST

/* What a daemon reads at its start, and the history. */
START_TEST(test_open_and_ended)
{
    ledger_t *ledger = open_ledger();
    seen_t seen = { .count = 0 };
    insert_jobs(ledger, 1, 12);
    for (uint64_t n = 2; n <= 12; n += 2) {
        ledger_job_t job = make_job(n);
        end_job(&job);
        ck_assert_int_eq(ledger_update(ledger, &job), BYRE_OK);
    }
    ledger_job_t guest = make_job(99);
    guest.guest = 1;
    end_job(&guest);
    ck_assert_int_eq(ledger_insert(ledger, &guest), BYRE_OK);
    ck_assert_int_eq(ledger_each_open(ledger, see, &seen), BYRE_OK);
    ck_assert_int_eq(seen.count, 7);
    for (int i = 0; i < 6; i++) {
        ledger_job_t job = make_job(2 * (uint64_t)i + 1);
        check_same(&seen.jobs[i], &job);
    }
    guest.spec = make_job(99).spec;
    check_same(&seen.jobs[6], &guest);

    static const struct {
        uint64_t first, last;
        uint32_t most;
        int count, newest;
    } asked[] = { { 0, UINT64_MAX, 100, 6, 12 }, { 3, 9, 100, 3, 8 }, { 3, 9, 2, 2, 8 },
                  { 13, 20, 5, 0, 0 },           { 4, 4, 1, 1, 4 },   { 1, 12, 0, 0, 0 } };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        seen.count = 0;
        ck_assert_int_eq(
            ledger_each_ended(ledger, asked[i].first, asked[i].last, asked[i].most, see, &seen),
            BYRE_OK);
        ck_assert_int_eq(seen.count, asked[i].count);
        for (int k = 0; k < seen.count; k++)
            ck_assert_uint_eq(seen.jobs[k].id.number, (uint64_t)asked[i].newest - 2 * (uint64_t)k);
    }
    ledger_close(ledger);
}
END_TEST

START_TEST(test_contexts)
{
    ledger_t *ledger = open_ledger();
    char packed[5000];
    void *read = NULL;
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof packed; i++) packed[i] = (char)(i * 7);
    for (uint64_t k = 0; k < 300; k++) {
        byre__context_key_t key = { k * 64,
                                    k % 2 }; /* many in one place of a hash table; one is zero */
        packed[0] = (char)k;
        for (int again = 0; again < 3; again++)
            ck_assert_int_eq(ledger_put_context(ledger, key, packed, sizeof packed - k), BYRE_OK);
    }
    ck_assert_uint_le(ledger_backlog(ledger), 302);
    for (uint64_t k = 0; k < 300; k++) {
        packed[0] = (char)k;
        ck_assert_int_eq(
            ledger_get_context(ledger, (byre__context_key_t){ k * 64, k % 2 }, &read, &bytes),
            BYRE_OK);
        ck_assert_uint_eq(bytes, sizeof packed - k);
        ck_assert(memcmp(read, packed, bytes) == 0);
        free(read);
    }
    ck_assert_int_eq(ledger_get_context(ledger, (byre__context_key_t){ 1, 2 }, &read, &bytes),
                     BYRE_ENOTFOUND);
    ledger_close(ledger);
}
END_TEST

/* A job whose directory and environment nobody knows must not be accepted. */
START_TEST(test_missing_context)
{
    ledger_t *ledger = open_ledger();
    ledger_job_t job = make_job(5);
    ck_assert_int_eq(ledger_insert(ledger, &job), BYRE_OK);
    ck_assert_int_eq(sync_now(ledger, true), BYRE_ESYSTEM);
    ck_assert_ptr_nonnull(ledger_trouble(ledger));
    ck_assert_ptr_nonnull(strstr(ledger_trouble(ledger), "n1.5"));
    ledger_close(ledger);
    ledger = open_ledger();
    ck_assert_uint_eq(count_open(ledger), 0);
    ledger_close(ledger);
}
END_TEST

static void note_dropped(void *arg, const byre__job_id_t *id)
{
    uint64_t *dropped = arg;
    ck_assert_str_eq(id->home, "n1");
    ck_assert_uint_lt(id->number, 64);
    ck_assert_uint_eq(*dropped & (uint64_t)1 << id->number, 0);
    *dropped |= (uint64_t)1 << id->number;
}

START_TEST(test_prune)
{
    ledger_t *ledger = open_ledger();
    uint64_t dropped = 0;
    size_t bytes;
    void *read;
    static const byre__context_key_t unused = { 5, 6 };
    insert_jobs(ledger, 1, 20);
    ck_assert_int_eq(ledger_put_context(ledger, unused, "u", 1), BYRE_OK);
    for (uint64_t n = 1; n <= 20; n++) {
        ledger_job_t job = make_job(n);
        if (n % 5 == 0) continue; /* 5, 10, 15, 20 stay open */
        end_job(&job);
        ck_assert_int_eq(ledger_update(ledger, &job), BYRE_OK);
    }
    ck_assert_int_eq(ledger_prune(ledger, 4, note_dropped, &dropped), BYRE_OK);
    ck_assert_int_eq(sync_now(ledger, false), BYRE_OK);
    uint64_t expected = 0, left = 0;
    for (uint64_t n = 1; n <= 14; n++)
        if (n % 5 != 0) expected |= (uint64_t)1 << n;
    ck_assert_uint_eq(dropped, expected); /* 16 to 19 are the four newest */
    ck_assert_int_eq(ledger_each_ended(ledger, 1, 20, 100, count_row, &left), BYRE_OK);
    ck_assert_uint_eq(left, 4);
    ck_assert_uint_eq(count_open(ledger), 4);
    ck_assert_int_eq(ledger_get_context(ledger, unused, &read, &bytes), BYRE_ENOTFOUND);
    ck_assert_int_eq(ledger_get_context(ledger, some_context, &read, &bytes), BYRE_OK);
    free(read);
    /* What a prune has removed can be put again. */
    ck_assert_int_eq(ledger_put_context(ledger, unused, "u", 1), BYRE_OK);
    ck_assert_int_eq(ledger_get_context(ledger, unused, &read, &bytes), BYRE_OK);
    free(read);
    dropped = 0;
    ck_assert_int_eq(ledger_prune(ledger, UINT64_MAX, note_dropped, &dropped), BYRE_OK);
    ck_assert_int_eq(ledger_prune(ledger, 4, NULL, NULL), BYRE_OK);
    ck_assert_int_eq(sync_now(ledger, false), BYRE_OK);
    ck_assert_uint_eq(dropped, 0);
    ledger_close(ledger);
}
END_TEST

/* ---- what a callback promises --------------------------------------------------------------------------- */

typedef struct promise {
    int syncs_before, *turn, place;
    bool kept;
} promise_t;

static void keep_promise(void *arg, int error)
{
    promise_t *promise = arg;
    ck_assert_int_eq(error, BYRE_OK);
    ck_assert_int_eq((*promise->turn)++, promise->place); /* in order */
    promise->kept = log_syncs > promise->syncs_before;
}

START_TEST(test_durable_is_synced)
{
    ledger_t *ledger = open_ledger();
    int turn = 0;
    for (int i = 0; i < 20; i++) {
        insert_jobs(ledger, (uint64_t)i + 1, 1);
        promise_t promise = { log_syncs, &turn, i, false };
        ck_assert_int_eq(ledger_sync(ledger, true, keep_promise, &promise), BYRE_OK);
        while (turn == i) reap_once(ledger);
        ck_assert(promise.kept);
    }
    ledger_close(ledger);
}
END_TEST

START_TEST(test_lazy_is_not)
{
    ledger_t *ledger = open_ledger();
    insert_jobs(ledger, 1, 1);
    ck_assert_int_eq(sync_now(ledger, true), BYRE_OK);
    int before = log_syncs;
    for (uint64_t n = 2; n < 7; n++) {
        insert_jobs(ledger, n, 1);
        ck_assert_int_eq(sync_now(ledger, false), BYRE_OK);
    }
    ck_assert_int_eq(log_syncs, before);
    /* A durable sync without a change of its own covers what was lazy. */
    ck_assert_int_eq(sync_now(ledger, true), BYRE_OK);
    ck_assert_int_gt(log_syncs, before);
    /* So it does when its changes come to nothing. */
    insert_jobs(ledger, 7, 1);
    ck_assert_int_eq(sync_now(ledger, false), BYRE_OK);
    before = log_syncs;
    byre__job_id_t nobody = { "n1", 1000 };
    ck_assert_int_eq(ledger_delete(ledger, &nobody, false), BYRE_OK);
    ck_assert_int_eq(sync_now(ledger, true), BYRE_OK);
    ck_assert_int_gt(log_syncs, before);
    ledger_close(ledger);
}
END_TEST

/* Many who want it at once share a few syncs. */
START_TEST(test_group)
{
    enum { MANY = 2000 };
    ledger_t *ledger = open_ledger();
    static promise_t promises[MANY];
    int turn = 0, before = log_syncs;
    for (int i = 0; i < MANY; i++) {
        insert_jobs(ledger, (uint64_t)i + 1, 1);
        promises[i] = (promise_t){ before, &turn, i, false };
        ck_assert_int_eq(ledger_sync(ledger, true, keep_promise, &promises[i]), BYRE_OK);
    }
    while (turn < MANY) reap_once(ledger);
    for (int i = 0; i < MANY; i++) ck_assert(promises[i].kept);
    printf("%d durable changes took %d syncs\n", MANY, log_syncs - before);
    ck_assert_int_lt(log_syncs - before, MANY / 4);
    ledger_close(ledger);
}
END_TEST

/* After a failed sync nobody knows what the disk has. */
START_TEST(test_failed_sync)
{
    ledger_t *ledger = open_ledger();
    insert_jobs(ledger, 1, 1);
    ck_assert_int_eq(sync_now(ledger, true), BYRE_OK);
    sync_error = EIO;
    insert_jobs(ledger, 2, 1);
    ck_assert_int_eq(sync_now(ledger, true), BYRE_ESYSTEM);
    sync_error = 0;
    ck_assert_int_eq(sync_now(ledger, true), BYRE_ESYSTEM);
    ck_assert_int_eq(sync_now(ledger, false), BYRE_ESYSTEM);
    ck_assert_ptr_nonnull(ledger_trouble(ledger));
    ck_assert_uint_eq(ledger_backlog(ledger), 0);
    ck_assert_uint_eq(ledger_take_numbers(ledger, 1000000), 0);
    ledger_close(ledger);
    ledger = open_ledger();
    ck_assert_uint_ge(count_open(ledger), 1);
    ledger_close(ledger);
}
END_TEST

/* Closing calls everybody who waits. */
START_TEST(test_close_answers)
{
    ledger_t *ledger = open_ledger();
    answer_t answers[3] = { { 0, 1 }, { 0, 1 }, { 0, 1 } };
    insert_jobs(ledger, 1, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ledger_sync(ledger, i == 1, note_answer, &answers[i]), BYRE_OK);
    ledger_close(ledger);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(answers[i].count, 1);
        ck_assert_int_eq(answers[i].error, BYRE_OK);
    }
    ledger = open_ledger();
    ck_assert_uint_eq(count_open(ledger), 3);
    ledger_close(ledger);
}
END_TEST

/* ---- numbers -------------------------------------------------------------------------------------------- */

START_TEST(test_numbers)
{
    uint64_t next = 1;
    for (int life = 0; life < 3; life++) {
        ledger_t *ledger = open_ledger();
        for (uint64_t count = 1; count < 20000; count = count * 3 + 1) {
            ck_assert_uint_eq(ledger_take_numbers(ledger, count), next); /* without a gap */
            next += count;
        }
        ck_assert_uint_eq(ledger_take_numbers(ledger, 0), 0);
        ck_assert_uint_eq(ledger_take_numbers(ledger, UINT64_MAX), 0);
        ledger_close(ledger);
    }
}
END_TEST

START_TEST(test_numbers_after_a_crash)
{
    uint64_t next = 1;
    for (int life = 0; life < 12; life++) {
        int ends[2];
        uint64_t last = 0;
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            ledger_t *ledger = open_ledger();
            for (int i = 0; i < life * 100; i++) {
                uint64_t first = ledger_take_numbers(ledger, 7), until = first + 7;
                if (first < next || write(ends[1], &until, sizeof until) != sizeof until) _exit(1);
                next = until;
            }
            _exit(0); /* closes nothing */
        }
        close(ends[1]);
        while (read(ends[0], &last, sizeof last) == sizeof last) next = last;
        close(ends[0]);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_uint_gt(next, 12 * 100);
}
END_TEST

/* ---- many ------------------------------------------------------------------------------------------------ */

static size_t resident_kib(void)
{
    size_t kib = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) (void)sscanf(line, "VmRSS: %zu", &kib);
    fclose(file);
    return kib;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A daemon looks at the backlog before it accepts more. */
START_TEST(test_many_jobs)
{
    enum { MANY = 100000, ROOM = 10000 };
    ledger_t *ledger = open_ledger();
    static char environment[6000];
    size_t before = resident_kib(), most = 0;
    double start = seconds();
    ck_assert_int_eq(ledger_put_context(ledger, some_context, environment, sizeof environment),
                     BYRE_OK);
    for (uint64_t n = 1; n <= MANY; n++) {
        insert_jobs(ledger, n, 1);
        if (ledger_backlog(ledger) < ROOM) continue;
        ck_assert_int_eq(sync_now(ledger, true), BYRE_OK);
        size_t now = resident_kib();
        if (now > most) most = now;
    }
    ck_assert_int_eq(sync_now(ledger, true), BYRE_OK);
    double written = seconds();
    ck_assert_uint_eq(count_open(ledger), MANY);
    double counted = seconds();
    ledger_close(ledger);
    double closed = seconds();
    ledger = open_ledger();
    double opened = seconds();
    ck_assert_uint_eq(count_open(ledger), MANY);
    ledger_close(ledger);
    printf("%d jobs: %.0f a second, read %.2f s, close %.2f s, open and check %.2f s; %zu KiB more "
           "memory\n",
           MANY, MANY / (written - start), counted - written, closed - counted, opened - closed,
           most - before);
    if (getenv("BYRE_SANITIZED") == NULL) ck_assert_uint_lt(most - before, 32 << 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_ledger");
    TCase *tests = tcase_create("ledger");
    tcase_add_checked_fixture(tests, make_dir, remove_dir);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_rows);
    tcase_add_test(tests, test_guest_of_a_later_attempt);
    tcase_add_test(tests, test_open_and_ended);
    tcase_add_test(tests, test_contexts);
    tcase_add_test(tests, test_missing_context);
    tcase_add_test(tests, test_prune);
    tcase_add_test(tests, test_durable_is_synced);
    tcase_add_test(tests, test_lazy_is_not);
    tcase_add_test(tests, test_group);
    tcase_add_test(tests, test_failed_sync);
    tcase_add_test(tests, test_close_answers);
    tcase_add_test(tests, test_numbers);
    tcase_add_test(tests, test_numbers_after_a_crash);
    tcase_add_test(tests, test_many_jobs);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
