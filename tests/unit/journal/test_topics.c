/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

enum { NAMES = 40, NUMBERS = 4000 };

/* The naive model: which topic, and alive or not, by number. */
struct model {
    struct crier_topics topics;
    char names[NAMES][8];
    unsigned topic_of[NUMBERS + 1];
    bool alive[NUMBERS + 1];
};

static struct crier_topic *find(struct model *m, unsigned topic)
{
    struct crier_slice name = crier_slice_of(m->names[topic]);
    return crier_topics_find(&m->topics, topic % 7 + 1,
                             name); /* equal hashes are common here */
}

static void compare(struct model *m, unsigned topic, uint64_t end)
{
    struct crier_topic *found = find(m, topic);
    uint64_t count = 0, first = 0, last = 0;

    for (uint64_t n = 1; n <= end; n++) {
        if (m->topic_of[n] != topic || !m->alive[n])
            continue;
        count++;
        first = first ? first : n;
        last = n;
        size_t at = crier_topic_after(found, n - 1);
        assert_int_equal(crier_topic_at(found, at), n);
    }
    assert_int_equal(found != NULL, count != 0);
    if (!found)
        return;
    crier_topic_check(found);
    assert_int_equal(crier_topic_events(found), count);
    assert_int_equal(crier_topic_first(found), first);
    assert_int_equal(crier_topic_last(found), last);
    assert_int_equal(found->bytes, count * 10);
    assert_int_equal(crier_topic_after(found, last), found->len);
}

static void kill_one(struct model *m, uint64_t number)
{
    struct crier_topic *topic = find(m, m->topic_of[number]);

    crier_topic_kill(&m->topics, topic, number, 10);
    crier_topics_release(&m->topics, topic);
    m->alive[number] = false;
}

/* Whatever comes and leaves, from the front or the middle, each list is the model's. */
static void against_a_model(void **state)
{
    struct model *m = calloc(1, sizeof(*m));
    struct crier_rng rng = {test_seed("against_a_model")};
    struct test_mem mem;

    test_mem_init(&mem, 0);
    crier_topics_init(&m->topics, &mem.mem);
    for (unsigned i = 0; i < NAMES; i++)
        snprintf(m->names[i], sizeof(m->names[i]), "t%u", i);
    for (uint64_t n = 1; n <= NUMBERS; n++) {
        struct crier_topic *topic;
        unsigned i = (unsigned)(n % 3 ? crier_rng_between(&rng, 0, 2)
                                      : crier_rng_between(&rng, 0, NAMES - 1));
        assert_int_equal(
            crier_topics_reserve(&m->topics, i % 7 + 1, crier_slice_of(m->names[i]), &topic),
            0);
        crier_topic_push(topic, n, 10);
        m->topic_of[n] = i;
        m->alive[n] = true;
        uint64_t leaving = n < 500 ? 0 : crier_rng_between(&rng, 0, 2);
        for (; leaving; leaving--) {
            uint64_t which = crier_rng_between(&rng, n - 490, n);
            if (m->alive[which])
                kill_one(m, which);
        }
        if (n > 600 && m->alive[n - 600])
            kill_one(m, n - 600);
        compare(m, i, n);
    }
    for (unsigned i = 0; i < NAMES; i++)
        compare(m, i, NUMBERS);
    assert_int_equal(m->topics.tree.count, m->topics.map.count);
    crier_topics_deinit(&m->topics);
    assert_int_equal(mem.alive, 0);
    free(m);
}

/* Events that leave a list in any order (their ttls are over) leave no holes that stay. */
static void leaving_in_any_order(void **state)
{
    struct crier_rng rng = {test_seed("leaving_in_any_order")};
    struct crier_topics topics;
    struct crier_topic *topic = NULL;
    struct test_mem mem;
    uint64_t left[1000];

    test_mem_init(&mem, 0);
    crier_topics_init(&topics, &mem.mem);
    for (uint64_t n = 0; n < 1000; n++) {
        assert_int_equal(crier_topics_reserve(&topics, 1, CRIER_SLICE("a"), &topic), 0);
        crier_topic_push(topic, n + 1, 1);
        left[n] = n + 1;
    }
    for (size_t count = 1000; count > 1;) {
        /* Never the first or the last while others are there: all holes are in the middle. */
        size_t i = count > 2 ? crier_rng_between(&rng, 1, count - 2) : 0;
        crier_topic_kill(&topics, topic, left[i], 1);
        memmove(&left[i], &left[i + 1], (count - i - 1) * sizeof(left[0]));
        count--;
        crier_topic_check(topic);
        assert_int_equal(crier_topic_events(topic), count);
        assert_true(topic->len <= 2 * count + 8);
        i = crier_rng_between(&rng, 0, count - 1);
        assert_int_equal(crier_topic_at(topic, crier_topic_after(topic, left[i] - 1)), left[i]);
    }
    assert_int_equal(topic->bytes, 1);
    crier_topics_deinit(&topics);
    assert_int_equal(mem.alive, 0);
}

/* A topic that holds nothing any more takes no memory, however much it held. */
static void nothing_held_nothing_taken(void **state)
{
    struct crier_topics topics;
    struct crier_topic *topic;
    struct test_mem mem;

    test_mem_init(&mem, 0);
    crier_topics_init(&topics, &mem.mem);
    for (uint64_t n = 1; n <= 1000; n++) {
        assert_int_equal(crier_topics_reserve(&topics, 1, CRIER_SLICE("a"), &topic), 0);
        crier_topic_push(topic, n, 1);
    }
    for (uint64_t n = 1; n < 1000; n++)
        crier_topic_kill(&topics, topic, n, 1);
    assert_true(topic->cap <= 16);
    crier_topic_kill(&topics, topic, 1000, 1);
    crier_topics_release(&topics, topic);
    assert_null(crier_topics_find(&topics, 1, CRIER_SLICE("a")));
    assert_int_equal(mem.alive, 1); /* the table itself */
    crier_topics_deinit(&topics);
    assert_int_equal(mem.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
        cmocka_unit_test(leaving_in_any_order),
        cmocka_unit_test(nothing_held_nothing_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
