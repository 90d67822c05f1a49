/* SPDX-License-Identifier: MIT */
/*
 * http and https URLs.
 *
 *     http://[::1]:8080/events/a%20b?since=now#fragment
 *            └─ authority ─┘└── path ──┘└─ query ─┘
 *
 * Only what can be asked for is taken, each refusal has a sentence. Bytes from 0x80 on are let
 * through, because redirects carry them, and are percent-encoded when the request is
 * written. White space and control characters are refused everywhere: they would end the
 * request line.
 */
#include "client/url.h"

#include "base/ascii.h"
#include "http/target.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443, HOST_BYTES = 253 /* RFC 1035 3.1, as text */ };

static bool has_bad_byte(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c <= 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

static struct crier_slice rest_of(struct crier_slice text, size_t from)
{
    return crier_slice_sub(text, from, text.len);
}

/* Without the fragment. */
static struct crier_slice without_fragment(struct crier_slice text)
{
    return crier_slice_sub(text, 0, crier_slice_find(text, '#'));
}

/* The length of "scheme:" at the start of text, or 0. */
static size_t scheme_length(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == ':')
            return i > 0 ? i + 1 : 0;
        if (!crier_is_alpha(c) &&
            (i == 0 || (!crier_is_digit(c) && c != '+' && c != '-' && c != '.')))
            return 0;
    }
    return 0;
}

static size_t authority_length(struct crier_slice text)
{
    size_t slash = crier_slice_find(text, '/');
    size_t mark = crier_slice_find(text, '?');

    return slash < mark ? slash : mark;
}

static const char *parse_scheme(struct crier_slice *text, bool *ret_is_secure)
{
    size_t length = scheme_length(*text);
    struct crier_slice scheme = crier_slice_sub(*text, 0, length);
    bool is_secure = crier_slice_eq_nocase(scheme, CRIER_SLICE("https:"));

    if ((!is_secure && !crier_slice_eq_nocase(scheme, CRIER_SLICE("http:"))) ||
        !crier_slice_starts(rest_of(*text, length), CRIER_SLICE("//")))
        return "a URL must begin with http:// or https://, as in http://localhost:8080";
    *text = rest_of(*text, length + 2);
    *ret_is_secure = is_secure;
    return NULL;
}

static uint16_t default_port(const struct crier_url *url)
{
    return url->is_secure ? HTTPS_PORT : HTTP_PORT;
}

/* Names that resolve to nothing, but that a certificate's check would take for patterns. */
static const char *host_fault(struct crier_slice host)
{
    if (crier_slice_ends(host, CRIER_SLICE(".")))
        host.len--;
    if (host.len > HOST_BYTES)
        return "a host name has at most 253 bytes";
    if (crier_slice_find(host, '*') < host.len)
        return "a host name must not hold a *";
    while (host.data)
        if (crier_slice_cut(&host, '.').len == 0)
            return "a host name must not begin with a dot or hold two in a row";
    return NULL;
}

static const char *parse_authority(struct crier_slice text, struct crier_url *url)
{
    struct crier_authority authority;

    if (crier_slice_find(text, '@') < text.len)
        return "a URL must not hold a user name or password: use a token, or a header";
    if (text.len == 0)
        return "the URL names no host, as in http://localhost:8080";
    if (crier_authority_parse(text, &authority) < 0 || authority.host.len == 0)
        return "the URL's host or port is malformed, it should look like "
               "http://example.org:8080";
    url->host = authority.host;
    url->is_ipv6 = authority.is_ipv6;
    url->port = authority.has_port ? authority.port : default_port(url);
    return url->port == 0 ? "port 0 cannot be connected to" : host_fault(url->host);
}

const char *crier_url_parse(struct crier_slice text, struct crier_url *ret)
{
    struct crier_url url = {.port = 0};
    const char *fault;
    size_t length;

    if (has_bad_byte(text))
        return "a URL must not hold white space or control characters: percent-encode them";
    text = without_fragment(text);
    fault = parse_scheme(&text, &url.is_secure);
    if (fault)
        return fault;
    length = authority_length(text);
    fault = parse_authority(crier_slice_sub(text, 0, length), &url);
    if (fault)
        return fault;
    url.query = rest_of(text, length);
    url.path = crier_slice_cut(&url.query, '?');
    if (url.path.len == 0)
        url.path = CRIER_SLICE("/");
    *ret = url;
    return NULL;
}

/* ---- resolving ---- */

/* Takes the last segment of the path that begins at `start` off again. */
static void drop_segment(struct crier_buf *buf, size_t start)
{
    while (buf->len > start && buf->data[buf->len - 1] != '/')
        buf->len--;
    if (buf->len > start)
        buf->len--;
}

/* Appends path (it begins with a slash) without "." and ".." segments (RFC 3986 5.2.4). */
static void append_path(struct crier_buf *buf, struct crier_slice path)
{
    size_t start = buf->len;
    struct crier_slice rest = rest_of(path, 1);

    while (rest.data) {
        struct crier_slice segment = crier_slice_cut(&rest, '/');
        bool up = crier_slice_eq(segment, CRIER_SLICE(".."));

        if (up)
            drop_segment(buf, start);
        if (!up && !crier_slice_eq(segment, CRIER_SLICE("."))) {
            crier_buf_byte(buf, '/');
            crier_buf_append(buf, segment);
        } else if (!rest.data) {
            crier_buf_byte(buf, '/');
        }
    }
}

static void append_scheme(struct crier_buf *buf, const struct crier_url *url)
{
    crier_buf_append(buf, url->is_secure ? CRIER_SLICE("https:") : CRIER_SLICE("http:"));
}

static void append_query(struct crier_buf *buf, struct crier_slice query)
{
    if (!query.data)
        return;
    crier_buf_byte(buf, '?');
    crier_buf_append(buf, query);
}

/* A path that begins with a slash, a relative one, or none at all, at base. */
static void
resolve_path(struct crier_buf *buf, const struct crier_url *base, struct crier_slice reference)
{
    struct crier_slice query = reference;
    struct crier_slice path = crier_slice_cut(&query, '?');
    struct crier_buf merged;
    size_t keep;

    crier_url_origin(buf, base);
    if (path.len == 0) {
        crier_buf_append(buf, base->path);
        append_query(buf, query.data ? query : base->query);
        return;
    }
    crier_buf_init(&merged, buf->mem);
    if (path.data[0] != '/') {
        keep = base->path.len;
        while (keep > 0 && base->path.data[keep - 1] != '/')
            keep--;
        crier_buf_append(&merged, crier_slice_sub(base->path, 0, keep));
    }
    crier_buf_append(&merged, path);
    if (crier_buf_error(&merged) < 0)
        buf->failed = true;
    else
        append_path(buf, crier_buf_slice(&merged));
    crier_buf_deinit(&merged);
    append_query(buf, query);
}

void crier_url_resolve(struct crier_buf *buf,
                       const struct crier_url *base,
                       struct crier_slice reference)
{
    reference = without_fragment(reference);
    if (scheme_length(reference) > 0) {
        crier_buf_append(buf, reference);
    } else if (crier_slice_starts(reference, CRIER_SLICE("//"))) {
        append_scheme(buf, base);
        crier_buf_append(buf, reference);
    } else {
        resolve_path(buf, base, reference);
    }
}

/* ---- writing ---- */

bool crier_url_same_origin(const struct crier_url *a, const struct crier_url *b)
{
    return a->is_secure == b->is_secure && a->port == b->port && a->is_ipv6 == b->is_ipv6 &&
           crier_slice_eq_nocase(a->host, b->host);
}

void crier_url_host(struct crier_buf *buf, const struct crier_url *url)
{
    if (url->is_ipv6)
        crier_buf_byte(buf, '[');
    crier_buf_append(buf, url->host);
    if (url->is_ipv6)
        crier_buf_byte(buf, ']');
    if (url->port != default_port(url)) {
        crier_buf_byte(buf, ':');
        crier_buf_u64(buf, url->port);
    }
}

void crier_url_origin(struct crier_buf *buf, const struct crier_url *url)
{
    append_scheme(buf, url);
    crier_buf_append(buf, CRIER_SLICE("//"));
    crier_url_host(buf, url);
}

static void append_ascii(struct crier_buf *buf, struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x80)
            crier_buf_byte(buf, (char)c);
        else
            crier_buf_printf(buf, "%%%02X", c);
    }
}

void crier_url_target(struct crier_buf *buf, const struct crier_url *url)
{
    append_ascii(buf, url->path);
    if (url->query.data) {
        crier_buf_byte(buf, '?');
        append_ascii(buf, url->query);
    }
}
