/* SPDX-License-Identifier: MIT */
/*
 * The request reader. Input:
 *
 *     byte 0       bit 0: small limits
 *     byte 1       seed of the random splits
 *     the rest     a connection's bytes
 *
 * What must hold: the account of the connection is the same whole, byte by byte and in random
 * splits; a request that is accepted keeps its promises (one Host, a parseable one, no control
 * characters where there are none allowed, body bytes as many as its length).
 */
#include "fuzz.h"

#include "base/mem.h"
#include "base/rng.h"
#include "http/negotiate.h"
#include "http/request.h"
#include "http/target.h"
#include <string.h>

static const struct crier_http_limits small = {
    .target_bytes = 16,
    .head_bytes = 100,
    .headers = 4,
    .chunk_extension_bytes = 8,
    .trailer_bytes = 16,
};

static void tell(struct crier_buf *out, struct crier_slice text)
{
    crier_buf_u64(out, text.len);
    crier_buf_byte(out, text.data ? ':' : '-');
    crier_buf_append(out, text);
}

static void check_text(struct crier_slice text, bool any)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        FUZZ_CHECK(c != '\0' && c != '\r' && c != '\n');
        FUZZ_CHECK(any || (c >= 0x20 && c != 0x7f) || c == '\t');
    }
}

static void check_request(const struct crier_http_request *q)
{
    struct crier_authority authority;
    bool chunked = crier_http_request_header_count(q, CRIER_SLICE("Transfer-Encoding")) > 0;

    FUZZ_CHECK(q->minor <= 1 && q->path.len > 0 && q->target.len > 0);
    FUZZ_CHECK(q->path.data[0] == '/' || q->path.data[0] == '*');
    check_text(q->target, false);
    FUZZ_CHECK(crier_http_request_header_count(q, CRIER_SLICE("Host")) <= 1);
    FUZZ_CHECK(q->minor == 0 || q->host.len > 0);
    FUZZ_CHECK(!q->host.data || crier_authority_parse(q->host, &authority) == 0);
    FUZZ_CHECK(crier_http_request_header_count(q, CRIER_SLICE("Content-Length")) ==
               q->has_length);
    FUZZ_CHECK(!(chunked && q->has_length) && q->has_body == (chunked || q->length > 0));
    FUZZ_CHECK(q->minor == 1 || !(chunked || q->expect_continue));
    for (size_t i = 0; i < q->header_count; i++) {
        FUZZ_CHECK(q->headers[i].name.len > 0 && q->headers[i].value.data);
        check_text(q->headers[i].name, false);
        check_text(q->headers[i].value,
                   crier_slice_eq_nocase(q->headers[i].name, CRIER_SLICE("Last-Event-ID")));
    }
    FUZZ_CHECK(crier_negotiate(q, 1u << CRIER_MEDIA_JSON) != CRIER_MEDIA_HTML);
}

static void tell_request(struct crier_buf *out, const struct crier_http_request *q)
{
    crier_buf_printf(out, "\nH%d %u %d%d%d%d %llu ", (int)q->method, q->minor, q->has_body,
                     q->has_length, q->expect_continue, q->keep_alive,
                     (unsigned long long)q->length);
    tell(out, q->target);
    tell(out, q->path);
    tell(out, q->query);
    tell(out, q->host);
    for (size_t i = 0; i < q->header_count; i++) {
        tell(out, q->headers[i].name);
        tell(out, q->headers[i].value);
    }
}

struct state {
    struct crier_buf *out;
    bool has_length, open;
    uint64_t length, body;
};

static void take_item(struct state *state, const struct crier_http_item *item)
{
    FUZZ_CHECK(state->open == (item->kind != CRIER_HTTP_HEAD));
    state->open = item->kind != CRIER_HTTP_END;
    switch (item->kind) {
    case CRIER_HTTP_HEAD:
        check_request(item->request);
        tell_request(state->out, item->request);
        state->has_length = item->request->has_length;
        state->length = item->request->length;
        state->body = 0;
        crier_buf_byte(state->out, 'B');
        break;
    case CRIER_HTTP_BODY:
        FUZZ_CHECK(item->body.len > 0);
        crier_buf_append(state->out, item->body);
        state->body += item->body.len;
        break;
    case CRIER_HTTP_END:
        FUZZ_CHECK(!state->has_length || state->body == state->length);
        crier_buf_byte(state->out, 'E');
        break;
    }
}

/* The account of the connection, in pieces of 1 to max_step bytes. */
static void account(struct crier_buf *out,
                    const struct crier_http_limits *limits,
                    struct crier_slice bytes,
                    struct crier_rng rng,
                    size_t max_step)
{
    struct state state = {.out = out};
    struct crier_http_reader *reader;
    struct crier_http_item item;
    int r = CRIER_HTTP_MORE;

    FUZZ_CHECK(crier_http_reader_new(&crier_mem_libc, limits, &reader) == 0);
    while (bytes.len > 0 && r == CRIER_HTTP_MORE) {
        size_t n = max_step < bytes.len ? crier_rng_between(&rng, 1, max_step) : bytes.len;
        struct crier_slice input = crier_slice_sub(bytes, 0, n);

        while ((r = crier_http_next(reader, &input, &item)) == 0)
            take_item(&state, &item);
        FUZZ_CHECK(r == -EPROTO || (r == CRIER_HTTP_MORE && input.len == 0));
        FUZZ_CHECK(r < 0 || crier_http_in_request(reader) || !state.open);
        bytes = crier_slice_sub(bytes, n, bytes.len);
    }
    if (r < 0) {
        FUZZ_CHECK(crier_http_fault_detail(reader)[0] != '\0');
        crier_buf_byte(out, '!');
        crier_buf_append(out, crier_problem_slug(crier_http_fault(reader)));
        crier_buf_append(out, crier_slice_of(crier_http_fault_detail(reader)));
    }
    crier_http_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crier_slice bytes = {(const char *)data, size};
    const struct crier_http_limits *limits;
    struct crier_buf whole, split;
    struct crier_rng rng;

    if (size < 2)
        return 0;
    limits = data[0] & 1 ? &small : NULL;
    rng = (struct crier_rng){data[1]};
    bytes = crier_slice_sub(bytes, 2, SIZE_MAX);
    crier_buf_init(&whole, &crier_mem_libc);
    crier_buf_init(&split, &crier_mem_libc);
    account(&whole, limits, bytes, rng, SIZE_MAX);
    account(&split, limits, bytes, rng, 1);
    FUZZ_CHECK(crier_slice_eq(crier_buf_slice(&whole), crier_buf_slice(&split)));
    crier_buf_clear(&split);
    account(&split, limits, bytes, rng, 9);
    FUZZ_CHECK(crier_slice_eq(crier_buf_slice(&whole), crier_buf_slice(&split)));
    crier_buf_deinit(&whole);
    crier_buf_deinit(&split);
    return 0;
}
