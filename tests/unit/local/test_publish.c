/* SPDX-License-Identifier: MIT */
#include "local_support.h"

#define S(literal) CRIER_SLICE(literal)

/* What a reader of everything gets of a publish. */
static void published(void **state)
{
    struct test_clock clock;
    struct crier_event event = {.data = S("a\r\nb"), .type = S("tick"), .retry_ms = 900};
    struct crier_receipt receipt;
    struct crier_message m;
    char expected[100], id[CRIER_ID_TEXT + 1] = "";

    test_clock_init(&clock);
    struct crier_hub *hub = crier_hub_new(.clock = &clock.clock);
    struct crier_reader *reader = crier_reader_new(hub, .selector = "**");
    event.flags = CRIER_RETRY;
    assert_int_equal(crier_hub_publish(hub, "x/y", &event, &receipt), 0);
    assert_int_equal(receipt.id.ms, clock.now.wall_ms);
    crier_id_format(receipt.id, id);
    snprintf(expected, sizeof(expected),
             "retry: 900\nevent: tick\nid: %s\ndata: a\ndata: b\n\n", id);
    m = test_next(reader, "a\nb");
    assert_slice_is(m.topic, "x/y");
    assert_slice_is(m.event.type, "tick");
    assert_slice_equal(m.event.id, crier_slice_of(id));
    assert_slice_equal(m.bytes, crier_slice_of(expected));
    assert_ids_equal(m.id, receipt.id);
    assert_int_equal(m.time_ms, clock.now.wall_ms);
    assert_int_equal(m.event.retry_ms, 900);

    /* "message" is untyped; without data it is empty; without its flag a retry is none. */
    event = (struct crier_event){.type = S("message"), .retry_ms = 900};
    assert_int_equal(crier_hub_publish(hub, "x", &event, NULL), 0);
    m = test_next(reader, "");
    assert_slice_is(m.event.type, "message");
    assert_false(m.event.flags & CRIER_RETRY);
    assert_empty(reader);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

static struct crier_publication fine(void)
{
    return (struct crier_publication){.topic = S("a"), .event = {.data = S("x")}};
}

static void assert_refused(struct crier_hub *hub, struct crier_publication p, int error)
{
    struct crier_receipt receipt = {.id = {7, 7}, .duplicate = true};
    struct crier_hub_stats before, after;

    assert_int_equal(crier_hub_stats(hub, &before), 0);
    assert_int_equal(crier_hub_publish_with(hub, &p, &receipt), error);
    assert_int_equal(crier_hub_submit(hub, &p, NULL, NULL), error);
    assert_int_equal(receipt.id.ms, 7);
    assert_true(receipt.duplicate);
    assert_int_equal(crier_hub_stats(hub, &after), 0);
    assert_int_equal(before.published, after.published);
}

#define REFUSED(error, member, ...)                                                            \
    do {                                                                                       \
        struct crier_publication p = fine();                                                   \
        p.member = __VA_ARGS__;                                                                \
        assert_refused(hub, p, error);                                                         \
    } while (0)

/* Each bad input with its own error; nothing is published and nothing written. */
static void refusals(void **state)
{
    struct crier_hub *hub = crier_hub_new(.max_event_bytes = 1000);
    char long_topic[257], long_key[129];

    memset(long_topic, 't', sizeof(long_topic));
    memset(long_key, 'k', sizeof(long_key));
    REFUSED(CRIER_EINVAL, topic, (struct crier_slice){NULL, 0});
    REFUSED(CRIER_EINVAL, topic, S(""));
    REFUSED(CRIER_EINVAL, topic, S("a//b"));
    REFUSED(CRIER_EINVAL, topic, S("a/*"));
    REFUSED(CRIER_EINVAL, topic, S("a\n"));
    REFUSED(CRIER_EINVAL, topic, (struct crier_slice){long_topic, 257});
    REFUSED(CRIER_EILSEQ, topic, S("\xff"));
    REFUSED(CRIER_EILSEQ, event.data, S("a\xc3"));
    REFUSED(CRIER_EILSEQ, event.type, S("\xed\xa0\x80"));
    REFUSED(CRIER_EINVAL, event.type, S("a\nb"));
    REFUSED(CRIER_EINVAL, event.type, S("a\r"));
    REFUSED(CRIER_EINVAL, event.type, S("\0"));
    REFUSED(CRIER_EINVAL, event.type, S("crier:gap"));
    REFUSED(CRIER_EINVAL, event.comment, S("c"));
    REFUSED(CRIER_EINVAL, event.id, S("1-0"));
    REFUSED(CRIER_EINVAL, event.id, S(""));
    REFUSED(CRIER_EINVAL, event.flags, CRIER_ID);
    REFUSED(CRIER_EINVAL, event.flags, CRIER_RETRY); /* of 0 ms */
    REFUSED(CRIER_EINVAL, event,
            (struct crier_event){.retry_ms = 3600001, .flags = CRIER_RETRY});
    REFUSED(CRIER_EINVAL, ttl_ms, 999);
    REFUSED(CRIER_EINVAL, ttl_ms, CRIER_OFF);
    REFUSED(CRIER_EINVAL, key, S(""));
    REFUSED(CRIER_EINVAL, key, S("a\tb"));
    REFUSED(CRIER_EINVAL, key, (struct crier_slice){long_key, 129});
    assert_int_equal(crier_hub_publish(hub, NULL, &(struct crier_event){.flags = 0}, NULL),
                     CRIER_EINVAL);
    assert_int_equal(crier_hub_publish(hub, "a", NULL, NULL), CRIER_EINVAL);
    assert_int_equal(crier_hub_publish_with(hub, NULL, NULL), CRIER_EINVAL);
    assert_int_equal(crier_hub_publishf(hub, "a", "crier:x", "x"), CRIER_EINVAL);
    assert_int_equal(crier_hub_publishf(hub, "a", NULL, "%s", "\xff"), CRIER_EILSEQ);
    crier_hub_free(hub);
}

/* The limit is of the encoded event with the longest id. */
static void size_limit(void **state)
{
    struct crier_hub *hub = crier_hub_new(.max_event_bytes = 2000);
    char *data = malloc(2000);
    size_t most = 2000 - sizeof("data: \n\n") + 1 - sizeof("id: \n") - CRIER_ID_TEXT;
    struct crier_publication p = fine();

    assert_non_null(data);
    memset(data, 'x', 2000);
    p.event.data = (struct crier_slice){data, most};
    assert_int_equal(crier_hub_publish_with(hub, &p, NULL), 0);
    p.event.data.len++;
    assert_refused(hub, p, CRIER_EMSGSIZE);
    /* Of many short lines it is what they become that counts. */
    memset(data, '\n', 2000);
    p.event.data.len = 300;
    assert_refused(hub, p, CRIER_EMSGSIZE);
    free(data);
    crier_hub_free(hub);
}

/* The servers of the hub are too far behind: try again. */
static void would_block(void **state)
{
    struct crier_hub *hub = crier_hub_new(.history_events = 1, .unread_bytes = 1 << 20,
                                          .history_bytes = 1 << 20, .lap_ms = INT64_MAX);
    struct crier_cursor cursor = {.journal = NULL};
    struct crier_publication p = fine();
    char *data = malloc(1 << 19);
    int r = 0, count = 0;

    assert_non_null(data);
    memset(data, 'x', 1 << 19);
    p.event.data = (struct crier_slice){data, 1 << 19};
    assert_int_equal(crier_journal_attach(hub->journal, &cursor), 0);
    while ((r = crier_hub_publish_with(hub, &p, NULL)) == 0)
        assert_true(++count < 200);
    assert_int_equal(r, CRIER_EWOULDBLOCK);
    assert_refused(hub, p, CRIER_EWOULDBLOCK);
    crier_journal_detach(&cursor);
    assert_int_equal(crier_hub_publish_with(hub, &p, NULL), 0);
    free(data);
    crier_hub_free(hub);
}

/* The same key on the same topic: the first one's receipt, until it is forgotten. */
static void keys(void **state)
{
    struct test_clock clock;
    struct crier_publication p = fine();
    struct crier_receipt first, again;
    struct crier_hub_stats stats;

    test_clock_init(&clock);
    struct crier_hub *hub = crier_hub_new(.clock = &clock.clock, .key_age_ms = 5000);
    p.key = S("k");
    assert_int_equal(crier_hub_publish_with(hub, &p, &first), 0);
    assert_false(first.duplicate);
    p.event.data = S("other");
    assert_int_equal(crier_hub_publish_with(hub, &p, &again), 0);
    assert_true(again.duplicate);
    assert_ids_equal(first.id, again.id);
    p.topic = S("b");
    assert_int_equal(crier_hub_publish_with(hub, &p, &again), 0);
    assert_false(again.duplicate);
    assert_int_equal(crier_hub_stats(hub, &stats), 0);
    assert_int_equal(stats.published, 2);
    assert_int_equal(stats.duplicates, 1);
    test_clock_advance(&clock, 5001);
    assert_int_equal(crier_hub_publish_with(hub, &p, &again), 0);
    assert_false(again.duplicate);
    crier_hub_free(hub);
}

/* An event leaves history after its ttl; who follows has got it. */
static void ttl(void **state)
{
    struct test_clock clock;
    struct crier_publication p = fine();
    struct crier_hub_stats stats;

    test_clock_init(&clock);
    struct crier_hub *hub = crier_hub_new(.clock = &clock.clock);
    p.ttl_ms = 2000;
    assert_int_equal(crier_hub_publish_with(hub, &p, NULL), 0);
    struct crier_reader *in_time = crier_reader_new(hub, .selector = "a", .since = "earliest");
    test_next(in_time, "x");
    test_clock_advance(&clock, 2001);
    struct crier_reader *late = crier_reader_new(hub, .selector = "a", .since = "earliest");
    assert_empty(late);
    assert_int_equal(crier_hub_stats(hub, &stats), 0);
    assert_int_equal(stats.events, 0);
    assert_int_equal(stats.expired, 1);
    crier_reader_free(in_time);
    crier_reader_free(late);
    crier_hub_free(hub);
}

/* printf, on the stack and beyond it. */
static void formatted(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_reader *reader = crier_reader_new(hub, .selector = "a");
    struct crier_message m;

    assert_int_equal(crier_hub_publishf(hub, "a", NULL, "%d of %s", 7, "9"), 0);
    assert_slice_is(test_next(reader, "7 of 9").event.type, "message");
    for (int len = 1020; len < 1030; len++) {
        assert_int_equal(crier_hub_publishf(hub, "a", "t", "%0*d", len, 5), 0);
        assert_int_equal(crier_reader_next(reader, &m), 0);
        assert_int_equal(m.event.data.len, len);
        assert_int_equal(m.event.data.data[len - 1], '5');
        assert_slice_is(m.event.type, "t");
    }
    assert_int_equal(crier_hub_publishf(hub, "a", "", "x"), 0);
    assert_slice_is(test_next(reader, "x").event.type, "message");
    crier_reader_free(reader);
    crier_hub_free(hub);
}

struct submitted {
    struct crier_hub *hub;
    int calls;
    struct crier_receipt receipt;
};

static void on_done(int result, const struct crier_receipt *receipt, void *ctx)
{
    struct submitted *s = ctx;

    assert_int_equal(result, 0);
    assert_non_null(receipt);
    s->receipt = *receipt;
    /* The hub may be used in here. */
    if (s->calls++ == 0)
        assert_int_equal(crier_hub_publishf(s->hub, "b", NULL, "inside"), 0);
}

/* done comes exactly once, and not for what was refused. */
static void submit(void **state)
{
    struct submitted s = {.hub = crier_hub_new()};
    struct crier_publication p = fine();
    struct crier_hub_stats stats;

    p.key = S("k");
    assert_int_equal(crier_hub_submit(s.hub, &p, on_done, &s), 0);
    assert_int_equal(s.calls, 1);
    assert_false(s.receipt.duplicate);
    assert_int_equal(crier_hub_submit(s.hub, &p, on_done, &s), 0);
    assert_int_equal(s.calls, 2);
    assert_true(s.receipt.duplicate);
    p.ttl_ms = 1;
    assert_int_equal(crier_hub_submit(s.hub, &p, on_done, &s), CRIER_EINVAL);
    assert_int_equal(s.calls, 2);
    p.ttl_ms = 0;
    p.key = S("l");
    assert_int_equal(crier_hub_submit(s.hub, &p, NULL, NULL), 0);
    assert_int_equal(crier_hub_stats(s.hub, &stats), 0);
    assert_int_equal(stats.published, 3);
    crier_hub_free(s.hub);
}

/* A publication of an older release has no key at its end. */
static void older_publication(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_publication p = fine();

    p.key = S("not\tvalid");
    p.size = offsetof(struct crier_publication, key);
    assert_int_equal(crier_hub_publish_with(hub, &p, NULL), 0);
    p.size = 0;
    assert_int_equal(crier_hub_publish_with(hub, &p, NULL), CRIER_EINVAL);
    crier_hub_free(hub);
}

static int publish_large(const struct crier_mem *mem, void *ctx)
{
    struct crier_hub *hub = crier_hub_new(.mem = mem);
    struct crier_publication p = fine();
    struct crier_hub_stats stats = {.published = 0};
    char data[3000];
    int r = CRIER_ENOMEM;

    memset(data, 'x', sizeof(data));
    p.event.data = (struct crier_slice){data, sizeof(data)};
    p.key = S("k");
    p.ttl_ms = 5000;
    if (hub) {
        r = crier_hub_publish_with(hub, &p, NULL);
        assert_int_equal(crier_hub_stats(hub, &stats), 0);
        assert_int_equal(stats.published, r == 0);
    }
    crier_hub_free(hub);
    return r;
}

static void out_of_memory(void **state)
{
    assert_true(test_mem_torture(publish_large, NULL) > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),
        cmocka_unit_test(refusals),
        cmocka_unit_test(size_limit),
        cmocka_unit_test(would_block),
        cmocka_unit_test(keys),
        cmocka_unit_test(ttl),
        cmocka_unit_test(formatted),
        cmocka_unit_test(submit),
        cmocka_unit_test(older_publication),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
