/* SPDX-License-Identifier: MIT */
/* A server in the same thread, on the loopback interface: listens, takes a request's head, says
 * what a test wants. Header only. */
#ifndef CRIER_TESTS_UNIT_CLIENT_SERVER_H
#define CRIER_TESTS_UNIT_CLIENT_SERVER_H

#include "support.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

struct test_server {
    int listener, peer; /* peer: the connection accepted last, or -1 */
    uint16_t port;
    char got[8192]; /* what it has sent, and a NUL */
    size_t len;
};

static inline void test_server_init(struct test_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    *s = (struct test_server){.peer = -1};
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &len), 0);
    s->port = ntohs(address.sin_port);
}

/* Ends the connection. */
static inline void test_server_hang_up(struct test_server *s)
{
    if (s->peer >= 0)
        (void)close(s->peer);
    s->peer = -1;
    s->len = 0;
    s->got[0] = '\0';
}

static inline void test_server_deinit(struct test_server *s)
{
    test_server_hang_up(s);
    (void)close(s->listener);
}

/* Accepts and receives what is there now. Has a whole head come? */
static inline bool test_server_turn(struct test_server *s)
{
    ssize_t n;

    if (s->peer < 0)
        s->peer = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (s->peer < 0)
        return false;
    n = recv(s->peer, s->got + s->len, sizeof(s->got) - 1 - s->len, 0);
    if (n > 0)
        s->len += (size_t)n;
    s->got[s->len] = '\0';
    return strstr(s->got, "\r\n\r\n") != NULL;
}

static inline void test_server_say(struct test_server *s, const char *text)
{
    assert_int_equal(send(s->peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

#endif
