/* SPDX-License-Identifier: MIT */
/*
 * Readers of a hub whose disk takes its time: next() never stands still, the descriptor tells when
 * to ask again. At the end many of both in threads: worth most under ThreadSanitizer.
 */
#include "slow_support.h"

#include <sched.h>

enum { PATIENCE_MS = 60000 };

static int next(struct crier_reader *reader)
{
    struct crier_message message;

    return crier_reader_next(reader, &message);
}

/* ---- the start --------------------------------------------------------------------------- */

static void start_waits(void **state)
{
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    slow_append(&s, "a", "one");
    slow_append(&s, "a", "two");
    s.slow->every = 1;
    struct crier_reader *reader = crier_reader_new(s.hub, .selector = "a", .since = "last:1");
    assert_non_null(reader);
    assert_string_equal(crier_reader_error(reader), "");
    assert_empty(reader);
    assert_empty(reader);
    assert_int_equal(slow_open(s.slow), 1);
    /* "Last" is what is the last when it is answered. */
    slow_append(&s, "a", "three");
    assert_int_equal(slow_answer(s.slow), 1);
    assert_empty(reader); /* the start is known, the first slice is not */
    assert_int_equal(slow_answer(s.slow), 1);
    test_next(reader, "three");
    assert_int_equal(s.slow->asked, 2);
    crier_reader_free(reader);
    assert_int_equal(slow_open(s.slow), 0);
    crier_hub_free(s.hub);
}

/* Given up with a question open, woken or not. */
static void freed_while_waiting(void **state)
{
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    slow_append(&s, "a", "one");
    s.slow->every = 1;
    for (int i = 0; i < 4; i++) {
        struct crier_reader *reader =
            crier_reader_new(s.hub, .selector = "a", .since = "earliest");
        if (i >= 2) {
            assert_int_equal(slow_answer(s.slow), 1);
            assert_empty(reader);
        }
        if (i & 1)
            assert_int_equal(slow_answer(s.slow), 1);
        assert_int_equal(slow_open(s.slow), 1);
        crier_reader_free(reader);
        assert_int_equal(slow_open(s.slow), 0);
    }
    crier_hub_free(s.hub);
}

/* ---- the descriptor ---------------------------------------------------------------------- */

static void descriptor_tells_when(void **state)
{
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    slow_append(&s, "a", "one");
    s.slow->every = 1;
    struct crier_reader *reader = crier_reader_new(s.hub, .selector = "a", .since = "earliest");
    int fd = crier_reader_fd(reader);
    assert_false(test_readable(fd)); /* the start */
    assert_int_equal(slow_answer(s.slow), 1);
    assert_true(test_readable(fd));
    assert_empty(reader); /* the first slice */
    assert_false(test_readable(fd));
    assert_empty(reader);
    assert_false(test_readable(fd));
    assert_int_equal(slow_answer(s.slow), 1);
    assert_true(test_readable(fd));
    test_next(reader, "one");
    assert_true(test_readable(fd));
    assert_empty(reader); /* is there more? */
    assert_false(test_readable(fd));
    assert_int_equal(slow_answer(s.slow), 1);
    assert_true(test_readable(fd));
    assert_empty(reader); /* no: it sleeps for news */
    assert_false(test_readable(fd));
    assert_int_equal(slow_open(s.slow), 0);
    slow_append(&s, "b", "not for it");
    assert_false(test_readable(fd));
    slow_append(&s, "a", "two");
    assert_true(test_readable(fd));
    assert_empty(reader);
    assert_false(test_readable(fd));
    assert_int_equal(slow_answer(s.slow), 1);
    assert_true(test_readable(fd));
    test_next(reader, "two");
    crier_reader_free(reader);
    crier_hub_free(s.hub);
}

/* Made while it waits, or after it was woken. */
static void descriptor_made_late(void **state)
{
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    slow_append(&s, "a", "one");
    s.slow->every = 1;
    for (int i = 0; i < 4; i++) {
        bool woken = i & 1;
        struct crier_reader *reader =
            crier_reader_new(s.hub, .selector = "a", .since = "earliest");

        if (i >= 2) { /* not for the start, for a slice */
            assert_int_equal(slow_answer(s.slow), 1);
            assert_empty(reader);
        }
        if (woken)
            assert_int_equal(slow_answer(s.slow), 1);
        int fd = crier_reader_fd(reader);
        assert_int_equal(test_readable(fd), woken);
        if (!woken)
            assert_int_equal(slow_answer(s.slow), 1);
        assert_true(test_readable(fd));
        if (i < 2) {
            assert_empty(reader);
            assert_int_equal(slow_answer(s.slow), 1);
            assert_true(test_readable(fd));
        }
        test_next(reader, "one");
        crier_reader_free(reader);
    }
    crier_hub_free(s.hub);
}

/* ---- errors ------------------------------------------------------------------------------ */

/* They are answered, each time, and nothing is passed over. */
static void errors_stay(void **state)
{
    struct slow_hub s;

    slow_hub_init(&s, NULL);
    slow_append(&s, "a", "one");
    s.slow->read_error = -EIO;
    struct crier_reader *reader = crier_reader_new(s.hub, .selector = "a", .since = "earliest");
    assert_non_null(reader);
    int fd = crier_reader_fd(reader);
    assert_true(test_readable(fd));
    assert_int_equal(next(reader), CRIER_EIO);
    assert_int_equal(next(reader), CRIER_EIO);
    assert_true(test_readable(fd));
    s.slow->read_error = 0;
    test_next(reader, "one");
    assert_empty(reader);
    assert_false(test_readable(fd));

    slow_append(&s, "a", "two");
    s.slow->every = 1;
    assert_empty(reader);
    s.slow->read_error = -EIO;
    assert_int_equal(slow_answer(s.slow), 1);
    assert_true(test_readable(fd));
    s.slow->every = 0;
    assert_int_equal(next(reader), CRIER_EIO);
    assert_true(test_readable(fd));
    assert_int_equal(next(reader), CRIER_EIO);
    s.slow->read_error = 0;
    test_next(reader, "two");
    crier_reader_free(reader);

    s.slow->read_error = -ENOMEM;
    assert_null(crier_reader_new(s.hub, .selector = "a", .since = "earliest"));
    crier_hub_free(s.hub);
}

/* Picks are read through the disk too, and their start is asked once. */
static void latest_waits(void **state)
{
    struct slow_hub s;
    unsigned waits = 0;

    slow_hub_init(&s, NULL);
    slow_append(&s, "a", "old");
    slow_append(&s, "b", "one");
    slow_append(&s, "a", "two");
    s.slow->every = 1;
    struct crier_reader *reader = crier_reader_new(s.hub, .selector = "*", .since = "latest");
    const char *expected[] = {"one", "two"};
    for (size_t i = 0; i < 2; waits++) {
        struct crier_message m;
        int r = crier_reader_next(reader, &m);

        if (r == 0)
            assert_slice_equal(m.event.data, crier_slice_of(expected[i++]));
        else
            assert_int_equal(r, CRIER_EMPTY);
        (void)slow_answer(s.slow);
        assert_true(waits < 20);
    }
    crier_reader_free(reader);
    crier_hub_free(s.hub);
}

/* ---- threads ----------------------------------------------------------------------------- */

enum { PUBLISHERS = 3, READERS = 4, EACH = 1500 };

struct world {
    struct slow_hub s;
    _Atomic unsigned errors, done;
};

struct publisher {
    struct world *world;
    unsigned id;
    _Atomic unsigned next_done;
};

struct submitted {
    struct publisher *publisher;
    unsigned number;
};

static void expect(struct world *world, bool truth)
{
    if (!truth)
        atomic_fetch_add(&world->errors, 1);
}

/* In the order of submission, each once. */
static void count_done(int result, const struct crier_receipt *receipt, void *ctx)
{
    struct submitted *one = ctx;
    struct world *world = one->publisher->world;

    expect(world, result == 0 && receipt);
    expect(world, atomic_fetch_add(&one->publisher->next_done, 1) == one->number);
    atomic_fetch_add(&world->done, 1);
    free(one);
}

static void *run_publisher(void *ctx)
{
    struct publisher *self = ctx;
    char topic[16], data[32];

    snprintf(topic, sizeof(topic), "t/%u", self->id);
    for (unsigned i = 0; i < EACH; i++) {
        struct submitted *one = malloc(sizeof(*one));
        struct crier_publication p = slow_publication(topic, data);

        if (!one)
            abort();
        *one = (struct submitted){self, i};
        snprintf(data, sizeof(data), "%u %u", self->id, i);
        p.event.data = crier_slice_of(data);
        expect(self->world, crier_hub_submit(self->world->s.hub, &p, count_done, one) == 0);
        if (i % 64 == 0)
            sched_yield();
    }
    return NULL;
}

struct follower {
    struct world *world;
    bool late_fd;
};

static bool wait_for_more(struct crier_reader *reader)
{
    struct pollfd p = {.fd = crier_reader_fd(reader), .events = POLLIN};

    return p.fd >= 0 && poll(&p, 1, PATIENCE_MS) == 1;
}

/* Sees everything, each publisher's in order. */
static void *run_follower(void *ctx)
{
    struct follower *self = ctx;
    struct world *world = self->world;
    struct crier_reader *reader =
        crier_reader_new(world->s.hub, .selector = "t/*", .since = "earliest");
    unsigned expected[PUBLISHERS] = {0}, seen = 0, spins = self->late_fd ? 50 : 0;
    struct crier_message m;

    while (seen < PUBLISHERS * EACH) {
        unsigned id = PUBLISHERS, number = 0;
        int r = crier_reader_next(reader, &m);

        if (r == CRIER_EMPTY && spins > 0) {
            spins--;
            sched_yield();
        } else if (r == CRIER_EMPTY && wait_for_more(reader)) {
            continue;
        } else if (r == 0 && sscanf(m.event.data.data, "%u %u", &id, &number) == 2 &&
                   id < PUBLISHERS && number == expected[id]) {
            expected[id]++;
            seen++;
        } else {
            expect(world, false);
            break;
        }
    }
    crier_reader_free(reader);
    return NULL;
}

/* Readers that come and go while the disk answers. */
static void *run_visitor(void *ctx)
{
    struct world *world = ctx;

    for (int i = 0; i < 300; i++) {
        struct crier_reader *reader =
            crier_reader_new(world->s.hub, .selector = "t/1", .since = "last:5");
        struct crier_message m;

        if (i % 3 == 0)
            expect(world, crier_reader_fd(reader) >= 0);
        expect(world, crier_reader_next(reader, &m) >= 0);
        if (i % 3 == 1)
            expect(world, crier_reader_fd(reader) >= 0);
        expect(world, crier_reader_next(reader, &m) >= 0);
        crier_reader_free(reader);
    }
    return NULL;
}

static void threads(void **state)
{
    struct publisher publishers[PUBLISHERS];
    struct follower followers[READERS];
    pthread_t writing[PUBLISHERS], reading[READERS], visiting;
    struct world world = {.errors = 0};

    slow_hub_init(&world.s, NULL);
    world.s.slow->every = 3;
    slow_start(world.s.slow);
    for (unsigned i = 0; i < READERS; i++) {
        followers[i] = (struct follower){&world, i & 1};
        assert_int_equal(pthread_create(&reading[i], NULL, run_follower, &followers[i]), 0);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){.world = &world, .id = i};
        assert_int_equal(pthread_create(&writing[i], NULL, run_publisher, &publishers[i]), 0);
    }
    assert_int_equal(pthread_create(&visiting, NULL, run_visitor, &world), 0);
    for (unsigned i = 0; i < PUBLISHERS; i++)
        pthread_join(writing[i], NULL);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(reading[i], NULL);
    pthread_join(visiting, NULL);
    crier_hub_free(world.s.hub);
    assert_int_equal(atomic_load(&world.errors), 0);
    assert_int_equal(atomic_load(&world.done), PUBLISHERS * EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_waits),
        cmocka_unit_test(freed_while_waiting),
        cmocka_unit_test(descriptor_tells_when),
        cmocka_unit_test(descriptor_made_late),
        cmocka_unit_test(errors_stay),
        cmocka_unit_test(latest_waits),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
