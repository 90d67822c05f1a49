/* SPDX-License-Identifier: MIT */
#include "net/poller.h"
#include "support.h"
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct crier_poller poller;
static int pair[2];

static int setup(void **state)
{
    assert_int_equal(crier_poller_init(&poller), 0);
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
}

static int teardown(void **state)
{
    close(pair[0]);
    close(pair[1]);
    crier_poller_deinit(&poller);
    crier_poller_deinit(&poller); /* idempotent */
    return 0;
}

/* The one event there is, or 0: what `owner` is ready for. */
static unsigned ready_now(const void *owner)
{
    struct crier_ready_event events[4];
    int n = crier_poller_wait(&poller, events, 4, 0);

    assert_in_range(n, 0, 1);
    if (n == 0)
        return 0;
    assert_ptr_equal(events[0].owner, owner);
    return events[0].ready;
}

/* A connection is told once of each change, with its owner. */
static void test_edge(void **state)
{
    assert_int_equal(crier_poller_add(&poller, pair[0], &pair[0]), 0);
    assert_int_equal(ready_now(&pair[0]), CRIER_READY_OUT);
    assert_int_equal(ready_now(&pair[0]), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(ready_now(&pair[0]), CRIER_READY_OUT | CRIER_READY_IN);
    assert_int_equal(ready_now(&pair[0]), 0); /* not read, and not told again */
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_true(ready_now(&pair[0]) & CRIER_READY_IN);
}

/* What is watched is told as long as it is so, and its interest can be changed at any time. */
static void test_watch(void **state)
{
    assert_int_equal(crier_poller_watch(&poller, pair[0], &pair[0], CRIER_READY_OUT), 0);
    assert_int_equal(ready_now(&pair[0]), CRIER_READY_OUT);
    assert_int_equal(ready_now(&pair[0]), CRIER_READY_OUT);
    assert_int_equal(crier_poller_watch(&poller, pair[0], &pair[1], CRIER_READY_IN), 0);
    assert_int_equal(ready_now(&pair[1]), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(ready_now(&pair[1]), CRIER_READY_IN);
    assert_int_equal(ready_now(&pair[1]), CRIER_READY_IN);
    crier_poller_remove(&poller, pair[0]);
    assert_int_equal(ready_now(&pair[1]), 0);
    assert_int_equal(crier_poller_watch(&poller, -1, &pair[0], CRIER_READY_IN), -EBADF);
}

/* A listener or eventfd is told until it has been read. */
static void test_level(void **state)
{
    char byte;

    assert_int_equal(crier_poller_add_level(&poller, pair[0], &pair[0], false), 0);
    assert_int_equal(ready_now(&pair[0]), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(ready_now(&pair[0]), CRIER_READY_IN);
    assert_int_equal(ready_now(&pair[0]), CRIER_READY_IN);
    assert_int_equal(read(pair[0], &byte, 1), 1);
    assert_int_equal(ready_now(&pair[0]), 0);
}

/* EPOLLEXCLUSIVE is asked for where it is wanted: the kernel then refuses a change of the
 * entry. */
static void test_exclusive(void **state)
{
    assert_int_equal(crier_poller_add_level(&poller, pair[0], &pair[0], true), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(ready_now(&pair[0]), CRIER_READY_IN);
    assert_int_equal(crier_poller_add_level(&poller, pair[0], &pair[0], true), -EEXIST);
}

/* The peer's half close is RDHUP, its full close HUP too. */
static void test_hang_up(void **state)
{
    assert_int_equal(crier_poller_add(&poller, pair[0], &pair[0]), 0);
    (void)ready_now(&pair[0]);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    assert_int_equal(ready_now(&pair[0]), CRIER_READY_IN | CRIER_READY_OUT | CRIER_READY_RDHUP);
    close(pair[1]);
    pair[1] = -1;
    assert_true(ready_now(&pair[0]) & CRIER_READY_HUP);
}

/* After remove nothing is told; removing what is not there is fine. */
static void test_remove(void **state)
{
    assert_int_equal(crier_poller_add(&poller, pair[0], &pair[0]), 0);
    crier_poller_remove(&poller, pair[0]);
    assert_int_equal(ready_now(&pair[0]), 0);
    crier_poller_remove(&poller, pair[0]);
    assert_int_equal(crier_poller_add(&poller, pair[0], &pair[1]), 0);
    assert_int_equal(ready_now(&pair[1]), CRIER_READY_OUT);
}

/* What does not fit into one wait's array comes with the next. */
static void test_small_array(void **state)
{
    struct crier_ready_event event;
    unsigned seen = 0;

    assert_int_equal(crier_poller_add(&poller, pair[0], &pair[0]), 0);
    assert_int_equal(crier_poller_add(&poller, pair[1], &pair[1]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(crier_poller_wait(&poller, &event, 1, 0), 1);
        seen |= event.owner == &pair[0] ? 1u : 2u;
    }
    assert_int_equal(seen, 3);
    assert_int_equal(crier_poller_wait(&poller, &event, 1, 0), 0);
}

static void on_alarm(int number)
{
}

/* A signal ends a wait without an error: 0 events. */
static void test_signal(void **state)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    struct crier_ready_event event;
    struct sigaction old;

    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &often, NULL);
    assert_int_equal(crier_poller_wait(&poller, &event, 1, -1), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &old, NULL);
}

/* Faults are errors, not silence. */
static void test_faults(void **state)
{
    struct crier_poller closed = {.fd = -1};
    struct crier_ready_event event;

    assert_int_equal(crier_poller_add(&poller, -1, NULL), -EBADF);
    assert_int_equal(crier_poller_wait(&closed, &event, 1, 0), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exclusive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hang_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_small_array, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
