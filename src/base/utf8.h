/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629): validation in one go or bit by bit, and the repair WHATWG decoders do. */
#ifndef CRIER_BASE_UTF8_H
#define CRIER_BASE_UTF8_H

#include "base/slice.h"

struct crier_buf;

bool crier_utf8_valid(struct crier_slice text);

/* Incremental: zeroed is the start. */
struct crier_utf8 {
    uint8_t need;      /* continuation bytes still to come */
    uint8_t low, high; /* bounds of the next one */
};
/* false: ill-formed, for good. */
bool crier_utf8_feed(struct crier_utf8 *state, struct crier_slice bytes);
/* false: ended inside a code point (or ill-formed). */
bool crier_utf8_done(const struct crier_utf8 *state);

/* Appends text with every maximal ill-formed subpart replaced by U+FFFD (Unicode 3.9, the
 * practice of the WHATWG Encoding standard). */
void crier_utf8_repair(struct crier_buf *buf, struct crier_slice text);

#endif
