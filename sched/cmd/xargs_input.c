/* SPDX-License-Identifier: BSD-3-Clause */
/* xargs_input.c - the lines or items that `byre xargs' reads; see xargs.h. */
#include "xargs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "words.h"

enum { READ_BYTES = 64 << 10, LINE_MAX_BYTES = 8 << 20 };

bool input_open(xargs_input_t *input, const char *path, char separator)
{
    struct stat st;

    *input = (xargs_input_t){ .fd = STDIN_FILENO, .separator = separator };
    if (path != NULL) input->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0) return false;
    if (fstat(input->fd, &st) == 0 && S_ISREG(st.st_mode)) input->bytes = (uint64_t)st.st_size;
    return true;
}

void input_close(xargs_input_t *input)
{
    if (input->fd > STDIN_FILENO) close(input->fd);
    byre__pack_fini(&input->data);
}

/* What has been taken makes room. */
static void drop_taken(xargs_input_t *input)
{
    byre__pack_t *data = &input->data;

    if (input->at == 0) return;
    memmove(data->data, data->data + input->at, data->bytes - input->at);
    data->bytes -= input->at;
    input->looked -= input->at;
    input->at = 0;
}

/* The last item may lack its separator. */
static void end_last(xargs_input_t *input)
{
    byre__pack_t *data = &input->data;

    if (data->bytes > input->at && data->data[data->bytes - 1] != (uint8_t)input->separator)
        byre__pack_u8(data, (uint8_t)input->separator);
}

void input_read(xargs_input_t *input)
{
    static char chunk[READ_BYTES];
    ssize_t n = read(input->fd, chunk, sizeof chunk);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    input->hungry = false;
    if (n <= 0) {
        input->ended = true;
        input->failed = n < 0;
        end_last(input);
        return;
    }
    drop_taken(input);
    byre__pack_raw(&input->data, chunk, (size_t)n);
    if (input->data.failed || input->data.bytes > LINE_MAX_BYTES + READ_BYTES) {
        errno = input->data.failed ? ENOMEM : EMSGSIZE;
        input->ended = input->failed = true;
    }
}

bool input_over(const xargs_input_t *input)
{
    return input->ended && input->at == input->data.bytes;
}

/* Up to the separator, which becomes the end of a string. */
static char *take(xargs_input_t *input)
{
    byre__pack_t *data = &input->data;
    char *item = (char *)data->data + input->at;
    char *end = memchr(data->data + input->looked, input->separator, data->bytes - input->looked);

    if (end == NULL) {
        input->looked = data->bytes;
        input->hungry = true;
        return NULL;
    }
    *end = '\0';
    input->at = input->looked = (size_t)(end - (char *)data->data) + 1;
    input->taken += (uint64_t)(end - item) + 1;
    return item;
}

char *input_next(xargs_input_t *input)
{
    char *item;

    if (input->data.bytes == input->at) {
        input->hungry = true;
        return NULL;
    }
    do {
        item = take(input);
    } while (item != NULL && item[0] == '\0' &&
             input->separator == '\n'); /* an empty line is none */
    return item;
}

/* ---- words of a job ------------------------------------------------------------------------------------ */

/* Up to `most' items that are there, at once. NULL: there are fewer, and more may come. */
static char **gather(xargs_t *x, int most)
{
    xargs_input_t *input = &x->input;
    size_t at = input->at, looked = input->looked, n = 0;
    uint64_t taken = input->taken;
    char **items = calloc((size_t)most, sizeof *items), **words = NULL, *item;

    x->out_of_memory |= items == NULL;
    while (items != NULL && n < (size_t)most && (item = input_next(input)) != NULL)
        items[n++] = item;
    if (items != NULL && n < (size_t)most && !input->ended) {
        /* Put them back: the separators have become ends of strings. */
        for (size_t i = 0; i < n; i++) items[i][strlen(items[i])] = input->separator;
        input->at = at;
        input->looked = looked;
        input->taken = taken;
        input->hungry = true;
    } else if (n > 0) {
        words = words_append(x->request->argv, items, n);
        x->out_of_memory |= words == NULL;
    }
    free(items);
    return words;
}

char **input_words(xargs_t *x)
{
    const xargs_request_t *request = x->request;
    char **words, *item;
    bool used;

    if (request->items > 0) return gather(x, request->items);
    item = input_next(&x->input);
    if (item == NULL) return NULL;
    if (request->argv[0] == NULL) {
        words = words_of_line(item);
    } else {
        words = words_fill(request->argv, item, &used);
        if (words != NULL && !used) {
            free(words);
            words = words_append(request->argv, &item, 1);
        }
    }
    x->out_of_memory |= words == NULL;
    return words;
}
