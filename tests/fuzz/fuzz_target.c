/* SPDX-License-Identifier: MIT */
/*
 * The small text parsers of requests: percent-decoding, queries, authorities, origins, Accept.
 * The whole input is given to each of them.
 *
 * What must hold: what was encoded decodes to the same; a query's parts are views of it in
 * order; what is parsed, written out again, is parsed as the same; trust is decided only for
 * what has the shape of a loopback name; negotiation chooses only what is on offer.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "http/negotiate.h"
#include "http/target.h"
#include <string.h>

static void check_percent(struct crier_slice text)
{
    struct crier_buf encoded, decoded;

    crier_buf_init(&encoded, &crier_mem_libc);
    crier_buf_init(&decoded, &crier_mem_libc);
    crier_percent_encode(&encoded, text);
    FUZZ_CHECK(crier_percent_decode(&decoded, crier_buf_slice(&encoded), true) == 0);
    FUZZ_CHECK(crier_slice_eq(crier_buf_slice(&decoded), text));
    crier_buf_clear(&decoded);
    if (crier_percent_decode(&decoded, text, false) < 0)
        FUZZ_CHECK(decoded.len == 0 && crier_slice_find(text, '%') < text.len);
    else
        FUZZ_CHECK(decoded.len <= text.len);
    crier_buf_deinit(&encoded);
    crier_buf_deinit(&decoded);
}

static void check_query(struct crier_slice text)
{
    struct crier_slice rest = text, name, value;
    const char *last = text.data;

    while (crier_query_next(&rest, &name, &value)) {
        FUZZ_CHECK(name.data >= last && name.data + name.len <= text.data + text.len);
        FUZZ_CHECK(value.data >= name.data + name.len);
        FUZZ_CHECK(value.data + value.len <= text.data + text.len);
        FUZZ_CHECK(crier_slice_find(name, '=') == name.len);
        FUZZ_CHECK(crier_slice_find(value, '&') == value.len);
        last = value.data + value.len;
    }
    FUZZ_CHECK(rest.len == 0);
}

static void write_authority(struct crier_buf *out, const struct crier_authority *authority)
{
    if (authority->is_ipv6)
        crier_buf_byte(out, '[');
    crier_buf_append(out, authority->host);
    if (authority->is_ipv6)
        crier_buf_byte(out, ']');
    if (authority->has_port)
        crier_buf_printf(out, ":%u", authority->port);
}

static bool ends_local(struct crier_slice host)
{
    static const char name[] = "localhost";

    if (host.len > 0 && host.data[host.len - 1] == '.')
        host.len--;
    return host.len >= 9 &&
           crier_slice_eq_nocase(crier_slice_sub(host, host.len - 9, 9), CRIER_SLICE(name));
}

static void check_authority(struct crier_slice text)
{
    struct crier_authority authority, again;
    struct crier_buf out;

    if (crier_authority_parse(text, &authority) < 0)
        return;
    FUZZ_CHECK(authority.host.len > 0);
    if (crier_authority_is_local(&authority))
        FUZZ_CHECK(authority.is_ipv6 || ends_local(authority.host) ||
                   crier_slice_starts(authority.host, CRIER_SLICE("127.")));
    crier_buf_init(&out, &crier_mem_libc);
    write_authority(&out, &authority);
    FUZZ_CHECK(crier_authority_parse(crier_buf_slice(&out), &again) == 0);
    FUZZ_CHECK(crier_slice_eq(again.host, authority.host) &&
               again.is_ipv6 == authority.is_ipv6);
    FUZZ_CHECK(again.has_port == authority.has_port && again.port == authority.port);
    crier_buf_deinit(&out);
}

static void check_origin(struct crier_slice text)
{
    struct crier_origin origin;
    bool http;

    if (crier_origin_parse(text, &origin) < 0)
        return;
    if (origin.is_null) {
        FUZZ_CHECK(crier_slice_eq(text, CRIER_SLICE("null")));
        FUZZ_CHECK(!crier_origin_matches_host(&origin, &origin.authority));
        return;
    }
    http = crier_slice_eq_nocase(origin.scheme, CRIER_SLICE("http")) ||
           crier_slice_eq_nocase(origin.scheme, CRIER_SLICE("https"));
    FUZZ_CHECK(crier_origin_matches_host(&origin, &origin.authority) == http);
}

/* One header, and the same cut in two at a comma: weights may differ only inside quotes. */
static void check_accept(struct crier_slice text)
{
    struct crier_header headers[2] = {
        {CRIER_SLICE("Accept"), text},
        {CRIER_SLICE("Accept"), {text.data, 0}},
    };
    struct crier_http_request request = {.headers = headers, .header_count = 1};
    size_t comma = crier_slice_find(text, ',');
    bool quoted = crier_slice_find(text, '"') < text.len;

    for (unsigned offered = 0; offered < 32; offered += 2) {
        unsigned whole = crier_negotiate(&request, offered), cut;

        FUZZ_CHECK(whole == CRIER_MEDIA_NONE || (offered & 1u << whole));
        FUZZ_CHECK(whole == CRIER_MEDIA_NONE || crier_accept_covers(&request, whole));
        if (quoted || comma == text.len)
            continue;
        headers[0].value = crier_slice_sub(text, 0, comma);
        headers[1].value = crier_slice_sub(text, comma + 1, text.len);
        request.header_count = 2;
        cut = crier_negotiate(&request, offered);
        FUZZ_CHECK(cut == whole);
        headers[0].value = text;
        request.header_count = 1;
    }
    FUZZ_CHECK(!crier_accept_names(&request, CRIER_MEDIA_JSON) ||
               crier_accept_covers(&request, CRIER_MEDIA_JSON));
    FUZZ_CHECK(crier_content_type_essence(text).len <= text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crier_slice text = {(const char *)data, size};

    check_percent(text);
    check_query(text);
    check_authority(text);
    check_origin(text);
    check_accept(text);
    return 0;
}
