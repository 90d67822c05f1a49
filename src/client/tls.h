/* SPDX-License-Identifier: MIT */
/*
 * TLS as a client needs it: the server's certificate and name are checked (RFC 5280, 9525), 1.2
 * is the oldest version, nothing blocks. On OpenSSL (tls.c); without it (tls_off.c) making one
 * fails with a sentence.
 */
#ifndef CRIER_CLIENT_TLS_H
#define CRIER_CLIENT_TLS_H

#include "base/err.h"
#include "base/slice.h"
#include <sys/types.h>

struct crier_tls;         /* whom to trust: shared by connections */
struct crier_tls_session; /* one connection */

struct crier_tls_options {
    const char *ca_file; /* PEM; NULL: the system's */
    bool insecure;       /* no certificate is looked at */
};

enum { CRIER_TLS_WAIT = 1, CRIER_TLS_FAULT = 256 };

/* 0; -ENOTSUP, -EINVAL, -ENOMEM: fault says why. */
int crier_tls_new(const struct crier_mem *mem,
                  const struct crier_tls_options *options,
                  char fault[CRIER_TLS_FAULT],
                  struct crier_tls **ret_tls) CRIER_MUST_CHECK;
struct crier_tls *crier_tls_free(struct crier_tls *tls);

/* Borrows tls and fd, a connected non-blocking socket, for its life. 0, -ENOMEM,
 * -EINVAL: no certificate can be for that host. */
int crier_tls_session_new(struct crier_tls *tls,
                          int fd,
                          struct crier_slice host,
                          struct crier_tls_session **ret_session) CRIER_MUST_CHECK;
/* Says goodbye to the peer, if that is possible without waiting. */
struct crier_tls_session *crier_tls_session_free(struct crier_tls_session *session);
/* 0: done. CRIER_TLS_WAIT. < 0: crier_tls_fault(); -EKEYREJECTED: it is not whom it should be.
 */
int crier_tls_handshake(struct crier_tls_session *session) CRIER_MUST_CHECK;
/* Bytes; 0 of recv: the peer said goodbye; -EAGAIN; < 0: crier_tls_fault(). */
ssize_t crier_tls_send(struct crier_tls_session *session, const char *bytes, size_t len);
ssize_t crier_tls_recv(struct crier_tls_session *session, char *bytes, size_t len);
bool crier_tls_wants_out(const struct crier_tls_session *session); /* wait to be writable */
bool crier_tls_pending(const struct crier_tls_session *session);   /* recv has some already */
const char *crier_tls_fault(const struct crier_tls_session *session);

#endif
