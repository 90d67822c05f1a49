/* SPDX-License-Identifier: MIT */
/*
 * Followers that lag behind a journal which has to look at its disk: they wait, each for itself,
 * and nothing else does.
 */
#include "fanout_support.h"
#include "slow_journal.h"

static const struct test_wish all = {.selectors = "**", .form = CRIER_FORM_SSE};
static const struct crier_since earliest = {.kind = CRIER_SINCE_EARLIEST};
static const struct crier_since latest = {.kind = CRIER_SINCE_LATEST, .count = 10};

struct slow_world {
    struct world world;
    struct slow_journal *slow;
    _Atomic size_t woken;
};

static void count_wake(void *ctx)
{
    atomic_fetch_add((_Atomic size_t *)ctx, 1);
}

/* A world as in fanout_support.h, but its journal is slow, and 5 events are in it. */
static struct slow_world *slow_world_new(void)
{
    struct slow_world *s = calloc(1, sizeof(*s));
    struct crier_sink sink = {world_send, world_gap, world_broken, &s->world};
    struct world *world = &s->world;

    test_mem_init(&world->mem, 0);
    world->now = (struct crier_now){1763700000000, 1000000};
    s->slow = slow_journal_new(NULL, world->now);
    world->journal = &s->slow->journal;
    world->cursor.wake = count_wake;
    world->cursor.wake_ctx = &s->woken;
    assert_int_equal(crier_journal_attach(world->journal, &world->cursor), 0);
    assert_int_equal(crier_journal_attach(world->journal, &world->oracle_cursor), 0);
    assert_int_equal(crier_fanout_new(&world->mem.mem, world->journal, &world->cursor, &sink,
                                      &(struct crier_fanout_limits){.lag_bytes = 1},
                                      &world->fan),
                     0);
    for (int i = 0; i < 5; i++)
        world_publish(world, &(struct test_publish){.topics = i == 1 ? "b" : "a"});
    world_run(world);
    slow_ask(s->slow, true);
    return s;
}

static void slow_world_free(struct slow_world *s)
{
    assert_int_equal(slow_waiting(s->slow), 0);
    world_deinit(&s->world);
    free(s);
}

static void join(struct slow_world *s, struct peer *peer, const struct crier_since *since)
{
    peer_init(&s->world, peer, WORLD_UNLIMITED);
    slow_ask(s->slow, false);
    peer_join(peer, &all, since);
    slow_ask(s->slow, true);
}

/* Everything that waits is answered, as often as that takes. */
static void wake_all(struct slow_world *s)
{
    while (slow_wake(s->slow))
        world_run(&s->world);
}

static void expect_all(struct slow_world *s, struct peer *peer)
{
    struct crier_subscription *subscription = world_subscription(&s->world, &all);
    struct crier_buf whole, one;

    crier_buf_init(&whole, &crier_mem_libc);
    crier_buf_init(&one, &crier_mem_libc);
    for (uint64_t n = 1; n <= s->world.end; n++) {
        world_wire(&s->world, n, subscription, &one);
        crier_buf_append(&whole, crier_buf_slice(&one));
    }
    assert_slice_equal(crier_buf_slice(&peer->wire), crier_buf_slice(&whole));
    crier_buf_deinit(&whole);
    crier_buf_deinit(&one);
    crier_subscription_free(subscription);
}

static void waits(void **state)
{
    struct slow_world *s = slow_world_new();
    struct peer peer;

    join(s, &peer, &earliest);
    world_run(&s->world); /* comes to rest: who waits is no work */
    assert_int_equal(slow_waiting(s->slow), 1);
    assert_int_equal(world_stats(&s->world).waiting, 1);
    assert_int_equal(peer.sent, 0);
    assert_int_equal(crier_fanout_distance(s->world.fan), 5);
    /* What is new does not stir it. */
    world_publish(&s->world, &(struct test_publish){.topics = "a"});
    world_run(&s->world);
    assert_int_equal(slow_waiting(s->slow), 1);
    atomic_store(&s->woken, 0);
    assert_int_equal(slow_wake(s->slow), 1);
    assert_int_equal(atomic_load(&s->woken), 1);
    assert_int_equal(peer.sent, 0); /* only the pump goes on with it */
    world_run(&s->world);
    assert_true(peer.sent > 0);
    wake_all(s);
    expect_all(s, &peer);
    assert_int_equal(world_stats(&s->world).waiting, 0);
    assert_int_equal(world_stats(&s->world).lagging, 0);
    assert_int_equal(crier_fanout_distance(s->world.fan), 0);
    peer_leave(&peer);
    slow_world_free(s);
}

static void many_wait(void **state)
{
    enum { MANY = 50 };
    struct slow_world *s = slow_world_new();
    struct peer peers[MANY], live;

    join(s, &live, &(struct crier_since){.kind = CRIER_SINCE_NOW});
    for (int i = 0; i < MANY; i++)
        join(s, &peers[i], &earliest);
    world_run(&s->world);
    assert_int_equal(slow_waiting(s->slow), MANY);
    /* Nobody else waits for them. */
    world_publish(&s->world, &(struct test_publish){.topics = "a"});
    world_run(&s->world);
    assert_true(live.sent > 0);
    for (int i = 0; i < MANY; i += 2)
        peer_leave(&peers[i]);
    assert_int_equal(slow_waiting(s->slow), MANY / 2);
    wake_all(s);
    for (int i = 1; i < MANY; i += 2) {
        expect_all(s, &peers[i]);
        peer_leave(&peers[i]);
    }
    peer_leave(&live);
    slow_world_free(s);
}

/* Woken, and gone before it was told. */
static void leaves_awake(void **state)
{
    struct slow_world *s = slow_world_new();
    struct peer peer;

    join(s, &peer, &earliest);
    world_run(&s->world);
    assert_int_equal(slow_wake(s->slow), 1);
    peer_leave(&peer);
    world_run(&s->world);
    slow_world_free(s);
}

static void picks_wait(void **state)
{
    struct slow_world *s = slow_world_new();
    struct peer peer;

    join(s, &peer, &latest);
    world_run(&s->world);
    assert_int_equal(slow_waiting(s->slow), 1);
    assert_int_equal(crier_fanout_distance(s->world.fan), 0);
    wake_all(s);
    assert_non_null(memmem(peer.wire.data, peer.wire.len, "event 2 ", 8));
    assert_non_null(memmem(peer.wire.data, peer.wire.len, "event 5 ", 8));
    assert_null(memmem(peer.wire.data, peer.wire.len, "event 4 ", 8));
    peer_leave(&peer);
    slow_world_free(s);
}

/* It takes a few bytes at a time: blocked and waiting never meet. */
static void blocked_and_waiting(void **state)
{
    struct slow_world *s = slow_world_new();
    struct peer peer;

    join(s, &peer, &earliest);
    peer.room = 0;
    for (int i = 0; i < 2000 && world_stats(&s->world).lagging; i++) {
        world_run(&s->world);
        (void)slow_wake(s->slow);
        world_run(&s->world);
        peer_writable(&peer, 3);
    }
    peer_writable(&peer, WORLD_UNLIMITED);
    wake_all(s);
    expect_all(s, &peer);
    peer_leave(&peer);
    slow_world_free(s);
}

/* Told to finish while it waits: between events it is done, and asks no more. */
static void finishes(void **state)
{
    struct slow_world *s = slow_world_new();
    struct peer peer;

    join(s, &peer, &earliest);
    world_run(&s->world);
    crier_fanout_finish(s->world.fan, &peer.follower);
    assert_int_equal(slow_waiting(s->slow), 0);
    crier_fanout_check(s->world.fan);
    assert_true(crier_follower_between_events(&peer.follower));
    world_run(&s->world);
    assert_int_equal(peer.sent, 0);
    /* Not the end after all. */
    crier_fanout_resume(s->world.fan, &peer.follower);
    world_run(&s->world);
    wake_all(s);
    expect_all(s, &peer);
    peer_leave(&peer);
    slow_world_free(s);
}

static void unreadable(void **state)
{
    struct slow_world *s = slow_world_new();
    struct peer peer;

    join(s, &peer, &earliest);
    world_run(&s->world);
    s->slow->error = -EIO;
    wake_all(s);
    assert_int_equal(peer.broken, 1);
    assert_true(peer.follower.unreadable);
    assert_int_equal(world_stats(&s->world).unreadable, 1);
    assert_int_equal(slow_waiting(s->slow), 0);
    crier_fanout_check(s->world.fan);
    peer_leave(&peer);
    slow_world_free(s);
}

/* No memory for the disk's answer: it asks again. */
static void starved(void **state)
{
    struct slow_world *s = slow_world_new();
    struct peer peer;

    join(s, &peer, &earliest);
    world_run(&s->world);
    s->slow->error = -ENOMEM;
    assert_int_equal(slow_wake(s->slow), 1);
    world_run(&s->world);
    assert_int_equal(peer.broken, 0);
    world_run(&s->world);
    wake_all(s);
    expect_all(s, &peer);
    peer_leave(&peer);
    slow_world_free(s);
}

/* ---- wakes from another thread ---------------------------------------------------------- */

struct waker {
    struct slow_journal *slow;
    _Atomic bool over;
};

static void *wake_on_and_on(void *arg)
{
    struct waker *waker = arg;

    while (!atomic_load(&waker->over)) {
        if (!slow_wake(waker->slow))
            usleep(10);
    }
    return NULL;
}

static void threads(void **state)
{
    enum { PEERS = 8, ROUNDS = 200 };
    struct slow_world *s = slow_world_new();
    struct waker waker = {.slow = s->slow};
    struct peer peers[PEERS];
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, wake_on_and_on, &waker), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PEERS; i++)
            join(s, &peers[i], &earliest);
        world_run(&s->world);
        for (int i = 0; i < PEERS; i += 2)
            peer_leave(&peers[i]); /* whatever it waits for */
        while (world_stats(&s->world).lagging)
            world_run(&s->world);
        for (int i = 1; i < PEERS; i += 2) {
            expect_all(s, &peers[i]);
            peer_leave(&peers[i]);
        }
    }
    atomic_store(&waker.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    slow_world_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits),
        cmocka_unit_test(many_wait),
        cmocka_unit_test(leaves_awake),
        cmocka_unit_test(picks_wait),
        cmocka_unit_test(blocked_and_waiting),
        cmocka_unit_test(finishes),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(starved),
        cmocka_unit_test(threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
