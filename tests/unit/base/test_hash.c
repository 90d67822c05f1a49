/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/hash.h"

/* Invariant: it is SipHash-1-3. The first is the published value for the key 00 01 .. 0f and no
 * bytes; the others are hash(bytes(range(n))) of CPython 3.11, which is SipHash-1-3 too, under
 * PYTHONHASHSEED=0 (a key of zeros) and 7. */
static void known_values(void **state)
{
    static const struct {
        struct crier_hash_key key;
        size_t len;
        uint64_t hash;
    } known[] = {
        {{0x0706050403020100, 0x0f0e0d0c0b0a0908}, 0, 0xabac0158050fc4dc},
        {{0, 0}, 1, 0x68a914128e01e473},
        {{0, 0}, 7, 0x2f098ab0c751325a},
        {{0, 0}, 8, 0xead411e67ebe2eea},
        {{0, 0}, 9, 0x75927f9d95124362},
        {{0, 0}, 15, 0xf30eb725bb91c9ea},
        {{0, 0}, 16, 0x8972188433a5c5b7},
        {{0, 0}, 17, 0x4883c49a2c009c1d},
        {{0, 0}, 255, 0x5dc1f93ea135eb43},
        {{0, 0}, 256, 0x31ae646afba70308},
        {{0, 0}, 300, 0x4a3ee92cf03a1ab4},
        {{0x12c874a1806f0e3d, 0x470a89d2f9d2784f}, 1, 0x7e255bf0210f9775},
        {{0x12c874a1806f0e3d, 0x470a89d2f9d2784f}, 8, 0x8450991e34fe08de},
        {{0x12c874a1806f0e3d, 0x470a89d2f9d2784f}, 63, 0xb1eaa0579bb21aa3},
    };
    struct test_guard guard;
    char bytes[300];

    test_guard_init(&guard, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct crier_slice s = {bytes, known[i].len};

        assert_true(crier_hash(&known[i].key, test_guard_put(&guard, s)) == known[i].hash);
    }
    assert_true(crier_hash(&known[0].key, (struct crier_slice){NULL, 0}) == known[0].hash);
    test_guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_values)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
