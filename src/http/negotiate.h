/* SPDX-License-Identifier: MIT */
/* Accept (RFC 9110 12.5.1), parsed, never compared as text; and a Content-Type's essence. */
#ifndef CRIER_HTTP_NEGOTIATE_H
#define CRIER_HTTP_NEGOTIATE_H

#include "http/request.h"

/* What Crier can answer, in the order that breaks ties. */
enum crier_media {
    CRIER_MEDIA_NONE = 0, /* 406 */
    CRIER_MEDIA_EVENT_STREAM = 1,
    CRIER_MEDIA_NDJSON = 2,
    CRIER_MEDIA_JSON = 3,
    CRIER_MEDIA_HTML = 4,
};

/* Over all Accept headers: highest q wins; among equals a named type beats a wildcard; then the
 * order above. No Accept, or an empty one: EVENT_STREAM. offered: bit (1u << media) for each
 * that is on offer. */
enum crier_media crier_negotiate(const struct crier_http_request *, unsigned offered);
/* Is this media named (no wildcard) with q > 0? */
bool crier_accept_names(const struct crier_http_request *, enum crier_media);
/* Would an answer of this type be acceptable (named or by wildcard, q > 0; no Accept: yes)? */
bool crier_accept_covers(const struct crier_http_request *, enum crier_media);
/* The lower-case-compared essence "type/subtype" of a Content-Type value, parameters off, outer
 * space off. */
struct crier_slice crier_content_type_essence(struct crier_slice value);

#endif
