/* SPDX-License-Identifier: MIT */
#include "net/listener.h"
#include "net/socket.h"
#include "support.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

static struct crier_listener listener;
static int client, server;
static struct crier_address peer;
static bool local;

static int setup(void **state)
{
    static const struct crier_address loopback = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}};
    struct sockaddr_storage storage;
    struct pollfd p = {.events = POLLIN};
    socklen_t len;

    assert_int_equal(crier_listener_open(&crier_mem_libc, &loopback, 1, NULL, &listener), 0);
    assert_int_equal(crier_socket_accept(listener.fds[0], &peer, &local), -EAGAIN);
    len = crier_address_to_sockaddr(&listener.address, &storage);
    client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&storage, len), 0);
    p.fd = listener.fds[0];
    assert_int_equal(poll(&p, 1, -1), 1);
    server = crier_socket_accept(listener.fds[0], &peer, &local);
    assert_true(server >= 0);
    return 0;
}

static int teardown(void **state)
{
    if (client >= 0)
        close(client);
    close(server);
    crier_listener_close(&crier_mem_libc, &listener);
    return 0;
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, -1), 1);
}

/* The peer's address and port, that it came in over loopback, and what the descriptor is like.
 */
static void test_accept(void **state)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof(storage);
    struct crier_address own;

    assert_int_equal(getsockname(client, (struct sockaddr *)&storage, &len), 0);
    crier_address_from_sockaddr(&storage, &own);
    assert_true(crier_ip_eq(&peer.ip, &own.ip));
    assert_int_equal(peer.port, own.port);
    assert_true(local);
    assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(server, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(crier_socket_accept(-1, &peer, &local), -EBADF);
}

static int option(int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(server, level, name, &value, &len), 0);
    return value;
}

/* Each option is really set. */
static void test_setup_options(void **state)
{
    const struct crier_socket_options options = {
        .user_timeout_ms = 12345, .keepalive_s = 33, .notsent_lowat = 4242};

    crier_socket_setup(server, &options);
    assert_int_not_equal(option(IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
    assert_int_not_equal(option(SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(IPPROTO_TCP, TCP_KEEPIDLE), 33);
    assert_int_equal(option(IPPROTO_TCP, TCP_KEEPINTVL), 11);
    assert_int_equal(option(IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(option(IPPROTO_TCP, TCP_NOTSENT_LOWAT), 4242);
}

/* A socket that has none of these options is set up without complaint. */
static void test_setup_unix(void **state)
{
    const struct crier_socket_options options = {1000, 1, 1000};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    crier_socket_setup(pair[0], &options);
    assert_int_equal(crier_socket_send(pair[0], "x", 1), 1);
    close(pair[0]);
    close(pair[1]);
}

/* Bytes go and come; nothing to read is -EAGAIN, the end is 0. */
static void test_send_and_recv(void **state)
{
    char bytes[8];

    assert_int_equal(crier_socket_recv(server, bytes, sizeof(bytes)), -EAGAIN);
    assert_int_equal(crier_socket_send(server, "hello", 5), 5);
    assert_int_equal(crier_socket_recv(client, bytes, sizeof(bytes)), 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    wait_readable(server);
    assert_int_equal(crier_socket_recv(server, bytes, sizeof(bytes)), 0);
}

/* A full socket says -EAGAIN. */
static void test_full(void **state)
{
    static char block[65536];
    ssize_t n;

    do
        n = crier_socket_send(server, block, sizeof(block));
    while (n > 0);
    assert_int_equal(n, -EAGAIN);
}

/* A peer that is gone is an error, never a SIGPIPE (which would end this test). */
static void test_peer_gone(void **state)
{
    ssize_t n;

    /* Unread bytes turn the close into a reset. */
    assert_int_equal(crier_socket_send(server, "x", 1), 1);
    wait_readable(client);
    close(client);
    client = -1;
    do
        n = crier_socket_send(server, "x", 1);
    while (n > 0);
    assert_true(n == -EPIPE || n == -ECONNRESET);
    assert_int_equal(crier_socket_send(server, "x", 1), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_accept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_setup_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_setup_unix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_send_and_recv, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
