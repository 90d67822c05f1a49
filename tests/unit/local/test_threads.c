/* SPDX-License-Identifier: MIT */
/*
 * Many threads publish while readers in others follow by poll() on their descriptor: worth most
 * under ThreadSanitizer. Failures in threads are counted and asserted by the main one. Nobody
 * waits by time, but a reader that is not woken for a minute has lost a wake-up.
 */
#include "local_support.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

enum { PUBLISHERS = 3, READERS = 5, PER_PUBLISHER = 3000, RALLIES = 3000, PATIENCE_MS = 60000 };

struct world {
    struct crier_hub *hub;
    _Atomic int errors;
    _Atomic bool over; /* all is published */
};

struct publisher {
    struct world *world;
    unsigned id;
};

struct follower {
    struct world *world;
    const char *selector;
    uint64_t expected[PUBLISHERS]; /* each one's next sequence; UINT64_MAX after a gap */
    uint64_t seen, gaps, waits;
    bool all; /* must see every event */
};

static void expect(struct world *world, bool truth)
{
    if (!truth)
        atomic_fetch_add(&world->errors, 1);
}

/* Every other event goes past the hub's own calls, as those of a server's workers do. */
static void append_directly(struct world *world, const char *topic, const char *data)
{
    char sse[80];
    struct crier_draft draft = {.topics = {crier_slice_of(topic)}, .topic_count = 1};

    snprintf(sse, sizeof(sse), "data: %s\n\n", data);
    draft.sse = crier_slice_of(sse);
    crier_journal_append(world->hub->journal, &draft, 1, crier_hub_now(world->hub));
    expect(world, draft.result == 0);
}

static void *run_publisher(void *ctx)
{
    struct publisher *p = ctx;
    char topic[8], data[40];

    snprintf(topic, sizeof(topic), "t/%u", p->id);
    for (unsigned i = 0; i < PER_PUBLISHER; i++) {
        snprintf(data, sizeof(data), "%u %u", p->id, i);
        if (i % 2)
            append_directly(p->world, topic, data);
        else
            expect(p->world, crier_hub_publishf(p->world->hub, topic, i % 3 ? "x" : NULL, "%s",
                                                data) == 0);
        sched_yield(); /* so that readers catch up and fall asleep in between */
    }
    return NULL;
}

static void take(struct follower *f, const struct crier_message *m)
{
    unsigned id = PUBLISHERS, sequence = 0;

    int read = sscanf(m->event.data.data, "%u %u", &id, &sequence);
    expect(f->world, read == 2 && id < PUBLISHERS);
    id %= PUBLISHERS;
    expect(f->world, f->expected[id] == UINT64_MAX || f->expected[id] == sequence);
    f->expected[id] = sequence + 1;
    f->seen++;
}

static bool wait_for_more(struct follower *f, struct crier_reader *reader)
{
    struct pollfd p = {.fd = crier_reader_fd(reader), .events = POLLIN};

    f->waits++;
    return p.fd >= 0 && poll(&p, 1, PATIENCE_MS) == 1;
}

/* Until the last event, or (lossy) until all is published and read. */
static void *run_follower(void *ctx)
{
    struct follower *f = ctx;
    struct crier_reader *reader =
        crier_reader_new(f->world->hub, .selector = f->selector, .since = "earliest");
    uint64_t total = strchr(f->selector, '*') ? PUBLISHERS * PER_PUBLISHER : PER_PUBLISHER;
    struct crier_message m;

    for (;;) {
        bool over = atomic_load(&f->world->over);
        int r = crier_reader_next(reader, &m);
        if (r == 0) {
            take(f, &m);
        } else if (r == CRIER_GAP) {
            f->gaps++;
            for (size_t i = 0; i < PUBLISHERS; i++)
                f->expected[i] = UINT64_MAX;
        } else if (r != CRIER_EMPTY || f->seen == total || (over && !f->all)) {
            expect(f->world, r == CRIER_EMPTY);
            break;
        } else if (!wait_for_more(f, reader)) {
            expect(f->world, false);
            break;
        }
    }
    expect(f->world, !f->all || (f->seen == total && !f->gaps));
    crier_reader_free(reader);
    return NULL;
}

/* One more event: who fell asleep before all was over looks again. */
static void wake_last(struct world *world, unsigned id)
{
    char topic[8], data[40];

    snprintf(topic, sizeof(topic), "t/%u", id);
    snprintf(data, sizeof(data), "%u %u", id, (unsigned)PER_PUBLISHER);
    append_directly(world, topic, data);
}

static bool count_topic(void *ctx, const struct crier_topic_info *info)
{
    (void)info;
    ++*(int *)ctx;
    return true;
}

/* Asks, and makes readers that go while they sleep. */
static void *run_meddler(void *ctx)
{
    struct world *world = ctx;
    struct crier_hub_stats stats;
    struct crier_message m;

    while (!atomic_load(&world->over)) {
        struct crier_reader *reader = crier_reader_new(world->hub, .selector = "t/0");
        int count = 0;

        expect(world, crier_reader_fd(reader) >= 0);
        int r = crier_reader_next(reader, &m);
        expect(world, r == 0 || r == CRIER_EMPTY || r == CRIER_GAP);
        expect(world, crier_hub_stats(world->hub, &stats) == 0);
        crier_hub_topics(world->hub, CRIER_SLICE("t/"), CRIER_SLICE(""), 0, count_topic,
                         &count);
        expect(world, count <= PUBLISHERS);
        expect(world, crier_hub_forget(world->hub, CRIER_SLICE("nobody's")) == 0);
        crier_reader_free(reader);
    }
    return NULL;
}

static void run_world(struct world *world, bool all)
{
    static const char *const selectors[READERS] = {"t/0", "t/1", "t/2", "t/*", "**"};
    struct publisher publishers[PUBLISHERS];
    struct follower followers[READERS];
    pthread_t publishing[PUBLISHERS], following[READERS], meddling;

    for (int i = 0; i < READERS; i++) {
        followers[i] = (struct follower){.world = world, .selector = selectors[i], .all = all};
        /* Where history is short it may begin anywhere. */
        for (int p = 0; p < PUBLISHERS && !all; p++)
            followers[i].expected[p] = UINT64_MAX;
        assert_int_equal(pthread_create(&following[i], NULL, run_follower, &followers[i]), 0);
    }
    assert_int_equal(pthread_create(&meddling, NULL, run_meddler, world), 0);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){world, i};
        assert_int_equal(pthread_create(&publishing[i], NULL, run_publisher, &publishers[i]),
                         0);
    }
    for (int i = 0; i < PUBLISHERS; i++)
        pthread_join(publishing[i], NULL);
    atomic_store(&world->over, true);
    for (unsigned i = 0; i < PUBLISHERS && !all; i++)
        wake_last(world, i);
    for (int i = 0; i < READERS; i++)
        pthread_join(following[i], NULL);
    pthread_join(meddling, NULL);
    for (int i = 0; i < READERS; i++)
        print_message("%s: %d events, %d gaps, %d waits\n", selectors[i],
                      (int)followers[i].seen, (int)followers[i].gaps, (int)followers[i].waits);
}

/* History holds all: every reader sees every event of its topics once, in order. */
static void nothing_is_lost(void **state)
{
    struct world world = {.hub = crier_hub_new()};

    run_world(&world, true);
    assert_int_equal(atomic_load(&world.errors), 0);
    crier_memory_check(world.hub->journal);
    crier_hub_free(world.hub);
}

/* History is short: what is missing is missing behind a gap only. */
static void gaps_are_told(void **state)
{
    struct world world = {.hub = crier_hub_new(.history_events = 50, .keep_bytes = 1)};

    run_world(&world, false);
    assert_int_equal(atomic_load(&world.errors), 0);
    crier_memory_check(world.hub->journal);
    crier_hub_free(world.hub);
}

struct rally {
    struct world *world;
    const char *selector;
    sem_t taken;
};

static void *run_receiver(void *ctx)
{
    struct rally *rally = ctx;
    struct crier_reader *reader =
        crier_reader_new(rally->world->hub, .selector = rally->selector, .since = "earliest");
    struct follower f = {.world = rally->world};
    struct crier_message m;

    for (int i = 0; i < RALLIES;) {
        int r = crier_reader_next(reader, &m);
        if (r == 0) {
            i++;
            sem_post(&rally->taken);
        } else if (r != CRIER_EMPTY || !wait_for_more(&f, reader)) {
            expect(rally->world, false);
            break;
        }
    }
    /* At most once in vain for each event: nobody spins. */
    expect(rally->world, f.waits <= 2 * RALLIES);
    crier_reader_free(reader);
    return NULL;
}

static bool wait_until_taken(struct rally *rally)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    return sem_timedwait(&rally->taken, &until) == 0;
}

/* One event at a time, taken before the next is published: each falls into a sleep, or into the
 * moment of falling asleep. */
static void every_wake_arrives(void **state)
{
    struct world world = {.hub = crier_hub_new()};
    struct rally rallies[] = {{.world = &world, .selector = "t/0"},
                              {.world = &world, .selector = "t/*"}};
    pthread_t receiving[2];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(sem_init(&rallies[i].taken, 0, 0), 0);
        assert_int_equal(pthread_create(&receiving[i], NULL, run_receiver, &rallies[i]), 0);
    }
    for (int i = 0; i < RALLIES; i++) {
        test_publish(world.hub, "t/0", NULL, "x");
        assert_true(wait_until_taken(&rallies[0]) && wait_until_taken(&rallies[1]));
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(receiving[i], NULL);
        sem_destroy(&rallies[i].taken);
    }
    assert_int_equal(atomic_load(&world.errors), 0);
    crier_hub_free(world.hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(gaps_are_told),
        cmocka_unit_test(every_wake_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
