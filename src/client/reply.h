/* SPDX-License-Identifier: MIT */
/*
 * Reading one HTTP/1 response, on llhttp, pull style and in any split, as http/request.h reads
 * requests. Pure.
 *
 *     while ((r = crier_reply_next(reader, &input, &item)) == 0)
 *         item.kind: HEAD once, BODY any number of times, END once
 *     CRIER_REPLY_MORE: all input is used up
 *     at the peer's end of stream: crier_reply_finish
 *
 * Interim answers (1xx) are passed over. What comes after END is dropped: one answer, one
 * connection.
 */
#ifndef CRIER_CLIENT_REPLY_H
#define CRIER_CLIENT_REPLY_H

#include "http/request.h"

struct crier_reply_reader; /* opaque: wraps llhttp_t */

/* A view into the reader, valid until it is reset or freed. */
struct crier_reply {
    unsigned status; /* 200..599, whatever the server wrote */
    const struct crier_header *headers;
    size_t header_count;
};

enum crier_reply_kind { CRIER_REPLY_HEAD = 1, CRIER_REPLY_BODY = 2, CRIER_REPLY_END = 3 };

struct crier_reply_item {
    enum crier_reply_kind kind;
    const struct crier_reply *reply; /* HEAD */
    struct crier_slice body;         /* BODY: borrowed from the input */
};

enum { CRIER_REPLY_MORE = 1, CRIER_REPLY_CUT = 2 };

int crier_reply_reader_new(const struct crier_mem *mem,
                           struct crier_reply_reader **ret) CRIER_MUST_CHECK;
struct crier_reply_reader *crier_reply_reader_free(struct crier_reply_reader *);
void crier_reply_reset(struct crier_reply_reader *); /* for the answer on another connection */
/* Advances *input over what was used. 0: *ret_item. CRIER_REPLY_MORE. -EPROTO: see
 * crier_reply_fault; -ENOMEM. Errors stay. */
int crier_reply_next(struct crier_reply_reader *,
                     struct crier_slice *input,
                     struct crier_reply_item *ret_item) CRIER_MUST_CHECK;
/* The peer sends no more. 0: the answer is whole (it may have been delimited by this end).
 * CRIER_REPLY_CUT: it is not. */
int crier_reply_finish(struct crier_reply_reader *) CRIER_MUST_CHECK;
const char *crier_reply_fault(const struct crier_reply_reader *); /* a sentence, static text */

/* The first header of that name (compared without case), or NULL data. */
struct crier_slice crier_reply_header(const struct crier_reply *, struct crier_slice name);

#endif
