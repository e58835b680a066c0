/* SPDX-License-Identifier: BSD-3-Clause */
/* time-limit: 180 */
/* A job's own directory for its files: it is there, it is the job's alone, and it goes with all that is in it, and with
 * nothing else. Each test with (1) and without (0) cgroups where processes matter. */
#include "keeper_world.h"

#include "sched/keeper/keeper.h"
#include <sys/mount.h>
#include <sys/prctl.h>

enum { OWN = BYRE__JOB_OWN_TMP };

/* ---- looking ------------------------------------------------------------------------------------------ */

/* Entries of DIR/tmp: -1 if it is not there. */
static int entries(const kw_t *w)
{
    char path[600];
    int count = 0;
    snprintf(path, sizeof path, "%s/tmp", w->dir);
    DIR *list = opendir(path);
    if (list == NULL) return -1;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(list);
    return count;
}

/* What a job without streams has written. */
static const char *output(const kw_t *w, int number)
{
    char name[64];
    snprintf(name, sizeof name, "spool/t.%d.out", number);
    const char *text = kw_read(w->dir, name);
    return text == NULL ? "" : text;
}

static bool logged(const kw_t *w, const char *part)
{
    return strstr(kw_read(w->dir, "keeper.log"), part) != NULL;
}

/* DIR/keep/file: what a job must not take along. */
static void make_outside(const kw_t *w)
{
    char command[700];
    snprintf(command, sizeof command, "mkdir '%s/keep' && echo kept >'%s/keep/file'", w->dir,
             w->dir);
    ck_assert_int_eq(system(command), 0);
}

static bool outside_is_whole(const kw_t *w)
{
    const char *text = kw_read(w->dir, "keep/file");
    return text != NULL && strcmp(text, "kept\n") == 0;
}

/* ---- it is there, and goes ------------------------------------------------------------------------------ */

START_TEST(private_and_empty)
{
    kw_t *w = kw_create(_i);
    char expected[700], variable[] = "TMPDIR=/nowhere", *extra[] = { variable, NULL };
    char sh[] = "sh", c[] = "-c",
         script[] = "echo $TMPDIR; stat -c '%a %F' $TMPDIR; ls -A $TMPDIR | wc -l;"
                    "env | grep -c '^TMPDIR='; mkdir $TMPDIR/a; echo x >$TMPDIR/a/b; exit 5",
         *argv[] = { sh, c, script, NULL };
    kw_order(w, 1, 1, OWN, argv, "", extra);
    KW_ENDS(w, 1, BYRE__END_EXITED, 5);
    snprintf(expected, sizeof expected, "%s/tmp/t.1.1\n700 directory\n0\n1\n", w->dir);
    ck_assert_str_eq(output(w, 1), expected);
    ck_assert(!kw_exists(w, "tmp/t.1.1")); /* when its end is told */
    KW_UNTIL(entries(w) == 0);             /* and soon there is nothing at all */
    kw_destroy(w);
}
END_TEST

START_TEST(only_for_who_wants_it)
{
    kw_t *w = kw_create(0);
    const char *ours = getenv("TMPDIR");
    char expected[600];
    kw_start(w, 1, 0, "echo \"${TMPDIR-none}\"");
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    snprintf(expected, sizeof expected, "%s\n", ours == NULL ? "none" : ours);
    ck_assert_str_eq(output(w, 1), expected);
    ck_assert_int_eq(entries(w), -1);
    kw_destroy(w);
}
END_TEST

START_TEST(another_attempt)
{
    kw_t *w = kw_create(0);
    char sh[] = "sh", c[] = "-c", script[] = "ls -A $TMPDIR; basename $TMPDIR; : >$TMPDIR/mine",
         *argv[] = { sh, c, script, NULL };
    for (uint32_t attempt = 1; attempt <= 2; attempt++) {
        char expected[32];
        w->jobs[1].ended = false;
        kw_order(w, 1, attempt, OWN, argv, "", NULL);
        KW_ENDS(w, 1, BYRE__END_EXITED, 0);
        snprintf(expected, sizeof expected, "t.1.%u\n", attempt);
        ck_assert_str_eq(output(w, 1), expected);
    }
    kw_byte_order(w, BYRE__KEEP_FORGET, 1, 1, 1);
    kw_destroy(w);
}
END_TEST

/* With all that the job has left running: the files go when these have gone. */
START_TEST(killed)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, OWN,
             "setsid sh -c 'cd $TMPDIR; while :; do echo >f$((n += 1)); mkdir -p d/e; done' &"
             "while test ! -e $TMPDIR/f9; do sleep 0.02; done; echo 1; wait");
    kw_start(w, 2, OWN | BYRE__JOB_STREAMS, ": >$TMPDIR/f; sleep 1000");
    kw_first_number(w, 1);
    KW_UNTIL(kw_exists(w, "tmp/t.2.1/f"));
    kw_kill(w, 1, 0);
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGKILL);
    KW_UNTIL(entries(w) == 1);
    ck_assert(kw_exists(w, "tmp/t.2.1/f"));
    kw_kill(w, 2, 60000);
    KW_ENDS(w, 2, BYRE__END_SIGNAL, SIGTERM);
    KW_UNTIL(entries(w) == 0);
    kw_destroy(w);
}
END_TEST

START_TEST(many)
{
    enum { JOBS = 120 };
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    int fds = 0;
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 1; i <= JOBS; i++)
            kw_start(w, i, OWN, "cd $TMPDIR; : >a; mkdir b c; : >b/a; test $(find . | wc -l) = 5");
        for (uint64_t i = 1; i <= JOBS; i++) KW_ENDS(w, i, BYRE__END_EXITED, 0);
        for (uint64_t i = 1; i <= JOBS; i++) kw_forget(w, i, true);
        memset(w->jobs, 0, sizeof w->jobs);
        KW_UNTIL(entries(w) == 0);
        kw_hello(w);
        if (round == 0) fds = kw_count_fds(keeper);
    }
    KW_UNTIL(kw_count_fds(keeper) <= fds);
    kw_destroy(w);
}
END_TEST

/* ---- what a job may do to it ------------------------------------------------------------------------------ */

static const char *const odd_things[] = {
    /* links out, hard and soft, of a file, a directory, and to themselves */
    "cd $TMPDIR; ln -s $KEEP/file s; ln -s $KEEP d; ln $KEEP/file h; ln -s me me; mkdir x; ln -s "
    "$KEEP x/y;"
    "ln -s ../../.. x/up; chmod 000 x",
    /* names, and what is no file */
    "cd $TMPDIR; n=$(printf '%0255d' 0); : >$n; mkdir -- -rf \"$(printf 'a\\n\\033b')\" ...; "
    "mkfifo .../p;"
    "for i in 0 1 2 3; do mkdir $i; : >$i/$n; done; : >\"...x\"; mkdir -p 4/5/.6/7",
    /* deeper than any path */
    "cd $TMPDIR; i=0; n=$(printf '%0200d' 0); while test $((i += 1)) -le 400; do mkdir $n 0; : >f; "
    "cd -P $n;"
    "done",
    "chmod 000 $TMPDIR",
    "rmdir $TMPDIR",
    "rmdir $TMPDIR; : >$TMPDIR",
    "rmdir $TMPDIR; ln -s $KEEP $TMPDIR",
    "mv $TMPDIR $KEEP/moved; ln -s $KEEP/moved $TMPDIR; : >$KEEP/moved/f",
    /* in the place of the next job's, and of what is being removed */
    "for i in 0 1 2 3 4 5 6 7 8 9 10; do mkdir $TMPDIR/../.$i-t.9.1 $TMPDIR/../t.$i.1; : "
    ">$TMPDIR/../t.$i.1/f; done"
    " 2>/dev/null; :",
};

START_TEST(odd_things_go)
{
    kw_t *w = kw_create(0);
    char script[1024], keep[600], *extra[] = { keep, NULL };
    char sh[] = "bash", c[] = "-c", *argv[] = { sh, c, script, NULL };
    make_outside(w);
    snprintf(keep, sizeof keep, "KEEP=%s/keep", w->dir);
    snprintf(script, sizeof script, "%s", odd_things[_i]);
    kw_order(w, 9, 1, OWN, argv, "", extra);
    KW_ENDS(w, 9, BYRE__END_EXITED, 0);
    /* It may have prepared this one's place. */
    kw_start(w, 10, OWN, "ls -A $TMPDIR");
    KW_ENDS(w, 10, BYRE__END_EXITED, 0);
    ck_assert_str_eq(output(w, 10), "");
    ck_assert(outside_is_whole(w));
    KW_UNTIL(!kw_exists(w, "tmp/t.9.1"));
    if (_i < 8) {
        KW_UNTIL(entries(w) == 0);
    } else { /* what it made beside its own goes with the keeper */
        kw_end_keeper(w, SIGTERM);
        kw_disconnect(w);
        kw_next_keeper(w);
        kw_connect(w);
        KW_UNTIL(entries(w) == 0);
    }
    ck_assert(!logged(w, "will try to remove it"));
    ck_assert(outside_is_whole(w));
    kw_destroy(w);
}
END_TEST

/* Directories that their owner may not enter mean nothing to root: so not as root. */
START_TEST(not_as_root)
{
    char path[] = "/tmp/keeper_tmp.XXXXXX", entry[KEEPER_ENTRY], command[1024];
    int status;
    ck_assert_ptr_nonnull(mkdtemp(path));
    snprintf(command, sizeof command,
             "cd %s && mkdir -p a/b/c/d a/e && : >a/b/f && : >a/b/c/d/f && cd a &&"
             "(i=0; while test $((i += 1)) -le 50; do mkdir x y; : >y/f; chmod 0 y; cd x; done;"
             "while test $((i -= 1)) -gt 1; do cd ..; chmod 000 x; done) &&"
             "chmod 500 b/c && chmod 300 e && chmod 000 b && chmod 000 ../a",
             path);
    pid_t pid = fork();
    if (pid == 0) {
        int dir = open(path, O_RDONLY | O_DIRECTORY);
        if (geteuid() == 0 &&
            (chown(path, 65534, 65534) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            _exit(10);
        (void)prctl(PR_SET_DUMPABLE, 1L); /* as who has not changed user */
        if (system(command) != 0) _exit(11);
        int error = keeper_remove(dir, "a", entry);
        if (error != 0) fprintf(stderr, "%s: %s\n", entry, strerror(error));
        _exit(error != 0 ? 12 : 0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* What cannot be removed is said by name, once, and all else goes. */
START_TEST(what_cannot_be_removed)
{
    kw_t *w = kw_create(0);
    char path[700], script[1500];
    make_outside(w);
    /* The same file system, so only the mount itself says that this is somebody else's. */
    snprintf(script, sizeof script,
             "cd $TMPDIR; mkdir -p a/busy; mount --bind '%s/keep' a/busy || exit 77; : >a/f",
             w->dir);
    kw_start(w, 1, OWN, script);
    if (kw_wait(w, 1)->code == 77) {
        printf("mounts are not permitted here\n");
        kw_destroy(w);
        return;
    }
    KW_UNTIL(logged(w, "busy: Device or resource busy; the next keeper"));
    KW_UNTIL(kw_exists(w, "tmp/+0-t.1.1"));
    bool whole = outside_is_whole(w), rest = kw_exists(w, "tmp/+0-t.1.1/a/f");
    kw_start(w, 2, OWN, ": >$TMPDIR/f");
    KW_ENDS(w, 2, BYRE__END_EXITED, 0);
    KW_UNTIL(entries(w) == 1);
    snprintf(path, sizeof path, "%s/tmp/+0-t.1.1/a/busy", w->dir);
    ck_assert_int_eq(umount(path), 0);
    ck_assert(whole && !rest);
    kw_end_keeper(w, SIGTERM);
    kw_disconnect(w);
    kw_next_keeper(w);
    kw_connect(w);
    KW_UNTIL(entries(w) == 0);
    const char *log = kw_read(w->dir, "keeper.log"), *first = strstr(log, "busy: Device");
    ck_assert_ptr_null(strstr(first + 1, "busy: Device"));
    ck_assert(outside_is_whole(w));
    kw_destroy(w);
}
END_TEST

/* ---- starts that fail -------------------------------------------------------------------------------------- */

START_TEST(no_place)
{
    static const char *const instead[] = { ": >'%s/tmp'", "ln -s / '%s/tmp'" };
    kw_t *w = kw_create(0);
    char command[700], script[700];
    snprintf(command, sizeof command, instead[_i], w->dir);
    snprintf(script, sizeof script, ": >'%s/ran'", w->dir);
    ck_assert_int_eq(system(command), 0);
    kw_start(w, 1, OWN, script);
    KW_ENDS(w, 1, BYRE__END_NO_START, ENOTDIR);
    ck_assert_str_eq(w->jobs[1].end.detail,
                     "no directory of its own in tmp of the state directory: Not a directory");
    ck_assert(!kw_exists(w, "ran"));
    kw_start(w, 2, 0, "exit 3"); /* others do not care */
    KW_ENDS(w, 2, BYRE__END_EXITED, 3);
    snprintf(command, sizeof command, "rm '%s/tmp'", w->dir);
    ck_assert_int_eq(system(command), 0);
    kw_start(w, 3, OWN, script);
    KW_ENDS(w, 3, BYRE__END_EXITED, 0);
    ck_assert(kw_exists(w, "ran"));
    kw_destroy(w);
}
END_TEST

START_TEST(no_program)
{
    kw_t *w = kw_create(0);
    char program[] = "/no/such/program", *argv[] = { program, NULL };
    kw_order(w, 1, 1, OWN, argv, "", NULL);
    KW_ENDS(w, 1, BYRE__END_NO_EXEC, ENOENT);
    ck_assert(!kw_exists(w, "tmp/t.1.1"));
    KW_UNTIL(entries(w) == 0);
    kw_destroy(w);
}
END_TEST

/* ---- the keeper is killed ------------------------------------------------------------------------------------ */

/* While jobs run, and while it removes what others left. */
START_TEST(the_next_keeper_removes)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, OWN, ": >$TMPDIR/f; chmod 000 $TMPDIR; setsid sleep 1000 & sleep 1000");
    kw_start(w, 2, OWN, "cd $TMPDIR; mkdir -p a/b/c; seq 4000 | (cd a/b; xargs touch); exit 4");
    KW_ENDS(w, 2, BYRE__END_EXITED, 4);
    KW_UNTIL(kw_exists(w, "tmp/t.1.1/f") || geteuid() != 0);
    ck_assert_int_ge(entries(w), 1);
    kw_end_keeper(w, SIGKILL);
    kw_disconnect(w);
    kw_next_keeper(w);
    ck_assert(!kw_exists(w, "tmp/t.1.1")); /* by the time it listens */
    kw_connect(w);
    KW_ENDS(w, 1, BYRE__END_LOST, 0);
    KW_ENDS(w, 2, BYRE__END_EXITED, 4);
    kw_start(w, 3, OWN, "ls -A $TMPDIR");
    KW_ENDS(w, 3, BYRE__END_EXITED, 0);
    ck_assert_str_eq(output(w, 3), "");
    KW_UNTIL(entries(w) == 0);
    kw_destroy(w);
}
END_TEST

/* It does not end before all is removed. */
START_TEST(told_to_end)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, OWN, "cd $TMPDIR; seq 4000 | xargs touch; echo 1; sleep 1000");
    kw_first_number(w, 1);
    kw_end_keeper(w, SIGTERM);
    ck_assert_int_eq(entries(w), -1);
    kw_disconnect(w);
    kw_next_keeper(w);
    kw_connect(w);
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGTERM);
    kw_destroy(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_keeper_tmp");
    TCase *tcase = tcase_create("own_tmp");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, private_and_empty, 0, 2);
    tcase_add_test(tcase, only_for_who_wants_it);
    tcase_add_test(tcase, another_attempt);
    tcase_add_loop_test(tcase, killed, 0, 2);
    tcase_add_loop_test(tcase, many, 0, 2);
    tcase_add_loop_test(tcase, odd_things_go, 0, sizeof odd_things / sizeof odd_things[0]);
    tcase_add_test(tcase, not_as_root);
    tcase_add_test(tcase, what_cannot_be_removed);
    tcase_add_loop_test(tcase, no_place, 0, 2);
    tcase_add_test(tcase, no_program);
    tcase_add_loop_test(tcase, the_next_keeper_removes, 0, 2);
    tcase_add_loop_test(tcase, told_to_end, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
