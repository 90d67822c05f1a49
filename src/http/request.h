/* SPDX-License-Identifier: MIT */
/*
 * Reading HTTP/1 requests from a connection's bytes, on llhttp, and stricter than it wherever
 * RFC 9112 asks for it. Pull style, any split; the head is copied, body bytes are views on the
 * input.
 *
 *     while ((r = crier_http_next(reader, &input, &item)) == 0)
 *         item.kind: HEAD once, BODY any number of times, END once; then the next request
 *     CRIER_HTTP_MORE: all input is used up, read more.   < 0: crier_http_fault says why
 *
 * A request is a view into the reader and is valid until a byte of the next request is read, or
 * crier_http_reset.
 */
#ifndef CRIER_HTTP_REQUEST_H
#define CRIER_HTTP_REQUEST_H

#include "base/buf.h"
#include "http/problem.h"

/* Opaque. Made with one allocation; a connection that streams needs none and may free it. */
struct crier_http_reader;

enum { CRIER_METHOD_BYTES = 32 }; /* a longer method is refused: 501 */

enum crier_method {
    CRIER_METHOD_OTHER = 0, /* any other token; for crier serve: 501 */
    CRIER_METHOD_GET,
    CRIER_METHOD_HEAD,
    CRIER_METHOD_POST,
    CRIER_METHOD_PUT,
    CRIER_METHOD_DELETE,
    CRIER_METHOD_OPTIONS,
    CRIER_METHOD_PATCH, /* known, nowhere supported: 405 */
};

struct crier_header {
    struct crier_slice name;  /* as sent */
    struct crier_slice value; /* outer white space off; obs-text (0x80..0xff) let through */
};

struct crier_http_request {
    enum crier_method method;
    struct crier_slice method_name; /* as sent */
    unsigned minor;                 /* HTTP/1.minor: 0 or 1 */
    struct crier_slice target;      /* as sent */
    struct crier_slice path;        /* raw, percent-encoded; "*" for OPTIONS * */
    struct crier_slice query;       /* raw, without '?'; NULL data when there is none */
    struct crier_slice host; /* Host, or an absolute-form target's (it wins, RFC 9112 3.2.2) */
    const struct crier_header *headers;
    size_t header_count;
    bool has_body; /* Content-Length > 0 or chunked */
    bool has_length;
    uint64_t length;
    bool expect_continue; /* 1.1 and Expect: 100-continue, and a body to wait for */
    bool keep_alive;      /* what the client wishes, by its version */
};

enum crier_http_item_kind { CRIER_HTTP_HEAD = 1, CRIER_HTTP_BODY = 2, CRIER_HTTP_END = 3 };

struct crier_http_item {
    enum crier_http_item_kind kind;
    const struct crier_http_request *request; /* HEAD */
    struct crier_slice body;                  /* BODY: borrowed from the input */
};

struct crier_http_limits {
    size_t target_bytes;          /* 8 KiB: 414 */
    size_t head_bytes;            /* 32 KiB: 431 */
    size_t headers;               /* 128: 431 */
    size_t chunk_extension_bytes; /* 4 KiB over a whole body: 400 */
    size_t trailer_bytes;         /* 8 KiB: 431 */
};

enum { CRIER_HTTP_MORE = 1 };

/* limits NULL: the defaults. */
int crier_http_reader_new(const struct crier_mem *mem,
                          const struct crier_http_limits *limits,
                          struct crier_http_reader **ret) CRIER_MUST_CHECK;
struct crier_http_reader *crier_http_reader_free(struct crier_http_reader *);
/* Advances *input over what was used. 0: *ret_item. CRIER_HTTP_MORE. -EPROTO: see
 * crier_http_fault; -ENOMEM. Errors stay. */
int crier_http_next(struct crier_http_reader *,
                    struct crier_slice *input,
                    struct crier_http_item *ret_item) CRIER_MUST_CHECK;
enum crier_problem crier_http_fault(const struct crier_http_reader *);
/* A sentence, static text. */
const char *crier_http_fault_detail(const struct crier_http_reader *);
/* Has any byte of a request that is not complete come (for the head timeout, and whether idle
 * closing is clean)? */
bool crier_http_in_request(const struct crier_http_reader *);
/* The request is answered: forgets it and gives back the memory of a large head. Only between
 * requests (after END, with !crier_http_in_request); optional, the next request does it too. */
void crier_http_reset(struct crier_http_reader *);
/* How much memory does the reader hold? */

/* The first header of that name, or NULL data; and how many there are. Names compare without
 * case. */
struct crier_slice crier_http_request_header(const struct crier_http_request *,
                                             struct crier_slice name);
size_t crier_http_request_header_count(const struct crier_http_request *,
                                       struct crier_slice name);

#endif
