/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include <time.h>

#define S(literal) CRIER_SLICE(literal)

static void assert_time(const char *text, uint64_t expected)
{
    uint64_t ms = 0;

    assert_int_equal(crier_time_parse(crier_slice_of(text), &ms), 0);
    assert_true(ms == expected);
}

/* Invariant: each spelling RFC 3339 allows means what it says. */
static void times(void **state)
{
    assert_time("1970-01-01T00:00:00Z", 0);
    assert_time("1970-01-01T00:00:00.001Z", 1);
    assert_time("2026-11-21T09:03:34.123Z", 1795251814123);
    assert_time("2026-11-21t09:03:34.123z", 1795251814123);
    assert_time("2026-11-21 09:03:34.123Z", 1795251814123);
    assert_time("2026-11-21T10:33:34.123+01:30", 1795251814123);
    assert_time("2026-11-20T23:03:34.123-10:00", 1795251814123);
    assert_time("2026-11-21T09:03:34.1Z", 1795251814100);
    assert_time("2026-11-21T09:03:34.1239999999999999999999999Z", 1795251814123);
    assert_time("2026-11-21T09:03:34-00:00", 1795251814000);
    assert_time("2016-12-31T23:59:60Z", 1483228800000); /* a leap second counts as the next */
    assert_time("2000-02-29T00:00:00Z", 951782400000);
    assert_time("9999-12-31T23:59:59.999Z", 253402300799999);
    assert_time("1969-12-31T23:00:00-01:00", 0);
}

static void bad_times(void **state)
{
    static const char *const bad[] = {
        "",
        "1795251814",
        "2026-11-21",
        "2026-11-21T09:03:34",
        "2026-11-21T09:03Z",
        "2026-11-21T09:03:34.Z",
        "2026-11-21T09:03:34,1Z",
        "2026-11-21T09:03:34Zx",
        "2026-11-21T09:03:34Z ",
        " 2026-11-21T09:03:34Z",
        "2026-11-21T09:03:34+0100",
        "2026-11-21T09:03:34+01",
        "2026-11-21T09:03:34+24:00",
        "2026-11-21T09:03:34+01:60",
        "2026-11-21T24:00:00Z",
        "2026-11-21T09:60:00Z",
        "2026-11-21T09:03:61Z",
        "2026-00-21T09:03:34Z",
        "2026-13-21T09:03:34Z",
        "2026-11-00T09:03:34Z",
        "2026-11-31T09:03:34Z",
        "2026-02-29T09:03:34Z",
        "1900-02-29T09:03:34Z",
        "02026-11-21T09:03:34Z",
        "+026-11-21T09:03:34Z",
        "2026-1-21T09:03:34Z",
        "2026-11-21X09:03:34Z",
    };
    uint64_t ms = 77;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(crier_time_parse(crier_slice_of(bad[i]), &ms), -EINVAL);
    assert_int_equal(crier_time_parse(S("1970-01-01T00:00:00\0Z"), &ms), -EINVAL);
    assert_int_equal(crier_time_parse(S("1969-12-31T23:59:59.999Z"), &ms), -ERANGE);
    assert_int_equal(crier_time_parse(S("1970-01-01T00:00:00+00:01"), &ms), -ERANGE);
    assert_int_equal(crier_time_parse(S("0000-02-29T00:00:00Z"), &ms), -ERANGE);
    assert_int_equal(ms, 77);
}

/* Invariant: format writes what the C library would for UTC, and parse reads it back. */
static void against_libc(void **state)
{
    struct crier_rng rng = {test_seed("against_libc")};
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    for (int round = 0; round < 20000; round++) {
        /* Every day of the first 55 years or so, then anything. */
        uint64_t ms = round < 10000 ? (uint64_t)round * 172800000 - (round ? 1 : 0)
                                    : crier_rng_between(&rng, 0, 253402300799999);
        time_t seconds = (time_t)(ms / 1000);
        uint64_t back = 0;
        struct tm tm;
        char date[64], expected[80];

        gmtime_r(&seconds, &tm);
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(expected, sizeof(expected), "%s.%03uZ", date, (unsigned)(ms % 1000));
        crier_buf_clear(&buf);
        crier_time_format(&buf, ms);
        assert_slice_equal(crier_buf_slice(&buf), crier_slice_of(expected));
        assert_int_equal(crier_time_parse(crier_buf_slice(&buf), &back), 0);
        assert_true(back == ms);
    }
    crier_buf_clear(&buf);
    crier_time_format(&buf, UINT64_MAX);
    assert_slice_is(crier_buf_slice(&buf), "9999-12-31T23:59:59.999Z");
    crier_buf_deinit(&buf);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int r;
        uint64_t ms;
    } cases[] = {
        {"250ms", 0, 250},
        {"30s", 0, 30000},
        {"10m", 0, 600000},
        {"2h", 0, 7200000},
        {"7d", 0, 604800000},
        {"0s", 0, 0},
        {"007s", 0, 7000},
        {"18446744073709551615ms", 0, UINT64_MAX},
        {"18446744073709551s", 0, 18446744073709551000u},
        {"18446744073709551616ms", -ERANGE, 77},
        {"18446744073709552s", -ERANGE, 77},
        {"213503982335d", -ERANGE, 77},
        {"99999999999999999999999d", -ERANGE, 77},
        {"30", -EINVAL, 77},
        {"", -EINVAL, 77},
        {"s", -EINVAL, 77},
        {"ms", -EINVAL, 77},
        {"-1s", -EINVAL, 77},
        {"+1s", -EINVAL, 77},
        {"1.5h", -EINVAL, 77},
        {"1 s", -EINVAL, 77},
        {"1s ", -EINVAL, 77},
        {"1S", -EINVAL, 77},
        {"1w", -EINVAL, 77},
        {"1h30m", -EINVAL, 77},
        {"99999999999999999999999", -EINVAL, 77},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ms = 77;

        assert_int_equal(crier_duration_parse(crier_slice_of(cases[i].text), &ms), cases[i].r);
        assert_true(ms == cases[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(bad_times),
        cmocka_unit_test(against_libc),
        cmocka_unit_test(durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
