/* SPDX-License-Identifier: MIT */
/*
 * Streams that follow a hub and send their own, at random: publishes, sends, posts, peers that
 * take a little, much or nothing, ends, and a stop. What each peer got is parsed and compared
 * with what was to come:
 *
 *   - each event is whole, and nothing stands between
 *   - the hub's come once each, in order, from where it began to follow, with their ids
 *   - its own come once each, in order, all that were taken, and without an id
 *   - who was finished has its clean end; who was not has everything when it has taken all
 */
#include "stream_support.h"

enum { WIRES = 12, ROUNDS = 4000, TOPICS = 3, PUBLISHED = 4000, DATA = 30000 };

struct published {
    unsigned topic;
    struct crier_id id;
};

struct follower {
    struct test_wire wire;
    struct crier_stream *stream;
    struct crier_ref ref;
    bool open, finished, everything;
    unsigned topic;
    size_t from;   /* the first event it has to get */
    unsigned sent; /* its own that were taken */
    size_t to;     /* what was published when it was finished */
    int closed;
    enum crier_close why;
};

struct world {
    struct test_server t;
    struct crier_hub *hub;
    struct crier_rng rng;
    struct published *published;
    size_t count;
    struct follower followers[WIRES];
    struct follower *opening;
    uint64_t hub_events, own_events, ended;
};

static char filler[DATA + 1];

static uint64_t below(struct world *w, uint64_t n)
{
    return crier_rng_between(&w->rng, 0, n - 1);
}

static int size_of_next(struct world *w)
{
    return (int)below(w, below(w, 6) == 0 ? DATA : 200);
}

static void closed(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct follower *f = ctx;

    assert_ptr_equal(f->stream, stream);
    f->stream = NULL;
    f->closed++;
    f->why = why;
}

static void open_follower(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;
    struct follower *f = w->opening;
    char topic[8];
    const char *selector = f->everything ? "**" : topic;
    const struct crier_follow_options o = {
        .selectors = &selector, .selector_count = 1, .quiet = below(w, 2) == 0};

    snprintf(topic, sizeof(topic), "t%u", f->topic);
    f->stream = crier_stream_open(request, .on_close = closed, .ctx = f);
    assert_non_null(f->stream);
    f->ref = crier_stream_ref(f->stream);
    assert_int_equal(crier_stream_follow_with(f->stream, w->hub, &o), 0);
}

static void begin(struct world *w, struct follower *f)
{
    *f = (struct follower){.open = true,
                           .topic = (unsigned)below(w, TOPICS),
                           .everything = below(w, 2) == 0,
                           .from = w->count,
                           .to = SIZE_MAX};
    w->opening = f;
    f->wire = test_wire_open(&w->t, SOCK_STREAM);
    test_wire_get(&f->wire, below(w, 4) ? "/" : "/timed");
    assert_non_null(f->stream);
}

static void publish(struct world *w)
{
    struct published *p = &w->published[w->count];
    struct crier_receipt receipt;
    struct crier_buf data;
    char topic[8];

    p->topic = (unsigned)below(w, TOPICS);
    snprintf(topic, sizeof(topic), "t%u", p->topic);
    crier_buf_init(&data, &crier_mem_libc);
    crier_buf_printf(&data, "%zu %.*s", w->count, size_of_next(w), filler);
    assert_int_equal(crier_hub_publish(w->hub, topic,
                                       &(struct crier_event){.data = crier_buf_slice(&data),
                                                             .type = CRIER_SLICE("hub")},
                                       &receipt),
                     0);
    crier_buf_deinit(&data);
    p->id = receipt.id;
    w->count++;
}

static void send_own(struct world *w, struct follower *f)
{
    struct crier_buf data;
    struct crier_event event = {.type = CRIER_SLICE("own"), .id = CRIER_SLICE("none")};
    int r;

    crier_buf_init(&data, &crier_mem_libc);
    crier_buf_printf(&data, "%u %.*s", f->sent, size_of_next(w), filler);
    event.data = crier_buf_slice(&data);
    /* Posts are only in order with the stream's own calls when they have been read. */
    if (below(w, 3) == 0) {
        r = crier_server_post(w->t.server, f->ref, &event);
        if (r == 0)
            assert_int_equal(crier_test_settle(w->t.server), 0);
    } else {
        r = crier_stream_send(f->stream, &event);
    }
    assert_true(r == 0 || r == CRIER_FULL);
    f->sent += r == 0;
    crier_buf_deinit(&data);
}

static bool matches(const struct follower *f, const struct published *p)
{
    return f->everything || f->topic == p->topic;
}

/* A hub's event: the next one that it has to get. */
static void
expect_hub(struct world *w, struct follower *f, size_t *at, const struct crier_item *item)
{
    struct crier_id id;

    while (*at < w->count && !matches(f, &w->published[*at]))
        ++*at;
    assert_true(*at < w->count);
    assert_int_equal(strtoul(item->data.data, NULL, 10), *at);
    assert_true(item->own_id);
    assert_int_equal(crier_id_parse(item->id, &id), 0);
    assert_int_equal(crier_id_cmp(id, w->published[*at].id), 0);
    ++*at;
    w->hub_events++;
}

static void compare(struct world *w, struct follower *f)
{
    struct crier_parser *parser = crier_parser_new(.flags = CRIER_PARSER_STRICT);
    struct test_body body = test_body_of(crier_buf_slice(&f->wire.got));
    struct crier_item item;
    size_t at = f->from;
    unsigned own = 0;
    int r;

    assert_int_equal(crier_parser_feed(parser, crier_buf_slice(&body.text)), 0);
    while ((r = crier_parser_next(parser, &item)) == 0) {
        if (item.kind == CRIER_ITEM_RETRY)
            continue;
        assert_int_equal(item.kind, CRIER_ITEM_EVENT);
        if (crier_slice_eq(item.type, CRIER_SLICE("own"))) {
            assert_int_equal(strtoul(item.data.data, NULL, 10), own);
            assert_false(item.own_id);
            own++;
            w->own_events++;
        } else if (crier_slice_eq(item.type, CRIER_SLICE("hub"))) {
            expect_hub(w, f, &at, &item);
        } else {
            assert_slice_is(item.type, "crier:connected");
        }
    }
    assert_int_equal(r, CRIER_MORE);
    assert_int_equal(own, f->sent);
    assert_int_equal(body.over, f->closed == 1);
    if (!f->finished) {
        while (at < w->count && !matches(f, &w->published[at]))
            at++;
        assert_int_equal(at, w->count);
    } else {
        assert_true(at <= f->to);
    }
    crier_parser_free(parser);
    crier_buf_deinit(&body.text);
}

static void end(struct world *w, struct follower *f)
{
    test_wire_take_all(&f->wire);
    if (f->finished) {
        assert_true(f->wire.ended);
        assert_int_equal(f->closed, 1);
        assert_int_equal(f->why, CRIER_CLOSE_FINISHED);
    }
    compare(w, f);
    test_wire_close(&f->wire);
    (void)crier_test_settle(w->t.server);
    assert_int_equal(f->closed, 1);
    f->open = false;
    w->ended++;
}

static int send_in_timer(struct crier_stream *stream, void *ctx)
{
    struct follower *f = ctx;

    assert_ptr_equal(f->stream, stream);
    f->sent += crier_stream_sendf(stream, "own", "%u %.*s", f->sent, (int)(f->sent % 300),
                                  filler) == 0;
    return 0;
}

static void open_timed(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    open_follower(request, ctx);
    assert_int_equal(crier_stream_every(w->opening->stream, 7, send_in_timer, w->opening), 0);
}

static void one_step(struct world *w)
{
    struct follower *f = &w->followers[below(w, WIRES)];

    if (!f->open) {
        if (below(w, 4) == 0)
            begin(w, f);
        return;
    }
    switch (below(w, 12)) {
    case 0:
    case 1:
    case 2:
        publish(w);
        break;
    case 3:
    case 4:
        if (f->stream && !f->finished)
            send_own(w, f);
        break;
    case 5:
        test_advance(&w->t, below(w, 10));
        break;
    case 6:
        if (below(w, 12) == 0 && !f->finished) {
            assert_int_equal(below(w, 2) ? crier_stream_finish(f->stream)
                                         : crier_server_finish(w->t.server, f->ref),
                             0);
            f->finished = true;
            (void)crier_test_settle(w->t.server); /* its timers have ended */
            f->to = w->count;
        }
        break;
    case 7:
        if (f->finished || below(w, 20) == 0)
            end(w, f);
        break;
    default:
        test_wire_take(&f->wire, below(w, 8) ? 1 + below(w, 3000) : 100000);
        break;
    }
    if (below(w, 3))
        (void)crier_test_settle(w->t.server);
}

static void against_a_model(void **state)
{
    static struct world w;

    memset(filler, 'x', DATA);
    w.rng.state = test_seed("follow");
    w.published = calloc(PUBLISHED, sizeof(*w.published));
    assert_non_null(w.published);
    test_server_init(&w.t, (struct crier_server_options){.stall_timeout_ms = 1 << 30});
    w.hub = crier_hub_new(.clock = crier_test_clock_of(w.t.clock));
    test_route(&w.t, "GET", "/", open_follower, &w);
    test_route(&w.t, "GET", "/timed", open_timed, &w);
    for (int i = 0; i < ROUNDS * 3 && w.count < PUBLISHED; i++)
        one_step(&w);
    for (size_t i = 0; i < WIRES; i++) {
        if (w.followers[i].open)
            end(&w, &w.followers[i]);
    }
    print_message("%zu published, %llu of them got, %llu own, %llu streams\n", w.count,
                  (unsigned long long)w.hub_events, (unsigned long long)w.own_events,
                  (unsigned long long)w.ended);
    assert_true(w.hub_events > 1000 && w.own_events > 500 && w.ended > 20);
    assert_null(crier_server_free(w.t.server));
    crier_hub_free(w.hub);
    crier_test_clock_free(w.t.clock);
    free(w.published);
}

/* Invariant: a stop lets slow peers have what was published and sent before it, whole and in
 * order, then the end. */
static void stop_with_slow_peers(void **state)
{
    static struct world w;
    int left = WIRES;

    w.rng.state = test_seed("stop");
    w.published = calloc(PUBLISHED, sizeof(*w.published));
    assert_non_null(w.published);
    test_server_init(&w.t, (struct crier_server_options){.grace_ms = 1 << 20});
    w.hub = crier_hub_new(.clock = crier_test_clock_of(w.t.clock));
    test_route(&w.t, "GET", "/", open_follower, &w);
    test_route(&w.t, "GET", "/timed", open_follower, &w);
    for (int i = 0; i < WIRES; i++)
        begin(&w, &w.followers[i]);
    for (int i = 0; i < 100; i++) {
        publish(&w);
        send_own(&w, &w.followers[below(&w, WIRES)]);
    }
    assert_int_equal(crier_server_stop(w.t.server), 0);
    for (int i = 0; i < 100000 && left > 0; i++) {
        struct follower *f = &w.followers[below(&w, WIRES)];

        if (!f->open)
            continue;
        test_wire_take(&f->wire, 1 + below(&w, 30000));
        crier_test_clock_advance(w.t.clock, 1);
        if (f->wire.ended) {
            assert_int_equal(f->closed, 1);
            assert_int_equal(f->why, CRIER_CLOSE_STOPPED);
            compare(&w, f);
            test_wire_close(&f->wire);
            f->open = false;
            left--;
        }
    }
    assert_int_equal(left, 0);
    assert_int_equal(crier_test_settle(w.t.server), CRIER_STOPPED);
    assert_null(crier_server_free(w.t.server));
    crier_hub_free(w.hub);
    crier_test_clock_free(w.t.clock);
    free(w.published);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
        cmocka_unit_test(stop_with_slow_peers),
    };
    return cmocka_run_group_tests_name("follow_model", tests, NULL, NULL);
}
