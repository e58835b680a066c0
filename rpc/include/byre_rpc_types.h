/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre_rpc_types.h
 * How generated stubs describe an interface to the library: types as tables of constants. Programs do not
 * use this header directly; what byre-rpcgen writes does.
 *
 * A procedure's arguments travel as a *frame*: a struct with a field for each parameter and, last, one for
 * the result. Where a type depends on a sibling (size_is, length_is, switch_is), a generated function
 * computes it from the *container*: the frame, or the innermost struct around the field; pointers, arrays
 * and unions on the way do not change it. It gives -1 when the value does not fit in an int64_t.
 *
 * What generated tables keep to:
 *   T1  A type has one table in its interface, whose address is its identity, except that arrays, pointers,
 *       and unions with switch_is of a sibling have one for each declaration.
 *   T2  An array that is a parameter is a POINTER with F_REF to its first element, with size_is even where
 *       the size is constant.
 *   T3  Bounds of strings, in `count` or size_is, include the NUL. An [out] string that the caller has the
 *       room for, and the server must be given, has a bound.
 *   T4  `values` of an enum ascend, without doubles.
 *   T5  Among the fields of a struct, what an attribute of an ARRAY, FLEX or UNION reads comes before it.
 *       What one of a POINTER reads may come after it, but is in place. Parameters stand in an order in
 *       which what is read comes before what reads it, also when it is read through a [ref] pointer: not
 *       always in order of offset.
 *   T6  `invoke` and `rundown` are NULL in a program without the server stub.
 *   T7  F_BULK: the element is of `size` 1 for void *, else F_FLAT.
 */
#ifndef BYRE_RPC_TYPES_H
#define BYRE_RPC_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What kind of thing a type describes. */
typedef enum byre_rpc_kind {
    BYRE_RPC_VOID = 0,
    BYRE_RPC_INT,     /**< integer of `size` 1, 2, 4, 8; BYRE_RPC_F_SIGNED */
    BYRE_RPC_BOOL,    /**< _Bool; anything but 0 and 1 on the wire is an error */
    BYRE_RPC_ENUM,    /**< 4 bytes; `values` are its `count` legal values */
    BYRE_RPC_FLOAT,   /**< IEEE 754, `size` 4 or 8 */
    BYRE_RPC_STRUCT,  /**< `fields`, `count` of them, in order of offset */
    BYRE_RPC_ARRAY,   /**< `count` times `element`, in place */
    BYRE_RPC_FLEX,    /**< last field of a struct: `size_is` times `element`, in place */
    BYRE_RPC_STRING,  /**< in place: char[count], NUL-terminated within */
    BYRE_RPC_UNION,   /**< in place: the case that `switch_is` of the container says */
    BYRE_RPC_POINTER, /**< to one `element`, or with size_is to an array of them, see flags */
    BYRE_RPC_CONTEXT  /**< context handle: a pointer that means something to the server only */
} byre_rpc_kind_t;

enum {
    BYRE_RPC_F_SIGNED = 1,
    BYRE_RPC_F_FLAT =
        2, /**< no pointers, no padding, every bit pattern is legal: bytes may be copied */
    BYRE_RPC_F_REF = 4,    /**< pointer: never NULL, never shared */
    BYRE_RPC_F_UNIQUE = 8, /**< pointer: may be NULL, never shared */
    BYRE_RPC_F_PTR = 16,   /**< pointer: may be NULL, shared, part of a cycle, into an object */
    BYRE_RPC_F_STRING =
        32, /**< pointer: to a NUL-terminated string; `count` bounds it, 0: no bound */
    BYRE_RPC_F_BULK = 64, /**< pointer: opaque bytes, which may travel straight into their place */
    BYRE_RPC_F_CONTAINS =
        128 /**< struct, array, pointer to many: a [ptr] may lead to what lies inside */
};

struct byre_rpc_type;

/** A field of a struct, a parameter of a procedure, a case of a union. */
typedef struct byre_rpc_field {
    const char *name;
    const struct byre_rpc_type *type;
    size_t offset;   /**< in its struct or frame; 0 for cases */
    int64_t value;   /**< of a case: the discriminant that selects it */
    uint32_t direct; /**< of a parameter: BYRE_RPC_IN | BYRE_RPC_OUT */
} byre_rpc_field_t;

enum {
    BYRE_RPC_IN = 1,
    BYRE_RPC_OUT = 2,
    BYRE_RPC_DEFAULT_CASE = 4 /**< of a union, in `direct` */
};

/** How many elements there are, which one is selected: computed from the container. */
typedef int64_t (*byre_rpc_attribute_fn)(const void *container);

typedef struct byre_rpc_type {
    const char *name; /**< as in the interface definition, for messages */
    uint8_t kind;     /**< byre_rpc_kind_t */
    uint8_t flags;
    uint16_t align;
    uint32_t count; /**< fields, elements, values, bound: see kinds */
    size_t size;    /**< sizeof, of the fixed part */
    const struct byre_rpc_type *element;
    const byre_rpc_field_t *fields;  /**< of a struct, cases of a union */
    const int64_t *values;           /**< of an enum */
    byre_rpc_attribute_fn size_is;   /**< elements that there is room for; NULL: one */
    byre_rpc_attribute_fn length_is; /**< elements that are defined, and travel; NULL: all */
    byre_rpc_attribute_fn first_is;  /**< the first of them; NULL: 0 */
    byre_rpc_attribute_fn switch_is; /**< discriminant of a union */
    void (*rundown)(
        void *context); /**< of a context handle, at the server when its client has died */
} byre_rpc_type_t;

enum {
    BYRE_RPC_P_IDEMPOTENT = 1, /**< may run more than once */
    BYRE_RPC_P_MAYBE = 2,      /**< no answer, may be lost */
    BYRE_RPC_P_ASYNC = 4,      /**< called by begin and end */
    BYRE_RPC_P_STATUS = 8      /**< comm_status: the int result takes an error of the call */
};

typedef struct byre_rpc_proc {
    const char *name;
    const byre_rpc_field_t *params; /**< the result is the last one, named "", direction OUT */
    uint32_t param_count;
    uint32_t flags;
    size_t frame_bytes;
    int timeout_ms; /**< 0: the binding's */
    /** Calls the server's procedure. `procs` is the server's table of procedures. */
    void (*invoke)(const void *procs, void *frame);
} byre_rpc_proc_t;

/** A variable shared by all: `[shared] int counter;` */
typedef struct byre_rpc_shared {
    const char *name;
    size_t bytes;
    void **place; /**< pointer behind the generated macro; set at export or bind */
} byre_rpc_shared_t;

/** An interface: a constant that header, client and server stub share. */
typedef struct byre_rpc_interface {
    const char *name;
    uint32_t major, minor; /**< a client of x.y talks to a server of x.z with z >= y */
    uint64_t hash;         /**< of the types and procedures up to `minor` */
    const byre_rpc_proc_t *procs;
    uint32_t proc_count;
    const byre_rpc_shared_t *shared;
    uint32_t shared_count;
    void **client; /**< place of the library's default binding: the interface itself is constant */
} byre_rpc_interface_t;

#ifdef __cplusplus
}
#endif
#endif
