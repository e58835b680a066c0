/* SPDX-License-Identifier: BSD-3-Clause */
/* byre-apps: start, run one application after the other, finish. */
#include "apps.h"

static int run(const struct cmdline *cmd)
{
    MPI_Comm comm;
    int status = 0;

    check_mpi("MPI_Comm_dup", MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    table_open(cmd);
    for (int i = 0; i < cmd->app_count; i++) {
        int worse = trial_run(cmd, cmd->apps[i], comm);
        status = worse > status ? worse : status;
    }
    check_mpi("MPI_Comm_free", MPI_Comm_free(&comm));
    return status;
}

/* MPI is started here and not by byre_init, because the message versions need it also without mpirun. */
static int start(int *argc, char ***argv)
{
    int level;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &level) != MPI_SUCCESS ||
        level < MPI_THREAD_MULTIPLE)
        return options_complain("Open MPI does not start with MPI_THREAD_MULTIPLE") - 1;
    int error = byre_init();
    if (!error) return 0;
    options_complain("byre_init: %s (BYRE_LOG=error tells more)", byre_strerror(error));
    MPI_Finalize();
    return 1;
}

int main(int argc, char **argv)
{
    struct cmdline cmd;
    int status = cmdline_parse(&cmd, argc, argv);

    if (status) return status - 1;
    if (start(&argc, &argv)) return 1;
    status = run(&cmd);
    check_byre("byre_finalize", byre_finalize());
    MPI_Finalize();
    return status;
}
