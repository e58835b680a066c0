/* SPDX-License-Identifier: BSD-3-Clause */
/* keeper_link.h - the connection to this node's keeper. Described in keeper_link.c. */
#ifndef BYRED_KEEPER_LINK_H
#define BYRED_KEEPER_LINK_H

#include "sched/daemon/jobs.h"

void keeper_open(
    void); /* find it or start it; recover_keeper is called when it has told what it has */
bool keeper_ready(void);
uint64_t keeper_boot(void); /* when it began, ms; 0: not known yet */
int keeper_pid(void);       /* 0: not known */
void keeper_tick(void);
double keeper_due(void);
void keeper_flush(void);

bool keeper_put_context(byre__context_key_t key, const void *packed, size_t bytes);
void keeper_free_context(byre__context_key_t key);
bool keeper_start(job_t *job);
void keeper_signal(const job_t *job, int signal);
void keeper_kill(const byre__job_id_t *id, uint32_t attempt, uint32_t grace_ms);
void keeper_forget(const byre__job_id_t *id, uint32_t attempt, bool output_too);
void keeper_stdin(const job_t *job, const void *data, size_t bytes);
void keeper_stdin_end(const job_t *job);
void keeper_window(const job_t *job, uint8_t which, uint32_t bytes);
void keeper_resize(const job_t *job, uint32_t rows, uint32_t cols);
void keeper_quit(bool kill);

#endif
