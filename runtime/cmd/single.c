/* SPDX-License-Identifier: BSD-3-Clause */
/* single.c - main of a program that is one command: the only one linked in. */
#include <errno.h>
#include <string.h>

#include "runtime/cmd/cmd.h"

int main(int argc, char **argv)
{
    const byre__cmd_t *cmd = byre__cmd_first();
    int status;

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        byre__cmd_help(cmd, stdout);
        status = BYRE__CMD_OK;
    } else {
        status = cmd->run(argc, argv);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "byre %s: cannot write the output: %s\n", cmd->name, strerror(errno));
        return BYRE__CMD_FAILED;
    }
    return status;
}
