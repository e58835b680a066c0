/* SPDX-License-Identifier: BSD-3-Clause */
/* up_hosts.c - the nodes that `byre up' was told, now or last time; see up.h. */
#include "up.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sched/state.h"

void up_hosts_remember(const up_request_t *request, const char *dir)
{
    char path[BYRE__STATE_PATH + 16];
    FILE *file;

    snprintf(path, sizeof path, "%s/up.hosts", dir);
    if (request->hosts == NULL && request->hostfile == NULL) {
        (void)unlink(path);
        return;
    }
    file = fopen(path, "we");
    if (file == NULL) return;
    fprintf(file, "%s%s\n", request->hosts ? "hosts " : "hostfile ",
            request->hosts ? request->hosts : request->hostfile);
    fclose(file);
}

void up_hosts_recall(up_request_t *request, const char *dir)
{
    char path[BYRE__STATE_PATH + 16];
    FILE *file;

    if (request->hosts != NULL || request->hostfile != NULL) return;
    snprintf(path, sizeof path, "%s/up.hosts", dir);
    file = fopen(path, "re");
    if (file == NULL) return;
    if (fgets(request->remembered, sizeof request->remembered, file) != NULL) {
        char *value = strchr(request->remembered, ' ');

        request->remembered[strcspn(request->remembered, "\n")] = '\0';
        if (strncmp(request->remembered, "hosts ", 6) == 0) request->hosts = value + 1;
        if (strncmp(request->remembered, "hostfile ", 9) == 0) request->hostfile = value + 1;
    }
    fclose(file);
}

int up_hosts_check(const up_request_t *request)
{
    char host[256] = "this machine";
    int found;

    if (request->hosts == NULL && request->hostfile == NULL) return BYRE__CMD_OK;
    found = hosts_include_this(request->hosts, request->hostfile);
    if (found > 0) return BYRE__CMD_OK;
    if (found < 0) return byre__cmd_fail(&up_command, "%s: %s", request->hostfile, strerror(errno));
    (void)gethostname(host, sizeof host - 1);
    return byre__cmd_fail(
        &up_command,
        "%s is not one of the nodes. Jobs are submitted to the daemon of the node one is "
        "on: add %s to %s, or type `byre up' on one of them",
        host, host, request->hosts ? "--hosts" : request->hostfile);
}
