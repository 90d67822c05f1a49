/* SPDX-License-Identifier: MIT */
/*
 * The pull side of reading requests: which phase of which request the next byte belongs to.
 *
 *     LEAD --a byte that is no line end--> HEAD --head complete--> [HEAD item]
 *       ^                                                              |
 *       |                                              BODY <----------+
 *       |                                               | left == 0, or the last chunk's end
 *       +--------------- [END item] <-- END <-----------+
 *
 *     scan.c     the head's raw bytes         head.c     the complete head, split
 *     chunked.c  a chunked body's framing     check.c    ... and what its parts mean
 *     request.c  order, and who gets which byte
 *
 * Invariants
 *   (1) *input is advanced exactly over the bytes of items handed out and of the head so far,
 *       so that after END it stands at the next request's first byte, in any split
 *   (2) `head` holds the last request until the first byte of the next one is read
 *   (3) once `failed` is set, nothing is read any more
 *
 * A reader belongs to one connection and is used by one thread. Out of memory ends it too: the
 * bytes that could not be kept are gone.
 */
#include "http/request.h"

#include "base/mem.h"
#include "http/check.h"
#include "http/chunked.h"
#include <assert.h>

/* Each bounds what one connection can make us hold or look at before anything is answered. */
static const struct crier_http_limits default_limits = {
    .target_bytes = 8 * 1024,
    .head_bytes = 32 * 1024,
    .headers = 128,
    .chunk_extension_bytes = 4 * 1024,
    .trailer_bytes = 8 * 1024,
};

enum phase { PHASE_LEAD = 0, PHASE_HEAD, PHASE_BODY, PHASE_END };

struct crier_http_reader {
    const struct crier_mem *mem;
    struct crier_http_limits limits;
    enum phase phase;
    int failed;
    struct crier_refusal refusal;
    struct crier_scan scan;
    struct crier_head head;
    struct crier_chunked chunked;
    uint64_t left; /* of a body with Content-Length */
};

int crier_http_reader_new(const struct crier_mem *mem,
                          const struct crier_http_limits *limits,
                          struct crier_http_reader **ret)
{
    struct crier_http_reader *reader = crier_mem_zalloc(mem, sizeof(*reader));

    if (!reader)
        return -ENOMEM;
    reader->mem = mem;
    reader->limits = limits ? *limits : default_limits;
    crier_scan_start(&reader->scan);
    crier_head_init(&reader->head, mem);
    *ret = reader;
    return 0;
}

struct crier_http_reader *crier_http_reader_free(struct crier_http_reader *reader)
{
    if (!reader)
        return NULL;
    crier_head_deinit(&reader->head);
    return crier_mem_free(reader->mem, reader);
}

static void advance(struct crier_slice *input, size_t n)
{
    *input = crier_slice_sub(*input, n, input->len);
}

static int next_lead(struct crier_http_reader *reader, struct crier_slice *input)
{
    int r = crier_scan_lead(&reader->scan, input, &reader->refusal);

    if (r != 0)
        return r;
    crier_head_reset(&reader->head);
    crier_scan_start(&reader->scan);
    reader->phase = PHASE_HEAD;
    return 0;
}

static int next_head(struct crier_http_reader *reader,
                     struct crier_slice *input,
                     struct crier_http_item *ret_item)
{
    size_t used = 0;
    int r, scanned;

    scanned = crier_scan_head(&reader->scan, &reader->limits, *input, &reader->refusal, &used);
    if (scanned < 0)
        return scanned;
    crier_buf_append(&reader->head.raw, crier_slice_sub(*input, 0, used));
    advance(input, used);
    r = crier_buf_error(&reader->head.raw);
    if (r < 0)
        return r;
    if (scanned == CRIER_HTTP_MORE)
        return CRIER_HTTP_MORE;
    r = crier_head_parse(&reader->head, &reader->scan, &reader->refusal);
    if (r == 0)
        r = crier_head_check(&reader->head, &reader->refusal);
    if (r < 0)
        return r;
    reader->phase = reader->head.request.has_body ? PHASE_BODY : PHASE_END;
    reader->left = reader->head.request.length;
    reader->chunked = (struct crier_chunked){.state = 0};
    *ret_item = (struct crier_http_item){
        .kind = CRIER_HTTP_HEAD,
        .request = &reader->head.request,
    };
    return 0;
}

static int next_chunk(struct crier_http_reader *reader,
                      struct crier_slice *input,
                      struct crier_slice *ret_body)
{
    return crier_chunked_next(&reader->chunked, &reader->limits, input, &reader->refusal,
                              ret_body);
}

static int next_part(struct crier_http_reader *reader,
                     struct crier_slice *input,
                     struct crier_slice *ret_body)
{
    size_t len = reader->left < input->len ? (size_t)reader->left : input->len;

    if (reader->left == 0)
        return CRIER_CHUNKED_END;
    if (len == 0)
        return CRIER_HTTP_MORE;
    *ret_body = crier_slice_sub(*input, 0, len);
    advance(input, len);
    reader->left -= len;
    return 0;
}

/* CRIER_CHUNKED_END: the body is over and the phase is END. */
static int next_body(struct crier_http_reader *reader,
                     struct crier_slice *input,
                     struct crier_http_item *ret_item)
{
    struct crier_http_item item = {.kind = CRIER_HTTP_BODY};
    int r;

    if (reader->head.chunked)
        r = next_chunk(reader, input, &item.body);
    else
        r = next_part(reader, input, &item.body);
    if (r == 0)
        *ret_item = item;
    if (r == CRIER_CHUNKED_END)
        reader->phase = PHASE_END;
    return r;
}

static void next_end(struct crier_http_reader *reader, struct crier_http_item *ret_item)
{
    reader->phase = PHASE_LEAD;
    crier_scan_start(&reader->scan);
    *ret_item = (struct crier_http_item){.kind = CRIER_HTTP_END};
}

static int step(struct crier_http_reader *reader,
                struct crier_slice *input,
                struct crier_http_item *ret_item)
{
    int r;

    if (reader->phase == PHASE_LEAD) {
        r = next_lead(reader, input);
        if (r != 0)
            return r;
    }
    if (reader->phase == PHASE_HEAD)
        return next_head(reader, input, ret_item);
    if (reader->phase == PHASE_BODY) {
        r = next_body(reader, input, ret_item);
        if (r != CRIER_CHUNKED_END)
            return r;
    }
    next_end(reader, ret_item);
    return 0;
}

int crier_http_next(struct crier_http_reader *reader,
                    struct crier_slice *input,
                    struct crier_http_item *ret_item)
{
    int r;

    if (reader->failed)
        return reader->failed;
    r = step(reader, input, ret_item);
    if (r < 0) {
        reader->failed = r;
        if (r == -ENOMEM)
            crier_refuse(&reader->refusal, CRIER_PROBLEM_INTERNAL,
                         "There is not enough memory to read this request. Try again later.");
    }
    assert(r != CRIER_HTTP_MORE || input->len == 0);
    return r;
}

void crier_http_reset(struct crier_http_reader *reader)
{
    assert(!crier_http_in_request(reader));
    crier_head_reset(&reader->head);
}

enum crier_problem crier_http_fault(const struct crier_http_reader *reader)
{
    return reader->refusal.problem;
}

const char *crier_http_fault_detail(const struct crier_http_reader *reader)
{
    return reader->refusal.detail ? reader->refusal.detail : "";
}

bool crier_http_in_request(const struct crier_http_reader *reader)
{
    return reader->phase != PHASE_LEAD;
}
