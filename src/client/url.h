/* SPDX-License-Identifier: MIT */
/* http and https URLs as a client needs them (RFC 3986): taken apart, resolved against another,
 * compared by origin. Pure. */
#ifndef CRIER_CLIENT_URL_H
#define CRIER_CLIENT_URL_H

#include "base/buf.h"

/* Views into the text it was parsed from. */
struct crier_url {
    bool is_secure;          /* https */
    struct crier_slice host; /* a name or an address; IPv6 without its brackets */
    bool is_ipv6;
    uint16_t port;            /* 80 or 443 when the text names none */
    struct crier_slice path;  /* as written; "/" when there is none */
    struct crier_slice query; /* as written, without '?'; NULL data when there is none */
};

/* NULL: *ret is filled. Otherwise a sentence for people that says what is wrong (static text).
 * A fragment is passed over; user names and passwords are refused, so that no secret stands in
 * a command line or a redirect. */
const char *crier_url_parse(struct crier_slice text, struct crier_url *ret);

/* Appends the absolute URL that `reference` (a Location header) means at `base`, without its
 * fragment (RFC 3986 5.2). It is not checked: parse it. Out of memory is sticky in buf. */
void crier_url_resolve(struct crier_buf *buf,
                       const struct crier_url *base,
                       struct crier_slice reference);

/* Same scheme, host and port? */
bool crier_url_same_origin(const struct crier_url *a, const struct crier_url *b);
/* Appends scheme, host and port, as in "https://example.org:8443". */
void crier_url_origin(struct crier_buf *buf, const struct crier_url *url);
void crier_url_host(struct crier_buf *buf,
                    const struct crier_url *url); /* appends the value of Host */
void crier_url_target(struct crier_buf *buf,
                      const struct crier_url *url); /* appends path and query, ASCII only */

#endif
