/* SPDX-License-Identifier: MIT */
#include "cli/journal_line.h"

#include "event/event.h"
#include "support.h"

/* A record as a view gives it. */
struct example {
    struct crier_buf sse, line;
    struct crier_record record;
};

static void make(struct example *e, struct crier_event event)
{
    crier_buf_init(&e->sse, &crier_mem_libc);
    crier_buf_init(&e->line, &crier_mem_libc);
    assert_int_equal(crier_event_append(&e->sse, &event, NULL), 0);
    e->record = (struct crier_record){.id = {1763700000123, 40000},
                                      .wall_ms = 1763700000123,
                                      .topics = {CRIER_SLICE("orders/42")},
                                      .topic_count = 1,
                                      .type = event.type,
                                      .sse = crier_buf_slice(&e->sse)};
}

static void drop(struct example *e)
{
    crier_buf_deinit(&e->sse);
    crier_buf_deinit(&e->line);
}

static void test_write(void **state)
{
    struct example e;

    make(&e, (struct crier_event){.data = CRIER_SLICE("a \"b\"\nc"),
                                  .type = CRIER_SLICE("paid"),
                                  .retry_ms = 3000,
                                  .flags = CRIER_RETRY});
    crier_journal_line_write(&e.line, &e.record, CRIER_SLICE("k1"), 60000);
    assert_slice_equal(crier_buf_slice(&e.line),
                       CRIER_SLICE("{\"id\":\"1763700000123-40000\",\"topic\":\"orders/42\","
                                   "\"event\":\"paid\",\"retry\":3000,\"ttl\":\"60s\","
                                   "\"key\":\"k1\",\"time\":\"2025-11-21T04:40:00.123Z\","
                                   "\"data\":\"a \\\"b\\\"\\nc\"}\n"));
    drop(&e);
}

/* What it does not have is left out; a ttl of no whole seconds; several topics. */
static void test_write_less(void **state)
{
    struct example e;

    make(&e, (struct crier_event){.flags = CRIER_DATA});
    e.record.topics[1] = CRIER_SLICE("b");
    e.record.topic_count = 2;
    crier_journal_line_write(&e.line, &e.record, CRIER_SLICE(""), 1500);
    assert_slice_equal(
        crier_buf_slice(&e.line),
        CRIER_SLICE("{\"id\":\"1763700000123-40000\",\"topics\":[\"orders/42\",\"b\"],"
                    "\"ttl\":\"1500ms\",\"time\":\"2025-11-21T04:40:00.123Z\","
                    "\"data\":\"\"}\n"));
    drop(&e);
}

/* What was written is read, and comes out the same again. */
static void test_round_trip(void **state)
{
    static const char text[] =
        "{\"id\":\"17-10000\",\"topics\":[\"a\",\"b/c\"],\"event\":\"\\u00e9\",\"retry\":500,"
        "\"ttl\":\"1001ms\",\"key\":\"k\",\"time\":\"2026-01-31T12:00:00.001Z\","
        "\"data\":\"x\\u0000y\\n\\nz\"}";
    struct crier_journal_line line;

    assert_null(crier_journal_line_read(CRIER_SLICE(text), &line));
    assert_int_equal(line.id.ms, 17);
    assert_int_equal(line.id.seq, 10000);
    assert_int_equal(line.topic_count, 2);
    assert_slice_equal(line.topics[0], CRIER_SLICE("a"));
    assert_slice_equal(line.topics[1], CRIER_SLICE("b/c"));
    assert_slice_equal(line.type, CRIER_SLICE("\xc3\xa9"));
    assert_true(line.has_retry);
    assert_int_equal(line.retry_ms, 500);
    assert_int_equal(line.ttl_ms, 1001);
    assert_slice_equal(line.key, CRIER_SLICE("k"));
    assert_int_equal(line.wall_ms, 1769860800001);
    assert_slice_equal(line.data, CRIER_SLICE("x\0y\n\nz"));
    crier_journal_line_release(&line);
}

#define LINE(rest) "{\"id\":\"17-10000\",\"time\":\"2026-01-31T12:00:00Z\"," rest "}"

static void test_faults(void **state)
{
    static const struct {
        const char *text, *fault;
    } rows[] = {
        {"", "not one JSON object"},
        {"[]", "not one JSON object"},
        {"{} {}", "not one JSON object"},
        {"{\"id\":\"17-10000\"", "not one JSON object"},
        {LINE("\"topic\":\"a\""), "must be there"},
        {LINE("\"data\":\"a\""), "must be there"},
        {"{\"topic\":\"a\",\"time\":\"2026-01-31T12:00:00Z\",\"data\":\"\"}", "must be there"},
        {"{\"topic\":\"a\",\"id\":\"17-10000\",\"data\":\"\"}", "must be there"},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"data\":\"\""), "twice"},
        {LINE("\"topic\":\"a\",\"topics\":[\"a\"],\"data\":\"\""), "twice"},
        {LINE("\"topics\":[],\"data\":\"\""), "must be there"},
        {LINE("\"topics\":\"a\",\"data\":\"\""), "array"},
        {LINE("\"topics\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"],\"data\":"
              "\"\""),
         "at most 8"},
        {LINE("\"topic\":7,\"data\":\"\""), "string"},
        {LINE("\"topic\":\"a/*\",\"data\":\"\""), ""},
        {LINE("\"topic\":\"a\",\"data\":{}"), "data is a string"},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"event\":\"crier:gap\""), ""},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"event\":\"a\\nb\""), ""},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"event\":null"), "event is a string"},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"retry\":\"3\""), "number of milliseconds"},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"retry\":-1"), "number of milliseconds"},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"retry\":4294967796"), ""},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"ttl\":60"), "ttl is a duration"},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"ttl\":\"999ms\""), "ttl is a duration"},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"key\":\"\""), ""},
        {LINE("\"topic\":\"a\",\"data\":\"\",\"keys\":\"\""), "not known"},
        {LINE("\"topic\":\"a\",\"data\":\"\xff\""), "not UTF-8"},
        {"{\"id\":\"017-1\",\"topic\":\"a\"}", "id is"},
        {"{\"id\":\"0-10000\",\"topic\":\"a\"}", "before 1970"},
        {"{\"id\":\"253402300800000-10000\",\"topic\":\"a\"}", "after the year 9999"},
        {"{\"id\":\"18446744073709551616-10000\",\"topic\":\"a\"}", "id is"},
        {"{\"time\":\"yesterday\"}", "RFC 3339"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crier_journal_line line;
        const char *fault = crier_journal_line_read(crier_slice_of(rows[i].text), &line);

        if (!fault || !strstr(fault, rows[i].fault))
            fail_msg("%s: %s", rows[i].text, fault ? fault : "no fault");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_less),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
