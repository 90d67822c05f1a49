/* SPDX-License-Identifier: MIT */
/*
 * A stream of events being read, as fast as one thread can: lines are found with memchr, of each only its first bytes are
 * looked at. An event is counted at its data line (the events published here have one), its id must be greater than the one
 * before. Chunk sizes are lines like others, and begin with no field's name.
 */
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int load_dial(int port, const struct load_socket_options *options)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0)
        load_die("socket");
    if (options && options->receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options->receive_bytes, sizeof(int));
    if (options && options->segment_bytes)
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &options->segment_bytes, sizeof(int));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        load_die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        load_die("socket");
    return fd;
}

void load_watch(int poll, int operation, int fd, uint32_t events, void *data)
{
    struct epoll_event e = {.events = events, .data.ptr = data};

    if (epoll_ctl(poll, operation, fd, &e) < 0)
        load_die("epoll");
}

void load_stream_open(struct load_stream *stream,
                      int port,
                      const char *target,
                      const struct load_socket_options *options)
{
    char request[4096];
    int len = snprintf(
        request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", target);

    memset(stream, 0, sizeof(*stream));
    stream->fd = load_dial(port, options);
    if (len >= (int)sizeof(request) || send(stream->fd, request, (size_t)len, 0) != len)
        load_die("request");
}

static bool begins(const char *line, size_t len, const char *with, size_t with_len)
{
    return len >= with_len && memcmp(line, with, with_len) == 0;
}

static void take_head(struct load_stream *stream, const char *line, size_t len)
{
    if (begins(line, len, "HTTP/1.1 ", 9) && !begins(line, len, "HTTP/1.1 200", 12)) {
        errno = 0;
        fprintf(stderr, "load: %.*s\n", (int)len, line);
        load_die("a stream was refused");
    }
    if (begins(line, len, "Crier-Resumed: ", 15))
        snprintf(stream->resumed, sizeof(stream->resumed), "%.*s", (int)(len - 16), line + 15);
    if (len == 1 && line[0] == '\r')
        stream->body = true;
}

static const char *take_number(const char *at, const char *end, uint64_t *ret)
{
    uint64_t n = 0;

    while (at < end && *at >= '0' && *at <= '9')
        n = n * 10 + (uint64_t)(*at++ - '0');
    *ret = n;
    return at;
}

static void take_id(struct load_stream *stream, const char *at, const char *end)
{
    uint64_t ms, seq;

    at = take_number(at, end, &ms);
    take_number(at < end ? at + 1 : at, end, &seq);
    if (stream->own)
        return;
    if (ms < stream->last_ms || (ms == stream->last_ms && seq <= stream->last_seq))
        stream->disorder++;
    stream->last_ms = ms;
    stream->last_seq = seq;
}

/* A line of the body, without its LF. */
static void
take_line(struct load_stream *stream, const char *line, size_t len, load_data_fn *fn, void *ctx)
{
    if (!stream->body) {
        take_head(stream, line, len);
    } else if (begins(line, len, "id: ", 4)) {
        take_id(stream, line + 4, line + len);
    } else if (begins(line, len, "data: ", 6)) {
        if (!stream->own) {
            if (stream->events++ == 0)
                stream->first_ns = load_ns();
            if (fn)
                fn(ctx, line + 6, len - 6);
        }
        stream->own = false;
    } else if (begins(line, len, "event: crier:", 13)) {
        stream->own = true;
        stream->gaps += begins(line, len, "event: crier:gap", 16);
    }
}

void load_stream_stamp(struct load_stream *stream)
{
    int one = 1;

    if (setsockopt(stream->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) < 0)
        load_die("time stamps");
    stream->stamped = true;
}

/* As recv, and notes the time stamp. */
static ssize_t receive_stamped(struct load_stream *stream, char *to, size_t len)
{
    union {
        struct cmsghdr head;
        char bytes[256];
    } control;
    struct iovec piece = {.iov_base = to, .iov_len = len};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(stream->fd, &message, MSG_DONTWAIT);
    struct timespec t;

    if (n <= 0)
        return n;
    stream->arrived_ns = load_wall_ns();
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            memcpy(&t, CMSG_DATA(c), sizeof(t));
            stream->arrived_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
        }
    }
    return n;
}

bool load_stream_read(struct load_stream *stream, load_data_fn *fn, void *ctx)
{
    static char buffer[LOAD_CARRY + LOAD_READ];
    const char *at = buffer, *end, *newline;
    char *to = buffer + stream->carry_len;
    ssize_t n = stream->stamped ? receive_stamped(stream, to, LOAD_READ)
                                : recv(stream->fd, to, LOAD_READ, MSG_DONTWAIT);

    if (n <= 0) {
        stream->ended = n == 0 || errno != EAGAIN;
        return false;
    }
    memcpy(buffer, stream->carry, stream->carry_len);
    end = buffer + stream->carry_len + n;
    stream->bytes += (uint64_t)n;
    while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        take_line(stream, at, (size_t)(newline - at), fn, ctx);
        at = newline + 1;
    }
    stream->carry_len = (size_t)(end - at);
    if (stream->carry_len > LOAD_CARRY) {
        errno = 0;
        load_die("a line is too long");
    }
    memcpy(stream->carry, at, stream->carry_len);
    return true;
}
