/* SPDX-License-Identifier: MIT */
/* Streams of a program that carry a hub's events too. (Slow peers: test_follow_slow.c; all of it
 * at random: test_follow_model.c.) */
#include "follow_support.h"

static const char *const everything[] = {"**"};

/* Invariant: from now on, what matches, once; own sends keep their order, before and between. */
static void live(void **state)
{
    struct crier_test_peer *peer;
    struct world w;

    world_init(&w, (struct crier_server_options){0});
    w.before = "before";
    publish(&w, "a", NULL, "past");
    peer = test_get(&w.t, "/");
    expect_events(peer, ":\ndata: before\n\n" CONNECTED);
    publish(&w, "a", "t", "1");
    publish(&w, "b", NULL, "other");
    settle(&w);
    assert_int_equal(crier_stream_sendf(w.calls.stream, "mine", "x"), 0);
    settle(&w);
    publish(&w, "a", NULL, "2");
    settle(&w);
    expect_events(peer, ":\ndata: before\n\n" CONNECTED "event: t\ndata: 1\n\n"
                        "event: mine\ndata: x\n\ndata: 2\n\n");
    assert_int_equal(crier_stream_finish(w.calls.stream), 0);
    settle(&w);
    assert_int_equal(w.calls.why, CRIER_CLOSE_FINISHED);
    assert_true(crier_test_ended(peer));
    crier_test_peer_free(peer);
    world_deinit(&w);
}

static struct crier_test_peer *get_after(struct world *w, struct crier_id id)
{
    struct crier_test_peer *peer = test_peer(&w->t);
    char text[CRIER_ID_TEXT + 1] = "", request[200];
    int len;

    crier_id_format(id, text);
    len = snprintf(request, sizeof(request),
                   "GET / HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: %s\r\n\r\n", text);
    assert_int_equal(crier_test_send(peer, (struct crier_slice){request, (size_t)len}), 0);
    return peer;
}

/* Invariant: it goes on after the request's last id, or the option's; an empty one is none. */
static void replay(void **state)
{
    struct crier_test_peer *peer;
    struct world w;
    struct crier_id ids[3];
    char text[CRIER_ID_TEXT + 1] = "";

    world_init(&w, (struct crier_server_options){0});
    ids[0] = publish(&w, "a", NULL, "1");
    ids[1] = publish(&w, "a", NULL, "2");
    ids[2] = publish(&w, "a", NULL, "3");
    peer = get_after(&w, ids[0]);
    expect_events(peer, ":\n" RESUMED "data: 2\n\ndata: 3\n\n");
    crier_test_peer_free(peer);

    w.wish.since = "earliest"; /* the id wins */
    peer = get_after(&w, ids[1]);
    expect_events(peer, ":\n" RESUMED "data: 3\n\n");
    crier_test_peer_free(peer);

    crier_id_format(ids[0], text);
    w.wish.last_id = text;
    peer = get_after(&w, ids[2]);
    expect_events(peer, ":\n" RESUMED "data: 2\n\ndata: 3\n\n");
    crier_test_peer_free(peer);

    w.wish.last_id = "";
    peer = get_after(&w, ids[2]);
    expect_events(peer, ":\n" CONNECTED "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    crier_test_peer_free(peer);
    world_deinit(&w);
}

/* Invariant: since, types, patterns, envelope and quiet do as they say. */
static void options(void **state)
{
    static const char *const types[] = {"t", "message"};
    struct crier_test_peer *peer;
    struct world w;
    char *text;

    world_init(&w, (struct crier_server_options){0});
    publish(&w, "a", "t", "1");
    publish(&w, "a/b", "u", "2");
    publish(&w, "a/b/c", NULL, "3");
    w.wish = (struct crier_follow_options){
        .selectors = everything, .selector_count = 1, .since = "earliest", .quiet = true};
    peer = test_get(&w.t, "/");
    expect_events(peer, ":\nevent: t\ndata: 1\n\nevent: u\ndata: 2\n\ndata: 3\n\n");
    crier_test_peer_free(peer);

    w.wish.types = types;
    w.wish.type_count = 2;
    peer = test_get(&w.t, "/");
    expect_events(peer, ":\nevent: t\ndata: 1\n\ndata: 3\n\n");
    crier_test_peer_free(peer);

    w.wish.since = "last:1";
    w.wish.envelope = true;
    peer = test_get(&w.t, "/");
    text = test_text(peer, NULL);
    assert_in(text, "\"topic\":\"a/b/c\"");
    assert_in(text, "\"data\":\"3\"");
    assert_not_in(text, "\"topic\":\"a\"");
    free(text);
    crier_test_peer_free(peer);
    world_deinit(&w);
}

/* Invariant: what cannot be followed is refused, and leaves the stream as it was. */
static void refusals(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const bad[] = {"a", "/a//"};
    const char *many[200];
    struct crier_follow_options o;
    struct crier_stream *s;
    struct crier_test_peer *peer;
    struct world w;
    char names[200][8];

    world_init(&w, (struct crier_server_options){0});
    w.wish.selector_count = 0;
    peer = test_get(&w.t, "/");
    s = w.calls.stream;
    assert_int_equal(crier_stream_follow(s, w.hub, NULL), CRIER_EINVAL);
    assert_int_equal(crier_stream_follow(s, w.hub, ""), CRIER_EINVAL);
    assert_int_equal(crier_stream_follow(s, w.hub, "a//b"), CRIER_EINVAL);
    assert_int_equal(crier_stream_follow(s, w.hub, "**/a"), CRIER_EINVAL);
    assert_int_equal(crier_stream_follow(s, NULL, "a"), CRIER_ENOMEM);
    o = (struct crier_follow_options){.selectors = none, .selector_count = 1};
    assert_int_equal(crier_stream_follow_with(s, w.hub, &o), CRIER_EINVAL);
    o = (struct crier_follow_options){.selectors = bad, .selector_count = 2};
    assert_int_equal(crier_stream_follow_with(s, w.hub, &o), CRIER_EINVAL);
    o = (struct crier_follow_options){0};
    assert_int_equal(crier_stream_follow_with(s, w.hub, &o), CRIER_EINVAL);
    o = (struct crier_follow_options){
        .selectors = a_only, .selector_count = 1, .since = "tomorrow"};
    assert_int_equal(crier_stream_follow_with(s, w.hub, &o), CRIER_EINVAL);
    for (size_t i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "t%zu", i);
        many[i] = names[i];
    }
    o = (struct crier_follow_options){.selectors = many, .selector_count = 200};
    assert_int_equal(crier_stream_follow_with(s, w.hub, &o), CRIER_E2BIG);
    publish(&w, "a", NULL, "missed");
    settle(&w);

    assert_int_equal(crier_stream_follow(s, w.hub, "a"), 0);
    assert_int_equal(crier_stream_follow(s, w.hub, "b"), CRIER_EBUSY);
    settle(&w);
    assert_int_equal(crier_stream_follow(s, w.hub, "b"), CRIER_EBUSY);
    publish(&w, "a", NULL, "seen");
    settle(&w);
    expect_events(peer, ":\n" CONNECTED "data: seen\n\n");
    assert_int_equal(crier_stream_finish(s), 0);
    assert_int_equal(crier_stream_follow(s, w.hub, "b"), CRIER_GONE);
    settle(&w);
    crier_test_peer_free(peer);
    world_deinit(&w);
}

/* Invariant: beside a hub's events nothing that is sent moves the reader's last id, or leaves
 * the beginning of an event to the hub's next. */
static void own_ids(void **state)
{
    struct crier_event event = {.data = CRIER_SLICE("x\nid: 2"), .id = CRIER_SLICE("mine")};
    struct crier_encoded *encoded;
    struct crier_test_peer *peer;
    struct world w;
    struct crier_ref ref;
    char *text;

    world_init(&w, (struct crier_server_options){0});
    peer = test_get(&w.t, "/");
    ref = crier_stream_ref(w.calls.stream);
    assert_int_equal(crier_stream_send(w.calls.stream, &event), 0);
    assert_int_equal(crier_encoded_new(&event, NULL, &encoded), 0);
    assert_int_equal(crier_stream_send_encoded(w.calls.stream, encoded), 0);
    crier_encoded_unref(encoded);
    assert_int_equal(crier_server_post(w.t.server, ref, &event), 0);
    event = (struct crier_event){.id = CRIER_SLICE("mine"), .comment = CRIER_SLICE("c")};
    assert_int_equal(crier_stream_send(w.calls.stream, &event), 0);
    event = (struct crier_event){.type = CRIER_SLICE("half")};
    assert_int_equal(crier_stream_send(w.calls.stream, &event), 0);
    settle(&w);
    publish(&w, "a", NULL, "whole");
    settle(&w);
    text = test_text(peer, NULL);
    assert_not_in(text, "id: mine");
    assert_not_in(text, "half");
    assert_in(text, "data: x\ndata: id: 2\n\n");
    assert_in(text, ": c\n");
    free(text);
    crier_test_peer_free(peer);
    world_deinit(&w);
}
/* ---- hubs ------------------------------------------------------------------------------- */

static void open_second(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;
    struct crier_stream *s = crier_stream_open(request);

    assert_int_equal(crier_stream_follow(s, w->hub, "a"), 0);
    w->hub = crier_hub_free(w->hub); /* the stream keeps it */
}

/* Invariant: two hubs do not mix; the stream keeps its hub, the owner may give it back. */
static void two_hubs(void **state)
{
    struct crier_test_peer *peers[2];
    struct world w, other = {0};
    struct crier_hub *second;

    world_init(&w, (struct crier_server_options){0});
    w.wish.quiet = true;
    second = crier_hub_new(.clock = crier_test_clock_of(w.t.clock));
    other.hub = second;
    test_route(&w.t, "GET", "/second", open_second, &other);
    peers[0] = test_get(&w.t, "/");
    peers[1] = test_get(&w.t, "/second");
    assert_null(other.hub);
    publish(&w, "a", NULL, "first");
    other.hub = second; /* still alive: the server has it */
    publish(&other, "a", NULL, "second");
    settle(&w);
    expect_events(peers[0], ":\ndata: first\n\n");
    expect_events(peers[1], ":\n" CONNECTED "data: second\n\n");
    crier_test_drop(peers[1]);
    crier_test_peer_free(peers[0]);
    crier_test_peer_free(peers[1]);
    world_deinit(&w);
}
/* ---- from other callbacks --------------------------------------------------------------- */

struct later {
    struct world *w;
    struct crier_stream *other, *watched;
    struct test_wire *wire;
    bool only_send, only_follow;
};

static void follow_other(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct later *later = ctx;

    if (!later->other)
        return;
    if (!later->only_follow)
        assert_int_equal(crier_stream_sendf(later->other, NULL, "gone"), 0);
    if (!later->only_send)
        assert_int_equal(crier_stream_follow(later->other, later->w->hub, "a"), 0);
    later->other = NULL;
}

static void open_watched(struct crier_request *request, void *ctx)
{
    struct later *later = ctx;

    later->watched = crier_stream_open(request, .on_close = follow_other, .ctx = ctx);
    assert_non_null(later->watched);
}

static int fail_now(struct crier_stream *stream, void *ctx)
{
    return CRIER_ENOMEM;
}

static void later_init(struct later *later, struct world *w, struct crier_test_peer *peers[2])
{
    world_init(w, (struct crier_server_options){0});
    *later = (struct later){.w = w};
    test_route(&w->t, "GET", "/watched", open_watched, later);
    w->wish.selector_count = 0;
    peers[0] = test_get(&w->t, "/");
    later->other = w->calls.stream;
    peers[1] = test_get(&w->t, "/watched");
}

/* Invariant: what on_close does to another stream happens at once, although nothing else
 * does. */
static void from_on_close(void **state)
{
    for (int i = 0; i < 8; i++) {
        struct crier_test_peer *peers[2];
        struct later later;
        struct world w;
        int how = i / 2;

        later_init(&later, &w, peers);
        later.only_send = i % 2 == 1;
        if (how == 0)
            crier_test_drop(peers[1]);
        else if (how == 1)
            crier_test_close(peers[1]);
        else if (how == 2)
            assert_int_equal(crier_stream_pull(later.watched, fail_now, NULL), 0);
        else
            assert_int_equal(crier_stream_finish(later.watched), 0);
        settle(&w);
        expect_events(peers[0],
                      later.only_send ? ":\ndata: gone\n\n" : ":\ndata: gone\n\n" CONNECTED);
        crier_test_peer_free(peers[0]);
        crier_test_peer_free(peers[1]);
        world_deinit(&w);
    }
}

/* Cuts the wire of a follower right before it is sent something. */
static void cut_and_publish(struct crier_request *request, void *ctx)
{
    struct later *later = ctx;

    close(later->wire->fd);
    later->wire->fd = -1;
    publish(later->w, "a", NULL, "1");
    assert_int_not_equal(crier_request_later(request).generation, 0); /* not a byte goes out */
}

/* Invariant: the same when the hub's own sending comes upon the end, between two hubs. */
static void from_on_close_in_fan_out(void **state)
{
    struct test_wire wire, second, trigger;
    struct crier_test_peer *peer;
    struct later later = {.wire = &wire, .only_follow = true};
    struct crier_hub *hub;
    struct world w;

    world_init(&w, (struct crier_server_options){0});
    later.w = &w;
    test_route(&w.t, "GET", "/watched", open_watched, &later);
    test_route(&w.t, "GET", "/cut", cut_and_publish, &later);
    wire = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&wire, "/watched");
    assert_int_equal(crier_stream_follow(later.watched, w.hub, "a"), 0);
    settle(&w);
    hub = w.hub;
    w.hub = crier_hub_new(.clock = crier_test_clock_of(w.t.clock));
    second = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&second, "/"); /* the second hub comes after the first */
    crier_hub_free(w.hub);
    w.hub = hub;
    w.wish.selector_count = 0;
    peer = test_get(&w.t, "/");
    later.other = w.calls.stream;
    trigger = test_wire_open(&w.t, SOCK_STREAM);
    test_wire_get(&trigger, "/cut");
    assert_null(later.other);
    expect_events(peer, ":\n" CONNECTED);
    test_wire_close(&wire);
    test_wire_close(&second);
    test_wire_close(&trigger);
    crier_test_peer_free(peer);
    world_deinit(&w);
}

static int follow_in_timer(struct crier_stream *stream, void *ctx)
{
    struct world *w = ctx;

    assert_int_equal(crier_stream_follow(stream, w->hub, "a"), 0);
    return CRIER_DONE;
}

/* Invariant: following begins at once, from a timer and from a pull too. */
static void from_timers(void **state)
{
    struct crier_test_peer *peer;
    struct world w;

    for (int pull = 0; pull < 2; pull++) {
        world_init(&w, (struct crier_server_options){0});
        w.wish.selector_count = 0;
        peer = test_get(&w.t, "/");
        if (pull)
            assert_int_equal(crier_stream_pull(w.calls.stream, follow_in_timer, &w), 0);
        else
            assert_int_equal(crier_stream_every(w.calls.stream, 10, follow_in_timer, &w), 0);
        test_advance(&w.t, 10);
        expect_events(peer, ":\n" CONNECTED);
        crier_test_peer_free(peer);
        world_deinit(&w);
    }
}

/* Invariant: a stop lets out what was published before, then `bye` and the end; it is told as
 * stopped. */
static void stop(void **state)
{
    const struct crier_event bye = {.data = CRIER_SLICE("bye"), .type = CRIER_SLICE("bye")};
    struct crier_test_peer *peer;
    struct world w;

    world_init(&w, (struct crier_server_options){.bye = &bye});
    w.wish.quiet = true;
    peer = test_get(&w.t, "/");
    publish(&w, "a", NULL, "last");
    assert_int_equal(crier_stream_sendf(w.calls.stream, NULL, "own"), 0);
    assert_int_equal(crier_server_stop(w.t.server), 0);
    (void)crier_test_settle(w.t.server);
    crier_test_clock_advance(w.t.clock, 100);
    (void)crier_test_settle(w.t.server);
    assert_int_equal(w.calls.closed, 1);
    assert_int_equal(w.calls.why, CRIER_CLOSE_STOPPED);
    expect_events(peer, ":\ndata: last\n\ndata: own\n\nevent: bye\ndata: bye\n\n");
    crier_test_peer_free(peer);
    world_deinit(&w);
}

/* Invariant: the streams of a mount get `bye` too, in both of their forms of SSE. */
static void bye_on_mounts(void **state)
{
    const struct crier_event bye = {.data = CRIER_SLICE("bye"), .type = CRIER_SLICE("bye")};
    static const char *const paths[] = {"/hub/a", "/hub/a?envelope=1"};

    for (int i = 0; i < 2; i++) {
        struct crier_test_peer *peer;
        struct test_server t;
        struct crier_hub *hub = crier_hub_new();

        test_server_init(&t, (struct crier_server_options){.bye = &bye});
        assert_int_equal(crier_server_mount(t.server, "/hub", hub), 0);
        peer = test_get(&t, paths[i]);
        assert_received(peer, "crier:connected");
        assert_int_equal(crier_server_stop(t.server), 0);
        for (int k = 0; k < 4; k++) {
            (void)crier_test_settle(t.server);
            crier_test_clock_advance(t.clock, 100);
        }
        assert_received(peer, "event: bye\ndata: bye\n\n");
        crier_test_peer_free(peer);
        test_server_deinit(&t);
        crier_hub_free(hub);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live),          cmocka_unit_test(replay),
        cmocka_unit_test(options),       cmocka_unit_test(refusals),
        cmocka_unit_test(own_ids),       cmocka_unit_test(two_hubs),
        cmocka_unit_test(from_on_close), cmocka_unit_test(from_on_close_in_fan_out),
        cmocka_unit_test(from_timers),   cmocka_unit_test(stop),
        cmocka_unit_test(bye_on_mounts),
    };
    return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
