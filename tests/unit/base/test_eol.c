/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/eol.h"
#include "base/rng.h"

/* However much is passed at a time, the answer is that of a fresh look. */
static void as_a_fresh_look(void **state)
{
    struct crier_rng rng = {test_seed("as_a_fresh_look")};
    char text[40];

    for (int round = 0; round < 20000; round++) {
        struct crier_slice left = {text, crier_rng_between(&rng, 0, sizeof(text))};
        struct crier_eol eol;

        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = "xxxx\r\n"[crier_rng_between(&rng, 0, 5)];
        crier_eol_init(&eol);
        while (left.len > 0) {
            /* Not asked each time: what is unknown stays so. */
            if (crier_rng_between(&rng, 0, 3))
                assert_int_equal(crier_eol_find(&eol, left), crier_slice_find_eol(left));
            size_t count = crier_rng_between(&rng, 1, left.len);
            left = crier_slice_sub(left, count, left.len);
            crier_eol_pass(&eol, count);
        }
        assert_int_equal(crier_eol_find(&eol, left), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_fresh_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
