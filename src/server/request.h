/* SPDX-License-Identifier: MIT */
/*
 * A request as a program's handler sees it (crier/server.h, "requests"): the exchange, its
 * whole body, the texts that were handed out, and the answer that was given. Answers are only
 * noted while the handler runs and written when it has returned, so that nothing it holds goes
 * away under it.
 *
 *   head ─▶ crier_request_begin ─▶ body is gathered ─▶ crier_request_end: the handler
 *                                                          │ reply      ─▶ answered
 *                                                          │ stream     ─▶ it streams
 *                                                          │ later      ─▶ waits for a letter
 *                                                          └ none       ─▶ 500
 */
#ifndef CRIER_SERVER_REQUEST_H
#define CRIER_SERVER_REQUEST_H

#include "server/exchange.h"

struct crier_letter;

enum crier_request_answer {
    CRIER_ANSWER_NONE = 0,
    CRIER_ANSWER_REPLY = 1,
    CRIER_ANSWER_STREAM = 2,
    CRIER_ANSWER_LATER = 3,
    CRIER_ANSWER_FAILED = 4, /* it was tried, and memory was out */
};

/* Which of the server's own headers the program has replaced. */
enum crier_own_header {
    CRIER_OWN_CACHE_CONTROL = 1u << 0,
    CRIER_OWN_BUFFERING = 1u << 1,
};

struct crier_text; /* a text that was handed out */

struct crier_request {
    struct crier_exchange *ex;
    struct crier_buf body;
    struct crier_text *texts;
    struct crier_buf headers; /* further header lines */
    unsigned own;             /* enum crier_own_header */
    unsigned stream_status;
    enum crier_request_answer answer;
    unsigned status; /* REPLY, and its texts: */
    bool has_type;
    struct crier_buf type, reply;
    struct crier_stream *stream; /* STREAM */
    struct crier_ref ref;        /* LATER */
};

/* For the route: a head whose path a handler serves; a piece of its body; its end. What is
 * wrong has been refused. */
void crier_request_begin(struct crier_exchange *);
void crier_request_take(struct crier_exchange *, struct crier_slice bytes);
void crier_request_end(struct crier_exchange *);
void crier_request_free(struct crier_request *);
/* A reply that another thread gave. Answers, and frees the request. */
void crier_request_deliver(struct crier_request *, const struct crier_letter *);

/* The header Last-Event-ID, or the parameter: appended to buf, which tells want of memory. */
void crier_request_read_last_id(const struct crier_request *, struct crier_buf *buf);

/* A request that only lives for the call of a permission. */
void crier_request_visit(struct crier_request *, struct crier_exchange *);
void crier_request_leave(struct crier_request *);

/* Constant bytes, with ETag and 304. */
void crier_site_answer(struct crier_exchange *);

#endif
