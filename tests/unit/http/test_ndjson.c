/* SPDX-License-Identifier: MIT */
/* NDJSON lines: what each is read as, or why not. */
#include "batches.h"

#include <jansson.h>

/* Lines are read as the publishes they ask for. */
static void test_ndjson(void **state)
{
    static const struct row rows[] = {
        ROW("", ""),
        ROW("\n\r\n\n", ""),
        ROW("{\"data\":\"x\"}", "1:-|||x||;"),
        ROW("{\"data\":\"x\"}\n", "1:-|||x||;"),
        ROW("{\"data\":\"x\"}\r\n\r\n{\"data\":\"y\"}\r", "1:-|||x||;3:-|||y||;"),
        ROW("\xef\xbb\xbf{\"data\":\"x\"}\n", "1:-|||x||;"),
        ROW("\n { \"data\" : \"\" , \"topic\" : \"a/b\" } \n", "2:a/b|||||;"),
        ROW("{\"topic\":\"t\",\"data\":\"d\",\"event\":\"e\",\"retry\":500,\"ttl\":1,\"key\":"
            "\"k\"}",
            "1:t|e|k|d|500|1000;"),
        ROW("{\"retry\":3600000,\"ttl\":\"7d\",\"data\":0}", "1:-|||0|3600000|604800000;"),
        ROW("{\"data\":\"\\u0000\\ud83d\\ude00\\n\",\"event\":\"\\u00e4\",\"key\":\"\\\"\","
            "\"topic\":\"a\\/b\"}",
            "1:a/b|\xc3\xa4|\"|\0\xf0\x9f\x98\x80\n||;"),
        ROW("{\"d\\u0061ta\":\"x\"}", "1:-|||x||;"),
        /* what is no string is its own characters */
        ROW("{\"data\":null}", "1:-|||null||;"),
        ROW("{\"data\":1e-999}", "1:-|||1e-999||;"),
        ROW("{\"data\":-123456789012345678901234567890.10}",
            "1:-|||-123456789012345678901234567890.10||;"),
        ROW("{\"data\": { \"a\" : [ 1,\t\"}\\u0041\" ] , \"a\":2} }",
            "1:-|||{ \"a\" : [ 1,\t\"}\\u0041\" ] , \"a\":2}||;"),
        ROW("{\"data\":-0.0,\"ttl\":9223372036854775808}", "1:-|||-0.0||18446744073709551615;"),
        ROW("{\"ttl\":2 , \"data\"\t:\r[1e0 ] \r,\"retry\" :  501 , \"event\":\"\\\"}\"}",
            "1:-|\"}||[1e0 ]|501|2000;"),
        ROW("{\"data\":[]}\n{\"data\":true}", "1:-|||[]||;2:-|||true||;"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&ndjson, rows[i].body, rows[i].expected);
}

/* The first bad line ends the batch, after all good ones before it. */
static void test_ndjson_bad(void **state)
{
    static const struct row rows[] = {
        ROW("{\"data\":1}\n\nx\n{\"data\":2}\n", "1:-|||1||;!bad-body@3"),
        ROW(" ", "!bad-body@1"),
        ROW("[]", "!bad-body@1"),
        ROW("\"x\"", "!bad-body@1"),
        ROW("{", "!bad-body@1"),
        ROW("{\"data\":1", "!bad-body@1"),
        ROW("{\"data\":1}}", "!bad-body@1"),
        ROW("{\"data\":1} {\"data\":2}", "!bad-body@1"),
        ROW("{\"data\":1,}", "!bad-body@1"),
        ROW("{\"data\":01}", "!bad-body@1"),
        ROW("{\"data\":\"\\ud800\"}", "!bad-body@1"),
        ROW("{\"data\":\"a\rb\"}", "!bad-body@1"),
        ROW("{\"data\":\"\xff\"}", "!bad-body@1"),
        ROW("{\"data\":1}\0", "!bad-body@1"),
        ROW("{}", "!bad-body@1"),
        ROW("{\"event\":\"x\"}", "!bad-body@1"),
        ROW("{\"data\":1,\"data\":1}", "!bad-body@1"),
        ROW("{\"data\":1,\"d\\u0061ta\":1}", "!bad-body@1"),
        ROW("{\"data\":1,\"retry\":9,\"data\":\"x\"}", "!bad-body@1"),
        ROW("{\"data\":1e999}", "!bad-body@1"),
        ROW("{\"data\":[-1e999]}", "!bad-body@1"),
        ROW("{\"data\":{\"a\\u0000\":1}}", "!bad-body@1"),
        ROW("{\"topic\":\"t\",\"data\":1,\"event\":\"e\",\"retry\":500,\"ttl\":1,\"key\":"
            "\"k\",\"more\":1}",
            "!bad-body@1"),
        ROW("{\"data\":1,\"id\":\"7\"}", "!bad-body@1"),
        ROW("{\"data\":1,\"Data\":1}", "!bad-body@1"),
        ROW("{\"data\":1,\"\":1}", "!bad-body@1"),
        ROW("\n\xef\xbb\xbf{\"data\":1}", "!bad-body@2"),
        ROW("{\"data\":1,\"topic\":1}", "!bad-topic@1"),
        ROW("{\"data\":1,\"topic\":null}", "!bad-topic@1"),
        ROW("{\"data\":1,\"topic\":\"\"}", "!bad-topic@1"),
        ROW("{\"data\":1,\"event\":1}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"event\":\"crier:gap\"}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"event\":\"a\\nb\"}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"event\":\"a\\u0000b\"}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"key\":\"\"}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"key\":7}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"key\":\"\xc3\xa4\"}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"retry\":499}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"retry\":\"500\"}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"retry\":500.5}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"retry\":5e2}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"retry\":null}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"ttl\":0}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"ttl\":-1}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"ttl\":\"1y\"}", "!bad-parameter@1"),
        ROW("{\"data\":1,\"ttl\":true}", "!bad-parameter@1"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&ndjson, rows[i].body, rows[i].expected);
}

/* The detail of the fault that the line ends in; "": none. */
static const char *detail_of(struct crier_slice line)
{
    struct crier_batch_item p;
    struct crier_batch batch;
    const char *detail = "";
    int r;

    assert_int_equal(
        crier_batch_init(&batch, &crier_mem_libc, CRIER_BATCH_NDJSON, line.len, true), 0);
    crier_batch_feed(&batch, line);
    crier_batch_end(&batch);
    r = crier_batch_next(&batch, &p);
    if (r < 0) {
        assert_int_equal(r, -EINVAL);
        assert_int_equal(batch.fault, CRIER_PROBLEM_BAD_BODY);
        detail = batch.fault_detail;
    }
    crier_batch_deinit(&batch);
    return detail;
}

/* What is JSON but cannot be read is told apart from what is no JSON. */
static void test_details(void **state)
{
    static const struct {
        const char *line, *word;
    } rows[] = {
        {"{\"data\":1e999}", "number"},
        {"{\"data\":{\"\\u0000\":1}}", "NUL"},
        {"{\"data\":\"\xc3(\"}", "UTF-8"},
        {"{\"data\":\"\xed\xa0\x80\"}", "UTF-8"},
        {"{\"data\":1,\"data\":2}", "twice"},
        {"{\"data\":tru}", "not one JSON object"},
        {"[{\"data\":1}]", "not one JSON object"},
        {"{\"x\":1}", "not known"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *detail = detail_of(crier_slice_of(rows[i].line));

        if (!strstr(detail, rows[i].word))
            print_error("%s: %s\n", rows[i].line, detail);
        assert_non_null(strstr(detail, rows[i].word));
    }
}

/* Nesting is taken, but not so deep that it could exhaust the stack. */
static void test_depth(void **state)
{
    enum { DEEP = 100000 };
    struct crier_buf line;

    for (size_t depth = 100; depth <= DEEP; depth *= DEEP / 100) {
        crier_buf_init(&line, &crier_mem_libc);
        crier_buf_append(&line, CRIER_SLICE("{\"data\":"));
        for (size_t i = 0; i < depth; i++)
            crier_buf_byte(&line, '[');
        for (size_t i = 0; i < depth; i++)
            crier_buf_byte(&line, ']');
        crier_buf_byte(&line, '}');
        assert_int_equal(crier_buf_error(&line), 0);
        if (depth == DEEP)
            assert_non_null(strstr(detail_of(crier_buf_slice(&line)), "nested"));
        else
            assert_string_equal(detail_of(crier_buf_slice(&line)), "");
        crier_buf_deinit(&line);
    }
}

/* A publication stays as it is until the next call, whatever becomes of its body's bytes where
 * those are no part of it; afterwards nothing is held. */
static void test_lifetime(void **state)
{
    struct crier_slice body =
        CRIER_SLICE("{\"data\":\"a\\nb\",\"topic\":\"t\"}\n{\"data\":[1]}\n");
    struct crier_batch_item p;
    struct crier_batch batch;

    assert_int_equal(crier_batch_init(&batch, &crier_mem_libc, CRIER_BATCH_NDJSON, 100, true),
                     0);
    crier_batch_feed(&batch, body);
    assert_int_equal(crier_batch_next(&batch, &p), 0);
    assert_slice_is(p.data, "a\nb");
    assert_slice_is(p.topic, "t");
    assert_int_equal(crier_batch_next(&batch, &p), 0);
    assert_slice_is(p.data, "[1]");
    assert_true(p.data.data > body.data && p.data.data < body.data + body.len);
    assert_int_equal(json_object_size(batch.document), 0); /* a tree is not kept */
    assert_int_equal(crier_batch_next(&batch, &p), CRIER_BATCH_MORE);
    assert_null(batch.document);
    crier_batch_deinit(&batch);
}

/* jansson's allocator, for one test: the nth allocation from now fails, and all after it. */
static size_t allocations_left;
static size_t alive;

static void *failing_malloc(size_t size)
{
    void *ptr = NULL;

    if (allocations_left > 0 && --allocations_left > 0)
        ptr = malloc(size);
    else
        errno = ENOMEM; /* as malloc does */
    alive += ptr != NULL;
    return ptr;
}

static void counting_free(void *ptr)
{
    alive -= ptr != NULL;
    free(ptr);
}

static int read_one(struct crier_slice line)
{
    struct crier_batch_item p;
    struct crier_batch batch;
    int r;

    assert_int_equal(crier_batch_init(&batch, &crier_mem_libc, CRIER_BATCH_NDJSON, 1000, true),
                     0);
    crier_batch_feed(&batch, line);
    r = crier_batch_next(&batch, &p);
    if (r < 0)
        assert_int_equal(batch.fault, CRIER_PROBLEM_INTERNAL);
    crier_batch_deinit(&batch);
    return r;
}

/* Each of jansson's allocations may fail: that is told as what it is, and nothing leaks. */
static void test_no_memory(void **state)
{
    struct crier_slice line =
        CRIER_SLICE("{\"topic\":\"a\\u00e4\",\"data\":[[1,\"a string that makes jansson's "
                    "buffer grow\"],{\"a\":null}],\"ttl\":5}\n");
    size_t nth = 0;
    int r;

    assert_int_equal(read_one(line), 0);
    json_set_alloc_funcs(failing_malloc, counting_free);
    do {
        allocations_left = ++nth;
        r = read_one(line);
        assert_int_equal(alive, 0);
        if (r != 0)
            assert_int_equal(r, -ENOMEM);
    } while (r != 0);
    json_set_alloc_funcs(malloc, free);
    assert_true(nth > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ndjson),   cmocka_unit_test(test_ndjson_bad),
        cmocka_unit_test(test_details),  cmocka_unit_test(test_depth),
        cmocka_unit_test(test_lifetime), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
