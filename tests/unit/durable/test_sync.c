/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "durable/sync.h"

static void assert_sync(const char *text, enum crier_sync expected, uint64_t expected_ms)
{
    enum crier_sync sync = (enum crier_sync)77;
    uint64_t ms = 77;

    assert_null(crier_sync_parse(crier_slice_of(text), &sync, &ms));
    assert_int_equal(sync, expected);
    assert_int_equal(ms, expected_ms);
}

static void assert_fault(const char *text, const char *words)
{
    enum crier_sync sync = (enum crier_sync)77;
    uint64_t ms = 77;
    const char *fault = crier_sync_parse(crier_slice_of(text), &sync, &ms);

    assert_non_null(fault);
    assert_non_null(strstr(fault, words));
    assert_int_equal(sync, 77);
    assert_int_equal(ms, 77);
}

static void ways(void **state)
{
    (void)state;
    assert_sync("always", CRIER_SYNC_ALWAYS, 0);
    assert_sync("none", CRIER_SYNC_NONE, 0);
    assert_sync("interval", CRIER_SYNC_INTERVAL, 100);
    assert_sync("interval=1ms", CRIER_SYNC_INTERVAL, 1);
    assert_sync("interval=250ms", CRIER_SYNC_INTERVAL, 250);
    assert_sync("interval=2s", CRIER_SYNC_INTERVAL, 2000);
    assert_sync("interval=1h", CRIER_SYNC_INTERVAL, 3600000);
}

static void faults(void **state)
{
    static const char *const none[] = {"",       "Always",    "always ",     "off",
                                       "1s",     "intervals", "interval 1s", "none=1s",
                                       "=250ms", "always=1s"};
    static const char *const bad[] = {"interval=",
                                      "interval=250",
                                      "interval=0ms",
                                      "interval=-1ms",
                                      "interval=1h1s",
                                      "interval=61m",
                                      "interval=x",
                                      "interval=3600001ms",
                                      "interval= 1s",
                                      "interval=1s ",
                                      "interval=1ss",
                                      "interval=0.5ms",
                                      "interval=99999999999999999999h"};

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_fault(none[i], "'sync' is always, interval");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_fault(bad[i], "1ms to 1h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ways), cmocka_unit_test(faults)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
