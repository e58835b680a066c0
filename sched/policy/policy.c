/* SPDX-License-Identifier: BSD-3-Clause */
/* policy.c - the list of policies, and how a person names one with its parameters. */
#include "pick.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const byre__policy_t *const byre__policies[] = { &byre__policy_local,
                                                 &byre__policy_random,
                                                 &byre__policy_threshold,
                                                 &byre__policy_shortest,
                                                 &byre__policy_receiver,
                                                 &byre__policy_symmetric,
                                                 NULL };

int byre__policy_load(uint64_t jobs, uint32_t slots)
{
    uint64_t rounds;

    if (jobs < slots) {
        return 0;
    }
    if (slots == 0) {
        return INT32_MAX; /* a node that runs nothing is never welcome to a job */
    }
    rounds = (jobs + slots - 1) / slots;
    return rounds > INT32_MAX ? INT32_MAX : (int)rounds;
}

byre__answer_t byre__policy_answer(const byre__world_t *world, const byre__question_t *question)
{
    byre__answer_t answer = { .reached = true, .load = world->load(world->self) };

    switch (question->kind) {
    case BYRE__PROBE_ROOM:
        answer.yes = answer.load < question->limit;
        break;
    case BYRE__PROBE_LOAD:
        answer.yes = true;
        break;
    case BYRE__PROBE_WORK:
        answer.yes = answer.load > question->limit && world->waiting(world->self) > 0;
        break;
    default:
        break;
    }
    return answer;
}

const byre__policy_t *byre__policy_find(const char *name)
{
    for (int i = 0; byre__policies[i]; i++) {
        if (strcmp(byre__policies[i]->name, name) == 0) {
            return byre__policies[i];
        }
    }
    return NULL;
}

/* ---- parsing ---------------------------------------------------------------------------------- */

enum { ERROR_ROOM = 160, TEXT_MOST = 200 };

/* A parameter: its name, and where it is. A policy has those whose default is not 0. */
typedef struct {
    const char *name;
    size_t offset;
    bool whole; /* an int, else seconds */
    double least, most;
} parameter_t;

static const parameter_t parameters[] = {
    { "T", offsetof(byre__policy_params_t, threshold), true, 1, 1000000 },
    { "L", offsetof(byre__policy_params_t, probes), true, 1, BYRE__PROBES_MOST },
    { "reprobe", offsetof(byre__policy_params_t, reprobe_s), false, 0, 1e6 },
    { "history", offsetof(byre__policy_params_t, history_s), false, 0, 1e6 },
};

enum { PARAMETERS = sizeof parameters / sizeof parameters[0] };

static double get(const parameter_t *p, const byre__policy_params_t *params)
{
    int whole;
    double seconds;

    if (p->whole) {
        memcpy(&whole, (const char *)params + p->offset, sizeof whole);
        return whole;
    }
    memcpy(&seconds, (const char *)params + p->offset, sizeof seconds);
    return seconds;
}

static void set(const parameter_t *p, byre__policy_params_t *params, double value)
{
    int whole = (int)value;

    if (p->whole) {
        memcpy((char *)params + p->offset, &whole, sizeof whole);
    } else {
        memcpy((char *)params + p->offset, &value, sizeof value);
    }
}

static void list_parameters(const byre__policy_t *policy, char *text, size_t room)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < PARAMETERS; i++) {
        if (get(&parameters[i], &policy->defaults) != 0) {
            used += (size_t)snprintf(text + used, room - used, "%s%s", used ? ", " : "",
                                     parameters[i].name);
        }
    }
}

static void list_policies(char *text, size_t room)
{
    size_t used = 0;

    for (int i = 0; byre__policies[i] && used < room; i++) {
        used += (size_t)snprintf(text + used, room - used, "%s%s", i ? ", " : "",
                                 byre__policies[i]->name);
    }
}

/* One "T=2". */
static bool read_parameter(const byre__policy_t *policy, const char *text,
                           byre__policy_params_t *params, char error_out[static ERROR_ROOM])
{
    size_t length = strcspn(text, "=");
    const parameter_t *p = NULL;
    char known[64], *end;
    double value;

    for (int i = 0; i < PARAMETERS; i++) {
        if (strlen(parameters[i].name) == length &&
            strncmp(parameters[i].name, text, length) == 0 &&
            get(&parameters[i], &policy->defaults) != 0) {
            p = &parameters[i];
        }
    }
    if (!p) {
        list_parameters(policy, known, sizeof known);
        snprintf(error_out, ERROR_ROOM, "policy %s has no parameter `%.30s'; it has %s",
                 policy->name, text, known[0] ? known : "none");
        return false;
    }
    value = text[length] == '=' ? strtod(text + length + 1, &end) : NAN;
    if (isnan(value) || end == text + length + 1 || *end != '\0' || value < p->least ||
        value > p->most || (p->whole && value != floor(value))) {
        snprintf(error_out, ERROR_ROOM, "policy %s: `%.30s': write %s=N, N %s from %g to %g",
                 policy->name, text, p->name, p->whole ? "a whole number" : "seconds", p->least,
                 p->most);
        return false;
    }
    set(p, params, value);
    return true;
}

bool byre__policy_parameters(const byre__policy_t *policy, const char *text,
                             byre__policy_params_t *params_out, char error_out[static ERROR_ROOM])
{
    byre__policy_params_t params = policy->defaults;
    char copy[TEXT_MOST], *word, *rest = copy;

    if (strlen(text) >= sizeof copy) {
        snprintf(error_out, ERROR_ROOM, "policy %s: `%.30s...' is too long", policy->name, text);
        return false;
    }
    strcpy(copy, text);
    while (rest) {
        word = rest;
        rest = strchr(word, ',');
        if (rest) {
            *rest++ = '\0';
        }
        if (!read_parameter(policy, word, &params, error_out)) {
            return false;
        }
    }
    *params_out = params;
    return true;
}

const byre__policy_t *byre__policy_parse(const char *text, byre__policy_params_t *params_out,
                                         char error_out[static ERROR_ROOM])
{
    size_t length = strcspn(text, ",");
    char name[32], known[100];
    const byre__policy_t *policy;

    error_out[0] = '\0';
    snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : 31, text);
    policy = byre__policy_find(name);
    if (!policy) {
        list_policies(known, sizeof known);
        snprintf(error_out, ERROR_ROOM, "there is no policy `%.24s'; there are %s", name, known);
        return NULL;
    }
    if (text[length] == '\0') {
        *params_out = policy->defaults;
        return policy;
    }
    return byre__policy_parameters(policy, text + length + 1, params_out, error_out) ? policy
                                                                                     : NULL;
}
