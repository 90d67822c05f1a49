/* SPDX-License-Identifier: MIT */
/*
 * For the tests of streams: the body of an answer without its chunks; a wire, the raw other end
 * of a connection, which is read as little at a time as a test likes, or write by write.
 */
#ifndef CRIER_TESTS_UNIT_STREAM_SUPPORT_H
#define CRIER_TESTS_UNIT_STREAM_SUPPORT_H

#include "server_support.h"

#include "base/buf.h"
#include "base/rng.h"
#include "server/conn.h"
#include <sys/ioctl.h>
#include <sys/socket.h>

/* ---- bodies ----------------------------------------------------------------------------- */

struct test_body {
    struct crier_buf text; /* what has come of it, NUL behind it */
    bool over;             /* the last chunk is there */
};

static inline void test_dechunk(struct crier_slice raw, struct test_body *body)
{
    while (raw.len > 0) {
        const char *end = memmem(raw.data, raw.len, "\r\n", 2);
        size_t size, at;

        if (!end)
            return;
        size = strtoul(raw.data, NULL, 16);
        at = (size_t)(end - raw.data) + 2;
        assert_false(body->over); /* nothing comes behind the end */
        if (size == 0) {
            body->over = raw.len >= at + 2;
            assert_int_equal(raw.len, at + (body->over ? 2 : raw.len - at));
            return;
        }
        crier_buf_append(&body->text, crier_slice_sub(raw, at, size));
        if (raw.len < at + size + 2)
            return;
        assert_memory_equal(raw.data + at + size, "\r\n", 2);
        raw = crier_slice_sub(raw, at + size + 2, raw.len);
    }
}

/* Of one answer, from its head on. */
static inline struct test_body test_body_of(struct crier_slice received)
{
    const char *end = memmem(received.data, received.len, "\r\n\r\n", 4);
    struct test_body body = {.over = false};
    struct crier_slice head, raw;

    crier_buf_init(&body.text, &crier_mem_libc);
    if (end) {
        head = crier_slice_sub(received, 0, (size_t)(end - received.data) + 4);
        raw = crier_slice_sub(received, head.len, received.len);
        if (memmem(head.data, head.len, "Transfer-Encoding: chunked", 26))
            test_dechunk(raw, &body);
        else
            crier_buf_append(&body.text, raw);
    }
    crier_buf_byte(&body.text, '\0');
    assert_int_equal(crier_buf_error(&body.text), 0);
    body.text.len--;
    return body;
}

/* A copy of the text of a peer's body; the caller frees it. */
static inline char *test_text(struct crier_test_peer *peer, bool *ret_over)
{
    struct test_body body = test_body_of(crier_test_received(peer));
    char *text = strdup(body.text.data);

    assert_non_null(text);
    if (ret_over)
        *ret_over = body.over;
    crier_buf_deinit(&body.text);
    return text;
}

/* ---- wires ------------------------------------------------------------------------------ */

struct test_wire {
    struct test_server *t;
    int fd;
    bool ended;
    struct crier_buf got;
};

/* SOCK_STREAM: a few KiB fit in. SOCK_SEQPACKET: what the server writes comes write by write. */
static inline struct test_wire test_wire_open(struct test_server *t, int type)
{
    const struct crier_address address = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}};
    struct test_wire wire = {.t = t};
    const int size = 2048;
    int fds[2];

    assert_int_equal(crier_server_start(t->server), 0);
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    wire.fd = fds[1];
    crier_buf_init(&wire.got, &crier_mem_libc);
    crier_conn_open(&t->server->workers[0], fds[0], &address, true);
    return wire;
}

static inline void test_wire_send(struct test_wire *wire, const char *text)
{
    assert_int_equal(send(wire->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    assert_int_equal(crier_test_settle(wire->t->server), 0);
}

static inline void test_wire_get(struct test_wire *wire, const char *path)
{
    char text[300];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    test_wire_send(wire, text);
}

/* When the server says that it is idle, it is: one more step changes nothing. */
static inline void test_wire_settle(struct test_wire *wire)
{
    int before = 0, after = 0;

    assert_true(crier_test_settle(wire->t->server) >= 0);
    if (wire->fd < 0)
        return;
    assert_int_equal(ioctl(wire->fd, FIONREAD, &before), 0);
    assert_true(crier_server_step(wire->t->server) >= 0);
    assert_int_equal(ioctl(wire->fd, FIONREAD, &after), 0);
    assert_int_equal(before, after);
}

/* Reads once, at most so much, and lets the server go on. Returns how much it was. */
static inline size_t test_wire_take(struct test_wire *wire, size_t most)
{
    ssize_t n;

    assert_int_equal(crier_buf_reserve(&wire->got, most + 1), 0);
    n = recv(wire->fd, wire->got.data + wire->got.len, most, 0);
    if (n == 0)
        wire->ended = true;
    if (n > 0)
        wire->got.len += (size_t)n;
    wire->got.data[wire->got.len] = '\0';
    test_wire_settle(wire);
    return n > 0 ? (size_t)n : 0;
}

static inline void test_wire_take_all(struct test_wire *wire)
{
    test_wire_settle(wire);
    while (test_wire_take(wire, 65536) > 0) {
    }
}

static inline void test_wire_close(struct test_wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
    crier_buf_deinit(&wire->got);
}

#endif
