/* SPDX-License-Identifier: MIT */
/*
 * Every refusal there is: one table (problem.c) of slug, status, title, what it means and what
 * to do. Answered as application/problem+json (RFC 9457), and explained as a page at
 * /-/problems/<slug>.
 */
#ifndef CRIER_HTTP_PROBLEM_H
#define CRIER_HTTP_PROBLEM_H

#include "base/buf.h"

/* X(NAME, "slug", status): the texts stand in problem.c in the same order. */
#define CRIER_PROBLEMS(X)                                                                      \
    X(BAD_REQUEST, "bad-request", 400) /* malformed HTTP; close */                             \
    X(BAD_HOST, "bad-host", 400)       /* no Host, two, or a malformed one; close */           \
    X(BAD_TOPIC, "bad-topic", 400)                                                             \
    X(BAD_SELECTOR, "bad-selector", 400)                                                       \
    X(BAD_PARAMETER, "bad-parameter", 400)                                                     \
    X(NO_TOPIC, "no-topic", 400)                                                               \
    X(BAD_BODY, "bad-body", 400)               /* not UTF-8, no JSON, a bad line */            \
    X(BAD_CREDENTIALS, "bad-credentials", 400) /* two Authorization headers; close */          \
    X(TOKEN_MISSING, "token-missing", 401)                                                     \
    X(TOKEN_WRONG, "token-wrong", 401)                                                         \
    X(NOT_LOCAL, "not-local", 403) /* publishing from afar without a token */                  \
    X(CROSS_ORIGIN, "cross-origin", 403)                                                       \
    X(NOT_ALLOWED, "not-allowed", 403) /* a program's permission said no */                    \
    X(NOT_FOUND, "not-found", 404)                                                             \
    X(UNKNOWN_TOPIC, "unknown-topic", 404)                                                     \
    X(METHOD_NOT_ALLOWED, "method-not-allowed", 405)                                           \
    X(NOT_ACCEPTABLE, "not-acceptable", 406)                                                   \
    X(TIMEOUT, "timeout", 408)                                                                 \
    X(TOO_LARGE, "too-large", 413)                                                             \
    X(TARGET_TOO_LONG, "target-too-long", 414)                                                 \
    X(UNSUPPORTED_TYPE, "unsupported-type", 415) /* Content-Encoding on a publish */           \
    X(EXPECTATION_FAILED, "expectation-failed", 417)                                           \
    X(UNKNOWN_HOST, "unknown-host", 421)                                                       \
    X(TOO_MANY_CONNECTIONS, "too-many-connections", 429)                                       \
    X(HEAD_TOO_LARGE, "head-too-large", 431)                                                   \
    X(INTERNAL, "internal", 500)               /* out of memory and the like */                \
    X(NOT_IMPLEMENTED, "not-implemented", 501) /* unknown method or transfer coding */         \
    X(BUSY, "busy", 503)                       /* too many connections in all */               \
    X(DRAINING, "draining", 503)                                                               \
    X(JOURNAL_FULL, "journal-full", 503)                                                       \
    X(JOURNAL_FAILED, "journal-failed", 503) /* its disk has failed */                         \
    X(OUTCOME_UNKNOWN, "outcome-unknown", 503)                                                 \
    X(VERSION, "http-version", 505)

enum crier_problem {
    CRIER_PROBLEM_NONE = 0,
#define CRIER_PROBLEM_ENUM(name, slug, status) CRIER_PROBLEM_##name,
    CRIER_PROBLEMS(CRIER_PROBLEM_ENUM)
#undef CRIER_PROBLEM_ENUM
        CRIER_PROBLEM_COUNT,
};

unsigned crier_problem_status(enum crier_problem);
struct crier_slice crier_problem_slug(enum crier_problem);
struct crier_slice crier_problem_title(enum crier_problem);
struct crier_slice crier_problem_detail(enum crier_problem);    /* the default: what to do */
enum crier_problem crier_problem_find(struct crier_slice slug); /* NONE: unknown */
/* For the page. */
struct crier_slice crier_problem_meaning(enum crier_problem);
struct crier_slice crier_problem_causes(enum crier_problem);
struct crier_slice crier_problem_remedy(enum crier_problem);

/* Appends {"type":"/-/problems/<slug>","code":...,"title":...,"status":...,"detail":...} LF.
 * detail empty: the default one; it may hold bytes of the request: it is escaped, repaired to
 * UTF-8 and cut to 1,000 bytes. extra: further members, without braces ("\"line\":3"), or
 * empty. */
void crier_problem_json(struct crier_buf *buf,
                        enum crier_problem,
                        struct crier_slice detail,
                        struct crier_slice extra);

/* Appends the HTML page that explains it: no outside resource, no script (problem_page.c). */
void crier_problem_page(struct crier_buf *buf, enum crier_problem);
/* The Content-Security-Policy of those pages: nothing but their style, named by its hash. */
const char *crier_problem_page_csp(void);

#endif
