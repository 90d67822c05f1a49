/* SPDX-License-Identifier: MIT */
/*
 * Hubs on a real disk, as programs use them: what they keep over restarts, what they refuse and how
 * they say it, and readers that are far behind what is in memory.
 */
#include "local_support.h"

#include <ftw.h>
#include <sys/stat.h>

enum { PATIENCE_MS = 60000, PATH = 300 };

/* ---- folders ----------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int make_folder(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char *path = malloc(PATH);

    if (!path)
        return -1;
    snprintf(path, PATH, "%s/crier-disk-XXXXXX", tmp ? tmp : "/tmp");
    *state = path;
    return mkdtemp(path) ? 0 : -1;
}

static int remove_folder(void **state)
{
    int r = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return r;
}

static struct crier_hub *open_hub(const char *folder)
{
    struct crier_hub *hub = crier_hub_new(.dir = folder, .sync = "none");

    assert_non_null(hub);
    assert_string_equal(crier_hub_error(hub), "");
    return hub;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Waits for what has to come from disk. */
static int next(struct crier_reader *reader, struct crier_message *message)
{
    struct pollfd p = {.fd = crier_reader_fd(reader), .events = POLLIN};
    int r;

    assert_true(p.fd >= 0);
    while ((r = crier_reader_next(reader, message)) == CRIER_EMPTY)
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    return r;
}

static struct crier_message expect_next(struct crier_reader *reader, const char *data)
{
    struct crier_message message;

    assert_int_equal(next(reader, &message), 0);
    assert_slice_equal(message.event.data, crier_slice_of(data));
    return message;
}

/* ---- restarts ---------------------------------------------------------------------------- */

static void survives_a_restart(void **state)
{
    struct crier_publication p = {.topic = CRIER_SLICE("b"), .key = CRIER_SLICE("k")};
    struct crier_receipt first, again;
    struct crier_hub_stats stats;
    char position[64];

    p.event.data = CRIER_SLICE("keyed");
    struct crier_hub *hub = open_hub(*state);
    struct crier_id one = test_publish(hub, "a", "note", "one");
    test_publish(hub, "a", NULL, "two");
    assert_int_equal(crier_hub_publish_with(hub, &p, &first), 0);
    assert_int_equal(crier_hub_stats(hub, &stats), 0);
    assert_int_equal(stats.disk, CRIER_DISK_OK);
    assert_true(stats.disk_bytes > 0);
    assert_true(stats.commits > 0);
    assert_int_equal(stats.pending_bytes, 0);
    struct crier_hash_key key = hub->hash_key;
    crier_hub_free(hub);

    hub = open_hub(*state);
    assert_int_equal(hub->hash_key.k0, key.k0);
    assert_int_equal(hub->journal->hash_key.k0, key.k0);
    assert_int_equal(crier_hub_stats(hub, &stats), 0);
    assert_int_equal(stats.events, 3);
    assert_int_equal(stats.topics, 2);
    assert_ids_equal(stats.first, one);
    assert_ids_equal(stats.last, first.id);
    assert_int_equal(crier_hub_publish_with(hub, &p, &again), 0);
    assert_true(again.duplicate);
    assert_ids_equal(again.id, first.id);

    struct crier_reader *reader = crier_reader_new(hub, .selector = "*", .since = "earliest");
    struct crier_message m = expect_next(reader, "one");
    assert_ids_equal(m.id, one);
    assert_slice_equal(m.event.type, CRIER_SLICE("note"));
    assert_slice_equal(m.topic, CRIER_SLICE("a"));
    snprintf(position, sizeof(position), "%.*s", CRIER_SLICE_ARG(m.event.id));
    expect_next(reader, "two");
    expect_next(reader, "keyed");
    struct crier_id three = test_publish(hub, "a", NULL, "three");
    assert_true(crier_id_cmp(three, first.id) > 0);
    assert_ids_equal(expect_next(reader, "three").id, three);
    crier_reader_free(reader);
    crier_hub_free(hub);

    /* And on from an id of a life before the last, without a gap. */
    hub = open_hub(*state);
    reader = crier_reader_new(hub, .selector = "a", .last_id = position);
    expect_next(reader, "two");
    expect_next(reader, "three");
    crier_reader_free(reader);
    assert_int_equal(crier_hub_forget(hub, CRIER_SLICE("a")), 0);
    crier_hub_free(hub);

    hub = open_hub(*state);
    assert_int_equal(crier_hub_stats(hub, &stats), 0);
    assert_int_equal(stats.events, 1);
    reader = crier_reader_new(hub, .selector = "a", .last_id = position);
    assert_int_equal(next(reader, &m), CRIER_GAP);
    assert_string_equal(m.gap.reason, "evicted");
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static void assert_refused(const char *dir, int error)
{
    struct crier_event event = test_event("x");
    struct crier_hub *hub = crier_hub_new(.dir = dir);

    assert_non_null(hub);
    assert_int_equal(crier_hub_publish(hub, "a", &event, NULL), error);
    assert_non_null(strstr(crier_hub_error(hub), dir));
    crier_hub_free(hub);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void refuses(void **state)
{
    char path[PATH + 40];

    snprintf(path, sizeof(path), "%s/new/deep", (const char *)*state);
    assert_refused(path, CRIER_ENOENT); /* nobody makes folders for a name that is mistyped */
    *strrchr(path, '/') = '\0';
    crier_hub_free(open_hub(path));

    struct crier_hub *hub = open_hub(*state);
    assert_refused(*state, CRIER_EBUSY);
    test_publish(hub, "a", NULL, "undisturbed");
    crier_hub_free(hub);
    crier_hub_free(open_hub(*state));

    snprintf(path, sizeof(path), "%s/file", (const char *)*state);
    write_file(path, "");
    assert_refused(path, CRIER_ENOTDIR);

    snprintf(path, sizeof(path), "%s/other", (const char *)*state);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/other/data.mdb", (const char *)*state);
    write_file(path, "this is no journal, whatever its name says, and it is not empty");
    *strrchr(path, '/') = '\0';
    assert_refused(path, CRIER_EPROTO);

    if (geteuid() != 0) {
        snprintf(path, sizeof(path), "%s/closed", (const char *)*state);
        assert_int_equal(mkdir(path, 0500), 0);
        assert_refused(path, CRIER_EACCES);
    }
}

/* ---- submitting -------------------------------------------------------------------------- */

enum { SUBMITTED = 2000 };

struct tally {
    _Atomic unsigned done, errors;
    struct crier_id last;
};

/* On the journal's thread, one after the other. */
static void count_done(int result, const struct crier_receipt *receipt, void *ctx)
{
    struct tally *tally = ctx;

    if (result != 0 || !receipt || crier_id_cmp(receipt->id, tally->last) <= 0)
        atomic_fetch_add(&tally->errors, 1);
    else
        tally->last = receipt->id;
    atomic_fetch_add(&tally->done, 1);
}

/* In the order they were submitted, each once, and all before the hub is gone. */
static void submit_keeps_order(void **state)
{
    struct tally tally = {.done = 0};
    char data[32];

    struct crier_hub *hub = open_hub(*state);
    for (unsigned i = 0; i < SUBMITTED; i++) {
        struct crier_publication p = {.topic = CRIER_SLICE("a")};

        snprintf(data, sizeof(data), "%u", i);
        p.event.data = crier_slice_of(data);
        assert_int_equal(crier_hub_submit(hub, &p, count_done, &tally), 0);
    }
    struct crier_reader *reader = crier_reader_new(hub, .selector = "a", .since = "earliest");
    for (unsigned i = 0; i < SUBMITTED / 2; i++) {
        snprintf(data, sizeof(data), "%u", i);
        expect_next(reader, data);
    }
    crier_reader_free(reader);
    crier_hub_free(hub);
    assert_int_equal(atomic_load(&tally.done), SUBMITTED);
    assert_int_equal(atomic_load(&tally.errors), 0);

    hub = open_hub(*state);
    reader = crier_reader_new(hub, .selector = "a", .since = "earliest");
    for (unsigned i = 0; i < SUBMITTED; i++) {
        snprintf(data, sizeof(data), "%u", i);
        expect_next(reader, data);
    }
    assert_ids_equal(crier_reader_position(reader), tally.last);
    crier_reader_free(reader);
    crier_hub_free(hub);
}

static void free_it(int result, const struct crier_receipt *receipt, void *ctx)
{
    (void)result;
    (void)receipt;
    crier_hub_free(ctx);
}

/* The journal's own thread cannot wait for its end: somebody else does, a moment later. */
static void freed_in_done(void **state)
{
    struct crier_publication p = {.topic = CRIER_SLICE("a")};
    struct crier_hub *hub = open_hub(*state);
    const char *error;

    p.event.data = CRIER_SLICE("last");
    assert_int_equal(crier_hub_submit(hub, &p, free_it, hub), 0);
    do {
        hub = crier_hub_new(.dir = *state);
        assert_non_null(hub);
        error = hub->error == CRIER_EBUSY ? NULL : crier_hub_error(hub);
        if (!error)
            crier_hub_free(hub);
    } while (!error);
    assert_string_equal(error, "");
    struct crier_reader *reader = crier_reader_new(hub, .selector = "a", .since = "last:1");
    expect_next(reader, "last");
    crier_reader_free(reader);
    crier_hub_free(hub);
}

/* ---- far behind -------------------------------------------------------------------------- */

/* A reader behind what is in memory reads on from disk, one that is not does not wait for it. */
static void reads_on_from_disk(void **state)
{
    enum { EVENTS = 3000 };
    char data[1100];
    struct crier_message m;

    memset(data, 'x', sizeof(data) - 1);
    data[sizeof(data) - 1] = '\0';
    struct crier_hub *hub = crier_hub_new(.dir = *state, .sync = "none",
                                          .window_bytes = 64 << 10, .replay_bytes = 256 << 10);
    assert_string_equal(crier_hub_error(hub), "");
    struct crier_reader *behind = crier_reader_new(hub, .selector = "a/**");
    struct crier_reader *other = crier_reader_new(hub, .selector = "a/3");
    for (unsigned i = 0; i < EVENTS; i++) {
        struct crier_event event = test_event(data);
        char topic[8];

        snprintf(topic, sizeof(topic), "a/%u", i % 10);
        memcpy(data, "0000", 4);
        snprintf(data, 5, "%04u", i);
        data[4] = ' ';
        assert_int_equal(crier_hub_publish(hub, topic, &event, NULL), 0);
    }
    for (unsigned i = 0; i < EVENTS; i++) {
        assert_int_equal(next(behind, &m), 0);
        assert_int_equal(strtoul(m.event.data.data, NULL, 10), i);
        assert_int_equal(m.event.data.len, sizeof(data) - 1);
    }
    assert_int_equal(crier_reader_next(behind, &m), CRIER_EMPTY);
    for (unsigned i = 3; i < EVENTS; i += 10) {
        assert_int_equal(next(other, &m), 0);
        assert_int_equal(strtoul(m.event.data.data, NULL, 10), i);
    }
    /* Given up in the middle. */
    struct crier_reader *gone = crier_reader_new(hub, .selector = "**", .since = "earliest");
    assert_int_equal(next(gone, &m), 0);
    crier_reader_free(gone);
    gone = crier_reader_new(hub, .selector = "**", .since = "latest");
    (void)crier_reader_next(gone, &m);
    crier_reader_free(gone);
    crier_reader_free(behind);
    crier_reader_free(other);
    crier_hub_free(hub);
}

/* ---- topics, rules ----------------------------------------------------------------------- */

static bool count_topic(void *ctx, const struct crier_topic_info *info)
{
    unsigned *events = ctx;

    *events += (unsigned)info->events;
    return true;
}

static void rules_and_topics(void **state)
{
    static const char *const rules[] = {"log/*=5", "state/*=1MiB,1d"};
    unsigned log = 0, other = 0;

    struct crier_hub *hub = crier_hub_new(.dir = *state, .sync = "interval=10ms",
                                          .retain = rules, .retain_count = 2, .keep_bytes = 1);
    assert_string_equal(crier_hub_error(hub), "");
    for (int i = 0; i < 50; i++) {
        test_publish(hub, "log/a", NULL, "line");
        test_publish(hub, "state/a", NULL, "on");
    }
    crier_hub_free(hub); /* what is over a limit has left by the next publish at the latest */
    hub = crier_hub_new(.dir = *state, .retain = rules, .retain_count = 2, .keep_bytes = 1);
    test_publish(hub, "state/a", NULL, "off");
    assert_int_equal(
        crier_hub_topics(hub, CRIER_SLICE("log/"), CRIER_SLICE(""), 0, count_topic, &log), 1);
    assert_int_equal(
        crier_hub_topics(hub, CRIER_SLICE("state/"), CRIER_SLICE(""), 0, count_topic, &other),
        1);
    assert_int_equal(log, 5);
    assert_int_equal(other, 51);
    crier_hub_free(hub);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(survives_a_restart), IN_A_FOLDER(refuses),
        IN_A_FOLDER(submit_keeps_order), IN_A_FOLDER(freed_in_done),
        IN_A_FOLDER(reads_on_from_disk), IN_A_FOLDER(rules_and_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
