/* SPDX-License-Identifier: MIT */
/* Asking a proxy for a way through it (CONNECT, RFC 9110 9.3.6). */
#ifndef CRIER_CLIENT_TUNNEL_H
#define CRIER_CLIENT_TUNNEL_H

#include "client/proxy.h"
#include "client/reply.h"
#include "client/transport.h"

enum { CRIER_TUNNEL_WAIT = 1 };

struct crier_tunnel {
    struct crier_buf out;
    size_t sent;
    struct crier_reply_reader *reader; /* NULL: none was asked for */
    unsigned status;                   /* of the proxy's answer; 0: there is none */
    const struct crier_reply *answer;  /* the reader's; NULL: there is none */
    const char *fault;                 /* static text; NULL: the errno says it all */
};

void crier_tunnel_init(struct crier_tunnel *tunnel,
                       const struct crier_mem *mem); /* allocates nothing */
void crier_tunnel_deinit(struct crier_tunnel *tunnel);
/* 0, -ENOMEM. */
int crier_tunnel_start(struct crier_tunnel *tunnel,
                       const struct crier_proxy *proxy,
                       const struct crier_url *url) CRIER_MUST_CHECK;
/* 0: the connection leads to url's host. CRIER_TUNNEL_WAIT. -ECONNABORTED: the proxy refused,
 * see status; other < 0: fault. */
int crier_tunnel_step(struct crier_tunnel *tunnel,
                      struct crier_transport *transport) CRIER_MUST_CHECK;
/* Of the proxy's answer, for tunnel's life; empty: none. */
struct crier_slice crier_tunnel_retry_after(const struct crier_tunnel *tunnel);
bool crier_tunnel_unsent(const struct crier_tunnel *tunnel);

#endif
