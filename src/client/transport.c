/* SPDX-License-Identifier: MIT */
#include "client/transport.h"

#include "net/socket.h"
#include <assert.h>
#include <unistd.h>

static_assert(CRIER_TRANSPORT_WAIT == (int)CRIER_TLS_WAIT, "passed on as it is");

void crier_transport_init(struct crier_transport *transport)
{
    *transport = (struct crier_transport){.fd = -1};
}

void crier_transport_close(struct crier_transport *transport)
{
    transport->session = crier_tls_session_free(transport->session);
    if (transport->fd >= 0)
        (void)close(transport->fd);
    transport->fd = -1;
}

int crier_transport_secure(struct crier_transport *transport,
                           struct crier_tls *tls,
                           struct crier_slice host)
{
    return crier_tls_session_new(tls, transport->fd, host, &transport->session);
}

int crier_transport_handshake(struct crier_transport *transport)
{
    return transport->session ? crier_tls_handshake(transport->session) : 0;
}

ssize_t crier_transport_send(struct crier_transport *transport, const char *bytes, size_t len)
{
    return transport->session ? crier_tls_send(transport->session, bytes, len)
                              : crier_socket_send(transport->fd, bytes, len);
}

ssize_t crier_transport_recv(struct crier_transport *transport, char *bytes, size_t len)
{
    return transport->session ? crier_tls_recv(transport->session, bytes, len)
                              : crier_socket_recv(transport->fd, bytes, len);
}

bool crier_transport_wants_out(const struct crier_transport *transport)
{
    return transport->session && crier_tls_wants_out(transport->session);
}

bool crier_transport_pending(const struct crier_transport *transport)
{
    return transport->session && crier_tls_pending(transport->session);
}

const char *crier_transport_fault(const struct crier_transport *transport)
{
    return transport->session ? crier_tls_fault(transport->session) : "";
}
