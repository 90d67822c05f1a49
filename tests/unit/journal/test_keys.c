/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

#include "journal/keys.h"

static uint64_t
add(struct crier_keys *keys, const char *topic, const char *text, uint64_t number, uint64_t ms)
{
    struct crier_key *key = NULL;

    assert_int_equal(
        crier_keys_prepare(keys, crier_slice_of(topic), crier_slice_of(text), &key), 0);
    return crier_keys_add(keys, key, number, (struct crier_id){number, 0}, ms);
}

static uint64_t number_of(const struct crier_keys *keys, const char *topic, const char *text)
{
    const struct crier_key *key =
        crier_keys_find(keys, crier_slice_of(topic), crier_slice_of(text));
    return key ? key->number : 0;
}

/* A key belongs to its topic, and texts are compared as a whole. */
static void per_topic(void **state)
{
    struct crier_keys keys;
    struct test_mem mem;

    test_mem_init(&mem, 0);
    crier_keys_init(&keys, &mem.mem, &test_key, 100);
    uint64_t hash = add(&keys, "a", "bc", 1, 0);
    add(&keys, "b", "bc", 2, 0);
    assert_int_equal(number_of(&keys, "a", "bc"), 1);
    assert_int_equal(number_of(&keys, "b", "bc"), 2);
    assert_int_equal(number_of(&keys, "ab", "c"), 0);
    crier_keys_remove(&keys, hash, 7); /* another event's: nothing happens */
    assert_int_equal(number_of(&keys, "a", "bc"), 1);
    crier_keys_remove(&keys, hash, 1);
    assert_int_equal(number_of(&keys, "a", "bc"), 0);
    crier_keys_check(&keys);
    crier_keys_deinit(&keys);
    assert_int_equal(mem.alive, 0);
}

/* The newest `max` stay, and none longer than its age. */
static void bounds(void **state)
{
    struct crier_keys keys;
    struct crier_key *key = NULL;
    struct test_mem mem;
    char text[8];

    test_mem_init(&mem, 0);
    crier_keys_init(&keys, &mem.mem, &test_key, 5);
    for (uint64_t n = 1; n <= 20; n++) {
        snprintf(text, sizeof(text), "k%d", (int)n);
        add(&keys, "a", text, n, n * 100);
        crier_keys_check(&keys);
    }
    assert_int_equal(number_of(&keys, "a", "k15"), 0);
    assert_int_equal(number_of(&keys, "a", "k16"), 16);
    assert_true(keys.dropped == 15 && keys.expired == 0);
    crier_keys_expire(&keys, 2799, 1000);
    assert_int_equal(number_of(&keys, "a", "k17"), 0);
    assert_int_equal(number_of(&keys, "a", "k18"), 18);
    assert_true(keys.dropped == 15 && keys.expired == 2);
    /* What was prepared and then not needed leaves no trace. */
    assert_int_equal(crier_keys_prepare(&keys, CRIER_SLICE("a"), CRIER_SLICE("new"), &key), 0);
    crier_keys_cancel(&keys, key);
    assert_int_equal(number_of(&keys, "a", "new"), 0);
    crier_keys_check(&keys);
    crier_keys_deinit(&keys);
    assert_int_equal(mem.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(per_topic),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
