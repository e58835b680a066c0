/* SPDX-License-Identifier: BSD-3-Clause */
/* Names. What C, C++ or the generated files use themselves is refused here. */
#include "model.h"

#include <string.h>

static const char *const reserved[] = { "alignas",      "alignof",
                                        "and",          "and_eq",
                                        "asm",          "auto",
                                        "bitand",       "bitor",
                                        "bool",         "break",
                                        "case",         "catch",
                                        "char",         "class",
                                        "compl",        "concept",
                                        "const",        "const_cast",
                                        "consteval",    "constexpr",
                                        "constinit",    "continue",
                                        "co_await",     "co_return",
                                        "co_yield",     "decltype",
                                        "default",      "delete",
                                        "do",           "double",
                                        "dynamic_cast", "else",
                                        "enum",         "errno",
                                        "explicit",     "export",
                                        "extern",       "false",
                                        "float",        "for",
                                        "friend",       "goto",
                                        "if",           "inline",
                                        "int",          "linux",
                                        "long",         "mutable",
                                        "namespace",    "new",
                                        "noexcept",     "not",
                                        "not_eq",       "nullptr",
                                        "operator",     "or",
                                        "or_eq",        "private",
                                        "protected",    "public",
                                        "register",     "reinterpret_cast",
                                        "requires",     "restrict",
                                        "return",       "short",
                                        "signed",       "sizeof",
                                        "static",       "static_assert",
                                        "static_cast",  "struct",
                                        "switch",       "template",
                                        "this",         "thread_local",
                                        "throw",        "true",
                                        "try",          "typedef",
                                        "typeid",       "typename",
                                        "typeof",       "union",
                                        "unix",         "unsigned",
                                        "using",        "virtual",
                                        "void",         "volatile",
                                        "wchar_t",      "while",
                                        "xor",          "xor_eq",
                                        "NULL",         "offsetof",
                                        "memset",       "malloc",
                                        "calloc",       "free" };

static unsigned hash_of(const char *name, gen_space_t space)
{
    unsigned hash = 2166136261u + space;
    for (; *name != 0; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash % SCOPE_BUCKETS;
}

gen_symbol_t *gen_lookup(gen_t *gen, const char *name, gen_space_t space)
{
    gen_symbol_t *symbol = gen->scope[hash_of(name, space)];
    while (symbol != NULL && (symbol->space != space || strcmp(symbol->name, name) != 0)) {
        symbol = symbol->next;
    }
    return symbol;
}

static gen_symbol_t *insert(gen_t *gen, const char *name, gen_space_t space, gen_pos_t pos)
{
    gen_symbol_t *symbol = GEN_NEW(&gen->arena, gen_symbol_t);
    gen_symbol_t **bucket = &gen->scope[hash_of(name, space)];
    *symbol = (gen_symbol_t){ .name = name, .space = space, .pos = pos, .next = *bucket };
    *bucket = symbol;
    return symbol;
}

static bool is_legal(gen_t *gen, const char *name, gen_pos_t pos)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(reserved[i], name) != 0) continue;
        gen_error(&gen->diag, pos, "choose another name", "%s has a meaning of its own in C or C++",
                  name);
        return false;
    }
    size_t length = strlen(name);
    if (strncmp(name, "byre_", 5) == 0 || strncmp(name, "BYRE_", 5) == 0 ||
        strstr(name, "__") != NULL || (name[0] == '_' && name[1] >= 'A' && name[1] <= 'Z') ||
        length > 200) {
        gen_error(&gen->diag, pos, "choose another name",
                  "the name %.40s%s: such names belong to C, to Byre or to what is generated", name,
                  length > 40 ? "..." : "");
        return false;
    }
    return true;
}

static void taken(gen_t *gen, const gen_symbol_t *before, gen_pos_t pos)
{
    if (before->is_ours) {
        gen_error(&gen->diag, pos, "choose another name",
                  "the name %s is used by what is generated here", before->name);
    } else if (before->pos.source == NULL) {
        gen_error(&gen->diag, pos, "choose another name", "%s is a type of the language",
                  before->name);
    } else {
        gen_error(&gen->diag, pos, "rename one of the two", "the name %s is taken: see %s:%d",
                  before->name, before->pos.source->path, before->pos.line);
    }
}

gen_symbol_t *gen_declare(gen_t *gen, const char *name, gen_space_t space, gen_symbol_kind_t kind,
                          gen_pos_t pos)
{
    const gen_symbol_t *before = gen_lookup(gen, name, space);
    if (!is_legal(gen, name, pos)) return NULL;
    if (before == NULL && space == SPACE_TAGS) {
        before = gen_lookup(gen, name, SPACE_NAMES);
        if (before != NULL && !before->is_macro) before = NULL;
    }
    if (before != NULL) {
        taken(gen, before, pos);
        return NULL;
    }
    gen_symbol_t *symbol = insert(gen, name, space, pos);
    symbol->kind = kind;
    return symbol;
}

gen_symbol_t *gen_declare_macro(gen_t *gen, const char *name, gen_symbol_kind_t kind, gen_pos_t pos)
{
    const gen_symbol_t *before = gen_lookup(gen, name, SPACE_MEMBERS);
    if (before == NULL) before = gen_lookup(gen, name, SPACE_TAGS);
    if (before != NULL) {
        gen_error(&gen->diag, pos, "rename one of the two",
                  "%s becomes a macro of C, and is also the name of what stands at %s:%d", name,
                  before->pos.source->path, before->pos.line);
        return NULL;
    }
    gen_symbol_t *symbol = gen_declare(gen, name, SPACE_NAMES, kind, pos);
    if (symbol != NULL) symbol->is_macro = true;
    return symbol;
}

void gen_reserve(gen_t *gen, const char *name, gen_pos_t pos)
{
    const gen_symbol_t *before = gen_lookup(gen, name, SPACE_NAMES);
    if (before != NULL) {
        gen_error(&gen->diag, before->pos.source == NULL ? pos : before->pos, "choose another name",
                  "the name %s is used by what is generated here", name);
        return;
    }
    insert(gen, name, SPACE_NAMES, pos)->is_ours = true;
}

const char *gen_unique(gen_t *gen, const char *id)
{
    const char *unique = id;
    for (int i = 2; gen_lookup(gen, unique, SPACE_IDS) != NULL; i++)
        unique = GEN_TEXT(gen, "%s__%d", id, i);
    insert(gen, unique, SPACE_IDS, (gen_pos_t){ 0 });
    return unique;
}

bool gen_member_name(gen_t *gen, const char *name, gen_pos_t pos)
{
    if (!is_legal(gen, name, pos)) return false;
    const gen_symbol_t *macro = gen_lookup(gen, name, SPACE_NAMES);
    if (macro != NULL && macro->is_macro) {
        gen_error(&gen->diag, pos, "rename one of the two",
                  "%s is a macro of C, from what stands at %s:%d", name, macro->pos.source->path,
                  macro->pos.line);
        return false;
    }
    if (gen_lookup(gen, name, SPACE_MEMBERS) == NULL) insert(gen, name, SPACE_MEMBERS, pos);
    return true;
}

/* Is it one slip of the finger away? */
bool gen_similar(const char *a, const char *b)
{
    size_t x = strlen(a), y = strlen(b), i = 0;
    if (x < 3 || y < 3 || x > y + 1 || y > x + 1) return false;
    while (a[i] != 0 && a[i] == b[i]) i++;
    if (x == y) {
        bool swapped = a[i] != 0 && a[i] == b[i + 1] && a[i + 1] == b[i];
        return strcmp(a + i + (a[i] != 0), b + i + (b[i] != 0)) == 0 ||
               (swapped && strcmp(a + i + 2, b + i + 2) == 0);
    }
    return x > y ? strcmp(a + i + 1, b + i) == 0 : strcmp(a + i, b + i + 1) == 0;
}

const char *gen_nearest(gen_t *gen, const char *name, gen_space_t space)
{
    const char *best = NULL;
    for (int i = 0; i < SCOPE_BUCKETS; i++) {
        for (const gen_symbol_t *symbol = gen->scope[i]; symbol != NULL; symbol = symbol->next) {
            if (symbol->space != space || symbol->is_ours || !gen_similar(name, symbol->name))
                continue;
            if (best == NULL || strcmp(symbol->name, best) < 0) best = symbol->name;
        }
    }
    return best == NULL ? NULL : GEN_TEXT(gen, "did you mean %s?", best);
}
