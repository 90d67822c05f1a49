/* SPDX-License-Identifier: MIT */
/*
 * Who may do what (http-api.md, the chapter of that name, to the letter). Pure: a request,
 * where it came from, and the configuration go in; a decision comes out. Reads no body, so that
 * a refusal can come before it.
 */
#ifndef CRIER_SERVER_ADMISSION_H
#define CRIER_SERVER_ADMISSION_H

#include "server/config.h"
#include "server/tokens.h"

enum crier_act {
    CRIER_ACT_HEALTH = 0, /* /-/health: any host */
    CRIER_ACT_READ,       /* following a topic by name, pages, problem pages */
    /* /-/topics, /-/stats, selectors that begin with a wildcard: local, token, or
     * --public-topics. */
    CRIER_ACT_READ_MANY,
    CRIER_ACT_PUBLISH,   /* POST, PUT, DELETE */
    CRIER_ACT_PREFLIGHT, /* OPTIONS */
    /* What changes something, and a program decides about afterwards (a permission, a handler):
     * only whether it is a page of another origin, behind its user's back. */
    CRIER_ACT_PUBLISH_IF_PERMITTED,
    CRIER_ACT_PROGRAM, /* a program's handler of a GET: only the Host is looked at */
};

struct crier_visitor {
    struct crier_ip peer; /* the socket's */
    bool loopback;        /* the socket came in on a loopback address */
};

struct crier_admission {
    enum crier_problem problem; /* NONE: come in */
    const char *detail;         /* NULL: the problem's own; static text */
    bool local;
    bool token; /* a right token was sent */
    /* CORS: what the answer (a refusal too) carries; empty: none. */
    struct crier_slice allow_origin; /* the origin itself, or "*"; borrowed from the request */
    bool allow_credentials;
};

/* The address limits and logs count by: the peer, or X-Forwarded-For's first untrusted address
 * from the right if the peer is a trusted proxy. */
struct crier_ip crier_admission_client(const struct crier_config *,
                                       const struct crier_http_request *,
                                       const struct crier_visitor *);
void crier_admission_decide(const struct crier_config *,
                            const struct crier_tokens *,
                            const struct crier_http_request *,
                            const struct crier_visitor *,
                            enum crier_act,
                            struct crier_admission *ret);
/* Appends Access-Control-*, and nothing for a request without an allowed Origin. */
void crier_admission_cors(struct crier_buf *, const struct crier_admission *);
/* The same for a preflight, with methods, headers, max-age. methods NULL data: those of a hub,
 * and the headers it knows; else these, and whatever headers are asked for. */
void crier_admission_preflight(struct crier_buf *,
                               const struct crier_admission *,
                               const struct crier_http_request *,
                               struct crier_slice methods);

#endif
