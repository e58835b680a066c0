/* SPDX-License-Identifier: BSD-3-Clause */
/* text.c - sizes, times, signals and ends as people read and write them, and JSON. */
#include "share.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t text_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

char *text_bytes(double bytes, char text_out[static TEXT_SHORT])
{
    static const char units[] = "BKMGTPE";
    int unit = 0;

    while (bytes >= 1024 && unit < 6) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text_out, TEXT_SHORT, bytes < 10 && unit > 0 ? "%.1f%c" : "%.0f%c", bytes,
             units[unit]);
    return text_out;
}

char *text_time(double ms, char text_out[static TEXT_SHORT])
{
    long s = ms < 0 ? 0 : (long)(ms / 1e3);

    if (ms < 9950)
        snprintf(text_out, TEXT_SHORT, "%.1fs", ms < 0 ? 0 : ms / 1e3);
    else if (s < 60)
        snprintf(text_out, TEXT_SHORT, "%lds", s);
    else if (s < 3600)
        snprintf(text_out, TEXT_SHORT, "%ldm%02lds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text_out, TEXT_SHORT, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else
        snprintf(text_out, TEXT_SHORT, "%ldd%02ldh", s / 86400, s / 3600 % 24);
    return text_out;
}

uint64_t text_parse_bytes(const char *text)
{
    static const char units[] = "KMGTP";
    char *end;
    double value;
    const char *unit;

    if (!isdigit((unsigned char)text[0])) return 0;
    value = strtod(text, &end);
    if (*end != '\0' && (unit = strchr(units, toupper((unsigned char)*end))) != NULL) {
        for (; unit >= units; unit--) value *= 1024;
        end++;
        if (*end == 'i') end++;
    }
    if (*end == 'B') end++;
    return *end == '\0' && value >= 1 && value < 1e18 ? (uint64_t)value : 0;
}

/* ---- signals -------------------------------------------------------------------------------------------- */

int text_parse_signal(const char *text)
{
    int number = byre__cmd_number(text);

    if (number >= 0) return number <= SIGRTMAX ? number : -1;
    if (strncasecmp(text, "SIG", 3) == 0) text += 3;
    for (int i = 1; i < SIGRTMIN; i++) {
        const char *name = sigabbrev_np(i);

        if (name != NULL && strcasecmp(name, text) == 0) return i;
    }
    if (strncasecmp(text, "RTMIN", 5) != 0) return -1;
    number = text[5] == '\0' ? 0 : text[5] == '+' ? byre__cmd_number(text + 6) : -1;
    return number >= 0 && number <= SIGRTMAX - SIGRTMIN ? SIGRTMIN + number : -1;
}

const char *text_signal(int number, char text_out[static TEXT_SHORT])
{
    const char *name = number > 0 && number < SIGRTMIN ? sigabbrev_np(number) : NULL;

    if (name != NULL)
        snprintf(text_out, TEXT_SHORT, "%s", name);
    else
        snprintf(text_out, TEXT_SHORT, "%d", number);
    return text_out;
}

/* ---- how a job went --------------------------------------------------------------------------------------- */

char *text_end(const byre__end_t *end, char text_out[static TEXT_END])
{
    char name[TEXT_SHORT];

    switch ((enum byre__end_kind)end->kind) {
    case BYRE__END_EXITED:
        snprintf(text_out, TEXT_END, "%d", end->code);
        break;
    case BYRE__END_SIGNAL:
        snprintf(text_out, TEXT_END, "signal %s", text_signal(end->code, name));
        break;
    case BYRE__END_CANCELLED:
        snprintf(text_out, TEXT_END, "cancelled (%s)", text_signal(end->code, name));
        break;
    case BYRE__END_NO_EXEC:
        snprintf(text_out, TEXT_END, "not run: %s",
                 end->detail[0] ? end->detail : strerror(end->code));
        break;
    case BYRE__END_NO_CWD:
        snprintf(text_out, TEXT_END, "no directory: %s",
                 end->detail[0] ? end->detail : strerror(end->code));
        break;
    case BYRE__END_NO_START:
        snprintf(text_out, TEXT_END, "not started: %s",
                 end->detail[0] ? end->detail : strerror(end->code));
        break;
    case BYRE__END_LOST:
        snprintf(text_out, TEXT_END, "lost%s%s", end->detail[0] ? ": " : " with its node",
                 end->detail);
        break;
    case BYRE__END_IMPOSSIBLE:
        snprintf(text_out, TEXT_END, "impossible%s%s", end->detail[0] ? ": " : "", end->detail);
        break;
    }
    return text_out;
}

char *text_never_ran(const byre__end_t *end, const char *node, const char *program,
                     const char *directory, char text_out[static 512])
{
    bool in_path = strchr(program, '/') == NULL;
    const char *why = end->detail[0] ? end->detail : strerror(end->code);
    const char *colon = node[0] ? ": " : "";

    text_out[0] = '\0';
    switch ((enum byre__end_kind)end->kind) {
    case BYRE__END_NO_EXEC:
        if (in_path && end->code == ENOENT) why = "command not found";
        snprintf(text_out, 512, "%s%s%s: %s", node, colon, program, why);
        break;
    case BYRE__END_NO_CWD:
        snprintf(text_out, 512, "%s%scannot change to directory %s: %s", node, colon, directory,
                 why);
        break;
    case BYRE__END_NO_START:
        snprintf(text_out, 512, "%s%s%s cannot be started: %s", node, colon, program, why);
        break;
    case BYRE__END_IMPOSSIBLE:
        snprintf(text_out, 512, "%s: no node of the pool can ever run it%s%s", program,
                 end->detail[0] ? ": " : " (`byre nodes' tells what they have)", end->detail);
        break;
    case BYRE__END_LOST:
        snprintf(text_out, 512, "%s%s%s", node[0] ? node : program,
                 " was lost, and the job with it; it may have run in part", "");
        if (end->detail[0]) snprintf(text_out, 512, "%s%s%s", node, colon, end->detail);
        break;
    default:
        break;
    }
    return text_out;
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at `s'; 0: it is none (overlong forms and surrogates are none). */
static int utf8(const unsigned char *s)
{
    int more = s[0] < 0x80   ? 0
               : s[0] < 0xc2 ? -1
               : s[0] < 0xe0 ? 1
               : s[0] < 0xf0 ? 2
               : s[0] < 0xf5 ? 3
                             : -1;

    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
    return more + 1;
}

void text_json(FILE *out, const char *text)
{
    char clean[1024];
    size_t n = 0;
    const unsigned char *s = (const unsigned char *)text;

    /* Longer texts than our rows have are cut off. */
    while (*s != '\0' && n + 4 < sizeof clean) {
        int bytes = utf8(s);

        if (bytes == 0) {
            memcpy(clean + n, "\xef\xbf\xbd", 3);
            n += 3;
            s++;
        } else {
            memcpy(clean + n, s, (size_t)bytes);
            n += (size_t)bytes;
            s += bytes;
        }
    }
    clean[n] = '\0';
    byre__json_string(out, clean);
}

void text_json_end(FILE *out, const byre__end_t *end)
{
    static const char *const kinds[] = { "exited",      "signal", "no-directory", "no-program",
                                         "not-started", "lost",   "cancelled",    "impossible" };
    bool signal = end->kind == BYRE__END_SIGNAL || end->kind == BYRE__END_CANCELLED;

    fprintf(out, "\"end\": \"%s\", \"status\": %d, \"signal\": ", kinds[end->kind],
            byre__end_status(end));
    if (signal)
        fprintf(out, "%d", end->code);
    else
        fputs("null", out);
    fprintf(out, ", \"user_s\": %.6f, \"system_s\": %.6f, \"max_rss_bytes\": %llu",
            (double)end->user_us / 1e6, (double)end->system_us / 1e6,
            (unsigned long long)end->max_rss_kb * 1024);
    fprintf(out,
            ", \"started_ms\": %llu, \"ended_ms\": %llu, \"out_bytes\": %llu, \"err_bytes\": %llu",
            (unsigned long long)end->started_ms, (unsigned long long)end->ended_ms,
            (unsigned long long)end->out_bytes, (unsigned long long)end->err_bytes);
    fputs(", \"detail\": ", out);
    text_json(out, end->detail);
}
