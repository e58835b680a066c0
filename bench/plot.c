/* SPDX-License-Identifier: BSD-3-Clause */
/* A picture of the rows, drawn by gnuplot: for each bench a panel with the figures on logarithmic
 * axes, and beside it the ratio to the floor. Variants keep their colour through all panels. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_MAX 24

bool plot_possible(void)
{
    const char *path = getenv("PATH");
    char file[4096];

    for (const char *part = path ? path : "/usr/bin"; *part;) {
        size_t length = strcspn(part, ":");
        snprintf(file, sizeof file, "%.*s/gnuplot", (int)length, part);
        if (access(file, X_OK) == 0) return true;
        part += length + (part[length] == ':');
    }
    return false;
}

/* The distinct benches or variants, in the order in which they appear. */
struct names {
    const char *name[LINES_MAX];
    int count;
};

static int name_index(struct names *names, const char *name)
{
    for (int i = 0; i < names->count; i++)
        if (!strcmp(names->name[i], name)) return i;
    if (names->count == LINES_MAX) return LINES_MAX - 1;
    names->name[names->count] = name;
    return names->count++;
}

/* A size of 0 has no place on a logarithmic axis: it stays in the table. */
static bool shown(const struct row *row, const char *bench, const char *variant)
{
    return row->size > 0 && !strcmp(row->bench, bench) && !strcmp(row->variant, variant) &&
           isfinite(row->ratio);
}

/* The points of one line: size, value, floor, ratio. */
static int send_block(FILE *gnuplot, const struct row *rows, size_t count, const char *bench,
                      const char *variant, int block)
{
    int points = 0;
    fprintf(gnuplot, "$d%d << EOD\n", block);
    for (size_t i = 0; i < count; i++)
        if (shown(&rows[i], bench, variant)) {
            fprintf(gnuplot, "%zu %g %g %g\n", rows[i].size, rows[i].value, rows[i].floor,
                    rows[i].ratio);
            points++;
        }
    fputs("EOD\n", gnuplot);
    return points;
}

struct panel {
    FILE *gnuplot;
    const struct row *rows;
    size_t count;
    struct names *variants;
    const char *bench, *unit, *floor_name;
    const char *drawn[LINES_MAX];
    int color[LINES_MAX];
    int lines, first_block;
    int floor_block; /* the line whose floor is drawn */
};

static void panel_begin(struct panel *panel, int *blocks)
{
    panel->lines = 0;
    panel->first_block = *blocks;
    for (size_t i = 0; i < panel->count; i++)
        if (!strcmp(panel->rows[i].bench, panel->bench)) {
            panel->unit = panel->rows[i].unit;
            break;
        }
    for (int v = 0; v < panel->variants->count; v++) {
        const char *variant = panel->variants->name[v];
        if (send_block(panel->gnuplot, panel->rows, panel->count, panel->bench, variant, *blocks)) {
            panel->drawn[panel->lines] = variant;
            panel->color[panel->lines++] = v;
            ++*blocks;
        }
    }
}

/* The floor of the first variant stands for raw MPI: eleven grey lines would hide the others. */
static void panel_values(const struct panel *panel)
{
    FILE *out = panel->gnuplot;

    fprintf(
        out,
        "set title '%s'\nset ylabel '%s'\nset logscale xy\nset logscale x 2\nset format y '%s'\n",
        panel->bench, panel->unit, strcmp(panel->unit, "msg/s") ? "%g" : "%.0s%c");
    fprintf(out, "plot $d%d using 1:3 with lines lw 6 lc rgb '#cccccc' title 'raw Open MPI'",
            panel->first_block);
    for (int i = 0; i < panel->lines; i++)
        fprintf(out, ", $d%d using 1:2 with linespoints ls %d title '%s'", panel->first_block + i,
                panel->color[i] + 1, panel->drawn[i]);
    fputc('\n', out);
}

static void panel_ratios(const struct panel *panel)
{
    FILE *out = panel->gnuplot;

    fprintf(
        out,
        "set title '%s: Byre / raw'\nset ylabel 'ratio'\nunset logscale y\nset format y '%%g'\n",
        panel->bench);
    fputs("set yrange [0:*<4]\nplot 1 with lines lw 6 lc rgb '#cccccc' notitle", out);
    for (int i = 0; i < panel->lines; i++)
        fprintf(out, ", $d%d using 1:4 with linespoints ls %d notitle", panel->first_block + i,
                panel->color[i] + 1);
    fputs("\nset yrange [*:*]\n", out);
}

static void plot_begin(FILE *out, const char *file, const char *title, int panels)
{
    static const char *const colors[] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#e69f00", "#56b4e9", "#000000", "#8c510a",
                                          "#5e3c99", "#b2182b", "#4d9221" };

    fprintf(out,
            "set terminal svg size 1280,%d dynamic enhanced font 'sans,13' background '#ffffff'\n",
            430 * panels + 40);
    fprintf(out, "set output '");
    for (const char *c = file; *c; c++) fputs(*c == '\'' ? "''" : (char[]){ *c, 0 }, out);
    fprintf(out,
            "'\nset termoption noenhanced\nset multiplot layout %d,2 title \"%s\" font ',12'\n",
            panels, title);
    fputs("set grid lc rgb '#dddddd'\nset key outside right top samplen 2 font ',11'\n"
          "set xlabel 'message size (bytes)'\n"
          "set xtics ('1' 1, '8' 8, '64' 64, '512' 512, '4K' 4096, '32K' 32768, '256K' 262144,"
          " '2M' 2097152)\n",
          out);
    for (int i = 0; i < LINES_MAX; i++)
        fprintf(out, "set style line %d lc rgb '%s' lw 1.7 pt %d ps 0.6\n", i + 1, colors[i % 11],
                4 + i % 11);
}

int plot_rows(const char *file, const char *title, const struct row *rows, size_t count)
{
    struct names benches = { .count = 0 }, variants = { .count = 0 };
    FILE *gnuplot = popen("gnuplot", "w");
    int blocks = 0;

    if (!gnuplot) {
        fputs("byre-bench: --plot: cannot start gnuplot (Debian: apt-get install gnuplot-nox)\n",
              stderr);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        name_index(&benches, rows[i].bench);
        name_index(&variants, rows[i].variant);
    }
    plot_begin(gnuplot, file, title, benches.count);
    for (int b = 0; b < benches.count; b++) {
        struct panel panel = { .gnuplot = gnuplot,
                               .rows = rows,
                               .count = count,
                               .variants = &variants,
                               .bench = benches.name[b] };
        panel_begin(&panel, &blocks);
        if (panel.lines == 0) continue;
        panel_values(&panel);
        panel_ratios(&panel);
    }
    fputs("unset multiplot\n", gnuplot);
    if (pclose(gnuplot) != 0) {
        fprintf(stderr, "byre-bench: gnuplot could not draw %s\n", file);
        return 1;
    }
    return 0;
}
