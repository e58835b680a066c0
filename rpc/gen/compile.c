/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiler without its command line. */
#include "model.h"

#include <errno.h>
#include <string.h>

void gen_init(gen_t *gen)
{
    *gen = (gen_t){ 0 };
    gen->diag.arena = &gen->arena;
    gen->units_end = &gen->units;
    gen->items_end = &gen->items;
    gen->procs_end = &gen->procs;
    gen->shared_end = &gen->shared;
    gen->wires_end = &gen->wires;
    gen->formulas_end = &gen->formulas;
    gen->error_type = gen_new_type(gen, TY_ERROR, (gen_pos_t){ 0 });
    gen->error_type->c_name = "";
    static const char *const names[] = { "int8_t",   "uint8_t", "int16_t",  "uint16_t", "int32_t",
                                         "uint32_t", "int64_t", "uint64_t", "size_t" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        gen_declare(gen, names[i], SPACE_NAMES, SYM_TYPE, (gen_pos_t){ 0 })->type =
            gen_basic_named(gen, names[i]);
    }
}

bool gen_compile(gen_t *gen, const char *path)
{
    gen_source_t *source = gen->read(gen, path);
    if (source == NULL) {
        gen_error(&gen->diag, (gen_pos_t){ 0 }, NULL, "%s: %s", path, strerror(errno));
        return false;
    }
    gen_unit_t *unit = gen_load(gen, source);
    gen->first = unit;
    /* What the parser skipped would be missing. */
    if (gen->diag.syntax) return false;
    gen_resolve(gen, unit);
    if (gen->name != NULL && !gen->diag.syntax) gen_wires(gen);
    if (gen->diag.count == 0) gen_wires_finish(gen);
    return gen->diag.count == 0;
}

void gen_fini(gen_t *gen)
{
    gen_arena_free(&gen->arena);
}
