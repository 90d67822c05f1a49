/* SPDX-License-Identifier: MIT */
#include "local_support.h"

#include <fcntl.h>
#include <sys/resource.h>

static struct crier_reader *
open_reader(struct crier_hub *hub, const char *selector, const char *since)
{
    struct crier_reader *reader = crier_reader_new(hub, .selector = selector, .since = since);

    assert_non_null(reader);
    assert_string_equal(crier_reader_error(reader), "");
    return reader;
}

/* What a new reader gets, as the data of its events with a space behind each; "GAP:reason:oldest "
 * for a gap (the oldest's data follows anyway). */
static void assert_reads_with(struct crier_hub *hub,
                              struct crier_reader_options options,
                              const char *expected)
{
    struct crier_reader *reader;
    struct crier_message m;
    char text[2000] = "";
    int r;

    options.size = sizeof(options);
    reader = crier_reader_new_with(hub, &options);
    assert_non_null(reader);
    assert_string_equal(crier_reader_error(reader), "");
    while ((r = crier_reader_next(reader, &m)) != CRIER_EMPTY) {
        size_t at = strlen(text), left = sizeof(text) - at;
        assert_true(r == 0 || r == CRIER_GAP);
        if (r == 0)
            snprintf(text + at, left, "%s ", m.event.data.data);
        else
            snprintf(text + at, left, "GAP:%s%s ", m.gap.reason, m.gap.has_oldest ? "+" : "");
        assert_ids_equal(crier_reader_position(reader), m.id);
    }
    assert_string_equal(text, expected);
    crier_reader_free(reader);
}

#define assert_reads(hub, expected, ...)                                                       \
    assert_reads_with(hub, (struct crier_reader_options){__VA_ARGS__}, expected)

/* One topic, several, patterns, types; each event once and in order. */
static void selectors(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    const char *const two[] = {"b", "a"}, *const mixed[] = {"a", "x/**", "*"};
    const char *const typed[] = {"t", "u"}, *const untyped[] = {"message"},
                      *const empty[] = {""};

    test_publish(hub, "a", NULL, "1");
    test_publish(hub, "b", "t", "2");
    test_publish(hub, "x/y", "u", "3");
    test_publish(hub, "x/y/z", NULL, "4");
    test_publish(hub, "a", "t", "5");
    assert_reads(hub, "1 5 ", .selector = "a", .since = "earliest");
    assert_reads(hub, "", .selector = "none", .since = "earliest");
    assert_reads(hub, "1 2 5 ", .selectors = two, .selector_count = 2, .since = "earliest");
    assert_reads(hub, "1 2 4 5 ", .selector = "x/y/z", .selectors = two, .selector_count = 2,
                 .since = "earliest");
    assert_reads(hub, "3 4 ", .selector = "x/**", .since = "earliest");
    assert_reads(hub, "3 ", .selector = "*/y", .since = "earliest");
    assert_reads(hub, "1 2 3 4 5 ", .selectors = mixed, .selector_count = 3,
                 .since = "earliest");
    assert_reads(hub, "2 3 5 ", .selector = "**", .types = typed, .type_count = 2,
                 .since = "earliest");
    assert_reads(hub, "1 4 ", .selector = "**", .types = untyped, .type_count = 1,
                 .since = "earliest");
    assert_reads(hub, "1 4 ", .selector = "**", .types = empty, .type_count = 1,
                 .since = "earliest");
    crier_hub_free(hub);
}

/* Each form of since, and what wins. */
static void starts(void **state)
{
    struct test_clock clock;
    char id[CRIER_ID_TEXT + 1] = "";

    test_clock_init(&clock);
    struct crier_hub *hub = crier_hub_new(.clock = &clock.clock);
    test_publish(hub, "a", NULL, "1");
    test_clock_advance(&clock, 60000);
    crier_id_format(test_publish(hub, "a", NULL, "2"), id);
    test_publish(hub, "b", NULL, "3");
    test_clock_advance(&clock, 30000);
    test_publish(hub, "a", NULL, "4");
    assert_reads(hub, "", .selector = "**");
    assert_reads(hub, "", .selector = "**", .since = "now");
    assert_reads(hub, "", .selector = "**", .since = "");
    assert_reads(hub, "1 2 3 4 ", .selector = "**", .since = "earliest");
    assert_reads(hub, "2 4 ", .selector = "a", .since = "last:2");
    assert_reads(hub, "1 2 3 4 ", .selector = "**", .since = "last:1000");
    assert_reads(hub, "3 4 ", .selector = "**", .since = "latest");
    assert_reads(hub, "4 ", .selector = "a", .since = "latest");
    assert_reads(hub, "", .selector = "c", .since = "latest");
    assert_reads(hub, "4 ", .selector = "**", .since = "29s");
    assert_reads(hub, "2 3 4 ", .selector = "**", .since = "30s");
    assert_reads(hub, "1 2 3 4 ", .selector = "**", .since = "7d");
    assert_reads(hub, "2 3 4 ", .selector = "**", .since = "2026-01-31T12:00:30Z");
    assert_reads(hub, "", .selector = "**", .since = "2026-01-31T12:10:00Z");
    assert_reads(hub, "3 4 ", .selector = "**", .since = id);
    assert_reads(hub, "3 4 ", .selector = "**", .last_id = id);
    assert_reads(hub, "3 4 ", .selector = "**", .last_id = id, .since = "earliest");
    assert_reads(hub, "4 ", .selector = "**", .last_id = "", .since = "last:1");
    assert_reads(hub, "1 2 3 4 ", .selector = "**", .since = "0-0");
    crier_hub_free(hub);
}

/* The newest of each topic first, then what comes, once, also what came while they were read. */
static void latest_then_live(void **state)
{
    struct crier_hub *hub = crier_hub_new(.history_events = 3);
    struct crier_reader *reader;

    test_publish(hub, "quiet", NULL, "1");
    for (int i = 2; i < 10; i++)
        assert_int_equal(crier_hub_publishf(hub, "busy", NULL, "%d", i), 0);
    reader = open_reader(hub, "**", "latest");
    test_publish(hub, "busy", NULL, "10");
    test_next(reader, "1");
    test_publish(hub, "quiet", NULL, "11");
    test_next(reader, "9");
    test_next(reader, "10");
    test_next(reader, "11");
    assert_empty(reader);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* A gap at the start is told first, and once; with the oldest event to go on with. */
static void gaps_at_the_start(void **state)
{
    struct crier_hub *hub = crier_hub_new(.history_events = 3), *other = crier_hub_new();
    char first[CRIER_ID_TEXT + 1] = "", third[CRIER_ID_TEXT + 1] = "",
                               foreign[CRIER_ID_TEXT + 1] = "";
    struct crier_id ids[6];
    struct crier_message m;

    for (int i = 0; i < 6; i++)
        ids[i] =
            test_publish(hub, "a", NULL, (const char *[]){"1", "2", "3", "4", "5", "6"}[i]);
    crier_id_format(ids[0], first);
    crier_id_format(ids[2], third);
    struct crier_id id = test_publish(other, "a", NULL, "x");
    id.seq = ids[0].seq >= 5000000 ? 10000 : 9990000; /* of another life */
    crier_id_format(id, foreign);

    assert_reads(hub, "GAP:evicted+ 4 5 6 ", .selector = "a", .last_id = first);
    assert_reads(hub, "GAP:evicted+ 4 5 6 ", .selector = "a", .since = first);
    assert_reads(hub, "4 5 6 ", .selector = "a", .last_id = third);
    assert_reads(hub, "", .selector = "b", .last_id = first);
    assert_reads(hub, "GAP:unknown+ 4 5 6 ", .selector = "a", .last_id = "yesterday");
    assert_reads(hub, "GAP:unknown+ 4 5 6 ", .selector = "a", .last_id = foreign);
    assert_reads(hub, "GAP:unknown+ 4 5 6 ", .selector = "a", .last_id = "99999999999999-0");
    assert_reads(hub, "GAP:unknown ", .selector = "b", .last_id = "x");
    assert_reads(hub, "4 5 6 ", .selector = "a", .since = "earliest");

    struct crier_reader *reader = crier_reader_new(hub, .selector = "a", .last_id = first);
    assert_ids_equal(crier_reader_position(reader), ids[0]); /* so that it is told again */
    assert_int_equal(crier_reader_next(reader, &m), CRIER_GAP);
    assert_string_equal(m.gap.reason, "evicted");
    assert_true(m.gap.has_oldest);
    assert_ids_equal(m.gap.oldest, ids[3]);
    assert_ids_equal(crier_reader_position(reader), ids[2]);
    test_next(reader, "4");
    crier_reader_free(reader);
    crier_hub_free(other);
    crier_hub_free(hub);
}

/* Who falls behind history is told so where the gap is; DELETE is a gap, too. */
static void lags(void **state)
{
    struct crier_hub *hub = crier_hub_new(.history_events = 2);
    struct crier_reader *reader = open_reader(hub, "a", NULL);
    struct crier_message m;

    test_publish(hub, "a", NULL, "1");
    test_next(reader, "1");
    for (int i = 2; i < 6; i++)
        assert_int_equal(crier_hub_publishf(hub, "a", NULL, "%d", i), 0);
    assert_int_equal(crier_reader_next(reader, &m), CRIER_GAP);
    assert_string_equal(m.gap.reason, "lagged");
    assert_true(m.gap.has_oldest);
    assert_ids_equal(test_next(reader, "4").id, m.gap.oldest);
    test_next(reader, "5");
    assert_empty(reader);
    /* Others' losses are none of its business. */
    for (int i = 0; i < 10; i++)
        test_publish(hub, "b", NULL, "x");
    assert_empty(reader);
    test_publish(hub, "a", NULL, "6");
    assert_int_equal(crier_hub_forget(hub, CRIER_SLICE("a")), 0);
    assert_int_equal(crier_reader_next(reader, &m), CRIER_GAP);
    assert_string_equal(m.gap.reason, "lagged");
    assert_false(m.gap.has_oldest);
    assert_empty(reader);
    test_publish(hub, "a", NULL, "7");
    test_next(reader, "7");
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* What was read ahead is handed out, whatever became of it. */
static void read_ahead(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_reader *reader = open_reader(hub, "a", NULL);

    test_publish(hub, "a", NULL, "1");
    struct crier_id last = test_publish(hub, "a", NULL, "2");
    struct crier_message m = test_next(reader, "1");
    assert_int_equal(crier_hub_forget(hub, CRIER_SLICE("a")), 0);
    assert_slice_is(m.event.data,
                    "1"); /* until the reader's next call, whatever the hub does */
    assert_ids_equal(test_next(reader, "2").id, last);
    assert_empty(reader);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* Its position is where another reader can go on. */
static void goes_on_elsewhere(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_reader *reader = open_reader(hub, "a", NULL);
    char id[CRIER_ID_TEXT + 1] = "";

    for (int i = 0; i < 5; i++) {
        assert_int_equal(crier_hub_publishf(hub, "a", NULL, "%d", i), 0);
        test_publish(hub, "b", NULL, "x");
    }
    for (int i = 0; i < 5; i++) {
        char data[2] = {(char)('0' + i), 0};

        id[crier_id_format(crier_reader_position(reader), id)] = '\0';
        crier_reader_free(reader);
        reader = crier_reader_new(hub, .selector = "a", .last_id = id);
        test_next(reader, data);
    }
    assert_empty(reader);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

static void
assert_invalid(struct crier_hub *hub, struct crier_reader_options options, int error)
{
    struct crier_message message = {.time_ms = 7};
    struct crier_reader *reader = crier_reader_new_with(hub, &options);

    assert_non_null(reader);
    assert_int_equal(crier_reader_next(reader, &message), error);
    assert_int_equal(crier_reader_next(reader, &message), error);
    assert_int_equal(message.time_ms, 7);
    assert_true(strlen(crier_reader_error(reader)) > 10);
    assert_true(test_readable(crier_reader_fd(reader)));
    assert_ids_equal(crier_reader_position(reader), (struct crier_id){0, 0});
    crier_reader_free(reader);
}

#define INVALID(error, ...)                                                                    \
    assert_invalid(hub, (struct crier_reader_options){__VA_ARGS__}, error)

/* Bad options make a reader that says what is wrong. */
static void invalid_options(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    const char *many[101], *patterns[11], *const none[] = {NULL}, *const lines[] = {"a\nb"};
    char names[101][8], wild[11][8];

    for (int i = 0; i < 101; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        many[i] = names[i];
    }
    for (int i = 0; i < 11; i++) {
        snprintf(wild[i], sizeof(wild[i]), "t%d/*", i);
        patterns[i] = wild[i];
    }
    assert_invalid(hub, (struct crier_reader_options){.size = 0}, CRIER_EINVAL);
    INVALID(CRIER_EINVAL, .selector = "");
    INVALID(CRIER_EINVAL, .selector = "a//b");
    INVALID(CRIER_EINVAL, .selector = "a*");
    INVALID(CRIER_EINVAL, .selector = "\xff");
    INVALID(CRIER_EINVAL, .selector = "a", .selectors = none, .selector_count = 1);
    INVALID(CRIER_EINVAL, .selector = "a", .since = "yesterday");
    INVALID(CRIER_EINVAL, .selector = "a", .since = "last:0");
    INVALID(CRIER_EINVAL, .selector = "a", .types = lines, .type_count = 1);
    INVALID(CRIER_E2BIG, .selectors = many, .selector_count = 101);
    INVALID(CRIER_E2BIG, .selector = "a", .selectors = many, .selector_count = 100);
    INVALID(CRIER_E2BIG, .selectors = patterns, .selector_count = 11);
    INVALID(CRIER_E2BIG, .selector = "a", .types = many, .type_count = 101);
    assert_reads(hub, "", .selectors = many, .selector_count = 100);
    assert_reads(hub, "", .selectors = patterns, .selector_count = 10);
    assert_reads(hub, "", .selector = "a", .types = many, .type_count = 100);

    struct crier_reader *reader = crier_reader_new_with(hub, NULL);
    struct crier_message message;
    assert_int_equal(crier_reader_next(reader, &message), CRIER_EINVAL);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* The options are copied: what they pointed at may be gone. Those of an older release end
 * earlier. */
static void options_are_copied(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    char selector[] = "aaaa", type[] = "tttt";
    const char *types[] = {type};
    struct crier_reader_options o = {
        .selector = selector, .types = types, .type_count = 1, .since = "not valid"};

    o.size = offsetof(struct crier_reader_options, since);
    struct crier_reader *reader = crier_reader_new_with(hub, &o);
    memset(selector, 'b', 4);
    memset(type, 'b', 4);
    test_publish(hub, "aaaa", "tttt", "1");
    test_publish(hub, "bbbb", "bbbb", "2");
    test_next(reader, "1");
    assert_empty(reader);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* The reader keeps the hub alive. */
static void hub_freed_first(void **state)
{
    struct test_mem t;

    test_mem_init(&t, 0);
    struct crier_hub *hub = crier_hub_new(.mem = &t.mem);
    struct crier_reader *reader = open_reader(hub, "a", "earliest");
    struct crier_reader *asleep = open_reader(hub, "a", NULL);
    test_publish(hub, "a", NULL, "1");
    test_next(asleep, "1");
    assert_empty(asleep);
    assert_false(test_readable(crier_reader_fd(asleep)));
    crier_hub_free(hub);
    test_next(reader, "1");
    assert_empty(reader);
    assert_true(t.alive > 0);
    crier_reader_free(reader);
    crier_reader_free(asleep);
    assert_int_equal(t.alive, 0);
}

/* ---- the descriptor ---------------------------------------------------------------------- */

/* Readable from the moment next would not say EMPTY, until it does; made once. */
static void descriptor(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_reader *reader = open_reader(hub, "a", NULL);
    int fd = crier_reader_fd(reader);

    assert_int_equal(crier_reader_fd(reader), fd);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_false(test_readable(fd));
    test_publish(hub, "b", NULL, "x");
    assert_false(test_readable(fd));
    assert_empty(reader);
    test_publish(hub, "a", NULL, "1");
    assert_true(test_readable(fd));
    test_publish(hub, "a", NULL, "2");
    test_next(reader, "1");
    assert_true(test_readable(fd)); /* level-triggered */
    test_next(reader, "2");
    assert_empty(reader);
    assert_false(test_readable(fd));
    assert_empty(reader);
    /* A worker of a server appends as well. */
    struct crier_draft draft = {
        .topics = {CRIER_SLICE("a")}, .topic_count = 1, .sse = CRIER_SLICE("data: 3\n\n")};
    crier_journal_append(hub->journal, &draft, 1, crier_hub_now(hub));
    assert_true(test_readable(fd));
    test_next(reader, "3");
    assert_empty(reader);
    assert_false(test_readable(fd));
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* Asked for when there is something already: history, a gap, picks, what was read ahead. */
static void descriptor_of_a_busy_reader(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_reader *reader;

    test_publish(hub, "a", NULL, "1");
    test_publish(hub, "a", NULL, "2");
    reader = open_reader(hub, "a", "earliest");
    assert_true(test_readable(crier_reader_fd(reader)));
    crier_reader_free(reader);
    reader = open_reader(hub, "a", "earliest");
    test_next(reader, "1");
    assert_true(test_readable(crier_reader_fd(reader)));
    test_next(reader, "2");
    assert_empty(reader);
    assert_false(test_readable(crier_reader_fd(reader)));
    crier_reader_free(reader);
    reader = open_reader(hub, "a", "latest");
    assert_true(test_readable(crier_reader_fd(reader)));
    crier_reader_free(reader);
    reader = crier_reader_new(hub, .selector = "none", .last_id = "x");
    assert_true(test_readable(crier_reader_fd(reader)));
    crier_reader_free(reader);
    /* Nothing for it among what it has not looked at. */
    reader = open_reader(hub, "none", "earliest");
    assert_false(test_readable(crier_reader_fd(reader)));
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* Patterns and several topics are woken too; other types may wake it in vain. */
static void descriptor_of_patterns(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    const char *const two[] = {"a", "b"}, *const types[] = {"t"};
    struct crier_reader *pattern = open_reader(hub, "x/*", NULL);
    struct crier_reader *both = crier_reader_new(hub, .selectors = two, .selector_count = 2);
    struct crier_reader *typed =
        crier_reader_new(hub, .selector = "b", .types = types, .type_count = 1);

    assert_false(test_readable(crier_reader_fd(pattern)));
    assert_false(test_readable(crier_reader_fd(both)));
    assert_false(test_readable(crier_reader_fd(typed)));
    test_publish(hub, "b", NULL, "1");
    assert_true(test_readable(crier_reader_fd(both)));
    test_next(both, "1");
    assert_empty(typed);
    assert_false(test_readable(crier_reader_fd(typed)));
    test_publish(hub, "x/y", NULL, "2");
    assert_true(test_readable(crier_reader_fd(pattern)));
    test_next(pattern, "2");
    test_publish(hub, "b", "t", "3");
    assert_true(test_readable(crier_reader_fd(typed)));
    test_next(typed, "3");
    crier_reader_free(pattern);
    crier_reader_free(both);
    crier_reader_free(typed);
    crier_hub_free(hub);
}

/* A reader that slept through what others published is told of none of their losses, not even
 * when the hub no longer knows whose they were. */
static void sleeps_through(void **state)
{
    struct crier_hub *hub =
        crier_hub_new(.history_events = 10, .max_floors = 2, .keep_bytes = 1);
    struct crier_reader *reader = open_reader(hub, "a", NULL);

    assert_false(test_readable(crier_reader_fd(reader)));
    for (int i = 0; i < 1000; i++) {
        char topic[16];
        snprintf(topic, sizeof(topic), "b%d", i);
        test_publish(hub, topic, NULL, "x");
    }
    assert_false(test_readable(crier_reader_fd(reader)));
    assert_empty(reader);
    test_publish(hub, "a", NULL, "1");
    test_next(reader, "1");
    assert_empty(reader);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

static void no_descriptors_left(void **state)
{
    struct crier_hub *hub = crier_hub_new();
    struct crier_reader *reader = open_reader(hub, "a", NULL);
    struct rlimit before, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int fd = crier_reader_fd(reader);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(fd, CRIER_EMFILE);
    assert_false(test_readable(crier_reader_fd(reader)));
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* ---- memory ------------------------------------------------------------------------------ */

/* Large events come whole; the memory they took is given back at the end. */
static void large_events(void **state)
{
    struct test_mem t;
    struct crier_event event = {.flags = CRIER_DATA};
    struct crier_message m;
    size_t len = 900000;
    char *data = malloc(len);

    assert_non_null(data);
    memset(data, 'x', len);
    event.data = (struct crier_slice){data, len};
    test_mem_init(&t, 0);
    struct crier_hub *hub = crier_hub_new(.mem = &t.mem);
    struct crier_reader *reader = open_reader(hub, "a", NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(crier_hub_publish(hub, "a", &event, NULL), 0);
    size_t before = t.bytes;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(crier_reader_next(reader, &m), 0);
        assert_int_equal(m.event.data.len, len);
        assert_memory_equal(m.event.data.data, data, len);
        assert_terminated(m.event.data);
        assert_terminated(m.bytes);
        assert_true(t.bytes - before < 3 << 20);
    }
    assert_empty(reader);
    assert_int_equal(t.bytes, before);
    crier_reader_free(reader);
    crier_hub_free(hub);
    free(data);
}

static int read_everything(const struct crier_mem *mem, void *ctx)
{
    struct crier_hub *hub = ctx;
    const char *const topics[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
                                  "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};
    struct crier_message m;
    int r = CRIER_ENOMEM, seen = 0;

    /* Its hub's memory, once the hub is full of events. */
    hub->mem = hub->journal->mem = mem;
    struct crier_reader *reader =
        crier_reader_new(hub, .selectors = topics, .selector_count = 20, .since = "latest");
    if (reader) {
        struct crier_id at = crier_reader_position(reader);
        while ((r = crier_reader_next(reader, &m)) == 0) {
            seen++;
            at = m.id;
        }
        assert_ids_equal(crier_reader_position(reader), at);
        if (r == CRIER_ENOMEM) {
            /* The position stays: it goes on where it was. */
            while ((r = crier_reader_next(reader, &m)) == 0)
                seen++;
            assert_int_equal(r, CRIER_EMPTY);
            r = CRIER_ENOMEM;
        } else {
            /* What failed may have been the reading ahead: that costs a slice, no error. */
            assert_int_equal(r, CRIER_EMPTY);
            r = ((const struct test_mem *)mem->ctx)->failed ? CRIER_ENOMEM : 0;
        }
        assert_int_equal(seen, 20);
    }
    crier_reader_free(reader);
    hub->mem = hub->journal->mem = &crier_mem_libc;
    return r;
}

static void out_of_memory(void **state)
{
    struct crier_hub *hub = crier_hub_new();

    for (int i = 0; i < 20; i++) {
        char topic[] = {(char)('a' + i), 0};
        assert_int_equal(crier_hub_publishf(hub, topic, NULL, "%0*d", 5000, i), 0);
    }
    assert_true(test_mem_torture(read_everything, hub) > 4);
    crier_hub_free(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors),
        cmocka_unit_test(starts),
        cmocka_unit_test(latest_then_live),
        cmocka_unit_test(gaps_at_the_start),
        cmocka_unit_test(lags),
        cmocka_unit_test(read_ahead),
        cmocka_unit_test(goes_on_elsewhere),
        cmocka_unit_test(invalid_options),
        cmocka_unit_test(options_are_copied),
        cmocka_unit_test(hub_freed_first),
        cmocka_unit_test(descriptor),
        cmocka_unit_test(descriptor_of_a_busy_reader),
        cmocka_unit_test(descriptor_of_patterns),
        cmocka_unit_test(sleeps_through),
        cmocka_unit_test(no_descriptors_left),
        cmocka_unit_test(large_events),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
