/* SPDX-License-Identifier: MIT */
#include "net/wake.h"
#include "support.h"
#include <poll.h>
#include <pthread.h>

static int readable(const struct crier_wake *wake, int timeout_ms)
{
    struct pollfd p = {.fd = wake->fd, .events = POLLIN};

    return poll(&p, 1, timeout_ms);
}

/* However often it is signalled, it is readable once, and not after one drain. */
static void test_signal_and_drain(void **state)
{
    struct crier_wake wake;

    assert_int_equal(crier_wake_init(&wake), 0);
    assert_int_equal(readable(&wake, 0), 0);
    crier_wake_drain(&wake); /* with nothing to drain it does not block */
    for (int i = 0; i < 1000; i++)
        crier_wake_signal(&wake);
    assert_int_equal(readable(&wake, 0), 1);
    crier_wake_drain(&wake);
    assert_int_equal(readable(&wake, 0), 0);
    crier_wake_deinit(&wake);
    crier_wake_deinit(&wake); /* idempotent */
}

/* A full counter neither blocks nor loses the wake-up, and errno is left alone (signal
 * handlers). */
static void test_full(void **state)
{
    const uint64_t nearly = UINT64_MAX - 1;
    struct crier_wake wake;

    assert_int_equal(crier_wake_init(&wake), 0);
    assert_int_equal(write(wake.fd, &nearly, sizeof(nearly)), sizeof(nearly));
    errno = 4711;
    crier_wake_signal(&wake);
    assert_int_equal(errno, 4711);
    assert_int_equal(readable(&wake, 0), 1);
    crier_wake_drain(&wake);
    assert_int_equal(readable(&wake, 0), 0);
    crier_wake_deinit(&wake);
}

static void *signal_it(void *wake)
{
    crier_wake_signal(wake);
    return NULL;
}

/* Another thread's signal ends a wait. */
static void test_thread(void **state)
{
    struct crier_wake wake;
    pthread_t thread;

    assert_int_equal(crier_wake_init(&wake), 0);
    assert_int_equal(pthread_create(&thread, NULL, signal_it, &wake), 0);
    assert_int_equal(readable(&wake, -1), 1);
    pthread_join(thread, NULL);
    crier_wake_deinit(&wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal_and_drain),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
