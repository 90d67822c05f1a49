/* SPDX-License-Identifier: MIT */
/* Percent-decoding, query parameters, Host and Origin. Pure text work on slices. */
#ifndef CRIER_HTTP_TARGET_H
#define CRIER_HTTP_TARGET_H

#include "base/buf.h"

/* Appends the decoded text. plus: '+' is a space (queries only). 0; -EINVAL: a '%' without two
 * hex digits; -ENOMEM. */
int crier_percent_decode(struct crier_buf *buf,
                         struct crier_slice text,
                         bool plus) CRIER_MUST_CHECK;
/* Takes the next byte off a text that is not empty, decoded as browsers do it: a '%' without
 * two hex digits stands for itself. */
char crier_percent_next(struct crier_slice *text);
/* Appends text so that it can stand in a path: all is encoded but unreserved bytes and '/'. */
void crier_percent_encode(struct crier_buf *buf, struct crier_slice text);

/* Walks a raw query: the next `name=value`, still encoded; false at the end. Empty parts are
 * passed over. */
bool crier_query_next(struct crier_slice *query,
                      struct crier_slice *ret_name,
                      struct crier_slice *ret_value);

struct crier_authority {
    struct crier_slice host; /* without port; an IPv6 literal without its brackets */
    bool is_ipv6;
    bool has_port;
    uint16_t port;
};
/* "example.org", "example.org:8080", "[::1]:8080" (RFC 3986, no userinfo). 0 or -EINVAL. */
int crier_authority_parse(struct crier_slice text,
                          struct crier_authority *ret) CRIER_MUST_CHECK;
/* localhost, *.localhost, 127.0.0.0/8, ::1 (any spelling of it; one trailing dot is allowed on
 * names). */
bool crier_authority_is_local(const struct crier_authority *);

struct crier_origin {
    bool is_null; /* "null" */
    struct crier_slice scheme;
    struct crier_authority authority;
};
/* An Origin header: scheme://host[:port] and nothing after it, or "null". 0 or -EINVAL. */
int crier_origin_parse(struct crier_slice text, struct crier_origin *ret) CRIER_MUST_CHECK;
/* Same host (without case) and same port (an absent one is the scheme's default: http 80, https
 * 443)? */
bool crier_origin_matches_host(const struct crier_origin *, const struct crier_authority *host);

#endif
