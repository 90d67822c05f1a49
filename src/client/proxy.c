/* SPDX-License-Identifier: MIT */
/*
 * Proxies.
 *
 *     http://user:pass%20word@proxy.example:3128/
 *            └─ Proxy-Authorization ┘
 *
 * Only http proxies are known; any other is a fault that is told when, and only when, it would
 * be used: all_proxy often names one for other programs. The scheme may be left out, as in
 * "proxy:3128". The password goes to the proxy and to nobody else.
 */
#include "client/proxy.h"

#include "base/ascii.h"
#include "http/target.h"
#include "net/address.h"

/* ---- one proxy ---- */

void crier_proxies_init(struct crier_proxies *proxies, const struct crier_mem *mem)
{
    *proxies = (struct crier_proxies){.http = {.fault = NULL}};
    crier_buf_init(&proxies->http.text, mem);
    crier_buf_init(&proxies->http.authorization, mem);
    crier_buf_init(&proxies->https.text, mem);
    crier_buf_init(&proxies->https.authorization, mem);
    crier_buf_init(&proxies->except, mem);
}

void crier_proxies_deinit(struct crier_proxies *proxies)
{
    crier_buf_deinit(&proxies->http.text);
    crier_buf_deinit(&proxies->http.authorization);
    crier_buf_deinit(&proxies->https.text);
    crier_buf_deinit(&proxies->https.authorization);
    crier_buf_deinit(&proxies->except);
}

/* RFC 4648 4. */
static void append_base64(struct crier_buf *buf, struct crier_slice bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)(unsigned char)bytes.data[i] << 16;

        if (left > 1)
            group |= (uint32_t)(unsigned char)bytes.data[i + 1] << 8;
        if (left > 2)
            group |= (unsigned char)bytes.data[i + 2];
        crier_buf_byte(buf, letters[group >> 18]);
        crier_buf_byte(buf, letters[group >> 12 & 63]);
        crier_buf_byte(buf, left > 1 ? letters[group >> 6 & 63] : '=');
        crier_buf_byte(buf, left > 2 ? letters[group & 63] : '=');
    }
}

/* "user:password", percent-encoded, as Basic credentials (RFC 7617). */
static void set_credentials(struct crier_proxy *proxy, struct crier_slice userinfo)
{
    struct crier_buf plain;

    crier_buf_init(&plain, proxy->text.mem);
    if (crier_percent_decode(&plain, userinfo, false) == -EINVAL)
        proxy->fault = "the proxy's user name or password is not percent-encoded as it should";
    if (crier_slice_find(userinfo, ':') == userinfo.len)
        crier_buf_byte(&plain, ':');
    crier_buf_append(&proxy->authorization, CRIER_SLICE("Basic "));
    append_base64(&proxy->authorization, crier_buf_slice(&plain));
    if (crier_buf_error(&plain) < 0)
        proxy->authorization.failed = true;
    crier_buf_deinit(&plain);
}

static size_t find_last(struct crier_slice text, char c)
{
    size_t at = text.len;

    while (at > 0 && text.data[at - 1] != c)
        at--;
    return at > 0 ? at - 1 : text.len;
}

/* Cuts "scheme://" off; nothing if there is none. */
static struct crier_slice cut_scheme(struct crier_slice *text)
{
    struct crier_slice rest = *text, scheme = crier_slice_cut(&rest, ':');

    if (!rest.data || !crier_slice_starts(rest, CRIER_SLICE("//")))
        return (struct crier_slice){NULL, 0};
    *text = crier_slice_sub(rest, 2, rest.len);
    return scheme;
}

static void set_proxy(struct crier_proxy *proxy, struct crier_slice text)
{
    struct crier_slice scheme = cut_scheme(&text);
    size_t at = find_last(text, '@');

    if (scheme.data && !crier_slice_eq_nocase(scheme, CRIER_SLICE("http")))
        proxy->fault = "only http proxies can be used, as in http://proxy.example:3128";
    if (at < text.len) {
        set_credentials(proxy, crier_slice_sub(text, 0, at));
        text = crier_slice_sub(text, at + 1, text.len);
    }
    crier_buf_append(&proxy->text, CRIER_SLICE("http://"));
    crier_buf_append(&proxy->text, text);
    if (!proxy->fault && crier_buf_error(&proxy->text) == 0 &&
        crier_url_parse(crier_buf_slice(&proxy->text), &proxy->url))
        proxy->fault = "its host or port is malformed, it should look like "
                       "http://proxy.example:3128";
}

/* ---- all of them ---- */

/* An empty variable is none. */
static struct crier_slice look(crier_proxy_getenv *get, void *ctx, const char *const names[4])
{
    for (size_t i = 0; i < 4 && names[i]; i++) {
        struct crier_slice value = crier_slice_trim(crier_slice_of(get(ctx, names[i])));

        if (value.len > 0)
            return value;
    }
    return (struct crier_slice){NULL, 0};
}

int crier_proxies_set(struct crier_proxies *proxies,
                      const char *given,
                      crier_proxy_getenv *get,
                      void *ctx)
{
    static const char *const http_names[4] = {"http_proxy", "all_proxy", "ALL_PROXY"},
                             *const https_names[4] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
                                                      "ALL_PROXY"},
                             *const except_names[4] = {"no_proxy", "NO_PROXY"};
    struct crier_slice http = crier_slice_of(given), https = http;

    proxies->of_environment = !given;
    if (!given) {
        http = look(get, ctx, http_names);
        https = look(get, ctx, https_names);
        crier_buf_append(&proxies->except, look(get, ctx, except_names));
    }
    if (http.len > 0)
        set_proxy(&proxies->http, http);
    if (https.len > 0)
        set_proxy(&proxies->https, https);
    if (crier_buf_error(&proxies->http.text) < 0 || crier_buf_error(&proxies->https.text) < 0 ||
        crier_buf_error(&proxies->http.authorization) < 0 ||
        crier_buf_error(&proxies->https.authorization) < 0)
        return -ENOMEM;
    return crier_buf_error(&proxies->except);
}

static bool is_here(const struct crier_url *url)
{
    const struct crier_authority authority = {.host = url->host, .is_ipv6 = url->is_ipv6};

    return crier_authority_is_local(&authority);
}

const struct crier_proxy *crier_proxies_for(const struct crier_proxies *proxies,
                                            const struct crier_url *url)
{
    const struct crier_proxy *proxy = url->is_secure ? &proxies->https : &proxies->http;

    if (proxy->text.len == 0 || (proxies->of_environment && is_here(url)) ||
        crier_proxy_excepts(crier_buf_slice(&proxies->except), url))
        return NULL;
    return proxy;
}

/* ---- exceptions ---- */

static bool is_under(struct crier_slice host, struct crier_slice domain)
{
    size_t more = host.len - domain.len;

    if (host.len < domain.len ||
        !crier_slice_eq_nocase(crier_slice_sub(host, more, host.len), domain))
        return false;
    return more == 0 || host.data[more - 1] == '.';
}

static bool excepts_one(struct crier_slice entry, const struct crier_url *url)
{
    struct crier_authority authority;
    struct crier_ip ip, host_ip;

    if (crier_slice_eq(entry, CRIER_SLICE("*")))
        return true;
    if (crier_slice_starts(entry, CRIER_SLICE(".")))
        entry = crier_slice_sub(entry, 1, entry.len);
    /* An IPv6 address may stand there without its brackets. */
    if (crier_ip_parse(entry, &ip) == 0)
        return crier_ip_parse(url->host, &host_ip) == 0 && crier_ip_eq(&ip, &host_ip);
    if (crier_authority_parse(entry, &authority) < 0 || authority.host.len == 0 ||
        (authority.has_port && authority.port != url->port))
        return false;
    if (crier_ip_parse(authority.host, &ip) == 0)
        return crier_ip_parse(url->host, &host_ip) == 0 && crier_ip_eq(&ip, &host_ip);
    return crier_ip_parse(url->host, &host_ip) < 0 && is_under(url->host, authority.host);
}

bool crier_proxy_excepts(struct crier_slice list, const struct crier_url *url)
{
    while (list.data) {
        struct crier_slice entry = crier_slice_trim(crier_slice_cut(&list, ','));

        if (entry.len > 0 && excepts_one(entry, url))
            return true;
    }
    return false;
}
