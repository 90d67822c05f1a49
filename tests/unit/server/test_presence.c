/* SPDX-License-Identifier: MIT */
/* Presence: who follows what, over all workers. */
#include "hub/hub_support.h"
#include "server/presence.h"
#include <pthread.h>

static struct crier_subscription *
subscribe(struct crier_journal *journal, const char *words, enum crier_form form)
{
    struct crier_slice selectors[8];
    struct crier_wish wish = {.selectors = selectors, .form = form};
    struct crier_subscription *subscription;

    wish.selector_count = test_words(words, selectors, 8);
    assert_int_equal(crier_subscription_new(&crier_mem_libc, journal, &wish, &subscription), 0);
    return subscription;
}

static int join(struct crier_presence *presence,
                struct crier_journal *journal,
                const char *words,
                enum crier_form form,
                struct crier_presence_entry **ret)
{
    struct crier_subscription *subscription = subscribe(journal, words, form);
    int r = crier_presence_join(presence, subscription, ret);

    crier_subscription_free(subscription);
    return r;
}

struct listing {
    char text[256];
    size_t len, left;
};

static bool list_topic(void *ctx, struct crier_slice topic)
{
    struct listing *listing = ctx;

    memcpy(listing->text + listing->len, topic.data, topic.len);
    listing->len += topic.len;
    listing->text[listing->len++] = ' ';
    return --listing->left > 0;
}

static void expect_listing(struct crier_presence *presence,
                           const char *prefix,
                           const char *after,
                           size_t limit,
                           const char *expected)
{
    struct listing listing = {.left = limit};

    crier_presence_topics(presence, crier_slice_of(prefix), crier_slice_of(after), list_topic,
                          &listing);
    assert_slice_equal(((struct crier_slice){listing.text, listing.len}),
                       crier_slice_of(expected));
}

/* Each stream counts once, however it is matched; the form makes no difference. */
static void test_count(void **state)
{
    struct crier_journal journal = test_key_journal();
    struct crier_presence *presence;
    struct crier_presence_entry *e[4];

    assert_int_equal(crier_presence_new(&crier_mem_libc, &journal, &presence), 0);
    assert_int_equal(join(presence, &journal, "a a/b **", CRIER_FORM_SSE, &e[0]), 0);
    assert_int_equal(join(presence, &journal, "a/b", CRIER_FORM_SSE, &e[1]), 0);
    assert_int_equal(join(presence, &journal, "a/b", CRIER_FORM_NDJSON, &e[2]), 0);
    assert_int_equal(join(presence, &journal, "c", CRIER_FORM_SSE, &e[3]), 0);
    assert_ptr_equal(e[1], e[2]);
    assert_int_equal(crier_presence_count(presence, CRIER_SLICE("a/b")), 3);
    assert_int_equal(crier_presence_count(presence, CRIER_SLICE("c")), 2);
    crier_presence_leave(presence, e[0]);
    assert_int_equal(crier_presence_count(presence, CRIER_SLICE("a/b")), 2);
    assert_int_equal(crier_presence_count(presence, CRIER_SLICE("x")), 0);
    for (int i = 1; i < 4; i++)
        crier_presence_leave(presence, e[i]);
    crier_presence_leave(presence, NULL);
    assert_int_equal(crier_presence_count(presence, CRIER_SLICE("a/b")), 0);
    crier_presence_free(presence);
}

/* Topics followed by name, in order, from `after` on, with the prefix, until fn says stop. */
static void test_listing(void **state)
{
    struct crier_journal journal = test_key_journal();
    struct crier_presence *presence;
    struct crier_presence_entry *e[3];

    assert_int_equal(crier_presence_new(&crier_mem_libc, &journal, &presence), 0);
    assert_int_equal(join(presence, &journal, "b a/2 x/*", CRIER_FORM_SSE, &e[0]), 0);
    assert_int_equal(join(presence, &journal, "a/1 a/2 a", CRIER_FORM_SSE, &e[1]), 0);
    assert_int_equal(join(presence, &journal, "**", CRIER_FORM_SSE, &e[2]), 0);
    expect_listing(presence, "", "", 100, "a a/1 a/2 b ");
    expect_listing(presence, "a/", "", 100, "a/1 a/2 ");
    expect_listing(presence, "a", "a", 100, "a/1 a/2 ");
    expect_listing(presence, "a/", "a/1", 100, "a/2 ");
    expect_listing(presence, "", "a/1", 1, "a/2 ");
    expect_listing(presence, "c", "", 100, "");
    expect_listing(presence, "a", "zz", 100, "");
    crier_presence_leave(presence, e[1]);
    expect_listing(presence, "", "", 100, "a/2 b ");
    crier_presence_leave(presence, e[0]);
    crier_presence_leave(presence, e[2]);
    expect_listing(presence, "", "", 100, "");
    crier_presence_free(presence);
}

static int run_oom(const struct crier_mem *mem, void *ctx)
{
    struct crier_journal *journal = ctx;
    struct crier_presence *presence = NULL;
    struct crier_presence_entry *e[2] = {NULL, NULL};

    int r = crier_presence_new(mem, journal, &presence);
    if (r == 0)
        r = join(presence, journal, "a b c/* d", CRIER_FORM_SSE, &e[0]);
    if (r == 0)
        r = join(presence, journal, "b c **", CRIER_FORM_SSE, &e[1]);
    if (presence) {
        crier_presence_leave(presence, e[0]);
        crier_presence_leave(presence, e[1]);
    }
    crier_presence_free(presence);
    return r;
}

/* A join that fails leaves nothing behind. */
static void test_memory(void **state)
{
    struct crier_journal journal = test_key_journal();
    assert_true(test_mem_torture(run_oom, &journal) > 10);
}

struct thread {
    pthread_t id;
    struct crier_presence *presence;
    struct crier_subscription *subscription;
};

static void *come_and_go(void *ctx)
{
    struct thread *thread = ctx;

    for (int i = 0; i < 2000; i++) {
        struct crier_presence_entry *a = NULL, *b = NULL;
        if (crier_presence_join(thread->presence, thread->subscription, &a) < 0 ||
            crier_presence_join(thread->presence, thread->subscription, &b) < 0 ||
            crier_presence_count(thread->presence, CRIER_SLICE("a")) < 2)
            return thread;
        crier_presence_leave(thread->presence, a);
        crier_presence_leave(thread->presence, b);
    }
    return NULL;
}

/* Several workers join and leave the same selectors: an entry is never lost nor left behind. */
static void test_threads(void **state)
{
    struct crier_journal journal = test_key_journal();
    struct crier_presence *presence;
    struct thread threads[3];
    void *failed;

    assert_int_equal(crier_presence_new(&crier_mem_libc, &journal, &presence), 0);
    for (int i = 0; i < 3; i++) {
        threads[i] =
            (struct thread){.presence = presence,
                            .subscription = subscribe(&journal, "a b/*", (enum crier_form)i)};
        assert_int_equal(pthread_create(&threads[i].id, NULL, come_and_go, &threads[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i].id, &failed), 0);
        assert_null(failed);
        crier_subscription_free(threads[i].subscription);
    }
    assert_int_equal(crier_presence_count(presence, CRIER_SLICE("a")), 0);
    crier_presence_free(presence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
