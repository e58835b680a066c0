/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * draw.h - the picture: from what is known (model.h) and what is looked at (view.h) to lines (frame.h). A
 * function of these alone: the same in, the same out. Times of day are local ($TZ).
 */
#ifndef BYRE__SCHED_TOP_DRAW_H
#define BYRE__SCHED_TOP_DRAW_H

#include "frame.h"
#include "view.h"

/* The frame as it is to be seen. false: no memory. */
bool draw(frame_t *frame, view_t *view, const model_t *model);
/* All nodes and all jobs, without what is for keys: into a frame with draw_plain_rows rows. */
bool draw_plain(frame_t *frame, view_t *view, const model_t *model);
int draw_plain_rows(const model_t *model);

/* ---- parts --------------------------------------------------------------------------------------- */

void draw_nodes(frame_t *frame, const view_t *view, const model_t *model, int height);
void draw_jobs(frame_t *frame, const view_t *view, const model_t *model, int height);
void draw_help(frame_t *frame);
void draw_log(frame_t *frame, view_t *view, const model_t *model);
/* As many lines as it takes, broken between words. */
void draw_wrapped(frame_t *frame, frame_look_t look, const char *text);

#endif
