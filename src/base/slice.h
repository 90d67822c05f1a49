/* SPDX-License-Identifier: MIT */
/*
 * What the code does with slices (struct crier_slice and crier_slice_of: crier/types.h). An
 * empty slice may have a NULL pointer.
 */
#ifndef CRIER_BASE_SLICE_H
#define CRIER_BASE_SLICE_H

#include "crier/types.h"
#include <string.h>

bool crier_slice_eq(struct crier_slice a, struct crier_slice b);
/* Folds ASCII letters only. */
bool crier_slice_eq_nocase(struct crier_slice a, struct crier_slice b);
/* By bytes, as memcmp, then by length. */
int crier_slice_cmp(struct crier_slice a, struct crier_slice b);
bool crier_slice_starts(struct crier_slice s, struct crier_slice prefix);
bool crier_slice_ends(struct crier_slice s, struct crier_slice suffix);
/* Clamped to s. */
static inline struct crier_slice crier_slice_sub(struct crier_slice s, size_t from, size_t len)
{
    if (from > s.len)
        from = s.len;
    if (len > s.len - from)
        len = s.len - from;
    /* NULL + 0 is not C: an empty slice stays where it is. */
    return (struct crier_slice){s.data ? s.data + from : NULL, len};
}
/* Outer SP and HTAB off. */
struct crier_slice crier_slice_trim(struct crier_slice s);
/* Index of the first byte c, or s.len. */
static inline size_t crier_slice_find(struct crier_slice s, char c)
{
    const char *at = s.len ? (const char *)memchr(s.data, c, s.len) : NULL;

    return at ? (size_t)(at - s.data) : s.len;
}
/* Index of the first CR or LF, or s.len. Looks at no byte beyond it, so that cutting a text
 * into lines is linear whichever of them it uses. */
size_t crier_slice_find_eol(struct crier_slice s);
/* Cuts at the first sep: returns what is before it and leaves the rest in *s. With no sep it
 * returns all and leaves *s with NULL data. */
struct crier_slice crier_slice_cut(struct crier_slice *s, char sep);
/* 1*DIGIT only, no sign, no space. 0; -EINVAL: no number; -ERANGE: does not fit. */
int crier_slice_to_u64(struct crier_slice s, uint64_t *ret_value);

#endif
