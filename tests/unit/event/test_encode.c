/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "base/rng.h"
#include "event/event.h"
#include "event/parse.h"

#define S(literal) CRIER_SLICE(literal)

static void assert_encoded(const struct crier_event *event,
                           struct crier_slice expected,
                           size_t expected_id_at)
{
    struct crier_buf buf;
    size_t id_at = 999;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_buf_append(&buf, S("before"));
    assert_int_equal(crier_event_append(&buf, event, &id_at), 0);
    assert_slice_equal(crier_slice_sub(crier_buf_slice(&buf), 6, SIZE_MAX), expected);
    assert_int_equal(crier_event_size(event), expected.len);
    assert_int_equal(id_at, expected_id_at);
    assert_int_equal(crier_event_append(&buf, event, NULL), 0);
    crier_buf_deinit(&buf);
}

/* Invariant: the layout of event.h; absent and empty are different things. */
static void layout(void **state)
{
    struct crier_event e = {.data = S("hi"), .flags = CRIER_DATA};

    assert_encoded(&e, S("data: hi\n\n"), 0);
    e.type = S("message");
    assert_encoded(&e, S("data: hi\n\n"), 0);
    e.type = S("tick");
    assert_encoded(&e, S("event: tick\ndata: hi\n\n"), 12);
    e.id = S("7");
    assert_encoded(&e, S("event: tick\nid: 7\ndata: hi\n\n"), 12);
    e.flags |= CRIER_RETRY;
    assert_encoded(&e, S("retry: 0\nevent: tick\nid: 7\ndata: hi\n\n"), 21);
    e.retry_ms = UINT32_MAX;
    e.comment = S("note");
    assert_encoded(&e, S(": note\nretry: 4294967295\nevent: tick\nid: 7\ndata: hi\n\n"), 37);

    /* There by the flag, or by a pointer that is not NULL. */
    e = (struct crier_event){.flags = CRIER_DATA | CRIER_ID};
    assert_encoded(&e, S("id: \ndata: \n\n"), 0);
    e = (struct crier_event){.data = S(""), .id = S("")};
    assert_encoded(&e, S("id: \ndata: \n\n"), 0);
}

/* Invariant: without data there is no blank line, so no reader calls back for it. */
static void without_data(void **state)
{
    struct crier_event e = {.retry_ms = 2500, .flags = CRIER_RETRY};

    assert_encoded(&e, S("retry: 2500\n"), 12);
    e = (struct crier_event){.comment = S("x")};
    assert_encoded(&e, S(": x\n"), 4);
    e = (struct crier_event){.id = S("5"), .flags = CRIER_ID};
    assert_encoded(&e, S("id: 5\n"), 0);
    e = (struct crier_event){0};
    assert_encoded(&e, S(""), 0);
}

/* Invariant: k line ends make k + 1 lines; other "line ends" of Unicode are none; each comment
 * line has its colon; NUL is data like any other. */
static void line_ends(void **state)
{
    static const struct {
        struct crier_slice data, sse;
    } cases[] = {
        {{"", 0}, {"data: \n\n", 8}},
        {{"\n", 1}, {"data: \ndata: \n\n", 15}},
        {{"a\n", 2}, {"data: a\ndata: \n\n", 16}},
        {{"a\r", 2}, {"data: a\ndata: \n\n", 16}},
        {{"a\r\n", 3}, {"data: a\ndata: \n\n", 16}},
        {{"a\n\r", 3}, {"data: a\ndata: \ndata: \n\n", 23}},
        {{"a\r\r\nb", 5}, {"data: a\ndata: \ndata: b\n\n", 24}},
        {{" a\n  b", 6}, {"data:  a\ndata:   b\n\n", 20}},
        {{"a\0b", 3}, {"data: a\0b\n\n", 11}},
        {{"a\v\f\xC2\x85\xE2\x80\xA8", 8}, {"data: a\v\f\xC2\x85\xE2\x80\xA8\n\n", 16}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct crier_event e = {.data = cases[i].data, .flags = CRIER_DATA};

        assert_encoded(&e, cases[i].sse, 0);
    }

    struct crier_event e = {.comment = S("a\rdata: b\n\r\nid: 4")};

    assert_encoded(&e, S(": a\n: data: b\n: \n: id: 4\n"), 25);
}

/* Invariant: CR, LF or NUL in an id or a type is an error, and nothing is written. */
static void refusals(void **state)
{
    static const struct crier_slice bad[] = {
        {"\n", 1},
        {"\r", 1},
        {"\0", 1},
        {"a\nb", 3},
        {"a\rb", 3},
        {"a\0b", 3},
        {"abcdefghijk\n", 12},
    };
    struct crier_buf buf;
    size_t id_at = 999, len = 777;
    char room[100] = "!";

    crier_buf_init(&buf, &crier_mem_libc);
    crier_buf_append(&buf, S("kept"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct crier_event id = {.id = bad[i], .flags = CRIER_DATA | CRIER_ID};
        struct crier_event type = {.type = bad[i], .flags = CRIER_DATA};

        assert_int_equal(crier_event_append(&buf, &id, &id_at), -EINVAL);
        assert_int_equal(crier_event_append(&buf, &type, &id_at), -EINVAL);
        assert_int_equal(crier_event_encode(&id, room, sizeof(room), &len), CRIER_EINVAL);
        assert_int_equal(crier_event_encode(&type, room, sizeof(room), &len), CRIER_EINVAL);
        assert_int_equal(crier_event_encode(&type, room, 0, &len), CRIER_EINVAL);
    }
    assert_int_equal(room[0], '!');
    assert_int_equal(len, 777);
    assert_slice_is(crier_buf_slice(&buf), "kept");
    assert_int_equal(crier_buf_error(&buf), 0);
    assert_int_equal(id_at, 999);
    crier_buf_deinit(&buf);
}

/* Random text of few, telling characters; with line ends only if asked for. */
static struct crier_slice random_text(struct crier_rng *rng, char *text, size_t max, bool lines)
{
    static const char *const pieces[] = {
        "a",  ":",  " ",   "\xC3\xA9", "\t", "data", "\xEF\xBB\xBF", "id", "\xE2\x80\xA8",
        "\n", "\r", "\r\n"};
    size_t len = 0;

    for (size_t n = crier_rng_between(rng, 0, max / 3); n > 0; n--) {
        struct crier_slice piece =
            crier_slice_of(pieces[crier_rng_between(rng, 0, lines ? 11 : 8)]);

        if (lines && crier_rng_between(rng, 0, 12) == 0)
            piece = S("\0");
        if (len + piece.len > max)
            break;
        memcpy(text + len, piece.data, piece.len);
        len += piece.len;
    }
    return (struct crier_slice){text, len};
}

/* What a reader sees of data: LF for each line end. */
static void normalise(struct crier_buf *buf, struct crier_slice data)
{
    for (size_t i = 0; i < data.len; i++) {
        if (data.data[i] == '\n' && i > 0 && data.data[i - 1] == '\r')
            continue;
        crier_buf_byte(buf, data.data[i] == '\r' ? '\n' : data.data[i]);
    }
}

/* Feeds sse, first `cut` bytes and then `step` at a time, and checks that exactly `event` comes
 * out. */
static void assert_parsed(struct crier_slice sse,
                          size_t cut,
                          size_t step,
                          const struct crier_event *event,
                          struct crier_slice data)
{
    struct crier_parser p;
    struct crier_item item = {0};
    int events = 0, r;
    uint32_t retry_ms = 77;
    size_t at = 0, n = cut;

    assert_int_equal(crier_parser_init(&p, &crier_mem_libc, 0, 0, S("seed")), 0);
    do {
        crier_parser_feed(&p, crier_slice_sub(sse, at, n));
        at += n;
        n = step;
        while ((r = crier_parser_next(&p, &item)) == 0) {
            if (item.kind == CRIER_ITEM_RETRY) {
                retry_ms = item.retry_ms;
                continue;
            }
            events++;
            assert_int_equal(item.kind, CRIER_ITEM_EVENT);
            assert_slice_equal(item.data, data);
            assert_slice_equal(item.type, event->type.len ? event->type : S("message"));
            assert_int_equal(item.own_id, (event->flags & CRIER_ID) != 0);
            assert_slice_equal(item.id, item.own_id ? event->id : S("seed"));
        }
        assert_int_equal(r, CRIER_MORE);
    } while (at < sse.len);
    assert_int_equal(events, (event->flags & CRIER_DATA) ? 1 : 0);
    assert_int_equal(retry_ms, (event->flags & CRIER_RETRY) ? event->retry_ms : 77);
    /* What has no data has no blank line: an id or a type is then left unfinished. */
    assert_int_equal(crier_parser_end(&p),
                     !(event->flags & CRIER_DATA) &&
                             ((event->flags & CRIER_ID) || event->type.len)
                         ? CRIER_PARTIAL
                         : 0);
    crier_parser_deinit(&p);
}

/* crier_event_encode() right before a page nobody may touch. */
static void assert_encodes(struct test_guard *guard,
                           const struct crier_event *event,
                           struct crier_slice expected)
{
    char *end = guard->pages + guard->total - guard->page, *to = end - expected.len;
    size_t len = 777;

    if (expected.len > 0) {
        to[0] = '!';
        assert_int_equal(crier_event_encode(event, to, expected.len - 1, &len), CRIER_EMSGSIZE);
        assert_int_equal(len, 777);
        assert_int_equal(to[0], '!');
    }
    assert_int_equal(crier_event_encode(event, to, expected.len, &len), 0);
    assert_int_equal(len, expected.len);
    assert_slice_equal(((struct crier_slice){to, len}), expected);
    assert_int_equal(crier_event_encode(event, to - 1, expected.len + 1, NULL), 0);
    assert_slice_equal(((struct crier_slice){to - 1, len}), expected);
}

/* Invariant: what was encoded comes out of the parser, whole, cut at every byte, and byte by
 * byte. The public call writes the same, up to the last byte there is room for. */
static void round_trip(void **state)
{
    struct crier_rng rng = {test_seed("round_trip")};
    struct crier_buf sse, data;
    struct test_guard guard;

    test_guard_init(&guard, 4096);
    crier_buf_init(&sse, &crier_mem_libc);
    crier_buf_init(&data, &crier_mem_libc);
    for (int round = 0; round < 1500; round++) {
        char texts[4][60];
        struct crier_event e = {
            .data = random_text(&rng, texts[0], sizeof(texts[0]), true),
            .type = random_text(&rng, texts[1], 12, false),
            .id = random_text(&rng, texts[2], 12, false),
            .comment = random_text(&rng, texts[3], 20, true),
            .retry_ms = (uint32_t)crier_rng_next(&rng) >> crier_rng_between(&rng, 0, 31),
            .flags = (unsigned)crier_rng_between(&rng, 0, 7),
        };

        if (!(e.flags & CRIER_DATA))
            e.data = (struct crier_slice){NULL, 0};
        if (!(e.flags & CRIER_ID))
            e.id = (struct crier_slice){NULL, 0};
        crier_buf_clear(&sse);
        crier_buf_clear(&data);
        assert_int_equal(crier_event_append(&sse, &e, NULL), 0);
        assert_int_equal(sse.len, crier_event_size(&e));
        assert_encodes(&guard, &e, crier_buf_slice(&sse));
        if (e.flags & CRIER_DATA)
            normalise(&data, e.data);
        for (size_t cut = 0; cut <= sse.len; cut++)
            assert_parsed(crier_buf_slice(&sse), cut, SIZE_MAX / 2, &e, crier_buf_slice(&data));
        assert_parsed(crier_buf_slice(&sse), 1, 1, &e, crier_buf_slice(&data));
    }
    crier_buf_deinit(&sse);
    test_guard_deinit(&guard);
    crier_buf_deinit(&data);
}

/* Invariant: an id line set in at *ret_id_at reads as if it had been encoded with the event. */
static void id_set_in_later(void **state)
{
    struct crier_event e = {
        .data = S("a\nb"),
        .type = S("t"),
        .comment = S("c"),
        .retry_ms = 5,
        .flags = CRIER_DATA | CRIER_RETRY,
    };
    struct crier_buf without, with, joined;
    struct crier_slice sse;
    size_t at;

    crier_buf_init(&without, &crier_mem_libc);
    crier_buf_init(&with, &crier_mem_libc);
    crier_buf_init(&joined, &crier_mem_libc);
    assert_int_equal(crier_event_append(&without, &e, &at), 0);
    e.id = S("1-0");
    e.flags |= CRIER_ID;
    assert_int_equal(crier_event_append(&with, &e, NULL), 0);
    sse = crier_buf_slice(&without);
    crier_buf_append(&joined, crier_slice_sub(sse, 0, at));
    crier_buf_append(&joined, S("id: 1-0\n"));
    crier_buf_append(&joined, crier_slice_sub(sse, at, SIZE_MAX));
    assert_slice_equal(crier_buf_slice(&joined), crier_buf_slice(&with));
    crier_buf_deinit(&without);
    crier_buf_deinit(&with);
    crier_buf_deinit(&joined);
}

static int encode_many(const struct crier_mem *mem, void *ctx)
{
    struct crier_event e = {
        .data = S("line\nline"), .type = S("t"), .id = S("i"), .comment = S("c"), .flags = 7};
    struct crier_buf buf;
    int r = 0;

    crier_buf_init(&buf, mem);
    for (int i = 0; i < 50 && r == 0; i++) {
        size_t before = buf.len;

        r = crier_event_append(&buf, &e, NULL);
        assert_int_equal(buf.len, before + (r == 0 ? crier_event_size(&e) : 0));
    }
    crier_buf_deinit(&buf);
    return r;
}

static void out_of_memory(void **state)
{
    assert_true(test_mem_torture(encode_many, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),        cmocka_unit_test(without_data),
        cmocka_unit_test(line_ends),     cmocka_unit_test(refusals),
        cmocka_unit_test(round_trip),    cmocka_unit_test(id_set_in_later),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
