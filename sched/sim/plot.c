/* SPDX-License-Identifier: BSD-3-Clause */
/* plot.c - the rows as a picture, drawn by gnuplot: response time over load, a line for each policy, between
 * what nodes on their own would reach and what one pool of all would. */
#include "sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool ends_in(const char *file, const char *end)
{
    size_t a = strlen(file), b = strlen(end);

    return a > b && strcmp(file + a - b, end) == 0;
}

static bool have_gnuplot(void)
{
    const char *path = getenv("PATH");
    char file[4096];

    for (const char *part = path ? path : "/usr/bin"; *part;) {
        size_t length = strcspn(part, ":");

        snprintf(file, sizeof file, "%.*s/gnuplot", (int)length, part);
        if (access(file, X_OK) == 0) {
            return true;
        }
        part += length + (part[length] == ':');
    }
    return false;
}

int sim_plot_possible(const char *file)
{
    if (!ends_in(file, ".svg") && !ends_in(file, ".png")) {
        return sim_complain("--plot %s: the name has to end in .svg or .png", file);
    }
    if (!have_gnuplot()) {
        fputs("byre sim: --plot needs gnuplot (Debian: apt-get install gnuplot-nox)\n", stderr);
        return SIM_FAILED;
    }
    return SIM_OK;
}

static void quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        fputs(*text == '\'' ? "''" : (char[]){ *text, 0 }, out);
    }
    fputc('\'', out);
}

static void head(FILE *out, const sim_options_t *options)
{
    static const char *const colors[] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#e69f00", "#56b4e9", "#8c510a", "#5e3c99" };

    fprintf(out, "set terminal %s size 900,600 %s font 'sans,13' background '#ffffff'\nset output ",
            ends_in(options->plot, ".svg") ? "svg" : "pngcairo",
            ends_in(options->plot, ".svg") ? "dynamic noenhanced" : "noenhanced");
    quoted(out, options->plot);
    fprintf(out,
            "\nset title 'Mean response time over load: %d nodes, arrivals %s, service %s'\n"
            "set xlabel 'load (rho)'\nset ylabel 'mean response time / mean service time'\n"
            "set grid lt 1 lw 1 lc rgb '#dddddd'\nset key left top samplen 2\n",
            options->setup.nodes, options->setup.arrival.name, options->setup.service.name);
    for (int i = 0; i < SIM_POLICIES_MOST; i++) {
        fprintf(out, "set style line %d lc rgb '%s' lw 1.7 pt %d ps 0.6\n", i + 1, colors[i % 8],
                4 + i);
    }
}

/* Both bounds, on the same axis as the rows. */
static void bounds(FILE *out, const sim_setup_t *setup, double from, double to)
{
    enum { STEPS = 200 };

    fputs("$bounds << EOD\n", out);
    for (int i = 0; i <= STEPS; i++) {
        double rho = from + (to - from) * i / STEPS;

        fprintf(out, "%g %g %g\n", rho, sim_model_mm1(rho),
                sim_model_mmk(rho, setup->nodes * (int)setup->slots));
    }
    fputs("EOD\n", out);
}

static void lines(FILE *out, const sim_options_t *options, const sim_row_t *rows, size_t count)
{
    double unit = options->setup.mean_s;

    for (int c = 0; c < options->choices; c++) {
        fprintf(out, "$p%d << EOD\n", c);
        for (size_t i = 0; i < count; i++) {
            if (rows[i].policy == options->choice[c].name && isfinite(rows[i].mean_s)) {
                fprintf(out, "%g %g %g\n", rows[i].rho, rows[i].mean_s / unit,
                        isfinite(rows[i].ci_s) ? rows[i].ci_s / unit : 0);
            }
        }
        fputs("EOD\n", out);
    }
}

static void draw(FILE *out, const sim_options_t *options)
{
    const sim_setup_t *setup = &options->setup;

    fprintf(out,
            "set yrange [0:12]\nplot $bounds using 1:2 with lines lw 5 lc rgb '#bbbbbb' title "
            "'M/M/1: each node alone', $bounds using 1:3 with lines lw 5 dt 2 lc rgb '#bbbbbb' "
            "title 'M/M/%d: one pool'",
            setup->nodes * (int)setup->slots);
    for (int c = 0; c < options->choices; c++) {
        fprintf(out, ", $p%d using 1:2:3 with yerrorlines ls %d title ", c, c + 1);
        quoted(out, options->choice[c].name);
    }
    fputc('\n', out);
}

int sim_plot(const sim_options_t *options, const sim_row_t *rows, size_t count)
{
    FILE *gnuplot = popen("gnuplot", "w");

    if (!gnuplot) {
        fputs("byre sim: --plot: cannot start gnuplot\n", stderr);
        return SIM_FAILED;
    }
    head(gnuplot, options);
    bounds(gnuplot, &options->setup, options->rho[0], options->rho[options->loads - 1]);
    lines(gnuplot, options, rows, count);
    draw(gnuplot, options);
    if (pclose(gnuplot) != 0) {
        fprintf(stderr, "byre sim: gnuplot could not draw %s\n", options->plot);
        return SIM_FAILED;
    }
    return SIM_OK;
}
