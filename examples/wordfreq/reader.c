/* SPDX-License-Identifier: BSD-3-Clause */
/* Files to chunks, none of which ends within a word. */
#include "wordfreq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool files_are_fine(char **files, int count)
{
    bool fine = true;
    for (int i = 0; i < count; i++) {
        struct stat status;
        FILE *file = fopen(files[i], "r");
        int error = file == NULL ? errno : 0;
        if (file != NULL) {
            if (fstat(fileno(file), &status) != 0)
                error = errno;
            else if (S_ISDIR(status.st_mode))
                error = EISDIR;
            fclose(file);
        }
        if (error != 0) complain(files[i], strerror(error));
        fine = fine && error == 0;
    }
    return fine;
}

/* Grow `text` by up to chunk_bytes of the open file. */
static char *read_more(reader_t *reader, char *text, size_t *bytes)
{
    text = or_die(realloc(text, *bytes + reader->chunk_bytes));
    size_t got = fread(text + *bytes, 1, reader->chunk_bytes, reader->file);
    if (ferror(reader->file)) {
        complain(reader->files[reader->next - 1], strerror(errno));
        exit(1);
    }
    *bytes += got;
    reader->bytes += got;
    if (feof(reader->file)) {
        fclose(reader->file);
        reader->file = NULL;
    }
    return text;
}

char *next_chunk(reader_t *reader, size_t room, size_t *bytes_out)
{
    for (;;) {
        if (reader->file == NULL) {
            if (reader->next == reader->count) return NULL;
            reader->file = fopen(reader->files[reader->next++], "r");
            if (reader->file == NULL) {
                complain(reader->files[reader->next - 1], strerror(errno));
                exit(1);
            }
        }
        size_t bytes = room + reader->rest_bytes, end, searched;
        char *text = or_die(malloc(bytes + 1));
        if (reader->rest_bytes > 0) memcpy(text + room, reader->rest, reader->rest_bytes);
        reader->rest_bytes = 0;
        do {
            searched = bytes;
            text = read_more(reader, text, &bytes);
            for (end = bytes; reader->file != NULL && end > searched; end--)
                if (!is_letter(text[end - 1])) break;
        } while (reader->file != NULL && end == searched);
        reader->rest_bytes = bytes - end;
        reader->rest = or_die(realloc(reader->rest, reader->rest_bytes + 1));
        memcpy(reader->rest, text + end, reader->rest_bytes);
        *bytes_out = end - room;
        if (end > room) return text;
        free(text);
    }
}
