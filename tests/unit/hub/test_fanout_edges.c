/* SPDX-License-Identifier: MIT */
/* The fan-out's single promises, one small story each (test_fanout.c has them all at once). */
#include "fanout_support.h"

static const struct test_wish plain_a = {"a", "", CRIER_FORM_SSE, true};
static const struct crier_since now = {.kind = CRIER_SINCE_NOW};
static const struct crier_since earliest = {.kind = CRIER_SINCE_EARLIEST};

static void publish(struct world *world, const char *topics, size_t size)
{
    world_publish(world, &(struct test_publish){.topics = topics, .size = size});
}

/* What the peer got is exactly these events, whole. */
static void expect_events(struct peer *peer, uint64_t from, uint64_t to)
{
    const struct crier_subscription *s = crier_follower_subscription(&peer->follower);
    struct crier_buf expected, one;

    crier_buf_init(&expected, &crier_mem_libc);
    crier_buf_init(&one, &crier_mem_libc);
    for (uint64_t n = from; n <= to; n++) {
        world_wire(peer->world, n, s, &one);
        crier_buf_append(&expected, crier_buf_slice(&one));
    }
    assert_slice_equal(crier_buf_slice(&peer->wire), crier_buf_slice(&expected));
    crier_buf_deinit(&expected);
    crier_buf_deinit(&one);
}

/* Selectors and topics that match an event in several ways: it comes once. */
static void test_once(void **state)
{
    static const struct test_wish wish = {"a a/b ** a/*", "", CRIER_FORM_SSE, true};
    struct world world;
    struct peer peer;

    world_init(&world, NULL, NULL);
    peer_init(&world, &peer, WORLD_UNLIMITED);
    peer_join(&peer, &wish, &now);
    assert_int_equal(peer.follower.state, CRIER_FOLLOWER_LIVE);
    publish(&world, "a a/b a/c x", 10);
    publish(&world, "a/b", 10);
    world_run(&world);
    expect_events(&peer, 1, 2);
    assert_int_equal(world_stats(&world).delivered, 2);
    peer_leave(&peer);
    world_deinit(&world);
}

/* A burst between two ticks leaves as one send to each stream, in the order they came. */
static void test_burst_is_one_send(void **state)
{
    enum { PEERS = 20 };
    struct world world;
    struct peer peers[PEERS];

    world_init(&world, NULL, NULL);
    for (int i = 0; i < PEERS; i++) {
        peer_init(&world, &peers[i], WORLD_UNLIMITED);
        peer_join(&peers[i], &plain_a, &now);
    }
    for (int i = 0; i < 50; i++)
        publish(&world, "a", 100);
    world_run(&world);
    assert_int_equal(world.sends, PEERS);
    assert_int_equal(world_stats(&world).delivered, 50 * PEERS);
    assert_int_equal(world_stats(&world).window_bytes, 0);
    for (int i = 0; i < PEERS; i++) {
        expect_events(&peers[i], 1, 50);
        peer_leave(&peers[i]);
    }
    world_deinit(&world);
}

/* Members wait for their turn in a pass of many slices while publishing goes on: none of them
 * lags for that, however small the window is. */
static void test_waiting_is_not_lagging(void **state)
{
    enum { PEERS = 300 };
    struct crier_fanout_limits limits = {.window_bytes = 2000, .pass_slice = 7};
    struct world world;
    struct peer *peers = calloc(PEERS, sizeof(*peers));

    world_init(&world, NULL, &limits);
    for (int i = 0; i < PEERS; i++) {
        peer_init(&world, &peers[i], WORLD_UNLIMITED);
        peer_join(&peers[i], &plain_a, &now);
    }
    for (int i = 0; i < 400; i++) {
        if (i < 200)
            publish(&world, "a", i % 50 ? 60 : 3000);
        crier_fanout_read(world.fan);
        crier_fanout_pump(world.fan, world.now);
        crier_fanout_check(world.fan);
        assert_int_equal(world_stats(&world).lagging + world_stats(&world).behind, 0);
        assert_true(world_stats(&world).window_bytes < 2000 + 2 * 3200);
    }
    world_run(&world);
    assert_int_equal(world_stats(&world).replayed, 0);
    for (int i = 0; i < PEERS; i++) {
        expect_events(&peers[i], 1, 200);
        peer_leave(&peers[i]);
    }
    world_deinit(&world);
    free(peers);
}

/* A thousand streams, a hundred of which never read: they cost no more than a window, and then
 * not even that; all others are not held up. When they read again, they get everything. */
static void test_those_who_never_read(void **state)
{
    enum { PEERS = 1000, DEAF = 100, EVENTS = 400 };
    struct crier_fanout_limits limits = {.window_bytes = 16384};
    struct world world;
    struct peer *peers = calloc(PEERS, sizeof(*peers));

    world_init(&world, NULL, &limits);
    for (int i = 0; i < PEERS; i++) {
        peer_init(&world, &peers[i], i % 10 ? WORLD_UNLIMITED : 37);
        peer_join(&peers[i], &plain_a, &now);
    }
    for (uint64_t n = 1; n <= EVENTS; n++) {
        publish(&world, "a", 1000);
        world_run(&world);
        struct crier_fanout_stats stats = world_stats(&world);
        assert_true(stats.window_bytes <= 16384);
        assert_true(stats.pinned_bytes <= DEAF * 1100);
        assert_int_equal(stats.behind + stats.lagging, DEAF);
    }
    assert_int_equal(world_stats(&world).lagging, DEAF);
    assert_int_equal(world_stats(&world).window_bytes, 0);
    for (int i = 0; i < PEERS; i++) {
        if (i % 10 == 0)
            peer_writable(&peers[i], WORLD_UNLIMITED);
        else
            assert_int_equal(peers[i].sent, peers[1].sent);
    }
    world_run(&world);
    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(peers[i].follower.state, CRIER_FOLLOWER_LIVE);
        expect_events(&peers[i], 1, EVENTS);
        peer_leave(&peers[i]);
    }
    world_deinit(&world);
    free(peers);
}

/* The last member goes while the window is in use, others come: a lagging follower that goes on
 * from the window misses nothing of what came in between. */
static void test_window_without_members(void **state)
{
    struct crier_fanout_limits limits = {.lag_bytes = 1};
    struct world world;
    struct peer lagging, first, second;

    world_init(&world, NULL, &limits);
    peer_init(&world, &lagging, WORLD_UNLIMITED);
    peer_init(&world, &first, WORLD_UNLIMITED);
    peer_init(&world, &second, WORLD_UNLIMITED);
    peer_join(&first, &plain_a, &now);
    publish(&world, "a", 10);
    world_run(&world);
    struct crier_start start = {.position = 0, .until = 1};
    assert_int_equal(peer_join_start(&lagging, &plain_a, &start, true), 0);
    publish(&world, "a", 10);
    crier_fanout_read(world.fan);
    peer_leave(&first);
    crier_fanout_check(world.fan);
    publish(&world, "a", 10);
    crier_fanout_read(world.fan);
    peer_join(&second, &plain_a, &now);
    publish(&world, "a", 10);
    crier_fanout_read(world.fan);
    /* It reads event 1 and stands at the window's beginning. */
    peer_writable(&lagging, WORLD_UNLIMITED);
    world_run(&world);
    expect_events(&lagging, 1, 4);
    expect_events(&second, 4, 4);
    peer_leave(&lagging);
    peer_leave(&second);
    world_deinit(&world);
}

/* Many large feeds with somebody behind in each: all windows together keep to their limit. */
static void test_windows_together(void **state)
{
    enum { FEEDS = 12, EACH = 8 };
    static const char *const topics[FEEDS] = {"a", "b", "c", "d", "e", "f",
                                              "g", "h", "i", "j", "k", "l"};
    struct crier_fanout_limits limits = {.window_bytes = 10000, .windows_bytes = 30000};
    struct world world;
    struct peer peers[FEEDS * EACH];

    world_init(&world, NULL, &limits);
    for (int i = 0; i < FEEDS * EACH; i++) {
        struct test_wish wish = {topics[i / EACH], "", CRIER_FORM_SSE, true};
        peer_init(&world, &peers[i], i % EACH ? WORLD_UNLIMITED : 10);
        peer_join(&peers[i], &wish, &now);
    }
    for (int n = 0; n < 8 * FEEDS; n++) {
        publish(&world, topics[n % FEEDS], 1000);
        world_run(&world);
        assert_true(world_stats(&world).window_bytes <= 30000);
    }
    assert_in_range(world_stats(&world).windows_dropped, 8, 1000);
    assert_in_range(world_stats(&world).behind, 1, FEEDS - 1);
    for (int i = 0; i < FEEDS * EACH; i += EACH)
        peer_writable(&peers[i], WORLD_UNLIMITED);
    world_run(&world);
    assert_int_equal(world_stats(&world).delivered, 8 * FEEDS * EACH);
    for (int i = 0; i < FEEDS * EACH; i++) {
        assert_int_equal(peers[i].sent, peers[i / EACH * EACH + 1].sent);
        peer_leave(&peers[i]);
    }
    world_deinit(&world);
}

/* One large event for many feeds at once does not multiply: those for whom there is no room
 * read it from the journal. */
static void test_large_event_many_feeds(void **state)
{
    enum { FEEDS = 64 };
    struct crier_fanout_limits limits = {.windows_bytes = 500000};
    struct world world;
    struct peer peers[FEEDS];
    char types[FEEDS][24];

    world_init(&world, NULL, &limits);
    for (int i = 0; i < FEEDS; i++) {
        snprintf(types[i], sizeof(types[i]), "message t%d", i);
        peer_init(&world, &peers[i], WORLD_UNLIMITED);
        peer_join(&peers[i], &(struct test_wish){"a", types[i], CRIER_FORM_SSE, true}, &now);
    }
    publish(&world, "a", 100000);
    crier_fanout_read(world.fan);
    crier_fanout_check(world.fan);
    assert_true(world_stats(&world).window_bytes <= 500000);
    assert_true(world_stats(&world).lagging >= FEEDS - 5);
    world_run(&world);
    for (int i = 0; i < FEEDS; i++) {
        expect_events(&peers[i], 1, 1);
        peer_leave(&peers[i]);
    }
    world_deinit(&world);
}

/* A cut event that leaves history is completed from its pinned rest; then the gap is told. */
static void test_pinned_rest(void **state)
{
    struct crier_journal_limits history = {.max_events = 5, .kept_bytes = 1};
    struct world world;
    struct peer peer;

    world_init(&world, &history, NULL);
    peer_init(&world, &peer, 100);
    peer_join(&peer, &plain_a, &now);
    for (int i = 0; i < 20; i++)
        publish(&world, "a", 300);
    world_run(&world);
    assert_int_equal(peer.follower.state, CRIER_FOLLOWER_LAGGING);
    assert_false(crier_follower_between_events(&peer.follower));
    assert_true(world_stats(&world).pinned_bytes > 0);
    peer_writable(&peer, 50);
    assert_int_equal(peer.wire.len, 150);
    assert_int_equal(world_stats(&world).delivered, 0);
    peer_writable(&peer, WORLD_UNLIMITED);
    world_run(&world);
    assert_int_equal(peer.gaps, 1);
    assert_int_equal(world_stats(&world).pinned_bytes, 0);
    assert_int_equal(peer.follower.state, CRIER_FOLLOWER_LIVE);
    assert_true(crier_follower_between_events(&peer.follower));

    struct crier_buf one;
    crier_buf_init(&one, &crier_mem_libc);
    world_wire(&world, 1, crier_follower_subscription(&peer.follower), &one);
    assert_true(crier_slice_starts(crier_buf_slice(&peer.wire), crier_buf_slice(&one)));
    crier_buf_consume(&peer.wire, one.len);
    crier_buf_deinit(&one);
    crier_buf_consume(&peer.wire, CRIER_FRAME_HEAD);
    assert_true(
        crier_slice_starts(crier_buf_slice(&peer.wire), CRIER_SLICE("event: crier:gap\nid: ")));
    size_t end = (size_t)((char *)memmem(peer.wire.data, peer.wire.len, "\n\n\r\n", 4) -
                          peer.wire.data) +
                 4;
    crier_buf_consume(&peer.wire, end);
    expect_events(&peer, 16, 20);
    assert_int_equal(world_stats(&world).delivered, 6);
    peer_leave(&peer);
    world_deinit(&world);
}

/* A cut event too large to pin, gone from history: the follower is broken, told once, and gets
 * nothing more. */
static void test_broken(void **state)
{
    struct crier_journal_limits history = {.max_events = 3, .kept_bytes = 1};
    struct crier_fanout_limits limits = {.pin_bytes = 5000};
    struct world world;
    struct peer peers[2];

    world_init(&world, &history, &limits);
    for (int i = 0; i < 2; i++) {
        peer_init(&world, &peers[i], 100);
        peer_join(&peers[i], &plain_a, &now);
    }
    publish(&world, "a", 4900);
    world_run(&world);
    /* The first rest fits into the budget, the second does not. */
    assert_in_range(world_stats(&world).pinned_bytes, 4800, 5000);
    assert_non_null(peers[0].follower.pinned);
    assert_null(peers[1].follower.pinned);
    assert_int_equal(world_stats(&world).pins_refused, 1);
    /* Still held: read again. */
    peer_writable(&peers[1], 100);
    assert_int_equal(peers[1].wire.len, 200);
    for (int i = 0; i < 10; i++)
        publish(&world, "a", 10);
    world_run(&world);
    for (int i = 0; i < 2; i++)
        peer_writable(&peers[i], WORLD_UNLIMITED);
    world_run(&world);
    assert_int_equal(peers[0].broken, 0);
    assert_int_equal(peers[0].gaps, 1);
    assert_int_equal(peers[1].broken, 1);
    assert_true(peers[1].follower.broken);
    assert_false(crier_follower_between_events(&peers[1].follower));
    assert_int_equal(peers[1].wire.len, 200);
    publish(&world, "a", 10);
    peer_writable(&peers[1], WORLD_UNLIMITED);
    world_run(&world);
    assert_int_equal(peers[1].wire.len, 200);
    for (int i = 0; i < 2; i++)
        peer_leave(&peers[i]);
    world_deinit(&world);
}

/* A large event to a slow lagging reader: it comes whole, and what is missing of it elsewhere
 * in history does not disturb it. */
static void test_large_event_slowly(void **state)
{
    static const enum crier_form forms[] = {CRIER_FORM_SSE, CRIER_FORM_ENVELOPE,
                                            CRIER_FORM_NDJSON};
    struct crier_fanout_limits limits = {.pin_bytes = 1, .lag_bytes = 4096};

    for (size_t k = 0; k < 6; k++) {
        struct test_wish wish = {"a b", "", forms[k / 2], k % 2 == 0};
        struct world world;
        struct peer peer;

        world_init(&world, NULL, &limits);
        publish(&world, "a", 20000);
        publish(&world, "b", 10);
        publish(&world, "a", 30);
        peer_init(&world, &peer, 0);
        peer_join(&peer, &wish, &earliest);
        assert_int_equal(crier_fanout_read(world.fan), false);
        world_run(&world);
        peer_writable(&peer, 700);
        assert_int_equal(peer.follower.offset, 700);
        /* A later event is lost: that is told after the one that has begun. */
        crier_journal_forget(world.journal, CRIER_SLICE("b"), world.now);
        for (int i = 0; i < 100; i++) {
            peer_writable(&peer, 700);
            world_run(&world);
        }
        assert_int_equal(peer.follower.state, CRIER_FOLLOWER_LIVE);
        assert_int_equal(peer.gaps, 1);
        assert_int_equal(peer.broken, 0);
        assert_int_equal(world_stats(&world).delivered, 2);

        struct crier_buf one;
        crier_buf_init(&one, &crier_mem_libc);
        world_wire(&world, 1, crier_follower_subscription(&peer.follower), &one);
        assert_true(crier_slice_starts(crier_buf_slice(&peer.wire), crier_buf_slice(&one)));
        world_wire(&world, 3, crier_follower_subscription(&peer.follower), &one);
        assert_true(crier_slice_ends(crier_buf_slice(&peer.wire), crier_buf_slice(&one)));
        crier_buf_deinit(&one);
        peer_leave(&peer);
        world_deinit(&world);
    }
}

/* The cut event is rendered again under another topic (a DELETE took the first one): it would
 * not be the same bytes, so the follower is broken rather than fed a mixture. */
static void test_rendered_otherwise(void **state)
{
    struct crier_fanout_limits limits = {.pin_bytes = 1};
    struct test_wish wish = {"a longer", "", CRIER_FORM_NDJSON, true};
    struct world world;
    struct peer peer;

    world_init(&world, NULL, &limits);
    publish(&world, "a longer", 9000);
    peer_init(&world, &peer, 500);
    peer_join(&peer, &wish, &earliest);
    world_run(&world);
    crier_fanout_read(world.fan);
    world_run(&world);
    assert_int_equal(peer.follower.offset, 500);
    crier_journal_forget(world.journal, CRIER_SLICE("a"), world.now);
    peer_writable(&peer, WORLD_UNLIMITED);
    assert_int_equal(peer.broken, 1);
    assert_int_equal(peer.wire.len, 500);
    peer_leave(&peer);
    world_deinit(&world);
}

/* The end is near. A follower that is cut in mid-event, in whichever state that left it, gets
 * the rest of that event and no byte more; one between events gets nothing more. */
static void expect_finish(struct peer *peer, uint64_t whole)
{
    struct world *world = peer->world;

    crier_fanout_finish(world->fan, &peer->follower);
    crier_fanout_check(world->fan);
    crier_fanout_finish(world->fan, &peer->follower); /* once is enough */
    world_run(world);
    for (int i = 0; i < 100 && !crier_follower_between_events(&peer->follower); i++) {
        peer_writable(peer, 100);
        world_run(world);
    }
    assert_true(crier_follower_between_events(&peer->follower));
    peer_writable(peer, WORLD_UNLIMITED);
    publish(world, "a", 10);
    world_run(world);
    expect_events(peer, 1, whole);
    assert_int_equal(peer->broken, 0);
    assert_false(crier_follower_done(&peer->follower));
}

static void test_finish_live(void **state)
{
    struct world world;
    struct peer peers[2];

    world_init(&world, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        peer_init(&world, &peers[i], WORLD_UNLIMITED);
        peer_join(&peers[i], &plain_a, &now);
    }
    publish(&world, "a", 10);
    world_run(&world);
    /* Between events, all sent. */
    expect_finish(&peers[0], 1);
    /* An event is in the feed, but not sent yet. */
    publish(&world, "a", 10);
    assert_false(crier_fanout_read(world.fan));
    assert_int_equal(peers[1].follower.state, CRIER_FOLLOWER_LIVE);
    expect_finish(&peers[1], 2);
    for (int i = 0; i < 2; i++)
        peer_leave(&peers[i]);
    world_deinit(&world);
}

static void test_finish_behind(void **state)
{
    enum { PEERS = 10 };
    struct world world;
    struct peer peers[PEERS];

    world_init(&world, NULL, NULL);
    for (int i = 0; i < PEERS; i++) {
        peer_init(&world, &peers[i], i == 0 ? 500 : WORLD_UNLIMITED);
        peer_join(&peers[i], &plain_a, &now);
    }
    publish(&world, "a", 300);
    publish(&world, "a", 300); /* the last one: its rest leads to where the feed is */
    world_run(&world);
    assert_int_equal(peers[0].follower.state, CRIER_FOLLOWER_BEHIND);
    assert_false(crier_follower_between_events(&peers[0].follower));
    expect_finish(&peers[0], 2);
    for (int i = 0; i < PEERS; i++) {
        if (i > 0)
            expect_events(&peers[i], 1, 3);
        peer_leave(&peers[i]);
    }
    world_deinit(&world);
}

/* Cut while it lags: its rest is pinned, or (too large to pin) read again from history. */
static void test_finish_lagging(void **state)
{
    for (int i = 0; i < 4; i++) {
        struct crier_fanout_limits limits = {.pin_bytes = i < 2 ? 0 : 1};
        struct world world;
        struct peer peer;

        world_init(&world, NULL, &limits);
        for (int k = 0; k < 5; k++)
            publish(&world, "a", 5000);
        assert_false(crier_fanout_read(world.fan));
        peer_init(&world, &peer, 7000);
        peer_join(&peer, &plain_a, i % 2 ? &now : &earliest);
        if (i % 2) {
            /* A laggard that has begun nothing. */
            publish(&world, "a", 10);
            crier_fanout_finish(world.fan, &peer.follower);
            world_run(&world);
            assert_int_equal(peer.sent, 0);
            assert_true(crier_follower_between_events(&peer.follower));
        } else {
            world_run(&world);
            assert_int_equal(peer.follower.state, CRIER_FOLLOWER_LAGGING);
            assert_int_equal(peer.follower.pinned != NULL, i == 0);
            assert_false(crier_follower_between_events(&peer.follower));
            expect_finish(&peer, 2);
        }
        peer_leave(&peer);
        world_deinit(&world);
    }
}

/* Done is who has every byte of what was read, and nobody else. */
static void test_done(void **state)
{
    struct world world;
    struct peer peer;

    world_init(&world, NULL, NULL);
    publish(&world, "a", 10);
    assert_false(crier_fanout_read(world.fan));
    peer_init(&world, &peer, WORLD_UNLIMITED);
    assert_false(crier_follower_done(&peer.follower));
    peer_join(&peer, &plain_a, &earliest);
    assert_int_equal(peer.follower.state, CRIER_FOLLOWER_LAGGING);
    assert_false(crier_follower_done(&peer.follower));
    world_run(&world);
    assert_true(crier_follower_done(&peer.follower));

    publish(&world, "a", 10);
    assert_true(crier_follower_done(&peer.follower)); /* of what was read */
    assert_false(crier_fanout_read(world.fan));
    assert_false(crier_follower_done(&peer.follower));
    assert_true(crier_follower_between_events(&peer.follower));
    peer.room = 20;
    world_run(&world);
    assert_false(crier_follower_done(&peer.follower));
    peer_writable(&peer, WORLD_UNLIMITED);
    world_run(&world);
    assert_true(crier_follower_done(&peer.follower));
    expect_events(&peer, 1, 2);
    peer_leave(&peer);
    world_deinit(&world);
}

/* A newcomer ahead of what this worker has read waits; nothing was taken. */
static void test_later(void **state)
{
    struct world world;
    struct peer peer;

    world_init(&world, NULL, NULL);
    peer_init(&world, &peer, WORLD_UNLIMITED);
    publish(&world, "a", 10);
    struct crier_start start = {.position = 1, .until = 1};
    assert_false(crier_fanout_reaches(world.fan, &start));
    assert_int_equal(peer_join_start(&peer, &plain_a, &start, false), CRIER_FANOUT_LATER);
    assert_int_equal(peer.follower.state, CRIER_FOLLOWER_OUT);
    assert_int_equal(world_stats(&world).feeds, 0);
    crier_fanout_leave(world.fan, &peer.follower);
    crier_fanout_read(world.fan);
    assert_int_equal(peer_join_start(&peer, &plain_a, &start, false), 0);
    publish(&world, "a", 10);
    world_run(&world);
    expect_events(&peer, 2, 2);
    peer_leave(&peer);
    world_deinit(&world);
}

/* A follower whose opening is not sent yet is not sent anything else. */
static void test_blocked_at_start(void **state)
{
    struct world world;
    struct peer peers[2];

    world_init(&world, NULL, NULL);
    publish(&world, "a", 10);
    crier_fanout_read(world.fan);
    struct crier_start starts[2] = {{.position = 0, .until = 1}, {.position = 1, .until = 1}};
    for (int i = 0; i < 2; i++) {
        peer_init(&world, &peers[i], WORLD_UNLIMITED);
        assert_int_equal(peer_join_start(&peers[i], &plain_a, &starts[i], true), 0);
    }
    publish(&world, "a", 10);
    world_run(&world);
    assert_int_equal(world.sends, 0);
    for (int i = 0; i < 2; i++)
        peer_writable(&peers[i], WORLD_UNLIMITED);
    world_run(&world);
    expect_events(&peers[0], 1, 2);
    expect_events(&peers[1], 2, 2);
    for (int i = 0; i < 2; i++)
        peer_leave(&peers[i]);
    world_deinit(&world);
}

/* since=latest: the newest event of each topic, then everything after. */
static void test_latest(void **state)
{
    struct test_wish wish = {"**", "", CRIER_FORM_SSE, false};
    struct world world;
    struct peer peer;
    struct crier_buf expected, one;
    static const uint64_t numbers[] = {2, 4, 5, 6, 7};

    world_init(&world, NULL, NULL);
    publish(&world, "a", 10);
    publish(&world, "b", 10);
    publish(&world, "a", 10);
    publish(&world, "c", 10);
    publish(&world, "a", 10);
    crier_fanout_read(world.fan);
    peer_init(&world, &peer, 20);
    peer_join(&peer, &wish, &(struct crier_since){.kind = CRIER_SINCE_LATEST, .count = 1000});
    publish(&world, "b", 10);
    for (int i = 0; i < 50; i++) {
        world_run(&world);
        peer_writable(&peer, 20);
    }
    publish(&world, "d", 10);
    world_run(&world);
    peer_writable(&peer, WORLD_UNLIMITED);
    world_run(&world);
    crier_buf_init(&expected, &crier_mem_libc);
    crier_buf_init(&one, &crier_mem_libc);
    for (size_t i = 0; i < 5; i++) {
        world_wire(&world, numbers[i], crier_follower_subscription(&peer.follower), &one);
        crier_buf_append(&expected, crier_buf_slice(&one));
    }
    assert_slice_equal(crier_buf_slice(&peer.wire), crier_buf_slice(&expected));
    assert_null(peer.follower.picks);
    crier_buf_deinit(&expected);
    crier_buf_deinit(&one);
    peer_leave(&peer);
    world_deinit(&world);
}

/* What was lost before a stream started is no news to it, also while it reads what is kept
 * aside. */
static void test_old_losses_are_not_told(void **state)
{
    struct crier_journal_limits history = {.max_events = 3};
    struct crier_fanout_limits limits = {.lag_bytes = 1};
    struct world world;
    struct peer peer;

    world_init(&world, &history, &limits);
    publish(&world, "b", 10);
    for (int i = 0; i < 10; i++)
        publish(&world, "a", 10);
    crier_fanout_read(world.fan);
    peer_init(&world, &peer, WORLD_UNLIMITED);
    peer_join(&peer, &(struct test_wish){"a b", "", CRIER_FORM_SSE, true}, &earliest);
    world_run(&world);
    assert_int_equal(peer.gaps, 0);
    assert_int_equal(world_stats(&world).delivered, 4);
    peer_leave(&peer);
    world_deinit(&world);
}

static bool is_interested(const struct world *world, const char *topic)
{
    uint64_t before[8], added[8];
    struct crier_cursor cursor = {0};
    bool all = true;

    crier_cursor_interest_add(&cursor,
                              crier_journal_hash(world->journal, crier_slice_of(topic)));
    for (size_t i = 0; i < 8; i++) {
        added[i] = atomic_load(&cursor.interest.bits[i]);
        before[i] = atomic_load(&world->cursor.interest.bits[i]);
        all &= (before[i] & added[i]) == added[i];
    }
    return all;
}

/* The cursor's interest follows the feeds; feeds are shared by equal subscriptions. */
static void test_feeds_and_interest(void **state)
{
    struct world world;
    struct peer peers[3];

    world_init(&world, NULL, NULL);
    for (int i = 0; i < 3; i++)
        peer_init(&world, &peers[i], WORLD_UNLIMITED);
    assert_false(is_interested(&world, "a"));
    peer_join(&peers[0], &plain_a, &now);
    peer_join(&peers[1], &plain_a, &now);
    assert_int_equal(world_stats(&world).feeds, 1);
    assert_true(is_interested(&world, "a"));
    assert_false(is_interested(&world, "x/y"));
    peer_join(&peers[2], &(struct test_wish){"x/* a", "", CRIER_FORM_SSE, true}, &now);
    assert_int_equal(world_stats(&world).feeds, 2);
    assert_true(is_interested(&world, "x/y"));
    assert_int_equal(world_stats(&world).followers, 3);
    peer_leave(&peers[2]);
    assert_false(is_interested(&world, "x/y"));
    assert_true(is_interested(&world, "a"));
    peer_leave(&peers[0]);
    assert_int_equal(world_stats(&world).feeds, 1);
    assert_int_equal(world_stats(&world).followers, 1);
    peer_leave(&peers[1]);
    assert_false(is_interested(&world, "a"));
    world_deinit(&world);
}

static int run_oom(const struct crier_mem *mem, void *ctx)
{
    struct world *world = ctx;
    struct crier_sink sink = {world_send, world_gap, world_broken, world};
    struct crier_slice topic = CRIER_SLICE("a"), pattern = CRIER_SLICE("b/*");
    struct crier_wish wishes[2] = {{.selectors = &topic, .selector_count = 1},
                                   {.selectors = &pattern, .selector_count = 1}};
    struct crier_fanout *fan = NULL;
    struct peer peers[2];
    int r = crier_fanout_new(mem, world->journal, &world->cursor, &sink, NULL, &fan);

    for (int i = 0; i < 2; i++) {
        struct crier_subscription *subscription = NULL;
        struct crier_start start = {.position = 0};
        peer_init(world, &peers[i], WORLD_UNLIMITED);
        if (r == 0)
            r = crier_subscription_new(mem, world->journal, &wishes[i], &subscription);
        if (r == 0) {
            r = crier_fanout_join(fan, &peers[i].follower, subscription, &start, false);
            if (r != 0)
                crier_subscription_free(subscription);
        }
        if (fan)
            crier_fanout_check(fan);
    }
    for (int i = 0; i < 2; i++) {
        if (fan)
            crier_fanout_leave(fan, &peers[i].follower);
        crier_buf_deinit(&peers[i].wire);
    }
    crier_fanout_free(fan);
    return r;
}

/* Each allocation of making and joining fails once: nothing is taken, nothing is left. */
static void test_memory_of_joining(void **state)
{
    struct world world;

    world_init(&world, NULL, NULL);
    assert_true(test_mem_torture(run_oom, &world) > 8);
    world_deinit(&world);
}

/* Without any memory a live stream of plain events goes on, from the journal's own bytes. */
static void test_no_memory_at_all(void **state)
{
    struct world world;
    struct peer peer;

    world_init(&world, NULL, NULL);
    peer_init(&world, &peer, WORLD_UNLIMITED);
    peer_join(&peer, &plain_a, &now);
    world.mem.fail_at = world.mem.calls + 1;
    world.mem.stay = true;
    for (int i = 0; i < 10; i++) {
        publish(&world, "a", 100);
        world_run(&world);
    }
    expect_events(&peer, 1, 10);
    assert_true(world.mem.failed);
    world.mem.fail_at = 0;
    peer_leave(&peer);
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_burst_is_one_send),
        cmocka_unit_test(test_waiting_is_not_lagging),
        cmocka_unit_test(test_those_who_never_read),
        cmocka_unit_test(test_window_without_members),
        cmocka_unit_test(test_windows_together),
        cmocka_unit_test(test_large_event_many_feeds),
        cmocka_unit_test(test_pinned_rest),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_large_event_slowly),
        cmocka_unit_test(test_rendered_otherwise),
        cmocka_unit_test(test_finish_live),
        cmocka_unit_test(test_finish_behind),
        cmocka_unit_test(test_finish_lagging),
        cmocka_unit_test(test_done),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_blocked_at_start),
        cmocka_unit_test(test_latest),
        cmocka_unit_test(test_old_losses_are_not_told),
        cmocka_unit_test(test_feeds_and_interest),
        cmocka_unit_test(test_memory_of_joining),
        cmocka_unit_test(test_no_memory_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
