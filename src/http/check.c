/* SPDX-License-Identifier: MIT */
/*
 * What the parts of a request head must be together.
 *
 *     target      origin-form, absolute-form or "*"          -> path, query, host
 *     values      no control characters, but in Last-Event-ID
 *     framing     at most one of Content-Length and Transfer-Encoding, each unambiguous
 *     Host        one and a good one (HTTP/1.0 may have none)
 *     the rest    one Authorization, a known Expect, Connection -> keep_alive
 *
 * The first rule that is broken is the refusal. Framing errors are the ones that request
 * smuggling is made of: two readers of one connection that disagree on where a body ends
 * (RFC 9112 11.2). Nothing ambiguous is repaired here, everything ambiguous is refused.
 */
#include "http/check.h"

#include "http/field.h"
#include "http/target.h"

static int bad(struct crier_refusal *refusal, const char *detail)
{
    return crier_refuse(refusal, CRIER_PROBLEM_BAD_REQUEST, detail);
}

/* "http://host:port/path" (RFC 9112 3.2.2): its authority takes the place of Host. */
static int absolute_form(struct crier_http_request *request,
                         struct crier_slice *rest,
                         struct crier_refusal *refusal)
{
    static const struct crier_slice schemes[] = {{"http://", 7}, {"https://", 8}};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t end = 0;

        if (!crier_slice_eq_nocase(crier_slice_sub(*rest, 0, schemes[i].len), schemes[i]))
            continue;
        *rest = crier_slice_sub(*rest, schemes[i].len, rest->len);
        while (end < rest->len && rest->data[end] != '/' && rest->data[end] != '?')
            end++;
        request->host = crier_slice_sub(*rest, 0, end);
        *rest = crier_slice_sub(*rest, end, rest->len);
        return 0;
    }
    return bad(
        refusal,
        "The request's target is neither a path that begins with '/' nor an http:// URL.");
}

static int check_target(struct crier_http_request *request, struct crier_refusal *refusal)
{
    struct crier_slice rest = request->target;
    size_t at;
    int r;

    if (crier_slice_eq(rest, CRIER_SLICE("*"))) {
        request->path = rest;
        if (request->method == CRIER_METHOD_OPTIONS)
            return 0;
        return bad(refusal, "The target '*' goes with OPTIONS only.");
    }
    if (rest.data[0] != '/') {
        r = absolute_form(request, &rest, refusal);
        if (r < 0)
            return r;
    }
    at = crier_slice_find(rest, '?');
    request->path = crier_slice_sub(rest, 0, at);
    if (at < rest.len)
        request->query = crier_slice_sub(rest, at + 1, rest.len);
    if (request->path.len > 0)
        return 0;
    /* RFC 9112 3.2.4: OPTIONS http://host is what a proxy makes of OPTIONS *. */
    if (request->method == CRIER_METHOD_OPTIONS && !request->query.data)
        request->path = CRIER_SLICE("*");
    else
        request->path = CRIER_SLICE("/");
    return 0;
}

/* Browsers send a Last-Event-ID as they were given it, control characters and all, and a bad
 * one is never an error (that would stop an EventSource for good). */
static int check_values(const struct crier_http_request *request, struct crier_refusal *refusal)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct crier_header *header = &request->headers[i];

        if (crier_slice_eq_nocase(header->name, CRIER_SLICE("Last-Event-ID")))
            continue;
        for (size_t k = 0; k < header->value.len; k++) {
            unsigned char c = (unsigned char)header->value.data[k];

            if ((c < 0x20 && c != '\t') || c == 0x7f)
                return bad(refusal, "A header's value has a control character.");
        }
    }
    return 0;
}

/* The codings that HTTP has a name for (RFC 9112 7, and identity, which it no longer has). */
static bool known_coding(struct crier_slice name)
{
    static const char *const names[] = {
        "chunked", "gzip", "x-gzip", "deflate", "compress", "x-compress", "identity",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (crier_slice_eq_nocase(name, crier_slice_of(names[i])))
            return true;
    }
    return false;
}

struct codings {
    size_t count, chunked;
    bool malformed, unknown, chunked_last;
};

static void add_codings(struct codings *codings, struct crier_slice list)
{
    struct crier_slice coding;

    while (crier_list_next(&list, ',', &coding)) {
        struct crier_slice name = crier_slice_sub(coding, 0, crier_slice_find(coding, ';'));

        codings->count++;
        codings->chunked_last = crier_slice_eq_nocase(coding, CRIER_SLICE("chunked"));
        codings->chunked += codings->chunked_last;
        name = crier_slice_trim(name);
        if (!crier_token_valid(name))
            codings->malformed = true;
        else if (!known_coding(name))
            codings->unknown = true;
    }
}

static int check_transfer_encoding(struct crier_head *head, struct crier_refusal *refusal)
{
    const struct crier_http_request *request = &head->request;
    struct codings codings = {.count = 0};

    for (size_t i = 0; i < request->header_count; i++) {
        if (crier_slice_eq_nocase(request->headers[i].name, CRIER_SLICE("Transfer-Encoding")))
            add_codings(&codings, request->headers[i].value);
    }
    if (codings.count == 0)
        return 0;
    if (request->minor == 0)
        return bad(refusal,
                   "HTTP/1.0 has no Transfer-Encoding. Send HTTP/1.1, or Content-Length.");
    if (request->has_length)
        return bad(refusal,
                   "There are both Content-Length and Transfer-Encoding. Send one of them.");
    if (codings.malformed)
        return bad(refusal, "Transfer-Encoding is malformed. Send: Transfer-Encoding: chunked");
    if (codings.unknown)
        return crier_refuse(
            refusal, CRIER_PROBLEM_NOT_IMPLEMENTED,
            "This transfer coding is not known here. Send: Transfer-Encoding: chunked");
    if (!codings.chunked_last || codings.chunked > 1)
        return bad(refusal, "The last transfer coding must be chunked, and be there once.");
    if (codings.count > 1)
        return crier_refuse(
            refusal, CRIER_PROBLEM_NOT_IMPLEMENTED,
            "A compressed transfer coding is not known here. Send: Transfer-Encoding: chunked");
    head->chunked = true;
    return 0;
}

static int check_framing(struct crier_head *head, struct crier_refusal *refusal)
{
    static const struct crier_slice name = {"Content-Length", sizeof("Content-Length") - 1};
    struct crier_http_request *request = &head->request;
    size_t count = crier_http_request_header_count(request, name);
    int r;

    if (count > 1)
        return bad(refusal, "There are two Content-Length headers. Send one.");
    if (count == 1) {
        r = crier_slice_to_u64(crier_http_request_header(request, name), &request->length);
        if (r < 0)
            return bad(refusal, "Content-Length must be a plain decimal number.");
        request->has_length = true;
    }
    r = check_transfer_encoding(head, refusal);
    if (r < 0)
        return r;
    request->has_body = head->chunked || request->length > 0;
    return 0;
}

static int bad_host(struct crier_refusal *refusal, const char *detail)
{
    return crier_refuse(refusal, CRIER_PROBLEM_BAD_HOST, detail);
}

static int check_host(struct crier_http_request *request, struct crier_refusal *refusal)
{
    size_t count = crier_http_request_header_count(request, CRIER_SLICE("Host"));
    struct crier_slice host = crier_http_request_header(request, CRIER_SLICE("Host"));
    struct crier_authority authority;

    if (count > 1)
        return bad_host(refusal, "There are two Host headers. Send one.");
    if (count == 0 && request->minor > 0)
        return bad_host(refusal,
                        "There is no Host header. HTTP/1.1 requires one: Host: example.org");
    if (count == 1 && crier_authority_parse(host, &authority) < 0)
        return bad_host(refusal, "The Host header is not a host name or address with an "
                                 "optional port, as in: Host: example.org:8080");
    if (!request->host.data) {
        request->host = host;
        return 0;
    }
    if (crier_authority_parse(request->host, &authority) < 0)
        return bad_host(refusal, "The URL in the request line has no valid host.");
    return 0;
}

static int check_expect(struct crier_http_request *request, struct crier_refusal *refusal)
{
    if (request->minor == 0)
        return 0;
    for (size_t i = 0; i < request->header_count; i++) {
        struct crier_slice list = request->headers[i].value;
        struct crier_slice expectation;

        if (!crier_slice_eq_nocase(request->headers[i].name, CRIER_SLICE("Expect")))
            continue;
        while (crier_list_next(&list, ',', &expectation)) {
            if (!crier_slice_eq_nocase(expectation, CRIER_SLICE("100-continue")))
                return crier_refuse(refusal, CRIER_PROBLEM_EXPECTATION_FAILED,
                                    "The only expectation known here is 100-continue. Leave "
                                    "the Expect header out.");
            request->expect_continue = request->has_body;
        }
    }
    return 0;
}

static void read_connection(struct crier_http_request *request)
{
    bool close = false, keep_alive = false;

    for (size_t i = 0; i < request->header_count; i++) {
        struct crier_slice list = request->headers[i].value;
        struct crier_slice option;

        if (!crier_slice_eq_nocase(request->headers[i].name, CRIER_SLICE("Connection")))
            continue;
        while (crier_list_next(&list, ',', &option)) {
            close |= crier_slice_eq_nocase(option, CRIER_SLICE("close"));
            keep_alive |= crier_slice_eq_nocase(option, CRIER_SLICE("keep-alive"));
        }
    }
    request->keep_alive = !close && (request->minor > 0 || keep_alive);
}

int crier_head_check(struct crier_head *head, struct crier_refusal *refusal)
{
    struct crier_http_request *request = &head->request;
    int r;

    r = check_target(request, refusal);
    if (r < 0)
        return r;
    r = check_values(request, refusal);
    if (r < 0)
        return r;
    r = check_framing(head, refusal);
    if (r < 0)
        return r;
    r = check_host(request, refusal);
    if (r < 0)
        return r;
    if (crier_http_request_header_count(request, CRIER_SLICE("Authorization")) > 1)
        return crier_refuse(refusal, CRIER_PROBLEM_BAD_CREDENTIALS,
                            "There are two Authorization headers. Send one.");
    r = check_expect(request, refusal);
    if (r < 0)
        return r;
    read_connection(request);
    return 0;
}
