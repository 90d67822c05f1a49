/* SPDX-License-Identifier: MIT */
/*
 * Views against the memory journal: the same random history in both, then the same questions.
 * Positions and ids, which the memory journal answers from what else it still has, are compared
 * with what the test itself knows.
 */
#include "view_support.h"

enum { ROUNDS = 120, SEEN = TWIN_EVENTS };

/* ---- slices ------------------------------------------------------------------------------ */

struct seen {
    struct twins *t;
    uint64_t numbers[SEEN];
    uint64_t sums[SEEN]; /* of all that a record tells */
    size_t count;
    uint64_t shift;          /* of the store's clock */
    unsigned stop;           /* percent */
    struct crier_view *view; /* to be asked of the event that is shown */
};

static uint64_t sum(uint64_t before, struct crier_slice bytes)
{
    static const struct crier_hash_key key = {3, 4};
    return before * 31 + crier_hash(&key, bytes);
}

static int see(void *ctx, const struct crier_record *record)
{
    struct seen *seen = ctx;
    uint64_t all = record->id.ms * 7 + record->id.seq * 11 + record->wall_ms * 13;

    if (seen->stop && twins_chance(seen->t, seen->stop))
        return CRIER_SCAN_STOP;
    assert_true(seen->count < SEEN);
    all += (record->boot_ms - seen->shift) * 17;
    all += record->expires_ms ? (record->expires_ms - seen->shift) * 19 : 0;
    for (size_t i = 0; i < record->topic_count; i++)
        all = sum(all + record->topic_hashes[i], record->topics[i]);
    all = sum(sum(sum(all, record->type), record->frame), record->sse);
    if (seen->view) {
        uint64_t position, ttl_ms;
        struct crier_slice key;
        assert_int_equal(crier_view_extras(seen->view, record->number, &key, &ttl_ms), 0);
        assert_int_equal(ttl_ms, record->expires_ms ? record->expires_ms - record->boot_ms : 0);
        assert_int_equal(crier_view_position(seen->view, record->id, &position), 0);
        assert_int_equal(position, record->number);
    }
    assert_true(record->sse.data == record->frame.data + CRIER_FRAME_HEAD);
    seen->numbers[seen->count] = record->number;
    seen->sums[seen->count++] = all;
    return seen->stop && twins_chance(seen->t, seen->stop) ? CRIER_SCAN_TAKEN : 0;
}

static void read_journal(struct twins *t,
                         const struct crier_filter *filter,
                         uint64_t position,
                         uint64_t until,
                         struct seen *seen)
{
    struct crier_start gap;
    struct crier_scan scan = {.filter = filter,
                              .position = position,
                              .until = until,
                              .now_boot_ms = t->now.boot_ms,
                              .losses = UINT64_MAX};

    assert_int_equal(crier_journal_scan(t->journal, &scan, see, seen, &gap), 0);
    assert_true(scan.position == until || position >= until);
}

static void read_view(struct twins *t,
                      struct crier_view *view,
                      const struct crier_filter *filter,
                      uint64_t position,
                      uint64_t until,
                      struct seen *seen)
{
    struct crier_view_slice slice = {.filter = filter,
                                     .position = position,
                                     .until = until,
                                     .clock_ms = crier_store_clock(t->store, t->now)};

    while (slice.position < until) {
        uint64_t before = slice.position;
        slice.max_looks = (uint32_t)twins_roll(t, 0, 30);
        view->merge_looks = twins_chance(t, 50) ? 0 : CRIER_VIEW_MERGE_LOOKS;
        assert_int_equal(crier_view_read(view, &slice, see, seen), 0);
        assert_true(slice.position >= before && slice.position <= until);
    }
}

static void compare_reads(struct twins *t, struct crier_view *view)
{
    static struct seen journal, store;
    struct twin_want want;
    const struct crier_filter *filter = twin_want_make(t, &want);
    uint64_t position = twins_roll(t, 0, t->end), until = twins_roll(t, position, t->end);

    journal = (struct seen){.t = t};
    store = (struct seen){.t = t,
                          .shift = crier_store_clock(t->store, t->now) - t->now.boot_ms,
                          .stop = twins_chance(t, 50) ? 20 : 0,
                          .view = twins_chance(t, 30) ? view : NULL};
    read_journal(t, filter, position, until, &journal);
    read_view(t, view, filter, position, until, &store);
    assert_int_equal(store.count, journal.count);
    for (size_t i = 0; i < store.count; i++) {
        assert_int_equal(store.numbers[i], journal.numbers[i]);
        assert_true(store.sums[i] == journal.sums[i]);
    }
}

/* ---- oldest, newest, latest -------------------------------------------------------------- */

static struct crier_start
locate(struct twins *t, const struct crier_filter *filter, struct crier_since since)
{
    struct crier_start start;

    assert_int_equal(crier_journal_locate(t->journal, filter, &since, t->now, NULL, &start), 0);
    return start;
}

static void compare_ends(struct twins *t, struct crier_view *view)
{
    struct twin_want want;
    const struct crier_filter *filter = twin_want_make(t, &want);
    uint64_t clock_ms = crier_store_clock(t->store, t->now), number;
    uint64_t count = twins_roll(t, 0, 12);
    struct crier_id id;

    view->merge_looks = twins_chance(t, 50) ? 0 : CRIER_VIEW_MERGE_LOOKS;
    struct crier_start start =
        locate(t, filter, (struct crier_since){CRIER_SINCE_EARLIEST, 0, 0, {0, 0}});
    assert_int_equal(crier_view_oldest(view, filter, 0, clock_ms, &number, &id), 0);
    assert_int_equal(number ? number - 1 : t->end, start.position);
    if (number)
        assert_int_equal(crier_id_cmp(id, t->ids[number]), 0);

    start = locate(t, filter, (struct crier_since){CRIER_SINCE_LAST, count, 0, {0, 0}});
    assert_int_equal(crier_view_newest(view, filter, count, clock_ms, &number), 0);
    assert_int_equal(number ? number - 1 : t->end, start.position);
}

static void compare_latest(struct twins *t, struct crier_view *view)
{
    static struct seen journal, store;
    struct twin_want want;
    const struct crier_filter *filter = twin_want_make(t, &want);
    uint64_t count = twins_roll(t, 1, 14), *numbers,
             clock_ms = crier_store_clock(t->store, t->now);
    struct crier_start gap;
    size_t n;

    struct crier_start start =
        locate(t, filter, (struct crier_since){CRIER_SINCE_LATEST, count, 0, {0, 0}});
    assert_int_equal(crier_view_latest(view, filter, count, clock_ms, &numbers, &n), 0);
    assert_int_equal(n, start.pick_count);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(numbers[i], start.picks[i]);
    if (n) {
        journal = (struct seen){.t = t};
        store = (struct seen){.t = t, .shift = clock_ms - t->now.boot_ms};
        struct crier_scan scan = {.filter = filter,
                                  .until = t->end,
                                  .picks = numbers,
                                  .pick_count = n,
                                  .now_boot_ms = t->now.boot_ms};
        struct crier_view_slice slice = {.filter = filter,
                                         .until = t->end,
                                         .picks = numbers,
                                         .pick_count = n,
                                         .clock_ms = clock_ms};
        assert_int_equal(crier_journal_scan(t->journal, &scan, see, &journal, &gap), 0);
        assert_int_equal(crier_view_read(view, &slice, see, &store), 0);
        assert_int_equal(slice.position, scan.position);
        assert_int_equal(store.count, journal.count);
        for (size_t i = 0; i < store.count; i++)
            assert_true(store.sums[i] == journal.sums[i] &&
                        store.numbers[i] == journal.numbers[i]);
    }
    crier_mem_free(&crier_mem_libc, start.picks);
    crier_mem_free(&crier_mem_libc, numbers);
}

/* ---- positions --------------------------------------------------------------------------- */

/* Is it still in the store? As the store told what has left. */
static bool held(struct twins *t, struct crier_view *view, uint64_t number)
{
    struct crier_slice key;
    uint64_t ttl;
    int r = crier_view_extras(view, number, &key, &ttl);

    assert_true(r == 0 || r == -ENOENT);
    assert_int_equal(r == 0, t->alive[number] != 0);
    return r == 0;
}

static uint64_t
held_after(struct twins *t, struct crier_view *view, uint64_t number, uint64_t end)
{
    for (number++; number <= end; number++) {
        if (held(t, view, number))
            return number;
    }
    return 0;
}

/* An id that was given stands for a position that neither skips nor repeats. */
static void check_given(struct twins *t, struct crier_view *view, uint64_t number, uint64_t end)
{
    uint64_t position = 0;
    struct crier_id id;

    assert_int_equal(crier_view_position(view, t->ids[number], &position), 0);
    if (held(t, view, number))
        assert_int_equal(position, number);
    assert_int_equal(held_after(t, view, position, end), held_after(t, view, number, end));
    assert_true(position >= number);

    assert_int_equal(crier_view_id(view, number, &id), 0);
    if (held(t, view, number) || number == end)
        assert_true(number == t->end ? crier_id_cmp(id, t->ids[number]) == 0 : true);
    uint64_t again;
    assert_int_equal(crier_view_position(view, id, &again), 0);
    assert_int_equal(held_after(t, view, again, end), held_after(t, view, number, end));
}

static void check_unknown(struct twins *t, struct crier_view *view, uint64_t end)
{
    struct crier_id last, id;
    uint64_t position;

    assert_int_equal(crier_view_id(view, end, &last), 0);
    id = (struct crier_id){last.ms + 1, last.seq};
    assert_int_equal(crier_view_position(view, id, &position), -ENOENT);
    id = view->totals.start;
    id.ms--;
    assert_int_equal(crier_view_position(view, id, &position), -ENOENT);
    id = (struct crier_id){last.ms, last.seq % 10000};
    assert_int_equal(crier_view_position(view, id, &position), -ENOENT);
    if (end < 2)
        return;
    uint64_t n = twins_roll(t, 1, end - 1);
    id = (struct crier_id){t->ids[n].ms, t->ids[n].seq + 1};
    if (held(t, view, n) && held(t, view, n + 1) && crier_id_cmp(id, t->ids[n + 1]) != 0)
        assert_int_equal(crier_view_position(view, id, &position), -ENOENT);
}

static void check_before(struct twins *t, struct crier_view *view, uint64_t end)
{
    uint64_t clock_ms = crier_store_clock(t->store, t->now) - twins_roll(t, 0, 3000), position;

    assert_int_equal(crier_view_before(view, clock_ms, &position), 0);
    assert_true(position <= end);
    for (uint64_t n = 1; n <= end; n++) {
        if (held(t, view, n))
            assert_true((n <= position) == (t->clocks[n] < clock_ms));
    }
}

static void check_places(struct twins *t, struct crier_view *view, uint64_t end)
{
    struct crier_id id;
    uint64_t position = 99;

    assert_int_equal(crier_view_id(view, 0, &id), 0);
    assert_int_equal(crier_id_cmp(id, view->totals.start), 0);
    assert_int_equal(crier_view_position(view, id, &position), 0);
    uint64_t first = held_after(t, view, 0, end);
    assert_int_equal(position, first ? first - 1 : end);
    for (int i = 0; i < 10 && end; i++)
        check_given(t, view, twins_roll(t, 1, end), end);
    check_unknown(t, view, end);
    check_before(t, view, end);
}

/* ---- topics ------------------------------------------------------------------------------ */

struct names {
    char text[TWIN_TOPICS][16];
    uint64_t events[TWIN_TOPICS], bytes[TWIN_TOPICS];
    struct crier_id first[TWIN_TOPICS], last[TWIN_TOPICS];
    size_t count, max;
};

static bool note_topic(void *ctx, const struct crier_topic_info *info)
{
    struct names *names = ctx;
    size_t n = names->count++;

    assert_true(n < TWIN_TOPICS && info->name.len < 16);
    memcpy(names->text[n], info->name.data, info->name.len);
    names->events[n] = info->events;
    names->bytes[n] = info->bytes;
    names->first[n] = info->first;
    names->last[n] = info->last;
    return names->count < names->max;
}

static void compare_topics(struct twins *t, struct crier_view *view)
{
    static const char *const prefixes[] = {"", "a", "a/", "b/x", "zz", "c"};
    struct crier_slice prefix = crier_slice_of(prefixes[twins_roll(t, 0, 5)]);
    struct crier_slice after = {NULL, 0};
    struct names journal = {.max = twins_roll(t, 1, 20)}, store = {.max = journal.max};
    struct crier_topic_info info;

    if (twins_chance(t, 50))
        after = crier_slice_of(twin_topics[twins_roll(t, 0, TWIN_TOPICS - 1)]);
    (void)!crier_journal_topics(t->journal, prefix, after, SIZE_MAX, NULL, note_topic,
                                &journal);
    assert_int_equal(crier_view_topics(view, prefix, after, note_topic, &store), 0);
    assert_memory_equal(&journal, &store, sizeof(journal));
    for (size_t i = 0; i < TWIN_TOPICS; i++) {
        int r = crier_journal_topic(t->journal, crier_slice_of(twin_topics[i]), NULL, &info);
        struct crier_topic_info other;
        assert_int_equal(crier_view_topic(view, crier_slice_of(twin_topics[i]), &other), r);
        if (r == 0)
            assert_true(info.events == other.events && info.bytes == other.bytes);
    }
}

/* ---- a limit ----------------------------------------------------------------------------- */

/* A limited view is as one that was begun when that event was the newest. */
static void check_limit(struct twins *t)
{
    static struct seen all, cut;
    struct twin_want want;
    const struct crier_filter *filter = twin_want_make(t, &want);
    struct crier_view *view = twins_view(t);
    uint64_t end = twins_roll(t, 0, t->end), number,
             clock_ms = crier_store_clock(t->store, t->now);
    uint64_t *numbers;
    size_t n;

    all = (struct seen){.t = t};
    read_view(t, view, filter, 0, end, &all);
    crier_view_limit(view, end);
    crier_view_limit(view, t->end + 5); /* only ever less */
    check_places(t, view, end);
    cut = (struct seen){.t = t};
    struct crier_view_slice slice = {
        .filter = filter, .until = UINT64_MAX, .clock_ms = clock_ms};
    assert_int_equal(crier_view_read(view, &slice, see, &cut), 0);
    assert_int_equal(slice.position, end);
    assert_int_equal(cut.count, all.count);
    assert_int_equal(crier_view_newest(view, filter, 1, clock_ms, &number), 0);
    assert_int_equal(number, all.count ? all.numbers[all.count - 1] : 0);
    assert_int_equal(crier_view_latest(view, filter, 1, clock_ms, &numbers, &n), 0);
    assert_int_equal(n, all.count ? 1 : 0);
    if (n)
        assert_int_equal(numbers[0], number);
    crier_mem_free(&crier_mem_libc, numbers);
    for (size_t i = 0; i < TWIN_TOPICS; i++) {
        struct crier_topic_info info;
        uint64_t events = 0, last = 0;
        for (uint64_t k = 1; k <= end; k++) {
            if (held(t, view, k) && (t->alive[k] >> i & 1)) {
                events++;
                last = k;
            }
        }
        int r = crier_view_topic(view, crier_slice_of(twin_topics[i]), &info);
        assert_int_equal(r, events ? 0 : -ENOENT);
        if (r == 0)
            assert_true(info.events == events && crier_id_cmp(info.last, t->ids[last]) == 0);
    }
    crier_view_end(view);
}

static void like_memory(void **state)
{
    uint64_t seed = test_seed("like_memory");

    for (uint64_t i = 0; i < 4; i++) {
        struct twins *t = malloc(sizeof(*t));
        assert_non_null(t);
        twins_make_limited(t, seed + i, i < 2 ? 1 << 20 : 80);
        t->large = i % 2 ? 20 : 0;
        for (int round = 0; round < ROUNDS; round++) {
            twins_batch(t);
            struct crier_view *view = twins_view(t), *other = twins_view(t);
            crier_view_end(other);
            compare_reads(t, view);
            compare_ends(t, view);
            compare_latest(t, view);
            check_places(t, view, t->end);
            if (round % 4 == 0)
                check_limit(t);
            if (round % 8 == 0) {
                twins_pass(t, 4000); /* all with a ttl are over, in both */
                crier_journal_trim(t->journal, t->now);
            }
            crier_view_end(view);
        }
        twins_drop(t);
        free(t);
    }
}

/* Topics as the memory journal lists them: without ttls, which it lets leave sooner. */
static void topics(void **state)
{
    struct twins *t = malloc(sizeof(*t));
    assert_non_null(t);
    twins_make(t, test_seed("topics"));
    for (int round = 0; round < 60; round++) {
        twins_begin(t);
        for (int i = 0; i < 5; i++) {
            unsigned topic = (unsigned)twins_roll(t, 0, TWIN_TOPICS - 1);
            struct crier_draft draft = {.topics = {crier_slice_of(twin_topics[topic])},
                                        .topic_count = 1,
                                        .sse = CRIER_SLICE("data: x\n\n")};
            twins_put(t, &draft, 1u << topic);
        }
        if (twins_chance(t, 50))
            twins_forget(t, (unsigned)twins_roll(t, 0, TWIN_TOPICS - 1));
        twins_commit(t);
        struct crier_view *view = twins_view(t);
        for (int i = 0; i < 5; i++)
            compare_topics(t, view);
        crier_view_end(view);
    }
    twins_drop(t);
    free(t);
}

/* A view sees what was committed when it was begun, and no more. */
static void snapshot(void **state)
{
    struct twins *t = malloc(sizeof(*t));
    assert_non_null(t);
    twins_make(t, test_seed("snapshot"));
    twins_begin(t);
    twins_publish(t);
    twins_commit(t);
    struct crier_view *old = twins_view(t);
    twins_begin(t);
    twins_publish(t);
    struct crier_view *during = twins_view(t);
    assert_int_equal(during->end, 1);
    crier_view_end(during);
    twins_commit(t);
    struct crier_view *fresh = twins_view(t);
    assert_int_equal(old->end, 1);
    assert_int_equal(fresh->end, 2);
    crier_view_end(old);
    crier_view_end(fresh);

    struct crier_id first, last;
    assert_int_equal(crier_store_ends(t->store, &first, &last), 0);
    assert_int_equal(crier_id_cmp(first, t->ids[1]), 0);
    assert_int_equal(crier_id_cmp(last, t->ids[2]), 0);
    twins_drop(t);
    free(t);
}

static void empty(void **state)
{
    struct twins *t = malloc(sizeof(*t));
    struct twin_want want = {0};
    uint64_t number = 99, *numbers;
    struct crier_id id;
    size_t count;

    assert_non_null(t);
    twins_make(t, test_seed("empty"));
    struct crier_view *view = twins_view(t);
    want.filter = (struct crier_filter){
        .match = twin_match, .ctx = &want, .prefixes = want.prefixes, .prefix_count = 1};
    want.matched = ~0u;
    assert_int_equal(crier_view_oldest(view, &want.filter, 0, 0, &number, &id), 0);
    assert_int_equal(number, 0);
    assert_int_equal(crier_view_newest(view, &want.filter, 5, 0, &number), 0);
    assert_int_equal(number, 0);
    assert_int_equal(crier_view_latest(view, &want.filter, 5, 0, &numbers, &count), 0);
    assert_null(numbers);
    assert_int_equal(crier_view_id(view, 0, &id), 0);
    assert_int_equal(crier_view_position(view, id, &number), 0);
    assert_int_equal(number, 0);
    id.seq++;
    assert_int_equal(crier_view_position(view, id, &number), -ENOENT);
    assert_int_equal(crier_view_before(view, 1, &number), 0);
    assert_int_equal(number, 0);
    crier_view_end(view);
    twins_drop(t);
    free(t);
}

/* ---- out of memory ----------------------------------------------------------------------- */

static int ask_all(struct crier_view *view, struct twins *t)
{
    static struct seen seen;
    struct twin_want want = {0};
    uint64_t number, *numbers = NULL;
    struct crier_id id;
    size_t count;

    for (size_t i = 0; i < TWIN_TOPICS; i++) {
        want.topics[i] = crier_slice_of(twin_topics[i]);
        want.hashes[i] = crier_journal_hash(t->journal, want.topics[i]);
    }
    want.filter = (struct crier_filter){
        .topics = want.topics, .topic_hashes = want.hashes, .topic_count = TWIN_TOPICS};
    struct crier_view_slice slice = {.filter = &want.filter, .until = UINT64_MAX};
    seen = (struct seen){.t = t};
    int r = crier_view_oldest(view, &want.filter, 0, 0, &number, &id);
    if (r == 0)
        r = crier_view_latest(view, &want.filter, 5, 0, &numbers, &count);
    if (r == 0)
        r = crier_view_read(view, &slice, see, &seen);
    crier_mem_free(view->store->mem, numbers);
    return r;
}

static int with_memory(const struct crier_mem *mem, void *ctx)
{
    struct twins *t = ctx;
    const struct crier_mem *own = t->store->mem;
    struct crier_view *view = NULL;

    crier_views_free(t->store);
    t->store->mem = mem;
    int r = crier_view_begin(t->store, &view);
    if (r == 0)
        r = ask_all(view, t);
    crier_view_end(view);
    crier_views_free(t->store);
    t->store->mem = own;
    return r;
}

static void out_of_memory(void **state)
{
    struct twins *t = malloc(sizeof(*t));

    assert_non_null(t);
    twins_make(t, test_seed("out_of_memory"));
    t->large = 10;
    for (int i = 0; i < 5; i++)
        twins_batch(t);
    assert_true(test_mem_torture(with_memory, t) >= 4);
    twins_drop(t);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_memory),   cmocka_unit_test(topics),
        cmocka_unit_test(snapshot),      cmocka_unit_test(empty),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
