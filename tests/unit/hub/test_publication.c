/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "hub/publication.h"

/* The checks of single fields. */
static void test_fields(void **state)
{
    char key[129];
    uint64_t ttl = 7;
    uint32_t retry = 7;

    memset(key, 'k', sizeof(key));
    assert_null(crier_publish_type_fault(CRIER_SLICE("")));
    assert_null(crier_publish_type_fault(CRIER_SLICE("crier")));
    assert_non_null(crier_publish_type_fault(CRIER_SLICE("crier:")));
    assert_non_null(crier_publish_type_fault(CRIER_SLICE("a\r")));
    assert_non_null(crier_publish_type_fault(CRIER_SLICE("\xff")));
    assert_null(crier_publish_key_fault(CRIER_SLICE("a b~!")));
    assert_null(crier_publish_key_fault((struct crier_slice){key, 128}));
    assert_non_null(crier_publish_key_fault((struct crier_slice){key, 129}));
    assert_non_null(crier_publish_key_fault(CRIER_SLICE("a\x7f")));
    assert_non_null(crier_publish_retry_fault(CRIER_SLICE("3600001"), &retry));
    assert_non_null(crier_publish_retry_fault(CRIER_SLICE(""), &retry));
    assert_int_equal(retry, 7);
    assert_null(crier_publish_retry_fault(CRIER_SLICE("3000"), &retry));
    assert_int_equal(retry, 3000);
    assert_non_null(crier_publish_retry_ms_fault(499));
    assert_null(crier_publish_retry_ms_fault(500));
    assert_null(crier_publish_retry_ms_fault(3600000));
    assert_non_null(crier_publish_retry_ms_fault(3600001));
    assert_null(crier_publish_ttl_ms_fault(0));
    assert_non_null(crier_publish_ttl_ms_fault(999));
    assert_null(crier_publish_ttl_ms_fault(1000));
    assert_non_null(crier_publish_ttl_ms_fault(-1));
    for (size_t i = 0; i < 8; i++) {
        static const char *const bad[] = {"", "0", "0s", "s", "1.5", "+1", "1 s", "1S"};

        assert_non_null(crier_publish_ttl_fault(crier_slice_of(bad[i]), &ttl));
    }
    assert_int_equal(ttl, 7);
    assert_null(crier_publish_ttl_fault(CRIER_SLICE("90"), &ttl));
    assert_int_equal(ttl, 90000);
    assert_null(crier_publish_ttl_fault(CRIER_SLICE("2h"), &ttl));
    assert_int_equal(ttl, 7200000);
    assert_null(crier_publish_ttl_fault(CRIER_SLICE("999999999999999999999d"), &ttl));
    assert_true(ttl == UINT64_MAX);
    assert_null(crier_publish_ttl_fault(CRIER_SLICE("18446744073709551615m"), &ttl));
    assert_true(ttl == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
