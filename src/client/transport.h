/* SPDX-License-Identifier: MIT */
/* A connection that carries bytes, with TLS over it or without. */
#ifndef CRIER_CLIENT_TRANSPORT_H
#define CRIER_CLIENT_TRANSPORT_H

#include "client/tls.h"

enum { CRIER_TRANSPORT_WAIT = 1 };

struct crier_transport {
    int fd; /* owned; -1: not connected */
    struct crier_tls_session *session;
};

void crier_transport_init(struct crier_transport *transport); /* allocates nothing */
void crier_transport_close(struct crier_transport *transport);
/* From now on it speaks TLS with that host; a handshake comes first. 0, -ENOMEM. */
int crier_transport_secure(struct crier_transport *transport,
                           struct crier_tls *tls,
                           struct crier_slice host) CRIER_MUST_CHECK;
/* 0: done, or there is none to do. CRIER_TRANSPORT_WAIT. < 0: see crier_transport_fault. */
int crier_transport_handshake(struct crier_transport *transport) CRIER_MUST_CHECK;
/* Bytes; 0 of recv: the end; -EAGAIN; < 0. */
ssize_t crier_transport_send(struct crier_transport *transport, const char *bytes, size_t len);
ssize_t crier_transport_recv(struct crier_transport *transport, char *bytes, size_t len);
bool crier_transport_wants_out(const struct crier_transport *transport);
bool crier_transport_pending(const struct crier_transport *transport);
/* What TLS has to say about the last failure; "": nothing, the errno says it all. */
const char *crier_transport_fault(const struct crier_transport *transport);

#endif
