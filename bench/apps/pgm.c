/* SPDX-License-Identifier: BSD-3-Clause */
/* Pictures: portable graymaps, and one that is made up. */
#include "apps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 32768

/* The next number of the head; comments run from # to the end of the line. */
static long read_number(FILE *file)
{
    int c = getc(file);
    while (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF) c = getc(file);
        c = getc(file);
    }
    if (c < '0' || c > '9') return -1;
    long value = 0;
    for (; c >= '0' && c <= '9'; c = getc(file))
        if (value < 1000000) value = 10 * value + (c - '0');
    return value; /* the one blank behind it is gone */
}

/* One pixel, scaled to 0 ... 255; below 0: there is none. */
static float read_pixel(FILE *file, bool plain, long white)
{
    long value;
    if (plain) {
        value = read_number(file);
    } else {
        value = getc(file);
        if (white > 255 && value != EOF) {
            int low = getc(file);
            value = low == EOF ? -1 : value * 256 + low;
        }
    }
    return value < 0 ? -1 : 255.0f * (float)(value < white ? value : white) / (float)white;
}

static const char *read_pixels(FILE *file, bool plain, long white, struct picture *picture)
{
    size_t count = picture->width * picture->height;
    for (size_t i = 0; i < count; i++) {
        picture->pixels[i] = read_pixel(file, plain, white);
        if (picture->pixels[i] < 0) return "it ends too early";
    }
    return NULL;
}

static const char *read_picture(FILE *file, struct picture *picture)
{
    int magic = getc(file), kind = getc(file);
    if (magic != 'P' || (kind != '2' && kind != '5')) return "not a PGM file (P2 or P5)";
    long width = read_number(file), height = read_number(file), white = read_number(file);
    if (width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX)
        return "its width or height makes no sense";
    if (white < 1 || white > 65535) return "its greatest value is not from 1 to 65535";
    picture->width = (size_t)width;
    picture->height = (size_t)height;
    picture->pixels = malloc(picture->width * picture->height * sizeof *picture->pixels);
    if (!picture->pixels) return "out of memory";
    const char *wrong = read_pixels(file, kind == '2', white, picture);
    if (wrong) free(picture->pixels);
    return wrong;
}

const char *pgm_read(const char *file, struct picture *picture_out)
{
    struct picture picture;
    FILE *in = fopen(file, "rbe");
    if (!in) return strerror(errno);
    const char *wrong = read_picture(in, &picture);
    fclose(in);
    if (!wrong) *picture_out = picture;
    return wrong;
}

const char *pgm_write(const char *file, const struct picture *picture)
{
    FILE *out = fopen(file, "wbe");
    if (!out) return strerror(errno);
    fprintf(out, "P5\n%zu %zu\n255\n", picture->width, picture->height);
    for (size_t i = 0; i < picture->width * picture->height; i++) {
        float value = picture->pixels[i];
        putc(value < 0 ? 0 : value > 255 ? 255 : (int)(value + 0.5f), out);
    }
    bool bad = ferror(out);
    return fclose(out) || bad ? strerror(errno) : NULL;
}

/* ---- a picture ----------------------------------------------------------------------------------- */

static float shade(double x, double y)
{
    static const struct {
        double x, y, radius;
        float grey;
    } discs[] = {
        { .3, .35, .22, 200 }, { .42, .42, .1, 90 }, { .72, .3, .13, 235 }, { .65, .72, .2, 60 }
    };
    float grey = (float)(70 + 80 * x);
    if (y > .55 && y < .62) grey = 180;
    if (x > .1 && x < .35 && y > .68 && y < .9) grey = 220;
    for (size_t i = 0; i < sizeof discs / sizeof *discs; i++) {
        double dx = x - discs[i].x, dy = y - discs[i].y;
        if (dx * dx + dy * dy < discs[i].radius * discs[i].radius) grey = discs[i].grey;
    }
    return grey;
}

void picture_generate(struct picture *picture, size_t width, size_t height)
{
    picture->width = width;
    picture->height = height;
    picture->pixels = app_memory(width * height * sizeof *picture->pixels);
    for (size_t i = 0; i < width * height; i++) {
        size_t row = i / width, column = i % width;
        float grey = shade((double)column / (double)width, (double)row / (double)height);
        grey += 50 * ((float)noise_unit(i) - 0.5f);
        picture->pixels[i] = grey < 0 ? 0 : grey > 255 ? 255 : grey;
    }
}
