/* SPDX-License-Identifier: MIT */
/* For tests of requests: raw ones, sent over a peer, and handlers that say what they saw. */
#ifndef CRIER_TESTS_UNIT_REQUEST_SUPPORT_H
#define CRIER_TESTS_UNIT_REQUEST_SUPPORT_H

#include "server_support.h"

/* The request line's beginning and further header lines; a Host is added, the end too. */
static inline void test_send(struct crier_test_peer *peer, const char *text)
{
    assert_int_equal(crier_test_send(peer, crier_slice_of(text)), 0);
}

/* "GET /path" and "Name: value\r\n..."; a body follows by itself. */
static inline void test_ask(struct crier_test_peer *peer, const char *line, const char *headers)
{
    char text[4096];

    assert_true(snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", line,
                         headers) < (int)sizeof(text));
    crier_test_forget(peer);
    test_send(peer, text);
}

/* A new peer asks one thing. */
static inline struct crier_test_peer *
test_asked(struct test_server *t, const char *line, const char *headers)
{
    struct crier_test_peer *peer = test_peer(t);

    test_ask(peer, line, headers);
    return peer;
}

static inline const char *test_received(struct crier_test_peer *peer)
{
    return crier_test_received(peer).data;
}

/* The status of the first answer; 0: there is none. */
static inline int test_status(struct crier_test_peer *peer)
{
    const char *text = test_received(peer);

    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? (int)strtol(text + 9, NULL, 10) : 0;
}

/* The first answer's body: all behind its head. */
static inline const char *test_body(struct crier_test_peer *peer)
{
    const char *end = strstr(test_received(peer), "\r\n\r\n");

    return end ? end + 4 : "";
}

/* One request over a new peer: its status, and what has to stand in the answer. */
static inline void assert_answer_at(struct test_server *t,
                                    const char *line,
                                    const char *headers,
                                    int status,
                                    const char *text,
                                    int at)
{
    struct crier_test_peer *peer = test_asked(t, line, headers);

    if (test_status(peer) != status || !strstr(test_received(peer), text)) {
        print_error("%s: not %d \"%s\" but\n%s\n", line, status, text, test_received(peer));
        _fail(__FILE__, at);
    }
    crier_test_peer_free(peer);
}
#define assert_answer(t, line, headers, status, text)                                          \
    assert_answer_at((t), (line), (headers), (status), (text), __LINE__)

#endif
