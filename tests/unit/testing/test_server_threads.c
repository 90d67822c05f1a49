/* SPDX-License-Identifier: MIT */
/*
 * The server under threads: four workers over real sockets, clients that come, read and leave
 * in several ways, threads that post to their streams, finish them, answer requests that were
 * put off, publish, ask for counters; then a stop from another thread. Bounded, and worth most
 * under ThreadSanitizer.
 *
 * Failures in threads are counted and asserted by the main one. Nobody waits by time, but a
 * client that gets nothing for a minute has been forgotten.
 */
#include "support.h"

#include "base/buf.h"
#include "base/rng.h"
#include "crier/server.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum {
    WORKERS = 4,
    POSTERS = 8,
    CLIENTS = 4,
    VISITS = 40, /* of a client */
    STAYING = 8,
    ROUNDS = 50,
    PLACES = 64,   /* references that are known */
    ENOUGH = 3000, /* bytes after which a client leaves */
    PATIENCE_MS = 60000,
};

struct world {
    struct crier_server *server;
    struct crier_hub *hub;
    int port, run_result;
    pthread_mutex_t mutex; /* of the references */
    struct crier_ref streams[PLACES], requests[PLACES];
    _Atomic int errors, opened, closed, refused;
    _Atomic unsigned next_place;
    _Atomic uint64_t posted, gone, full, replied;
    _Atomic bool over;
};

/* One stream's, and only touched by its worker. */
struct job {
    struct world *world;
    unsigned ticks;
    bool finishes;
    bool is_closed;
};

struct thread {
    struct world *world;
    unsigned id;
    pthread_t thread;
};

static void expect_at(struct world *w, bool truth, int line)
{
    if (truth)
        return;
    fprintf(stderr, "line %d\n", line);
    atomic_fetch_add(&w->errors, 1);
}
#define expect(w, truth) expect_at((w), (truth), __LINE__)

static void make_known(struct world *w, struct crier_ref *table, struct crier_ref ref)
{
    unsigned place = atomic_fetch_add(&w->next_place, 1) % PLACES;

    pthread_mutex_lock(&w->mutex);
    table[place] = ref;
    pthread_mutex_unlock(&w->mutex);
}

static struct crier_ref any_known(struct world *w, struct crier_ref *table, uint64_t which)
{
    struct crier_ref ref;

    pthread_mutex_lock(&w->mutex);
    ref = table[which % PLACES];
    pthread_mutex_unlock(&w->mutex);
    return ref;
}

/* ---- the server's side ------------------------------------------------------------------ */

static void on_close(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct job *job = ctx;

    expect(job->world, !job->is_closed);
    job->is_closed = true;
    if (stream)
        atomic_fetch_add(&job->world->closed, 1);
    else
        atomic_fetch_add(&job->world->refused, 1);
    free(job);
}

static int tick(struct crier_stream *stream, void *ctx)
{
    struct job *job = ctx;

    expect(job->world, !job->is_closed);
    if (crier_stream_sendf(stream, "tick", "%u", job->ticks) == 0)
        job->ticks++;
    if (job->finishes && job->ticks >= 20)
        return crier_stream_finish(stream);
    return 0;
}

static void open_stream(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;
    struct job *job = calloc(1, sizeof(*job));
    struct crier_stream *s;

    if (!job)
        return;
    job->world = w;
    job->finishes = crier_request_query(request, "finish").data != NULL;
    atomic_fetch_add(&w->opened, 1);
    s = crier_stream_open(request, .on_close = on_close, .ctx = job);
    if (!s)
        return;
    expect(w, crier_stream_every(s, 2, tick, job) == 0);
    expect(w, crier_stream_follow(s, w->hub, "a") == 0);
    make_known(w, w->streams, crier_stream_ref(s));
}

static void put_off(struct crier_request *request, void *ctx)
{
    struct world *w = ctx;

    make_known(w, w->requests, crier_request_later(request));
}

/* ---- other threads ---------------------------------------------------------------------- */

static void post_one(struct thread *t, struct crier_rng *rng, unsigned seq)
{
    struct world *w = t->world;
    struct crier_ref ref = any_known(w, w->streams, crier_rng_next(rng));
    char text[64];
    int len = snprintf(text, sizeof(text), "%u %u", t->id, seq), r;
    const struct crier_event event = {.data = {text, (size_t)len}, .type = CRIER_SLICE("post")};

    r = crier_server_post(w->server, ref, &event);
    expect(w, r == 0 || r == CRIER_GONE || r == CRIER_FULL);
    atomic_fetch_add(r == 0 ? &w->posted : r == CRIER_GONE ? &w->gone : &w->full, 1);
}

static void reply_one(struct thread *t, struct crier_rng *rng)
{
    struct world *w = t->world;
    int r = crier_server_reply(w->server, any_known(w, w->requests, crier_rng_next(rng)), 200,
                               "text/plain", CRIER_SLICE("answer"));

    expect(w, r == 0 || r == CRIER_GONE);
    atomic_fetch_add(&w->replied, r == 0);
}

static void *post(void *ctx)
{
    struct thread *t = ctx;
    struct world *w = t->world;
    struct crier_rng rng = {t->id};

    for (unsigned seq = 0; !atomic_load(&w->over); seq++) {
        struct crier_server_stats stats;

        post_one(t, &rng, seq);
        reply_one(t, &rng);
        if (t->id == 0 && seq % 16 == 0)
            expect(w, crier_hub_publishf(w->hub, "a", "hub", "%u", seq / 16) == 0);
        if (t->id == 1 && seq % 64 == 0)
            (void)crier_server_finish(w->server,
                                      any_known(w, w->streams, crier_rng_next(&rng)));
        if (t->id == 2)
            expect(w, crier_server_stats(w->server, &stats) == 0);
        sched_yield();
    }
    return NULL;
}

/* ---- clients ---------------------------------------------------------------------------- */

static int dial(struct world *w)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)w->port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    expect(w, fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void ask(struct world *w, int fd, const char *path)
{
    char text[200];
    int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

    expect(w, send(fd, text, (size_t)len, MSG_NOSIGNAL) == len);
}

/* Until there is enough, `until` is in it, or it ends. true: it ended. */
static bool
read_some(struct world *w, int fd, size_t enough, const char *until, struct crier_buf *got)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, PATIENCE_MS) <= 0 || crier_buf_reserve(got, 4097) < 0) {
            expect(w, false);
            return true;
        }
        n = recv(fd, got->data + got->len, 4096, 0);
        if (n <= 0)
            return true;
        got->len += (size_t)n;
        got->data[got->len] = '\0';
        if (got->len >= enough || (until && strstr(got->data, until)))
            return false;
    }
}

static void
dechunk(struct world *w, struct crier_slice raw, struct crier_buf *text, bool *ret_over)
{
    *ret_over = false;
    while (raw.len > 0) {
        const char *end = memmem(raw.data, raw.len, "\r\n", 2);
        size_t size, at;

        if (!end)
            return;
        size = strtoul(raw.data, NULL, 16);
        at = (size_t)(end - raw.data) + 2;
        if (size == 0) {
            *ret_over = true;
            expect(w, raw.len == at + 2);
            return;
        }
        crier_buf_append(text, crier_slice_sub(raw, at, size));
        raw = crier_slice_sub(raw, at + size + 2, raw.len);
    }
}

static void check_item(struct world *w,
                       const struct crier_item *item,
                       long last[POSTERS],
                       long *tick_at,
                       long *hub_at)
{
    long a = 0, b = 0;
    char text[64];

    snprintf(text, sizeof(text), "%.*s", CRIER_SLICE_ARG(item->data));
    if (crier_slice_eq(item->type, CRIER_SLICE("post"))) {
        expect(w, sscanf(text, "%ld %ld", &a, &b) == 2 && a >= 0 && a < POSTERS);
        expect(w, b > last[a]);
        last[a] = b;
        expect(w, !item->own_id);
    } else if (crier_slice_eq(item->type, CRIER_SLICE("tick"))) {
        expect(w, strtol(text, NULL, 10) == ++*tick_at);
    } else if (crier_slice_eq(item->type, CRIER_SLICE("hub"))) {
        a = strtol(text, NULL, 10);
        expect(w, *hub_at < 0 || a == *hub_at + 1);
        expect(w, item->own_id);
        *hub_at = a;
    } else {
        expect(w, crier_slice_eq(item->type, CRIER_SLICE("crier:connected")));
    }
}

static void check_stream(struct world *w, const struct crier_buf *got, bool ended)
{
    const char *head_end = got->len ? strstr(got->data, "\r\n\r\n") : NULL;
    struct crier_parser *parser = crier_parser_new();
    struct crier_buf text;
    struct crier_item item;
    long last[POSTERS], tick_at = -1, hub_at = -1;
    bool over;
    size_t at;

    expect(w, head_end && strncmp(got->data, "HTTP/1.1 200", 12) == 0);
    for (int i = 0; i < POSTERS; i++)
        last[i] = -1;
    crier_buf_init(&text, &crier_mem_libc);
    if (head_end && parser) {
        at = (size_t)(head_end - got->data) + 4;
        dechunk(w, crier_slice_sub(crier_buf_slice(got), at, got->len), &text, &over);
        expect(w, over || !ended);
        expect(w, crier_parser_feed(parser, crier_buf_slice(&text)) == 0);
        while (crier_parser_next(parser, &item) == 0) {
            if (item.kind == CRIER_ITEM_EVENT)
                check_item(w, &item, last, &tick_at, &hub_at);
        }
    }
    crier_buf_deinit(&text);
    crier_parser_free(parser);
}

static void visit(struct world *w, unsigned how)
{
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};
    struct crier_buf got;
    int fd = dial(w);
    bool ended;

    crier_buf_init(&got, &crier_mem_libc);
    if (how == 0) {
        ask(w, fd, "/later");
        ended = read_some(w, fd, SIZE_MAX, "answer", &got);
        expect(w, !ended);
    } else if (how == 1) { /* gone before the answer */
        ask(w, fd, "/later");
    } else {
        ask(w, fd, how == 2 ? "/stream?finish=1" : "/stream");
        ended = read_some(w, fd, how == 2 ? SIZE_MAX : ENOUGH, NULL, &got);
        check_stream(w, &got, ended);
    }
    if (how == 3)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    crier_buf_deinit(&got);
}

static void *come_and_go(void *ctx)
{
    struct thread *t = ctx;

    for (unsigned i = 0; i < VISITS; i++)
        visit(t->world, (i + t->id) % 5);
    return NULL;
}

/* Stays until the end that the stop brings. */
static void *stay(void *ctx)
{
    struct thread *t = ctx;
    struct crier_buf got;
    int fd = dial(t->world);
    const char *end;

    crier_buf_init(&got, &crier_mem_libc);
    ask(t->world, fd, "/stream");
    expect(t->world, read_some(t->world, fd, SIZE_MAX, NULL, &got));
    /* Whoever was told to finish by a thread, or stopped, was told so cleanly. */
    check_stream(t->world, &got, true);
    end = got.len ? got.data + got.len - 5 : "";
    expect(t->world, strcmp(end, "0\r\n\r\n") == 0);
    close(fd);
    crier_buf_deinit(&got);
    return NULL;
}

static void *run(void *ctx)
{
    struct world *w = ctx;

    w->run_result = crier_server_run(w->server);
    return NULL;
}

static void start(struct thread *threads, int count, struct world *w, void *(*fn)(void *))
{
    for (int i = 0; i < count; i++) {
        threads[i] = (struct thread){.world = w, .id = (unsigned)i};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, fn, &threads[i]), 0);
    }
}

static void join(struct thread *threads, int count)
{
    for (int i = 0; i < count; i++)
        pthread_join(threads[i].thread, NULL);
}

static void many_threads(void **state)
{
    struct world w = {.hub = crier_hub_new()};
    struct thread posters[POSTERS], clients[CLIENTS], staying[CLIENTS];
    pthread_t runner;

    assert_non_null(w.hub);
    assert_int_equal(pthread_mutex_init(&w.mutex, NULL), 0);
    w.server = crier_server_new(.workers = WORKERS, .grace_ms = PATIENCE_MS);
    assert_non_null(w.server);
    assert_int_equal(crier_server_route(w.server, "GET", "/stream", open_stream, &w), 0);
    assert_int_equal(crier_server_route(w.server, "GET", "/later", put_off, &w), 0);
    assert_int_equal(crier_server_listen(w.server), 0);
    w.port = crier_server_port(w.server);
    start(posters, POSTERS, &w, post); /* also before it runs */
    assert_int_equal(pthread_create(&runner, NULL, run, &w), 0);
    start(staying, CLIENTS, &w, stay);
    start(clients, CLIENTS, &w, come_and_go);
    join(clients, CLIENTS);
    /* Those who stay are all there; some may have been finished meanwhile. */
    while (atomic_load(&w.opened) < CLIENTS * VISITS * 3 / 5 + CLIENTS)
        sched_yield();
    assert_int_equal(crier_server_stop(w.server), 0);
    pthread_join(runner, NULL);
    join(staying, CLIENTS);
    atomic_store(&w.over, true);
    join(posters, POSTERS);
    assert_int_equal(w.run_result, 0);
    assert_int_equal(atomic_load(&w.closed), atomic_load(&w.opened));
    assert_int_equal(atomic_load(&w.refused), 0);
    assert_null(crier_server_free(w.server));
    crier_hub_free(w.hub);
    pthread_mutex_destroy(&w.mutex);
    print_message(
        "%d streams, %llu posted, %llu gone, %llu full, %llu replies\n", atomic_load(&w.opened),
        (unsigned long long)atomic_load(&w.posted), (unsigned long long)atomic_load(&w.gone),
        (unsigned long long)atomic_load(&w.full), (unsigned long long)atomic_load(&w.replied));
    assert_int_equal(atomic_load(&w.errors), 0);
    assert_true(atomic_load(&w.posted) > 0 && atomic_load(&w.replied) > 0);
}

/* Invariant: a stop gives the streams of every worker their end, whichever sees it first. */
static void stops(void **state)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct world w = {.hub = crier_hub_new()};
        struct thread staying[STAYING];
        pthread_t runner;

        assert_int_equal(pthread_mutex_init(&w.mutex, NULL), 0);
        w.server = crier_server_new(.workers = WORKERS, .grace_ms = PATIENCE_MS);
        assert_int_equal(crier_server_route(w.server, "GET", "/stream", open_stream, &w), 0);
        assert_int_equal(crier_server_listen(w.server), 0);
        w.port = crier_server_port(w.server);
        assert_int_equal(pthread_create(&runner, NULL, run, &w), 0);
        start(staying, STAYING, &w, stay);
        while (atomic_load(&w.opened) < STAYING)
            sched_yield();
        assert_int_equal(crier_server_stop(w.server), 0);
        pthread_join(runner, NULL);
        join(staying, STAYING);
        assert_int_equal(w.run_result, 0);
        assert_int_equal(atomic_load(&w.closed), STAYING);
        assert_int_equal(atomic_load(&w.errors), 0);
        assert_null(crier_server_free(w.server));
        crier_hub_free(w.hub);
        pthread_mutex_destroy(&w.mutex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads),
        cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests_name("server_threads", tests, NULL, NULL);
}
