/* SPDX-License-Identifier: MIT */
/* Questions that wait for the reader: herds, little room, giving up; and a file that is full. */
#include "durable/inside.h"
#include "durable_support.h"
#include <sched.h>

enum { HERD = 100, EVENTS = 300 };

static const struct crier_now now = {.wall_ms = UINT64_C(1763700000000), .boot_ms = 5000};

struct world {
    char dir[TEST_DIR];
    struct crier_journal *journal;
    struct test_filter filter;
};

/* Events a and b in turn, all but the last of them only on the disk. */
static void world_make(struct world *w, struct crier_journal_limits limits)
{
    static char sse[800];

    memset(sse, 'x', sizeof(sse));
    memcpy(sse, "data: ", 6);
    memcpy(sse + sizeof(sse) - 3, "\n\n", 3);
    limits.window_bytes = 1;
    test_dir_make(w->dir);
    w->journal = test_durable(w->dir, &crier_mem_libc, limits, now);
    for (int i = 0; i < EVENTS; i++) {
        struct crier_draft draft = test_draft(i % 2 ? "b" : "a", sse);
        crier_journal_append(w->journal, &draft, 1, now);
        assert_int_equal(draft.result, 0);
    }
    test_filter_all(&w->filter);
    w->filter.filter.key = CRIER_SLICE("everything");
}

static void world_end(struct world *w)
{
    crier_journal_free(w->journal);
    test_dir_remove(w->dir);
}

struct one {
    struct test_wait wait;
    struct crier_scan scan;
    struct test_seen seen;
};

static void one_make(struct one *o, struct world *w)
{
    memset(o, 0, sizeof(*o));
    test_wait_init(&o->wait);
    o->scan = (struct crier_scan){.filter = &w->filter.filter,
                                  .until = EVENTS,
                                  .now_boot_ms = now.boot_ms,
                                  .wait = &o->wait.wait};
}

/* Asks; true: it waits now. */
static bool ask(struct one *o, struct world *w)
{
    struct crier_start gap;
    int r = crier_journal_scan(w->journal, &o->scan, test_see, &o->seen, &gap);

    assert_true(r == 0 || r == CRIER_WAIT);
    return r == CRIER_WAIT;
}

static void read_on(struct one *o, struct world *w)
{
    while (o->scan.position < EVENTS) {
        if (ask(o, w))
            test_wait_for(&o->wait);
    }
    assert_int_equal(o->seen.count, EVENTS);
    for (size_t i = 0; i < EVENTS; i++)
        assert_int_equal(o->seen.numbers[i], i + 1);
}

static struct one herd[HERD];

static void make_herd(struct world *w)
{
    for (int i = 0; i < HERD; i++) {
        one_make(&herd[i], w);
        ask(&herd[i], w);
    }
}

static void end_herd(struct world *w)
{
    for (int i = 0; i < HERD; i++) {
        crier_journal_unwait(w->journal, &herd[i].wait.wait);
        test_wait_deinit(&herd[i].wait);
    }
}

/* All of them step by step together: each stretch is read once, however little room there is. */
static void a_herd(uint64_t replay_bytes)
{
    struct world w;

    world_make(&w, (struct crier_journal_limits){.replay_bytes = replay_bytes});
    make_herd(&w);
    for (int left = HERD; left > 0;) {
        left = 0;
        for (int i = 0; i < HERD; i++) {
            if (herd[i].scan.position >= EVENTS)
                continue;
            if (herd[i].wait.wait.job) /* it waits */
                test_wait_for(&herd[i].wait);
            ask(&herd[i], &w);
            left++;
        }
    }
    /* 300 events of 0.9 KiB, 64 KiB a run at least. */
    assert_in_range(test_stats(w.journal).disk.reads, 1, 8);
    end_herd(&w);
    world_end(&w);
}

static void herd_reads_once(void **state)
{
    a_herd(0);
}

static void herd_in_little_room(void **state)
{
    a_herd(1);
}

/* Different questions, no room: one after the other, all of them come to their end. */
static void none_starves(void **state)
{
    struct world w;

    world_make(&w, (struct crier_journal_limits){.replay_bytes = 1});
    w.filter.filter.key = CRIER_SLICE(""); /* nothing is shared */
    make_herd(&w);
    for (bool more = true; more; sched_yield()) {
        more = false;
        for (int i = 0; i < HERD; i++) {
            if (herd[i].scan.position < EVENTS)
                ask(&herd[i], &w);
            more = more || herd[i].scan.position < EVENTS;
        }
    }
    for (int i = 0; i < HERD; i++)
        assert_int_equal(herd[i].seen.count, EVENTS);
    assert_true(test_stats(w.journal).disk.read_waits > 0);
    end_herd(&w);
    world_end(&w);
}

/* Those that were woken and never ask again give their room back after a while. */
static void reclaimed(void **state)
{
    struct world w;

    world_make(&w, (struct crier_journal_limits){.replay_bytes = 1});
    struct crier_jobs *jobs = &crier_durable_of(w.journal)->jobs;
    pthread_mutex_lock(&jobs->mutex);
    jobs->reclaim_ms = 1;
    pthread_mutex_unlock(&jobs->mutex);
    w.filter.filter.key = CRIER_SLICE("");
    make_herd(&w);
    read_on(&herd[HERD - 1], &w);
    for (int i = 0; i < HERD; i++)
        read_on(&herd[i], &w);
    end_herd(&w);
    world_end(&w);
}

/* Given up while queued, while it is worked on, and when it is done. */
static void given_up(void **state)
{
    struct world w;

    world_make(&w, (struct crier_journal_limits){.replay_bytes = 1});
    w.filter.filter.key = CRIER_SLICE("");
    for (int round = 0; round < 20; round++) {
        make_herd(&w);
        if (round % 2)
            test_wait_for(&herd[0].wait);
        for (int i = 0; i < HERD; i++) {
            crier_journal_unwait(w.journal, &herd[i].wait.wait);
            assert_null(herd[i].wait.wait.job);
        }
        end_herd(&w);
    }
    struct one *o = &herd[0];
    one_make(o, &w);
    read_on(o, &w);
    test_wait_deinit(&o->wait);
    world_end(&w);
}

/* ---- a file that is full ----------------------------------------------------------------- */

static struct crier_draft large_draft(const char *topic, const char *key)
{
    static char sse[4000];

    memset(sse, 'x', sizeof(sse));
    memcpy(sse, "data: ", 6);
    memcpy(sse + sizeof(sse) - 3, "\n\n", 3);
    struct crier_draft draft = test_draft(topic, sse);
    draft.key = crier_slice_of(key);
    return draft;
}

static void full(void **state)
{
    struct crier_durable_options options = {.sync = CRIER_SYNC_NONE, .max_file_bytes = 2 << 20};
    struct crier_draft draft, both[2];
    char dir[TEST_DIR], topic[20], key[20];
    struct crier_journal *journal;
    struct crier_id last = {0, 0};
    struct crier_buf fault;
    uint64_t put = 0;
    int n = 0;

    test_dir_make(dir);
    options.dir = dir;
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_durable_open(&crier_mem_libc, &test_key, TEST_EPOCH, &options, now,
                                        &journal, &fault),
                     0);
    crier_buf_deinit(&fault);
    do {
        snprintf(topic, sizeof(topic), "t/%d", n / 20);
        snprintf(key, sizeof(key), "key %d", n++);
        draft = large_draft(topic, key);
        crier_journal_append(journal, &draft, 1, now);
        if (draft.result == 0)
            last = draft.ret_id;
    } while (draft.result == 0 && n < 5000);
    assert_int_equal(draft.result, -ENOSPC);
    assert_int_equal(crier_journal_state(journal), CRIER_JOURNAL_FULL);
    assert_int_equal(test_stats(journal).events, n - 1);
    assert_int_equal(test_stats(journal).keys, n - 1);
    /* Together with a publish that finds no room, to forget is done all the same. */
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof(key), "t/%d", i);
        both[0] = draft;
        both[1] = test_draft(key, "");
        both[1].forget = true;
        crier_journal_append(journal, both, 2, now);
        assert_int_equal(both[1].result, 0);
        put += both[0].result == 0;
    }
    /* Then there is room: the same key is not known, and no id was skipped. */
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof(key), "again %d", i);
        draft = large_draft("new", key);
        crier_journal_append(journal, &draft, 1, now);
        put += draft.result == 0;
    }
    assert_int_equal(draft.result, 0);
    assert_int_equal(crier_journal_state(journal), CRIER_JOURNAL_OK);
    assert_int_equal(draft.ret_id.ms, last.ms);
    assert_int_equal(draft.ret_id.seq, last.seq + put);
    crier_journal_free(journal);
    test_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(herd_reads_once), cmocka_unit_test(herd_in_little_room),
        cmocka_unit_test(none_starves),    cmocka_unit_test(reclaimed),
        cmocka_unit_test(given_up),        cmocka_unit_test(full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
