/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "http/field.h"

/* Token characters are exactly those of RFC 9110 5.6.2. */
static void test_token(void **state)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (int c = 0; c < 256; c++) {
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool expected = alnum || (c && memchr(marks, c, sizeof(marks) - 1));

        assert_int_equal(crier_token_char((char)c), expected);
    }
    assert_true(crier_token_valid(CRIER_SLICE("x-ndjson")));
    assert_false(crier_token_valid(CRIER_SLICE("")));
    assert_false(crier_token_valid(CRIER_SLICE("a b")));
}

/* A list is cut at separators outside quotes; white space around elements goes, empty elements
 * stay. */
static void test_list(void **state)
{
    static const struct {
        const char *list, *joined;
    } rows[] = {
        {"", "[]"},
        {"a", "[a]"},
        {" a ,\tb", "[a][b]"},
        {",a,,", "[][a][][]"},
        {"a=\"x,y\",b", "[a=\"x,y\"][b]"},
        {"a=\"x\\\",y\",b", "[a=\"x\\\",y\"][b]"},
        {"a=\"x,y", "[a=\"x,y]"},
        {"a\\,b", "[a\\][b]"},
        {"\"\\", "[\"\\]"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct test_guard guard;
        struct crier_slice list, element;
        char joined[64];
        size_t len = 0;

        test_guard_init(&guard, 64);
        list = test_guard_put(&guard, crier_slice_of(rows[i].list));
        while (crier_list_next(&list, ',', &element))
            len += (size_t)snprintf(joined + len, sizeof(joined) - len, "[%.*s]",
                                    CRIER_SLICE_ARG(element));
        assert_string_equal(joined, rows[i].joined);
        assert_null(list.data);
        test_guard_deinit(&guard);
    }
}

/* No list has no elements, where an empty one has one. */
static void test_no_list(void **state)
{
    struct crier_slice list = {NULL, 0}, element;

    assert_false(crier_list_next(&list, ',', &element));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_no_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
