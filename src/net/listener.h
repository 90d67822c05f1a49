/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets, so that workers share a port and a second process cannot: the first socket
 * of an address is bound, and listens, without SO_REUSEPORT, which is set on it afterwards; the
 * other workers' sockets follow with it (listener.c says why in this order). Sockets that were
 * handed in (LISTEN_FDS) are never bound and never closed before the end: all workers accept
 * from each of them.
 */
#ifndef CRIER_NET_LISTENER_H
#define CRIER_NET_LISTENER_H

#include "net/address.h"

struct crier_listener {
    struct crier_address address; /* as bound: a port 0 has become a real one */
    bool inherited;
    int *fds; /* one for each worker; inherited: one, shared by all */
    size_t fd_count;
};

struct crier_mem;

/* Binds and listens (backlog 4096), non-blocking, close-on-exec, IPV6_V6ONLY on IPv6 (":8080"
 * is asked for as two addresses by the caller). congestion NULL: the system's. 0, or -errno
 * (-EADDRINUSE, -EACCES, ...). */
int crier_listener_open(const struct crier_mem *,
                        const struct crier_address *,
                        size_t workers,
                        const char *congestion,
                        struct crier_listener *ret) CRIER_MUST_CHECK;
/* Takes one handed-in descriptor; checks that it is a listening stream socket. */
int crier_listener_inherit(const struct crier_mem *,
                           int fd,
                           struct crier_listener *ret) CRIER_MUST_CHECK;
void crier_listener_close(const struct crier_mem *, struct crier_listener *);
/* LISTEN_PID and LISTEN_FDS (sd_listen_fds): how many descriptors from 3 on are ours; 0: none.
 * -EINVAL: nonsense. Unsets nothing. */
int crier_listen_fds(size_t *ret_count) CRIER_MUST_CHECK;

#endif
