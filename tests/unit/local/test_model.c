/* SPDX-License-Identifier: MIT */
/*
 * Readers against a naive model: a list of all events ever published, each alive or lost, and
 * readers that look through all of it. Random publishes, reads, forgets, evictions, readers
 * that come and go; every message, gap and descriptor is compared.
 *
 * The model knows the journal's one inexactness: what a pattern has lost is noted under its
 * literal prefix, whatever the rest of it and the types say.
 */
#include "local_support.h"

#include "base/rng.h"
#include "hub/topic.h"

enum { EVENTS = 3000, HISTORY = 12, READERS = 6, SELECTORS = 3, ROUNDS = 40 };

static const char *const topics[] = {"a", "b", "c/d", "c/e", "c/d/f"};
static const char *const selectors[] = {"a",  "b",    "c/d", "*",  "c/*",
                                        "**", "c/**", "*/d", "c/e"};
enum { TOPICS = 5, SELECTABLE = 9 };

struct event {
    size_t topic;
    bool typed, alive;
    struct crier_id id;
};

struct loss {
    uint64_t number;
    size_t topic;
};

struct model_reader {
    struct crier_reader *reader;
    const char *selectors[SELECTORS];
    size_t selector_count;
    int types; /* 0: all, 1: "t", 2: "message" */
    int fd;
    uint64_t position;
    size_t known;           /* losses */
    uint64_t picks[TOPICS]; /* ascending; read before all else */
    size_t pick_count;
    uint64_t until;
    const char *gap;        /* to be told */
    uint64_t gap_oldest;    /* 0: none */
    uint64_t ahead[EVENTS]; /* read, not handed out */
    size_t ahead_at, ahead_end;
};

/* Events are numbered from 1. */
struct model {
    struct crier_rng rng;
    struct test_clock clock;
    struct crier_hub *hub;
    struct event events[EVENTS + 1];
    uint64_t first, end;
    size_t alive;
    struct loss losses[EVENTS + 1];
    size_t loss_count;
    struct model_reader readers[READERS];
    unsigned seen, gaps, woken;
};

static uint64_t pick(struct model *m, uint64_t below)
{
    return crier_rng_between(&m->rng, 0, below - 1);
}

/* ---- history ----------------------------------------------------------------------------- */

static void lose(struct model *m, uint64_t number)
{
    m->events[number].alive = false;
    m->alive--;
    m->losses[m->loss_count++] = (struct loss){number, m->events[number].topic};
}

static void publish(struct model *m)
{
    struct event *e = &m->events[++m->end];
    char data[24];

    *e = (struct event){.topic = pick(m, TOPICS), .typed = pick(m, 2) == 0, .alive = true};
    snprintf(data, sizeof(data), "%d", (int)m->end);
    e->id = test_publish(m->hub, topics[e->topic], e->typed ? "t" : NULL, data);
    m->alive++;
    for (; m->alive > HISTORY; m->first++) {
        if (m->events[m->first].alive)
            lose(m, m->first);
    }
}

static void forget(struct model *m)
{
    size_t topic = pick(m, TOPICS);

    assert_int_equal(crier_hub_forget(m->hub, crier_slice_of(topics[topic])), 0);
    for (uint64_t n = m->first; n <= m->end; n++) {
        if (m->events[n].alive && m->events[n].topic == topic)
            lose(m, n);
    }
}

/* ---- what readers should see ------------------------------------------------------------- */

static bool matches(const struct model *m, const struct model_reader *r, uint64_t number)
{
    const struct event *e = &m->events[number];

    if (!e->alive || (r->types == 1 && !e->typed) || (r->types == 2 && e->typed))
        return false;
    for (size_t i = 0; i < r->selector_count; i++) {
        if (crier_selector_match(crier_slice_of(r->selectors[i]),
                                 crier_slice_of(topics[e->topic])))
            return true;
    }
    return false;
}

static uint64_t
oldest_after(const struct model *m, const struct model_reader *r, uint64_t position)
{
    for (uint64_t n = position + 1; n <= m->end; n++) {
        if (matches(m, r, n))
            return n;
    }
    return 0;
}

/* Does the loss count for the selector? */
static bool loses(const char *selector, const struct loss *loss)
{
    struct crier_slice s = crier_slice_of(selector),
                       topic = crier_slice_of(topics[loss->topic]);

    if (!crier_selector_is_pattern(s))
        return crier_slice_eq(s, topic);
    struct crier_slice prefix = crier_selector_prefix(s);
    return !prefix.len || (crier_slice_starts(topic, prefix) && topic.len > prefix.len &&
                           topic.data[prefix.len] == '/');
}

/* Is an event after `position` lost, and was something since the first `known` losses? */
static bool
lost(const struct model *m, const struct model_reader *r, uint64_t position, size_t known)
{
    for (size_t i = 0; i < r->selector_count; i++) {
        bool newer = false, later = false;
        for (size_t l = 0; l < m->loss_count; l++) {
            if (!loses(r->selectors[i], &m->losses[l]))
                continue;
            newer = newer || m->losses[l].number > position;
            later = later || l >= known;
        }
        if (newer && later)
            return true;
    }
    return false;
}

static void
meet_gap(const struct model *m, struct model_reader *r, const char *reason, uint64_t position)
{
    r->gap = reason;
    r->gap_oldest = oldest_after(m, r, position);
    r->position = r->gap_oldest ? r->gap_oldest - 1 : m->end;
    r->known = m->loss_count;
}

static void read_picks(const struct model *m, struct model_reader *r)
{
    for (size_t i = 0; i < r->pick_count; i++) {
        if (matches(m, r, r->picks[i]))
            r->ahead[r->ahead_end++] = r->picks[i];
    }
    r->pick_count = 0;
    r->position = r->until;
}

/* Reads on when nothing is ahead and no gap to be told. */
static void read_on(const struct model *m, struct model_reader *r)
{
    if (r->gap || r->ahead_at < r->ahead_end)
        return;
    r->ahead_at = r->ahead_end = 0;
    if (r->pick_count)
        read_picks(m, r);
    if (r->ahead_end)
        return;
    if (lost(m, r, r->position, r->known)) {
        meet_gap(m, r, "lagged", r->position);
        return;
    }
    for (uint64_t n = r->position + 1; n <= m->end; n++) {
        if (matches(m, r, n))
            r->ahead[r->ahead_end++] = n;
    }
    r->position = m->end;
}

static bool would_be_empty(const struct model *m, const struct model_reader *r)
{
    struct model_reader *copy = malloc(sizeof(*copy));

    assert_non_null(copy);
    *copy = *r;
    read_on(m, copy);
    bool empty = !copy->gap && copy->ahead_at == copy->ahead_end;
    free(copy);
    return empty;
}

static void
check_event(struct model *m, struct model_reader *r, const struct crier_message *message)
{
    uint64_t number = r->ahead[r->ahead_at++];
    const struct event *e = &m->events[number];
    char data[24];

    snprintf(data, sizeof(data), "%d", (int)number);
    assert_slice_equal(message->event.data, crier_slice_of(data));
    assert_slice_equal(message->topic, crier_slice_of(topics[e->topic]));
    assert_slice_equal(message->event.type, crier_slice_of(e->typed ? "t" : "message"));
    assert_ids_equal(message->id, e->id);
    assert_ids_equal(crier_reader_position(r->reader), e->id);
    m->seen++;
}

static void
check_gap(struct model *m, struct model_reader *r, const struct crier_message *message)
{
    assert_string_equal(message->gap.reason, r->gap);
    assert_int_equal(message->gap.has_oldest, r->gap_oldest != 0);
    if (r->gap_oldest)
        assert_ids_equal(message->gap.oldest, m->events[r->gap_oldest].id);
    r->gap = NULL;
    m->gaps++;
}

static void next(struct model *m, struct model_reader *r)
{
    struct crier_message message;
    int result = crier_reader_next(r->reader, &message);

    read_on(m, r);
    if (r->gap) {
        assert_int_equal(result, CRIER_GAP);
        check_gap(m, r, &message);
    } else if (r->ahead_at < r->ahead_end) {
        assert_int_equal(result, 0);
        check_event(m, r, &message);
    } else {
        assert_int_equal(result, CRIER_EMPTY);
        assert_false(r->fd >= 0 && test_readable(r->fd));
    }
}

/* ---- readers come and go ----------------------------------------------------------------- */

static void start_latest(const struct model *m, struct model_reader *r)
{
    for (uint64_t n = m->first; n <= m->end; n++) {
        bool newest = matches(m, r, n);
        for (uint64_t later = n + 1; newest && later <= m->end; later++)
            newest = !(m->events[later].topic == m->events[n].topic && matches(m, r, later));
        if (newest)
            r->picks[r->pick_count++] = n;
    }
    r->until = m->end;
    r->position = r->pick_count ? r->picks[0] - 1 : m->end;
}

static void start_last(const struct model *m, struct model_reader *r, uint64_t count)
{
    uint64_t oldest = 0;

    for (uint64_t n = m->end; n >= m->first && count; n--) {
        if (matches(m, r, n)) {
            oldest = n;
            count--;
        }
    }
    r->position = oldest ? oldest - 1 : m->end;
}

static void start_id(const struct model *m, struct model_reader *r, uint64_t number)
{
    uint64_t position = number >= m->first ? number : m->first - 1;

    if (lost(m, r, number, 0))
        meet_gap(m, r, "evicted", position);
    else
        r->position = position;
}

static void
start(struct model *m, struct model_reader *r, struct crier_reader_options *o, char *text)
{
    uint64_t n;

    r->known = m->loss_count;
    switch (pick(m, 6)) {
    case 0:
        r->position = m->end;
        break;
    case 1:
        o->since = "earliest";
        n = oldest_after(m, r, 0);
        r->position = n ? n - 1 : m->end;
        break;
    case 2:
        n = 1 + pick(m, 5);
        snprintf(text, CRIER_ID_TEXT + 1, "last:%d", (int)n);
        o->since = text;
        start_last(m, r, n);
        break;
    case 3:
        o->since = "latest";
        start_latest(m, r);
        break;
    case 4:
        o->last_id = "no id";
        meet_gap(m, r, "unknown", 0);
        break;
    default:
        n = m->end > 20 ? m->end - pick(m, 20) : m->end;
        if (!n)
            break;
        text[crier_id_format(m->events[n].id, text)] = '\0';
        o->last_id = text;
        start_id(m, r, n);
        break;
    }
}

static void renew(struct model *m, struct model_reader *r)
{
    static const char *const types[] = {"t", "message"};
    struct crier_reader_options o = {.selectors = r->selectors};
    char text[CRIER_ID_TEXT + 1];

    crier_reader_free(r->reader);
    r->selector_count = 1 + pick(m, SELECTORS);
    for (size_t i = 0; i < r->selector_count; i++)
        r->selectors[i] = selectors[pick(m, SELECTABLE)];
    r->types = (int)pick(m, 6) / 2; /* 0, 1, 2 */
    r->fd = -1;
    r->gap = NULL;
    r->pick_count = r->ahead_at = r->ahead_end = 0;
    o.selector_count = r->selector_count;
    o.types = &types[r->types == 2];
    o.type_count = r->types != 0;
    start(m, r, &o, text);
    r->reader = crier_reader_new_with(m->hub, &o);
    assert_non_null(r->reader);
    assert_string_equal(crier_reader_error(r->reader), "");
}

/* Whoever would get something is readable. */
static void check_descriptors(struct model *m)
{
    for (size_t i = 0; i < READERS; i++) {
        const struct model_reader *r = &m->readers[i];
        if (r->fd >= 0 && !would_be_empty(m, r)) {
            assert_true(test_readable(r->fd));
            m->woken++;
        }
    }
}

static void step(struct model *m)
{
    struct model_reader *r = &m->readers[pick(m, READERS)];
    uint64_t dice = pick(m, 100);

    if (dice < 40 && m->end < EVENTS)
        publish(m);
    else if (dice < 85)
        next(m, r);
    else if (dice < 90)
        r->fd = crier_reader_fd(r->reader);
    else if (dice < 93)
        forget(m);
    else
        renew(m, r);
}

static void run(struct model *m, uint64_t seed)
{
    *m = (struct model){.rng = {seed}, .first = 1};
    test_clock_init(&m->clock);
    m->hub =
        crier_hub_new(.clock = &m->clock.clock, .history_events = HISTORY, .keep_bytes = 1);
    assert_non_null(m->hub);
    for (size_t i = 0; i < READERS; i++)
        renew(m, &m->readers[i]);
    for (int i = 0; i < 3000; i++) {
        step(m);
        if (i % 7 == 0)
            check_descriptors(m);
        if (i % 50 == 0)
            crier_memory_check(m->hub->journal);
    }
    for (size_t i = 0; i < READERS; i++)
        crier_reader_free(m->readers[i].reader);
    crier_hub_free(m->hub);
}

static void against_the_model(void **state)
{
    uint64_t seed = test_seed("against_the_model");
    unsigned seen = 0, gaps = 0, woken = 0;
    struct model *m = malloc(sizeof(*m));

    assert_non_null(m);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        run(m, seed + round);
        seen += m->seen;
        gaps += m->gaps;
        woken += m->woken;
    }
    print_message("%u events, %u gaps, %u times readable\n", seen, gaps, woken);
    assert_true(seen > 1000 && gaps > 100 && woken > 100);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
