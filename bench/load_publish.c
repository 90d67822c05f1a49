/* SPDX-License-Identifier: MIT */
/*
 * Publishing. Each connection keeps `pipeline` requests in flight: it writes as many as are missing in one send(), and takes
 * answers as they come, which must all be 201. A request's time is from the moment its bytes were handed to the kernel (or were
 * to be) until its answer was read.
 */
#include "load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS = 4096,
    PIPELINE = 1024,
    BATCH = 10000,
    SIZE = 4000,
    ANSWERS = 64 * 1024,
    LINE = 64
};

struct publisher {
    int fd;
    bool waits_out;             /* it waits to write */
    unsigned in_flight, oldest; /* of times */
    char *out;
    size_t out_len, out_at;
    char in[ANSWERS];
    size_t in_len;
    uint64_t times[PIPELINE];
};

struct job {
    int port, poll;
    unsigned connections, pipeline, batch;
    uint64_t events, size, topics, first;
    uint64_t start, end;           /* ns */
    uint64_t sent, done, requests; /* events */
    struct publisher *list;
    struct load_histogram *times;
    char *data; /* an event's data: dots */
};

static char *put_number(char *at, uint64_t n)
{
    char digits[20];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (len > 0)
        *at++ = digits[--len];
    return at;
}

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static char *put_topic(const struct job *job, char *at, uint64_t event)
{
    uint64_t k = event % job->topics * 7919 % job->topics;

    if (job->topics == 1)
        return put_text(at, "bench");
    at = put_text(at, "t/");
    at = put_number(at, k / 100);
    *at++ = '/';
    return put_number(at, k % 100);
}

/* The event's number, a space, and dots. */
static char *put_data(const struct job *job, char *at, uint64_t event)
{
    char *end = at + job->size;

    memcpy(at, job->data, job->size);
    at = put_number(at, event);
    *at = ' ';
    return end;
}

static void put_single(struct job *job, struct publisher *p)
{
    uint64_t event = job->first + job->sent++;
    char *at = p->out + p->out_len;

    at = put_text(at, "POST /events/");
    at = put_topic(job, at, event);
    at = put_text(at, " HTTP/1.1\r\nHost: localhost\r\nContent-Length: ");
    at = put_number(at, job->size);
    at = put_text(at, "\r\n\r\n");
    p->out_len = (size_t)(put_data(job, at, event) - p->out);
}

/* Its head has a place of fixed width, as the length is known only when the body is written. */
static void put_batch(struct job *job, struct publisher *p)
{
    static const char head[] = "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                               "application/x-ndjson\r\nContent-Length: 000000000\r\n\r\n";
    char *start = p->out + p->out_len, *body = start + sizeof(head) - 1, *at = body, *digit;

    memcpy(start, head, sizeof(head) - 1);
    for (unsigned i = 0; i < job->batch && job->sent < job->events; i++) {
        uint64_t event = job->first + job->sent++;

        at = put_text(at, "{\"topic\":\"");
        at = put_topic(job, at, event);
        at = put_text(at, "\",\"data\":\"");
        at = put_data(job, at, event);
        at = put_text(at, "\"}\n");
    }
    digit = body - 5;
    for (size_t len = (size_t)(at - body); len > 0; len /= 10)
        *digit-- = (char)('0' + len % 10);
    p->out_len = (size_t)(at - p->out);
}

static void flush(struct job *job, struct publisher *p)
{
    while (p->out_at < p->out_len) {
        ssize_t n = send(p->fd, p->out + p->out_at, p->out_len - p->out_at, 0);

        if (n < 0 && errno != EAGAIN)
            load_die("send");
        if (n < 0)
            break;
        p->out_at += (size_t)n;
    }
    if (p->out_at == p->out_len)
        p->out_at = p->out_len = 0;
    if (p->waits_out != (p->out_len > 0)) {
        p->waits_out = p->out_len > 0;
        load_watch(job->poll, EPOLL_CTL_MOD, p->fd, EPOLLIN | (p->waits_out ? EPOLLOUT : 0u),
                   p);
    }
}

static void fill(struct job *job, struct publisher *p, uint64_t now)
{
    /* What is not written yet comes first: `out` has room for a whole pipeline. */
    flush(job, p);
    while (p->out_at == 0 && p->in_flight < job->pipeline && job->sent < job->events &&
           now < job->end) {
        p->times[(p->oldest + p->in_flight++) % PIPELINE] = now;
        if (job->batch > 1)
            put_batch(job, p);
        else
            put_single(job, p);
        job->requests++;
    }
    flush(job, p);
}

/* The length of the whole answer at the beginning of in; 0: it is not all there. */
static size_t answer_length(const struct publisher *p)
{
    const char *head_end = memmem(p->in, p->in_len, "\r\n\r\n", 4), *line;
    size_t length;

    if (!head_end)
        return 0;
    if (memcmp(p->in, "HTTP/1.1 201", 12) != 0) {
        errno = 0;
        fprintf(stderr, "%.*s\n", (int)p->in_len, p->in);
        load_die("a publish was refused");
    }
    line = p->in;
    while (strncasecmp(line, "content-length:", 15) != 0) {
        line = (const char *)memchr(line, '\n', (size_t)(head_end + 2 - line)) + 1;
        if (line > head_end) {
            errno = 0;
            load_die("an answer without a length");
        }
    }
    length = (size_t)(head_end + 4 - p->in) + strtoul(line + 15, NULL, 10);
    return length <= p->in_len ? length : 0;
}

/* In a batch's answer: {"published":N, ... */
static uint64_t published(const struct job *job, const struct publisher *p, size_t length)
{
    static const char name[] = "\"published\":";
    const char *at;

    if (job->batch == 1)
        return 1;
    at = memmem(p->in, length, name, sizeof(name) - 1);
    return at ? strtoull(at + sizeof(name) - 1, NULL, 10) : 0;
}

static void take_answers(struct job *job, struct publisher *p)
{
    ssize_t n = recv(p->fd, p->in + p->in_len, ANSWERS - p->in_len, 0);
    uint64_t now = load_ns();
    size_t length;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        load_die("a connection was closed");
    p->in_len += (size_t)n;
    while (p->in_len > 0 && (length = answer_length(p)) > 0) {
        load_histogram_add(job->times, now - p->times[p->oldest]);
        p->oldest = (p->oldest + 1) % PIPELINE;
        p->in_flight--;
        job->done += published(job, p, length);
        p->in_len -= length;
        memmove(p->in, p->in + length, p->in_len);
    }
    fill(job, p, now);
}

static void run(struct job *job)
{
    struct epoll_event events[256];

    job->start = load_ns();
    job->end += job->start;
    for (unsigned i = 0; i < job->connections; i++)
        fill(job, &job->list[i], load_ns());
    while (job->done < job->sent || (job->sent < job->events && load_ns() < job->end)) {
        int n = epoll_wait(job->poll, events, 256, 30000);

        if (n == 0) {
            errno = 0;
            load_die("no answer for 30 s");
        }
        for (int i = 0; i < n; i++) {
            struct publisher *p = events[i].data.ptr;

            if (events[i].events & EPOLLOUT)
                fill(job, p, load_ns());
            if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
                take_answers(job, p);
        }
    }
    job->end = load_ns();
}

static void prepare(struct job *job)
{
    size_t request = 256 + (size_t)job->batch * (job->size + LINE);

    job->times = load_alloc(sizeof(*job->times));
    job->list = load_alloc(job->connections * sizeof(*job->list));
    job->data = load_alloc(job->size);
    memset(job->data, '.', job->size);
    job->poll = epoll_create1(0);
    for (unsigned i = 0; i < job->connections; i++) {
        struct publisher *p = &job->list[i];

        p->out = load_alloc(request * job->pipeline);
        p->fd = load_dial(job->port, NULL);
        load_watch(job->poll, EPOLL_CTL_ADD, p->fd, EPOLLIN, p);
    }
}

static void clean_up(struct job *job)
{
    for (unsigned i = 0; i < job->connections; i++) {
        close(job->list[i].fd);
        free(job->list[i].out);
    }
    free(job->list);
    free(job->data);
    free(job->times);
    close(job->poll);
}

int load_publish(const struct load_args *args)
{
    struct job job = {
        .port = (int)load_number(args, "port", 0, 1, 65535),
        .connections = (unsigned)load_number(args, "connections", 1, 1, CONNECTIONS),
        .pipeline = (unsigned)load_number(args, "pipeline", 1, 1, PIPELINE),
        .batch = (unsigned)load_number(args, "batch", 1, 1, BATCH),
        .events = load_number(args, "events", 100000000, 1, 100000000),
        .size = load_number(args, "size", 100, 24, SIZE),
        .topics = load_number(args, "topics", 1, 1, 1000000),
        .first = load_number(args, "first", 0, 0, 1000000000),
        .end = load_number(args, "ms", 5000, 1, 600000) * 1000000u,
    };
    double seconds;

    prepare(&job);
    run(&job);
    seconds = (double)(job.end - job.start) / 1e9;
    printf(
        "{\"events\":%llu,\"sent\":%llu,\"requests\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,"
        "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
        (unsigned long long)job.done, (unsigned long long)job.sent,
        (unsigned long long)job.requests, seconds, (double)job.done / seconds,
        load_histogram_at(job.times, 0.5), load_histogram_at(job.times, 0.99),
        (double)job.times->most / 1e6);
    clean_up(&job);
    return 0;
}
