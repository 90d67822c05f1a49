/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/ascii.h"
#include <ctype.h>

/* All 256 bytes are what the C library says of them in the C locale. */
static void test_as_ctype(void **state)
{
    for (int i = 0; i < 256; i++) {
        char c = (char)i;

        assert_int_equal(crier_is_digit(c), isdigit(i) != 0);
        assert_int_equal(crier_is_alpha(c), isalpha(i) != 0);
        assert_int_equal((unsigned char)crier_lower(c), tolower(i));
        assert_int_equal(crier_hex_value(c) != CRIER_NO_HEX, isxdigit(i) != 0);
    }
}

/* Each hexadecimal digit has its value, in either case. */
static void test_hex_value(void **state)
{
    for (unsigned value = 0; value < 16; value++) {
        assert_int_equal(crier_hex_value("0123456789abcdef"[value]), value);
        assert_int_equal(crier_hex_value("0123456789ABCDEF"[value]), value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_ctype),
        cmocka_unit_test(test_hex_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
