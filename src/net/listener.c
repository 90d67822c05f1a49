/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets.
 *
 * Workers share a port through SO_REUSEPORT, and the kernel spreads connections over their
 * sockets. The option alone has a flaw: a second process of the same user may bind the port as
 * well, and takes half of the connections without anyone being told. So the first socket of an
 * address is opened without it, and that is what keeps a second process out:
 *
 *     first socket     SO_REUSEADDR                     bind   listen   SO_REUSEPORT on
 *     every other      SO_REUSEADDR   SO_REUSEPORT on   bind   listen
 *
 * The second process's bind fails with EADDRINUSE, because our sockets listen and its first one
 * has no SO_REUSEPORT yet; that ours have it by then does not help it.
 *
 * listen comes before SO_REUSEPORT, not after it. SO_REUSEADDR lets two processes that start at
 * the same moment both bind, and the kernel looks for a conflict once more in listen: there one
 * of them fails. Had both sockets SO_REUSEPORT by then, both would succeed.
 *
 * SO_REUSEADDR is there for the restart: connections of the last life in TIME_WAIT would keep
 * the port for a minute. A port that the kernel chooses (0) is bound without it, or the kernel
 * might choose one that another process has bound and does not listen on yet.
 *
 * A connection that arrives while the other sockets are being opened waits in the first one's
 * queue. Closing a listening socket resets the connections in its queue: who ends does it last.
 */
#include "net/listener.h"

#include "base/mem.h"

#include <assert.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections the kernel keeps for us between two accepts. It cuts it to net.core.somaxconn. */
enum { LISTENER_BACKLOG = 4096 };

static int listener_set(int fd, int level, int name)
{
    const int on = 1;

    return setsockopt(fd, level, name, &on, sizeof(on)) < 0 ? -errno : 0;
}

static int listener_bind_and_listen(int fd, const struct crier_address *address)
{
    struct sockaddr_storage storage;
    socklen_t len = crier_address_to_sockaddr(address, &storage);

    if (bind(fd, (const struct sockaddr *)&storage, len) < 0)
        return -errno;
    return listen(fd, LISTENER_BACKLOG) < 0 ? -errno : 0;
}

/* The options and their order: see above. */
static int
listener_start(int fd, const struct crier_address *address, bool first, const char *congestion)
{
    int r = 0;

    if (address->ip.family == 6)
        r = listener_set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    if (!r && address->port != 0)
        r = listener_set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (!r && !first)
        r = listener_set(fd, SOL_SOCKET, SO_REUSEPORT);
    /* Accepted connections inherit it. */
    if (!r && congestion &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) <
            0)
        r = -errno;
    if (!r)
        r = listener_bind_and_listen(fd, address);
    if (!r && address->port == 0)
        r = listener_set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (!r && first)
        r = listener_set(fd, SOL_SOCKET, SO_REUSEPORT);
    return r;
}

static int listener_socket(const struct crier_address *address,
                           bool first,
                           const char *congestion,
                           int *ret_fd)
{
    int family = address->ip.family == 6 ? AF_INET6 : AF_INET;
    int fd, r;

    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    r = listener_start(fd, address, first, congestion);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int listener_bound_address(int fd, struct crier_address *ret)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof(storage);

    if (getsockname(fd, (struct sockaddr *)&storage, &len) < 0)
        return -errno;
    crier_address_from_sockaddr(&storage, ret);
    return 0;
}

static int
listener_fill(struct crier_listener *listener, size_t workers, const char *congestion)
{
    int r = 0;

    while (!r && listener->fd_count < workers) {
        size_t i = listener->fd_count;

        r = listener_socket(&listener->address, i == 0, congestion, &listener->fds[i]);
        if (r < 0)
            break;
        listener->fd_count++;
        /* The others bind the port the kernel gave to the first. */
        if (i == 0)
            r = listener_bound_address(listener->fds[0], &listener->address);
    }
    return r;
}

int crier_listener_open(const struct crier_mem *mem,
                        const struct crier_address *address,
                        size_t workers,
                        const char *congestion,
                        struct crier_listener *ret)
{
    struct crier_listener listener = {.address = *address};
    int r;

    assert(workers > 0);
    if (address->ip.family == 0)
        return -EAFNOSUPPORT;
    listener.fds = crier_mem_alloc(mem, workers * sizeof(*listener.fds));
    if (!listener.fds)
        return -ENOMEM;
    r = listener_fill(&listener, workers, congestion);
    if (r < 0) {
        crier_listener_close(mem, &listener);
        return r;
    }
    *ret = listener;
    return 0;
}

static int listener_check_inherited(int fd)
{
    int type = 0, listening = 0, flags;
    socklen_t len = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return -errno;
    len = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return -errno;
    if (type != SOCK_STREAM || !listening)
        return -EINVAL;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int crier_listener_inherit(const struct crier_mem *mem, int fd, struct crier_listener *ret)
{
    struct crier_listener listener = {.inherited = true, .fd_count = 1};
    int r;

    r = listener_check_inherited(fd);
    if (!r)
        r = listener_bound_address(fd, &listener.address);
    if (r < 0)
        return r;
    listener.fds = crier_mem_alloc(mem, sizeof(*listener.fds));
    if (!listener.fds)
        return -ENOMEM;
    listener.fds[0] = fd;
    *ret = listener;
    return 0;
}

void crier_listener_close(const struct crier_mem *mem, struct crier_listener *listener)
{
    for (size_t i = 0; i < listener->fd_count; i++)
        close(listener->fds[i]);
    listener->fd_count = 0;
    listener->fds = crier_mem_free(mem, listener->fds);
}

int crier_listen_fds(size_t *ret_count)
{
    /* Far more than a service manager hands over; bounds what a wrong value can make us touch.
     */
    enum { MOST = 1024 };
    const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
    uint64_t pid, count;

    if (!pid_text || !count_text) {
        *ret_count = 0;
        return 0;
    }
    if (crier_slice_to_u64(crier_slice_of(pid_text), &pid) < 0)
        return -EINVAL;
    /* Meant for another process: the variables were inherited from our parent. */
    if (pid != (uint64_t)getpid()) {
        *ret_count = 0;
        return 0;
    }
    if (crier_slice_to_u64(crier_slice_of(count_text), &count) < 0 || count > MOST)
        return -EINVAL;
    *ret_count = (size_t)count;
    return 0;
}
