/* SPDX-License-Identifier: MIT */
/*
 * Connecting.
 *
 *     start ─▶ list ─▶ open_next ─▶ EINPROGRESS ─▶ step: writable? ─▶ SO_ERROR 0 ─▶ connected
 *                          ▲                          │ error, or no answer until deadline_ms
 *                          └──────────────────────────┘ the next address
 *
 * The dial owns `fd` until it hands it over. When all addresses failed the last error is told:
 * with "localhost" on a machine without IPv6 that is the one of 127.0.0.1, which is the one
 * meant.
 */
#include "client/dial.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_BYTES = 256 };

void crier_dial_init(struct crier_dial *dial)
{
    *dial = (struct crier_dial){.fd = -1};
}

void crier_dial_deinit(struct crier_dial *dial)
{
    if (dial->list)
        freeaddrinfo(dial->list);
    if (dial->fd >= 0)
        (void)close(dial->fd);
    crier_dial_init(dial);
}

int crier_dial_start(struct crier_dial *dial,
                     const struct crier_url *url,
                     uint64_t timeout_ms,
                     const char **ret_fault)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char host[HOST_BYTES], port[8];
    struct addrinfo *list;
    int r;

    assert(!dial->list && dial->fd < 0);
    if (url->host.len >= sizeof(host)) {
        *ret_fault = "the host name is too long";
        return -ENOENT;
    }
    (void)snprintf(host, sizeof(host), "%.*s", CRIER_SLICE_ARG(url->host));
    (void)snprintf(port, sizeof(port), "%u", (unsigned)url->port);
    r = getaddrinfo(host, port, &hints, &list);
    if (r == EAI_MEMORY)
        return -ENOMEM;
    if (r != 0) {
        *ret_fault = gai_strerror(r);
        return -ENOENT;
    }
    *dial = (struct crier_dial){
        .list = list, .next = list, .fd = -1, .timeout_ms = timeout_ms, .error = -ENOENT};
    return 0;
}

/* Begins with the next address. 0: under way; -errno: this one failed at once. */
static int open_next(struct crier_dial *dial, uint64_t now_ms)
{
    const struct addrinfo *address = dial->next;
    int on = 1;

    dial->next = address->ai_next;
    dial->fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                      address->ai_protocol);
    if (dial->fd < 0)
        return -errno;
    (void)setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    dial->deadline_ms = now_ms + dial->timeout_ms;
    if (connect(dial->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS &&
        errno != EINTR)
        return -errno;
    return 0;
}

/* 0: connected; CRIER_DIAL_WAIT; -errno. */
static int look(const struct crier_dial *dial, uint64_t now_ms)
{
    struct pollfd p = {.fd = dial->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);

    if (poll(&p, 1, 0) == 0)
        return now_ms >= dial->deadline_ms ? -ETIMEDOUT : CRIER_DIAL_WAIT;
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

int crier_dial_step(struct crier_dial *dial, uint64_t now_ms, int *ret_fd)
{
    int r;

    for (;;) {
        if (dial->fd >= 0) {
            r = look(dial, now_ms);
            if (r == CRIER_DIAL_WAIT)
                return r;
            if (r == 0) {
                *ret_fd = dial->fd;
                dial->fd = -1;
                return 0;
            }
            dial->error = r;
            (void)close(dial->fd);
            dial->fd = -1;
        }
        if (!dial->next)
            return dial->error;
        r = open_next(dial, now_ms);
        if (r < 0) {
            dial->error = r;
            if (dial->fd >= 0)
                (void)close(dial->fd);
            dial->fd = -1;
        }
    }
}
