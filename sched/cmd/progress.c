/* SPDX-License-Identifier: BSD-3-Clause */
/* progress.c - see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "share.h"

enum { REDRAW_MS = 100 };

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(progress_t *progress, bool on)
{
    *progress = (progress_t){ .on = on && isatty(STDERR_FILENO), .began_ms = now_ms() };
}

double progress_seconds(const progress_t *progress)
{
    return (double)(now_ms() - progress->began_ms) / 1e3;
}

void progress_clear(progress_t *progress)
{
    if (progress->drawn) fputs("\r\033[K", stderr);
    progress->drawn = false;
    progress->drawn_ms = 0;
}

static int columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void draw_bar(double fraction, int width)
{
    char bar[64];
    int full = (int)(fraction * width);

    if (width > (int)sizeof bar - 1) width = sizeof bar - 1;
    if (full > width) full = width;
    memset(bar, ' ', (size_t)width);
    memset(bar, '#', (size_t)full);
    bar[width] = '\0';
    fprintf(stderr, "[%s] %3.0f%% ", bar, 100 * fraction);
}

void progress_draw(progress_t *progress, uint64_t done, uint64_t failed, uint64_t running,
                   double fraction)
{
    uint64_t now = progress->on ? now_ms() : 0;
    double seconds;
    char left[TEXT_SHORT];
    int room;

    if (!progress->on || (progress->drawn && now - progress->drawn_ms < REDRAW_MS)) return;
    seconds = (double)(now - progress->began_ms) / 1e3;
    room = columns() - 72;
    fputs("\r\033[K", stderr);
    if (fraction >= 0 && room >= 8) draw_bar(fraction, room < 40 ? room : 40);
    fprintf(stderr, "%llu done", (unsigned long long)done);
    if (failed > 0) fprintf(stderr, ", %llu failed", (unsigned long long)failed);
    fprintf(stderr, ", %llu running", (unsigned long long)running);
    if (seconds > 0.3) fprintf(stderr, ", %.0f/s", (double)done / seconds);
    if (fraction > 0.01 && fraction < 1 && seconds > 1)
        fprintf(stderr, ", %s left", text_time(1e3 * seconds * (1 - fraction) / fraction, left));
    fflush(stderr);
    progress->drawn = true;
    progress->drawn_ms = now;
}
