/* SPDX-License-Identifier: MIT */
/* A build without TLS: there is never anything to trust, so no session is ever made. */
#include "client/tls.h"

#include <stdio.h>

int crier_tls_new(const struct crier_mem *mem,
                  const struct crier_tls_options *options,
                  char fault[CRIER_TLS_FAULT],
                  struct crier_tls **ret_tls)
{
    (void)snprintf(fault, CRIER_TLS_FAULT, "https is not built into this library");
    return -ENOTSUP;
}

struct crier_tls *crier_tls_free(struct crier_tls *tls)
{
    return NULL;
}

int crier_tls_session_new(struct crier_tls *tls,
                          int fd,
                          struct crier_slice host,
                          struct crier_tls_session **ret_session)
{
    return -ENOTSUP;
}

struct crier_tls_session *crier_tls_session_free(struct crier_tls_session *session)
{
    return NULL;
}

int crier_tls_handshake(struct crier_tls_session *session)
{
    return -ENOTSUP;
}

ssize_t crier_tls_send(struct crier_tls_session *session, const char *bytes, size_t len)
{
    return -ENOTSUP;
}

ssize_t crier_tls_recv(struct crier_tls_session *session, char *bytes, size_t len)
{
    return -ENOTSUP;
}

bool crier_tls_wants_out(const struct crier_tls_session *session)
{
    return false;
}

bool crier_tls_pending(const struct crier_tls_session *session)
{
    return false;
}

const char *crier_tls_fault(const struct crier_tls_session *session)
{
    return "";
}
