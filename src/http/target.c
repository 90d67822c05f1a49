/* SPDX-License-Identifier: MIT */
/*
 * Percent-encoding, query parameters, authorities and origins (RFC 3986, RFC 6454).
 *
 * What decides about trust (crier_authority_is_local, crier_origin_matches_host) compares
 * literally: a spelling that only some software would take for the same host ("127.1",
 * "%6cocalhost", "localhost..") is not the same here. inet_pton is used as a pure function: it
 * reads text, nothing else.
 */
#include "http/target.h"

#include "base/ascii.h"
#include <arpa/inet.h>
#include <string.h>

/* RFC 3986 2.3 */
static bool is_unreserved(char c)
{
    return crier_is_alpha(c) || crier_is_digit(c) || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static bool is_sub_delim(char c)
{
    return c != '\0' && strchr("!$&'()*+,;=", c) != NULL;
}

static bool is_escape(struct crier_slice text, size_t at)
{
    return text.len - at >= 3 && text.data[at] == '%' &&
           crier_hex_value(text.data[at + 1]) != CRIER_NO_HEX &&
           crier_hex_value(text.data[at + 2]) != CRIER_NO_HEX;
}

static bool escapes_valid(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%' && !is_escape(text, i))
            return false;
    }
    return true;
}

int crier_percent_decode(struct crier_buf *buf, struct crier_slice text, bool plus)
{
    if (!escapes_valid(text))
        return -EINVAL;
    if (crier_buf_reserve(buf, text.len) < 0) /* all or nothing */
        return -ENOMEM;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '%') {
            unsigned byte =
                crier_hex_value(text.data[i + 1]) << 4 | crier_hex_value(text.data[i + 2]);

            crier_buf_byte(buf, (char)(unsigned char)byte);
            i += 2;
        } else {
            crier_buf_byte(buf, plus && c == '+' ? ' ' : c);
        }
    }
    return crier_buf_error(buf);
}

char crier_percent_next(struct crier_slice *text)
{
    bool escape = is_escape(*text, 0);
    char c = escape
                 ? (char)(crier_hex_value(text->data[1]) << 4 | crier_hex_value(text->data[2]))
                 : text->data[0];

    *text = crier_slice_sub(*text, escape ? 3 : 1, text->len);
    return c;
}

void crier_percent_encode(struct crier_buf *buf, struct crier_slice text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (is_unreserved(text.data[i]) || text.data[i] == '/')
            crier_buf_byte(buf, text.data[i]);
        else
            crier_buf_add(buf, (char[]){'%', digits[byte >> 4], digits[byte & 15]}, 3);
    }
}

bool crier_query_next(struct crier_slice *query,
                      struct crier_slice *ret_name,
                      struct crier_slice *ret_value)
{
    while (query->len > 0) {
        struct crier_slice part = crier_slice_cut(query, '&');
        size_t at = crier_slice_find(part, '=');

        if (part.len == 0)
            continue;
        *ret_name = crier_slice_sub(part, 0, at);
        *ret_value = crier_slice_sub(part, at + 1, part.len);
        return true;
    }
    return false;
}

/* Copies a short text into a C string for inet_pton. */
static bool to_text(struct crier_slice s, char *text, size_t size)
{
    if (s.len >= size || crier_slice_find(s, '\0') < s.len)
        return false;
    if (s.len > 0)
        memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    return true;
}

static bool parse_ipv6(struct crier_slice host, struct in6_addr *ret_address)
{
    char text[INET6_ADDRSTRLEN];

    return to_text(host, text, sizeof(text)) && inet_pton(AF_INET6, text, ret_address) == 1;
}

static bool name_valid(struct crier_slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];

        if (!is_unreserved(c) && !is_sub_delim(c) && !(c == '%' && is_escape(host, i)))
            return false;
    }
    return host.len > 0;
}

/* What comes after the host: nothing, ":" or ":8080". */
static int parse_port(struct crier_slice rest, struct crier_authority *authority)
{
    uint64_t port;

    if (rest.len == 0)
        return 0;
    if (rest.data[0] != ':')
        return -EINVAL;
    if (rest.len == 1)
        return 0;
    if (crier_slice_to_u64(crier_slice_sub(rest, 1, rest.len), &port) < 0 || port > UINT16_MAX)
        return -EINVAL;
    authority->has_port = true;
    authority->port = (uint16_t)port;
    return 0;
}

int crier_authority_parse(struct crier_slice text, struct crier_authority *ret)
{
    struct crier_authority authority = {.is_ipv6 = text.len > 0 && text.data[0] == '['};
    struct in6_addr address;
    size_t end;

    if (authority.is_ipv6) {
        end = crier_slice_find(text, ']');
        if (end == text.len)
            return -EINVAL;
        authority.host = crier_slice_sub(text, 1, end - 1);
        if (!parse_ipv6(authority.host, &address))
            return -EINVAL;
        end++;
    } else {
        end = crier_slice_find(text, ':');
        authority.host = crier_slice_sub(text, 0, end);
        if (!name_valid(authority.host))
            return -EINVAL;
    }
    if (parse_port(crier_slice_sub(text, end, text.len), &authority) < 0)
        return -EINVAL;
    *ret = authority;
    return 0;
}

static bool is_loopback_ipv4(struct crier_slice host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;

    return to_text(host, text, sizeof(text)) && inet_pton(AF_INET, text, &address) == 1 &&
           ntohl(address.s_addr) >> 24 == 127;
}

bool crier_authority_is_local(const struct crier_authority *authority)
{
    static const struct crier_slice suffix = {".localhost", sizeof(".localhost") - 1};
    struct crier_slice host = authority->host;
    struct in6_addr address;

    if (authority->is_ipv6) {
        return parse_ipv6(host, &address) &&
               memcmp(&address, &in6addr_loopback, sizeof(address)) == 0;
    }
    if (is_loopback_ipv4(host))
        return true;
    if (host.len > 0 && host.data[host.len - 1] == '.')
        host.len--;
    if (crier_slice_eq_nocase(host, CRIER_SLICE("localhost")))
        return true;
    return host.len > suffix.len &&
           crier_slice_eq_nocase(crier_slice_sub(host, host.len - suffix.len, suffix.len),
                                 suffix);
}

static bool scheme_valid(struct crier_slice scheme)
{
    for (size_t i = 0; i < scheme.len; i++) {
        char c = scheme.data[i];

        if (!crier_is_alpha(c) &&
            (i == 0 || (!crier_is_digit(c) && c != '+' && c != '-' && c != '.')))
            return false;
    }
    return scheme.len > 0;
}

int crier_origin_parse(struct crier_slice text, struct crier_origin *ret)
{
    struct crier_origin origin = {.is_null = crier_slice_eq(text, CRIER_SLICE("null"))};
    size_t at = crier_slice_find(text, ':');

    if (!origin.is_null) {
        origin.scheme = crier_slice_sub(text, 0, at);
        text = crier_slice_sub(text, at, text.len);
        if (!scheme_valid(origin.scheme) || !crier_slice_starts(text, CRIER_SLICE("://")))
            return -EINVAL;
        if (crier_authority_parse(crier_slice_sub(text, 3, text.len), &origin.authority) < 0)
            return -EINVAL;
    }
    *ret = origin;
    return 0;
}

static bool same_host(const struct crier_authority *a, const struct crier_authority *b)
{
    struct in6_addr left, right;

    if (a->is_ipv6 != b->is_ipv6)
        return false;
    if (!a->is_ipv6)
        return crier_slice_eq_nocase(a->host, b->host);
    return parse_ipv6(a->host, &left) && parse_ipv6(b->host, &right) &&
           memcmp(&left, &right, sizeof(left)) == 0;
}

bool crier_origin_matches_host(const struct crier_origin *origin,
                               const struct crier_authority *host)
{
    uint16_t standard;

    if (origin->is_null)
        return false;
    if (crier_slice_eq_nocase(origin->scheme, CRIER_SLICE("http")))
        standard = 80;
    else if (crier_slice_eq_nocase(origin->scheme, CRIER_SLICE("https")))
        standard = 443;
    else
        return false; /* an extension or a file: nothing that a Host can name */
    return same_host(&origin->authority, host) &&
           (origin->authority.has_port ? origin->authority.port : standard) ==
               (host->has_port ? host->port : standard);
}
