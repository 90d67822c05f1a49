/* SPDX-License-Identifier: MIT */
/*
 * Structs of options grow from release to release, at their end. Their first member is the
 * size of the caller's. 0 is that of release 0.2, where nothing has grown yet: whoever lets a
 * struct grow gives its old size as `known` to those that say 0, or older programs would be
 * read beyond their end.
 */
#ifndef CRIER_BASE_OPTIONS_H
#define CRIER_BASE_OPTIONS_H

#include <stddef.h>
#include <string.h>

/* Takes over what the caller knows of the options; the rest, or all for NULL, is 0: defaults.
 * `known`: bytes of *ret_options, what this release knows. */
static inline void crier_options_read(void *ret_options, size_t known, const void *given)
{
    size_t size = known;

    memset(ret_options, 0, known);
    if (!given)
        return;
    memcpy(&size, given, sizeof(size));
    memcpy(ret_options, given, size && size < known ? size : known);
}

#endif
