/* SPDX-License-Identifier: MIT */
/*
 * What a source does with the answer it got: it comes back after what passes (the server is
 * busy, restarting, or a proxy does not reach it) and stops at what stays wrong until someone
 * changes something. WHATWG HTML 9.2.3 is stricter: a browser never comes back after anything
 * but 200. Pure.
 */
#ifndef CRIER_CLIENT_VERDICT_H
#define CRIER_CLIENT_VERDICT_H

#include "base/buf.h"
#include "base/clock.h"

enum crier_verdict {
    CRIER_VERDICT_FOLLOW = 1, /* 200 and an event stream */
    CRIER_VERDICT_REDIRECT,   /* 301, 302, 303, 307, 308 with a Location */
    CRIER_VERDICT_RETRY,      /* 408, 425, 429, 5xx */
    CRIER_VERDICT_STOP,       /* everything else: coming back would not help */
};

/* content_type, location: the headers' values, NULL data when there are none. */
enum crier_verdict
crier_verdict_of(unsigned status, struct crier_slice content_type, struct crier_slice location);

/* Retry-After (RFC 9110 10.2.3): seconds, or a date. How long from now, in ms; 0 when there is
 * none or it makes no sense. */
uint64_t crier_retry_after(struct crier_slice value, uint64_t wall_ms);

/* Appends "403 Forbidden: title: detail" (a problem document's; body may be anything), on one
 * line and without control characters: it goes to someone's terminal. A 2xx that is no stream
 * is explained. */
void crier_refusal_describe(struct crier_buf *buf,
                            unsigned status,
                            struct crier_slice content_type,
                            struct crier_slice body);
/* Appends text with every control character replaced by a space, repaired to UTF-8, cut to
 * 1,000 bytes. */
void crier_plain_text(struct crier_buf *buf, struct crier_slice text);

#endif
