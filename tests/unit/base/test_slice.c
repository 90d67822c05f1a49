/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/err.h"
#include "base/rng.h"

#define S(literal) CRIER_SLICE(literal)

static const struct crier_slice none = {NULL, 0};

/* Invariant: comparisons look at all bytes, NULs too, and take NULL for empty. */
static void comparing(void **state)
{
    assert_true(crier_slice_eq(none, S("")));
    assert_true(crier_slice_eq(S("a\0b"), S("a\0b")));
    assert_false(crier_slice_eq(S("a\0b"), S("a\0c")));
    assert_false(crier_slice_eq(S("a"), S("ab")));
    assert_true(crier_slice_eq_nocase(S("Content-TYPE"), S("content-type")));
    assert_false(crier_slice_eq_nocase(S("a["), S("A{")));
    assert_false(crier_slice_eq_nocase(S("a"), S("ab")));
    assert_int_equal(crier_slice_cmp(none, S("")), 0);
    assert_true(crier_slice_cmp(S("a"), S("b")) < 0);
    assert_true(crier_slice_cmp(S("ab"), S("a")) > 0);
    assert_true(crier_slice_cmp(none, S("a")) < 0);
    assert_true(crier_slice_cmp(S("\x7f"), S("\x80")) < 0); /* bytes are unsigned */
}

static void affixes(void **state)
{
    assert_true(crier_slice_starts(S("events/a"), S("events/")));
    assert_true(crier_slice_starts(S("a"), none));
    assert_true(crier_slice_starts(none, none));
    assert_false(crier_slice_starts(S("ev"), S("events")));
    assert_true(crier_slice_ends(S("a/**"), S("/**")));
    assert_true(crier_slice_ends(none, none));
    assert_false(crier_slice_ends(S("**"), S("/**")));
    assert_false(crier_slice_ends(S("abc"), S("abd")));
}

/* Invariant: a sub-slice never leaves its slice, whatever is asked for. */
static void parts_are_clamped(void **state)
{
    assert_slice_is(crier_slice_sub(S("hello"), 1, 3), "ell");
    assert_slice_is(crier_slice_sub(S("hello"), 1, SIZE_MAX), "ello");
    assert_slice_is(crier_slice_sub(S("hello"), 9, 1), "");
    assert_null(crier_slice_sub(none, 0, 5).data);
    assert_null(crier_slice_sub(none, 3, 5).data);
    assert_slice_is(crier_slice_trim(S(" \t a b\t ")), "a b");
    assert_slice_is(crier_slice_trim(S(" \t ")), "");
    assert_slice_is(crier_slice_trim(S("\na\r")), "\na\r");
    assert_int_equal(crier_slice_of(NULL).len, 0);
    assert_slice_is(crier_slice_of("abc"), "abc");
}

static void cutting(void **state)
{
    struct crier_slice s = S("a,,b");

    assert_slice_is(crier_slice_cut(&s, ','), "a");
    assert_slice_is(crier_slice_cut(&s, ','), "");
    assert_slice_is(crier_slice_cut(&s, ','), "b");
    assert_null(s.data);
    assert_slice_is(crier_slice_cut(&s, ','), "");
    assert_null(s.data);

    /* A separator at the very end leaves an empty rest, which is not the same as none. */
    s = S("a,");
    assert_slice_is(crier_slice_cut(&s, ','), "a");
    assert_non_null(s.data);
    assert_int_equal(s.len, 0);
    assert_int_equal(crier_slice_find(S("abc"), 'c'), 2);
    assert_int_equal(crier_slice_find(S("abc"), 'x'), 3);
    assert_int_equal(crier_slice_find(none, 'x'), 0);
}

/* Invariant: find_eol agrees with the naive search at every length and alignment, and reads
 * nothing past the end. */
static void finding_line_ends(void **state)
{
    struct crier_rng rng = {test_seed("finding_line_ends")};
    struct test_guard guard;
    char text[64];

    test_guard_init(&guard, sizeof(text));
    assert_int_equal(crier_slice_find_eol(none), 0);
    for (int round = 0; round < 20000; round++) {
        size_t len = crier_rng_between(&rng, 0, sizeof(text));
        size_t expected = 0;
        struct crier_slice s;

        /* The neighbours of CR and LF, and what differs from them in one bit only. */
        for (size_t i = 0; i < len; i++)
            text[i] =
                "aaaaaaaa\x0b\x0c\x0e\x09\x8a\x8d\x00\xff\n\r"[crier_rng_between(&rng, 0, 17)];
        while (expected < len && text[expected] != '\n' && text[expected] != '\r')
            expected++;
        s = test_guard_put(&guard, (struct crier_slice){text, len});
        assert_int_equal(crier_slice_find_eol(s), expected);
    }
    test_guard_deinit(&guard);
}

/* Invariant: digits only; what is no number is -EINVAL however long, and the out-parameter is
 * untouched on failure. */
static void numbers(void **state)
{
    uint64_t value = 77;

    assert_int_equal(crier_slice_to_u64(none, &value), -EINVAL);
    assert_int_equal(crier_slice_to_u64(S("+5"), &value), -EINVAL);
    assert_int_equal(crier_slice_to_u64(S("-5"), &value), -EINVAL);
    assert_int_equal(crier_slice_to_u64(S(" 5"), &value), -EINVAL);
    assert_int_equal(crier_slice_to_u64(S("5 "), &value), -EINVAL);
    assert_int_equal(crier_slice_to_u64(S("0x5"), &value), -EINVAL);
    assert_int_equal(crier_slice_to_u64(S("18446744073709551616"), &value), -ERANGE);
    assert_int_equal(crier_slice_to_u64(S("18446744073709551620"), &value), -ERANGE);
    assert_int_equal(crier_slice_to_u64(S("99999999999999999999999"), &value), -ERANGE);
    assert_int_equal(crier_slice_to_u64(S("9999999999999999999999x"), &value), -EINVAL);
    assert_int_equal(value, 77);
    assert_int_equal(crier_slice_to_u64(S("18446744073709551615"), &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(crier_slice_to_u64(S("000"), &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(crier_slice_to_u64(S("03000"), &value), 0);
    assert_int_equal(value, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),         cmocka_unit_test(affixes),
        cmocka_unit_test(parts_are_clamped), cmocka_unit_test(cutting),
        cmocka_unit_test(finding_line_ends), cmocka_unit_test(numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
