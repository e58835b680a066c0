/* SPDX-License-Identifier: BSD-3-Clause */
/* byre-bench: start, run one subject, finish. */
#include "bench.h"

#include <signal.h>
#include <string.h>

static int run_subject(const struct options *opt)
{
    if (!strcmp(opt->subject, "am")) return subject_am(opt);
    if (!strcmp(opt->subject, "rpc")) return subject_rpc(opt);
    if (!strcmp(opt->subject, "service")) return subject_service(opt);
    if (!strcmp(opt->subject, "dsm")) return subject_dsm(opt);
    if (!strcmp(opt->subject, "sched")) return subject_sched(opt);
    return subject_p2p(opt);
}

/* Only rank 0 draws, so only its node needs gnuplot: it looks, and all go by what it says. */
static int check_plot(const struct options *opt)
{
    int possible = !opt->plot || plot_possible();
    check_mpi("MPI_Bcast", MPI_Bcast(&possible, 1, MPI_INT, 0, MPI_COMM_WORLD));
    return possible ? 0
                    : options_complain("--plot needs gnuplot, which is not installed here "
                                       "(Debian: apt-get install gnuplot-nox)");
}

static int run_machine(const struct options *opt)
{
    if (byre_rank() == 0) {
        if (opt->format == FORMAT_JSON)
            machine_json(stdout);
        else
            machine_table(stdout);
    }
    return 0;
}

static int run(const struct options *opt)
{
    if (!strcmp(opt->subject, "machine")) return run_machine(opt);
    int status = check_plot(opt);
    if (status) return status;
    report_open(opt);
    return run_subject(opt);
}

/* The notice by signal is taken with sigwaitinfo, for which every thread must have it blocked. */
static void block_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, notice_signal());
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* MPI is started here and not by byre_init, because raw MPI is needed also without mpirun. */
static void start_mpi(int *argc, char ***argv)
{
    int level;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &level) != MPI_SUCCESS ||
        level < MPI_THREAD_MULTIPLE)
        fputs("byre-bench: Open MPI does not start with MPI_THREAD_MULTIPLE\n", stderr);
}

static int run_job(const struct options *opt, int *argc, char ***argv)
{
    block_signal();
    start_mpi(argc, argv);
    int error = byre_init();
    if (error) {
        options_complain("byre_init: %s (BYRE_LOG=error tells more)", byre_strerror(error));
        MPI_Finalize();
        return 1;
    }
    bool first = byre_rank() == 0;
    int status = run(opt);
    error = byre_finalize();
    if (error) bench_die("byre_finalize", byre_strerror(error));
    MPI_Finalize();
    return first && !status ? report_close() : status;
}

int main(int argc, char **argv)
{
    struct options opt;
    int status = options_parse(&opt, argc, argv);

    if (status) return status - 1;
    if (!strcmp(opt.subject, "compare"))
        return compare_files(opt.files[0], opt.files[1], opt.fail_percent);
    return run_job(&opt, &argc, &argv);
}
