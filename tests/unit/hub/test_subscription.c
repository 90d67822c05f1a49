/* SPDX-License-Identifier: MIT */
/* Subscriptions: canonical form, limits, the filter they carry. */
#include "hub_support.h"

static struct crier_subscription *
make(const char *selectors, const char *types, enum crier_form form, bool chunked)
{
    struct crier_journal journal = test_key_journal();
    struct crier_slice s[8], t[8];
    struct crier_wish wish = {.selectors = s, .types = t, .form = form, .chunked = chunked};
    struct crier_subscription *subscription = NULL;

    wish.selector_count = test_words(selectors, s, 8);
    wish.type_count = test_words(types, t, 8);
    assert_int_equal(crier_subscription_new(&crier_mem_libc, &journal, &wish, &subscription),
                     0);
    return subscription;
}

static bool same(struct crier_subscription *a, struct crier_subscription *b)
{
    bool equal = crier_slice_eq(a->key, b->key);

    if (equal)
        assert_true(a->hash == b->hash);
    crier_subscription_free(a);
    crier_subscription_free(b);
    return equal;
}

/* Order and doubles make no difference; anything else does. */
static void test_canonical(void **state)
{
    assert_true(same(make("a b/* c", "", 0, true), make("c c a b/* a", "", 0, true)));
    assert_true(same(make("a", "x message", 0, true), make("a", "message x x", 0, true)));
    assert_false(same(make("a b", "", 0, true), make("a", "", 0, true)));
    assert_false(same(make("a", "b", 0, true), make("a b", "", 0, true)));
    assert_false(same(make("a", "", 0, true), make("a", "", 0, false)));
    assert_false(
        same(make("a", "", CRIER_FORM_SSE, true), make("a", "", CRIER_FORM_NDJSON, true)));
    assert_false(same(make("ab c", "", 0, true), make("a bc", "", 0, true)));
    assert_false(same(make("a", "x y", 0, true), make("a", "xy", 0, true)));
}

/* Everything points where the header says. */
static void test_layout(void **state)
{
    struct crier_journal journal = test_key_journal();
    struct crier_subscription *s = make("b ** a x/*/y", "t", CRIER_FORM_ENVELOPE, true);

    assert_int_equal(s->selector_count, 4);
    assert_slice_is(s->selectors[0], "a");
    assert_slice_is(s->selectors[1], "b");
    assert_slice_is(s->selectors[2], "**");
    assert_slice_is(s->selectors[3], "x/*/y");
    assert_ptr_equal(s->patterns, s->selectors + 2);
    assert_int_equal(s->pattern_count, 2);
    assert_ptr_equal(s->filter.topics, s->selectors);
    assert_int_equal(s->filter.topic_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(s->filter.topic_hashes[i] == crier_journal_hash(&journal, s->selectors[i]));
    assert_int_equal(s->filter.prefix_count, 2);
    assert_slice_is(s->filter.prefixes[0], "");
    assert_slice_is(s->filter.prefixes[1], "x");
    assert_int_equal(s->filter.type_count, 1);
    assert_slice_is(s->filter.types[0], "t");
    assert_non_null(s->filter.match);
    assert_true(s->filter.match(s->filter.ctx, CRIER_SLICE("anything/at/all")));
    assert_int_equal(s->form, CRIER_FORM_ENVELOPE);
    crier_subscription_free(s);

    s = make("a", "", 0, false);
    assert_null(s->filter.match);
    assert_int_equal(s->filter.type_count, 0);
    crier_subscription_free(s);
}

/* The selectors' part of the key is the same whatever the types, form and framing. */
static void test_selectors_key(void **state)
{
    struct crier_subscription *a = make("a b/*", "x y", CRIER_FORM_NDJSON, true);
    struct crier_subscription *b = make("b/* a", "", CRIER_FORM_SSE, false);
    struct crier_subscription *c = make("b/*", "", CRIER_FORM_SSE, false);

    assert_slice_equal(a->selectors_key, b->selectors_key);
    assert_false(crier_slice_eq(b->selectors_key, c->selectors_key));
    crier_subscription_free(a);
    crier_subscription_free(b);
    crier_subscription_free(c);
}

/* An untyped event is of type message, also where it is asked for as the empty type. */
static void test_empty_type(void **state)
{
    struct crier_journal journal = test_key_journal();
    struct crier_slice topic = CRIER_SLICE("a"), empty = CRIER_SLICE("");
    struct crier_wish wish = {
        .selectors = &topic, .selector_count = 1, .types = &empty, .type_count = 1};
    struct crier_subscription *s;

    assert_int_equal(crier_subscription_new(&crier_mem_libc, &journal, &wish, &s), 0);
    assert_slice_is(s->filter.types[0], "message");
    crier_subscription_free(s);
}

/* selectors of which `patterns` are patterns, all distinct, then all of them once more. */
static int try_counts(size_t topics, size_t patterns, size_t types)
{
    static char text[404][8];
    static struct crier_slice slices[404], type_slices[404];
    struct crier_journal journal = test_key_journal();
    struct crier_subscription *s = NULL;
    size_t n = topics + patterns;

    for (size_t i = 0; i < 2 * n; i++) {
        int len =
            snprintf(text[i], sizeof(text[i]), i % n < patterns ? "p%zu/*" : "t%zu", i % n);
        slices[i] = (struct crier_slice){text[i], (size_t)len};
    }
    for (size_t i = 0; i < types; i++)
        type_slices[i] = slices[i % (2 * n)];
    struct crier_wish wish = {.selectors = slices,
                              .selector_count = 2 * n,
                              .types = type_slices,
                              .type_count = types};
    int r = crier_subscription_new(&crier_mem_libc, &journal, &wish, &s);
    assert_int_equal(s != NULL, r == 0);
    crier_subscription_free(s);
    return r;
}

/* The limits count what is left after doubles are gone. */
static void test_limits(void **state)
{
    assert_int_equal(try_counts(100, 0, 0), 0);
    assert_int_equal(try_counts(101, 0, 0), -E2BIG);
    assert_int_equal(try_counts(90, 10, 200), 0);
    assert_int_equal(try_counts(91, 10, 0), -E2BIG);
    assert_int_equal(try_counts(0, 10, 0), 0);
    assert_int_equal(try_counts(0, 11, 0), -E2BIG);
    assert_int_equal(try_counts(101, 0, 101), -E2BIG);
}

static int run_oom(const struct crier_mem *mem, void *ctx)
{
    struct crier_journal journal = test_key_journal();
    struct crier_slice selectors[] = {CRIER_SLICE("a"), CRIER_SLICE("b/*")};
    struct crier_wish wish = {.selectors = selectors, .selector_count = 2};
    struct crier_subscription *s = NULL;
    int r = crier_subscription_new(mem, &journal, &wish, &s);
    assert_int_equal(s != NULL, r == 0);
    crier_subscription_free(s);
    return r;
}

/* One allocation, and its failure is an answer. */
static void test_memory(void **state)
{
    assert_int_equal(test_mem_torture(run_oom, NULL), 1);
    assert_null(crier_subscription_free(NULL));
}

/* What is read from the journal for one may be shown to the other, whatever its form. */
static void test_filter_key(void **state)
{
    static const struct {
        const char *selectors, *types;
        enum crier_form form;
        bool chunked, same;
    } others[] = {
        {"b a a", "t", CRIER_FORM_NDJSON, false, true},
        {"a b", "t", CRIER_FORM_ENVELOPE, true, true},
        {"a b", "u", CRIER_FORM_SSE, true, false},
        {"a b", "", CRIER_FORM_SSE, true, false},
        {"a", "t", CRIER_FORM_SSE, true, false},
        {"a b *", "t", CRIER_FORM_SSE, true, false},
        {"a", "b t", CRIER_FORM_SSE, true, false},
    };
    struct crier_subscription *one = make("a b", "t", CRIER_FORM_SSE, true);

    assert_true(one->filter.key.len > one->selectors_key.len);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct crier_subscription *other =
            make(others[i].selectors, others[i].types, others[i].form, others[i].chunked);

        assert_int_equal(crier_slice_eq(one->filter.key, other->filter.key), others[i].same);
        crier_subscription_free(other);
    }
    crier_subscription_free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),     cmocka_unit_test(test_layout),
        cmocka_unit_test(test_selectors_key), cmocka_unit_test(test_empty_type),
        cmocka_unit_test(test_filter_key),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
