/* SPDX-License-Identifier: MIT */
/*
 * From the bytes of a complete head to a request.
 *
 *     scan.c     every byte is in its place and within bounds
 *     head.c     llhttp splits the text: header names and values
 *     check.c    what the parts mean together: target form, body framing, Host, ...
 *
 * llhttp gets the whole head at once, so its spans are whole and point into `raw`; nothing is
 * copied a second time. Three things are kept from it because its versions differ in them: it
 * sees "POST /" instead of the method, of which any token will do, and the target (both were
 * looked at in scan.c), it is told to be lenient with header values, whose characters are
 * checked in check.c, and with Transfer-Encoding, which is judged there, so that 400 and 501 do
 * not depend on the version. It stops at the end of the head: a body is never its business.
 *
 * Errors are refusals (-EPROTO, with the problem and a sentence) or -ENOMEM for the headers'
 * array.
 */
#include "http/head.h"

#include "base/mem.h"
#include <assert.h>
#include <llhttp.h>

/* What a head may keep between two requests of a connection. */
enum { KEEP_RAW = 4096, FIRST_HEADERS = 16, KEEP_HEADERS = 32 };

struct split {
    struct crier_head *head;
    bool no_memory, complete;
};

static int bad(struct crier_refusal *refusal, const char *detail)
{
    return crier_refuse(refusal, CRIER_PROBLEM_BAD_REQUEST, detail);
}

void crier_head_init(struct crier_head *head, const struct crier_mem *mem)
{
    *head = (struct crier_head){.mem = mem};
    crier_buf_init(&head->raw, mem);
}

void crier_head_deinit(struct crier_head *head)
{
    crier_buf_deinit(&head->raw);
    head->headers = crier_mem_free(head->mem, head->headers);
    head->header_cap = 0;
}

void crier_head_reset(struct crier_head *head)
{
    if (head->raw.cap > KEEP_RAW)
        crier_buf_deinit(&head->raw);
    crier_buf_clear(&head->raw);
    if (head->header_cap > KEEP_HEADERS) {
        head->headers = crier_mem_free(head->mem, head->headers);
        head->header_cap = 0;
    }
    head->request = (struct crier_http_request){.method = CRIER_METHOD_OTHER};
    head->chunked = false;
}

static int reserve_header(struct crier_head *head)
{
    size_t cap = head->header_cap ? head->header_cap * 2 : FIRST_HEADERS;
    struct crier_header *headers;

    if (head->request.header_count < head->header_cap)
        return 0;
    headers = crier_mem_resize(head->mem, head->headers, cap * sizeof(*headers));
    if (!headers)
        return -ENOMEM;
    head->headers = headers;
    head->header_cap = cap;
    return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct split *split = parser->data;
    struct crier_head *head = split->head;

    if (reserve_header(head) < 0) {
        split->no_memory = true;
        return -1;
    }
    /* An empty value is not announced by all versions; it still has a place. */
    head->headers[head->request.header_count++] = (struct crier_header){
        .name = {at, len},
        .value = {at + len, 0},
    };
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct split *split = parser->data;
    struct crier_head *head = split->head;

    if (head->request.header_count == 0)
        return -1;
    head->headers[head->request.header_count - 1].value =
        crier_slice_trim((struct crier_slice){at, len});
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    struct split *split = parser->data;

    split->complete = true;
    return HPE_PAUSED; /* what follows is the body */
}

static const llhttp_settings_t settings = {
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_complete,
};

/* Case matters: "get" is a method of somebody's own. */
static enum crier_method method_of(struct crier_slice name)
{
    static const struct {
        struct crier_slice name;
        enum crier_method method;
    } methods[] = {
        {{"GET", 3}, CRIER_METHOD_GET},       {{"HEAD", 4}, CRIER_METHOD_HEAD},
        {{"POST", 4}, CRIER_METHOD_POST},     {{"PUT", 3}, CRIER_METHOD_PUT},
        {{"DELETE", 6}, CRIER_METHOD_DELETE}, {{"OPTIONS", 7}, CRIER_METHOD_OPTIONS},
        {{"PATCH", 5}, CRIER_METHOD_PATCH},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (crier_slice_eq(methods[i].name, name))
            return methods[i].method;
    }
    return CRIER_METHOD_OTHER;
}

static int
split_fault(llhttp_errno_t error, const struct split *split, struct crier_refusal *refusal)
{
    if (split->no_memory)
        return -ENOMEM;
    if (error == HPE_INVALID_CONTENT_LENGTH || error == HPE_UNEXPECTED_CONTENT_LENGTH)
        return bad(refusal,
                   "Content-Length must be one plain decimal number, given once and not "
                   "together with Transfer-Encoding.");
    return bad(refusal, "The request's head is malformed. Send well-formed HTTP/1.1.");
}

/* llhttp's part. */
static int
split(struct crier_head *head, const struct crier_scan *scan, struct crier_refusal *refusal)
{
    struct split split = {.head = head};
    struct crier_slice raw = crier_buf_slice(&head->raw);
    size_t target_end = scan->target_at + scan->target_len;
    llhttp_errno_t error;
    llhttp_t parser;

    llhttp_init(&parser, HTTP_REQUEST, &settings);
    llhttp_set_lenient_headers(&parser, 1);
    llhttp_set_lenient_transfer_encoding(&parser, 1);
    parser.data = &split;
    error = llhttp_execute(&parser, "POST /", 6);
    if (error == HPE_OK)
        error = llhttp_execute(&parser, raw.data + target_end, raw.len - target_end);
    /* Two readers of one text must agree; where they do not, there is something to exploit. */
    if (error != HPE_PAUSED || !split.complete ||
        head->request.header_count != scan->fields.count)
        return split_fault(error, &split, refusal);
    return 0;
}

static bool is_connect(struct crier_slice raw)
{
    return crier_slice_starts(raw, CRIER_SLICE("CONNECT "));
}

int crier_head_parse(struct crier_head *head,
                     const struct crier_scan *scan,
                     struct crier_refusal *refusal)
{
    struct crier_slice raw = crier_buf_slice(&head->raw);
    int r;

    assert(raw.len == scan->bytes);
    if (is_connect(raw))
        return crier_refuse(refusal, CRIER_PROBLEM_NOT_IMPLEMENTED,
                            "CONNECT is not known here: this is not a proxy.");
    r = split(head, scan, refusal);
    if (r < 0)
        return r;
    head->request.headers = head->headers;
    head->request.method_name = crier_slice_sub(raw, 0, scan->target_at - 1);
    head->request.method = method_of(head->request.method_name);
    head->request.target = crier_slice_sub(raw, scan->target_at, scan->target_len);
    head->request.minor = scan->minor == '1';
    return 0;
}

struct crier_slice crier_http_request_header(const struct crier_http_request *request,
                                             struct crier_slice name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (crier_slice_eq_nocase(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return (struct crier_slice){NULL, 0};
}

size_t crier_http_request_header_count(const struct crier_http_request *request,
                                       struct crier_slice name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->header_count; i++)
        count += crier_slice_eq_nocase(request->headers[i].name, name);
    return count;
}
