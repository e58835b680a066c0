/* SPDX-License-Identifier: BSD-3-Clause */
/* place_key.c - what is remembered of an affinity key: its home and the slots where it was seen.
 *
 * Bounded, because keys come from users: KEYS of them, MARKS slots each, which is the "limited minimum
 * intervening" policy: where a key was long ago there is nothing of it left to find. Keeps I6.
 */
#include "sched/place/place_inside.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS = 16384, MARKS = 64 };

/* ---- by last use -------------------------------------------------------------------------------- */

static void unlink_key(byre__placer_t *placer, place_key_t *key)
{
    *(key->older ? &key->older->newer : &placer->oldest) = key->newer;
    *(key->newer ? &key->newer->older : &placer->newest) = key->older;
}

static void link_newest(byre__placer_t *placer, place_key_t *key)
{
    key->older = placer->newest;
    key->newer = NULL;
    *(placer->newest ? &placer->newest->newer : &placer->oldest) = key;
    placer->newest = key;
}

void byre__place_key_destroy(place_link_t *link)
{
    place_key_t *key = (place_key_t *)link;

    free(key->home);
    free(key->mark);
    free(key);
}

static void forget_one(byre__placer_t *placer)
{
    place_key_t *key = placer->oldest;

    while (key && key->users > 0) key = key->newer;
    if (!key) return;
    for (uint32_t i = 0; i < key->homes; i++) placer->slot[key->home[i]].homes--;
    unlink_key(placer, key);
    byre__place_table_remove(&placer->keys, &key->link);
    byre__place_key_destroy(&key->link);
}

/* ---- find --------------------------------------------------------------------------------------- */

place_key_t *byre__place_key_find(const byre__placer_t *placer, const char *name)
{
    uint64_t hash = byre__place_hash(name, strlen(name));
    place_link_t *link = NULL;

    while ((link = byre__place_table_find(&placer->keys, hash, link)) != NULL) {
        if (strcmp(((place_key_t *)link)->name, name) == 0) return (place_key_t *)link;
    }
    return NULL;
}

place_key_t *byre__place_key_get(byre__placer_t *placer, const char *name)
{
    place_key_t *key = byre__place_key_find(placer, name);
    size_t length = strlen(name);

    if (key) {
        unlink_key(placer, key);
        link_newest(placer, key);
        return key;
    }
    if (placer->keys.count >= KEYS) forget_one(placer);
    key = calloc(1, sizeof *key + length + 1);
    if (!key) return NULL;
    memcpy(key->name, name, length);
    if (!byre__place_table_add(&placer->keys, &key->link, byre__place_hash(name, length))) {
        free(key);
        return NULL;
    }
    link_newest(placer, key);
    return key;
}

/* ---- remember ----------------------------------------------------------------------------------- */

static void set_home(byre__placer_t *placer, place_key_t *key, const uint16_t *slot, uint32_t count)
{
    uint16_t *home = count > key->homes ? realloc(key->home, count * sizeof *home) : key->home;

    if (count == 0 || !home) return;
    key->home = home;
    for (uint32_t i = 0; i < key->homes; i++) placer->slot[home[i]].homes--;
    for (uint32_t i = 0; i < count; i++) placer->slot[slot[i]].homes++;
    memcpy(home, slot, count * sizeof *home);
    key->homes = count;
}

static uint32_t since(const byre__placer_t *placer, const mark_t *mark)
{
    return placer->slot[mark->slot].started - mark->started;
}

/* The slot's mark, or a new one, or instead of the one with the most jobs since. */
static mark_t *mark_for(byre__placer_t *placer, place_key_t *key, uint16_t slot)
{
    mark_t *most = key->mark;

    for (uint32_t i = 0; i < key->marks; i++) {
        if (key->mark[i].slot == slot) return &key->mark[i];
        if (since(placer, &key->mark[i]) > since(placer, most)) most = &key->mark[i];
    }
    return key->marks < key->mark_room ? &key->mark[key->marks++] : most;
}

static void set_marks(byre__placer_t *placer, place_key_t *key, const uint16_t *slot,
                      uint32_t count)
{
    uint32_t room = key->marks + count < MARKS ? key->marks + count : MARKS;

    if (room < count) room = count;
    if (room > key->mark_room) {
        mark_t *mark = realloc(key->mark, room * sizeof *mark);

        if (mark) {
            key->mark = mark;
            key->mark_room = room;
        }
    }
    for (uint32_t i = 0; i < count && key->mark_room > 0; i++) {
        *mark_for(placer, key, slot[i]) =
            (mark_t){ .slot = slot[i], .started = placer->slot[slot[i]].started };
    }
}

/* With `fixed' a home only grows: when a job needs more than there is. */
void byre__place_key_began(byre__placer_t *placer, place_key_t *key, const uint16_t *slot,
                           uint32_t count)
{
    if (!placer->policy->stays || count > key->homes) set_home(placer, key, slot, count);
    set_marks(placer, key, slot, count);
}

/* Of two jobs of a key at once, the one that ends later ran last. */
void byre__place_key_ended(byre__placer_t *placer, place_key_t *key, const uint16_t *slot,
                           uint32_t count)
{
    if (!placer->policy->stays) set_home(placer, key, slot, count);
}
