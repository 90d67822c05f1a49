/* SPDX-License-Identifier: MIT */
/*
 * The whole journal against a naive model: an array of all events ever published and plain
 * loops over it. Random operations (publish, forget, time, trim, every form of `since`, streams
 * that read the past in small slices, workers that read, sleep and wake), after each of which
 * the journal's invariants hold and its counters are the model's.
 *
 * What a stream is owed, whatever happens between its slices: every matching event after its
 * position is shown once and in order, or it has been told a gap after that event was lost, or
 * the event's ttl was over.
 *
 * The same for every journal: model_kind.h says which (this folder's: in memory; that of
 * tests/unit/durable: on disk, and now and then opened anew).
 */
#ifndef MODEL_KIND
#define MODEL_KIND "model_kind.h"
#endif
#include MODEL_KIND

enum { EVENTS = 6000, TOPICS = 12, TYPES = 3, STREAMS = 6, CURSORS = 3, PER_EVENT = 3 };

static const char *const topic_names[TOPICS] = {"a",     "b",     "a/x", "a/y", "b/x", "a/x/1",
                                                "a/x/2", "c/d/e", "c",   "d",   "aa",  "b/y"};
static const char *const type_names[TYPES] = {"message", "alpha", "beta"};

enum state { ALIVE, LOST, EXPIRED };

struct fact {
    struct crier_id id;
    uint64_t boot_ms, expires_ms, bytes, cost;
    unsigned topics[PER_EVENT];
    enum state states[PER_EVENT];
    uint64_t lost_at[PER_EVENT]; /* model->clock when it was lost */
    size_t topic_count;
    unsigned type;
    char key[8]; /* "": none */
    bool key_live;
    bool kept;
};

/* Exact topics, or patterns, as bit sets over topic_names. */
struct want {
    unsigned exact, matched; /* by name; by a pattern */
    unsigned types;
    const char *pattern; /* "", "a", "a/x": everything below that prefix */
    struct crier_slice topics[TOPICS], type_slices[TYPES], prefix;
    uint64_t hashes[TOPICS];
    struct crier_filter filter;
};

struct stream {
    struct want want;
    uint64_t position, losses;
    uint64_t told_at; /* what was lost up to this moment it knows of */
    bool open;
};

struct model {
    struct crier_rng rng;
    struct test_mem mem;
    struct crier_journal *journal;
    struct crier_journal_limits limits;
    struct crier_now now;
    struct crier_id start, last;
    struct fact *facts; /* facts[number - 1] */
    uint64_t end, first;
    uint64_t clock; /* one more with each operation */
    uint64_t appended, duplicates, evicted, expired, forgotten;
    bool few_floors; /* gaps may be told in vain */
    struct stream streams[STREAMS];
    struct crier_cursor cursors[CURSORS];
    uint64_t cursor_at[CURSORS];
    bool sleeping[CURSORS], woken[CURSORS];
    struct kind kind;
    struct wake_ctx {
        bool *woken;
    } wake_ctx[CURSORS];
    struct stream *shown; /* of the scan that runs now */
    uint64_t shown_from;
    int depth;
};

static uint64_t roll(struct model *m, uint64_t low, uint64_t high)
{
    return crier_rng_between(&m->rng, low, high);
}

static bool chance(struct model *m, unsigned percent)
{
    return roll(m, 1, 100) <= percent;
}

/* ---- the model's history ------------------------------------------------- */

static struct fact *fact(struct model *m, uint64_t number)
{
    return &m->facts[number - 1];
}

static bool held(const struct fact *f)
{
    for (size_t i = 0; i < f->topic_count; i++) {
        if (f->states[i] == ALIVE)
            return true;
    }
    return false;
}

static void
leave(struct model *m, struct fact *f, size_t topic, enum state state, uint64_t *counter)
{
    f->states[topic] = state;
    f->lost_at[topic] = m->clock;
    if (held(f))
        return;
    (*counter)++;
    f->key_live = false;
    f->kept = false;
}

static void leave_all(struct model *m, struct fact *f, enum state state, uint64_t *counter)
{
    for (size_t i = 0; i < f->topic_count; i++) {
        if (f->states[i] == ALIVE)
            leave(m, f, i, state, counter);
    }
}

static bool is_newest(struct model *m, uint64_t number, unsigned topic)
{
    for (uint64_t n = number + 1; n <= m->end; n++) {
        for (size_t i = 0; i < fact(m, n)->topic_count; i++) {
            if (fact(m, n)->topics[i] == topic && fact(m, n)->states[i] == ALIVE)
                return false;
        }
    }
    return true;
}

static bool aged(const struct model *m, const struct fact *f)
{
    return m->now.boot_ms - f->boot_ms >= m->limits.max_age_ms;
}

static void model_evict(struct model *m)
{
    struct fact *f = fact(m, m->first);
    bool old = aged(m, f), room = f->cost <= m->limits.kept_bytes;

    for (size_t i = 0; i < f->topic_count; i++) {
        if (f->states[i] != ALIVE)
            continue;
        if (!old && room && is_newest(m, m->first, f->topics[i]))
            f->kept = true;
        else
            leave(m, f, i, LOST, &m->evicted);
    }
    f->kept = f->kept && held(f);
    m->first++;
}

static void window_sums(struct model *m, uint64_t *events, uint64_t *bytes)
{
    *events = *bytes = 0;
    for (uint64_t n = m->first; n <= m->end; n++) {
        if (held(fact(m, n))) {
            ++*events;
            *bytes += fact(m, n)->bytes;
        }
    }
}

static uint64_t kept_cost(struct model *m, uint64_t *ret_oldest)
{
    uint64_t cost = 0;
    *ret_oldest = 0;
    for (uint64_t n = m->first; n-- > 1;) {
        if (fact(m, n)->kept) {
            cost += fact(m, n)->cost;
            *ret_oldest = n;
        }
    }
    return cost;
}

static void model_retain(struct model *m)
{
    uint64_t events, bytes, oldest;

    for (uint64_t n = 1; n <= m->end; n++) {
        struct fact *f = fact(m, n);
        if (f->expires_ms && f->expires_ms <= m->now.boot_ms)
            leave_all(m, f, EXPIRED, &m->expired);
    }
    for (;;) {
        window_sums(m, &events, &bytes);
        if (m->first > m->end)
            break;
        bool over = events > m->limits.max_events || bytes > m->limits.max_bytes;
        if (!over && !aged(m, fact(m, m->first)) && held(fact(m, m->first)))
            break;
        model_evict(m);
    }
    while (kept_cost(m, &oldest) > m->limits.kept_bytes || (oldest && aged(m, fact(m, oldest))))
        leave_all(m, fact(m, oldest), LOST, &m->evicted);
    for (uint64_t n = 1; n <= m->end; n++) {
        if (m->now.boot_ms - fact(m, n)->boot_ms >= m->limits.key_age_ms)
            fact(m, n)->key_live = false;
    }
}

static void drop_kept(struct model *m, unsigned topic)
{
    for (uint64_t n = 1; n < m->first; n++) {
        for (size_t i = 0; i < fact(m, n)->topic_count; i++) {
            if (fact(m, n)->kept && fact(m, n)->topics[i] == topic &&
                fact(m, n)->states[i] == ALIVE)
                leave(m, fact(m, n), i, LOST, &m->evicted);
        }
    }
}

static uint64_t find_key(struct model *m, unsigned topic, const char *key)
{
    for (uint64_t n = 1; n <= m->end; n++) {
        if (fact(m, n)->key_live && fact(m, n)->topics[0] == topic &&
            strcmp(fact(m, n)->key, key) == 0)
            return n;
    }
    return 0;
}

static void bound_keys(struct model *m)
{
    uint64_t count = 0;
    for (uint64_t n = m->end; n >= 1; n--) {
        count += fact(m, n)->key_live;
        if (count > m->limits.max_keys)
            fact(m, n)->key_live = false;
    }
}

static struct crier_id model_next_id(const struct model *m)
{
    if (m->now.wall_ms > m->last.ms)
        return (struct crier_id){m->now.wall_ms, TEST_SEQ};
    if (m->last.seq < TEST_SEQ + 9999)
        return (struct crier_id){m->last.ms, m->last.seq + 1};
    return (struct crier_id){m->last.ms + 1, TEST_SEQ};
}

/* ---- wants --------------------------------------------------------------- */

static unsigned below(const char *prefix)
{
    unsigned set = 0;
    size_t len = strlen(prefix);
    for (unsigned t = 0; t < TOPICS; t++) {
        if (!len || (strncmp(topic_names[t], prefix, len) == 0 && topic_names[t][len] == '/'))
            set |= 1u << t;
    }
    return set;
}

static bool want_match(const void *ctx, struct crier_slice topic)
{
    const struct want *want = ctx;
    for (unsigned t = 0; t < TOPICS; t++) {
        if (crier_slice_eq(topic, crier_slice_of(topic_names[t])))
            return want->matched >> t & 1;
    }
    return false;
}

static void make_want(struct model *m, struct want *want)
{
    static const char *const prefixes[] = {"", "a", "a/x", "b", "c"};

    memset(want, 0, sizeof(*want));
    if (chance(m, 60))
        want->exact = 1u << roll(m, 0, TOPICS - 1);
    if (want->exact && chance(m, 40))
        want->exact |= 1u << roll(m, 0, TOPICS - 1) | 1u << roll(m, 0, TOPICS - 1);
    if (!want->exact || chance(m, 20)) {
        want->pattern = prefixes[roll(m, 0, 4)];
        want->matched = below(want->pattern);
        /* The pattern need not be all of its prefix: as "a/<star>/x" is not all below "a". */
        if (chance(m, 30))
            want->matched &= (unsigned)crier_rng_next(&m->rng);
        want->prefix = crier_slice_of(want->pattern);
        want->filter.match = want_match;
        want->filter.ctx = want;
        want->filter.prefixes = &want->prefix;
        want->filter.prefix_count = 1;
    }
    for (unsigned t = 0; t < TOPICS; t++) {
        if (!(want->exact >> t & 1))
            continue;
        size_t n = want->filter.topic_count++;
        want->topics[n] = crier_slice_of(topic_names[t]);
        want->hashes[n] = crier_journal_hash(m->journal, want->topics[n]);
    }
    want->filter.topics = want->topics;
    want->filter.topic_hashes = want->hashes;
    want->types = chance(m, 25) ? (unsigned)roll(m, 1, (1 << TYPES) - 2) : (1 << TYPES) - 1;
    for (unsigned t = 0; t < TYPES && want->types != (1 << TYPES) - 1; t++) {
        if (want->types >> t & 1)
            want->type_slices[want->filter.type_count++] = crier_slice_of(type_names[t]);
    }
    want->filter.types = want->type_slices;
}

/* A want is full of pointers into itself. */
static void move_want(struct want *to, const struct want *from)
{
    *to = *from;
    to->filter.topics = to->topics;
    to->filter.topic_hashes = to->hashes;
    to->filter.types = to->type_slices;
    to->filter.prefixes = &to->prefix;
    to->filter.ctx = to;
}

static bool wants_topic(const struct want *want, unsigned topic)
{
    return (want->exact | want->matched) >> topic & 1;
}

static bool past_ttl(const struct model *m, const struct fact *f)
{
    return f->expires_ms && f->expires_ms <= m->now.boot_ms;
}

/* Is it there for this want, now? */
static bool deliverable(const struct model *m, const struct want *want, const struct fact *f)
{
    if (!(want->types >> f->type & 1) || past_ttl(m, f))
        return false;
    for (size_t i = 0; i < f->topic_count; i++) {
        if (f->states[i] == ALIVE && wants_topic(want, f->topics[i]))
            return true;
    }
    return false;
}

/* Did a wanted topic lose it after `clock`? */
static bool lost_after(const struct want *want, const struct fact *f, uint64_t clock)
{
    for (size_t i = 0; i < f->topic_count; i++) {
        if (f->states[i] == LOST && f->lost_at[i] > clock && wants_topic(want, f->topics[i]))
            return true;
    }
    return false;
}

static uint64_t oldest_deliverable(struct model *m, const struct want *want, uint64_t position)
{
    for (uint64_t n = position + 1; n <= m->end; n++) {
        if (deliverable(m, want, fact(m, n)))
            return n;
    }
    return 0;
}

/* ---- publishing and forgetting ------------------------------------------- */

static void note_publish(struct model *m,
                         const struct crier_draft *draft,
                         const unsigned *topics,
                         unsigned type,
                         const char *key)
{
    assert_true(m->end < EVENTS);
    struct fact *f = fact(m, ++m->end);

    *f = (struct fact){.id = model_next_id(m), .boot_ms = m->now.boot_ms, .type = type};
    assert_int_equal(crier_id_cmp(draft->ret_id, f->id), 0);
    assert_true(crier_id_cmp(f->id, m->last) > 0);
    m->last = f->id;
    char text[CRIER_ID_TEXT];
    f->bytes = draft->sse.len + 4 + crier_id_format(f->id, text) + 1;
    f->cost = kind_kept_cost(draft, f->id, f->bytes);
    f->topic_count = draft->topic_count;
    memcpy(f->topics, topics, sizeof(f->topics));
    if (draft->ttl_ms)
        f->expires_ms =
            m->now.boot_ms +
            (draft->ttl_ms < m->limits.max_age_ms ? draft->ttl_ms : m->limits.max_age_ms);
    snprintf(f->key, sizeof(f->key), "%s", key);
    f->key_live = key[0] != 0;
    m->appended++;
    bound_keys(m);
    for (size_t i = 0; i < f->topic_count; i++)
        drop_kept(m, f->topics[i]);
    if (!KIND_DURABLE)
        model_retain(m);
}

struct publish {
    unsigned topics[PER_EVENT];
    unsigned type;
    char key[8], sse[200];
};

static void make_draft(struct model *m, struct publish *p, struct crier_draft *draft)
{
    *draft =
        (struct crier_draft){.topic_count = chance(m, 80) ? 1 : (size_t)roll(m, 1, PER_EVENT)};
    /* A few topics are busy, the others quiet. */
    unsigned topic = (unsigned)(chance(m, 70) ? roll(m, 0, 2) : roll(m, 0, TOPICS - 1));
    for (size_t i = 0; i < draft->topic_count; i++) {
        p->topics[i] = (topic + (unsigned)i * 5) % TOPICS;
        draft->topics[i] = crier_slice_of(topic_names[p->topics[i]]);
    }
    p->type = (unsigned)roll(m, 0, TYPES - 1);
    draft->type = p->type || chance(m, 50) ? crier_slice_of(type_names[p->type])
                                           : (struct crier_slice){NULL, 0};
    snprintf(p->sse, sizeof(p->sse), "data: %.*s\n\n", (int)roll(m, 0, 120),
             "................................................................................."
             "........................"
             "...............");
    draft->sse = crier_slice_of(p->sse);
    p->key[0] = 0;
    if (chance(m, 15))
        snprintf(p->key, sizeof(p->key), "k%u", (unsigned)roll(m, 0, 9));
    draft->key = crier_slice_of(p->key);
    if (chance(m, 15))
        draft->ttl_ms = roll(m, 1, 400);
}

static void op_publish(struct model *m)
{
    struct publish publishes[5];
    struct crier_draft drafts[5];
    size_t count = chance(m, 70) ? 1 : (size_t)roll(m, 2, 5);

    if (m->end + count > EVENTS)
        return; /* the array is full */
    for (size_t i = 0; i < count; i++)
        make_draft(m, &publishes[i], &drafts[i]);
    crier_journal_append(m->journal, drafts, count, m->now);
    if (!KIND_DURABLE)
        model_retain(m);
    for (size_t i = 0; i < count; i++) {
        uint64_t known =
            publishes[i].key[0] ? find_key(m, publishes[i].topics[0], publishes[i].key) : 0;
        assert_int_equal(drafts[i].result, known ? CRIER_APPEND_DUPLICATE : 0);
        if (known) {
            assert_int_equal(crier_id_cmp(drafts[i].ret_id, fact(m, known)->id), 0);
            m->duplicates++;
        } else {
            note_publish(m, &drafts[i], publishes[i].topics, publishes[i].type,
                         publishes[i].key);
        }
    }
    model_retain(m); /* a disk lets leave what must after a whole transaction */
}

static void op_forget(struct model *m)
{
    unsigned topic = (unsigned)roll(m, 0, TOPICS - 1);

    crier_journal_forget(m->journal, crier_slice_of(topic_names[topic]), m->now);
    model_retain(m);
    for (uint64_t n = 1; n <= m->end; n++) {
        for (size_t i = 0; i < fact(m, n)->topic_count; i++) {
            if (fact(m, n)->topics[i] == topic && fact(m, n)->states[i] == ALIVE)
                leave(m, fact(m, n), i, LOST, &m->forgotten);
        }
    }
    model_retain(m);
}

static void op_time(struct model *m)
{
    m->now.boot_ms += roll(m, 0, 60);
    m->now.wall_ms += roll(m, 0, 60);
    if (chance(m, 5))
        m->now.wall_ms -= roll(m, 0, 3) * 3600 * 1000; /* the clock is set back by hours */
    kind_trim(m->journal, m->now);
    model_retain(m);
}

static void mutate(struct model *m)
{
    m->clock++;
    switch (roll(m, 0, 11)) {
    case 0:
        op_forget(m);
        break;
    case 1:
    case 2:
        op_time(m);
        break;
    default:
        op_publish(m);
        break;
    }
}

/* ---- streams ------------------------------------------------------------- */

/* The stream moves from `from` to `to` without having been shown what lies between. */
static void passed_over(struct model *m, const struct stream *s, uint64_t from, uint64_t to)
{
    for (uint64_t n = from + 1; n <= to; n++) {
        const struct fact *f = fact(m, n);
        if (!(s->want.types >> f->type & 1) || past_ttl(m, f))
            continue;
        if (deliverable(m, &s->want, f))
            fail_msg("event %d is held and was passed over", (int)n);
        if (lost_after(&s->want, f, s->told_at))
            fail_msg("event %d was lost in silence", (int)n);
    }
}

static int on_event(void *ctx, const struct crier_record *record)
{
    struct model *m = ctx;
    struct stream *s = m->shown;
    const struct fact *f = fact(m, record->number);

    assert_true(record->number > m->shown_from);
    assert_int_equal(crier_id_cmp(record->id, f->id), 0);
    assert_true(crier_filter_match(&s->want.filter, record));
    assert_int_equal(record->sse.len, f->bytes);
    if (chance(m, 10))
        return CRIER_SCAN_STOP;
    /* What lies between was passed over before this moment: judged without what comes next. */
    passed_over(m, s, m->shown_from, record->number - 1);
    m->shown_from = record->number;
    /* The mutex is not held here: history may change under the scan. */
    if (m->depth == 0 && chance(m, 20)) {
        m->depth++;
        for (int n = chance(m, 10) ? 20 : 1; n > 0; n--)
            mutate(m);
        m->depth--;
    }
    return chance(m, 10) ? CRIER_SCAN_TAKEN : 0;
}

/* One slice of the stream's. */
static void slice(struct model *m, struct stream *s, uint64_t until)
{
    struct crier_scan scan = {
        .filter = &s->want.filter, .position = s->position, .until = until};
    struct crier_start gap;

    scan.max_looks = chance(m, 60) ? (uint32_t)roll(m, 1, 30) : 0;
    scan.now_boot_ms = m->now.boot_ms;
    scan.losses = s->losses;
    m->shown = s;
    m->shown_from = s->position;
    int r = kind_scan(&m->kind, m->journal, &scan, on_event, m, &gap);
    if (r == CRIER_SCAN_GAP) {
        assert_int_equal(gap.gap, CRIER_GAP_LAGGED);
        assert_true(gap.position >= s->position && gap.position <= until);
        uint64_t oldest = oldest_deliverable(m, &s->want, s->position);
        assert_int_equal(gap.has_oldest, oldest != 0);
        if (oldest)
            assert_int_equal(crier_id_cmp(gap.oldest, fact(m, oldest)->id), 0);
        s->told_at = m->clock;
        passed_over(m, s, s->position, gap.position);
        s->position = gap.position;
        s->losses = gap.losses;
        return;
    }
    assert_int_equal(r, 0);
    assert_true(scan.position >= m->shown_from && scan.position <= until);
    assert_true(KIND_DURABLE || !scan.max_looks || scan.looks <= scan.max_looks);
    passed_over(m, s, m->shown_from, scan.position);
    s->position = scan.position;
}

/* Shows what a start leads to, and that it is exactly the model's: all that can be delivered
 * after `after`. */
static void assert_leads_to(struct model *m,
                            const struct want *want,
                            const struct crier_start *start,
                            uint64_t after)
{
    struct test_seen *seen = calloc(1, sizeof(*seen));
    struct crier_scan scan = {.filter = &want->filter,
                              .position = start->position,
                              .until = m->end,
                              .losses = start->losses};
    size_t n = 0;

    scan.now_boot_ms = m->now.boot_ms;
    while (scan.position < m->end) {
        uint64_t before = scan.position;
        assert_int_equal(kind_scan(&m->kind, m->journal, &scan, test_see, seen, NULL), 0);
        assert_true(KIND_DURABLE ? scan.position > before : scan.position == m->end);
    }
    for (uint64_t number = after + 1; number <= m->end; number++) {
        if (!deliverable(m, want, fact(m, number)))
            continue;
        assert_true(n < seen->count);
        assert_int_equal(seen->numbers[n++], number);
    }
    assert_int_equal(n, seen->count);
    free(seen);
}

/* ---- starts -------------------------------------------------------------- */

static struct crier_start
locate(struct model *m, const struct want *want, struct crier_since since)
{
    struct crier_start start = kind_locate(&m->kind, m->journal, &want->filter, since, m->now);
    model_retain(m);
    assert_int_equal(start.until, m->end);
    return start;
}

static bool single(const struct want *want)
{
    return !want->filter.match && want->filter.topic_count == 1;
}

/* A stream that starts there and is cut off before its first event comes back exact. */
static void assert_comes_back(struct model *m,
                              const struct want *want,
                              const struct crier_start *start,
                              uint64_t after)
{
    struct crier_start again =
        locate(m, want, (struct crier_since){.kind = CRIER_SINCE_ID, .id = start->id});

    assert_true(again.gap != CRIER_GAP_UNKNOWN);
    if (single(want) && !m->few_floors)
        assert_int_equal(again.gap, CRIER_GAP_NONE);
    assert_leads_to(m, want, &again, after);
}

static struct crier_start check_earliest(struct model *m, const struct want *want)
{
    static const struct crier_since forms[] = {{.kind = CRIER_SINCE_EARLIEST},
                                               {.kind = CRIER_SINCE_ID}};
    struct crier_start start = locate(m, want, forms[roll(m, 0, 1)]);

    assert_int_equal(start.gap, CRIER_GAP_NONE);
    assert_leads_to(m, want, &start, 0);
    assert_comes_back(m, want, &start, 0);
    return start;
}

static struct crier_start check_last(struct model *m, const struct want *want)
{
    uint64_t count = roll(m, 0, 12), left = count, after = m->end;
    struct crier_start start =
        locate(m, want, (struct crier_since){.kind = CRIER_SINCE_LAST, .count = count});

    for (uint64_t n = m->end; n >= 1 && left; n--) {
        if (deliverable(m, want, fact(m, n))) {
            after = n - 1;
            left--;
        }
    }
    assert_int_equal(start.gap, CRIER_GAP_NONE);
    assert_leads_to(m, want, &start, after);
    assert_comes_back(m, want, &start, after);
    return start;
}

static struct crier_start check_boot(struct model *m, const struct want *want)
{
    uint64_t back = roll(m, 0, 1500), after = 0;
    uint64_t ms = m->now.boot_ms > back ? m->now.boot_ms - back : 0;
    struct crier_start start =
        locate(m, want, (struct crier_since){.kind = CRIER_SINCE_AGO, .ms = back});

    for (uint64_t n = 1; n <= m->end && fact(m, n)->boot_ms < ms; n++)
        after = n;
    assert_leads_to(m, want, &start, after);
    assert_comes_back(m, want, &start, after);
    return start;
}

static struct crier_start check_latest(struct model *m, const struct want *want)
{
    uint64_t max = roll(m, 1, 6), expected[TOPICS];
    size_t count = 0, n = 0;
    struct crier_start start =
        locate(m, want, (struct crier_since){.kind = CRIER_SINCE_LATEST, .count = max});
    unsigned topics_seen = 0;

    for (uint64_t number = m->end; number >= 1 && count < max; number--) {
        const struct fact *f = fact(m, number);
        bool newest = false;
        if (!deliverable(m, want, f))
            continue;
        for (size_t i = 0; i < f->topic_count; i++) {
            if (f->states[i] != ALIVE || !wants_topic(want, f->topics[i]))
                continue;
            newest = newest || !(topics_seen >> f->topics[i] & 1);
            topics_seen |= 1u << f->topics[i];
        }
        if (newest)
            expected[count++] = number;
    }
    assert_int_equal(start.pick_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(start.picks[i], expected[count - 1 - i]);

    struct test_seen seen = {0};
    struct crier_scan scan = {
        .filter = &want->filter, .position = start.position, .until = start.until};
    scan.now_boot_ms = m->now.boot_ms;
    scan.picks = start.picks;
    scan.pick_count = start.pick_count;
    scan.max_looks = 2;
    while (n < 10 && count && scan.position < start.picks[count - 1]) {
        assert_int_equal(kind_scan(&m->kind, m->journal, &scan, test_see, &seen, NULL), 0);
        n++;
    }
    assert_int_equal(seen.count, count);
    crier_mem_free(kind_mem(&m->mem), start.picks);
    start.picks = NULL;
    start.position = start.until; /* the stream goes on there */
    return start;
}

/* An id: given once, made up near one, or of another life. */
static struct crier_id some_id(struct model *m)
{
    struct crier_id id = m->end && chance(m, 80) ? fact(m, roll(m, 1, m->end))->id : m->start;

    if (chance(m, 10))
        id.seq += roll(m, 0, 1) ? 1 : 3;
    if (chance(m, 5))
        id.seq += 10000;
    if (chance(m, 5))
        id.ms -= roll(m, 0, 20);
    if (chance(m, 3))
        id.ms += 100000000;
    return id;
}

/* A disk knows only what is held: an id that was not given is told where no event is missing. */
static bool is_between_held(struct model *m, struct crier_id id)
{
    uint64_t after = m->end + 1;

    if (crier_id_cmp(id, m->start) == 0)
        return false;
    for (uint64_t n = m->end; n >= 1 && crier_id_cmp(fact(m, n)->id, id) >= 0; n--) {
        if (held(fact(m, n)) && crier_id_cmp(fact(m, n)->id, id) == 0)
            return false;
        if (held(fact(m, n)))
            after = n;
    }
    uint64_t before = after - 1;
    bool has_before = before == 0 || held(fact(m, before));
    if (before >= 1 && crier_id_cmp(fact(m, before)->id, id) >= 0)
        has_before = false;
    if (after > m->end) /* behind what is held: a hole, unless the newest is held */
        return m->end == 0 || held(fact(m, m->end));
    return has_before;
}

static bool is_unknown(struct model *m, struct crier_id id)
{
    if (id.seq / 10000 != TEST_EPOCH || crier_id_cmp(id, m->start) < 0 ||
        crier_id_cmp(id, m->last) > 0)
        return true;
    struct crier_id before = m->first > 1 ? fact(m, m->first - 1)->id : m->start;
    if (KIND_DURABLE)
        return is_between_held(m, id);
    if (crier_id_cmp(id, before) <= 0)
        return false;
    for (uint64_t n = m->first; n <= m->end; n++) {
        if (crier_id_cmp(fact(m, n)->id, id) == 0)
            return false;
    }
    return true;
}

/* Has any topic in `topics` lost an event after `after`? */
static bool any_lost(struct model *m, unsigned topics, uint64_t after)
{
    struct want want = {.exact = topics};
    for (uint64_t n = after + 1; n <= m->end; n++) {
        if (lost_after(&want, fact(m, n), 0))
            return true;
    }
    return false;
}

static struct crier_start check_id(struct model *m, const struct want *want)
{
    struct crier_id id = some_id(m);
    struct crier_start start =
        locate(m, want, (struct crier_since){.kind = CRIER_SINCE_ID, .id = id});
    bool unknown = is_unknown(m, id);
    uint64_t after = 0;

    for (uint64_t n = 1; !unknown && n <= m->end && crier_id_cmp(fact(m, n)->id, id) <= 0; n++)
        after = n;
    assert_int_equal(start.gap == CRIER_GAP_UNKNOWN, unknown);
    if (!unknown && any_lost(m, want->exact | want->matched, after))
        assert_int_equal(start.gap, CRIER_GAP_EVICTED); /* never hidden */
    if (start.gap == CRIER_GAP_EVICTED && !m->few_floors)
        assert_true(
            any_lost(m, want->exact | (want->pattern ? below(want->pattern) : 0), after));
    assert_leads_to(m, want, &start, after);
    if (start.gap == CRIER_GAP_NONE) {
        assert_int_equal(crier_id_cmp(start.id, id), 0);
        return start;
    }
    uint64_t oldest = oldest_deliverable(m, want, after);
    assert_int_equal(start.has_oldest, oldest != 0);
    if (oldest)
        assert_int_equal(crier_id_cmp(start.oldest, fact(m, oldest)->id), 0);
    else
        assert_int_equal(start.position, m->end);
    assert_comes_back(m, want, &start, after);
    return start;
}

static void op_locate(struct model *m)
{
    struct crier_start (*const checks[])(struct model *, const struct want *) = {
        check_earliest, check_last, check_boot, check_latest, check_id, check_id, check_id};
    struct want want;

    make_want(m, &want);
    struct crier_start start = checks[roll(m, 0, 6)](m, &want);
    struct stream *s = &m->streams[roll(m, 0, STREAMS - 1)];
    if (s->open && chance(m, 70))
        return;
    *s = (struct stream){
        .position = start.position, .losses = start.losses, .told_at = m->clock, .open = true};
    move_want(&s->want, &want);
}

static void op_slice(struct model *m)
{
    struct stream *s = &m->streams[roll(m, 0, STREAMS - 1)];

    if (!s->open)
        return;
    uint64_t until = chance(m, 20) ? s->position + roll(m, 0, m->end - s->position) : m->end;
    slice(m, s, until);
}

/* ---- workers ------------------------------------------------------------- */

static void on_wake(void *ctx)
{
    struct wake_ctx *wake = ctx;
    *wake->woken = true;
}

/* Everything that was published, once and in order, whatever became of it since. */
static void op_cursor(struct model *m)
{
    size_t c = (size_t)roll(m, 0, CURSORS - 1);
    struct crier_cursor *cursor = &m->cursors[c];
    struct crier_record record;

    if (m->sleeping[c]) {
        assert_true(m->woken[c] == (m->cursor_at[c] != m->end)); /* it follows everything */
        m->sleeping[c] = m->woken[c] = false;
    }
    crier_cursor_awake(cursor, m->now);
    for (uint64_t left = roll(m, 0, 40); left; left--) {
        int r = crier_cursor_next(cursor, &record, NULL, NULL);
        if (r == CRIER_CURSOR_END) {
            assert_int_equal(m->cursor_at[c], m->end);
            break;
        }
        assert_int_equal(r, 0);
        assert_int_equal(record.number, ++m->cursor_at[c]);
        assert_int_equal(crier_id_cmp(record.id, fact(m, record.number)->id), 0);
        assert_int_equal(record.topic_count, fact(m, record.number)->topic_count);
    }
    if (chance(m, 50)) {
        m->sleeping[c] = crier_cursor_sleep(cursor);
        assert_int_equal(m->sleeping[c], m->cursor_at[c] == m->end);
    }
}

/* ---- comparing ----------------------------------------------------------- */

static void check_topic(struct model *m, unsigned topic)
{
    struct crier_topic_info info, expected = {0};
    struct crier_slice name = crier_slice_of(topic_names[topic]);

    for (uint64_t n = 1; n <= m->end; n++) {
        const struct fact *f = fact(m, n);
        for (size_t i = 0; i < f->topic_count; i++) {
            if (f->topics[i] != topic || f->states[i] != ALIVE)
                continue;
            if (!expected.events++)
                expected.first = f->id;
            expected.last = f->id;
            expected.bytes += f->bytes;
        }
    }
    int r = crier_journal_topic(m->journal, name, NULL, &info);
    assert_int_equal(r, expected.events ? 0 : -ENOENT);
    if (r < 0)
        return;
    assert_int_equal(info.events, expected.events);
    assert_int_equal(info.bytes, expected.bytes);
    assert_int_equal(crier_id_cmp(info.first, expected.first), 0);
    assert_int_equal(crier_id_cmp(info.last, expected.last), 0);
}

static void check_counters(struct model *m)
{
    struct crier_journal_stats stats = test_stats(m->journal);
    uint64_t events = 0, bytes = 0, kept = 0, kept_bytes = 0, keys = 0;
    struct crier_id first = {0, 0}, last = {0, 0};

    for (uint64_t n = 1; n <= m->end; n++) {
        const struct fact *f = fact(m, n);
        keys += f->key_live;
        if (!held(f))
            continue;
        if (!events++)
            first = f->id;
        last = f->id;
        bytes += f->bytes;
        kept += f->kept;
        kept_bytes += f->kept ? f->bytes : 0;
    }
    assert_int_equal(stats.events, events);
    assert_int_equal(stats.bytes, bytes);
    assert_int_equal(stats.kept_events, kept);
    assert_int_equal(stats.kept_bytes, kept_bytes);
    assert_int_equal(stats.keys, keys);
    assert_int_equal(stats.appended, m->appended);
    assert_int_equal(stats.duplicates, m->duplicates);
    assert_int_equal(stats.evicted, m->evicted);
    assert_int_equal(stats.expired, m->expired);
    assert_int_equal(stats.forgotten, m->forgotten);
    assert_int_equal(stats.lapped, 0);
    assert_int_equal(crier_id_cmp(stats.first, first), 0);
    assert_int_equal(crier_id_cmp(stats.last, last), 0);
    assert_true(stats.floors <= m->limits.max_floors);
}

/* ---- runs ---------------------------------------------------------------- */

static void attach_all(struct model *m)
{
    for (size_t c = 0; c < CURSORS; c++) {
        m->wake_ctx[c].woken = &m->woken[c];
        m->cursors[c] = (struct crier_cursor){.wake = on_wake, .wake_ctx = &m->wake_ctx[c]};
        crier_cursor_interest_all(&m->cursors[c]);
        assert_int_equal(crier_journal_attach(m->journal, &m->cursors[c]), 0);
        m->cursor_at[c] = m->end;
        m->sleeping[c] = m->woken[c] = false;
    }
}

static void set_up(struct model *m, uint64_t seed, struct crier_journal_limits limits)
{
    memset(m, 0, sizeof(*m));
    m->rng.state = seed;
    m->limits = limits;
    m->few_floors = limits.max_floors < 1000;
    m->now = (struct crier_now){.wall_ms = UINT64_C(1763700000000), .boot_ms = 5000};
    m->start = m->last = (struct crier_id){m->now.wall_ms, TEST_SEQ};
    m->first = 1;
    m->facts = calloc(EVENTS, sizeof(m->facts[0]));
    assert_non_null(m->facts);
    test_mem_init(&m->mem, 0);
    kind_init(&m->kind, seed);
    m->journal = kind_open(&m->kind, kind_mem(&m->mem), limits, m->now);
    /* Patterns walk the index, merge if they fit a handful of topics, or always merge. */
    crier_memory_of(m->journal)->merge_looks = (size_t[]){0, 4, 512}[seed % 3];
    attach_all(m);
}

static void detach_all(struct model *m)
{
    for (size_t c = 0; c < CURSORS; c++)
        crier_journal_detach(&m->cursors[c]);
}

static void tear_down(struct model *m)
{
    detach_all(m);
    crier_journal_free(m->journal);
    kind_deinit(&m->kind);
    assert_int_equal(m->mem.alive, 0);
    free(m->facts);
}

/* Known are the keys of what is held: also those that others had pushed out. */
static void reload_keys(struct model *m)
{
    uint64_t count = 0;

    for (uint64_t n = m->end; n >= 1; n--) {
        struct fact *f = fact(m, n);
        f->key_live = false;
        if (!f->key[0] || !held(f) || count == m->limits.max_keys ||
            m->now.boot_ms - f->boot_ms >= m->limits.key_age_ms)
            continue;
        count++;
        f->key_live = !find_key(m, f->topics[0], f->key);
    }
}

/* Everything is as it was; only counters begin anew. A publish before it, so that no time has
 * passed since the last transaction. */
static void op_reopen(struct model *m)
{
    op_publish(m);
    detach_all(m);
    crier_journal_free(m->journal);
    m->journal = kind_open(&m->kind, kind_mem(&m->mem), m->limits, m->now);
    attach_all(m);
    m->appended = m->duplicates = m->evicted = m->expired = m->forgotten = 0;
    reload_keys(m);
    model_retain(m);
    kind_trim(m->journal, m->now);
}

static void run(struct model *m, int rounds)
{
    for (int i = 0; i < rounds && m->end + 200 < EVENTS; i++) {
        for (int n = (int)roll(m, 1, 3); n > 0 && m->end + 200 < EVENTS; n--)
            mutate(m);
        if (chance(m, 30))
            op_locate(m);
        if (chance(m, 60))
            op_slice(m);
        if (chance(m, 40))
            op_cursor(m);
        if (KIND_DURABLE && chance(m, 2) && m->end + 200 < EVENTS)
            op_reopen(m);
        crier_memory_check(m->journal);
        check_counters(m);
        check_topic(m, (unsigned)roll(m, 0, TOPICS - 1));
    }
}

static void large_if_unset(uint64_t *limit)
{
    if (!*limit)
        *limit = 1 << 24;
}

static void
model_run(const char *name, struct crier_journal_limits limits, int seeds, int rounds)
{
    uint64_t seed = test_seed(name);

    large_if_unset(&limits.max_events);
    large_if_unset(&limits.max_bytes);
    large_if_unset(&limits.max_age_ms);
    large_if_unset(&limits.kept_bytes);
    large_if_unset(&limits.max_keys);
    large_if_unset(&limits.key_age_ms);
    large_if_unset(&limits.max_floors);

    for (int i = 0; i < seeds; i++) {
        struct model m;
        set_up(&m, seed + (uint64_t)i, limits);
        run(&m, rounds);
        tear_down(&m);
    }
}

/* A window by count; quiet topics are kept aside without a bound that matters. */
static void by_events(void **state)
{
    model_run(
        "by_events",
        (struct crier_journal_limits){.max_events = 50, .max_age_ms = 5000, .lap_ms = 1000000},
        6, 500);
}

/* A window by bytes, little room aside, few keys that age fast. */
static void by_bytes(void **state)
{
    model_run("by_bytes",
              (struct crier_journal_limits){.max_bytes = 4000,
                                            .max_age_ms = 3000,
                                            .kept_bytes = 700,
                                            .max_keys = 4,
                                            .key_age_ms = 300,
                                            .lap_ms = 1000000},
              6, 500);
}

/* Hardly any floors: gaps may be told in vain now, and still never hidden. */
static void few_floors(void **state)
{
    model_run("few_floors",
              (struct crier_journal_limits){.max_events = 30,
                                            .max_age_ms = 2000,
                                            .kept_bytes = 1500,
                                            .max_floors = 3,
                                            .lap_ms = 1000000},
              6, 500);
}

/* Everything leaves by age. */
static void by_age(void **state)
{
    model_run("by_age", (struct crier_journal_limits){.max_age_ms = 400, .lap_ms = 1000000}, 4,
              500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_events),
        cmocka_unit_test(by_bytes),
        cmocka_unit_test(few_floors),
        cmocka_unit_test(by_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
