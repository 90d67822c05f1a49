/* SPDX-License-Identifier: MIT */
/*
 * Which proxy leads to a URL: one that was given, or those of the environment. Pure: the
 * environment is given as a function. Those of the environment are meant for the network: what
 * is on this machine (localhost, names under it, 127.0.0.0/8, ::1) is asked for without them.
 *
 *     http_proxy, https_proxy, all_proxy, no_proxy, and in upper case too, but for HTTP_PROXY:
 *     a CGI program would take it from a request header ("Proxy:", httpoxy)
 */
#ifndef CRIER_CLIENT_PROXY_H
#define CRIER_CLIENT_PROXY_H

#include "client/url.h"

struct crier_proxy {
    struct crier_buf text; /* as given; empty: none */
    struct crier_url url;
    struct crier_buf authorization; /* value of Proxy-Authorization; empty: none */
    const char *fault;              /* a sentence: it cannot be used */
};

struct crier_proxies {
    struct crier_proxy http, https; /* by the scheme of the URL that is asked for */
    bool of_environment;
    struct crier_buf except; /* no_proxy */
};

typedef const char *crier_proxy_getenv(void *ctx, const char *name);

/* Allocates nothing. */
void crier_proxies_init(struct crier_proxies *proxies, const struct crier_mem *mem);
void crier_proxies_deinit(struct crier_proxies *proxies);
/* given: "http://user:password@host:port", without exceptions; "": none; NULL: the
 * environment's. *Copies*. 0, -ENOMEM. */
int crier_proxies_set(struct crier_proxies *proxies,
                      const char *given,
                      crier_proxy_getenv *get,
                      void *ctx) CRIER_MUST_CHECK;
/* NULL: none. Look at its fault. */
const struct crier_proxy *crier_proxies_for(const struct crier_proxies *proxies,
                                            const struct crier_url *url);
/* Is a host, or its port too, in a list like no_proxy's? "*": all; "example.org" and
 * ".example.org": it and all under it; "10.0.0.1", "[::1]:8080": as they are. */
bool crier_proxy_excepts(struct crier_slice list, const struct crier_url *url);

#endif
