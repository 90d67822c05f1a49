/* SPDX-License-Identifier: MIT */
/* What every accepted connection is given. */
#ifndef CRIER_NET_SOCKET_H
#define CRIER_NET_SOCKET_H

#include "net/address.h"
#include <sys/types.h>

struct crier_socket_options {
    unsigned user_timeout_ms; /* TCP_USER_TIMEOUT: unacknowledged bytes. 30,000 */
    unsigned keepalive_s; /* SO_KEEPALIVE + TCP_KEEPIDLE/INTVL/CNT for silent connections. 30 */
    unsigned notsent_lowat; /* TCP_NOTSENT_LOWAT. 16 KiB */
};

/* TCP_NODELAY and the above; faults of single options are ignored (a unix socket has none of
 * them). */
void crier_socket_setup(int fd, const struct crier_socket_options *);
/* accept4, non-blocking, close-on-exec. The fd, or -errno (-EAGAIN, -EMFILE, ...).
 * local_is_loopback: the address it came in on. */
int crier_socket_accept(int listener,
                        struct crier_address *ret_peer,
                        bool *ret_local_is_loopback);
/* send with MSG_NOSIGNAL. Bytes, or -errno. */
ssize_t crier_socket_send(int fd, const char *bytes, size_t len);
ssize_t crier_socket_recv(int fd, char *bytes, size_t len); /* 0: end */
bool crier_socket_has_input(int fd); /* would recv give bytes now? They stay there */

#endif
