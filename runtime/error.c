/* SPDX-License-Identifier: BSD-3-Clause */
#include <byre_errors.h>

const char *byre_strerror(int error)
{
    switch (error) {
#define BYRE__X(name, number, scope, text) \
    case name:                             \
        return text;
        BYRE_ERRORS(BYRE__X)
#undef BYRE__X
    default:
        return "unknown error";
    }
}

const char *byre_error_name(int error)
{
    switch (error) {
#define BYRE__X(name, number, scope, text) \
    case name:                             \
        return #name;
        BYRE_ERRORS(BYRE__X)
#undef BYRE__X
    default:
        return "BYRE_E?";
    }
}
