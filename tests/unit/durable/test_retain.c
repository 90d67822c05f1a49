/* SPDX-License-Identifier: MIT */
/*
 * What leaves a store, compared with a model that looks at every event every time: random puts,
 * forgets, ttls, time, limits and rules that change with restarts, transactions that are given up.
 * Compared are what was told to leave, in order, and every counter.
 */
#include "store_support.h"

#include "base/rng.h"

enum { TOPICS = 10, EVENTS = 6000, LOG = 16384 };

static const char *const topics[TOPICS] = {"a",   "a/1", "a/2", "a/3", "b",
                                           "b/1", "b/2", "c",   "d",   "e/f/g"};

struct model_event {
    uint64_t clock_ms, expires_ms, bytes;
    unsigned topics[3], topic_count;
    unsigned alive; /* bits of topics[] */
    uint32_t class_id;
    bool kept;
};

struct told {
    uint64_t number;
    int why;
    unsigned mask; /* bits of the global list of topics */
    bool gone;
};

struct telling {
    struct told list[LOG];
    size_t count;
};

struct model {
    struct model_event events[EVENTS + 1];
    uint64_t end, evicted, expired, forgotten, kept_dropped;
};

struct world {
    struct shop shop;
    struct crier_rng rng;
    struct crier_rules rules;
    struct model model;
    struct telling real, modelled;
};

static uint64_t roll(struct world *w, uint64_t low, uint64_t high)
{
    return crier_rng_between(&w->rng, low, high);
}

static void hear(void *ctx, const struct crier_store_leaving *leaving)
{
    struct telling *telling = ctx;
    struct told told = {leaving->number, (int)leaving->why, 0, leaving->gone};

    for (size_t i = 0; i < leaving->topic_count; i++) {
        for (unsigned t = 0; t < TOPICS; t++) {
            if (crier_slice_eq(leaving->topics[i], crier_slice_of(topics[t])))
                told.mask |= 1u << t;
        }
    }
    assert_true(telling->count < LOG);
    telling->list[telling->count++] = told;
}

/* ---- the model ---------------------------------------------------------------------------- */

static uint64_t newest_in(const struct model *m, unsigned topic)
{
    for (uint64_t n = m->end; n > 0; n--) {
        for (unsigned i = 0; i < m->events[n].topic_count; i++) {
            if (m->events[n].topics[i] == topic && (m->events[n].alive >> i & 1))
                return n;
        }
    }
    return 0;
}

static void model_drop(struct world *w, uint64_t number, unsigned mask, int why)
{
    struct model *m = &w->model;
    struct model_event *e = &m->events[number];
    struct told told = {number, why, 0, false};

    mask &= e->alive;
    for (unsigned i = 0; i < e->topic_count; i++)
        told.mask |= mask >> i & 1 ? 1u << e->topics[i] : 0;
    e->alive &= ~mask;
    told.gone = !e->alive;
    if (told.gone) {
        m->evicted += why == CRIER_STORE_EVICTED;
        m->expired += why == CRIER_STORE_EXPIRED;
        m->forgotten += why == CRIER_STORE_FORGOTTEN;
    }
    w->modelled.list[w->modelled.count++] = told;
}

static uint64_t oldest_of(const struct model *m, uint32_t class_id, bool kept)
{
    for (uint64_t n = 1; n <= m->end; n++) {
        const struct model_event *e = &m->events[n];
        if (e->alive && e->class_id == class_id && e->kept == kept)
            return n;
    }
    return 0;
}

static struct crier_class counted(const struct model *m, uint32_t class_id)
{
    struct crier_class c = {0};

    for (uint64_t n = 1; n <= m->end; n++) {
        const struct model_event *e = &m->events[n];
        if (!e->alive || e->class_id != class_id)
            continue;
        c.events += !e->kept;
        c.bytes += e->kept ? 0 : e->bytes;
        c.kept_events += e->kept;
        c.kept_bytes += e->kept ? e->bytes : 0;
    }
    return c;
}

static void model_expire(struct world *w, uint64_t clock_ms)
{
    struct model *m = &w->model;

    for (;;) {
        uint64_t due = 0;
        for (uint64_t n = 1; n <= m->end; n++) {
            const struct model_event *e = &m->events[n];
            if (e->alive && e->expires_ms && e->expires_ms <= clock_ms &&
                (!due || e->expires_ms < m->events[due].expires_ms))
                due = n;
        }
        if (!due)
            return;
        model_drop(w, due, ~0u, CRIER_STORE_EXPIRED);
    }
}

static void model_evict(struct world *w, uint64_t number)
{
    struct model *m = &w->model;
    struct model_event *e = &m->events[number];
    unsigned keep = 0;

    for (unsigned i = 0; i < e->topic_count; i++)
        keep |= (e->alive >> i & 1) && newest_in(m, e->topics[i]) == number ? 1u << i : 0;
    if (keep && e->bytes > w->shop.store->limits.kept_bytes) {
        m->kept_dropped++;
        keep = 0;
    }
    if (e->alive & ~keep)
        model_drop(w, number, ~keep, CRIER_STORE_EVICTED);
    e->kept = keep != 0;
}

static void model_class(struct world *w, uint32_t class_id, uint64_t clock_ms)
{
    struct crier_rule l = crier_store_class_limits(w->shop.store, class_id);
    struct model *m = &w->model;
    uint64_t n;

    while ((n = oldest_of(m, class_id, false)) != 0) {
        struct crier_class c = counted(m, class_id);
        bool over =
            (l.max_events && c.events > l.max_events) || (l.max_bytes && c.bytes > l.max_bytes);
        if (l.max_age_ms && clock_ms - m->events[n].clock_ms >= l.max_age_ms)
            model_drop(w, n, ~0u, CRIER_STORE_EVICTED);
        else if (over)
            model_evict(w, n);
        else
            break;
    }
    while ((n = oldest_of(m, class_id, true)) != 0 && l.max_age_ms &&
           clock_ms - m->events[n].clock_ms >= l.max_age_ms)
        model_drop(w, n, ~0u, CRIER_STORE_EVICTED);
}

static void model_retain(struct world *w, uint64_t clock_ms)
{
    struct model *m = &w->model;

    model_expire(w, clock_ms);
    for (uint32_t i = 0; i <= w->rules.count; i++)
        model_class(w, i, clock_ms);
    for (;;) {
        uint64_t bytes = 0, oldest = 0;
        for (uint64_t n = m->end; n > 0; n--) {
            if (!m->events[n].alive || !m->events[n].kept)
                continue;
            bytes += m->events[n].bytes;
            oldest = n;
        }
        if (bytes <= w->shop.store->limits.kept_bytes)
            return;
        m->kept_dropped++;
        model_drop(w, oldest, ~0u, CRIER_STORE_EVICTED);
    }
}

static void model_put(struct world *w, const struct model_event *event)
{
    struct model *m = &w->model;
    struct model_event *e = &m->events[m->end + 1];

    *e = *event;
    e->class_id =
        (uint32_t)crier_rules_find(&w->rules, crier_slice_of(topics[event->topics[0]]));
    for (unsigned i = 0; i < event->topic_count; i++) {
        uint64_t last = newest_in(m, event->topics[i]);
        if (!last || !m->events[last].kept)
            continue;
        for (unsigned t = 0; t < m->events[last].topic_count; t++) {
            if (m->events[last].topics[t] == event->topics[i])
                model_drop(w, last, 1u << t, CRIER_STORE_EVICTED);
        }
    }
    m->end++;
}

static void model_forget(struct world *w, unsigned topic)
{
    struct model *m = &w->model;

    for (uint64_t n = 1; n <= m->end; n++) {
        for (unsigned i = 0; i < m->events[n].topic_count; i++) {
            if (m->events[n].topics[i] == topic && (m->events[n].alive >> i & 1))
                model_drop(w, n, 1u << i, CRIER_STORE_FORGOTTEN);
        }
    }
}

/* ---- compared ----------------------------------------------------------------------------- */

static void compare_told(struct world *w)
{
    assert_int_equal(w->real.count, w->modelled.count);
    for (size_t i = 0; i < w->real.count; i++) {
        assert_int_equal(w->real.list[i].number, w->modelled.list[i].number);
        assert_int_equal(w->real.list[i].why, w->modelled.list[i].why);
        assert_int_equal(w->real.list[i].mask, w->modelled.list[i].mask);
        assert_int_equal(w->real.list[i].gone, w->modelled.list[i].gone);
    }
    w->real.count = w->modelled.count = 0;
}

static void compare_topic(struct world *w, MDB_txn *txn, unsigned topic)
{
    struct crier_topic_row want = {0}, row = {0};
    const struct model *m = &w->model;

    for (uint64_t n = 1; n <= m->end; n++) {
        const struct model_event *e = &m->events[n];
        for (unsigned i = 0; i < e->topic_count; i++) {
            if (e->topics[i] != topic || !(e->alive >> i & 1))
                continue;
            want.first = want.first ? want.first : n;
            want.last = n;
            want.events++;
            want.bytes += e->bytes;
            want.kept = e->kept ? n : want.kept;
        }
    }
    int r = crier_topic_row_get(w->shop.store, txn, crier_slice_of(topics[topic]), &row);
    assert_int_equal(r, want.events ? 0 : -ENOENT);
    assert_int_equal(row.events, want.events);
    assert_int_equal(row.bytes, want.bytes);
    assert_int_equal(row.first, want.first);
    assert_int_equal(row.last, want.last);
    assert_int_equal(row.kept, want.kept);
}

static void compare_totals(struct world *w)
{
    const struct crier_store_totals *t = crier_store_totals(w->shop.store);
    const struct model *m = &w->model;
    struct crier_class all = {0};

    for (uint32_t i = 0; i <= w->rules.count; i++) {
        struct crier_class want = counted(m, i);
        struct crier_store_share share;

        assert_true(crier_store_share(w->shop.store, i, &share));
        assert_int_equal(share.events, want.events);
        assert_int_equal(share.bytes, want.bytes);
        assert_int_equal(share.kept_events, want.kept_events);
        assert_int_equal(share.kept_bytes, want.kept_bytes);
        all.events += want.events;
        all.bytes += want.bytes;
        all.kept_events += want.kept_events;
        all.kept_bytes += want.kept_bytes;
    }
    assert_int_equal(t->end, m->end);
    assert_int_equal(t->events, all.events + all.kept_events);
    assert_int_equal(t->bytes, all.bytes + all.kept_bytes);
    assert_int_equal(t->kept_events, all.kept_events);
    assert_int_equal(t->kept_bytes, all.kept_bytes);
    assert_int_equal(t->evicted, m->evicted);
    assert_int_equal(t->expired, m->expired);
    assert_int_equal(t->forgotten, m->forgotten);
    assert_int_equal(t->kept_dropped, m->kept_dropped);
}

static void compare(struct world *w)
{
    MDB_txn *txn;

    compare_told(w);
    compare_totals(w);
    assert_int_equal(mdb_txn_begin(w->shop.store->env, NULL, MDB_RDONLY, &txn), 0);
    for (unsigned i = 0; i < TOPICS; i++)
        compare_topic(w, txn, i);
    mdb_txn_abort(txn);
}

/* ---- random ------------------------------------------------------------------------------- */

static void put(struct world *w)
{
    struct shop *s = &w->shop;
    struct model_event e = {.topic_count = roll(w, 1, 5) == 1 ? (unsigned)roll(w, 2, 3) : 1};
    struct shop_event event = {.topic_count = e.topic_count,
                               .size =
                                   roll(w, 1, 30) == 1 ? roll(w, 1000, 9000) : roll(w, 0, 200),
                               .key = roll(w, 1, 4) == 1 ? "key" : NULL};
    unsigned taken = 0;

    for (unsigned i = 0; i < e.topic_count;) {
        unsigned topic = (unsigned)roll(w, 0, TOPICS - 1);
        /* Some are quiet. */
        if (topic >= TOPICS / 2 && roll(w, 1, 6) > 1)
            topic %= 3;
        if (taken >> topic & 1)
            continue;
        taken |= 1u << topic;
        event.topics[i] = topics[topic];
        e.topics[i++] = topic;
    }
    e.alive = (1u << e.topic_count) - 1;
    e.clock_ms = crier_store_clock(s->store, s->now);
    event.ttl_ms = roll(w, 1, 5) == 1 ? roll(w, 1, 400) : 0;
    e.expires_ms = event.ttl_ms ? e.clock_ms + event.ttl_ms : 0;
    assert_int_equal(shop_put_to(s, &event, hear, &w->real), 0);
    e.bytes = shop_bytes(event.size, crier_store_totals(s->store)->last);
    model_put(w, &e);
}

static void forget(struct world *w)
{
    unsigned topic = (unsigned)roll(w, 0, TOPICS - 1);
    struct crier_slice name = crier_slice_of(topics[topic]);

    assert_int_equal(crier_store_forget(w->shop.store, name, hear, &w->real), 0);
    model_forget(w, topic);
}

/* In steps, within one transaction or in several. */
static void retain(struct world *w)
{
    struct shop *s = &w->shop;
    uint64_t clock_ms = crier_store_clock(s->store, s->now);
    size_t at_once = roll(w, 0, 1) ? 10000 : roll(w, 1, 7);
    int r;

    while ((r = crier_store_retain(s->store, clock_ms, at_once, hear, &w->real)) > 0) {
        if (roll(w, 0, 2))
            continue;
        shop_commit(s);
        shop_begin(s);
    }
    assert_int_equal(r, 0);
    model_retain(w, clock_ms);
}

static void transaction(struct world *w)
{
    static struct model before;
    bool give_up = roll(w, 1, 8) == 1;

    before = w->model;
    shop_begin(&w->shop);
    for (uint64_t n = roll(w, 0, 40); n > 0; n--) {
        put(w);
        shop_pass(&w->shop, roll(w, 0, 3));
        if (roll(w, 1, 60) == 1)
            forget(w);
    }
    if (give_up) {
        crier_store_abort(w->shop.store);
        w->model = before;
        w->real.count = w->modelled.count = 0;
        return;
    }
    if (roll(w, 0, 3))
        retain(w);
    shop_commit(&w->shop);
}

static void new_rules(struct world *w)
{
    static const char *const texts[] = {"a/*=20", "a=3KiB",   "b/**=15,2KiB,90ms", "c=1",
                                        "**=40",  "a/1=5,1h", "e/**=1000B,50ms",   "d=60ms"};

    memset(&w->rules, 0, sizeof(w->rules));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (roll(w, 0, 2) == 0)
            assert_null(crier_rules_add(&w->rules, crier_slice_of(texts[i])));
    }
    for (uint64_t n = 1; n <= w->model.end; n++) {
        struct model_event *e = &w->model.events[n];
        e->class_id =
            (uint32_t)crier_rules_find(&w->rules, crier_slice_of(topics[e->topics[0]]));
    }
}

static void new_limits(struct world *w)
{
    w->shop.limits.max_events = roll(w, 10, 120);
    w->shop.limits.max_bytes = roll(w, 2000, 20000);
    w->shop.limits.max_age_ms = roll(w, 100, 1000);
    w->shop.limits.kept_bytes = roll(w, 50, 3000);
}

/* The mark of a making anew that did not come to its end. */
static void cut_off(struct world *w)
{
    static const char mark[] = "making anew";
    struct crier_store *store = w->shop.store;
    MDB_val key = crier_val("rules", 5), value = crier_val(mark, sizeof(mark) - 1);

    shop_begin(&w->shop);
    assert_int_equal(mdb_put(store->txn, store->tables[CRIER_TABLE_META], &key, &value, 0), 0);
    assert_int_equal(mdb_drop(store->txn, store->tables[CRIER_TABLE_ORDER], 0), 0);
    assert_int_equal(mdb_txn_commit(store->txn), 0);
    store->txn = NULL;
}

static void restart(struct world *w)
{
    struct model *m = &w->model;

    if (roll(w, 0, 3) == 0)
        cut_off(w);
    if (roll(w, 0, 1))
        new_rules(w);
    if (roll(w, 0, 1))
        new_limits(w);
    shop_pass(&w->shop, roll(w, 0, 50));
    shop_reopen(&w->shop);
    m->evicted = m->expired = m->forgotten = m->kept_dropped = 0;
}

static void as_the_model(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->rng = (struct crier_rng){test_seed("retain")};
    shop_make(&w->shop);
    w->shop.options.rules = &w->rules;
    new_limits(w);
    shop_open(&w->shop);
    for (int i = 0; w->model.end < EVENTS - 50; i++) {
        transaction(w);
        compare(w);
        if (i % 10 == 0)
            shop_verify(&w->shop);
        if (roll(w, 1, 12) == 1) {
            restart(w);
            compare(w);
        }
    }
    shop_verify(&w->shop);
    shop_drop(&w->shop);
    free(w);
}

/* ---- by hand ------------------------------------------------------------------------------ */

/* Each limit holds to the event, the byte, the millisecond. */
static void to_the_one(void **state)
{
    struct shop s;

    shop_make(&s);
    s.limits.max_events = 5;
    shop_open(&s);
    for (int i = 0; i < 6; i++) {
        shop_publish(&s, "a");
        shop_retain(&s, 100, shop_left, &s);
        assert_int_equal(crier_store_totals(s.store)->events, i < 5 ? i + 1 : 5);
    }
    uint64_t bytes = crier_store_totals(s.store)->bytes;
    s.limits.max_bytes = bytes;
    shop_reopen(&s);
    shop_retain(&s, 100, shop_left, &s);
    assert_int_equal(crier_store_totals(s.store)->events, 5);
    s.limits.max_bytes = bytes - 1;
    s.limits.max_age_ms = 1000;
    shop_reopen(&s);
    shop_retain(&s, 100, shop_left, &s);
    assert_int_equal(crier_store_totals(s.store)->events, 4);
    shop_pass(&s, 999);
    shop_retain(&s, 100, shop_left, &s);
    assert_int_equal(crier_store_totals(s.store)->events, 4);
    shop_pass(&s, 1);
    shop_retain(&s, 100, shop_left, &s);
    assert_int_equal(crier_store_totals(s.store)->events, 0);
    assert_int_equal(crier_store_totals(s.store)->topics, 0);
    assert_int_equal(s.left, 6);
    shop_drop(&s);
}

/* A call looks at so many at most, and says whether there are more. */
static void bounded(void **state)
{
    struct shop s;

    shop_make(&s);
    shop_open(&s);
    for (int i = 0; i < 50; i++)
        shop_publish(&s, "a");
    s.limits.max_events = 7;
    shop_reopen(&s);
    for (unsigned n = 10; n <= 40; n += 10) {
        shop_begin(&s);
        assert_int_equal(crier_store_retain(s.store, 0, 10, shop_left, &s), 1);
        shop_commit(&s);
        assert_int_equal(s.left, n);
    }
    shop_begin(&s);
    assert_int_equal(crier_store_retain(s.store, 0, 10, shop_left, &s), 0);
    shop_commit(&s);
    assert_int_equal(s.left, 43);
    shop_drop(&s);
}

/* A clock set back or forth changes nothing of what leaves. */
static void wall_jumps(void **state)
{
    struct shop s;

    shop_make(&s);
    s.limits.max_age_ms = 3600 * 1000;
    shop_open(&s);
    shop_publish(&s, "a");
    s.now.wall_ms += UINT64_C(86400) * 1000;
    shop_retain(&s, 10, shop_left, &s);
    shop_publish(&s, "a");
    s.now.wall_ms -= UINT64_C(3) * 86400 * 1000;
    shop_publish(&s, "a");
    shop_retain(&s, 10, shop_left, &s);
    assert_int_equal(s.left, 0);
    s.now.boot_ms += 3600 * 1000;
    shop_retain(&s, 10, shop_left, &s);
    assert_int_equal(s.left, 3);
    shop_drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_model),
        cmocka_unit_test(to_the_one),
        cmocka_unit_test(bounded),
        cmocka_unit_test(wall_jumps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
