/* SPDX-License-Identifier: MIT */
/* The chunked transfer coding of a request's body (RFC 9112 7.1). Internal to src/http. */
#ifndef CRIER_HTTP_CHUNKED_H
#define CRIER_HTTP_CHUNKED_H

#include "http/scan.h"

enum { CRIER_CHUNKED_END = 2 };

/* Zeroed is the start of a body. */
struct crier_chunked {
    uint8_t state;
    uint8_t digits;         /* of the size */
    uint64_t left;          /* the size so far, then the bytes of data still to come */
    size_t extension_bytes; /* over all chunks */
    size_t trailer_bytes;
    struct crier_field_scan trailer;
};

/* Advances *input. 0: *ret_data, a view on the input; CRIER_HTTP_MORE; CRIER_CHUNKED_END: the
 * body and its trailer are over; -EPROTO. */
int crier_chunked_next(struct crier_chunked *body,
                       const struct crier_http_limits *limits,
                       struct crier_slice *input,
                       struct crier_refusal *refusal,
                       struct crier_slice *ret_data);

#endif
