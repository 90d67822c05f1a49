/* SPDX-License-Identifier: MIT */
/*
 * Peers: the other end of a pair of connected sockets, whose one end the server is given as if
 * it had accepted it. Nothing is bound, nothing leaves the process, and bytes are there as soon
 * as they are written, so that a test knows when all has happened: when the server is idle.
 *
 * The pair holds about PAIR_BYTES; who does not read stalls the server's side soon.
 */
#include "crier/testing.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/socket.h"
#include "server/conn.h"
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PAIR_BYTES = 16 * 1024,
    STEPS_MOST = 1000000, /* a server that never comes to rest is a fault of its own */
    READ_BYTES = 4096,
    DRAIN_STEPS = 3, /* the last look, the farewell, the end */
};

struct crier_test_peer {
    struct crier_server *server;
    int fd; /* -1: closed */
    bool stalled, ended;
    struct crier_buf received; /* and a NUL, which is not counted */
};

/* ---- the loop --------------------------------------------------------------------------- */

static bool is_idle(struct crier_server *server)
{
    struct pollfd p = {.fd = crier_server_fd(server), .events = POLLIN};

    return poll(&p, 1, 0) == 0 && crier_server_timeout(server) != 0;
}

/* A server that stops lets a little real time pass between two looks at how far it is. */
static int quiet_steps(struct crier_server *server)
{
    return atomic_load(&server->draining) ? DRAIN_STEPS : 1;
}

int crier_test_settle(struct crier_server *server)
{
    int quiet = 0;

    for (int i = 0; i < STEPS_MOST; i++) {
        int r = crier_server_step(server);

        if (r != 0)
            return r;
        quiet = is_idle(server) ? quiet + 1 : 0;
        if (quiet >= quiet_steps(server))
            return 0;
    }
    return CRIER_EBUSY;
}

/* ---- life ------------------------------------------------------------------------------- */

static int pair(int fds[2])
{
    const int size = PAIR_BYTES;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    for (int i = 0; i < 2; i++)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return 0;
}

struct crier_test_peer *crier_test_connect(struct crier_server *server)
{
    const struct crier_address loopback = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}};
    struct crier_test_peer *peer;
    int fds[2];

    if (!server || server->config->workers > 1 || crier_server_start(server) < 0 ||
        server->ended)
        return NULL;
    peer = crier_mem_zalloc(&crier_mem_libc, sizeof(*peer));
    if (!peer || pair(fds) < 0)
        return crier_mem_free(&crier_mem_libc, peer);
    peer->server = server;
    peer->fd = fds[1];
    crier_buf_init(&peer->received, &crier_mem_libc);
    /* Accepted now, not at the time of the last step. */
    server->workers[0].now = crier_server_now(server);
    crier_conn_open(&server->workers[0], fds[0], &loopback, true);
    return peer;
}

static void hang_up(struct crier_test_peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

struct crier_test_peer *crier_test_peer_free(struct crier_test_peer *peer)
{
    if (!peer)
        return NULL;
    hang_up(peer);
    crier_buf_deinit(&peer->received);
    return crier_mem_free(&crier_mem_libc, peer);
}

/* ---- talking ---------------------------------------------------------------------------- */

/* What is there now. true: something was. */
static bool receive(struct crier_test_peer *peer)
{
    bool any = false;

    while (peer->fd >= 0 && !peer->stalled && !peer->ended) {
        ssize_t n;

        if (crier_buf_reserve(&peer->received, READ_BYTES + 1) < 0)
            return any;
        n = crier_socket_recv(peer->fd, peer->received.data + peer->received.len, READ_BYTES);
        if (n == -EAGAIN)
            return any;
        if (n <= 0) {
            peer->ended = true;
            (void)shutdown(peer->fd, SHUT_WR); /* as clients do: nothing is waited for */
        } else {
            peer->received.len += (size_t)n;
        }
        any = true;
    }
    return any;
}

/* Until neither side has anything more to say. */
static void converse(struct crier_test_peer *peer)
{
    int r;

    do
        r = crier_test_settle(peer->server);
    while (receive(peer) && r == 0);
}

int crier_test_send(struct crier_test_peer *peer, struct crier_slice bytes)
{
    bool full = false;

    if (!peer)
        return CRIER_ENOMEM;
    while (bytes.len > 0) {
        ssize_t n = peer->fd < 0 ? -EPIPE : crier_socket_send(peer->fd, bytes.data, bytes.len);

        if (n == -EAGAIN && full)
            return CRIER_FULL;
        if (n < 0 && n != -EAGAIN)
            return CRIER_GONE;
        full = n < 0;
        if (full)
            converse(peer);
        else
            bytes = crier_slice_sub(bytes, (size_t)n, bytes.len);
    }
    converse(peer);
    return 0;
}

int crier_test_get(struct crier_test_peer *peer, const char *path)
{
    struct crier_buf request;
    int r;

    crier_buf_init(&request, &crier_mem_libc);
    crier_buf_append(&request, CRIER_SLICE("GET "));
    crier_buf_append(&request, crier_slice_of(path));
    crier_buf_append(&request, CRIER_SLICE(" HTTP/1.1\r\nHost: localhost\r\n"
                                           "Accept: text/event-stream\r\n\r\n"));
    r = crier_buf_error(&request);
    if (r == 0)
        r = crier_test_send(peer, crier_buf_slice(&request));
    crier_buf_deinit(&request);
    return r;
}

struct crier_slice crier_test_received(struct crier_test_peer *peer)
{
    if (!peer)
        return (struct crier_slice){"", 0};
    if (receive(peer))
        converse(peer);
    if (crier_buf_reserve(&peer->received, 1) < 0)
        return (struct crier_slice){"", 0};
    peer->received.data[peer->received.len] = '\0';
    return crier_buf_slice(&peer->received);
}

void crier_test_forget(struct crier_test_peer *peer)
{
    if (!peer)
        return;
    (void)crier_test_received(peer);
    crier_buf_clear(&peer->received);
}

bool crier_test_ended(struct crier_test_peer *peer)
{
    if (!peer)
        return true;
    (void)crier_test_received(peer);
    return peer->ended || peer->fd < 0;
}

/* ---- ending ----------------------------------------------------------------------------- */

void crier_test_stall(struct crier_test_peer *peer, bool stalled)
{
    if (!peer)
        return;
    peer->stalled = stalled;
    if (!stalled)
        converse(peer);
}

void crier_test_close(struct crier_test_peer *peer)
{
    if (!peer || peer->fd < 0)
        return;
    (void)shutdown(peer->fd, SHUT_WR);
    converse(peer);
}

void crier_test_drop(struct crier_test_peer *peer)
{
    if (!peer)
        return;
    hang_up(peer);
    (void)crier_test_settle(peer->server);
}
