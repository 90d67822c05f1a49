/* SPDX-License-Identifier: MIT */
/*
 * The fan-out against a naive model, in random worlds with tiny limits and tiny histories.
 *
 * The model knows every event ever published and judges each follower's bytes item by item:
 *   - an item is, byte for byte, a matching event or a gap notice, in the follower's form
 *   - events come in order, each at most once
 *   - a matching event may be missing only if the follower was told a gap when the event was no
 *     longer held (or it was not held when the follower started, or its ttl is over)
 *   - what is cut is completed, unless the follower is broken; then nothing follows
 *   - at the end everybody who is not broken has everything up to the end
 * and that the fan-out's own counters say what happened. Invariants are checked after each
 * step.
 */
#include "fanout_support.h"

enum { PEERS = 24, WORLDS = 40, STEPS = 700 };

/* A follower as the model sees it. */
struct model {
    struct peer peer;
    bool in;
    uint64_t position; /* everything up to here is accounted for */
    uint64_t picks_until;
    bool may_skip[WORLD_EVENTS + 1];
    unsigned gaps_seen;
};

struct hall {
    struct world world;
    struct crier_rng rng;
    struct model models[PEERS];
    uint64_t delivered, gaps, broken, replays;
    uint64_t all_gaps, all_broken; /* of all worlds */
    bool held[WORLD_EVENTS + 1];
    struct crier_buf expected;
    bool flaky;  /* the fan-out's memory is out now and then */
    bool drowsy; /* the worker hardly comes to reading, and is lapped */
};

static const struct test_wish wishes[] = {
    {"a", "", CRIER_FORM_SSE, true},
    {"a", "", CRIER_FORM_SSE, true},
    {"a", "", CRIER_FORM_SSE, true},
    {"a", "", CRIER_FORM_SSE, false},
    {"a/b a c", "", CRIER_FORM_SSE, true},
    {"**", "", CRIER_FORM_SSE, true},
    {"**", "", CRIER_FORM_SSE, true},
    {"a/* */b a/b", "", CRIER_FORM_SSE, true},
    {"a b a/*", "x message", CRIER_FORM_SSE, true},
    {"**", "x", CRIER_FORM_NDJSON, true},
    {"a", "", CRIER_FORM_NDJSON, false},
    {"b/** a", "", CRIER_FORM_ENVELOPE, true},
    {"c", "y", CRIER_FORM_ENVELOPE, false},
};

static uint64_t roll(struct hall *hall, uint64_t low, uint64_t high)
{
    return crier_rng_between(&hall->rng, low, high);
}

/* Mostly small, sometimes up to high. */
static uint64_t roll_small(struct hall *hall, uint64_t low, uint64_t high)
{
    return roll(hall, low, low + (high - low) / roll(hall, 1, 20));
}

/* ---- what is held ----------------------------------------------------------------------- */

static int mark_held(void *ctx, const struct crier_record *record)
{
    struct hall *hall = ctx;
    hall->held[record->number] = true;
    return 0;
}

/* What is held for this filter (a DELETE may leave an event under one topic only). */
static void find_held(struct hall *hall, const struct crier_filter *filter)
{
    struct world *world = &hall->world;
    struct crier_scan scan = {.filter = filter, .until = world->end, .losses = UINT64_MAX};
    struct crier_start gap;

    memset(hall->held, 0, sizeof(hall->held));
    while (scan.position < world->end)
        assert_int_equal(crier_journal_scan(world->journal, &scan, mark_held, hall, &gap), 0);
}

static const struct crier_filter *filter_of(const struct model *model)
{
    return &crier_follower_subscription(&model->peer.follower)->filter;
}

/* The follower was told (or need not be) that what is not held now is missing. */
static void
allow_lost(struct hall *hall, struct model *model, const struct crier_filter *filter)
{
    find_held(hall, filter);
    for (uint64_t n = 1; n <= hall->world.end; n++)
        model->may_skip[n] |= !hall->held[n];
}

static bool is_skippable(struct hall *hall, struct model *model, uint64_t number)
{
    const struct crier_record *record = &hall->world.events[number].record;

    if (!world_matches(&hall->world, number,
                       crier_follower_subscription(&model->peer.follower)))
        return true;
    if (record->expires_ms && record->expires_ms <= hall->world.now.boot_ms)
        return true;
    if (number <= model->picks_until) {
        /* A pick that was lost later is passed over. */
        find_held(hall, filter_of(model));
        return !hall->held[number] || model->may_skip[number];
    }
    return model->may_skip[number];
}

static void
must_be_skippable(struct hall *hall, struct model *model, uint64_t from, uint64_t to)
{
    const struct crier_follower *f = &model->peer.follower;

    for (uint64_t n = from; n <= to; n++) {
        if (is_skippable(hall, model, n))
            continue;
        find_held(hall, filter_of(model));
        print_error("follower %zu misses event %llu (held: %d) without a gap: model at %llu, "
                    "state %d at %llu, %u gaps, end %llu\n",
                    (size_t)(model - hall->models), (unsigned long long)n, hall->held[n],
                    (unsigned long long)model->position, f->state,
                    (unsigned long long)f->position, model->peer.gaps,
                    (unsigned long long)hall->world.end);
        fail();
    }
}

/* ---- judging ---------------------------------------------------------------------------- */

/* The length of the first whole item, 0 if there is none yet. */
static size_t item_len(const struct crier_subscription *s, struct crier_slice wire)
{
    if (s->chunked) {
        char head[9] = {0};
        if (wire.len < CRIER_FRAME_HEAD)
            return 0;
        memcpy(head, wire.data, 8);
        size_t len = CRIER_FRAME_HEAD + strtoul(head, NULL, 16) + CRIER_FRAME_TAIL;
        return len <= wire.len ? len : 0;
    }
    if (!wire.data || wire.len == 0)
        return 0;
    const char *mark = s->form == CRIER_FORM_NDJSON ? "\n" : "\n\n";
    const char *end = memmem(wire.data, wire.len, mark, strlen(mark));
    return end ? (size_t)(end - wire.data) + strlen(mark) : 0;
}

/* The number of the event whose id the item carries; *ret_exact: there is such an event. */
static uint64_t item_number(const struct world *world,
                            const struct crier_subscription *s,
                            struct crier_slice item,
                            bool *ret_exact)
{
    const char *mark = s->form == CRIER_FORM_NDJSON ? "{\"id\":\"" : "id: ";
    const char *at = memmem(item.data, item.len, mark, strlen(mark));
    struct crier_id id;
    uint64_t n = 0;

    assert_non_null(at);
    struct crier_slice rest = {at + strlen(mark),
                               item.len - (size_t)(at - item.data) - strlen(mark)};
    rest.len = crier_slice_find(rest, s->form == CRIER_FORM_NDJSON ? '"' : '\n');
    assert_int_equal(crier_id_parse(rest, &id), 0);
    while (n < world->end && crier_id_cmp(world->events[n + 1].record.id, id) <= 0)
        n++;
    *ret_exact = n > 0 && crier_id_cmp(world->events[n].record.id, id) == 0;
    return n;
}

/* Byte for byte; the JSON forms name one of the topics under which the event was held. */
static void must_be_event(struct hall *hall,
                          uint64_t number,
                          const struct crier_subscription *s,
                          struct crier_slice item)
{
    struct crier_record record = hall->world.events[number].record;

    for (size_t i = 0; i < record.topic_count; i++) {
        record.topics[0] = hall->world.events[number].record.topics[i];
        crier_buf_clear(&hall->expected);
        crier_notice_event(&hall->expected, (struct crier_dress){s->form, s->chunked}, &record);
        if (crier_slice_eq(item, crier_buf_slice(&hall->expected)))
            return;
    }
    assert_slice_equal(item, crier_buf_slice(&hall->expected));
}

static bool item_has(struct crier_slice item, const char *text)
{
    return item.data && memmem(item.data, item.len, text, strlen(text));
}

static void judge_item(struct hall *hall, struct model *model, struct crier_slice item)
{
    const struct crier_subscription *s = crier_follower_subscription(&model->peer.follower);
    bool exact;
    uint64_t n = item_number(&hall->world, s, item, &exact);

    if (item_has(item, "crier:gap")) {
        assert_true(item_has(item, "lagged"));
        model->gaps_seen++;
        hall->gaps++;
        /* For a position whose event is gone the journal answers an older id: never a later
         * one. */
        if (n > model->position) {
            must_be_skippable(hall, model, model->position + 1, n);
            model->position = n;
        }
        return;
    }
    assert_true(exact);
    if (n <= model->position)
        fail_msg("follower %zu: event %llu comes again", (size_t)(model - hall->models),
                 (unsigned long long)n);
    must_be_skippable(hall, model, model->position + 1, n - 1);
    if (!world_matches(&hall->world, n, s))
        fail_msg("event %llu was not asked for", (unsigned long long)n);
    must_be_event(hall, n, s, item);
    model->position = n;
    hall->delivered++;
}

static void judge(struct hall *hall, struct model *model)
{
    struct crier_follower *f = &model->peer.follower;
    const struct crier_subscription *s = crier_follower_subscription(f);

    /* The sink is told of a gap when its first byte leaves: what is lost by then may be
     * missing. */
    if (model->peer.gaps != model->gaps_seen)
        allow_lost(hall, model, filter_of(model));
    for (size_t len; (len = item_len(s, crier_buf_slice(&model->peer.wire)));) {
        judge_item(hall, model, (struct crier_slice){model->peer.wire.data, len});
        crier_buf_consume(&model->peer.wire, len);
    }
    assert_in_range(model->peer.gaps - model->gaps_seen, 0, 1);
    if (f->broken)
        assert_true(model->peer.broken == 1 && model->peer.wire.len > 0);
    else
        assert_int_equal(crier_follower_between_events(f), model->peer.wire.len == 0);
}

static void judge_all(struct hall *hall)
{
    crier_fanout_check(hall->world.fan);
    for (size_t i = 0; i < PEERS; i++)
        if (hall->models[i].in)
            judge(hall, &hall->models[i]);
}

/* ---- steps ------------------------------------------------------------------------------ */

static void publish(struct hall *hall)
{
    static const char *const topics[] = {"a",   "b",     "c",     "a/b",
                                         "b/b", "a/c d", "c a b", "a/b a c"};
    static const char *const types[] = {"", "", "x", "y"};
    struct test_publish what = {
        .topics = topics[roll(hall, 0, 7)],
        .type = types[roll(hall, 0, 3)],
        .size = (size_t)(roll(hall, 0, 12) ? roll(hall, 0, 60) : roll(hall, 1000, 9000)),
        .ttl_ms = roll(hall, 0, 9) ? 0 : 1000,
    };
    if (hall->drowsy)
        what.size += 5000;
    what.may_be_full = hall->drowsy;
    if (hall->world.end < WORLD_EVENTS)
        world_publish(&hall->world, &what);
}

static struct crier_since random_since(struct hall *hall)
{
    struct crier_since since = {
        .kind = (enum crier_since_kind)roll(hall, CRIER_SINCE_NOW, CRIER_SINCE_UNKNOWN)};

    since.count = roll(hall, 1, 10);
    since.ms = hall->world.now.boot_ms - roll(hall, 0, 30);
    if (since.kind == CRIER_SINCE_ID && hall->world.end == 0)
        since.kind = CRIER_SINCE_EARLIEST;
    if (since.kind == CRIER_SINCE_ID) {
        uint64_t back = roll_small(hall, 0, hall->world.end - 1);
        since.id = hall->world.events[hall->world.end - back].record.id;
    }
    return since;
}

/* What the model knows of a start. */
static void model_start(struct hall *hall,
                        struct model *model,
                        const struct crier_start *start,
                        const uint64_t *picks,
                        const struct crier_filter *filter)
{
    allow_lost(hall, model, filter);
    model->position = start->position;
    if (start->pick_count == 0)
        return;
    model->position = 0;
    model->picks_until = start->until;
    for (uint64_t n = 1; n <= start->until; n++)
        model->may_skip[n] = true;
    for (size_t i = 0; i < start->pick_count; i++)
        model->may_skip[picks[i]] = false;
}

static void join(struct hall *hall, struct model *model)
{
    struct world *world = &hall->world;
    const struct test_wish *wish =
        &wishes[roll(hall, 0, sizeof(wishes) / sizeof(wishes[0]) - 1)];
    struct crier_since since = random_since(hall);
    struct crier_subscription *subscription = world_subscription(world, wish);
    struct crier_start start;
    uint64_t picks[16];

    memset(model, 0, sizeof(*model));
    peer_init(world, &model->peer,
              roll(hall, 0, 3) ? (size_t)roll_small(hall, 0, 5000) : WORLD_UNLIMITED);
    assert_int_equal(crier_journal_locate(world->journal, &subscription->filter, &since,
                                          world->now, NULL, &start),
                     0);
    assert_true(start.pick_count <= 10);
    if (start.pick_count > 0)
        memcpy(picks, start.picks, start.pick_count * sizeof(picks[0]));
    model_start(hall, model, &start, picks, &subscription->filter);
    crier_subscription_free(subscription);

    int r = peer_join_start(&model->peer, wish, &start, roll(hall, 0, 4) == 0);
    if (r == CRIER_FANOUT_LATER || (hall->flaky && r == -ENOMEM)) {
        crier_mem_free(world->journal->mem, start.picks);
        return;
    }
    assert_int_equal(r, 0);
    model->in = true;
}

static void leave(struct hall *hall, struct model *model)
{
    hall->broken += model->peer.broken;
    peer_leave(&model->peer);
    model->in = false;
}

static void one_step(struct hall *hall)
{
    struct world *world = &hall->world;
    struct model *model = &hall->models[roll(hall, 0, PEERS - 1)];

    if (hall->flaky)
        world->mem.fail_at = world->mem.calls + roll(hall, 1, 20);
    switch (roll(hall, 0, 15)) {
    case 0:
    case 1:
    case 2:
    case 3:
        publish(hall);
        break;
    case 4:
    case 5:
        if (hall->drowsy && roll(hall, 0, 20))
            break;
        crier_cursor_awake(&world->cursor, world->now);
        crier_fanout_read(world->fan);
        break;
    case 6:
    case 7:
    case 8:
        crier_fanout_pump(world->fan, world->now);
        break;
    case 9:
        if (model->in && roll(hall, 0, 3) == 0)
            leave(hall, model);
        break;
    case 10:
    case 11:
        if (!model->in)
            join(hall, model);
        break;
    case 12:
        if (roll(hall, 0, 5) == 0)
            crier_journal_forget(world->journal, crier_slice_of(roll(hall, 0, 1) ? "a" : "b"),
                                 world->now);
        world->now.boot_ms += roll_small(hall, 0, 1000);
        crier_journal_trim(world->journal, world->now);
        crier_cursor_awake(&world->oracle_cursor, world->now);
        if (!hall->drowsy)
            crier_cursor_awake(&world->cursor, world->now);
        break;
    default:
        if (model->in) {
            if (model->peer.room < WORLD_UNLIMITED)
                model->peer.room += (size_t)roll_small(hall, 1, 5000);
            crier_fanout_writable(world->fan, &model->peer.follower, world->now);
        }
        break;
    }
}

/* Everybody takes everything: all but the broken end up with everything. */
static void finish(struct hall *hall)
{
    struct world *world = &hall->world;
    struct crier_fanout_stats stats;

    world->mem.fail_at = 0;
    for (size_t i = 0; i < PEERS; i++) {
        if (!hall->models[i].in)
            continue;
        hall->models[i].peer.room = WORLD_UNLIMITED;
        crier_fanout_writable(world->fan, &hall->models[i].peer.follower, world->now);
    }
    world_run(world);
    judge_all(hall);
    assert_true(
        crier_fanout_reaches(world->fan, &(struct crier_start){.position = world->end}));
    assert_false(
        crier_fanout_reaches(world->fan, &(struct crier_start){.position = world->end + 1}));
    for (size_t i = 0; i < PEERS; i++) {
        struct model *model = &hall->models[i];
        if (!model->in)
            continue;
        if (!model->peer.follower.broken) {
            assert_int_equal(model->peer.follower.state, CRIER_FOLLOWER_LIVE);
            assert_int_equal(model->peer.wire.len, 0);
            must_be_skippable(hall, model, model->position + 1, world->end);
        }
        leave(hall, model);
    }
    stats = world_stats(world);
    assert_int_equal(stats.sends, world->sends);
    assert_int_equal(stats.bytes, world->bytes);
    assert_int_equal(stats.delivered, hall->delivered);
    assert_int_equal(stats.feeds + stats.followers + stats.behind + stats.lagging +
                         stats.window_bytes + stats.pinned_bytes,
                     0);
}

static void one_world(struct hall *hall, struct crier_fanout_stats *sum, uint64_t *laps)
{
    struct crier_journal_limits history = {
        .max_events = roll_small(hall, 3, 200),
        .max_bytes = roll_small(hall, 2000, 100000),
        .kept_bytes = roll(hall, 0, 1) ? 1 : 5000,
    };
    struct crier_fanout_limits limits = {
        .window_from = (uint32_t)roll(hall, 1, 6),
        .window_bytes = (size_t)roll_small(hall, 64, 20000),
        .windows_bytes = (size_t)roll_small(hall, 200, 50000),
        .pin_bytes = (size_t)roll_small(hall, 1, 20000),
        .pass_slice = (uint32_t)roll(hall, 1, 8),
        .lag_bytes = (size_t)roll_small(hall, 1, 5000),
        .lag_looks = (uint32_t)roll(hall, 1, 60),
        .tick_lag_bytes = (size_t)roll_small(hall, 1, 10000),
        .read_bytes = (size_t)roll_small(hall, 1, 10000),
    };
    hall->flaky = roll(hall, 0, 3) == 0;
    hall->drowsy = roll(hall, 0, 3) == 0;
    if (hall->drowsy) {
        history.max_bytes = 30000;
        history.unread_bytes = 30000;
        history.lap_ms = 20;
        limits.read_bytes = 1 << 20;
        limits.window_bytes += 20000;
        limits.windows_bytes += 50000;
    }
    world_init(&hall->world, &history, &limits);
    hall->delivered = hall->gaps = hall->broken = 0;
    for (int step = 0; step < STEPS; step++) {
        one_step(hall);
        judge_all(hall);
    }
    struct crier_fanout_stats stats;
    finish(hall);
    stats = world_stats(&hall->world);
    sum->delivered += stats.delivered;
    sum->replayed += stats.replayed;
    sum->pins_refused += stats.pins_refused;
    hall->all_gaps += hall->gaps;
    hall->all_broken += hall->broken;
    sum->windows_dropped += stats.windows_dropped;
    sum->passes += stats.passes;
    struct crier_journal_stats journal;
    crier_journal_get_stats(hall->world.journal, &journal);
    *laps += journal.lapped;
    world_deinit(&hall->world);
}

static void test_random(void **state)
{
    struct hall *hall = calloc(1, sizeof(*hall));
    struct crier_fanout_stats sum = {0};
    uint64_t laps = 0;

    hall->rng.state = test_seed("fan-out");
    crier_buf_init(&hall->expected, &crier_mem_libc);
    for (int i = 0; i < WORLDS; i++)
        one_world(hall, &sum, &laps);
    /* The worlds were what they should be. */
    print_message("delivered %llu, replayed %llu, gaps %llu, broken %llu, dropped %llu, "
                  "refused %llu, passes %llu, laps %llu\n",
                  (unsigned long long)sum.delivered, (unsigned long long)sum.replayed,
                  (unsigned long long)hall->all_gaps, (unsigned long long)hall->all_broken,
                  (unsigned long long)sum.windows_dropped, (unsigned long long)sum.pins_refused,
                  (unsigned long long)sum.passes, (unsigned long long)laps);
    assert_true(sum.delivered > 1000 && sum.replayed > 100 && hall->all_gaps > 10);
    assert_true(sum.windows_dropped > 10 && sum.pins_refused > 0 && sum.passes > 100);
    assert_true(laps > 0);
    crier_buf_deinit(&hall->expected);
    free(hall);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
