/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "base/rng.h"

#define S(literal) CRIER_SLICE(literal)

/* Invariant: what was appended and not consumed is there, in order (against a plain array). */
static void against_model(void **state)
{
    struct crier_rng rng = {test_seed("against_model")};
    static char model[1 << 20];
    size_t len = 0;
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    for (int round = 0; round < 5000; round++) {
        char bytes[200];
        size_t n = crier_rng_between(&rng, 0, sizeof(bytes));

        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)crier_rng_next(&rng);
        if (crier_rng_between(&rng, 0, 2) == 0 || len + n > sizeof(model)) {
            n = crier_rng_between(&rng, 0, len);
            crier_buf_consume(&buf, n);
            memmove(model, model + n, len - n);
            len -= n;
        } else {
            crier_buf_add(&buf, bytes, n);
            memcpy(model + len, bytes, n);
            len += n;
        }
        assert_slice_equal(crier_buf_slice(&buf), ((struct crier_slice){model, len}));
    }
    assert_int_equal(crier_buf_error(&buf), 0);
    crier_buf_deinit(&buf);
    crier_buf_deinit(&buf);
}

static void writers(void **state)
{
    struct crier_buf buf;
    char wide[301];

    crier_buf_init(&buf, &crier_mem_libc);
    crier_buf_u64(&buf, 0);
    crier_buf_byte(&buf, ' ');
    crier_buf_u64(&buf, UINT64_MAX);
    crier_buf_append(&buf, (struct crier_slice){NULL, 0});
    crier_buf_printf(&buf, " %d %s", -5, "x");
    assert_slice_is(crier_buf_slice(&buf), "0 18446744073709551615 -5 x");

    /* Longer than any first guess of room. */
    memset(wide, 'w', 300);
    wide[300] = 0;
    crier_buf_clear(&buf);
    crier_buf_printf(&buf, "%s", wide);
    assert_slice_equal(crier_buf_slice(&buf), ((struct crier_slice){wide, 300}));
    crier_buf_clear(&buf);
    crier_buf_printf(&buf, "%s", "");
    assert_slice_is(crier_buf_slice(&buf), "");
    crier_buf_deinit(&buf);
}

/* Invariant: the result is one JSON string (RFC 8259 7): no raw control character, quote or
 * backslash is left; everything else is as it was. */
static void json(void **state)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_buf_json_string(&buf, (struct crier_slice){NULL, 0});
    crier_buf_json_string(&buf, S("plain \xc3\xa9 / \x7f"));
    crier_buf_json_string(&buf, S("\"\\\b\f\n\r\t\x01\x1f"));
    crier_buf_json_string(&buf, S("a\0b"));
    assert_slice_is(crier_buf_slice(&buf), "\"\"\"plain \xc3\xa9 / \x7f\""
                                           "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\""
                                           "\"a\\u0000b\"");
    crier_buf_deinit(&buf);
}

/* Invariant: a failed append changes nothing, and nothing works after it until clear. */
static void failure_is_sticky(void **state)
{
    struct test_mem t;
    struct crier_buf buf;

    test_mem_init(&t, 2);
    crier_buf_init(&buf, &t.mem);
    crier_buf_append(&buf, S("kept"));
    assert_int_equal(crier_buf_reserve(&buf, 1000), -ENOMEM);
    crier_buf_byte(&buf, 'x'); /* there would be room */
    crier_buf_printf(&buf, "y");
    assert_int_equal(crier_buf_error(&buf), -ENOMEM);
    assert_int_equal(crier_buf_reserve(&buf, 0), -ENOMEM);
    assert_slice_is(crier_buf_slice(&buf), "kept");
    crier_buf_clear(&buf);
    assert_int_equal(crier_buf_error(&buf), 0);
    crier_buf_byte(&buf, 'x');
    assert_slice_is(crier_buf_slice(&buf), "x");

    /* A length that no memory can hold is the same failure, not an overflow. */
    assert_int_equal(crier_buf_reserve(&buf, SIZE_MAX), -ENOMEM);
    crier_buf_clear(&buf);
    assert_int_equal(crier_buf_reserve(&buf, SIZE_MAX / 2), -ENOMEM);
    crier_buf_deinit(&buf);
    assert_int_equal(t.alive, 0);
}

static int fill(const struct crier_mem *mem, void *ctx)
{
    struct crier_buf buf;
    int r;

    crier_buf_init(&buf, mem);
    for (int i = 0; i < 200; i++) {
        crier_buf_u64(&buf, (uint64_t)i);
        crier_buf_json_string(&buf, S("a\nb"));
        crier_buf_printf(&buf, "%d", i);
    }
    r = crier_buf_error(&buf);
    crier_buf_deinit(&buf);
    return r;
}

static void out_of_memory(void **state)
{
    assert_true(test_mem_torture(fill, NULL) > 3);
}

/* Invariant: growth is geometric: a million single bytes take few allocations. */
static void amortised(void **state)
{
    struct test_mem t;
    struct crier_buf buf;

    test_mem_init(&t, 0);
    crier_buf_init(&buf, &t.mem);
    for (int i = 0; i < 1000000; i++)
        crier_buf_byte(&buf, 'x');
    assert_int_equal(buf.len, 1000000);
    assert_in_range(t.calls, 1, 40);
    crier_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_model), cmocka_unit_test(writers),
        cmocka_unit_test(json),          cmocka_unit_test(failure_is_sticky),
        cmocka_unit_test(out_of_memory), cmocka_unit_test(amortised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
