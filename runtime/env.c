/* SPDX-License-Identifier: BSD-3-Clause */
#include "env.h"

#include "log.h"
#include <byre_errors.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const byre__env_var_t table[] = {
#define BYRE__X(id, name, type, def, meaning) { name, type, def, meaning },
    BYRE_ENVIRONMENT(BYRE__X)
#undef BYRE__X
};

const byre__env_var_t *byre__env_table(size_t *count_out)
{
    *count_out = BYRE__ENV_COUNT;
    return table;
}

const char *byre__env_get(const char *name)
{
    return getenv(name);
}

/* An empty variable counts as not set, as in a shell's ${VAR:-default}. */
const char *byre__env_string(enum byre__env_id id)
{
    const char *value = getenv(table[id].name);
    return value != NULL && value[0] != '\0' ? value : table[id].def;
}

static bool parse_int(const char *text, int *value_out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < -1 || value > INT_MAX) return false;
    *value_out = (int)value;
    return true;
}

int byre__env_int(enum byre__env_id id)
{
    int value = 0;
    if (!parse_int(byre__env_string(id), &value)) (void)parse_int(table[id].def, &value);
    return value;
}

bool byre__env_bool(enum byre__env_id id)
{
    return byre__env_string(id)[0] == '1';
}

/* Is `value` one of the words of "a|b|c"? */
static bool is_choice(const char *value, const char *choices)
{
    size_t length = strlen(value);
    if (strchr(value, '|') != NULL) return false;
    for (const char *word = choices; word != NULL; word = strchr(word, '|')) {
        if (*word == '|') word++;
        if (strncmp(word, value, length) == 0 && (word[length] == '|' || word[length] == '\0'))
            return true;
    }
    return false;
}

static bool is_valid(const char *value, const char *type)
{
    int number;
    if (strcmp(type, "int") == 0) return parse_int(value, &number);
    if (strcmp(type, "bool") == 0) return strcmp(value, "0") == 0 || strcmp(value, "1") == 0;
    if (strcmp(type, "string") == 0) return true;
    return is_choice(value, type);
}

int byre__env_check(void)
{
    for (int id = 0; id < BYRE__ENV_COUNT; id++) {
        const char *value = byre__env_string((enum byre__env_id)id);
        if (is_valid(value, table[id].type)) continue;
        byre__error("%s=%s is not valid: it takes %s (`byre env` explains it)", table[id].name,
                    value, strcmp(table[id].type, "bool") == 0 ? "0 or 1" : table[id].type);
        return BYRE_EINVAL;
    }
    return BYRE_OK;
}
