/* SPDX-License-Identifier: BSD-3-Clause */
/* A pool of recycled threads that pop up to handle something. */
#ifndef BYRE__POPUP_H
#define BYRE__POPUP_H

typedef struct byre__popup_job {
    struct byre__popup_job *next; /* the pool's while the job waits */
    void (*run)(struct byre__popup_job *job);
} byre__popup_job_t;

int byre__popup_init(int max_threads);
/* Waits for running jobs and those that wait, ends the threads. */
void byre__popup_fini(void);
/* Run job->run(job) on a pool thread: an idle one, else a new one while there are fewer than
 * max_threads, else when one becomes free, in order. Never blocks, allocates nothing but threads;
 * when no thread can be created at all, the job waits for the next free one. Engine-safe. */
void byre__popup_submit(byre__popup_job_t *job);

#endif
