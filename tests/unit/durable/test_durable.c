/* SPDX-License-Identifier: MIT */
/* The durable journal from outside: what stays over restarts, time, keys, gaps, waiting. Its
 * whole behaviour is compared with a model in test_model.c. */
#include "durable/file.h"
#include "durable/inside.h"
#include "durable_support.h"
#include "net/sys.h"
#include <fcntl.h>
#include <time.h>

enum { MINUTE = 60 * 1000 };

static const struct crier_now start_time = {.wall_ms = UINT64_C(1763700000000),
                                            .boot_ms = 5000};

struct world {
    char dir[TEST_DIR];
    struct crier_journal_limits limits;
    struct crier_journal *journal;
    struct crier_now now;
};

static void world_open(struct world *w)
{
    w->journal = test_durable(w->dir, &crier_mem_libc, w->limits, w->now);
}

static void world_make(struct world *w, struct crier_journal_limits limits)
{
    *w = (struct world){.limits = limits, .now = start_time};
    test_dir_make(w->dir);
    world_open(w);
}

static void world_reopen(struct world *w)
{
    crier_journal_free(w->journal);
    world_open(w);
}

static void world_end(struct world *w)
{
    crier_journal_free(w->journal);
    test_dir_remove(w->dir);
}

static struct crier_id publish(struct world *w, const char *topic)
{
    return test_publish(w->journal, topic, w->now);
}

/* Numbers of what a topic (NULL: everything) holds after a start. */
static size_t
read_from(struct world *w, const char *topic, struct crier_since since, struct test_seen *seen)
{
    struct test_filter f;
    const struct crier_filter *filter =
        topic ? test_filter_one(&f, w->journal, topic) : test_filter_all(&f);
    struct crier_start s = test_locate(w->journal, filter, since, w->now);
    struct crier_scan scan = {.filter = filter,
                              .position = s.position,
                              .until = s.until,
                              .now_boot_ms = w->now.boot_ms,
                              .losses = s.losses};

    *seen = (struct test_seen){0};
    while (scan.position < scan.until)
        assert_int_equal(crier_journal_scan(w->journal, &scan, test_see, seen, NULL), 0);
    return seen->count;
}

static enum crier_gap gap_after(struct world *w, const char *topic, struct crier_id id)
{
    struct test_filter f;

    return test_locate(w->journal, test_filter_one(&f, w->journal, topic),
                       (struct crier_since){.kind = CRIER_SINCE_ID, .id = id}, w->now)
        .gap;
}

/* ---- over restarts ----------------------------------------------------------------------- */

static void events_stay(void **state)
{
    struct test_seen seen;
    struct world w;

    world_make(&w, (struct crier_journal_limits){0});
    struct crier_id first = publish(&w, "a"), second = publish(&w, "b");
    world_reopen(&w);
    struct crier_id third = publish(&w, "a");
    assert_true(crier_id_cmp(first, second) < 0 && crier_id_cmp(second, third) < 0);
    assert_int_equal(
        read_from(&w, NULL, (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 3);
    assert_int_equal(seen.numbers[2], 3);
    assert_int_equal(
        read_from(&w, "a", (struct crier_since){.kind = CRIER_SINCE_ID, .id = first}, &seen),
        1);
    assert_int_equal(seen.numbers[0], 3);
    assert_int_equal(gap_after(&w, "a", first), CRIER_GAP_NONE);
    world_end(&w);
}

/* The clock of the wall goes back by hours, over a restart too: ids go on growing. */
static void ids_grow(void **state)
{
    struct crier_id last, id;
    struct world w;

    world_make(&w, (struct crier_journal_limits){0});
    last = publish(&w, "a");
    for (int i = 0; i < 20; i++) {
        w.now.wall_ms += i % 2 ? UINT64_C(3) * 60 * MINUTE : (uint64_t)0;
        w.now.wall_ms -= i % 2 ? (uint64_t)0 : UINT64_C(4) * 60 * MINUTE;
        w.now.boot_ms += 10;
        if (i % 5 == 4)
            world_reopen(&w);
        id = publish(&w, "a");
        assert_true(crier_id_cmp(id, last) > 0);
        last = id;
    }
    world_end(&w);
}

/* What the wall says has passed while nothing ran counts for ages; what it goes back does not. */
static void ages_go_on(void **state)
{
    struct test_seen seen;
    struct world w;

    world_make(&w, (struct crier_journal_limits){.max_age_ms = 60 * MINUTE});
    publish(&w, "a");
    w.now.wall_ms += 50 * MINUTE;
    w.now.boot_ms = 7; /* another boot */
    world_reopen(&w);
    test_trim(w.journal, w.now);
    assert_int_equal(
        read_from(&w, "a", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 1);
    assert_int_equal(read_from(&w, "a",
                               (struct crier_since){.kind = CRIER_SINCE_AGO, .ms = 49 * MINUTE},
                               &seen),
                     0);
    assert_int_equal(read_from(&w, "a",
                               (struct crier_since){.kind = CRIER_SINCE_AGO, .ms = 51 * MINUTE},
                               &seen),
                     1);
    publish(&w, "b"); /* a transaction: time is saved with it */
    w.now.wall_ms -= UINT64_C(5) * 60 * MINUTE;
    world_reopen(&w);
    test_trim(w.journal, w.now);
    assert_int_equal(
        read_from(&w, "a", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 1);
    w.now.boot_ms += 10 * MINUTE; /* within one life, only this counts */
    w.now.wall_ms += UINT64_C(24) * 60 * MINUTE;
    test_trim(w.journal, w.now);
    assert_int_equal(
        read_from(&w, "a", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 0);
    assert_int_equal(
        read_from(&w, "b", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 1);
    world_end(&w);
}

/* A ttl ends an event earlier than its rule, which may keep it longer than the limits would. */
static void ttl_in_a_class(void **state)
{
    static const char *const topics[] = {"week/a", "any/a", "other/a"};
    struct crier_journal_limits limits = {.max_age_ms = 60 * MINUTE};
    struct crier_rules rules = {0};
    struct crier_durable_options options = {
        .sync = CRIER_SYNC_NONE, .rules = &rules, .limits = &limits};
    struct world w = {.now = start_time};
    struct crier_draft drafts[6];
    struct crier_buf fault;
    struct test_seen seen;

    assert_null(crier_rules_add(&rules, CRIER_SLICE("week/**=1000,1GiB,7d")));
    assert_null(crier_rules_add(&rules, CRIER_SLICE("any/**=1000")));
    test_dir_make(w.dir);
    options.dir = w.dir;
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_durable_open(&crier_mem_libc, &test_key, TEST_EPOCH, &options, w.now,
                                        &w.journal, &fault),
                     0);
    crier_buf_deinit(&fault);
    for (int i = 0; i < 6; i++) {
        drafts[i] = test_draft(topics[i % 3], "data: x\n\n");
        drafts[i].ttl_ms = i < 3 ? UINT64_C(180) * MINUTE : UINT64_MAX;
    }
    crier_journal_append(w.journal, drafts, 6, w.now);
    const size_t expected[3][3] = {{2, 2, 2}, {2, 2, 0}, {1, 1, 0}};
    for (int hours = 0; hours < 3; hours++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(read_from(&w, topics[i],
                                       (struct crier_since){.kind = CRIER_SINCE_EARLIEST},
                                       &seen),
                             expected[hours][i]);
        w.now.boot_ms += 120 * MINUTE;
        test_trim(w.journal, w.now);
    }
    world_end(&w);
}

static struct crier_draft keyed(const char *topic, const char *key)
{
    struct crier_draft draft = test_draft(topic, "data: x\n\n");

    draft.key = crier_slice_of(key);
    return draft;
}

static void keys_stay(void **state)
{
    struct crier_draft one = keyed("a", "k"), two = keyed("a", "k"), other = keyed("b", "k");
    struct world w;

    world_make(&w, (struct crier_journal_limits){0});
    crier_journal_append(w.journal, &one, 1, w.now);
    assert_int_equal(one.result, 0);
    world_reopen(&w);
    crier_journal_append(w.journal, &two, 1, w.now);
    assert_int_equal(two.result, CRIER_APPEND_DUPLICATE);
    assert_int_equal(crier_id_cmp(one.ret_id, two.ret_id), 0);
    crier_journal_append(w.journal, &other, 1, w.now);
    assert_int_equal(other.result, 0);
    /* Ten minutes later it is free again. */
    w.now.boot_ms += 10 * MINUTE;
    w.now.wall_ms += 10 * MINUTE;
    test_trim(w.journal, w.now);
    crier_journal_append(w.journal, &two, 1, w.now);
    assert_int_equal(two.result, 0);
    world_end(&w);
}

/* Two of one key in one transaction: the second is the first. */
static void keys_in_one_transaction(void **state)
{
    struct crier_draft drafts[3] = {keyed("a", "k"), keyed("a", "k"), keyed("a", "l")};
    struct world w;

    world_make(&w, (struct crier_journal_limits){0});
    crier_journal_append(w.journal, drafts, 3, w.now);
    assert_int_equal(drafts[0].result, 0);
    assert_int_equal(drafts[1].result, CRIER_APPEND_DUPLICATE);
    assert_int_equal(crier_id_cmp(drafts[0].ret_id, drafts[1].ret_id), 0);
    assert_int_equal(drafts[2].result, 0);
    world_end(&w);
}

/* A DELETE frees the keys of what it forgets, for what comes after it in its transaction. */
static void keys_are_forgotten(void **state)
{
    struct crier_draft drafts[5] = {keyed("a", "k"), keyed("a", "k"), keyed("a", "k"),
                                    keyed("a", "k"), keyed("a", "k")};
    struct test_seen seen;
    struct world w;

    world_make(&w, (struct crier_journal_limits){0});
    crier_journal_append(w.journal, drafts, 1, w.now);
    drafts[0].forget = drafts[2].forget = true;
    crier_journal_append(w.journal, drafts, 5, w.now);
    for (int i = 0; i < 4; i++)
        assert_int_equal(drafts[i].result, 0);
    assert_int_equal(drafts[4].result, CRIER_APPEND_DUPLICATE);
    assert_int_equal(crier_id_cmp(drafts[4].ret_id, drafts[3].ret_id), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            read_from(&w, "a", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 1);
        crier_journal_append(w.journal, &drafts[4], 1, w.now);
        assert_int_equal(drafts[4].result, CRIER_APPEND_DUPLICATE);
        assert_int_equal(crier_id_cmp(drafts[4].ret_id, drafts[3].ret_id), 0);
        world_reopen(&w);
    }
    world_end(&w);
}

/* What was lost before the restart is told after it; a quiet neighbour sees none of it. */
static void gaps_stay(void **state)
{
    struct test_seen seen;
    struct world w;

    world_make(&w, (struct crier_journal_limits){.max_events = 5});
    struct crier_id quiet = publish(&w, "quiet"), busy = publish(&w, "busy");
    for (int i = 0; i < 20; i++)
        publish(&w, "busy");
    world_reopen(&w);
    assert_int_equal(gap_after(&w, "busy", busy), CRIER_GAP_EVICTED);
    assert_int_equal(gap_after(&w, "quiet", quiet), CRIER_GAP_NONE);
    assert_int_equal(
        read_from(&w, "quiet", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 1);
    assert_int_equal(
        read_from(&w, "busy", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 5);
    world_end(&w);
}

static void forgotten_stays_forgotten(void **state)
{
    struct test_seen seen;
    struct world w;

    world_make(&w, (struct crier_journal_limits){0});
    struct crier_id id = publish(&w, "a");
    publish(&w, "a");
    publish(&w, "b");
    assert_int_equal(crier_journal_forget(w.journal, CRIER_SLICE("a"), w.now), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            read_from(&w, NULL, (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 1);
        assert_int_equal(gap_after(&w, "a", id), CRIER_GAP_EVICTED);
        world_reopen(&w);
    }
    world_end(&w);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static void second_process_is_refused(void **state)
{
    struct crier_durable_options options = {0};
    struct crier_journal *other;
    struct crier_buf fault;
    struct world w;

    world_make(&w, (struct crier_journal_limits){0});
    options.dir = w.dir;
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_durable_open(&crier_mem_libc, &test_key, TEST_EPOCH, &options, w.now,
                                        &other, &fault),
                     -EBUSY);
    assert_true(fault.len > 0);
    crier_buf_deinit(&fault);
    world_end(&w);
}

/* ---- full --------------------------------------------------------------------------------- */

/* Opens a journal with a file that is soon full. */
static void world_make_small(struct world *w, struct crier_journal_limits limits)
{
    struct crier_durable_options options = {
        .sync = CRIER_SYNC_NONE, .limits = &w->limits, .max_file_bytes = 1 << 20};
    struct crier_buf fault;

    *w = (struct world){.limits = limits, .now = start_time};
    test_dir_make(w->dir);
    options.dir = w->dir;
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_durable_open(&crier_mem_libc, &test_key, TEST_EPOCH, &options,
                                        w->now, &w->journal, &fault),
                     0);
    crier_buf_deinit(&fault);
}

static int try_to_publish(struct world *w, unsigned number)
{
    static const char sse[] =
        "data: some text that takes a little room, so that it is not long until it is full\n\n";
    static const char *const topics[] = {"a", "b", "c", "d", "e", "f", "g"};
    struct crier_draft draft = test_draft(topics[number % 7], sse);

    crier_journal_append(w->journal, &draft, 1, w->now);
    return draft.result;
}

static unsigned publish_until_full(struct world *w)
{
    unsigned n = 0;
    int r;

    while ((r = try_to_publish(w, n)) == 0)
        assert_true(++n < 100000);
    assert_int_equal(r, -ENOSPC);
    assert_true(n > 1000);
    return n;
}

/* Though nobody stops publishing, what is too old makes room. */
static void room_by_age(void **state)
{
    struct world w;
    int r = -ENOSPC;

    world_make_small(&w, (struct crier_journal_limits){.max_age_ms = MINUTE});
    publish_until_full(&w);
    assert_int_equal(try_to_publish(&w, 0), -ENOSPC);
    w.now.boot_ms += MINUTE;
    w.now.wall_ms += MINUTE;
    for (int i = 0; r == -ENOSPC && i < 5; i++)
        r = try_to_publish(&w, 0);
    assert_int_equal(r, 0);
    world_end(&w);
}

/* A topic's events lie in every page: all of them leave, a few at a time. */
static void room_by_forgetting(void **state)
{
    static const char *const topics[] = {"a", "b", "c", "d", "e", "f"};
    struct test_seen seen;
    struct world w;

    world_make_small(&w, (struct crier_journal_limits){0});
    publish_until_full(&w);
    for (int i = 0; i < 6; i++)
        assert_int_equal(crier_journal_forget(w.journal, crier_slice_of(topics[i]), w.now), 0);
    assert_int_equal(try_to_publish(&w, 6), 0);
    world_reopen(&w);
    size_t held =
        read_from(&w, NULL, (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen);
    assert_true(held > 0);
    assert_int_equal(
        read_from(&w, "g", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), held);
    world_end(&w);
}

/* ---- a batch ----------------------------------------------------------------------------- */

/* After one that could not be appended none of its batch is, in later parcels neither. */
static void a_batch_ends(void **state)
{
    _Atomic bool failed = false;
    int batch;
    struct crier_draft drafts[3] = {test_draft("a", "data: x\n\n"), test_draft("a", ""),
                                    test_draft("a", "data: x\n\n")};
    static char large[4000];
    struct world w;

    memset(large, 'x', sizeof(large) - 1);
    world_make(&w, (struct crier_journal_limits){.max_event_bytes = 1000});
    drafts[1].sse = crier_slice_of(large);
    for (int i = 0; i < 3; i++) {
        drafts[i].batch = &batch;
        drafts[i].failed = &failed;
    }
    crier_journal_append(w.journal, drafts, 3, w.now);
    assert_int_equal(drafts[0].result, 0);
    assert_int_equal(drafts[1].result, -EMSGSIZE);
    assert_int_equal(drafts[2].result, -ECANCELED);
    crier_journal_append(w.journal, &drafts[2], 1, w.now);
    assert_int_equal(drafts[2].result, -ECANCELED);
    world_end(&w);
}

/* More than may wait for the disk, a part of a batch that is refused for that, and the next part
 * of it, which is handed in when there is room again. */
struct crowd {
    struct crier_journal *journal;
    struct crier_parcel large, refused, next;
};

static void large_done(struct crier_parcel *parcel)
{
    struct crowd *crowd = CRIER_CONTAINER(parcel, struct crowd, large);

    assert_false(crier_journal_submit(crowd->journal, &crowd->next, start_time));
}

static void nothing_done(struct crier_parcel *parcel)
{
}

static void a_batch_ends_where_it_is_refused(void **state)
{
    enum { LARGE = 70, BYTES = 1 << 20 };
    static struct crier_draft large[LARGE];
    static char sse[BYTES + 1];
    _Atomic bool failed = false;
    int batch;
    struct crier_draft drafts[2] = {test_draft("a", "data: x\n\n"),
                                    test_draft("a", "data: x\n\n")};
    struct test_seen seen;
    struct world w;

    world_make(&w,
               (struct crier_journal_limits){.pending_bytes = 1, .max_event_bytes = 2 * BYTES});
    memset(sse, 'x', BYTES);
    memcpy(sse, "data: ", 6);
    memcpy(sse + BYTES - 2, "\n\n", 2);
    for (int i = 0; i < LARGE; i++)
        large[i] = test_draft("b", sse);
    for (int i = 0; i < 2; i++) {
        drafts[i].batch = &batch;
        drafts[i].failed = &failed;
    }
    struct crowd crowd = {
        .journal = w.journal,
        .large = {.drafts = large, .count = LARGE, .done = large_done},
        .refused = {.drafts = &drafts[0], .count = 1, .done = nothing_done},
        .next = {.drafts = &drafts[1], .count = 1, .done = nothing_done},
    };
    /* The writer cannot go on without the window: both are in before it has begun. */
    struct crier_memory *window = CRIER_CONTAINER(w.journal, struct crier_memory, journal);
    crier_memory_lock(window);
    assert_false(crier_journal_submit(w.journal, &crowd.large, w.now));
    assert_false(crier_journal_submit(w.journal, &crowd.refused, w.now));
    crier_memory_unlock(window);
    world_reopen(&w); /* all of it is done */
    assert_int_equal(drafts[0].result, CRIER_APPEND_FULL);
    assert_int_equal(drafts[1].result, -ECANCELED);
    assert_int_equal(
        read_from(&w, "a", (struct crier_since){.kind = CRIER_SINCE_EARLIEST}, &seen), 0);
    world_end(&w);
}

/* ---- a disk that fails ------------------------------------------------------------------- */

/* Comes back when the writer has tried to sync once more. A parcel without a draft goes round with
 * it. */
static void await_sync(struct crier_journal *journal)
{
    struct crier_durable *d = crier_durable_of(journal);
    uint64_t tries = atomic_load(&d->sync_tries);

    while (atomic_load(&d->sync_tries) == tries)
        crier_journal_append(journal, NULL, 0, start_time);
}

/* What was to be synced never is: the writer does not try all the time. */
static void failed_disk_is_left_alone(void **state)
{
    struct crier_durable_options options = {.sync = CRIER_SYNC_INTERVAL, .sync_ms = 200};
    int good, bad = open("/dev/null", O_RDONLY | O_CLOEXEC);
    mdb_filehandle_t fd;
    struct crier_draft draft = test_draft("a", "data: x\n\n");
    char dir[TEST_DIR];
    struct crier_buf fault;
    struct crier_journal *journal;

    test_dir_make(dir);
    options.dir = dir;
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_durable_open(&crier_mem_libc, &test_key, TEST_EPOCH, &options,
                                        start_time, &journal, &fault),
                     0);
    crier_buf_deinit(&fault);
    struct crier_durable *d = crier_durable_of(journal);
    assert_int_equal(mdb_env_get_fd(d->store->env, &fd), 0);
    good = dup(fd);
    crier_journal_append(journal, &draft, 1, start_time);
    test_trim(journal, start_time); /* that is synced, the next one not yet */
    crier_journal_append(journal, &draft, 1, start_time);
    assert_int_equal(draft.result, 0);
    assert_int_equal(dup2(bad, fd), fd);
    crier_journal_append(journal, &draft, 1, start_time);
    assert_int_equal(dup2(good, fd), fd);
    /* On a machine so slow that it is synced by now, that has failed already. */
    assert_true(draft.result == CRIER_APPEND_UNKNOWN || draft.result == -EIO);
    assert_int_equal(crier_journal_state(journal), CRIER_JOURNAL_FAILED);
    /* As long as something is due the writer does not rest. */
    while (atomic_load(&d->sync_due))
        crier_journal_append(journal, NULL, 0, start_time);
    crier_journal_free(journal);
    close(good);
    close(bad);
    test_dir_remove(dir);
}

/* What the file of synced states has (anchor.c), read apart from the writer. */
static uint64_t synced_seq(int fd)
{
    enum { SLOT = 131148, SEQ = 60 };
    unsigned char bytes[8];
    uint64_t newest = 0;

    for (int i = 0; i < 2; i++) {
        if (pread(fd, bytes, 8, (off_t)i * SLOT + SEQ) == 8 && crier_get_u64(bytes) > newest)
            newest = crier_get_u64(bytes);
    }
    return newest;
}

/* The room for a synced state may be missing for a while: the one before is whole. */
static void syncs_when_there_is_room(void **state)
{
    struct crier_durable_options options = {.sync = CRIER_SYNC_INTERVAL, .sync_ms = 1};
    int good, bad = open("/dev/full", O_RDWR | O_CLOEXEC);
    struct crier_draft draft = test_draft("a", "data: x\n\n");
    char dir[TEST_DIR];
    struct crier_buf fault;
    struct crier_journal *journal;

    if (bad < 0)
        skip();
    test_dir_make(dir);
    options.dir = dir;
    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_durable_open(&crier_mem_libc, &test_key, TEST_EPOCH, &options,
                                        start_time, &journal, &fault),
                     0);
    crier_buf_deinit(&fault);
    int fd = crier_durable_of(journal)->store->anchor.fd;
    good = dup(fd);
    uint64_t seq = synced_seq(good);
    assert_int_equal(seq, 1);
    assert_int_equal(dup2(bad, fd), fd);
    for (int i = 0; i < 3; i++) {
        crier_journal_append(journal, &draft, 1, start_time);
        assert_int_equal(draft.result, 0);
        await_sync(journal);
    }
    assert_int_equal(crier_journal_state(journal), CRIER_JOURNAL_OK);
    assert_int_equal(dup2(good, fd), fd);
    crier_journal_append(journal, &draft, 1, start_time);
    assert_int_equal(draft.result, 0);
    await_sync(journal);
    assert_true(synced_seq(good) > seq);
    assert_int_equal(crier_journal_state(journal), CRIER_JOURNAL_OK);
    crier_journal_free(journal);
    close(good);
    close(bad);
    test_dir_remove(dir);
}

/* ---- questions that are given up ---------------------------------------------------------- */

static void given_up(void **state)
{
    struct test_filter f;
    struct test_wait wait;
    struct crier_start start;
    struct world w;

    world_make(&w, (struct crier_journal_limits){0});
    test_wait_init(&wait);
    for (int i = 0; i < 100; i++) {
        publish(&w, "a");
        struct crier_since since = {.kind = CRIER_SINCE_EARLIEST};
        int r = crier_journal_locate(w.journal, test_filter_one(&f, w.journal, "a"), &since,
                                     w.now, &wait.wait, &start);
        assert_int_equal(r, CRIER_WAIT);
        crier_journal_unwait(w.journal, &wait.wait);
        assert_null(wait.wait.job);
    }
    test_wait_deinit(&wait);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_stay),
        cmocka_unit_test(ids_grow),
        cmocka_unit_test(ages_go_on),
        cmocka_unit_test(ttl_in_a_class),
        cmocka_unit_test(keys_stay),
        cmocka_unit_test(keys_in_one_transaction),
        cmocka_unit_test(keys_are_forgotten),
        cmocka_unit_test(gaps_stay),
        cmocka_unit_test(forgotten_stays_forgotten),
        cmocka_unit_test(second_process_is_refused),
        cmocka_unit_test(room_by_age),
        cmocka_unit_test(room_by_forgetting),
        cmocka_unit_test(a_batch_ends),
        cmocka_unit_test(a_batch_ends_where_it_is_refused),
        cmocka_unit_test(failed_disk_is_left_alone),
        cmocka_unit_test(syncs_when_there_is_room),
        cmocka_unit_test(given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
