/* SPDX-License-Identifier: BSD-3-Clause */
/* peer_settings.c - how a daemon, which mostly waits, wants the runtime. */
#include "peer_core.h"

#include <stdlib.h>

void peer_settings(void)
{
    static const struct {
        const char *name, *value;
    } settings[] = {
        { "BYRE_LOG", "error" }, /* stderr is the daemon's log */
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        (void)setenv(settings[i].name, settings[i].value, 0);
}
