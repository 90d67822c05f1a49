/* SPDX-License-Identifier: MIT */
#include "net/socket.h"

#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>

/* Fewer than this many unanswered probes end a connection. */
enum { SOCKET_KEEPALIVE_PROBES = 3 };

static void socket_option(int fd, int level, int name, unsigned value)
{
    int v = value > INT32_MAX ? INT32_MAX : (int)value;

    (void)setsockopt(fd, level, name, &v, sizeof(v));
}

void crier_socket_setup(int fd, const struct crier_socket_options *options)
{
    unsigned interval = options->keepalive_s / SOCKET_KEEPALIVE_PROBES;

    socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options->user_timeout_ms)
        socket_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options->user_timeout_ms);
    if (options->keepalive_s) {
        socket_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, options->keepalive_s);
        socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval ? interval : 1);
        socket_option(fd, IPPROTO_TCP, TCP_KEEPCNT, SOCKET_KEEPALIVE_PROBES);
    }
    if (options->notsent_lowat)
        socket_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, options->notsent_lowat);
}

/* accept(2) also hands over what went wrong on the network with a connection that was waiting:
 * that one is gone, and the next may be fine. */
static bool socket_accept_again(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static bool socket_local_is_loopback(int fd)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof(local);
    struct crier_address address;

    if (getsockname(fd, (struct sockaddr *)&local, &len) < 0)
        return false;
    crier_address_from_sockaddr(&local, &address);
    return crier_ip_is_loopback(&address.ip);
}

int crier_socket_accept(int listener,
                        struct crier_address *ret_peer,
                        bool *ret_local_is_loopback)
{
    struct sockaddr_storage peer = {0};
    socklen_t len;
    int fd;

    do {
        len = sizeof(peer);
        fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && socket_accept_again(errno));
    if (fd < 0)
        return -errno;
    crier_address_from_sockaddr(&peer, ret_peer);
    *ret_local_is_loopback = socket_local_is_loopback(fd);
    return fd;
}

ssize_t crier_socket_send(int fd, const char *bytes, size_t len)
{
    ssize_t n;

    do
        n = send(fd, bytes, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t crier_socket_recv(int fd, char *bytes, size_t len)
{
    ssize_t n;

    do
        n = recv(fd, bytes, len, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

bool crier_socket_has_input(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}
