/* SPDX-License-Identifier: BSD-3-Clause */
/* A ledger that is damaged, of another version, in use, or on a disk that is full or read-only: a stated error, no
 * crash, and the file is left as it was. */
#include "sched_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { JOBS = 200 };

static void make_ledger(void)
{
    ledger_t *ledger = open_ledger();
    insert_jobs(ledger, 1, JOBS);
    for (uint64_t n = 1; n <= JOBS; n += 2) {
        ledger_job_t job = make_job(n);
        end_job(&job);
        ck_assert_int_eq(ledger_update(ledger, &job), BYRE_OK);
    }
    ck_assert_int_eq(sync_now(ledger, true), BYRE_OK);
    ledger_close(ledger);
}

static unsigned char *read_file(const char *name, size_t *bytes_out)
{
    char path[320];
    struct stat status;
    in_dir(name, path);
    int fd = open(path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    unsigned char *data = malloc((size_t)status.st_size + 1);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(read(fd, data, (size_t)status.st_size), status.st_size);
    close(fd);
    *bytes_out = (size_t)status.st_size;
    return data;
}

static void write_file(const char *name, const void *data, size_t bytes)
{
    char path[320];
    in_dir(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
    close(fd);
}

static void check_file(const char *name, const void *data, size_t bytes)
{
    size_t found;
    unsigned char *now = read_file(name, &found);
    ck_assert_uint_eq(found, bytes);
    ck_assert(memcmp(now, data, bytes) == 0);
    free(now);
}

static void check_refused(int expected, const char *says)
{
    ledger_t *ledger = NULL;
    char error[256];
    int result = ledger_open(dir, &ledger, error);
    ck_assert_msg(result == expected, "%s instead of %s: %s", byre_error_name(result),
                  byre_error_name(expected), error);
    ck_assert_msg(strstr(error, says) != NULL, "\"%s\" says nothing of \"%s\"", error, says);
}

/* A byte of one job's spec. */
START_TEST(test_flipped_spec)
{
    static const char text[] = "spec of job 123,";
    size_t bytes;
    make_ledger();
    unsigned char *data = read_file("ledger.db", &bytes);
    unsigned char *spec = memmem(data, bytes, text, sizeof text - 1);
    ck_assert_ptr_nonnull(spec);
    spec[30] ^= 0x10;
    write_file("ledger.db", data, bytes);
    check_refused(BYRE_EPROTO, "n1.123");
    check_file("ledger.db", data, bytes);
    check_refused(BYRE_EPROTO, "n1.123"); /* the lock was given back */
    free(data);
}
END_TEST

typedef struct whole {
    uint64_t open, ended;
} whole_t;

static void see_open(void *arg, const ledger_job_t *job)
{
    whole_t *whole = arg;
    ledger_job_t expected = make_job(job->id.number);
    check_same(job, &expected);
    whole->open++;
}

static void see_ended(void *arg, const ledger_job_t *job)
{
    whole_t *whole = arg;
    ledger_job_t expected = make_job(job->id.number);
    end_job(&expected);
    check_same(job, &expected);
    whole->ended++;
}

/* Any byte: it is noticed, or it did not matter. */
START_TEST(test_flipped_anywhere)
{
    size_t bytes;
    int noticed = 0, harmless = 0;
    make_ledger();
    unsigned char *data = read_file("ledger.db", &bytes);
    for (size_t at = 0; at < bytes; at += at < 128 ? 1 : 211) {
        ledger_t *ledger = NULL;
        char error[256];
        whole_t whole = { 0, 0 };
        data[at] ^= (unsigned char)(1 << at % 8);
        empty_dir();
        write_file("ledger.db", data, bytes);
        int result = ledger_open(dir, &ledger, error);
        if (result != BYRE_OK) {
            ck_assert_msg(result == BYRE_EPROTO || result == BYRE_ESYSTEM, "byte %zu: %s", at,
                          error);
            ck_assert_str_ne(error, "");
            noticed++;
        } else {
            ck_assert_int_eq(ledger_each_open(ledger, see_open, &whole), BYRE_OK);
            ck_assert_int_eq(
                ledger_each_ended(ledger, 0, UINT64_MAX, UINT32_MAX, see_ended, &whole), BYRE_OK);
            ck_assert_uint_eq(whole.open, JOBS / 2);
            ck_assert_uint_eq(whole.ended, JOBS / 2);
            ck_assert_uint_gt(ledger_take_numbers(ledger, 1), 0);
            ledger_close(ledger);
            harmless++;
        }
        data[at] ^= (unsigned char)(1 << at % 8);
    }
    printf("%d flipped bytes were noticed, %d did not matter\n", noticed, harmless);
    ck_assert_int_gt(noticed, 0);
    ck_assert_int_gt(harmless, 0); /* pages have room that nothing is in */
    free(data);
}
END_TEST

START_TEST(test_truncated)
{
    size_t bytes;
    make_ledger();
    unsigned char *data = read_file("ledger.db", &bytes);
    for (size_t left = 0; left < bytes; left += left < 200 ? 50 : 4001) {
        empty_dir();
        write_file("ledger.db", data, left);
        check_refused(BYRE_EPROTO, "ledger");
        check_file("ledger.db", data, left);
    }
    free(data);
}
END_TEST

START_TEST(test_garbage)
{
    char data[20000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 31 + i / 97);
    write_file("ledger.db", data, sizeof data);
    check_refused(BYRE_EPROTO, "left as it is");
    check_file("ledger.db", data, sizeof data);
}
END_TEST

static void change(const char *text)
{
    char path[320];
    sqlite3 *handle = NULL;
    in_dir("ledger.db", path);
    ck_assert_int_eq(sqlite3_open(path, &handle), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(handle, text, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(handle), SQLITE_OK);
}

START_TEST(test_other_version)
{
    make_ledger();
    change("PRAGMA user_version=99");
    check_refused(BYRE_EPROTO, "version 99");
    change("PRAGMA user_version=1; PRAGMA application_id=7");
    check_refused(BYRE_EPROTO, "not a ledger");
}
END_TEST

START_TEST(test_missing_parts)
{
    char path[320];
    make_ledger();
    change("DELETE FROM contexts");
    check_refused(BYRE_EPROTO, "context");
    empty_dir();
    make_ledger();
    change("UPDATE meta SET value=5 WHERE name='limit'");
    check_refused(BYRE_EPROTO, "number");
    empty_dir();
    write_file("ledger.db-wal", "something", 9); /* and no ledger.db */
    check_refused(BYRE_EPROTO, "missing");
    in_dir("ledger.db", path);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_in_use)
{
    ledger_t *ledger = open_ledger();
    check_refused(BYRE_EBUSY, "another daemon");
    pid_t child = fork();
    if (child == 0) {
        check_refused(BYRE_EBUSY, "another daemon");
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ledger_close(ledger);
    ledger_close(open_ledger());
}
END_TEST

/* ---- the disk ------------------------------------------------------------------------------------------- */

/* Without root's rights. */
static void as_user(void)
{
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(dir, 65534, 65534), 0);
        ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    }
}

START_TEST(test_read_only_directory)
{
    ck_assert_int_eq(chmod(dir, 0500), 0);
    pid_t child = fork();
    if (child == 0) {
        as_user();
        check_refused(BYRE_ESYSTEM, "Permission denied");
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(chmod(dir, 0700), 0);
    check_refused(BYRE_OK, "");
}
END_TEST

START_TEST(test_no_directory)
{
    char before[sizeof dir];
    memcpy(before, dir, sizeof dir);
    strcat(dir, "/none");
    check_refused(BYRE_ESYSTEM, "No such file");
    memcpy(dir, before, sizeof dir);
}
END_TEST

/* Until there is trouble; then all that was queued is written when there is room again. */
static void fill_and_recover(void (*make_room)(void))
{
    ledger_t *ledger = open_ledger();
    uint64_t n = 0, durable = 0;
    while (ledger_trouble(ledger) == NULL) {
        insert_jobs(ledger, n + 1, 100);
        n += 100;
        if (sync_now(ledger, true) == BYRE_OK) durable = n;
    }
    ck_assert_uint_gt(durable, 0);
    ck_assert_msg(strstr(ledger_trouble(ledger), "Make room") != NULL, "%s",
                  ledger_trouble(ledger));
    ck_assert_int_eq(sync_now(ledger, true), BYRE_ESYSTEM);
    ck_assert_uint_eq(count_open(ledger), durable);
    ck_assert_uint_eq(ledger_backlog(ledger), n - durable);
    make_room();
    while (ledger_trouble(ledger) != NULL) reap_once(ledger);
    ck_assert_int_eq(sync_now(ledger, true), BYRE_OK);
    ck_assert_uint_eq(ledger_backlog(ledger), 0);
    ck_assert_uint_eq(count_open(ledger), n);
    ledger_close(ledger);
    ledger = open_ledger();
    ck_assert_uint_eq(count_open(ledger), n);
    ledger_close(ledger);
}

static void lift_limit(void)
{
    struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(test_file_size_limit)
{
    struct rlimit limit = { 1 << 20, RLIM_INFINITY };
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fill_and_recover(lift_limit);
}
END_TEST

static void enlarge(void)
{
    ck_assert_int_eq(mount("none", dir, "tmpfs", MS_REMOUNT, "size=64m"), 0);
}

START_TEST(test_disk_full)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", dir, "tmpfs", 0, "size=1m") != 0) {
        printf("a full disk was not tried: it takes root\n");
        return;
    }
    fill_and_recover(enlarge);
    ck_assert_int_eq(umount(dir), 0);
}
END_TEST

/* Too full to begin with. */
START_TEST(test_no_room_at_all)
{
    struct rlimit limit = { 2000, RLIM_INFINITY };
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_refused(BYRE_ESYSTEM, "ledger.db");
    lift_limit();
    ledger_close(open_ledger()); /* nothing half-made is left */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_ledger_damage");
    TCase *tests = tcase_create("damage");
    tcase_add_checked_fixture(tests, make_dir, remove_dir);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_flipped_spec);
    tcase_add_test(tests, test_flipped_anywhere);
    tcase_add_test(tests, test_truncated);
    tcase_add_test(tests, test_garbage);
    tcase_add_test(tests, test_other_version);
    tcase_add_test(tests, test_missing_parts);
    tcase_add_test(tests, test_in_use);
    tcase_add_test(tests, test_read_only_directory);
    tcase_add_test(tests, test_no_directory);
    tcase_add_test(tests, test_file_size_limit);
    tcase_add_test(tests, test_disk_full);
    tcase_add_test(tests, test_no_room_at_all);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
