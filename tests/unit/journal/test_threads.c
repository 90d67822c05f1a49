/* SPDX-License-Identifier: MIT */
/*
 * The journal under threads: appenders, workers' cursors, scans and someone who forgets, trims
 * and asks, all at once, over a window much smaller than what is published. Bounded, and worth
 * most under ThreadSanitizer.
 *
 * Failures in threads are counted and asserted by the main one. Nobody waits by time, but a
 * sleeper that is not woken for a minute is a lost wake-up.
 */
#include "journal_support.h"

#include <semaphore.h>
#include <time.h>

/* The first PLAIN appenders have one topic each; it loses events from its start only. The
 * others' events have two now and then, and one of those topics is forgotten again and again.
 */
enum {
    PLAIN = 2,
    APPENDERS = 4,
    CURSORS = 4,
    SCANNERS = 2,
    PER_APPENDER = 6000,
    BATCH = 8,
    PATIENCE_S = 60
};

struct world {
    struct crier_journal *journal;
    _Atomic int errors;
    _Atomic bool over; /* all is published */
};

struct appender {
    struct world *world;
    unsigned id;
};

struct worker {
    struct world *world;
    struct crier_cursor cursor;
    sem_t wakes;
    int only; /* the appender whose topic it follows; -1: all */
    uint64_t next_of[APPENDERS];
    uint64_t last_number;
    uint64_t seen, slept;
};

struct scanner {
    struct world *world;
    bool exact;
    uint64_t position, losses, last_number;
    uint64_t expected[PLAIN]; /* each plain appender's next sequence; UINT64_MAX after a gap */
    uint64_t seen, gaps;
};

static void expect(struct world *world, bool truth)
{
    if (!truth)
        atomic_fetch_add(&world->errors, 1);
}

static struct crier_now now_at(uint64_t i)
{
    return (struct crier_now){.wall_ms = 1000000 + i, .boot_ms = 1000 + i};
}

static void *run_appender(void *ctx)
{
    struct appender *a = ctx;
    char topics[2][8], sse[BATCH][64];
    struct crier_rng rng = {a->id};

    snprintf(topics[0], sizeof(topics[0]), "t%u", a->id);
    snprintf(topics[1], sizeof(topics[1]), "u%u", a->id);
    for (uint64_t i = 0; i < PER_APPENDER;) {
        struct crier_draft drafts[BATCH];
        size_t n = 0;
        for (size_t max = crier_rng_between(&rng, 1, BATCH); n < max && i < PER_APPENDER;
             n++, i++) {
            snprintf(sse[n], sizeof(sse[n]), "data: %u %llu %.*s\n\n", a->id,
                     (unsigned long long)i, (int)(i % 20), "....................");
            drafts[n] = test_draft(topics[0], sse[n]);
            if (i % 5 == 0 && a->id >= PLAIN)
                drafts[n].topics[drafts[n].topic_count++] = crier_slice_of(topics[1]);
        }
        crier_journal_append(a->world->journal, drafts, n, now_at(i));
        for (size_t k = 0; k < n; k++)
            expect(a->world, drafts[k].result == 0);
    }
    return NULL;
}

/* Who published it, and as his how-manieth. */
static void read_event(const struct crier_record *record, unsigned *id, uint64_t *sequence)
{
    char text[128];
    size_t len = record->sse.len < sizeof(text) - 1 ? record->sse.len : sizeof(text) - 1;
    unsigned long long value = 0;

    memcpy(text, record->sse.data, len);
    text[len] = 0;
    const char *data = strstr(text, "data: ");
    *id = APPENDERS;
    if (data && sscanf(data, "data: %u %llu", id, &value) == 2)
        *sequence = value;
}

static void on_wake(void *ctx)
{
    struct worker *w = ctx;
    sem_post(&w->wakes);
}

static bool wants(void *ctx, uint64_t hash)
{
    const struct worker *w = ctx;
    char name[8];

    if (w->only < 0)
        return true;
    int len = snprintf(name, sizeof(name), "t%d", w->only);
    return hash ==
           crier_journal_hash(w->world->journal, (struct crier_slice){name, (size_t)len});
}

static void take(struct worker *w, const struct crier_record *record)
{
    unsigned id;
    uint64_t sequence = 0;

    read_event(record, &id, &sequence);
    expect(w->world, id < APPENDERS && sequence == w->next_of[id % APPENDERS]++);
    expect(w->world, w->only < 0 ? record->number == w->last_number + 1
                                 : record->number > w->last_number);
    w->last_number = record->number;
    w->seen++;
}

static bool wait_for_wake(struct worker *w)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return sem_timedwait(&w->wakes, &until) == 0;
}

static void *run_worker(void *ctx)
{
    struct worker *w = ctx;
    uint64_t total = w->only < 0 ? (uint64_t)APPENDERS * PER_APPENDER : PER_APPENDER;
    struct crier_record record;

    while (w->seen < total) {
        int r = crier_cursor_next(&w->cursor, &record, wants, w);
        if (r == 0) {
            take(w, &record);
            continue;
        }
        expect(w->world, r == CRIER_CURSOR_END);
        if (!crier_cursor_sleep(&w->cursor))
            continue;
        w->slept++;
        bool woken = wait_for_wake(w);
        expect(w->world, woken);
        if (!woken)
            break;
        crier_cursor_awake(&w->cursor, now_at(0));
    }
    expect(w->world, w->seen == total);
    return NULL;
}

static int on_event(void *ctx, const struct crier_record *record)
{
    struct scanner *s = ctx;
    unsigned id;
    uint64_t sequence = 0;

    read_event(record, &id, &sequence);
    expect(s->world, s->exact ? id == 0 : id < APPENDERS);
    expect(s->world, record->number > s->last_number);
    s->last_number = record->number;
    if (id < PLAIN) {
        expect(s->world, s->expected[id] == UINT64_MAX || sequence == s->expected[id]);
        s->expected[id] = sequence + 1;
    }
    s->seen++;
    return 0;
}

static void *run_scanner(void *ctx)
{
    struct scanner *s = ctx;
    struct test_filter f;
    const struct crier_filter *filter =
        s->exact ? test_filter_one(&f, s->world->journal, "t0") : test_filter_all(&f);

    for (bool last = false; !last;) {
        last = atomic_load(&s->world->over);
        uint64_t end = atomic_load(&crier_memory_of(s->world->journal)->end);
        while (s->position < end) {
            struct crier_scan scan = {
                .filter = filter, .position = s->position, .until = end, .max_looks = 100};
            struct crier_start gap;
            scan.losses = s->losses;
            int r = crier_journal_scan(s->world->journal, &scan, on_event, s, &gap);
            expect(s->world, r == 0 || r == CRIER_SCAN_GAP);
            s->position = r ? gap.position : scan.position;
            if (r) {
                s->losses = gap.losses;
                s->expected[0] = s->expected[1] = UINT64_MAX;
                s->gaps++;
            }
        }
    }
    return NULL;
}

static bool count_topic(void *ctx, const struct crier_topic_info *info)
{
    size_t *count = ctx;
    ++*count;
    return true;
}

/* Everything else that may happen meanwhile. */
static void *run_meddler(void *ctx)
{
    struct world *world = ctx;
    struct crier_journal_stats stats;
    struct test_filter f;
    struct crier_since since = {.kind = CRIER_SINCE_LAST, .count = 10};

    while (!atomic_load(&world->over)) {
        struct crier_start start;
        size_t topics = 0;
        crier_journal_forget(world->journal, CRIER_SLICE("t3"), now_at(0));
        crier_journal_trim(world->journal, now_at(0));
        crier_journal_get_stats(world->journal, &stats);
        expect(world, stats.events <= 1000 + stats.kept_events);
        expect(world, crier_journal_writable(world->journal));
        expect(world, crier_journal_topics(world->journal, CRIER_SLICE(""), CRIER_SLICE(""),
                                           SIZE_MAX, NULL, count_topic, &topics) == 0);
        expect(world, topics <= 2 * APPENDERS);
        expect(world, crier_journal_locate(world->journal, test_filter_all(&f), &since,
                                           now_at(0), NULL, &start) == 0);
    }
    return NULL;
}

static void set_up_worker(struct worker *w, struct world *world, int only)
{
    *w = (struct worker){.world = world, .only = only};
    assert_int_equal(sem_init(&w->wakes, 0, 0), 0);
    w->cursor.wake = on_wake;
    w->cursor.wake_ctx = w;
    if (only < 0) {
        crier_cursor_interest_all(&w->cursor);
    } else {
        char name[8];
        int len = snprintf(name, sizeof(name), "t%d", only);
        crier_cursor_interest_add(
            &w->cursor,
            crier_journal_hash(world->journal, (struct crier_slice){name, (size_t)len}));
    }
    assert_int_equal(crier_journal_attach(world->journal, &w->cursor), 0);
}

/* Every worker sees every event once and in order, no wake-up is lost, and no scan passes over
 * an event in silence. */
static void all_at_once(void **state)
{
    struct crier_journal_limits limits = {
        .max_events = 1000, .max_bytes = 256 << 10, .lap_ms = UINT32_MAX};
    struct world world = {.journal = test_journal(&crier_mem_libc, limits, now_at(0))};

    /* Scans of everything walk the index, with the appenders at its end. */
    crier_memory_of(world.journal)->merge_looks = 0;
    struct appender appenders[APPENDERS];
    struct worker workers[CURSORS];
    struct scanner scanners[SCANNERS];
    pthread_t append_threads[APPENDERS], work_threads[CURSORS], scan_threads[SCANNERS],
        meddle_thread;

    for (int i = 0; i < CURSORS; i++)
        set_up_worker(&workers[i], &world, i < 2 ? -1 : i - 2);
    for (int i = 0; i < CURSORS; i++)
        assert_int_equal(pthread_create(&work_threads[i], NULL, run_worker, &workers[i]), 0);
    for (int i = 0; i < SCANNERS; i++) {
        scanners[i] = (struct scanner){.world = &world, .exact = i == 0};
        assert_int_equal(pthread_create(&scan_threads[i], NULL, run_scanner, &scanners[i]), 0);
    }
    assert_int_equal(pthread_create(&meddle_thread, NULL, run_meddler, &world), 0);
    for (unsigned i = 0; i < APPENDERS; i++) {
        appenders[i] = (struct appender){&world, i};
        assert_int_equal(pthread_create(&append_threads[i], NULL, run_appender, &appenders[i]),
                         0);
    }
    for (int i = 0; i < APPENDERS; i++)
        pthread_join(append_threads[i], NULL);
    atomic_store(&world.over, true);
    for (int i = 0; i < CURSORS; i++)
        pthread_join(work_threads[i], NULL);
    for (int i = 0; i < SCANNERS; i++)
        pthread_join(scan_threads[i], NULL);
    pthread_join(meddle_thread, NULL);

    assert_int_equal(atomic_load(&world.errors), 0);
    crier_memory_check(world.journal);
    for (int i = 0; i < CURSORS; i++) {
        print_message("worker %d: %d events, slept %d times\n", i, (int)workers[i].seen,
                      (int)workers[i].slept);
        crier_journal_detach(&workers[i].cursor);
        sem_destroy(&workers[i].wakes);
    }
    for (int i = 0; i < SCANNERS; i++) {
        print_message("scanner %d: %d events, %d gaps\n", i, (int)scanners[i].seen,
                      (int)scanners[i].gaps);
        assert_true(scanners[i].seen > 0);
    }
    struct crier_journal_stats stats = test_stats(world.journal);
    assert_int_equal(stats.appended, APPENDERS * PER_APPENDER);
    assert_int_equal(stats.lapped, 0);
    crier_journal_free(world.journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
