/* SPDX-License-Identifier: BSD-3-Clause */
/* state.c - see state.h. */
#include "sched/state.h"

#include "sched/job.h"
#include <byre_errors.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool byre__state_node(char *name_out, size_t room_bytes)
{
    char host[256];
    const char *said = getenv("BYRE_NODE_NAME"); /* as the runtime: runtime/node.c */
    if (said != NULL && said[0] != '\0')
        (void)snprintf(host, sizeof host, "%s", said);
    else if (gethostname(host, sizeof host) != 0)
        return false;
    host[sizeof host - 1] = '\0';
    host[strcspn(host, ".")] = '\0';
    size_t length = strlen(host);
    if (length == 0 || length >= room_bytes || length >= BYRE__NODE_NAME) return false;
    if (strchr(host, '/') != NULL) return false; /* it becomes a directory */
    memcpy(name_out, host, length + 1);
    return true;
}

const char *byre__state_pool(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (name == NULL) name = getenv("BYRE_POOL");
    if (name == NULL || name[0] == '\0') name = "pool";
    size_t length = strlen(name);
    if (length > 32 || name[0] == '.' || strspn(name, letters) != length) return NULL;
    return name;
}

/* One of the directories: made if asked for, and ours alone. Root may look into those of others. */
static int step(const char *path, bool create)
{
    struct stat st;
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST) return BYRE_ESYSTEM;
    if (lstat(path, &st) != 0) return BYRE_ESYSTEM;
    bool ours = st.st_uid == geteuid() || (geteuid() == 0 && !create);
    if (!S_ISDIR(st.st_mode) || !ours || (st.st_mode & 077) != 0) return BYRE_ERIGHT;
    return BYRE_OK;
}

int byre__state_dir(const char *pool, bool create, char dir_out[static BYRE__STATE_PATH])
{
    char node[BYRE__NODE_NAME];
    const char *base = getenv("BYRE_STATE");
    int n =
        base != NULL && base[0] != '\0'
            ? snprintf(dir_out, BYRE__STATE_PATH, "%s", base)
            : snprintf(dir_out, BYRE__STATE_PATH, "/var/tmp/byre-%lu", (unsigned long)geteuid());
    const char *parts[] = { "", byre__state_pool(pool), node };
    if (parts[1] == NULL || !byre__state_node(node, sizeof node)) return BYRE_EINVAL;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i > 0 && n > 0 && n < BYRE__STATE_PATH)
            n += snprintf(dir_out + n, (size_t)(BYRE__STATE_PATH - n), "/%s", parts[i]);
        if (n <= 0 || n >= BYRE__STATE_PATH) return BYRE_EINVAL;
        int error = step(dir_out, create);
        if (error != BYRE_OK) return error;
    }
    return BYRE_OK;
}
