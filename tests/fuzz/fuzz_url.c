/* SPDX-License-Identifier: MIT */
/*
 * URLs as a client meets them: its own, a Location's, a proxy's, no_proxy. Input: two texts,
 * parted by the first LF.
 *
 * What must hold: what is taken apart can be put together again and is the same; what is
 * resolved against a good URL and is good has no fragment, user or line end in what goes over
 * the wire; the origin is the same only for the same scheme, host and port.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "client/proxy.h"

static void check_wire(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        FUZZ_CHECK((unsigned char)text.data[i] > ' ' && (unsigned char)text.data[i] < 0x7f);
}

/* As it goes over the wire, and back. */
static void check_url(const struct crier_url *url)
{
    struct crier_buf text;
    struct crier_url again;

    crier_buf_init(&text, &crier_mem_libc);
    crier_url_host(&text, url);
    check_wire(crier_buf_slice(&text));
    crier_buf_clear(&text);
    crier_url_origin(&text, url);
    crier_url_target(&text, url);
    check_wire(crier_buf_slice(&text));
    FUZZ_CHECK(crier_slice_find(crier_buf_slice(&text), '#') == text.len);
    FUZZ_CHECK(crier_url_parse(crier_buf_slice(&text), &again) == NULL);
    FUZZ_CHECK(crier_url_same_origin(url, &again));
    FUZZ_CHECK(again.is_secure == url->is_secure && again.port == url->port);
    FUZZ_CHECK(crier_slice_eq_nocase(again.host, url->host));
    crier_buf_deinit(&text);
}

static const char *no_environment(void *ctx, const char *name)
{
    return NULL;
}

static void check_proxy(const char *given, const struct crier_url *url)
{
    struct crier_proxies proxies;
    const struct crier_proxy *proxy;

    crier_proxies_init(&proxies, &crier_mem_libc);
    FUZZ_CHECK(crier_proxies_set(&proxies, given, no_environment, NULL) == 0);
    proxy = crier_proxies_for(&proxies, url);
    if (proxy && !proxy->fault) {
        check_url(&proxy->url);
        /* Base64 needs nothing else. */
        for (size_t i = 0; i < proxy->authorization.len; i++)
            FUZZ_CHECK((unsigned char)proxy->authorization.data[i] >= ' ');
    }
    crier_proxies_deinit(&proxies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crier_slice rest = {(const char *)data, size};
    struct crier_slice first = crier_slice_cut(&rest, '\n');
    struct crier_buf text, given;
    struct crier_url base, other;

    if (!rest.data || crier_url_parse(first, &base) != NULL)
        return 0;
    check_url(&base);
    crier_buf_init(&text, &crier_mem_libc);
    crier_buf_init(&given, &crier_mem_libc);
    crier_url_resolve(&text, &base, rest);
    if (crier_url_parse(crier_buf_slice(&text), &other) == NULL)
        check_url(&other);
    (void)crier_proxy_excepts(rest, &base);
    crier_buf_append(&given, crier_slice_sub(rest, 0, crier_slice_find(rest, '\0')));
    crier_buf_byte(&given, '\0');
    check_proxy(given.data, &base);
    crier_buf_deinit(&given);
    crier_buf_deinit(&text);
    return 0;
}
