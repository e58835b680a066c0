/* SPDX-License-Identifier: BSD-3-Clause */
/* xargs_results.c - DIR/SEQ/stdout, stderr, and how it went in DIR/SEQ/status; see xargs.h. */
#include "xargs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

static int open_in(const char *dir, uint64_t seq, const char *name)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%llu/%s", dir, (unsigned long long)seq, name) >=
        (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

static bool make(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

bool results_open(const xargs_request_t *request, xargs_job_t *job)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%llu", request->results, (unsigned long long)job->seq) >=
        (int)sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (!make(request->results) || !make(path)) return false;
    job->file[0] = open_in(request->results, job->seq, "stdout");
    job->file[1] = open_in(request->results, job->seq, "stderr");
    return job->file[0] >= 0 && job->file[1] >= 0;
}

bool results_write(const xargs_request_t *request, const xargs_job_t *job, int stream,
                   const void *data, size_t bytes)
{
    (void)request;
    return output_write_all(job->file[stream], data, bytes);
}

bool results_close(const xargs_request_t *request, xargs_job_t *job)
{
    int fd = open_in(request->results, job->seq, "status");
    char text[32];
    int n = snprintf(text, sizeof text, "%d\n", byre__end_status(&job->end));
    bool right = fd >= 0 && output_write_all(fd, text, (size_t)n);

    if (fd >= 0 && close(fd) != 0) right = false;
    for (int i = 0; i < 2; i++) {
        if (close(job->file[i]) != 0) right = false;
        job->file[i] = -1;
    }
    return right;
}
