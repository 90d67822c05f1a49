/* SPDX-License-Identifier: MIT */
/*
 * What the tests of reading a store share: a random history that is published into a store and
 * into a memory journal alike, event for event, under the same numbers and ids; and random
 * filters over it. Header only.
 */
#ifndef CRIER_TESTS_UNIT_DURABLE_VIEW_SUPPORT_H
#define CRIER_TESTS_UNIT_DURABLE_VIEW_SUPPORT_H

#include "support.h"

#include "base/rng.h"
#include "durable/view.h"
#include "event/event.h"
#include "event/id.h"
#include "journal/memory.h"
#include <dirent.h>

enum { TWIN_TOPICS = 12, TWIN_TYPES = 3, TWIN_EVENTS = 4096, TWIN_EPOCH = 7 };

static const char *const twin_topics[TWIN_TOPICS] = {
    "a", "b", "a/x", "a/y", "b/x", "a/x/1", "a/x/2", "c/d/e", "c", "d", "aa", "b/y"};
static const char *const twin_types[TWIN_TYPES] = {"message", "alpha", "beta"};

struct twins {
    char dir[64];
    struct crier_rng rng;
    struct crier_now now;
    struct crier_journal *journal;
    struct crier_store *store;
    uint64_t end;
    struct crier_id ids[TWIN_EVENTS + 1]; /* by number */
    uint64_t clocks[TWIN_EVENTS + 1];     /* the store's */
    unsigned alive[TWIN_EVENTS + 1];      /* topics it is held under: by what leaves */
    unsigned large;                       /* one in so many events is large; 0: none */
};

static inline uint64_t twins_roll(struct twins *t, uint64_t low, uint64_t high)
{
    return crier_rng_between(&t->rng, low, high);
}

static inline bool twins_chance(struct twins *t, unsigned percent)
{
    return twins_roll(t, 1, 100) <= percent;
}

/* max_events: of both histories. */
static inline void twins_make_limited(struct twins *t, uint64_t seed, uint64_t max_events)
{
    struct crier_journal_limits limits = {.max_events = max_events,
                                          .max_bytes = UINT64_C(1) << 40,
                                          .max_age_ms = UINT64_C(1) << 40,
                                          .max_floors = 1000};
    struct crier_buf fault;

    memset(t, 0, sizeof(*t));
    t->rng = (struct crier_rng){seed};
    t->now = (struct crier_now){.wall_ms = UINT64_C(1700000000000), .boot_ms = 5000000};
    snprintf(t->dir, sizeof(t->dir), "/tmp/crier-view-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    limits = crier_journal_limits_filled(&limits);
    struct crier_store_options options = {
        .dir = t->dir,
        .sync = CRIER_SYNC_NONE,
        .max_file_bytes = UINT64_C(256) << 20,
        .limits = &limits,
        .hash_key = {1, 2},
        .epoch = TWIN_EPOCH,
    };
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_store_open(&crier_mem_libc, &options, t->now, &t->store, &fault), 0);
    crier_buf_deinit(&fault);
    assert_int_equal(crier_journal_new_memory(&crier_mem_libc,
                                              &crier_store_totals(t->store)->hash_key, &limits,
                                              TWIN_EPOCH, t->now, &t->journal),
                     0);
}

static inline void twins_make(struct twins *t, uint64_t seed)
{
    twins_make_limited(t, seed, 1 << 20);
}

static inline void twins_remove_dir(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *entry;
    char path[400];

    assert_non_null(list);
    while ((entry = readdir(list))) {
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    closedir(list);
    assert_int_equal(rmdir(dir), 0);
}

static inline void twins_drop(struct twins *t)
{
    crier_store_close(t->store);
    crier_journal_free(t->journal);
    twins_remove_dir(t->dir);
}

static inline void twins_begin(struct twins *t)
{
    assert_int_equal(crier_store_begin(t->store), 0);
}

static inline void twins_commit(struct twins *t)
{
    assert_int_equal(crier_store_commit(t->store, t->now), 0);
}

static inline void twins_left(void *ctx, const struct crier_store_leaving *leaving)
{
    struct twins *t = ctx;

    assert_true(leaving->number >= 1 && leaving->number <= t->end);
    for (size_t i = 0; i < leaving->topic_count; i++) {
        for (unsigned topic = 0; topic < TWIN_TOPICS; topic++) {
            if (crier_slice_eq(leaving->topics[i], crier_slice_of(twin_topics[topic])))
                t->alive[leaving->number] &= ~(1u << topic);
        }
    }
    assert_int_equal(leaving->gone, t->alive[leaving->number] == 0);
}

/* Publishes this draft into both; the journal gives the id. */
static inline void twins_put(struct twins *t, struct crier_draft *draft, unsigned topics)
{
    char id[CRIER_ID_TEXT];

    crier_journal_append(t->journal, draft, 1, t->now);
    assert_int_equal(draft->result, 0);
    uint64_t number = ++t->end, clock_ms = crier_store_clock(t->store, t->now);
    assert_true(number <= TWIN_EVENTS);
    struct crier_store_event event = {
        .number = number,
        .id = draft->ret_id,
        .wall_ms = t->now.wall_ms,
        .clock_ms = clock_ms,
        .expires_ms = draft->ttl_ms ? clock_ms + draft->ttl_ms : 0,
        .topics = draft->topics,
        .topic_count = draft->topic_count,
        .type = draft->type,
        .key = draft->key,
        .sse = draft->sse,
        .id_at = draft->id_at,
        .bytes = draft->sse.len + 5 + crier_id_format(draft->ret_id, id),
    };
    assert_int_equal(crier_store_put(t->store, &event, twins_left, t), 0);
    t->ids[number] = draft->ret_id;
    t->clocks[number] = clock_ms;
    t->alive[number] = topics;
}

/* What has to leave, leaves both: as the journal does it, after each event. */
static inline void twins_retain(struct twins *t)
{
    uint64_t clock_ms = crier_store_clock(t->store, t->now);
    int r;

    while ((r = crier_store_retain(t->store, clock_ms, 100, twins_left, t)) == 1)
        continue;
    assert_int_equal(r, 0);
    crier_journal_trim(t->journal, t->now);
}

static inline void twins_publish(struct twins *t)
{
    static char text[20000];
    struct crier_draft draft = {.topic_count = twins_chance(t, 15) ? twins_roll(t, 2, 3) : 1};
    bool large = t->large && twins_roll(t, 1, t->large) == 1;
    uint64_t type = twins_roll(t, 0, TWIN_TYPES - 1);
    struct crier_buf sse;
    unsigned topics = 0;
    char key[16];

    for (size_t i = 0; i < draft.topic_count;) {
        uint64_t topic = twins_roll(t, 0, TWIN_TOPICS - 1);
        if (topics >> topic & 1)
            continue;
        topics |= 1u << topic;
        draft.topics[i++] = crier_slice_of(twin_topics[topic]);
    }
    memset(text, 'x', sizeof(text));
    struct crier_event event = {
        .data = {text, (size_t)(large ? twins_roll(t, 3000, 20000) : twins_roll(t, 0, 60))},
        .type = crier_slice_of(twin_types[type]),
        .flags = CRIER_DATA,
    };
    draft.type = type ? event.type : (struct crier_slice){NULL, 0};
    if (twins_chance(t, 20))
        draft.ttl_ms = 10 * twins_roll(t, 1, 300); /* so that now is the end of some */
    snprintf(key, sizeof(key), "key-%u", (unsigned)t->end);
    if (twins_chance(t, 20))
        draft.key = crier_slice_of(key);
    crier_buf_init(&sse, &crier_mem_libc);
    assert_int_equal(crier_event_append(&sse, &event, &draft.id_at), 0);
    draft.sse = crier_buf_slice(&sse);
    twins_put(t, &draft, topics);
    crier_buf_deinit(&sse);
    twins_retain(t);
}

static inline void twins_forget(struct twins *t, unsigned topic)
{
    struct crier_slice name = crier_slice_of(twin_topics[topic]);

    crier_journal_forget(t->journal, name, t->now);
    assert_int_equal(crier_store_forget(t->store, name, twins_left, t), 0);
    for (uint64_t n = 1; n <= t->end; n++)
        assert_false(t->alive[n] >> topic & 1);
}

static inline void twins_pass(struct twins *t, uint64_t ms)
{
    t->now.boot_ms += ms;
    t->now.wall_ms += ms;
}

/* Some events, some forgets, some time, and what has to leave for it. */
static inline void twins_batch(struct twins *t)
{
    twins_begin(t);
    for (uint64_t n = twins_roll(t, 0, 20); n > 0; n--) {
        twins_publish(t);
        if (twins_chance(t, 50))
            twins_pass(t, 10 * twins_roll(t, 0, 4));
    }
    if (twins_chance(t, 12))
        twins_forget(t, (unsigned)twins_roll(t, 0, TWIN_TOPICS - 1));
    twins_retain(t);
    twins_commit(t);
}

static inline struct crier_view *twins_view(struct twins *t)
{
    struct crier_view *view = NULL;

    assert_int_equal(crier_view_begin(t->store, &view), 0);
    return view;
}

/* ---- filters ----------------------------------------------------------------------------- */

struct twin_want {
    unsigned exact, matched;
    struct crier_slice topics[TWIN_TOPICS], types[TWIN_TYPES], prefixes[2];
    uint64_t hashes[TWIN_TOPICS];
    struct crier_filter filter;
};

static inline bool twin_match(const void *ctx, struct crier_slice topic)
{
    const struct twin_want *want = ctx;
    for (unsigned i = 0; i < TWIN_TOPICS; i++) {
        if (crier_slice_eq(topic, crier_slice_of(twin_topics[i])))
            return want->matched >> i & 1;
    }
    return false;
}

static inline void twin_want_prefix(struct twins *t, struct twin_want *want)
{
    static const char *const prefixes[] = {"", "a", "a/x", "b", "c"};
    const char *prefix = prefixes[twins_roll(t, 0, 4)];
    size_t len = strlen(prefix);

    want->prefixes[want->filter.prefix_count++] = crier_slice_of(prefix);
    for (unsigned i = 0; i < TWIN_TOPICS; i++) {
        if (!len || (strncmp(twin_topics[i], prefix, len) == 0 && twin_topics[i][len] == '/'))
            want->matched |= twins_chance(t, 80) ? 1u << i : 0;
    }
}

static inline const struct crier_filter *twin_want_make(struct twins *t, struct twin_want *want)
{
    memset(want, 0, sizeof(*want));
    if (twins_chance(t, 60))
        want->exact = 1u << twins_roll(t, 0, TWIN_TOPICS - 1);
    if (want->exact && twins_chance(t, 50))
        want->exact |= (unsigned)twins_roll(t, 0, (1 << TWIN_TOPICS) - 1);
    if (!want->exact || twins_chance(t, 25)) {
        twin_want_prefix(t, want);
        if (twins_chance(t, 30))
            twin_want_prefix(t, want);
        want->filter.match = twin_match;
        want->filter.ctx = want;
        want->filter.prefixes = want->prefixes;
    }
    for (unsigned i = 0; i < TWIN_TOPICS; i++) {
        if (!(want->exact >> i & 1))
            continue;
        size_t n = want->filter.topic_count++;
        want->topics[n] = crier_slice_of(twin_topics[i]);
        want->hashes[n] = crier_journal_hash(t->journal, want->topics[n]);
    }
    want->filter.topics = want->topics;
    want->filter.topic_hashes = want->hashes;
    want->filter.types = want->types;
    if (twins_chance(t, 30)) {
        unsigned types = (unsigned)twins_roll(t, 1, (1 << TWIN_TYPES) - 2);
        for (unsigned i = 0; i < TWIN_TYPES; i++) {
            if (types >> i & 1)
                want->types[want->filter.type_count++] = crier_slice_of(twin_types[i]);
        }
    }
    return &want->filter;
}

#endif
