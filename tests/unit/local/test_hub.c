/* SPDX-License-Identifier: MIT */
#include "local_support.h"

/* Limits that are negative, CRIER_OFF too, make no hub; NULL and 0 mean the defaults. */
static void options(void **state)
{
    static const struct crier_hub_options bad[] = {
        {.history_events = -2},         {.history_bytes = CRIER_OFF},
        {.history_age_ms = CRIER_OFF},  {.keep_bytes = -1},
        {.unread_bytes = -1},           {.lap_ms = -1},
        {.max_event_bytes = -1},        {.max_keys = -1},
        {.key_age_ms = INT64_MIN},      {.max_floors = -1},
        {.max_event_bytes = INT64_MAX},
    };
    struct crier_hub *hub = crier_hub_new_with(NULL);

    assert_non_null(hub);
    assert_int_equal(hub->limits.max_events, 100000);
    assert_int_equal(hub->limits.max_event_bytes, 1 << 20);
    assert_null(crier_hub_free(hub));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(crier_hub_new_with(&bad[i]));
    hub = crier_hub_new(.history_events = 7, .max_floors = 3);
    assert_int_equal(hub->limits.max_events, 7);
    assert_int_equal(hub->limits.max_floors, 3);
    crier_hub_free(hub);
}

/* Of options of an older release only as much is read as it had. */
static void older_options(void **state)
{
    struct crier_hub_options o = {.history_events = 7, .history_bytes = -5};

    o.size = offsetof(struct crier_hub_options, history_bytes);
    struct crier_hub *hub = crier_hub_new_with(&o);
    assert_non_null(hub);
    assert_int_equal(hub->limits.max_events, 7);
    crier_hub_free(hub);
    o.size = sizeof(o) + 64; /* a later one's: the rest is not known here */
    assert_null(crier_hub_new_with(&o));
    o.history_bytes = 0;
    hub = crier_hub_new_with(&o);
    assert_non_null(hub);
    crier_hub_free(hub);
}

/* A program of 0.2 may say 0, and has nothing where later options are. */
static void oldest_options(void **state)
{
    enum { SIZE_0_2 = offsetof(struct crier_hub_options, dir) };
    const struct crier_hub_options wish = {.history_events = 7, .max_floors = 3};
    void *o = malloc(SIZE_0_2);

    assert_non_null(o);
    memcpy(o, &wish, SIZE_0_2);
    struct crier_hub *hub = crier_hub_new_with(o);
    assert_non_null(hub);
    assert_string_equal(crier_hub_error(hub), "");
    assert_int_equal(hub->limits.max_events, 7);
    assert_int_equal(hub->limits.max_floors, 3);
    crier_hub_free(hub);
    free(o);
}

static void assert_refused(struct crier_hub *hub, int error, const char *words)
{
    struct crier_event event = test_event("x");
    struct crier_publication p = {.topic = CRIER_SLICE("a"), .event = event};
    struct crier_hub_stats stats;
    struct crier_message message;

    assert_non_null(hub);
    assert_non_null(strstr(crier_hub_error(hub), words));
    assert_int_equal(crier_hub_publish(hub, "a", &event, NULL), error);
    assert_int_equal(crier_hub_publishf(hub, "a", NULL, "%d", 1), error);
    assert_int_equal(crier_hub_publish_with(hub, &p, NULL), error);
    assert_int_equal(crier_hub_submit(hub, &p, NULL, NULL), error);
    assert_int_equal(crier_hub_forget(hub, p.topic), error);
    assert_int_equal(crier_hub_topics(hub, p.topic, p.topic, 0, NULL, NULL), error);
    assert_int_equal(crier_hub_stats(hub, &stats), error);

    struct crier_reader *reader = crier_reader_new(hub, .selector = "a");
    assert_non_null(reader);
    crier_hub_free(hub); /* the reader has it */
    assert_int_equal(crier_reader_next(reader, &message), error);
    assert_non_null(strstr(crier_reader_error(reader), words));
    assert_true(test_readable(crier_reader_fd(reader)));
    assert_null(crier_reader_free(reader));
}

/* Where a folder was meant, what is wrong is told in words. */
static void options_for_a_disk(void **state)
{
    static const char *const rules[] = {"a=10", "no rule"};
    const int bad = CRIER_EINVAL;

    assert_refused(crier_hub_new(.dir = ""), bad, ".dir is empty");
    assert_refused(crier_hub_new(.sync = "always"), bad, "with .dir");
    assert_refused(crier_hub_new(.retain = rules, .retain_count = 1), bad, "with .dir");
    assert_refused(crier_hub_new(.file_bytes = 1), bad, "with .dir");
    assert_refused(crier_hub_new(.window_bytes = 1), bad, "with .dir");
    assert_refused(crier_hub_new(.replay_bytes = 1), bad, "with .dir");
    assert_refused(crier_hub_new(.pending_bytes = 1), bad, "with .dir");
    assert_refused(crier_hub_new(.dir = "/d", .pending_bytes = -1), bad, "negative");
    assert_refused(crier_hub_new(.dir = "/d", .history_events = CRIER_OFF), bad, "negative");
    assert_refused(crier_hub_new(.dir = "/d", .file_bytes = -1), bad, ".file_bytes");
    assert_refused(crier_hub_new(.dir = "/d", .sync = "often"), bad, "\"often\": 'sync' is");
    assert_refused(crier_hub_new(.dir = "/d", .retain = rules, .retain_count = 2), bad,
                   ".retain has \"no rule\": ");
    assert_string_equal(crier_hub_error(NULL), crier_strerror(CRIER_ENOMEM));
}

#ifndef CRIER_WITH_LMDB
static void without_disks(void **state)
{
    assert_refused(crier_hub_new(.dir = "/nowhere"), CRIER_ENOTSUP,
                   "/nowhere: this libcrier was built without journals on disk");
    assert_true(access("/nowhere", F_OK) < 0);
}
#endif

/* Out of memory, there is no hub, not even to say so. */
static int make_refused(const struct crier_mem *mem, void *ctx)
{
    struct crier_hub *hub = crier_hub_new(.mem = mem, .dir = "/d", .sync = "often");

    (void)ctx;
    if (!hub)
        return CRIER_ENOMEM;
    assert_non_null(strstr(crier_hub_error(hub), "often"));
    crier_hub_free(hub);
    return 0;
}

static void refused_without_memory(void **state)
{
    assert_true(test_mem_torture(make_refused, NULL) > 2);
}

static void null_handles(void **state)
{
    struct crier_event event = test_event("x");
    struct crier_publication p = {.topic = CRIER_SLICE("a"), .event = event};
    struct crier_receipt receipt;
    struct crier_message message;
    struct crier_hub_stats stats;

    assert_null(crier_hub_free(NULL));
    assert_null(crier_hub_ref(NULL));
    assert_int_equal(crier_hub_publish(NULL, "a", &event, &receipt), CRIER_ENOMEM);
    assert_int_equal(crier_hub_publishf(NULL, "a", NULL, "%d", 1), CRIER_ENOMEM);
    assert_int_equal(crier_hub_publish_with(NULL, &p, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_hub_submit(NULL, &p, NULL, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_hub_forget(NULL, p.topic), CRIER_ENOMEM);
    assert_int_equal(crier_hub_topics(NULL, p.topic, p.topic, 0, NULL, NULL), CRIER_ENOMEM);
    assert_int_equal(crier_hub_stats(NULL, &stats), CRIER_ENOMEM);
    assert_null(crier_reader_new(NULL, .selector = "a"));
    assert_null(crier_reader_free(NULL));
    assert_int_equal(crier_reader_next(NULL, &message), CRIER_ENOMEM);
    assert_int_equal(crier_reader_fd(NULL), CRIER_ENOMEM);
    assert_ids_equal(crier_reader_position(NULL), (struct crier_id){0, 0});
    assert_non_null(crier_reader_error(NULL));
}

/* What the counters count; a smaller struct gets its part, a larger one zeros. */
static void stats(void **state)
{
    struct crier_hub *hub = crier_hub_new(.history_events = 2);
    struct {
        struct crier_hub_stats stats;
        uint64_t later;
    } s = {.later = 5};

    assert_int_equal(crier_hub_stats(hub, &s.stats), 0);
    assert_int_equal(s.stats.events, 0);
    assert_int_equal(s.later, 5);
    test_publish(hub, "a", NULL, "1");
    struct crier_id second = test_publish(hub, "a", NULL, "2");
    struct crier_id third = test_publish(hub, "a", NULL, "3");
    assert_int_equal(crier_hub_stats_with(hub, sizeof(s), &s.stats), 0);
    assert_int_equal(s.later, 0);
    assert_int_equal(s.stats.events, 2);
    assert_int_equal(s.stats.topics, 1);
    assert_int_equal(s.stats.published, 3);
    assert_int_equal(s.stats.evicted, 1);
    assert_true(s.stats.bytes > 0);
    assert_ids_equal(s.stats.first, second);
    assert_ids_equal(s.stats.last, third);
    assert_int_equal(crier_hub_forget(hub, CRIER_SLICE("a")), 0);
    s.stats.topics = 99;
    assert_int_equal(
        crier_hub_stats_with(hub, offsetof(struct crier_hub_stats, topics), &s.stats), 0);
    assert_int_equal(s.stats.events, 0);
    assert_int_equal(s.stats.topics, 99);
    assert_int_equal(crier_hub_forget(hub, CRIER_SLICE("never seen")), 0);
    assert_int_equal(crier_hub_forget(hub, CRIER_SLICE("a/*")), CRIER_EINVAL);
    assert_int_equal(crier_hub_stats(hub, &s.stats), 0);
    assert_int_equal(s.stats.forgotten, 2);
    crier_hub_free(hub);
}

struct names {
    char text[4000];
    size_t stop_after;
};

static bool note_name(void *ctx, const struct crier_topic_info *info)
{
    struct names *names = ctx;

    assert_terminated(info->name);
    assert_true(info->events > 0 && info->bytes > 0);
    strncat(names->text, info->name.data, sizeof(names->text) - strlen(names->text) - 1);
    strncat(names->text, " ", 2);
    return names->stop_after == 0 || --names->stop_after > 0;
}

static void assert_topics(struct crier_hub *hub,
                          const char *prefix,
                          const char *after,
                          size_t limit,
                          const char *expected)
{
    struct names names = {.text = ""};
    int expected_count = 0;

    for (const char *at = expected; *at; at++)
        expected_count += *at == ' ';
    assert_int_equal(crier_hub_topics(hub, crier_slice_of(prefix), crier_slice_of(after), limit,
                                      note_name, &names),
                     expected_count);
    assert_string_equal(names.text, expected);
}

/* By name, with a prefix, page by page, as far as fn goes. */
static void topics(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct names names = {.text = "", .stop_after = 2};

    assert_topics(hub, "", "", 0, "");
    test_publish(hub, "b/1", NULL, "x");
    test_publish(hub, "b", NULL, "x");
    test_publish(hub, "a", NULL, "x");
    test_publish(hub, "b/2", NULL, "x");
    test_publish(hub, "b/1", NULL, "y");
    assert_topics(hub, NULL, NULL, 0, "a b b/1 b/2 ");
    assert_topics(hub, "b/", "", 0, "b/1 b/2 ");
    assert_topics(hub, "b", "b", 0, "b/1 b/2 ");
    assert_topics(hub, "", "a", 2, "b b/1 ");
    assert_topics(hub, "", "b/2", 2, "");
    assert_topics(hub, "", "", SIZE_MAX, "a b b/1 b/2 ");
    assert_int_equal(
        crier_hub_topics(hub, CRIER_SLICE(""), CRIER_SLICE(""), 3, note_name, &names), 2);
    for (int i = 0; i < 120; i++) {
        char name[16];
        snprintf(name, sizeof(name), "many/%d", i);
        test_publish(hub, name, NULL, "x");
    }
    names = (struct names){.text = ""};
    assert_int_equal(
        crier_hub_topics(hub, CRIER_SLICE(""), CRIER_SLICE(""), 0, note_name, &names), 100);
    crier_hub_free(hub);
}

struct lister {
    struct crier_hub *hub;
    int told;
};

static bool call_the_hub(void *ctx, const struct crier_topic_info *info)
{
    struct lister *lister = ctx;
    struct crier_hub_stats stats;

    lister->told++;
    assert_int_equal(info->name.data[info->name.len], '\0');
    assert_int_equal(crier_hub_publishf(lister->hub, "a/told", NULL, "%s", info->name.data), 0);
    assert_int_equal(crier_hub_forget(lister->hub, info->name), 0);
    assert_int_equal(crier_hub_stats(lister->hub, &stats), 0);
    return true;
}

/* Invariant: the hub may be called inside its own listing (under its mutex it would wait for
 * itself), and each topic is told once. */
static void topics_while_listing(void **state)
{
    struct lister lister = {crier_hub_new(), 0};

    for (int i = 0; i < 50; i++) {
        char name[16];

        snprintf(name, sizeof(name), "b/%d", i);
        test_publish(lister.hub, name, NULL, "x");
    }
    assert_int_equal(crier_hub_topics(lister.hub, CRIER_SLICE("b/"), CRIER_SLICE(""), 1000,
                                      call_the_hub, &lister),
                     50);
    assert_int_equal(lister.told, 50);
    assert_topics(lister.hub, "", "", 0, "a/told ");
    crier_hub_free(lister.hub);
}

/* History ages by whoever calls, on the clock that was handed in. */
static void ages(void **state)
{
    struct test_clock clock;
    struct crier_hub_stats s;

    test_clock_init(&clock);
    struct crier_hub *hub = crier_hub_new(.clock = &clock.clock, .history_age_ms = 10000);
    struct crier_reader *reader = crier_reader_new(hub, .selector = "a");
    test_publish(hub, "a", NULL, "1");
    test_clock_advance(&clock, 6000);
    test_publish(hub, "a", NULL, "2");
    test_clock_advance(&clock, 5000);
    assert_int_equal(crier_hub_stats(hub, &s), 0);
    assert_int_equal(s.events, 1);
    test_clock_advance(&clock, 4000);
    assert_topics(hub, "", "", 0, "a ");
    assert_int_equal(crier_hub_stats(hub, &s), 0);
    assert_int_equal(s.events, 1);
    test_clock_advance(&clock, 1001);
    assert_topics(hub, "", "", 0, "");
    /* A reader lets it age as well: its first call comes upon the gap. */
    test_publish(hub, "b", NULL, "3");
    struct crier_reader *other = crier_reader_new(hub, .selector = "b");
    test_clock_advance(&clock, 10001);
    assert_empty(other);
    assert_int_equal(crier_memory_of(hub->journal)->events, 0);
    crier_reader_free(other);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

static int make_and_use(const struct crier_mem *mem, void *ctx)
{
    struct crier_hub *hub = crier_hub_new(.mem = mem);
    int r = hub ? crier_hub_publishf(hub, "a", "t", "%01500d", 7) : CRIER_ENOMEM;

    crier_hub_free(hub);
    return r;
}

static void out_of_memory(void **state)
{
    assert_true(test_mem_torture(make_and_use, NULL) > 5);
}

/* Two hubs do not know each other: other hashes, other ids, other events. */
static void two_hubs(void **state)
{
    struct crier_hub *one = crier_hub_new(), *two = crier_hub_new();
    struct crier_reader *reader = crier_reader_new(two, .selector = "a");

    assert_true(one->hash_key.k0 != two->hash_key.k0);
    test_publish(one, "a", NULL, "x");
    assert_empty(reader);
    crier_hub_free(one);
    test_publish(two, "a", NULL, "y");
    test_next(reader, "y");
    crier_reader_free(reader);
    crier_hub_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options),
        cmocka_unit_test(older_options),
        cmocka_unit_test(null_handles),
        cmocka_unit_test(stats),
        cmocka_unit_test(topics),
        cmocka_unit_test(topics_while_listing),
        cmocka_unit_test(ages),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(two_hubs),
        cmocka_unit_test(oldest_options),
        cmocka_unit_test(options_for_a_disk),
        cmocka_unit_test(refused_without_memory),
#ifndef CRIER_WITH_LMDB
        cmocka_unit_test(without_disks),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
