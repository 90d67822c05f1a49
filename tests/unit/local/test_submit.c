/* SPDX-License-Identifier: MIT */
/* Publishing into a hub whose disk takes its time: who waits, who must not, what is told. */
#include "slow_support.h"

#include <sched.h>

/* ---- submitting -------------------------------------------------------------------------- */

/* Nothing is told, and nobody sees it, before it is written. */
static void submit_is_done_later(void **state)
{
    struct crier_publication p = slow_publication("a", "one");
    struct slow_outcome outcome = {0};
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    struct crier_reader *reader = crier_reader_new(s.hub, .selector = "a");
    assert_int_equal(crier_hub_submit(s.hub, &p, slow_done, &outcome), 0);
    assert_int_equal(outcome.calls, 0);
    assert_empty(reader);
    assert_true(slow_release(s.slow));
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.result, 0);
    assert_true(outcome.has_receipt);
    assert_false(outcome.receipt.duplicate);
    assert_ids_equal(test_next(reader, "one").id, outcome.receipt.id);
    assert_int_equal(crier_hub_submit(s.hub, &p, NULL, NULL), 0);
    assert_true(slow_release(s.slow));
    test_next(reader, "one");
    crier_reader_free(reader);
    crier_hub_free(s.hub);
}

/* The caller's bytes are the caller's again at once. */
static void submit_copies(void **state)
{
    char topic[] = "a/b", type[] = "note", data[] = "first\nsecond", key[] = "k1";
    struct crier_publication p = slow_publication(topic, data);
    struct slow_outcome first = {0}, second = {0};
    struct crier_message m;
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    struct crier_reader *reader = crier_reader_new(s.hub, .selector = "a/*");
    p.event.type = crier_slice_of(type);
    p.key = crier_slice_of(key);
    assert_int_equal(crier_hub_submit(s.hub, &p, slow_done, &first), 0);
    assert_int_equal(crier_hub_submit(s.hub, &p, slow_done, &second), 0);
    memset(topic, 'x', sizeof(topic) - 1);
    memset(type, 'x', sizeof(type) - 1);
    memset(data, 'x', sizeof(data) - 1);
    memset(key, 'x', sizeof(key) - 1);
    assert_true(slow_release(s.slow));
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
    assert_true(slow_release(s.slow));
    assert_false(slow_release(s.slow));
    m = test_next(reader, "first\nsecond");
    assert_slice_equal(m.topic, CRIER_SLICE("a/b"));
    assert_slice_equal(m.event.type, CRIER_SLICE("note"));
    assert_empty(reader);
    assert_true(second.receipt.duplicate);
    assert_ids_equal(second.receipt.id, first.receipt.id);
    crier_reader_free(reader);
    crier_hub_free(s.hub);
}

static const struct {
    int draft, told;
} results[] = {
    {CRIER_APPEND_FULL, CRIER_EWOULDBLOCK},
    {CRIER_APPEND_UNKNOWN, CRIER_EUNKNOWN},
    {-ENOSPC, CRIER_ENOSPC},
    {-EIO, CRIER_EIO},
    {-EMSGSIZE, CRIER_EMSGSIZE},
    {-ENOMEM, CRIER_ENOMEM},
};
enum { RESULTS = sizeof(results) / sizeof(results[0]) };

static void submit_tells_what_failed(void **state)
{
    struct crier_publication p = slow_publication("a", "one");
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    for (size_t i = 0; i < RESULTS; i++) {
        struct slow_outcome outcome = {.has_receipt = true};

        s.slow->result = results[i].draft;
        assert_int_equal(crier_hub_submit(s.hub, &p, slow_done, &outcome), 0);
        assert_true(slow_release(s.slow));
        assert_int_equal(outcome.calls, 1);
        assert_int_equal(outcome.result, results[i].told);
        assert_false(outcome.has_receipt);
        /* What is answered at once fails at once. */
        s.slow->submits_at_once = true;
        assert_int_equal(crier_hub_submit(s.hub, &p, slow_done, &outcome), results[i].told);
        assert_int_equal(outcome.calls, 1);
        s.slow->submits_at_once = false;
    }
    crier_hub_free(s.hub);
}

static void submit_fails_before(void **state)
{
    struct crier_publication bad = slow_publication("a/*", "one"),
                             good = slow_publication("a", "one");
    struct slow_outcome outcome = {0};
    struct test_mem t;
    struct slow_hub s;

    test_mem_init(&t, 0);
    slow_hub_init(&s, &t.mem);
    assert_int_equal(crier_hub_submit(s.hub, &bad, slow_done, &outcome), CRIER_EINVAL);
    t.fail_at = t.calls + 1;
    assert_int_equal(crier_hub_submit(s.hub, &good, slow_done, &outcome), CRIER_ENOMEM);
    assert_false(slow_release(s.slow));
    assert_int_equal(outcome.calls, 0);
    assert_int_equal(crier_hub_submit(s.hub, &good, slow_done, &outcome), 0);
    crier_hub_free(s.hub);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(t.alive, 0);
}

/* ---- what done may do -------------------------------------------------------------------- */

struct chain {
    struct crier_hub *hub;
    unsigned left;
    int published, forgotten, topics;
};

static bool no_topic(void *ctx, const struct crier_topic_info *info)
{
    (void)ctx;
    (void)info;
    return true;
}

static void go_on(int result, const struct crier_receipt *receipt, void *ctx)
{
    struct chain *chain = ctx;
    struct crier_publication p = slow_publication("a", "next");

    assert_int_equal(result, 0);
    assert_non_null(receipt);
    chain->published = crier_hub_publish_with(chain->hub, &p, NULL);
    chain->forgotten = crier_hub_forget(chain->hub, CRIER_SLICE("a"));
    chain->topics =
        crier_hub_topics(chain->hub, CRIER_SLICE(""), CRIER_SLICE(""), 0, no_topic, NULL);
    if (chain->left-- > 0)
        assert_int_equal(crier_hub_submit(chain->hub, &p, go_on, chain), 0);
}

/* It may submit more; on the thread that writes, it must not wait for what is written. */
static void done_may_submit(void **state)
{
    struct crier_publication p = slow_publication("a", "first");
    struct chain chain = {.left = 3};
    struct slow_hub s;
    unsigned written = 0;

    slow_hub_init(&s, NULL);
    chain.hub = s.hub;
    assert_int_equal(crier_hub_submit(s.hub, &p, go_on, &chain), 0);
    while (slow_release(s.slow))
        written++;
    assert_int_equal(written, 4);
    assert_int_equal(chain.published, CRIER_EWOULDBLOCK);
    assert_int_equal(chain.forgotten, CRIER_EWOULDBLOCK);
    assert_int_equal(chain.topics, CRIER_EWOULDBLOCK);
    assert_int_equal(crier_stepping, 0);
    crier_hub_free(s.hub);
}

static void free_it(int result, const struct crier_receipt *receipt, void *ctx)
{
    (void)result;
    (void)receipt;
    crier_hub_free(ctx);
}

/* The writing thread cannot wait for its own end. */
static void done_may_free_the_hub(void **state)
{
    struct crier_publication p = slow_publication("a", "last");
    struct slow_hub s;
    sem_t freed;

    sem_init(&freed, 0, 0);
    slow_hub_init(&s, NULL);
    s.slow->freed = &freed;
    slow_start(s.slow);
    assert_int_equal(crier_hub_submit(s.hub, &p, free_it, s.hub), 0);
    while (sem_wait(&freed) < 0)
        continue;
    sem_destroy(&freed);
}

struct last_words {
    struct crier_hub *hub;
    int result, published, submitted;
    bool read;
};

static void try_everything(int result, const struct crier_receipt *receipt, void *ctx)
{
    struct last_words *words = ctx;
    struct crier_publication p = slow_publication("a", "too late");
    struct crier_reader *reader = crier_reader_new(words->hub, .selector = "a");

    (void)receipt;
    words->result = result;
    words->read = reader != NULL;
    words->published = crier_hub_publish_with(words->hub, &p, NULL);
    words->submitted = crier_hub_submit(words->hub, &p, NULL, NULL);
}

/* What was submitted is written before a hub is gone; it takes no more then. */
static void free_waits_for_what_was_submitted(void **state)
{
    struct crier_publication p = slow_publication("a", "last");
    struct last_words words = {.result = 77};
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    words.hub = s.hub;
    assert_int_equal(crier_hub_submit(s.hub, &p, try_everything, &words), 0);
    crier_hub_free(s.hub);
    assert_int_equal(words.result, 0);
    assert_false(words.read);
    assert_int_equal(words.published, CRIER_ECANCELED);
    assert_int_equal(words.submitted, CRIER_ECANCELED);
}

/* ---- standing still ---------------------------------------------------------------------- */

struct caller {
    struct crier_hub *hub;
    bool forget;
    int result;
    struct crier_receipt receipt;
    _Atomic bool back;
};

static void *call(void *ctx)
{
    struct caller *caller = ctx;
    struct crier_publication p = slow_publication("a", "one");

    caller->result = caller->forget ? crier_hub_forget(caller->hub, CRIER_SLICE("a"))
                                    : crier_hub_publish_with(caller->hub, &p, &caller->receipt);
    atomic_store(&caller->back, true);
    return NULL;
}

static int call_and_release(struct slow_hub *s, struct caller *caller)
{
    pthread_t thread;

    caller->hub = s->hub;
    atomic_store(&caller->back, false);
    assert_int_equal(pthread_create(&thread, NULL, call, caller), 0);
    slow_await_held(s->slow, 1);
    for (int i = 0; i < 10; i++)
        sched_yield();
    assert_false(atomic_load(&caller->back));
    assert_true(slow_release(s->slow));
    pthread_join(thread, NULL);
    return caller->result;
}

static void publish_and_forget_wait(void **state)
{
    struct caller publisher = {0}, forgetter = {.forget = true};
    struct crier_hub_stats stats;
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    assert_int_equal(call_and_release(&s, &publisher), 0);
    assert_int_equal(crier_hub_stats(s.hub, &stats), 0);
    assert_ids_equal(stats.last, publisher.receipt.id);
    assert_int_equal(call_and_release(&s, &forgetter), 0);
    assert_int_equal(crier_hub_stats(s.hub, &stats), 0);
    assert_int_equal(stats.events, 0);
    for (size_t i = 0; i < RESULTS; i++) {
        s.slow->result = results[i].draft;
        assert_int_equal(call_and_release(&s, &publisher), results[i].told);
        assert_int_equal(call_and_release(&s, &forgetter), results[i].told);
    }
    crier_hub_free(s.hub);
}

/* Inside a server's callbacks. */
static void nobody_waits_while_stepping(void **state)
{
    struct crier_publication p = slow_publication("a", "one");
    struct slow_outcome outcome = {0};
    struct crier_hub_stats stats;
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    slow_append(&s, "a", "before");
    crier_stepping++;
    assert_int_equal(crier_hub_publish(s.hub, "a", &p.event, NULL), CRIER_EWOULDBLOCK);
    assert_int_equal(crier_hub_publishf(s.hub, "a", NULL, "x"), CRIER_EWOULDBLOCK);
    assert_int_equal(crier_hub_publish(s.hub, "*", &p.event, NULL), CRIER_EINVAL);
    assert_int_equal(crier_hub_forget(s.hub, CRIER_SLICE("a")), CRIER_EWOULDBLOCK);
    assert_int_equal(crier_hub_forget(s.hub, CRIER_SLICE("*")), CRIER_EINVAL);
    assert_int_equal(
        crier_hub_topics(s.hub, CRIER_SLICE(""), CRIER_SLICE(""), 0, no_topic, NULL),
        CRIER_EWOULDBLOCK);
    assert_int_equal(s.slow->held, 0);
    assert_int_equal(crier_hub_stats(s.hub, &stats), 0);
    assert_int_equal(stats.events, 1);
    assert_int_equal(crier_hub_submit(s.hub, &p, slow_done, &outcome), 0);
    crier_stepping--;
    assert_true(slow_release(s.slow));
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(
        crier_hub_topics(s.hub, CRIER_SLICE(""), CRIER_SLICE(""), 0, no_topic, NULL), 1);
    crier_hub_free(s.hub);

    /* Memory has nothing to wait for. */
    struct crier_hub *hub = crier_hub_new();
    crier_stepping++;
    test_publish(hub, "a", NULL, "x");
    assert_int_equal(crier_hub_topics(hub, CRIER_SLICE(""), CRIER_SLICE(""), 0, no_topic, NULL),
                     1);
    assert_int_equal(crier_hub_forget(hub, CRIER_SLICE("a")), 0);
    crier_hub_free(hub);
    crier_stepping--;
}

/* ---- counters ---------------------------------------------------------------------------- */

static void stats_tell_of_the_disk(void **state)
{
    static const enum crier_disk disks[] = {
        [CRIER_JOURNAL_OK] = CRIER_DISK_OK,
        [CRIER_JOURNAL_FULL] = CRIER_DISK_FULL,
        [CRIER_JOURNAL_FAILED] = CRIER_DISK_FAILED,
    };
    struct crier_hub_stats stats;
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    for (int i = CRIER_JOURNAL_OK; i <= CRIER_JOURNAL_FAILED; i++) {
        s.slow->state = (enum crier_journal_state)i;
        assert_int_equal(crier_hub_stats(s.hub, &stats), 0);
        assert_int_equal(stats.disk, disks[i]);
    }
    assert_int_equal(stats.disk_bytes, 40960);
    assert_int_equal(stats.disk_free_bytes, 8192);
    assert_int_equal(stats.pending_bytes, 77);
    assert_int_equal(stats.commits, 5);
    assert_int_equal(stats.disk_refused, 111);
    /* A program of 0.2 gets what it knows. */
    stats.disk = CRIER_DISK_OK;
    assert_int_equal(
        crier_hub_stats_with(s.hub, offsetof(struct crier_hub_stats, disk), &stats), 0);
    assert_int_equal(stats.disk, CRIER_DISK_OK);
    s.slow->read_error = -EIO;
    assert_int_equal(
        crier_hub_topics(s.hub, CRIER_SLICE(""), CRIER_SLICE(""), 0, no_topic, NULL),
        CRIER_EIO);
    crier_hub_free(s.hub);

    struct crier_hub *hub = crier_hub_new();
    assert_int_equal(crier_hub_stats(hub, &stats), 0);
    assert_int_equal(stats.disk, CRIER_DISK_NONE);
    assert_int_equal(stats.disk_bytes, 0);
    crier_hub_free(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submit_is_done_later),
        cmocka_unit_test(submit_copies),
        cmocka_unit_test(submit_tells_what_failed),
        cmocka_unit_test(submit_fails_before),
        cmocka_unit_test(done_may_submit),
        cmocka_unit_test(done_may_free_the_hub),
        cmocka_unit_test(free_waits_for_what_was_submitted),
        cmocka_unit_test(publish_and_forget_wait),
        cmocka_unit_test(nobody_waits_while_stepping),
        cmocka_unit_test(stats_tell_of_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
