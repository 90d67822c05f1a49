/* SPDX-License-Identifier: MIT */
/*
 * Connecting.
 *
 *     start ─▶ look up ─▶ list ─▶ open_next ─▶ EINPROGRESS ─▶ writable? ─▶ SO_ERROR 0 ─▶ done
 *                                    ▲                            │ error, or no answer until
 *                                    └────── the next address ────┘ deadline_ms
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
#include <sys/socket.h>
#include <unistd.h>

void crier_dial_init(struct crier_dial *dial)
{
    *dial = (struct crier_dial){.fd = -1};
}

static void close_socket(struct crier_dial *dial)
{
    if (dial->fd >= 0)
        (void)close(dial->fd);
    dial->fd = -1;
}

void crier_dial_deinit(struct crier_dial *dial)
{
    crier_lookup_deinit(&dial->lookup);
    if (dial->list)
        freeaddrinfo(dial->list);
    close_socket(dial);
    crier_dial_init(dial);
}

uint64_t crier_dial_deadline(uint64_t now_ms, uint64_t timeout_ms)
{
    return timeout_ms < UINT64_MAX - now_ms ? now_ms + timeout_ms : UINT64_MAX;
}

int crier_dial_start(struct crier_dial *dial,
                     struct crier_slice host,
                     uint16_t port,
                     uint64_t timeout_ms)
{
    assert(!dial->looking && !dial->list && dial->fd < 0);
    dial->timeout_ms = timeout_ms;
    dial->deadline_ms = 0;
    dial->error = -ENOENT;
    dial->looking = true;
    return crier_lookup_start(&dial->lookup, host, port, &dial->fault);
}

/* 0: there is a list; CRIER_DIAL_WAIT; < 0. */
static int look_up(struct crier_dial *dial, uint64_t now_ms)
{
    int r = crier_lookup_take(&dial->lookup, &dial->list, &dial->fault);

    if (r == CRIER_LOOKUP_WAIT) {
        if (dial->deadline_ms == 0)
            dial->deadline_ms = crier_dial_deadline(now_ms, dial->timeout_ms);
        if (now_ms < dial->deadline_ms)
            return CRIER_DIAL_WAIT;
        dial->fault = "no answer from the name server";
        return -ETIMEDOUT;
    }
    dial->looking = false;
    dial->next = dial->list;
    return r;
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
    dial->deadline_ms = crier_dial_deadline(now_ms, dial->timeout_ms);
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

static void fail(struct crier_dial *dial, int error)
{
    dial->error = error;
    close_socket(dial);
}

/* From the address under way, if there is one, to the first that answers. As crier_dial_step.
 */
static int try_addresses(struct crier_dial *dial, uint64_t now_ms)
{
    for (;;) {
        int r = 0;

        if (dial->fd >= 0) {
            r = look(dial, now_ms);
            if (r >= 0)
                return r;
            fail(dial, r);
        }
        if (!dial->next)
            return dial->error;
        r = open_next(dial, now_ms);
        if (r < 0)
            fail(dial, r);
    }
}

int crier_dial_step(struct crier_dial *dial, uint64_t now_ms, int *ret_fd)
{
    int r = dial->looking ? look_up(dial, now_ms) : 0;

    if (r != 0)
        return r;
    r = try_addresses(dial, now_ms);
    if (r == 0) {
        *ret_fd = dial->fd;
        dial->fd = -1;
    }
    return r;
}

int crier_dial_fd(const struct crier_dial *dial)
{
    return dial->looking ? crier_lookup_fd(&dial->lookup) : dial->fd;
}

short crier_dial_events(const struct crier_dial *dial)
{
    return dial->looking ? POLLIN : POLLOUT;
}
