/* SPDX-License-Identifier: MIT */
/*
 * Where the next line ends (CR or LF), while a text is cut into lines. Both are searched for by
 * memchr() and remembered until they are passed, so each byte is looked at once for either.
 * To search for both at every line would be quadratic on a text of many CRs and no LF.
 */
#ifndef CRIER_BASE_EOL_H
#define CRIER_BASE_EOL_H

#include "base/slice.h"

#define CRIER_EOL_UNKNOWN SIZE_MAX

/* Counted from the start of what is left of the text; its length: there is none. */
struct crier_eol {
    size_t lf, cr;
};

/* At the start of a text. */
static inline void crier_eol_init(struct crier_eol *eol)
{
    eol->lf = eol->cr = CRIER_EOL_UNKNOWN;
}

/* Index of the first CR or LF in what is left, or its length. */
static inline size_t crier_eol_find(struct crier_eol *eol, struct crier_slice left)
{
    /* A blank line, as every event ends with one, is not worth a call. */
    if (left.len > 0 && left.data[0] == '\n')
        return 0;
    if (eol->lf == CRIER_EOL_UNKNOWN)
        eol->lf = crier_slice_find(left, '\n');
    if (eol->cr == CRIER_EOL_UNKNOWN)
        eol->cr = crier_slice_find(left, '\r');
    return eol->lf < eol->cr ? eol->lf : eol->cr;
}

static inline size_t crier_eol_after(size_t at, size_t count)
{
    return at != CRIER_EOL_UNKNOWN && at >= count ? at - count : CRIER_EOL_UNKNOWN;
}

/* So many bytes are not left any more. */
static inline void crier_eol_pass(struct crier_eol *eol, size_t count)
{
    eol->lf = crier_eol_after(eol->lf, count);
    eol->cr = crier_eol_after(eol->cr, count);
}

#endif
