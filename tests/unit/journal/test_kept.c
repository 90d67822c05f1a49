/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

enum { NUMBERS = 2000 };

static void make(struct crier_stored *stored, uint64_t number)
{
    struct crier_draft draft = test_draft("a", "data: x\n\n");
    uint64_t hash = 5;

    crier_stored_write(stored, &draft, &hash, (struct crier_id){number * 10, TEST_SEQ},
                       (struct crier_now){1, number * 2});
}

/* The oldest held number > position in the model; 0: none. */
static uint64_t model_after(const bool *held, uint64_t position)
{
    for (uint64_t n = position + 1; n <= NUMBERS; n++) {
        if (held[n])
            return n;
    }
    return 0;
}

static uint64_t number_of(const struct crier_kept_event *event)
{
    return event ? event->number : 0;
}

static void compare(const struct crier_kept *kept, const bool *held, uint64_t n, uint64_t at)
{
    crier_kept_check(kept, n + 1);
    assert_int_equal(number_of(crier_kept_after(kept, at)), model_after(held, at));
    assert_int_equal(number_of(crier_kept_find(kept, at)), held[at] ? at : 0);
    assert_int_equal(number_of(crier_kept_after_id(kept, (struct crier_id){at * 10, TEST_SEQ})),
                     model_after(held, at));
    assert_int_equal(number_of(crier_kept_after_id(kept, (struct crier_id){at * 10 + 5, 0})),
                     model_after(held, at));
    assert_int_equal(number_of(crier_kept_since(kept, at * 2 + 1)), model_after(held, at));
    uint64_t before = number_of(crier_kept_before(kept, at));
    assert_true((before < at || at == 0) && (!before || held[before]));
    assert_true(at == 0 || model_after(held, before) >= at || model_after(held, before) == 0);
}

/* By number, by id and by time, whatever has left in between. */
static void against_a_model(void **state)
{
    _Alignas(16) char memory[256];
    struct crier_stored *stored = (struct crier_stored *)(void *)memory;
    static bool held[NUMBERS + 1];
    struct crier_rng rng = {test_seed("against_a_model")};
    struct crier_kept kept;
    struct test_mem mem;

    test_mem_init(&mem, 0);
    crier_kept_init(&kept, &mem.mem);
    for (uint64_t n = 1; n <= NUMBERS; n++) {
        if (n % 3 == 0) { /* not every event is kept */
            make(stored, n);
            assert_int_equal(
                crier_kept_add(&kept, n, (struct crier_id){n * 10 - 1, TEST_SEQ}, stored, 1),
                0);
            held[n] = true;
        }
        uint64_t one = model_after(held, crier_rng_between(&rng, 0, n));
        if (one && crier_rng_between(&rng, 0, 3) == 0) {
            crier_kept_remove(&kept, crier_kept_find(&kept, one));
            held[one] = false;
        }
        compare(&kept, held, n, crier_rng_between(&rng, 0, n));
    }
    crier_kept_deinit(&kept);
    assert_int_equal(mem.alive, 0);
}

/* A reader's reference keeps an event that has left. */
static void outlives_the_store(void **state)
{
    _Alignas(16) char memory[256];
    struct crier_stored *stored = (struct crier_stored *)(void *)memory;
    struct crier_kept kept;
    struct test_mem mem;

    test_mem_init(&mem, 0);
    crier_kept_init(&kept, &mem.mem);
    make(stored, 4);
    assert_int_equal(crier_kept_add(&kept, 4, (struct crier_id){39, TEST_SEQ}, stored, 1), 0);
    struct crier_kept_event *event = crier_kept_find(&kept, 4);
    event->refs++;
    crier_kept_remove(&kept, event);
    assert_int_equal(crier_kept_events(&kept), 0);
    assert_int_equal(kept.cost, 0);
    assert_int_equal(crier_kept_stored(event)->id.ms, 40);
    crier_kept_unref(&kept, event);
    crier_kept_deinit(&kept);
    assert_int_equal(mem.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
        cmocka_unit_test(outlives_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
