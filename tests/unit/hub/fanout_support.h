/* SPDX-License-Identifier: MIT */
/*
 * A world for the fan-out's tests: a real memory journal, an oracle that keeps a copy of every
 * event ever published, and followers whose sink takes as many bytes as they have `room` for.
 */
#ifndef CRIER_TESTS_UNIT_HUB_FANOUT_SUPPORT_H
#define CRIER_TESTS_UNIT_HUB_FANOUT_SUPPORT_H

#include "event/event.h"
#include "hub/fanout.h"
#include "hub_support.h"

enum { WORLD_EVENTS = 6000, WORLD_UNLIMITED = 1 << 30 };

/* What the oracle keeps of an event. */
struct oracle {
    struct crier_record record; /* its slices point into bytes */
    char *bytes;
};

struct peer {
    struct crier_follower follower;
    struct crier_buf wire; /* what was sent and is not judged yet */
    size_t room;           /* bytes the sink will still take */
    uint64_t sent;         /* bytes in all */
    unsigned gaps, broken; /* calls of the sink */
    struct world *world;
};

struct world {
    struct test_mem mem;
    struct crier_journal *journal;
    struct crier_cursor cursor, oracle_cursor;
    struct crier_fanout *fan;
    struct crier_now now;
    struct oracle events[WORLD_EVENTS + 1]; /* by number, from 1 */
    uint64_t end;
    uint64_t sends, bytes;
    bool in_send;
};

static inline size_t
world_send(void *ctx, struct crier_follower *follower, const char *bytes, size_t len)
{
    struct world *world = ctx;
    struct peer *peer = CRIER_CONTAINER(follower, struct peer, follower);
    size_t taken = len < peer->room ? len : peer->room;

    assert_true(len > 0);
    assert_false(follower->broken);
    crier_buf_add(&peer->wire, bytes, taken);
    assert_int_equal(crier_buf_error(&peer->wire), 0);
    if (peer->room < WORLD_UNLIMITED)
        peer->room -= taken;
    peer->sent += taken;
    world->sends++;
    world->bytes += taken;
    return taken;
}

static inline void world_gap(void *ctx, struct crier_follower *follower)
{
    CRIER_CONTAINER(follower, struct peer, follower)->gaps++;
}

static inline void world_broken(void *ctx, struct crier_follower *follower)
{
    CRIER_CONTAINER(follower, struct peer, follower)->broken++;
}

static inline void world_init(struct world *world,
                              const struct crier_journal_limits *history,
                              const struct crier_fanout_limits *limits)
{
    struct crier_sink sink = {world_send, world_gap, world_broken, world};

    memset(world, 0, sizeof(*world));
    test_mem_init(&world->mem, 0);
    world->now = (struct crier_now){1763700000000, 1000000};
    assert_int_equal(crier_journal_new_memory(&crier_mem_libc, &test_key, history, 7,
                                              world->now, &world->journal),
                     0);
    assert_int_equal(crier_journal_attach(world->journal, &world->cursor), 0);
    assert_int_equal(crier_journal_attach(world->journal, &world->oracle_cursor), 0);
    assert_int_equal(crier_fanout_new(&world->mem.mem, world->journal, &world->cursor, &sink,
                                      limits, &world->fan),
                     0);
}

static inline void world_deinit(struct world *world)
{
    crier_fanout_check(world->fan);
    world->fan = crier_fanout_free(world->fan);
    assert_int_equal(world->mem.alive, 0);
    crier_journal_detach(&world->cursor);
    crier_journal_detach(&world->oracle_cursor);
    crier_journal_free(world->journal);
    for (uint64_t n = 1; n <= world->end; n++)
        free(world->events[n].bytes);
}

static inline struct crier_slice oracle_copy(char **at, struct crier_slice text)
{
    struct crier_slice copy = {*at, text.len};

    if (text.len > 0)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return copy;
}

/* Copies what was published since. */
static inline void world_learn(struct world *world)
{
    struct crier_record record;

    while (crier_cursor_next(&world->oracle_cursor, &record, NULL, NULL) == 0) {
        size_t size = record.type.len + record.frame.len;
        for (size_t i = 0; i < record.topic_count; i++)
            size += record.topics[i].len;
        assert_true(record.number == world->end + 1 && record.number <= WORLD_EVENTS);
        struct oracle *event = &world->events[++world->end];
        char *at = event->bytes = malloc(size);
        size_t sse_at = (size_t)(record.sse.data - record.frame.data);
        event->record = record;
        for (size_t i = 0; i < record.topic_count; i++)
            event->record.topics[i] = oracle_copy(&at, record.topics[i]);
        event->record.type = oracle_copy(&at, record.type);
        event->record.frame = oracle_copy(&at, record.frame);
        event->record.sse = crier_slice_sub(event->record.frame, sse_at, record.sse.len);
    }
    crier_cursor_awake(&world->oracle_cursor, world->now);
}

struct test_publish {
    const char *topics; /* words */
    const char *type;
    size_t size; /* of the data */
    uint64_t ttl_ms;
    bool may_be_full;
};

static inline void world_publish(struct world *world, const struct test_publish *publish)
{
    struct crier_draft draft = {.ttl_ms = publish->ttl_ms,
                                .type = crier_slice_of(publish->type)};
    struct crier_buf data, sse;
    struct crier_event event = {.type = draft.type, .flags = CRIER_DATA};

    crier_buf_init(&data, &crier_mem_libc);
    crier_buf_init(&sse, &crier_mem_libc);
    crier_buf_printf(&data, "event %llu ", (unsigned long long)world->end + 1);
    while (data.len < publish->size)
        crier_buf_byte(&data, (char)('a' + (data.len * 7 + world->end) % 26));
    event.data = crier_buf_slice(&data);
    assert_int_equal(crier_event_append(&sse, &event, &draft.id_at), 0);
    draft.sse = crier_buf_slice(&sse);
    draft.topic_count = test_words(publish->topics, draft.topics, CRIER_TOPICS_PER_EVENT);
    world->now.wall_ms++;
    world->now.boot_ms++;
    crier_journal_append(world->journal, &draft, 1, world->now);
    assert_true(draft.result == 0 ||
                (publish->may_be_full && draft.result == CRIER_APPEND_FULL));
    crier_buf_deinit(&data);
    crier_buf_deinit(&sse);
    world_learn(world);
}

/* The bytes of event `number` as a follower of this form gets them. */
static inline void world_wire(const struct world *world,
                              uint64_t number,
                              const struct crier_subscription *s,
                              struct crier_buf *out)
{
    crier_buf_clear(out);
    crier_notice_event(out, (struct crier_dress){s->form, s->chunked},
                       &world->events[number].record);
    assert_int_equal(crier_buf_error(out), 0);
}

/* Naively: is the event for this subscription? */
static inline bool
world_matches(const struct world *world, uint64_t number, const struct crier_subscription *s)
{
    const struct crier_record *record = &world->events[number].record;
    struct crier_slice type = record->type.len ? record->type : CRIER_SLICE("message");
    bool typed = s->filter.type_count == 0, topical = false;

    for (size_t i = 0; i < s->filter.type_count; i++)
        typed |= crier_slice_eq(s->filter.types[i], type);
    for (size_t i = 0; i < s->selector_count; i++)
        for (size_t t = 0; t < record->topic_count; t++)
            topical |= crier_selector_match(s->selectors[i], record->topics[t]);
    return typed && topical;
}

struct test_wish {
    const char *selectors, *types; /* words */
    enum crier_form form;
    bool chunked;
};

static inline struct crier_subscription *world_subscription(struct world *world,
                                                            const struct test_wish *want)
{
    struct crier_slice selectors[8], types[8];
    struct crier_wish wish = {selectors, 0, types, 0, want->form, want->chunked};
    struct crier_subscription *subscription = NULL;

    wish.selector_count = test_words(want->selectors, selectors, 8);
    wish.type_count = test_words(want->types, types, 8);
    int r = crier_subscription_new(&crier_mem_libc, world->journal, &wish, &subscription);
    assert_int_equal(r, 0);
    return subscription;
}

static inline void peer_init(struct world *world, struct peer *peer, size_t room)
{
    memset(peer, 0, sizeof(*peer));
    peer->world = world;
    peer->room = room;
    crier_buf_init(&peer->wire, &crier_mem_libc);
}

/* Locates and joins; *ret_start is what was located (picks copied by the caller before). */
static inline int peer_join_start(struct peer *peer,
                                  const struct test_wish *wish,
                                  struct crier_start *start,
                                  bool blocked)
{
    struct world *world = peer->world;
    struct crier_subscription *subscription = world_subscription(world, wish);
    int r = crier_fanout_join(world->fan, &peer->follower, subscription, start, blocked);

    if (r != 0)
        crier_subscription_free(subscription);
    return r;
}

static inline void
peer_join(struct peer *peer, const struct test_wish *wish, const struct crier_since *since)
{
    struct world *world = peer->world;
    struct crier_subscription *subscription = world_subscription(world, wish);
    struct crier_start start;

    assert_int_equal(crier_journal_locate(world->journal, &subscription->filter, since,
                                          world->now, NULL, &start),
                     0);
    crier_subscription_free(subscription);
    assert_int_equal(peer_join_start(peer, wish, &start, false), 0);
}

static inline void peer_leave(struct peer *peer)
{
    crier_fanout_leave(peer->world->fan, &peer->follower);
    crier_buf_deinit(&peer->wire);
}

static inline void peer_writable(struct peer *peer, size_t room)
{
    peer->room = room;
    crier_fanout_writable(peer->world->fan, &peer->follower, peer->world->now);
    crier_fanout_check(peer->world->fan);
}

/* Reads and pumps until there is nothing to do. */
static inline void world_run(struct world *world)
{
    for (int i = 0; i < 1000000; i++) {
        bool more = crier_fanout_read(world->fan);
        crier_fanout_check(world->fan);
        more |= crier_fanout_pump(world->fan, world->now);
        crier_fanout_check(world->fan);
        if (!more)
            return;
    }
    fail_msg("the fan-out never comes to rest");
}

static inline struct crier_fanout_stats world_stats(const struct world *world)
{
    struct crier_fanout_stats stats;

    crier_fanout_get_stats(world->fan, &stats);
    return stats;
}

#endif
