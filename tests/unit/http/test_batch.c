/* SPDX-License-Identifier: MIT */
/* Batches of both kinds; NDJSON lines one by one are in test_ndjson.c. */
#include "batches.h"

/* Where the path names no topic, the line must. */
static void test_no_topic(void **state)
{
    static const struct setup lines = {CRIER_BATCH_NDJSON, 1000, false};
    static const struct setup blocks = {CRIER_BATCH_EVENT_STREAM, 1000, false};

    check(&lines, CRIER_SLICE("{\"data\":1,\"topic\":\"t\"}\n{\"data\":2}"),
          CRIER_SLICE("1:t|||1||;!bad-topic@2"));
    check(&blocks, CRIER_SLICE("\n\ndata: x\n\n"), CRIER_SLICE("!bad-topic@3"));
}

/* A line is bounded without its line end, in any split, whether or not its end ever comes. */
static void test_ndjson_size(void **state)
{
    static const struct setup small = {CRIER_BATCH_NDJSON, 12, true};

    check(&small, CRIER_SLICE("{\"data\":123}\r\n{\"data\":124}"),
          CRIER_SLICE("1:-|||123||;2:-|||124||;"));
    check(&small, CRIER_SLICE("\xef\xbb\xbf{\"data\":123}\r\n"), CRIER_SLICE("1:-|||123||;"));
    check(&small, CRIER_SLICE("\n{\"data\":1234}\n"), CRIER_SLICE("!too-large@2"));
    check(&small, CRIER_SLICE("{\"data\":1234}"), CRIER_SLICE("!too-large@1"));
    check(&small, CRIER_SLICE("\xef\xbb\xbf{\"data\":1234}\r\n"), CRIER_SLICE("!too-large@1"));
    check(&small, CRIER_SLICE("aaaaaaaaaaaa\r\r\n"), CRIER_SLICE("!too-large@1"));
    check(&small, CRIER_SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
          CRIER_SLICE("!too-large@1"));
}

/* Blocks are read as the publishes they ask for; what is not for the topic is dropped. */
static void test_stream(void **state)
{
    static const struct row rows[] = {
        ROW("", ""),
        ROW("data: x\n\n", "1:-|message||x||;"),
        ROW(": c\nretry: 5\n\nevent: e\nid: 1\ndata: a\ndata: b\n\ndata\n\n",
            "4:-|e|1|a\nb||;9:-|message||||;"),
        ROW("id: 1\n\ndata: x\n\n", "3:-|message||x||;"),
        ROW("event: crier:connected\nid: 5\ndata: {}\n\nevent: crier:gap\ndata: {}\n\n",
            "5:-|crier:gap||{}||;"),
        ROW("id:\ndata: x\r\n\r\n", "1:-|message||x||;"),
        ROW("data: x\n\ndata: y\n", "1:-|message||x||;..."),
        ROW("data: x\n\ndata: y", "1:-|message||x||;..."),
        ROW("\xef\xbb\xbf"
            "data: a\0b\n\n",
            "1:-|message||a\0b||;"),
        ROW("data: x\n\nid: \xc3\xa4\ndata: y\n\n", "1:-|message||x||;!bad-parameter@3"),
        ROW("event: a\0b\ndata: y\n\n", "!bad-parameter@1"),
        ROW("data: x\n\ndata: y\ndata: \xff\n\n", "1:-|message||x||;!bad-body@4"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&stream, rows[i].body, rows[i].expected);
}

/* A block is bounded; the fault names its first line. */
static void test_stream_size(void **state)
{
    static const struct setup small = {CRIER_BATCH_EVENT_STREAM, 12, true};

    check(&small, CRIER_SLICE("data: 123456\n\n"), CRIER_SLICE("1:-|message||123456||;"));
    check(&small, CRIER_SLICE("data: 1\n\ndata: 1234567\n\n"),
          CRIER_SLICE("1:-|message||1||;!too-large@3"));
    check(&small, CRIER_SLICE("data: 1\n\ndata: 1\ndata: 12345\n\n"),
          CRIER_SLICE("1:-|message||1||;!too-large@3"));
}

struct run {
    const struct setup *setup;
    struct crier_slice body;
};

static int run_batch(const struct crier_mem *mem, void *ctx)
{
    const struct run *run = ctx;
    struct crier_batch_item p;
    struct crier_batch batch;
    int r;

    r = crier_batch_init(&batch, mem, run->setup->kind, run->setup->max_event, true);
    if (r < 0)
        return r;
    crier_batch_feed(&batch, crier_slice_sub(run->body, 0, 7));
    while ((r = crier_batch_next(&batch, &p)) == 0)
        ;
    if (r == CRIER_BATCH_MORE) {
        crier_batch_feed(&batch, crier_slice_sub(run->body, 7, run->body.len));
        crier_batch_end(&batch);
        while ((r = crier_batch_next(&batch, &p)) == 0)
            ;
    }
    if (r < 0)
        assert_int_equal(batch.fault, CRIER_PROBLEM_INTERNAL);
    crier_batch_deinit(&batch);
    return r == CRIER_BATCH_MORE ? 0 : r;
}

/* Each allocation may fail: the batch says so and frees all (jansson's: test_ndjson.c). */
static void test_no_memory(void **state)
{
    struct run lines = {&ndjson, CRIER_SLICE("{\"data\":\"a\\nb\"}\n{\"data\":\"a\\nb\"}")};
    struct run blocks = {&stream, CRIER_SLICE("event: e\nid: 1\ndata: x\n\n")};

    assert_true(test_mem_torture(run_batch, &lines) >= 1);
    assert_true(test_mem_torture(run_batch, &blocks) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_topic),  cmocka_unit_test(test_ndjson_size),
        cmocka_unit_test(test_stream),    cmocka_unit_test(test_stream_size),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
