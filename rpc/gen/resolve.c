/* SPDX-License-Identifier: BSD-3-Clause */
/* The items of files: imports, constants, types, shared variables, procedures. */
#include "model.h"

#include <byre_rpc_types.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- imports ------------------------------------------------------------------------------------------- */

gen_unit_t *gen_load(gen_t *gen, gen_source_t *source)
{
    gen_unit_t *unit = GEN_NEW(&gen->arena, gen_unit_t);
    unit->source = source;
    source->order = gen->unit_count++;
    *gen->units_end = unit;
    gen->units_end = &unit->next;
    gen_parse(&gen->diag, unit);
    return unit;
}

static gen_unit_t *loaded(gen_t *gen, const char *path)
{
    gen_unit_t *unit = gen->units;
    while (unit != NULL && strcmp(unit->source->path, path) != 0) unit = unit->next;
    return unit;
}

/* Beside the file that imports, then in the directories of -I. */
static gen_unit_t *find_import(gen_t *gen, const char *name, gen_pos_t pos)
{
    const char *from = gen->unit->source->path, *slash = strrchr(from, '/');
    for (int i = -1; i < gen->dir_count; i++) {
        const char *path;
        if (name[0] == '/') {
            path = name;
        } else if (i < 0) {
            path = GEN_TEXT(gen, "%.*s%s", slash == NULL ? 0 : (int)(slash - from) + 1, from, name);
        } else {
            path = GEN_TEXT(gen, "%s/%s", gen->dirs[i], name);
        }
        gen_unit_t *unit = loaded(gen, path);
        if (unit != NULL) return unit;
        if (gen->unit_count >= GEN_MAX_IMPORTS) {
            gen_error(&gen->diag, pos, "put some together", "more than %d files", GEN_MAX_IMPORTS);
            return NULL;
        }
        gen_source_t *source = gen->read(gen, path);
        if (source != NULL) return gen_load(gen, source);
        if (errno != ENOENT) {
            gen_error(&gen->diag, pos, NULL, "%.200s cannot be read: %s", path, strerror(errno));
            return NULL;
        }
    }
    gen_error(&gen->diag, pos, "give its directory with -I", "there is no file %.200s", name);
    return NULL;
}

static void import_item(gen_t *gen, const gen_decl_t *decl)
{
    size_t length = strlen(decl->import) - 2;
    const char *name = gen_copy(&gen->arena, decl->import + 1, length);
    if (length < 5 || strcmp(name + length - 4, ".idl") != 0 || strchr(name, '\\') != NULL) {
        gen_error(&gen->diag, decl->pos, "write import \"other.idl\";",
                  "only files named *.idl are imported");
        return;
    }
    gen_unit_t *unit = find_import(gen, name, decl->pos);
    if (unit == NULL) return;
    if (unit->state == UNIT_OPEN) {
        gen_error(&gen->diag, decl->pos, "move what both need into a file that both import",
                  "%.200s imports, in the end, itself", name);
        return;
    }
    gen_add_item(gen, ITEM_IMPORT, gen_copy(&gen->arena, name, length - 4));
    if (unit->state == UNIT_NEW) {
        gen_unit_t *back = gen->unit;
        gen_resolve(gen, unit);
        gen->unit = back;
    }
}

/* ---- constants ------------------------------------------------------------------------------------------- */

static void const_item(gen_t *gen, gen_decl_t *decl)
{
    const gen_declarator_t *declarator = decl->declarators;
    gen_type_t *base = gen_spec_type(gen, decl->spec, NULL);
    gen_type_t *type = gen_declared_type(gen, base, false, declarator), *bare = gen_bare(type);
    const gen_expr_t *value = decl->value;
    int64_t number = 0;
    gen_check_attrs(gen, decl->attrs, "", "a constant");
    if (bare->kind == TY_ERROR) return;
    if (!decl->spec->is_const) {
        gen_error(&gen->diag, decl->pos, "write const before it",
                  "only constants have a value here");
        return;
    }
    bool is_text = bare->kind == TY_POINTER && gen_bare(bare->element)->kind == TY_BASIC &&
                   gen_bare(bare->element)->basic->is_char;
    bool is_real = bare->kind == TY_BASIC && bare->basic->is_float;
    if (is_text || is_real) {
        if (value->op != (is_text ? OP_STRING : OP_REAL) && !(is_real && value->op == OP_INT)) {
            gen_error(&gen->diag, value->pos, NULL, "%s is wanted here",
                      is_text ? "a string" : "a number");
            return;
        }
        if (gen_declare_macro(gen, declarator->name, SYM_CONST, declarator->pos) == NULL) return;
        gen_add_item(gen, ITEM_CONST, declarator->name)->text =
            value->op == OP_INT ? GEN_TEXT(gen, "%lld.0", (long long)value->value) : value->text;
        return;
    }
    if (!gen_is_integer(type)) {
        gen_error(&gen->diag, decl->pos, NULL, "a constant is a number or a string");
        return;
    }
    if (!gen_constant(gen, value, &number)) return;
    bool fits = number >= INT32_MIN && number <= INT32_MAX;
    gen_symbol_t *symbol =
        fits ? gen_declare(gen, declarator->name, SPACE_NAMES, SYM_CONST, declarator->pos)
             : gen_declare_macro(gen, declarator->name, SYM_CONST, declarator->pos);
    if (symbol == NULL) return;
    symbol->is_number = true;
    symbol->value = number;
    gen_item_t *item = gen_add_item(gen, ITEM_CONST, declarator->name);
    if (fits) {
        item->value = number;
    } else if (number == INT64_MIN) {
        item->text = "INT64_MIN";
    } else {
        item->text =
            GEN_TEXT(gen, number < 0 ? "(INT64_C(%lld))" : "INT64_C(%lld)", (long long)number);
    }
}

/* ---- types, variables ---------------------------------------------------------------------------------------- */

static void check_context(gen_t *gen, const gen_decl_t *decl, const gen_declarator_t *declarator,
                          gen_type_t *type)
{
    gen_type_t *bare = gen_bare(type);
    if (bare->kind == TY_ERROR) return;
    if (bare->kind != TY_POINTER || type->kind == TY_ALIAS) {
        gen_error(&gen->diag, decl->pos, "write typedef [context_handle] struct name *name_t;",
                  "a context handle is a pointer");
        return;
    }
    gen_reserve(gen, GEN_TEXT(gen, "%s_rundown", declarator->name), declarator->pos);
}

static void typedef_item(gen_t *gen, gen_decl_t *decl)
{
    const gen_declarator_t *declarator = decl->declarators;
    gen_spec_t *spec = decl->spec;
    gen_attr_t *attrs = decl->attrs;
    /* typedef [switch_type(int)] union { ... } value_t; */
    if (spec->kind == SPEC_UNION && spec->attrs == NULL &&
        gen_attr_find(attrs, "switch_type") != NULL) {
        spec->attrs = attrs;
        attrs = NULL;
    }
    const char *tag = NULL;
    for (const gen_declarator_t *d = declarator; d != NULL && tag == NULL; d = d->next) {
        if (d->levels == NULL) tag = d->name;
    }
    gen_type_t *base = gen_spec_type(gen, spec, tag);
    gen_check_attrs(gen, attrs, " string max ref unique ptr context_handle ", "a typedef");
    for (; declarator != NULL; declarator = declarator->next) {
        gen_type_t *type = gen_declared_type(gen, base, spec->is_const, declarator);
        if (type->kind == TY_FUNCTION ||
            (type->kind == TY_POINTER && type->element->kind == TY_FUNCTION)) {
            gen_error(&gen->diag, declarator->pos, "use a number that both sides give a meaning",
                      "a function means nothing on another rank");
            type = gen->error_type;
        }
        gen_symbol_t *symbol =
            gen_declare(gen, declarator->name, SPACE_NAMES, SYM_TYPE, declarator->pos);
        if (symbol == NULL) continue;
        gen_type_t *alias = gen_new_type(gen, TY_ALIAS, declarator->pos);
        alias->name = alias->c_name = declarator->name;
        alias->element = type;
        alias->depth = type->depth;
        alias->attrs = attrs;
        symbol->type = type->kind == TY_ERROR ? type : alias;
        if (type->kind == TY_ERROR) continue;
        if (gen_attr_find(attrs, "context_handle") != NULL)
            check_context(gen, decl, declarator, type);
        gen_add_item(gen, ITEM_TYPEDEF, declarator->name)->type = alias;
    }
}

/* Does memory that all ranks share make no sense of it? */
static bool has_pointer(gen_type_t *type)
{
    type = gen_bare(type);
    while (type->kind == TY_ARRAY) type = gen_bare(type->element);
    return type->kind == TY_POINTER || type->has_pointer;
}

static void shared_item(gen_t *gen, const gen_decl_t *decl, const gen_declarator_t *declarator,
                        gen_type_t *type)
{
    gen_type_t *bare = gen_bare(type);
    gen_check_attrs(gen, decl->attrs, " shared ", "a shared variable");
    if (bare->kind == TY_ERROR) return;
    if (gen_size(type) == 0 || (bare->kind == TY_STRUCT && bare->flexible)) {
        gen_error(&gen->diag, declarator->pos, NULL, "the size of a shared variable must be known");
        return;
    }
    if (has_pointer(type)) {
        gen_error(&gen->diag, declarator->pos, "use indices into a shared array",
                  "a pointer in shared memory means nothing on another rank");
        return;
    }
    if (gen_declare_macro(gen, declarator->name, SYM_SHARED, declarator->pos) == NULL) return;
    gen_shared_t *shared = GEN_NEW(&gen->arena, gen_shared_t);
    *shared = (gen_shared_t){ .name = declarator->name, .pos = declarator->pos, .type = type };
    gen_add_item(gen, ITEM_SHARED, declarator->name)->shared = shared;
    if (gen->unit == gen->first) {
        *gen->shared_end = shared;
        gen->shared_end = &shared->next;
    }
}

static void plain_item(gen_t *gen, gen_decl_t *decl)
{
    gen_type_t *base = gen_spec_type(gen, decl->spec, NULL);
    bool shared = gen_attr_find(decl->attrs, "shared") != NULL;
    if (decl->declarators == NULL) {
        gen_check_attrs(gen, decl->attrs, "", "a type");
        if (decl->spec->kind == SPEC_BASIC || decl->spec->kind == SPEC_NAME) {
            gen_error(&gen->diag, decl->pos, NULL, "this declares nothing");
        }
        return;
    }
    for (const gen_declarator_t *d = decl->declarators; d != NULL; d = d->next) {
        gen_type_t *type = gen_declared_type(gen, base, decl->spec->is_const, d);
        if (type->kind == TY_FUNCTION) {
            gen_proc_declare(gen, decl, d, type);
        } else if (shared) {
            shared_item(gen, decl, d, type);
        } else if (type->kind != TY_ERROR) {
            gen_error(&gen->diag, d->pos, "write [shared] before it, typedef or const",
                      "a variable: each rank would have its own");
        }
    }
}

/* ---- a file --------------------------------------------------------------------------------------------------- */

static void version(gen_t *gen, const gen_attr_t *attr)
{
    const gen_expr_t *arg = attr == NULL ? NULL : attr->args;
    unsigned long major = 0, minor = 0;
    bool good = arg == NULL || (arg->op == OP_INT && arg->value <= 65535) || arg->op == OP_REAL;
    if (arg != NULL && arg->op == OP_INT) major = (unsigned long)arg->value;
    if (arg != NULL && arg->op == OP_REAL) {
        char *end = NULL;
        major = strtoul(arg->text, &end, 10);
        good = *end == '.' && strspn(end + 1, "0123456789") == strlen(end + 1) && end[1] != 0;
        if (good) minor = strtoul(end + 1, NULL, 10);
    }
    if (!good || major > 65535 || minor > 65535) {
        gen_error(&gen->diag, arg->pos, "write version(1.2)",
                  "a version is two numbers up to 65535");
        return;
    }
    gen->major = (uint32_t)major;
    gen->minor = (uint32_t)minor;
}

static void interface_attrs(gen_t *gen, gen_unit_t *unit)
{
    const gen_attr_t *name = gen_attr_find(unit->attrs, "name");
    const gen_attr_t *pointer = gen_attr_find(unit->attrs, "pointer_default");
    gen_check_attrs(gen, unit->attrs, " version name uuid pointer_default ", "an interface");
    unit->pointer_default = BYRE_RPC_F_UNIQUE;
    if (pointer != NULL && pointer->args != NULL) {
        const char *kind = pointer->args->op == OP_NAME ? pointer->args->text : "";
        if (strcmp(kind, "ptr") == 0) {
            unit->pointer_default = BYRE_RPC_F_PTR;
        } else if (strcmp(kind, "ref") == 0) {
            unit->pointer_default = BYRE_RPC_F_REF;
        } else if (strcmp(kind, "unique") != 0) {
            gen_error(&gen->diag, pointer->args->pos, "write pointer_default(unique)",
                      "pointers are ref, unique or ptr");
        }
    }
    if (unit != gen->first) return;
    gen->name = unit->name;
    gen->export_name = unit->name;
    version(gen, gen_attr_find(unit->attrs, "version"));
    if (name != NULL && name->args != NULL) {
        const gen_expr_t *arg = name->args;
        if (arg->op == OP_STRING && arg->text[1] != '"' && strchr(arg->text, '\\') == NULL) {
            gen->export_name = gen_copy(&gen->arena, arg->text + 1, strlen(arg->text) - 2);
        } else {
            gen_error(&gen->diag, arg->pos, "write name(\"calc\")", "a name is a string");
        }
    }
    if (strlen(gen->export_name) > 63) {
        gen_error(&gen->diag, name == NULL ? unit->pos : name->pos,
                  "give a shorter one with name(\"...\")",
                  "the name of a server has at most 63 characters");
    }
}

static void reserve_names(gen_t *gen, const gen_unit_t *unit)
{
    static const char *const endings[] = { "interface", "procs_t", "bind",
                                           "export",    "local",   "PROCS" };
    if (!gen_member_name(gen, unit->name, unit->pos)) return;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        gen_reserve(gen, GEN_TEXT(gen, "%s_%s", unit->name, endings[i]), unit->pos);
    }
}

void gen_resolve(gen_t *gen, gen_unit_t *unit)
{
    gen->unit = unit;
    unit->state = UNIT_OPEN;
    if (unit->name == NULL) {
        if (gen->diag.count == 0) {
            gen_error(&gen->diag, (gen_pos_t){ unit->source, 1, 1 }, "write interface name { ... }",
                      "the file has no interface");
        }
        return;
    }
    interface_attrs(gen, unit);
    reserve_names(gen, unit);
    for (gen_decl_t *decl = unit->items; decl != NULL && !gen->diag.syntax; decl = decl->next) {
        switch (decl->kind) {
        case DECL_IMPORT:
            import_item(gen, decl);
            break;
        case DECL_CONST:
            const_item(gen, decl);
            break;
        case DECL_TYPEDEF:
            typedef_item(gen, decl);
            break;
        case DECL_PLAIN:
            plain_item(gen, decl);
            break;
        }
    }
    unit->state = UNIT_DONE;
}
