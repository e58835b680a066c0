/* SPDX-License-Identifier: BSD-3-Clause */
/* options.c - the options of the commands that talk to a pool: how they are read, and what is wrong with them. */
#include "share.h"

#include <stdlib.h>

/* getopt_long's ':' and '?', and what nobody takes. */
static int complain(const byre__cmd_t *cmd, int option, char **argv)
{
    /* Of a cluster such as -xf getopt tells the letter only. */
    bool cluster = optopt > 0 && optopt < 0x80 && argv[optind - 1][0] == '-' &&
                   argv[optind - 1][1] != '-' && option == '?';

    if (option == ':') return byre__cmd_misuse(cmd, "%s wants a value", argv[optind - 1]);
    if (cluster) return byre__cmd_misuse(cmd, "unknown option -%c", optopt);
    return byre__cmd_misuse(cmd, "unknown option %s", argv[optind - 1]);
}

int options_read(const byre__cmd_t *cmd, const options_t *options, int argc, char **argv,
                 void *request)
{
    int option, status = BYRE__CMD_OK;

    opterr = 0;
    while (status == BYRE__CMD_OK &&
           (option = getopt_long(argc, argv, options->letters, options->table, NULL)) != -1) {
        status = option == ':' || option == '?' ? OPTIONS_UNKNOWN : options->take(request, option);
        if (status == OPTIONS_UNKNOWN) status = complain(cmd, option, argv);
    }
    if (status == BYRE__CMD_OK && options->alone && optind < argc)
        return byre__cmd_misuse(cmd, "takes no argument, but there is `%s'", argv[optind]);
    return status;
}

int options_asked(void *asked, int option)
{
    asked_t *to = asked;

    switch (option) {
    case ASKED_POOL:
        to->pool = optarg;
        return BYRE__CMD_OK;
    case ASKED_JSON:
        to->json = true;
        return BYRE__CMD_OK;
    default:
        return OPTIONS_UNKNOWN;
    }
}

int options_number(const byre__cmd_t *cmd, const char *what, int least, int most, int *number_out)
{
    int number = byre__cmd_number(optarg);

    if (number < least || number > most)
        return byre__cmd_misuse(cmd, "%s wants a number from %d to %d, not `%s'", what, least, most,
                                optarg);
    *number_out = number;
    return BYRE__CMD_OK;
}

int options_seconds(const byre__cmd_t *cmd, const char *what, double least, double below,
                    double *seconds_out)
{
    char *end;
    double seconds = strtod(optarg, &end);

    if (end == optarg || *end != '\0' || !(seconds >= least && seconds < below))
        return byre__cmd_misuse(cmd, "%s wants seconds, not `%s'", what, optarg);
    *seconds_out = seconds;
    return BYRE__CMD_OK;
}
