/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "event/event.h"
#include "event/parse.h"
#include "event/render.h"

#define S(literal) CRIER_SLICE(literal)

static const struct crier_render_fields plain = {
    .id = {17, 3},
    .topic = {"a/b", 3},
    .wall_ms = 1795251814123,
    .sse = {"data: hello\n\n", 13},
};

static void assert_renders(const struct crier_render_fields *fields,
                           struct crier_slice json,
                           struct crier_slice envelope)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_render_json(&buf, fields);
    assert_slice_equal(crier_buf_slice(&buf), json);
    crier_buf_clear(&buf);
    crier_render_envelope(&buf, fields);
    assert_slice_equal(crier_buf_slice(&buf), envelope);
    crier_buf_deinit(&buf);
}

#define JSON(type, data)                                                                       \
    "{\"id\":\"17-3\",\"topic\":\"a/b\",\"event\":\"" type "\",\"data\":\"" data               \
    "\",\"time\":\"2026-11-21T09:03:34.123Z\"}"

static void layout(void **state)
{
    struct crier_render_fields f = plain;

    assert_renders(&f, S(JSON("message", "hello")),
                   S("id: 17-3\ndata: " JSON("message", "hello") "\n\n"));
    f.type = S("tick");
    f.sse = S("retry: 3000\nevent: tick\nid: 17-3\ndata: 1\ndata: \n\n");
    assert_renders(&f, S(JSON("tick", "1\\n")),
                   S("retry: 3000\nid: 17-3\ndata: " JSON("tick", "1\\n") "\n\n"));
}

/* Invariant: nothing in data, type, topic or comment gets out of its place: the object stays on
 * one line, and only a real retry line counts as one. */
static void hostile_bytes(void **state)
{
    struct crier_event event = {
        .data = S("retry: 1\n\"}\\\r\0data: x"),
        .type = S("e\"v"),
        .comment = S("retry: 2\nretry: 3"),
        .flags = CRIER_DATA,
    };
    struct crier_render_fields f = plain;
    struct crier_buf sse;

    crier_buf_init(&sse, &crier_mem_libc);
    assert_int_equal(crier_event_append(&sse, &event, NULL), 0);
    f.sse = crier_buf_slice(&sse);
    f.type = event.type;
    assert_renders(
        &f, S(JSON("e\\\"v", "retry: 1\\n\\\"}\\\\\\n\\u0000data: x")),
        S("id: 17-3\ndata: " JSON("e\\\"v", "retry: 1\\n\\\"}\\\\\\n\\u0000data: x") "\n\n"));
    crier_buf_deinit(&sse);
}

/* Invariant: an envelope is one untyped event whose data is exactly the JSON object. */
static void envelope_parses(void **state)
{
    struct crier_buf json, envelope;
    struct crier_parser p;
    struct crier_item item;

    crier_buf_init(&json, &crier_mem_libc);
    crier_buf_init(&envelope, &crier_mem_libc);
    crier_render_json(&json, &plain);
    crier_render_envelope(&envelope, &plain);
    assert_int_equal(crier_parser_init(&p, &crier_mem_libc, 0, 0, S("")), 0);
    crier_parser_feed(&p, crier_buf_slice(&envelope));
    assert_int_equal(crier_parser_next(&p, &item), 0);
    assert_slice_equal(item.data, crier_buf_slice(&json));
    assert_slice_is(item.type, "message");
    assert_slice_is(item.id, "17-3");
    assert_int_equal(crier_parser_next(&p, &item), CRIER_MORE);
    assert_int_equal(crier_parser_end(&p), 0);
    crier_parser_deinit(&p);
    crier_buf_deinit(&json);
    crier_buf_deinit(&envelope);
}

static int render(const struct crier_mem *mem, void *ctx)
{
    struct crier_buf buf;
    int r;

    crier_buf_init(&buf, mem);
    crier_render_json(&buf, &plain);
    crier_render_envelope(&buf, &plain);
    r = crier_buf_error(&buf);
    crier_buf_deinit(&buf);
    return r;
}

static void out_of_memory(void **state)
{
    assert_true(test_mem_torture(render, NULL) > 1);
}

/* Invariant: the data comes back as it reads, and only a real retry line is one. */
static void fields_back(void **state)
{
    struct crier_event event = {.data = S("retry: 1\n\ndata: x\n"),
                                .comment = S("retry: 2"),
                                .retry_ms = 4000000000,
                                .flags = CRIER_RETRY};
    struct crier_buf sse, data;
    uint32_t retry_ms = 7;

    crier_buf_init(&sse, &crier_mem_libc);
    crier_buf_init(&data, &crier_mem_libc);
    assert_int_equal(crier_event_append(&sse, &event, NULL), 0);
    crier_render_data(&data, crier_buf_slice(&sse));
    assert_slice_equal(crier_buf_slice(&data), event.data);
    assert_true(crier_render_retry(crier_buf_slice(&sse), &retry_ms));
    assert_int_equal(retry_ms, 4000000000);

    crier_buf_clear(&data);
    retry_ms = 7;
    crier_render_data(&data, S("data: \n\n"));
    assert_int_equal(data.len, 0);
    assert_false(crier_render_retry(S("event: t\nid: 1\ndata: retry: 5\n\n"), &retry_ms));
    assert_int_equal(retry_ms, 7);
    crier_buf_deinit(&sse);
    crier_buf_deinit(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),          cmocka_unit_test(hostile_bytes),
        cmocka_unit_test(envelope_parses), cmocka_unit_test(out_of_memory),
        cmocka_unit_test(fields_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
