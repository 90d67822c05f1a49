/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

struct setup {
    struct test_mem mem;
    struct crier_floors floors;
};

static void set_up(struct setup *s, size_t max)
{
    test_mem_init(&s->mem, 0);
    crier_floors_init(&s->floors, &s->mem.mem, &test_key, max);
}

static void tear_down(struct setup *s)
{
    crier_floors_deinit(&s->floors);
    assert_int_equal(s->mem.alive, 0);
}

static void lose(struct setup *s, const char *topic, uint64_t number)
{
    struct crier_slice name = crier_slice_of(topic);

    crier_floors_raise(&s->floors, crier_hash(&test_key, name), name, number,
                       (struct crier_id){number * 10, TEST_SEQ});
    crier_floors_check(&s->floors,
                       number > s->floors.root.number ? number : s->floors.root.number);
}

static bool topic_lost(const struct setup *s, const char *topic, uint64_t position)
{
    struct crier_slice name = crier_slice_of(topic);
    uint64_t hash = crier_hash(&test_key, name);
    struct crier_filter filter = {.topics = &name, .topic_hashes = &hash, .topic_count = 1};
    bool lost = crier_floors_after(&s->floors, &filter, position, 0);

    assert_int_equal(lost, crier_floors_after_id(&s->floors, &filter,
                                                 (struct crier_id){position * 10, TEST_SEQ}));
    return lost;
}

static bool
prefix_lost(const struct setup *s, const char *prefix, uint64_t position, uint64_t known)
{
    struct crier_slice name = crier_slice_of(prefix);
    struct crier_filter filter = {
        .match = test_match_all, .prefixes = &name, .prefix_count = 1};

    return crier_floors_after(&s->floors, &filter, position, known);
}

/* A loss is told to its topic and to patterns over it, to nobody else: not to a topic that is
 * named as one of its prefixes, nor to a sibling. */
static void who_is_told(void **state)
{
    struct setup s;

    set_up(&s, 100);
    lose(&s, "a/b/c", 10);
    assert_true(topic_lost(&s, "a/b/c", 9));
    assert_false(topic_lost(&s, "a/b/c", 10));
    assert_false(topic_lost(&s, "a/b", 0));
    assert_false(topic_lost(&s, "a/b/d", 0));
    assert_true(prefix_lost(&s, "a/b", 9, 0));
    assert_true(prefix_lost(&s, "a", 9, 0));
    assert_true(prefix_lost(&s, "", 9, 0));
    assert_false(prefix_lost(&s, "", 10, 0));
    assert_false(prefix_lost(&s, "b", 0, 0));
    assert_false(prefix_lost(&s, "a/b/c", 0, 0));
    tear_down(&s);
}

/* What was counted before a stream started is no news to it; what comes later is, even when the
 * event itself is older. */
static void known_losses(void **state)
{
    struct setup s;

    set_up(&s, 100);
    lose(&s, "a/x", 180);
    uint64_t known = s.floors.losses;
    assert_true(prefix_lost(&s, "a", 49, 0));
    assert_false(prefix_lost(&s, "a", 49, known));
    lose(&s, "a/y", 60);
    assert_true(prefix_lost(&s, "a", 49, known));
    assert_false(prefix_lost(&s, "a", 180, known));
    known = s.floors.losses;
    lose(&s, "b/z", 500); /* others' losses do not bring the old ones up again */
    assert_false(prefix_lost(&s, "a", 49, known));
    assert_true(prefix_lost(&s, "b", 49, known));
    tear_down(&s);
}

/* However small the table: a gap may be told in vain, never hidden. Against an array of all
 * losses. */
static void never_hidden(void **state)
{
    static const char *const names[] = {"a", "a/x", "a/y", "b/x/1", "b/x/2", "c", "b", "c/1"};
    static const char *const prefixes[] = {"", "a", "b", "b/x", "c"};
    struct crier_rng rng = {test_seed("never_hidden")};

    for (size_t max = 1; max <= 40; max += 3) {
        uint64_t newest[8] = {0}, below[5] = {0};
        struct setup s;
        set_up(&s, max);
        for (uint64_t n = 1; n <= 300; n++) {
            size_t t = crier_rng_between(&rng, 0, 7);
            /* Of one topic in order; over all topics not. */
            uint64_t number = newest[t] + crier_rng_between(&rng, 1, 20);
            lose(&s, names[t], number);
            newest[t] = number;
            for (size_t p = 0; p < 5; p++) {
                size_t len = strlen(prefixes[p]);
                if ((!len ||
                     (strncmp(names[t], prefixes[p], len) == 0 && names[t][len] == '/')) &&
                    number > below[p])
                    below[p] = number;
            }
            uint64_t at = crier_rng_between(&rng, 0, 4000);
            for (t = 0; t < 8; t++) {
                assert_true(topic_lost(&s, names[t], at) || newest[t] <= at);
                assert_true(max < 20 || !topic_lost(&s, names[t], at) || newest[t] > at);
            }
            for (size_t p = 0; p < 5; p++)
                assert_true(prefix_lost(&s, prefixes[p], at, 0) || below[p] <= at);
        }
        tear_down(&s);
    }
}

/* An entry more than there may be pushes the least lately raised one out, which is counted and
 * raises the hub-wide floor: whoever has no entry may be told a gap from then on. */
static void pushed_out(void **state)
{
    struct setup s;

    set_up(&s, 2);
    lose(&s, "a", 10);
    lose(&s, "b", 11);
    lose(&s, "a", 12); /* one that is there takes no room */
    assert_int_equal(s.floors.dropped, 0);
    assert_false(topic_lost(&s, "c", 0));
    lose(&s, "c", 13);
    assert_int_equal(s.floors.dropped, 1);
    assert_true(topic_lost(&s, "a", 11) && !topic_lost(&s, "a", 12));
    assert_true(topic_lost(&s, "never", 10) && !topic_lost(&s, "never", 11));
    tear_down(&s);
}

/* Without memory the hub-wide floor takes it: everyone may be told, nobody is not. */
static void out_of_memory(void **state)
{
    struct setup s;

    for (size_t nth = 1; nth <= 6; nth++) {
        set_up(&s, 100);
        s.mem.fail_at = nth;
        s.mem.stay = true;
        lose(&s, "a/b/c", 10);
        assert_true(topic_lost(&s, "a/b/c", 9));
        assert_true(prefix_lost(&s, "a/b", 9, 0));
        assert_true(prefix_lost(&s, "a", 9, 0));
        assert_false(prefix_lost(&s, "a", 10, 0));
        tear_down(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_told),   cmocka_unit_test(known_losses),
        cmocka_unit_test(never_hidden),  cmocka_unit_test(pushed_out),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
