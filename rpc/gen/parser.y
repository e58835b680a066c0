/* SPDX-License-Identifier: BSD-3-Clause */
/* Grammar of the interface language. Liberal: what the language has no use for (bit-fields, functions as
 * parameters, ...) is parsed as C has it, so that check.c can say why it is refused. */
%define api.pure full
%define api.prefix {gen_yy}
%define api.location.type {gen_pos_t}
%define parse.error custom
%locations
%param {void *scanner}
%parse-param {struct gen_parse *parse}
%expect 0

%code requires {
#include "parse.h"
#define YYMAXDEPTH GEN_MAX_NESTING
#define YYLLOC_DEFAULT(current, rhs, n) ((current) = (n) ? YYRHSLOC(rhs, 1) : YYRHSLOC(rhs, 0))
}

%union {
    int words;
    bool flag;
    const char *text;
    gen_expr_t *expr;
    gen_attr_t *attr;
    gen_level_t *level;
    gen_declarator_t *declarator;
    gen_enumerator_t *enumerator;
    gen_spec_t *spec;
    gen_decl_t *decl;
}

%code {
int gen_yylex(GEN_YYSTYPE *value, gen_pos_t *pos, void *scanner);
int gen_yylex_init_extra(struct gen_parse *parse, void **scanner);
int gen_yylex_destroy(void *scanner);
struct yy_buffer_state *gen_yy_scan_bytes(const char *bytes, int count, void *scanner);
static void gen_yyerror(const gen_pos_t *pos, void *scanner, struct gen_parse *parse, const char *text);

#define MAKE(type) GEN_NEW(parse->diag->arena, type)
#define EXPR(op, pos, left, right) gen_expr_new(parse->diag, (op), (pos), (left), (right))

/* Append to a short list. */
#define APPEND(type, list, item)                                                                           \
    do {                                                                                                   \
        type **end = &(list);                                                                              \
        while (*end != NULL) end = &(*end)->next;                                                          \
        *end = (item);                                                                                     \
    } while (0)

/* Lists of any length grow at the front, and are turned round when they are whole. */
#define PUSH(result, list, item) ((item)->next = (list), (result) = (item))
#define REVERSED(type)                                                                                     \
    static type *reversed_##type(type *list)                                                               \
    {                                                                                                      \
        type *turned = NULL;                                                                               \
        while (list != NULL) {                                                                             \
            type *next = list->next;                                                                       \
            list->next = turned;                                                                           \
            turned = list;                                                                                 \
            list = next;                                                                                   \
        }                                                                                                  \
        return turned;                                                                                     \
    }
REVERSED(gen_decl_t)
REVERSED(gen_attr_t)
REVERSED(gen_expr_t)
REVERSED(gen_declarator_t)
REVERSED(gen_enumerator_t)
#define TURN(type, list) reversed_##type(list)

static gen_declarator_t *add_level(struct gen_parse *parse, gen_declarator_t *declarator,
                                   gen_level_t *level, gen_pos_t pos)
{
    int count = 1;
    level->pos = pos;
    for (const gen_level_t *l = declarator->levels; l != NULL; l = l->next) count++;
    if (count > GEN_MAX_LEVELS) {
        gen_error(parse->diag, pos, "give a part of it a name with typedef",
                  "more than %d pointers and arrays in one declaration", GEN_MAX_LEVELS);
        return declarator;
    }
    APPEND(gen_level_t, declarator->levels, level);
    return declarator;
}

static int add_words(struct gen_parse *parse, gen_pos_t pos, int words, int more)
{
    if (((words & (more * 7)) == more * 7) || (words & (more * 4)) != 0) {
        gen_error(parse->diag, pos, NULL, "there is no such type");
        return words;
    }
    return words + more;
}

static gen_attr_t *new_attr(struct gen_parse *parse, const char *name, gen_pos_t pos)
{
    gen_attr_t *attr = MAKE(gen_attr_t);
    attr->name = name;
    attr->pos = pos;
    return attr;
}

static gen_spec_t *new_spec(struct gen_parse *parse, gen_spec_kind_t kind, gen_pos_t pos)
{
    gen_spec_t *spec = MAKE(gen_spec_t);
    spec->kind = kind;
    spec->pos = pos;
    return spec;
}

static gen_decl_t *new_decl(struct gen_parse *parse, gen_decl_kind_t kind, gen_pos_t pos)
{
    gen_decl_t *decl = MAKE(gen_decl_t);
    decl->kind = kind;
    decl->pos = pos;
    return decl;
}

/* union switch(int kind) tag { ... }: as an attribute of the spec. */
static gen_spec_t *switch_union(struct gen_parse *parse, gen_pos_t pos, gen_attr_t *attr,
                                const char *tag, gen_decl_t *arms)
{
    gen_spec_t *spec = new_spec(parse, SPEC_UNION, pos);
    spec->attrs = attr;
    spec->name = tag;
    spec->fields = arms;
    spec->has_body = true;
    return spec;
}

static gen_attr_t *switch_attr(struct gen_parse *parse, gen_pos_t pos, gen_spec_t *spec, const char *ident)
{
    gen_attr_t *attr = new_attr(parse, "switch", pos);
    attr->spec = spec;
    attr->ident = ident;
    return attr;
}
}

%token INTERFACE "interface" IMPORT "import" CONST "const" TYPEDEF "typedef" STRUCT "struct"
%token UNION "union" ENUM "enum" SWITCH "switch" SWITCH_TYPE "switch_type" CASE "case"
%token DEFAULT "default" ELLIPSIS "..." SHIFT_LEFT "<<" SHIFT_RIGHT ">>"
%token <words> BASIC "a type"
%token <text> NAME "a name"
%token <expr> NUMBER "a number" REAL "a number with a point" STRING "a string"

%type <expr> expr or xor and shift sum product unary primary arguments argument argument_list labels label array_size value
%type <attr> attrs attr_open attr attr_block
%type <text> tag
%type <words> basic
%type <flag> const
%type <spec> spec spec_core
%type <declarator> declarator direct declarators declarator_list
%type <decl> items item fields field arms arm params param param_list
%type <enumerator> enumerators enumerator

%%

file: imports unit
    | imports
    ;

imports: %empty
    | imports IMPORT STRING ';'
        {
            gen_decl_t *decl = new_decl(parse, DECL_IMPORT, @3);
            decl->import = $3->text;
            PUSH(parse->unit->items, parse->unit->items, decl);
        }
    ;

unit: attrs INTERFACE NAME
        { parse->unit->name = $3; parse->unit->pos = @3; parse->unit->attrs = $1; }
      '{' items '}' end
        {
            gen_decl_t *items = TURN(gen_decl_t, $6);
            parse->unit->items = TURN(gen_decl_t, parse->unit->items);
            APPEND(gen_decl_t, parse->unit->items, items);
        }
    | attrs INTERFACE error '}'
    | error
    ;

end: %empty | ';' | ';' more | more ;
more: attrs INTERFACE
        { gen_error(parse->diag, @2, "put it into a file of its own, and import it",
                    "a file has one interface"); YYABORT; }
    ;

/* Newest first. */
items: %empty { $$ = NULL; }
    | items item { if ($2 != NULL) { $2->next = $1; $$ = $2; } else { $$ = $1; } }
    | items error ';' { $$ = $1; yyerrok; }
    | items error '}' { $$ = $1; yyerrok; }
    | items ';' { $$ = $1; }
    ;

item: IMPORT STRING ';'
        { $$ = new_decl(parse, DECL_IMPORT, @2); $$->import = $2->text; }
    | TYPEDEF attrs spec declarators ';'
        { $$ = new_decl(parse, DECL_TYPEDEF, @1); $$->attrs = $2; $$->spec = $3; $$->declarators = $4; }
    | attr_block TYPEDEF spec declarators ';'
        { $$ = new_decl(parse, DECL_TYPEDEF, @1); $$->attrs = $1; $$->spec = $3; $$->declarators = $4; }
    | attrs spec declarators ';'
        { $$ = new_decl(parse, DECL_PLAIN, @2); $$->attrs = $1; $$->spec = $2; $$->declarators = $3; }
    | attrs spec declarator '=' value ';'
        {
            $$ = new_decl(parse, DECL_CONST, @3);
            $$->attrs = $1; $$->spec = $2; $$->declarators = $3; $$->value = $5;
        }
    | attrs spec ';'
        { $$ = new_decl(parse, DECL_PLAIN, @2); $$->attrs = $1; $$->spec = $2; }
    ;

value: expr | STRING | REAL ;

declarators: declarator_list { $$ = TURN(gen_declarator_t, $1); } ;

declarator_list: declarator
    | declarator_list ',' declarator { PUSH($$, $1, $3); }
    ;

/* ---- attributes -------------------------------------------------------------------------------- */

attrs: %empty { $$ = NULL; }
    | attr_block
    ;

attr_block: attr_open ']' { $$ = TURN(gen_attr_t, $1); }
    | attr_open ',' ']' { $$ = TURN(gen_attr_t, $1); }
    ;

/* [in] [out] is [in, out]. */
attr_open: '[' attr { $$ = $2; }
    | attr_open ',' attr { PUSH($$, $1, $3); }
    | attr_open ']' '[' attr { PUSH($$, $1, $4); }
    ;

attr: NAME { $$ = new_attr(parse, $1, @1); }
    | NAME '(' arguments ')' { $$ = new_attr(parse, $1, @1); $$->args = $3; }
    | DEFAULT { $$ = new_attr(parse, "default", @1); }
    | CASE '(' arguments ')' { $$ = new_attr(parse, "case", @1); $$->args = $3; }
    | SWITCH '(' spec NAME ')' { $$ = switch_attr(parse, @1, $3, $4); }
    | SWITCH_TYPE '(' spec ')' { $$ = switch_attr(parse, @1, $3, NULL); $$->name = "switch_type"; }
    ;

arguments: argument_list { $$ = TURN(gen_expr_t, $1); } ;

argument_list: argument
    | argument_list ',' argument { PUSH($$, $1, $3); }
    ;

argument: %empty { $$ = EXPR(OP_ABSENT, @$, NULL, NULL); }
    | expr
    | STRING
    | REAL
    | basic { $$ = EXPR(OP_ABSENT, @1, NULL, NULL); }
    ;

/* ---- types --------------------------------------------------------------------------------------- */

const: %empty { $$ = false; }
    | CONST { $$ = true; }
    ;

spec: spec_core
    | CONST spec_core { $$ = $2; $$->is_const = true; $$->pos = @1; }
    | CONST spec_core CONST { $$ = $2; $$->is_const = true; $$->pos = @1; }
    | spec_core CONST { $$ = $1; $$->is_const = true; }
    ;

spec_core: basic { $$ = new_spec(parse, SPEC_BASIC, @1); $$->words = $1; }
    | NAME { $$ = new_spec(parse, SPEC_NAME, @1); $$->name = $1; }
    | STRUCT NAME { $$ = new_spec(parse, SPEC_STRUCT, @1); $$->name = $2; }
    | STRUCT tag '{' fields '}'
        {
            $$ = new_spec(parse, SPEC_STRUCT, @1);
            $$->name = $2; $$->fields = TURN(gen_decl_t, $4); $$->has_body = true;
        }
    | UNION NAME { $$ = new_spec(parse, SPEC_UNION, @1); $$->name = $2; }
    | UNION attr_block NAME
        { $$ = new_spec(parse, SPEC_UNION, @1); $$->attrs = $2; $$->name = $3; }
    | UNION '{' arms '}' { $$ = switch_union(parse, @1, NULL, NULL, TURN(gen_decl_t, $3)); }
    | UNION NAME '{' arms '}' { $$ = switch_union(parse, @1, NULL, $2, TURN(gen_decl_t, $4)); }
    | UNION attr_block '{' arms '}' { $$ = switch_union(parse, @1, $2, NULL, TURN(gen_decl_t, $4)); }
    | UNION attr_block NAME '{' arms '}' { $$ = switch_union(parse, @1, $2, $3, TURN(gen_decl_t, $5)); }
    | UNION SWITCH '(' spec NAME ')' tag '{' arms '}'
        { $$ = switch_union(parse, @1, switch_attr(parse, @2, $4, $5), $7, TURN(gen_decl_t, $9)); }
    | UNION NAME SWITCH '(' spec NAME ')' '{' arms '}'
        { $$ = switch_union(parse, @1, switch_attr(parse, @3, $5, $6), $2, TURN(gen_decl_t, $9)); }
    | ENUM NAME { $$ = new_spec(parse, SPEC_ENUM, @1); $$->name = $2; }
    | ENUM tag '{' enumerators '}'
        { $$ = new_spec(parse, SPEC_ENUM, @1); $$->name = $2; $$->values = TURN(gen_enumerator_t, $4); $$->has_body = true; }
    | ENUM tag '{' enumerators ',' '}'
        { $$ = new_spec(parse, SPEC_ENUM, @1); $$->name = $2; $$->values = TURN(gen_enumerator_t, $4); $$->has_body = true; }
    ;

tag: %empty { $$ = NULL; }
    | NAME
    ;

basic: BASIC
    | basic BASIC { $$ = add_words(parse, @2, $1, $2); }
    ;

/* Newest first, as items. */
fields: %empty { $$ = NULL; }
    | fields field { if ($2 != NULL) { $2->next = $1; $$ = $2; } else { $$ = $1; } }
    | fields error ';' { $$ = $1; yyerrok; }
    ;

field: attrs spec declarators ';'
        { $$ = new_decl(parse, DECL_PLAIN, @2); $$->attrs = $1; $$->spec = $2; $$->declarators = $3; }
    | attrs spec declarator ':' expr ';'
        {
            $$ = new_decl(parse, DECL_PLAIN, @2);
            $$->attrs = $1; $$->spec = $2; $$->declarators = $3; $3->bits = $5;
        }
    | attrs spec ';'
        { $$ = new_decl(parse, DECL_PLAIN, @2); $$->attrs = $1; $$->spec = $2; }
    ;

arms: %empty { $$ = NULL; }
    | arms arm { $2->next = $1; $$ = $2; }
    | arms error ';' { $$ = $1; yyerrok; }
    ;

arm: labels field
        { $$ = $2; $$->labels = TURN(gen_expr_t, $1); }
    | labels ';' { $$ = new_decl(parse, DECL_PLAIN, @1); $$->labels = TURN(gen_expr_t, $1); }
    | DEFAULT ':' field { $$ = $3; $$->is_default = true; }
    | DEFAULT ':' ';' { $$ = new_decl(parse, DECL_PLAIN, @1); $$->is_default = true; }
    | field
    | attr_block ';' { $$ = new_decl(parse, DECL_PLAIN, @1); $$->attrs = $1; }
    ;

labels: CASE label ':' { $$ = $2; }
    | labels CASE label ':' { $$ = $3; APPEND(gen_expr_t, $$, $1); }
    ;

label: expr
    | label ',' expr { PUSH($$, $1, $3); }
    ;

enumerators: enumerator
    | enumerators ',' enumerator { PUSH($$, $1, $3); }
    ;

enumerator: NAME
        { $$ = MAKE(gen_enumerator_t); $$->name = $1; $$->pos = @1; }
    | NAME '=' expr
        { $$ = MAKE(gen_enumerator_t); $$->name = $1; $$->pos = @1; $$->value = $3; }
    ;

/* ---- declarators ------------------------------------------------------------------------------------ */

declarator: direct
    | '*' const declarator
        {
            gen_level_t *level = MAKE(gen_level_t);
            level->is_const = $2;
            $$ = add_level(parse, $3, level, @1);
        }
    ;

direct: NAME { $$ = MAKE(gen_declarator_t); $$->name = $1; $$->pos = @1; }
    | '(' declarator ')' { $$ = $2; }
    | direct '[' array_size ']'
        {
            gen_level_t *level = MAKE(gen_level_t);
            level->kind = LEVEL_ARRAY;
            level->size = $3;
            $$ = add_level(parse, $1, level, @2);
        }
    | direct '(' params ')'
        {
            gen_level_t *level = MAKE(gen_level_t);
            level->kind = LEVEL_FUNCTION;
            level->params = $3;
            $$ = add_level(parse, $1, level, @2);
        }
    ;

array_size: %empty { $$ = NULL; }
    | '*' { $$ = NULL; }
    | expr
    ;

params: %empty { $$ = NULL; }
    | param_list { $$ = TURN(gen_decl_t, $1); }
    ;

/* Newest first. */
param_list: param
    | param_list ',' param { $$ = $3; $$->next = $1; }
    ;

param: attrs spec declarator
        { $$ = new_decl(parse, DECL_PLAIN, @2); $$->attrs = $1; $$->spec = $2; $$->declarators = $3; }
    | attrs spec
        { $$ = new_decl(parse, DECL_PLAIN, @2); $$->attrs = $1; $$->spec = $2; }
    | attrs spec abstract
        {
            $$ = new_decl(parse, DECL_PLAIN, @2);
            $$->attrs = $1; $$->spec = $2; $$->declarators = MAKE(gen_declarator_t);
            $$->declarators->pos = @3;
        }
    | ELLIPSIS
        { $$ = new_decl(parse, DECL_PLAIN, @1); }
    ;

/* A parameter without a name, which check.c refuses. */
abstract: '*' const
    | '*' const abstract
    ;

/* ---- expressions ---------------------------------------------------------------------------------- */

expr: or ;
or: xor | or '|' xor { $$ = EXPR(OP_OR, @2, $1, $3); } ;
xor: and | xor '^' and { $$ = EXPR(OP_XOR, @2, $1, $3); } ;
and: shift | and '&' shift { $$ = EXPR(OP_AND, @2, $1, $3); } ;
shift: sum
    | shift SHIFT_LEFT sum { $$ = EXPR(OP_SHL, @2, $1, $3); }
    | shift SHIFT_RIGHT sum { $$ = EXPR(OP_SHR, @2, $1, $3); }
    ;
sum: product
    | sum '+' product { $$ = EXPR(OP_ADD, @2, $1, $3); }
    | sum '-' product { $$ = EXPR(OP_SUB, @2, $1, $3); }
    ;
product: unary
    | product '*' unary { $$ = EXPR(OP_MUL, @2, $1, $3); }
    | product '/' unary { $$ = EXPR(OP_DIV, @2, $1, $3); }
    | product '%' unary { $$ = EXPR(OP_MOD, @2, $1, $3); }
    ;
unary: primary
    | '-' unary { $$ = EXPR(OP_NEG, @1, $2, NULL); }
    | '+' unary { $$ = $2; }
    | '~' unary { $$ = EXPR(OP_NOT, @1, $2, NULL); }
    | '*' unary { $$ = EXPR(OP_DEREF, @1, $2, NULL); }
    ;
primary: NUMBER
    | NAME { $$ = EXPR(OP_NAME, @1, NULL, NULL); $$->text = $1; }
    | '(' expr ')' { $$ = $2; }
    ;

%%

static void gen_yyerror(const gen_pos_t *pos, void *scanner, struct gen_parse *parse, const char *text)
{
    (void)scanner;
    parse->diag->syntax = true;
    bool full = text[0] == 'm'; /* "memory exhausted": the parser's stack is full */
    gen_error(parse->diag, *pos, full ? "give parts of it a name" : NULL, "%s",
              full ? "this is nested too deeply" : text);
}

/* What stands there, and what might: in the words of the language. */
static int yyreport_syntax_error(const yypcontext_t *context, void *scanner, struct gen_parse *parse)
{
    enum { SAID = 4 };
    yysymbol_kind_t expected[SAID + 1];
    int count = yypcontext_expected_tokens(context, expected, SAID + 1);
    yysymbol_kind_t found = yypcontext_token(context);
    const gen_pos_t *pos = yypcontext_location(context);
    const char *remedy = NULL;
    (void)scanner;
    if (count > 0 && count <= SAID) {
        remedy = "write";
        for (int i = 0; i < count; i++) {
            remedy = gen_format(parse->diag->arena, "%s%s %s", remedy,
                                i == 0 ? "" : (i + 1 == count ? " or" : ","), yysymbol_name(expected[i]));
        }
        remedy = gen_format(parse->diag->arena, "%s here", remedy);
    }
    parse->diag->syntax = true;
    if (found == YYSYMBOL_YYEOF || found == YYSYMBOL_YYEMPTY) {
        gen_error(parse->diag, *pos, remedy, "the file ends too early");
    } else {
        gen_error(parse->diag, *pos, remedy, "%s is unexpected here", yysymbol_name(found));
    }
    return 0;
}

void gen_parse(gen_diag_t *diag, gen_unit_t *unit)
{
    gen_parse_t parse = { .diag = diag, .unit = unit, .line = 1, .column = 1 };
    void *scanner = NULL;
    if (gen_yylex_init_extra(&parse, &scanner) != 0) {
        gen_error(diag, (gen_pos_t){ 0 }, NULL, "no memory");
        return;
    }
    if (gen_yy_scan_bytes(unit->source->text, (int)unit->source->bytes, scanner) != NULL) {
        gen_yyparse(scanner, &parse);
    }
    gen_yylex_destroy(scanner);
}
