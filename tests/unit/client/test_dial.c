/* SPDX-License-Identifier: MIT */
#include "client/dial.h"
#include "support.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

/* A socket of 127.0.0.1, and its port; listening or only bound. */
static int open_port(bool listening, uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    if (listening)
        assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* Steps to the end. */
static int dial_to_end(struct crier_dial *dial, int *ret_fd)
{
    int r;

    while ((r = crier_dial_step(dial, 0, ret_fd)) == CRIER_DIAL_WAIT) {
        struct pollfd p = {.fd = crier_dial_fd(dial), .events = crier_dial_events(dial)};

        assert_int_equal(poll(&p, 1, 5000), 1);
    }
    return r;
}

/* A listener is reached, whichever of the name's addresses it listens on: the others are tried
 * and passed over. */
static void test_connects(void **state)
{
    const char *const hosts[] = {"127.0.0.1", "localhost"};
    uint16_t port;
    int listener = open_port(true, &port);

    for (size_t i = 0; i < 2; i++) {
        struct crier_dial dial;
        int fd = -1;

        crier_dial_init(&dial);
        assert_int_equal(crier_dial_start(&dial, crier_slice_of(hosts[i]), port, 1000), 0);
        assert_int_equal(dial_to_end(&dial, &fd), 0);
        assert_true(fd >= 0);
        crier_dial_deinit(&dial);
        assert_int_equal(send(fd, "x", 1, 0), 1); /* the connection is ours, not the dial's */
        (void)close(fd);
    }
    (void)close(listener);
}

/* Where nobody listens, the error is the system's own, and nothing is handed out. */
static void test_refused(void **state)
{
    uint16_t port;
    int bound = open_port(false, &port);
    struct crier_dial dial;
    int fd = -7;

    crier_dial_init(&dial);
    assert_int_equal(crier_dial_start(&dial, CRIER_SLICE("127.0.0.1"), port, 1000), 0);
    assert_int_equal(dial_to_end(&dial, &fd), -ECONNREFUSED);
    assert_int_equal(fd, -7);
    crier_dial_deinit(&dial);
    crier_dial_deinit(&dial);
    (void)close(bound);
}

/* A listener whose queue is full drops what comes: the attempt waits, and ends exactly at its
 * deadline. */
static void test_deadline(void **state)
{
    uint16_t port;
    int listener = open_port(true, &port), fd = -1, fillers[64], filled = 0, r = 0;
    struct crier_dial dial;

    crier_dial_init(&dial);
    while (r != CRIER_DIAL_WAIT && filled < 64) {
        crier_dial_deinit(&dial);
        assert_int_equal(crier_dial_start(&dial, CRIER_SLICE("127.0.0.1"), port, 1000), 0);
        r = crier_dial_step(&dial, 5000, &fd);
        if (r == 0)
            fillers[filled++] = fd;
    }
    if (r == CRIER_DIAL_WAIT) {
        assert_int_equal(dial.deadline_ms, 6000);
        assert_int_equal(crier_dial_step(&dial, 5999, &fd), CRIER_DIAL_WAIT);
        assert_int_equal(crier_dial_step(&dial, 6000, &fd), -ETIMEDOUT);
    }
    assert_int_equal(r, CRIER_DIAL_WAIT);
    crier_dial_deinit(&dial);
    while (filled > 0)
        (void)close(fillers[--filled]);
    (void)close(listener);
}

/* A host that cannot exist is told in words; .invalid never resolves (RFC 6761). */
static void test_no_host(void **state)
{
    char name[300];
    struct crier_dial dial;
    int fd = -7;

    crier_dial_init(&dial);
    assert_int_equal(
        crier_dial_start(&dial, CRIER_SLICE("no-such-host.invalid"), 80, CRIER_DIAL_NO_LIMIT),
        0);
    assert_int_equal(dial_to_end(&dial, &fd), -ENOENT);
    assert_non_null(dial.fault);
    assert_int_equal(fd, -7);
    crier_dial_deinit(&dial);
    memset(name, 'a', sizeof(name));
    assert_int_equal(
        crier_dial_start(&dial, (struct crier_slice){name, sizeof(name)}, 80, 1000), -ENOENT);
    assert_non_null(strstr(dial.fault, "too long"));
    crier_dial_deinit(&dial);
}

/* Deadlines do not wrap. */
static void test_later(void **state)
{
    assert_int_equal(crier_dial_deadline(5, 10), 15);
    assert_true(crier_dial_deadline(5, CRIER_DIAL_NO_LIMIT) == UINT64_MAX);
    assert_true(crier_dial_deadline(UINT64_MAX - 1, 10) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connects), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deadline), cmocka_unit_test(test_no_host),
        cmocka_unit_test(test_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
