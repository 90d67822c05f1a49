/* SPDX-License-Identifier: MIT */
#include "net/listener.h"
#include "support.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static const struct crier_mem *const mem = &crier_mem_libc;
static const struct crier_address loopback = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}};
static const struct crier_address loopback6 = {.ip = {.family = 6, .bytes = {[15] = 1}}};

static struct crier_listener open_ok(const struct crier_address *address, size_t workers)
{
    struct crier_listener l = {0};

    assert_int_equal(crier_listener_open(mem, address, workers, NULL, &l), 0);
    return l;
}

static int connect_to(const struct crier_address *address)
{
    struct sockaddr_storage storage;
    socklen_t len = crier_address_to_sockaddr(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&storage, len), 0);
    return fd;
}

/* A socket as another program would open it; bound to the address, not listening. */
static int foreign(const struct crier_address *address, bool reuse_address, bool reuse_port)
{
    struct sockaddr_storage storage;
    socklen_t len = crier_address_to_sockaddr(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, r;

    assert_true(fd >= 0);
    if (reuse_address)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    r = bind(fd, (struct sockaddr *)&storage, len);
    assert_int_equal(r, 0);
    return fd;
}

/* Accepts n connections from any of the sockets; counts them by socket. */
static void accept_all(const struct crier_listener *l, size_t n, size_t *by_socket)
{
    struct pollfd p[8];

    assert_true(l->fd_count <= 8);
    for (size_t i = 0; i < l->fd_count; i++)
        p[i] = (struct pollfd){.fd = l->fds[i], .events = POLLIN};
    while (n > 0) {
        assert_true(poll(p, l->fd_count, -1) > 0);
        for (size_t i = 0; i < l->fd_count; i++) {
            int fd = accept4(l->fds[i], NULL, NULL, SOCK_CLOEXEC);

            if (fd < 0)
                continue;
            close(fd);
            by_socket[i]++;
            n--;
        }
    }
}

/* The workers' sockets share the port: every connection reaches one of them, and every one is
 * reached. */
static void test_workers_share(void **state)
{
    enum { WORKERS = 4, CONNECTIONS = 200 };
    struct crier_listener l = open_ok(&loopback, WORKERS);
    size_t by_socket[WORKERS] = {0};
    int fds[CONNECTIONS];

    assert_int_equal(l.fd_count, WORKERS);
    assert_false(l.inherited);
    for (size_t i = 0; i < CONNECTIONS; i++)
        fds[i] = connect_to(&l.address);
    accept_all(&l, CONNECTIONS, by_socket);
    for (size_t i = 0; i < WORKERS; i++)
        assert_true(by_socket[i] > 0); /* by chance one is left out once in 10^24 */
    for (size_t i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    crier_listener_close(mem, &l);
    crier_listener_close(mem, &l); /* idempotent */
}

/* Port 0 becomes a real one, the same for all; descriptors do not block and are not inherited.
 */
static void test_port_zero(void **state)
{
    struct crier_listener l = open_ok(&loopback, 3);

    assert_int_not_equal(l.address.port, 0);
    for (size_t i = 0; i < l.fd_count; i++) {
        struct sockaddr_storage storage = {0};
        socklen_t len = sizeof(storage);
        struct crier_address bound;

        assert_int_equal(getsockname(l.fds[i], (struct sockaddr *)&storage, &len), 0);
        crier_address_from_sockaddr(&storage, &bound);
        assert_int_equal(bound.port, l.address.port);
        assert_true(fcntl(l.fds[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(l.fds[i], F_GETFD) & FD_CLOEXEC);
    }
    crier_listener_close(mem, &l);
}

static int open_in_child(const struct crier_address *address, size_t workers)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct crier_listener l;

        _exit(-crier_listener_open(mem, address, workers, NULL, &l));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

/* A second server on the same address fails, however many workers either has, in this process
 * or another, and it leaves the first alone. */
static void test_second_fails(void **state)
{
    static const size_t workers[] = {1, 2, 4};

    for (size_t i = 0; i < 3; i++) {
        struct crier_listener l = open_ok(&loopback, workers[i]), second = {.fd_count = 77};
        size_t by_socket[4] = {0};
        int on = 0, fd;
        socklen_t len = sizeof(on);

        /* The premise: the first one's sockets all have SO_REUSEPORT by now. */
        for (size_t k = 0; k < l.fd_count; k++) {
            assert_int_equal(getsockopt(l.fds[k], SOL_SOCKET, SO_REUSEPORT, &on, &len), 0);
            assert_int_equal(on, 1);
        }
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(crier_listener_open(mem, &l.address, workers[k], NULL, &second),
                             -EADDRINUSE);
            assert_int_equal(open_in_child(&l.address, workers[k]), -EADDRINUSE);
        }
        assert_int_equal(second.fd_count, 77); /* untouched */
        fd = connect_to(&l.address);
        accept_all(&l, 1, by_socket);
        close(fd);
        crier_listener_close(mem, &l);
    }
}

/* Another program that listens there, on this address or on all, is not pushed aside either. */
static void test_foreign_listener(void **state)
{
    static const struct crier_address any = {.ip = {.family = 4}};
    const struct crier_address *bases[] = {&loopback, &any};

    for (size_t i = 0; i < 2; i++) {
        for (unsigned options = 0; options < 4; options++) {
            struct crier_listener l = open_ok(bases[i], 1); /* for a free port */
            struct crier_address address = loopback, theirs = l.address;
            int fd;

            address.port = l.address.port;
            crier_listener_close(mem, &l);
            fd = foreign(&theirs, options & 1, options & 2);
            assert_true(fd >= 0);
            assert_int_equal(listen(fd, 1), 0);
            assert_int_equal(crier_listener_open(mem, &address, 2, NULL, &l), -EADDRINUSE);
            close(fd);
        }
    }
}

/* Two that start at the same moment: both have bound, neither listens yet (SO_REUSEADDR allows
 * it). Who listens first has the port; the other is told in listen(). */
static void test_race_of_two_starts(void **state)
{
    struct crier_listener l = open_ok(&loopback, 1);
    struct crier_address address = l.address;
    int other;

    crier_listener_close(mem, &l);
    other = foreign(&address, true, false);
    assert_true(other >= 0);
    l = open_ok(&address, 4);
    assert_int_equal(listen(other, 1), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(other);
    crier_listener_close(mem, &l);
}

/* After an end that left connections in TIME_WAIT on the port, the next start succeeds at once.
 */
static void test_restart(void **state)
{
    struct crier_address address = loopback;

    for (int life = 0; life < 3; life++) {
        struct crier_listener l = open_ok(&address, 2);
        struct pollfd p[2] = {{.fd = l.fds[0], .events = POLLIN},
                              {.fd = l.fds[1], .events = POLLIN}};
        int client = connect_to(&l.address), server;
        char byte;

        assert_true(poll(p, 2, -1) > 0);
        server = accept(l.fds[p[0].revents ? 0 : 1], NULL, NULL);
        assert_true(server >= 0);
        /* The side that closes first keeps TIME_WAIT: ours. */
        close(server);
        assert_int_equal(read(client, &byte, 1), 0);
        close(client);
        address = l.address;
        crier_listener_close(mem, &l);
    }
}

static bool have_ipv6(void)
{
    struct crier_listener l;

    if (crier_listener_open(mem, &loopback6, 1, NULL, &l) < 0)
        return false;
    crier_listener_close(mem, &l);
    return true;
}

/* ":8080" is two sockets on one port: the IPv6 one keeps to IPv6. */
static void test_both_families(void **state)
{
    struct crier_address any6 = {.ip = {.family = 6}}, any4 = {.ip = {.family = 4}};
    struct crier_listener l6, l4;
    struct crier_address to = loopback;
    size_t by_socket[2] = {0};
    int fd;

    if (!have_ipv6())
        skip();
    l6 = open_ok(&any6, 2);
    any4.port = to.port = l6.address.port;
    l4 = open_ok(&any4, 2);
    fd = connect_to(&to);
    accept_all(&l4, 1, by_socket);
    close(fd);
    to = loopback6;
    to.port = l6.address.port;
    fd = connect_to(&to);
    accept_all(&l6, 1, by_socket);
    close(fd);
    crier_listener_close(mem, &l4);
    crier_listener_close(mem, &l6);
}

/* Accepted connections have the congestion control that was asked for; an unknown one is an
 * error. */
static void test_congestion(void **state)
{
    struct crier_listener l = {0};
    struct pollfd p = {.events = POLLIN};
    char name[16] = {0};
    socklen_t len = sizeof(name);
    int client, server;

    assert_int_equal(crier_listener_open(mem, &loopback, 1, "no-such-thing", &l), -ENOENT);
    assert_int_equal(crier_listener_open(mem, &loopback, 1, "reno", &l), 0);
    client = connect_to(&l.address);
    p.fd = l.fds[0];
    assert_int_equal(poll(&p, 1, -1), 1);
    server = accept(l.fds[0], NULL, NULL);
    assert_true(server >= 0);
    assert_int_equal(getsockopt(server, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "reno");
    close(server);
    close(client);
    crier_listener_close(mem, &l);
}

/* What is not there, or not an address, is an error and leaves nothing open. */
static void test_faults(void **state)
{
    const struct crier_address elsewhere = {.ip = {.family = 4, .bytes = {192, 0, 2, 77}}},
                               none = {0};
    struct crier_listener l = {.fd_count = 77};
    int before = dup(0), after;

    close(before);
    assert_int_equal(crier_listener_open(mem, &elsewhere, 2, NULL, &l), -EADDRNOTAVAIL);
    assert_int_equal(crier_listener_open(mem, &none, 2, NULL, &l), -EAFNOSUPPORT);
    assert_int_equal(l.fd_count, 77);
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

/* A handed-in socket is taken as it is, made non-blocking and close-on-exec. */
static void test_inherit(void **state)
{
    struct crier_listener l;
    int fd = foreign(&loopback, false, false);

    assert_int_equal(crier_listener_inherit(mem, fd, &l), -EINVAL); /* does not listen */
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(crier_listener_inherit(mem, fd, &l), 0);
    assert_true(l.inherited);
    assert_int_equal(l.fd_count, 1);
    assert_int_equal(l.fds[0], fd);
    assert_int_not_equal(l.address.port, 0);
    assert_true(crier_ip_is_loopback(&l.address.ip));
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    crier_listener_close(mem, &l);
}

/* Unix sockets may be handed in too; what is no listening stream socket may not. */
static void test_inherit_others(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* an automatic, abstract name */
    struct crier_listener l;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), pipes[2];

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(crier_listener_inherit(mem, fd, &l), 0);
    assert_int_equal(l.address.ip.family, 0);
    crier_listener_close(mem, &l);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(crier_listener_inherit(mem, fd, &l), -EINVAL);
    close(fd);
    assert_int_equal(crier_listener_inherit(mem, fd, &l), -EBADF);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(crier_listener_inherit(mem, pipes[0], &l), -ENOTSOCK);
    close(pipes[0]);
    close(pipes[1]);
}

/* LISTEN_PID and LISTEN_FDS: meant for us, for another, or nonsense. */
static void test_listen_fds(void **state)
{
    size_t count = 99;
    char pid[32];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    assert_int_equal(crier_listen_fds(&count), 0);
    assert_int_equal(count, 0);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(crier_listen_fds(&count), 0);
    assert_int_equal(count, 2);
    static const char *const nonsense[] = {"", "-1", "two", "99999999999999999999999",
                                           "1000000"};
    for (size_t i = 0; i < 5; i++) {
        setenv("LISTEN_FDS", nonsense[i], 1);
        assert_int_equal(crier_listen_fds(&count), -EINVAL);
        assert_int_equal(count, 2); /* untouched */
    }
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(crier_listen_fds(&count), 0);
    assert_int_equal(count, 0);
    setenv("LISTEN_PID", "x", 1);
    assert_int_equal(crier_listen_fds(&count), -EINVAL);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
}

static int open_and_close(const struct crier_mem *m, void *ctx)
{
    struct crier_listener l;
    int r = crier_listener_open(m, &loopback, 2, NULL, &l);

    if (r == 0)
        crier_listener_close(m, &l);
    return r;
}

/* Out of memory is an error, and nothing stays open or allocated. */
static void test_memory(void **state)
{
    assert_int_equal(test_mem_torture(open_and_close, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_share),
        cmocka_unit_test(test_port_zero),
        cmocka_unit_test(test_second_fails),
        cmocka_unit_test(test_foreign_listener),
        cmocka_unit_test(test_race_of_two_starts),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_congestion),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_inherit),
        cmocka_unit_test(test_inherit_others),
        cmocka_unit_test(test_listen_fds),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
