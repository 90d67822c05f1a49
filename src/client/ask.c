/* SPDX-License-Identifier: MIT */
/*
 * The request.
 *
 *     GET /events/news HTTP/1.1          POST, ...: the method that was asked for
 *     Host: example.org
 *     User-Agent, Accept: text/event-stream, Cache-Control: no-cache
 *                                        unless the program has set them itself
 *     Last-Event-ID: 17                  when there is one (WHATWG HTML 9.2.3)
 *     Authorization: Bearer ...          these two only while every hop so far was of the
 *     the program's headers              URL's own origin; the others always
 *     Content-Type, Content-Length       and the body, unless it has become a GET
 *
 * No compression is asked for: a compressor between us and the server that does not flush after
 * each event would hold events back.
 */
#include "client/ask.h"

static bool is_method(const struct crier_settings *settings, const char *method)
{
    return crier_slice_eq(settings->method, crier_slice_of(method));
}

void crier_hop_redirect(struct crier_hop *hop,
                        const struct crier_settings *settings,
                        const struct crier_url *to,
                        unsigned status)
{
    if (!crier_url_same_origin(&hop->url, to))
        hop->trusted = false;
    if (status == 303 || (is_method(settings, "POST") && (status == 301 || status == 302)))
        hop->as_get = true;
    hop->url = *to;
}

static void add_default(struct crier_call *call,
                        const struct crier_settings *settings,
                        const char *name,
                        const char *value)
{
    if (!crier_settings_have(settings, crier_slice_of(name)))
        crier_call_header(call, name, crier_slice_of(value));
}

/* Headers that speak of a body go with it (WHATWG Fetch, request-body-header name). */
static bool is_of_body(struct crier_slice name)
{
    return crier_slice_eq_nocase(crier_slice_sub(name, 0, 8), CRIER_SLICE("content-"));
}

static void add_given(struct crier_call *call,
                      const struct crier_settings *settings,
                      const struct crier_hop *hop)
{
    for (size_t i = 0; i < settings->header_count; i++) {
        const struct crier_settings_header *header = &settings->headers[i];

        if ((!header->secret || hop->trusted) && !(hop->as_get && is_of_body(header->name)))
            crier_call_header(call, header->name.data, header->value);
    }
}

/* A length is told also of a body that is not there, where one is expected (RFC 9110 8.6). */
static void add_body(struct crier_call *call, const struct crier_settings *settings)
{
    bool expected = is_method(settings, "POST") || is_method(settings, "PUT") ||
                    is_method(settings, "PATCH");

    if (settings->content_type.len > 0 &&
        !crier_settings_have(settings, CRIER_SLICE("content-type")))
        crier_call_header(call, "Content-Type", settings->content_type);
    if (settings->body.len > 0 || expected)
        crier_buf_printf(&call->out, "Content-Length: %zu\r\n", settings->body.len);
}

void crier_ask(struct crier_call *call,
               const struct crier_settings *settings,
               const struct crier_hop *hop,
               struct crier_slice last_id)
{
    crier_call_request(call, hop->as_get ? "GET" : settings->method.data);
    if (!crier_settings_have(settings, CRIER_SLICE("user-agent")))
        crier_call_agent(call);
    add_default(call, settings, "Accept", "text/event-stream");
    add_default(call, settings, "Cache-Control", "no-cache");
    if (last_id.len > 0)
        crier_call_header(call, "Last-Event-ID", last_id);
    if (hop->trusted && !crier_settings_have(settings, CRIER_SLICE("authorization")))
        crier_call_bearer(call, settings->bearer);
    add_given(call, settings, hop);
    if (!hop->as_get)
        add_body(call, settings);
    crier_buf_append(&call->out, CRIER_SLICE("\r\n"));
    if (!hop->as_get)
        crier_buf_append(&call->out, settings->body);
}
