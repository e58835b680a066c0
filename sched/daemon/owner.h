/* SPDX-License-Identifier: BSD-3-Clause */
/* owner.h - load, and the owner of a workstation. Described in owner.c. */
#ifndef BYRED_OWNER_H
#define BYRED_OWNER_H

bool owner_open(void); /* false: the log says why */
void owner_tick(void);
double owner_due(void);
bool owner_there(void);

#endif
