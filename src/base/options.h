/* SPDX-License-Identifier: MIT */
/*
 * Structs of options grow from release to release, at their end. Their first member is the
 * size of the caller's. 0 is that of release 0.2: a struct that has grown since is read with
 * crier_options_read_grown(), or older programs would be read beyond their end.
 */
#ifndef CRIER_BASE_OPTIONS_H
#define CRIER_BASE_OPTIONS_H

#include <stddef.h>
#include <string.h>

/* Takes over what the caller knows of the options; the rest, or all for NULL, is 0: defaults.
 * `known`: bytes of *ret_options, what this release knows; `first`: what 0.2 knew. */
static inline void
crier_options_read_grown(void *ret_options, size_t known, size_t first, const void *given)
{
    size_t size = 0;

    memset(ret_options, 0, known);
    if (!given)
        return;
    memcpy(&size, given, sizeof(size));
    if (!size)
        size = first;
    memcpy(ret_options, given, size < known ? size : known);
}

/* One that has not grown since. */
static inline void crier_options_read(void *ret_options, size_t known, const void *given)
{
    crier_options_read_grown(ret_options, known, known, given);
}

#endif
