/* SPDX-License-Identifier: BSD-3-Clause */
/* Fields of structs, arms of unions. */
#include "model.h"

#include <string.h>

static void check_field_type(gen_t *gen, gen_member_t *member, gen_type_t *owner)
{
    gen_type_t *type = member->type, *bare = gen_bare(type);
    if (bare->kind == TY_ERROR) return;
    const char *what = owner->kind == TY_UNION ? "an arm" : "a field";
    if (bare->kind == TY_FUNCTION) {
        gen_error(&gen->diag, member->pos, "declare the procedure in the interface",
                  "%s cannot be a function", what);
    } else if (gen_is_void(type)) {
        gen_error(&gen->diag, member->pos, NULL, "%s of type void", what);
    } else if ((bare->kind == TY_STRUCT || bare->kind == TY_UNION) && !bare->complete) {
        gen_error(&gen->diag, member->pos, "define it before, or use a pointer to it",
                  "%s is not defined yet, so it cannot be %s", bare->c_name, what);
    } else if (bare->kind == TY_STRUCT && bare->flexible) {
        gen_error(&gen->diag, member->pos, "use a pointer to it",
                  "%s ends in an array of variable size, so it cannot be %s", bare->c_name, what);
    } else if (type->kind == TY_CONST) {
        gen_error(&gen->diag, member->pos, "leave const out", "%s that is const cannot be received",
                  what);
    } else {
        return;
    }
    member->type = gen->error_type;
}

static bool has_member(const gen_member_t *members, const char *name)
{
    while (members != NULL && strcmp(members->name, name) != 0) members = members->next;
    return members != NULL;
}

static void check_declared(gen_t *gen, gen_type_t *owner, gen_member_t *member,
                           const gen_declarator_t *declarator)
{
    if (has_member(owner->members, member->name)) {
        gen_error(&gen->diag, member->pos, "rename one of the two", "the name %s is taken here",
                  member->name);
    }
    if (declarator->bits != NULL) {
        gen_error(&gen->diag, declarator->bits->pos, "use a whole integer, or bits of one",
                  "bit-fields are laid out differently by each compiler");
    }
    check_field_type(gen, member, owner);
}

/* A field, or an arm; an arm may be empty: then there is no declarator. The end of the list. */
static gen_member_t **add_member(gen_t *gen, gen_type_t *owner, gen_member_t **end,
                                 const gen_decl_t *decl, const gen_declarator_t *declarator)
{
    gen_member_t *member = GEN_NEW(&gen->arena, gen_member_t);
    member->pos = declarator == NULL ? decl->pos : declarator->pos;
    member->name = declarator == NULL ? "" : declarator->name;
    member->attrs = decl->attrs;
    member->decl = decl;
    member->index = owner->member_count;
    if (declarator != NULL) {
        if (!gen_member_name(gen, member->name, member->pos)) return end;
        member->type = gen_declared_type(gen, decl->spec->made, decl->spec->is_const, declarator);
        check_declared(gen, owner, member, declarator);
    }
    if (owner->member_count++ == GEN_MAX_MEMBERS) {
        gen_error(&gen->diag, member->pos, "use structs within, or arrays", "more than %d fields",
                  GEN_MAX_MEMBERS);
    }
    if (owner->member_count > GEN_MAX_MEMBERS) return end;
    *end = member;
    return &member->next;
}

/* Fields of a struct, arms of a union. */
void gen_add_members(gen_t *gen, gen_type_t *owner, const gen_decl_t *fields)
{
    gen_member_t **end = &owner->members;
    for (const gen_decl_t *decl = fields; decl != NULL; decl = decl->next) {
        const gen_declarator_t *declarator = decl->declarators;
        if (decl->spec == NULL) {
            end = add_member(gen, owner, end, decl, NULL);
            continue;
        }
        gen_spec_type(gen, decl->spec, NULL);
        if (declarator == NULL) {
            gen_error(&gen->diag, decl->pos, "give it a name", "this declares no field");
        } else if (owner->kind == TY_UNION && declarator->next != NULL) {
            gen_error(&gen->diag, declarator->next->pos, "put them into a struct",
                      "an arm has one field");
        }
        for (; declarator != NULL; declarator = declarator->next) {
            end = add_member(gen, owner, end, decl, declarator);
        }
    }
}

/* Only the last field may be an array of open size. */
void gen_check_open_arrays(gen_t *gen, gen_type_t *type)
{
    for (gen_member_t *member = type->members; member != NULL; member = member->next) {
        gen_type_t *bare = gen_bare(member->type == NULL ? gen->error_type : member->type);
        if (bare->kind != TY_ARRAY || bare->count >= 0) continue;
        if (member->next == NULL && type->kind == TY_STRUCT && member != type->members) {
            type->flexible = true;
        } else {
            gen_error(&gen->diag, member->pos, "move it to the end, or use a pointer with size_is",
                      "an array of open size can only be the last field of a struct with others "
                      "before it");
            member->type = gen->error_type;
        }
    }
}
