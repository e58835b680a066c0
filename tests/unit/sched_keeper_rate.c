/* SPDX-License-Identifier: BSD-3-Clause */
/* time-limit: 120 */
/* How many jobs of /bin/true a second, through the protocol with 64 at once, beside a bare loop of posix_spawn and
 * wait; in turns, median of each. What is tested is that all of them ran; the figures are printed. */
#include "keeper_world.h"

#include <spawn.h>

enum { TURNS = 3, AT_ONCE = 64 };

static int jobs(void)
{
    return getenv("BYRE_SANITIZED") != NULL ? 100 : 300;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double bare_rate(void)
{
    char path[] = "/bin/true", *argv[] = { path, NULL }, *env[] = { NULL };
    double begin = seconds();
    for (int i = 0; i < jobs(); i++) {
        pid_t pid;
        ck_assert_int_eq(posix_spawn(&pid, path, NULL, NULL, argv, env), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    }
    return jobs() / (seconds() - begin);
}

static double keeper_rate(kw_t *w)
{
    char path[] = "/bin/true", *argv[] = { path, NULL };
    int begun = 0;
    double begin = seconds();
    memset(w->jobs, 0, sizeof w->jobs);
    for (int done = 0; done < jobs(); done++) {
        while (begun < jobs() && begun - done < AT_ONCE)
            kw_order(w, (uint64_t)++begun, 1, BYRE__JOB_ATTACHED, argv, "", NULL);
        KW_ENDS(w, done + 1, BYRE__END_EXITED, 0);
        kw_forget(w, (uint64_t)done + 1, true);
    }
    double rate = jobs() / (seconds() - begin);
    memset(w->jobs, 0, sizeof w->jobs);
    kw_hello(w);
    ck_assert_uint_eq(w->state_count, 0);
    return rate;
}

/* The keeper's own processor time so far. */
static double keeper_seconds(const kw_t *w)
{
    char path[64];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d", kw_keeper(w));
    const char *at = strrchr(kw_read(path, "stat"), ')');
    ck_assert_int_eq(
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

START_TEST(rate)
{
    double bare[TURNS], kept[TURNS];
    kw_t *w = kw_create(_i);
    for (int i = 0; i < TURNS; i++) {
        bare[i] = bare_rate();
        kept[i] = keeper_rate(w);
    }
    qsort(bare, TURNS, sizeof bare[0], compare);
    qsort(kept, TURNS, sizeof kept[0], compare);
    printf("/bin/true %s cgroups: %.0f a second through the keeper, %.0f in a bare loop: %.2f x; "
           "the keeper used %.0f us of a processor for each\n",
           _i ? "with" : "without", kept[TURNS / 2], bare[TURNS / 2],
           kept[TURNS / 2] / bare[TURNS / 2], keeper_seconds(w) * 1e6 / (TURNS * jobs()));
    fflush(stdout);
    kw_destroy(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_keeper_rate");
    TCase *tcase = tcase_create("rate");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, rate, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
