/* SPDX-License-Identifier: MIT */
/* Response heads (RFC 9112), one writer for all of them. */
#ifndef CRIER_HTTP_RESPONSE_H
#define CRIER_HTTP_RESPONSE_H

#include "base/buf.h"

const char *crier_status_reason(unsigned status); /* "Not Found"; "" when unknown */

/* "HTTP/1.1 200 OK\r\n" and Date. (HTTP/1.0 requests get an HTTP/1.1 status line too, RFC
 * 9110 2.5.) */
void crier_http_start_head(struct crier_buf *buf, unsigned status, uint64_t wall_ms);
void crier_http_header(struct crier_buf *buf,
                       struct crier_slice name,
                       struct crier_slice value); /* value: no CR, LF, NUL (asserted) */
void crier_http_header_u64(struct crier_buf *buf, struct crier_slice name, uint64_t value);
void crier_http_end_head(struct crier_buf *buf); /* the blank line */

#endif
