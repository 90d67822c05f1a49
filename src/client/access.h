/* SPDX-License-Identifier: MIT */
/* How servers are reached, which all calls of one client share: through which proxies, whom to
 * trust, how long to try. */
#ifndef CRIER_CLIENT_ACCESS_H
#define CRIER_CLIENT_ACCESS_H

#include "client/proxy.h"
#include "client/tls.h"

struct crier_access_options {
    const char *proxy;   /* as crier_proxies_set */
    const char *ca_file; /* PEM; NULL: the system's */
    bool insecure;
    uint64_t connect_ms; /* for each address, and for the handshakes; CRIER_DIAL_NO_LIMIT */
};

struct crier_access {
    const struct crier_mem *mem;
    struct crier_proxies proxies;
    struct crier_buf ca_file; /* ends in NUL; empty: the system's */
    bool insecure;
    uint64_t connect_ms;
    struct crier_tls *tls; /* made for the first https URL: reading all of the system's
                              certificates takes a while */
};

/* *Copies*. 0, -ENOMEM. */
int crier_access_init(struct crier_access *access,
                      const struct crier_mem *mem,
                      const struct crier_access_options *options) CRIER_MUST_CHECK;
void crier_access_deinit(struct crier_access *access);
/* 0; < 0: fault. *ret_tls: borrowed for the life of access. */
int crier_access_tls(struct crier_access *access,
                     char fault[CRIER_TLS_FAULT],
                     struct crier_tls **ret_tls) CRIER_MUST_CHECK;

#endif
