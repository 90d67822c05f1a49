/* SPDX-License-Identifier: MIT */
/* What the tests of the library's server share: a server on a clock moved by hand, and peers. */
#ifndef CRIER_TESTS_UNIT_SERVER_SUPPORT_H
#define CRIER_TESTS_UNIT_SERVER_SUPPORT_H

#include "support.h"

#include "crier/testing.h"

struct test_server {
    struct crier_test_clock *clock;
    struct crier_server *server;
};

/* A handler that notes what it was given is told apart by this. */
struct test_calls {
    int count;
    struct crier_stream *stream; /* the last one opened */
    struct crier_ref ref;
    int closed;
    enum crier_close why;
    struct crier_stream *closed_stream;
};

static inline void test_on_close(struct crier_stream *stream, enum crier_close why, void *ctx)
{
    struct test_calls *calls = ctx;

    calls->closed++;
    calls->why = why;
    calls->closed_stream = stream;
    calls->stream = NULL;
}

/* The usual handler: opens a stream and notes it. */
static inline void test_open(struct crier_request *request, void *ctx)
{
    struct test_calls *calls = ctx;

    calls->count++;
    calls->stream = crier_stream_open(request, .on_close = test_on_close, .ctx = calls);
    assert_non_null(calls->stream);
}

/* options.clock and .size are set here. */
static inline void test_server_init(struct test_server *t, struct crier_server_options options)
{
    t->clock = crier_test_clock_new();
    assert_non_null(t->clock);
    options.size = sizeof(options);
    options.clock = crier_test_clock_of(t->clock);
    t->server = crier_server_new_with(&options);
    assert_non_null(t->server);
    assert_string_equal(crier_server_error(t->server), "");
}

static inline void test_server_deinit(struct test_server *t)
{
    assert_null(crier_server_free(t->server));
    assert_null(crier_test_clock_free(t->clock));
}

static inline void test_route(struct test_server *t,
                              const char *method,
                              const char *pattern,
                              crier_handler *handler,
                              void *ctx)
{
    assert_int_equal(crier_server_route(t->server, method, pattern, handler, ctx), 0);
}

static inline void test_advance(struct test_server *t, uint64_t ms)
{
    crier_test_clock_advance(t->clock, ms);
    assert_int_equal(crier_test_settle(t->server), 0);
}

static inline struct crier_test_peer *test_peer(struct test_server *t)
{
    struct crier_test_peer *peer = crier_test_connect(t->server);

    assert_non_null(peer);
    return peer;
}

/* A peer that has sent a GET. */
static inline struct crier_test_peer *test_get(struct test_server *t, const char *path)
{
    struct crier_test_peer *peer = test_peer(t);

    assert_int_equal(crier_test_get(peer, path), 0);
    return peer;
}

static inline bool test_has(struct crier_test_peer *peer, const char *text)
{
    return strstr(crier_test_received(peer).data, text) != NULL;
}

/* Prints what there is when it is not what was meant. */
#define assert_received(peer, text)                                                            \
    do {                                                                                       \
        if (!test_has((peer), (text))) {                                                       \
            print_error("no \"%s\" in:\n%s\n", (text), crier_test_received(peer).data);        \
            fail();                                                                            \
        }                                                                                      \
    } while (0)
#define assert_not_received(peer, text) assert_false(test_has((peer), (text)))

/* How often does it occur? */
static inline int test_count(struct crier_test_peer *peer, const char *text)
{
    const char *at = crier_test_received(peer).data;
    int count = 0;

    while ((at = strstr(at, text)) != NULL) {
        count++;
        at += strlen(text);
    }
    return count;
}

#endif
