/* SPDX-License-Identifier: MIT */
/* Streams that follow a hub, and peers that take its events a little at a time. */
#include "follow_support.h"

enum { LARGE = 100 * 1000 };

static void publish_large(struct world *w, const char *topic, char fill)
{
    char *data = malloc(LARGE + 1);

    assert_non_null(data);
    memset(data, fill, LARGE);
    data[LARGE] = '\0';
    publish(w, topic, NULL, data);
    free(data);
}

static void take_some(struct test_wire *wire, size_t much)
{
    size_t taken = 0, n;

    while (taken < much && (n = test_wire_take(wire, 500)) > 0)
        taken += n;
}

/* The text of a wire, events of one letter shortened to it. */
static char *shortened(struct test_wire *wire, bool *ret_over)
{
    struct test_body body = test_body_of(crier_buf_slice(&wire->got));
    char *text = calloc(1, body.text.len + 1), *to = text;

    assert_non_null(text);
    for (const char *at = body.text.data; *at;) {
        size_t len = strcspn(at, "\n") + 1;

        if (strncmp(at, "data: ", 6) == 0 && len == LARGE + 7)
            *to++ = at[6];
        else if (strncmp(at, "data: ", 6) == 0)
            to += sprintf(to, "%.*s", (int)len - 7, at + 6);
        else if (strncmp(at, "id: ", 4) != 0 && *at != '\n')
            to += sprintf(to, "%.*s", (int)len, at);
        at += len;
    }
    *ret_over = body.over;
    crier_buf_deinit(&body.text);
    return text;
}

static void expect_short(struct test_wire *wire, const char *expected, bool over)
{
    bool is_over;
    char *text = shortened(wire, &is_over);

    assert_string_equal(text, expected);
    assert_int_equal(is_over, over);
    free(text);
}

/* Invariant: what is sent while a hub's event is half out comes behind it, in order; then the
 * hub's events go on, although nothing else happens. */
static void never_inside(void **state)
{
    struct test_wire wire;
    struct world w;

    world_init(&w, (struct crier_server_options){0});
    w.wish.quiet = true;
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    publish_large(&w, "a", 'A');
    settle(&w);
    assert_int_equal(crier_stream_sendf(w.calls.stream, NULL, "1"), 0);
    publish_large(&w, "a", 'B');
    settle(&w);
    take_some(&wire, LARGE / 2);
    assert_int_equal(crier_stream_sendf(w.calls.stream, NULL, "2"), 0);
    test_wire_take_all(&wire);
    expect_short(&wire, ":\nA12B", false);
    publish_large(&w, "a", 'C');
    publish(&w, "a", NULL, "c");
    settle(&w);
    take_some(&wire, LARGE / 2);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(crier_stream_sendf(w.calls.stream, NULL, "%d", i), 0);
        settle(&w);
    }
    test_wire_take_all(&wire);
    expect_short(&wire, ":\nA12BC0123c", false);
    publish(&w, "a", NULL, "d");
    settle(&w);
    test_wire_take_all(&wire);
    expect_short(&wire, ":\nA12BC0123cd", false);
    test_wire_close(&wire);
    world_deinit(&w);
}

/* Invariant: a large one of its own, half out, holds the hub's back; they come behind it. */
static void large_own(void **state)
{
    char *data = calloc(1, LARGE + 1);
    struct test_wire wire;
    struct world w;

    assert_non_null(data);
    memset(data, 'X', LARGE);
    world_init(&w, (struct crier_server_options){0});
    w.wish.quiet = true;
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(crier_stream_sendf(w.calls.stream, NULL, "%s", data), 0);
        settle(&w);
        publish(&w, "a", NULL, "a");
        settle(&w);
        publish(&w, "a", NULL, "b");
        take_some(&wire, LARGE / 2);
        test_wire_take_all(&wire);
    }
    expect_short(&wire, ":\nXabXabXab", false);
    test_wire_close(&wire);
    world_deinit(&w);
    free(data);
}

/* Invariant: finish lets the event that was begun be completed, sends what is queued, and takes
 * nothing more of the hub. */
static void finish_inside(void **state)
{
    struct test_wire wire;
    struct world w;

    world_init(&w, (struct crier_server_options){0});
    w.wish.quiet = true;
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    publish_large(&w, "a", 'A');
    settle(&w);
    publish_large(&w, "a", 'B');
    settle(&w);
    assert_int_equal(crier_stream_sendf(w.calls.stream, NULL, "1"), 0);
    assert_int_equal(crier_stream_finish(w.calls.stream), 0);
    settle(&w);
    assert_int_equal(w.calls.closed, 0);
    test_wire_take_all(&wire);
    expect_short(&wire, ":\nA1", true);
    assert_true(wire.ended);
    assert_int_equal(w.calls.closed, 1);
    assert_int_equal(w.calls.why, CRIER_CLOSE_FINISHED);
    test_wire_close(&wire);
    world_deinit(&w);
}

/* Invariant: while a hub's event is half out, what other threads post is bounded all the
 * same. */
static void posts_are_bounded(void **state)
{
    struct test_wire wire;
    struct world w;
    struct crier_ref ref;
    struct crier_event event = {.data = {NULL, 500}};
    char data[500];
    int accepted = 0, r = 0;

    memset(data, 'p', sizeof(data));
    event.data.data = data;
    world_init(&w, (struct crier_server_options){.queue_bytes = 10000});
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    ref = crier_stream_ref(w.calls.stream);
    publish_large(&w, "a", 'A');
    settle(&w);
    while (accepted < 1000 && (r = crier_server_post(w.t.server, ref, &event)) == 0) {
        accepted++;
        settle(&w);
    }
    assert_int_equal(r, CRIER_FULL);
    assert_in_range(accepted, 15, 20);
    assert_true(crier_stream_queued(w.calls.stream) <= 10000 + 520);
    /* As soon as some has gone, there is room again. */
    test_wire_take_all(&wire);
    assert_int_equal(crier_server_post(w.t.server, ref, &event), 0);
    test_wire_close(&wire);
    world_deinit(&w);
}

/* Invariant: however much it sends itself, the hub's events have their turn. */
static void takes_turns(void **state)
{
    struct test_wire wire;
    struct world w;
    size_t taken = 0, n;

    world_init(&w, (struct crier_server_options){.queue_bytes = 20000});
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    publish_large(&w, "a", 'A');
    settle(&w);
    publish(&w, "a", NULL, "its turn");
    while (!wire.got.len || !memmem(wire.got.data, wire.got.len, "its turn", 8)) {
        while (crier_stream_sendf(w.calls.stream, NULL, "%500s", "x") == 0) {
        }
        n = test_wire_take(&wire, 700);
        assert_true(n > 0);
        taken += n;
        assert_true(taken < 2 * LARGE);
    }
    test_wire_close(&wire);
    world_deinit(&w);
}

/* ---- gaps ------------------------------------------------------------------------------- */

/* Invariant: what history lost meanwhile is told; what is there comes whole and in order. */
static void gap(void **state)
{
    struct crier_parser *parser = crier_parser_new();
    struct crier_item item;
    struct test_wire wire;
    struct test_body body;
    struct world w;
    int r, gaps = 0, last = -1, seen = 0;

    world_init(&w, (struct crier_server_options){0});
    crier_hub_free(w.hub);
    w.hub = crier_hub_new(.clock = crier_test_clock_of(w.t.clock), .history_events = 50);
    w.wish.quiet = true;
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&wire, "/");
    for (int i = 0; i < 2000; i++) {
        char text[400];

        snprintf(text, sizeof(text), "%d %0300d", i, 0);
        publish(&w, "a", NULL, text);
        settle(&w);
        if (i % 100 == 0) {
            assert_int_equal(crier_stream_sendf(w.calls.stream, "own", "x"), 0);
            test_wire_take(&wire, 300);
        }
    }
    test_wire_take_all(&wire);
    assert_int_equal(w.calls.closed, 0);
    body = test_body_of(crier_buf_slice(&wire.got));
    assert_int_equal(crier_parser_feed(parser, crier_buf_slice(&body.text)), 0);
    while ((r = crier_parser_next(parser, &item)) == 0) {
        if (item.kind != CRIER_ITEM_EVENT || crier_slice_eq(item.type, CRIER_SLICE("own")))
            continue;
        if (crier_slice_eq(item.type, CRIER_SLICE("crier:gap"))) {
            gaps++;
            last = -1;
            continue;
        }
        r = atoi(item.data.data);
        assert_true(last < 0 || r == last + 1);
        last = r;
        seen++;
    }
    assert_int_equal(last, 1999);
    assert_true(gaps > 0 && seen < 2000);
    crier_buf_deinit(&body.text);
    crier_parser_free(parser);
    test_wire_close(&wire);
    world_deinit(&w);
}
enum { MANY = 20 };

/* Invariant: followers of one feed, few (each reads history itself when it is behind) or many
 * (a window is kept), get all, whatever each one's pace, with their own between. */
static void many_followers(void **state)
{
    for (int count = 2; count <= MANY; count += MANY - 2) {
        struct test_wire wires[MANY];
        struct crier_stream *streams[MANY];
        struct world w;

        world_init(&w, (struct crier_server_options){0});
        w.wish.quiet = true;
        for (int i = 0; i < count; i++) {
            wires[i] = test_wire_open(&w.t, SOCK_STREAM);
            test_wire_get(&wires[i], "/");
            streams[i] = w.calls.stream;
        }
        publish_large(&w, "a", 'A');
        for (int i = 0; i < count; i++) {
            take_some(&wires[i], (size_t)(i * LARGE / count));
            assert_int_equal(crier_stream_sendf(streams[i], NULL, "%d", i % 10), 0);
        }
        publish_large(&w, "a", 'B');
        publish(&w, "a", NULL, "b");
        settle(&w);
        for (int i = count - 1; i >= 0; i--)
            test_wire_take_all(&wires[i]);
        for (int i = 0; i < count; i++) {
            char expected[] = ":\nA0Bb";

            expected[3] = (char)('0' + i % 10);
            expect_short(&wires[i], expected, false);
            test_wire_close(&wires[i]);
        }
        world_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_inside),   cmocka_unit_test(large_own),
        cmocka_unit_test(finish_inside),  cmocka_unit_test(posts_are_bounded),
        cmocka_unit_test(takes_turns),    cmocka_unit_test(gap),
        cmocka_unit_test(many_followers),
    };
    return cmocka_run_group_tests_name("follow_slow", tests, NULL, NULL);
}
