/* SPDX-License-Identifier: MIT */
/*
 * Following: a replay as fast as it comes (follow), live deliveries (live), readers that lag (lag).
 */
#include "load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
    errno = 0;
    load_die(what);
}

/* ---- follow ---- */

struct replay {
    uint64_t rounds, events, bytes, gaps, disorder, ns;
    struct load_histogram *first; /* until the first event was read */
    char resumed[8];
};

static void
replay_once(struct replay *r, int port, const char *target, uint64_t wanted, uint64_t limit)
{
    static struct load_stream s;
    struct epoll_event e;
    uint64_t start = load_ns();
    int poll = epoll_create1(0);

    load_stream_open(&s, port, target, NULL);
    load_watch(poll, EPOLL_CTL_ADD, s.fd, EPOLLIN, NULL);
    while (s.events < wanted) {
        if (load_stream_read(&s, NULL, NULL))
            continue;
        if (s.ended)
            fail("the stream ended");
        if (load_ns() - start > limit) {
            fprintf(stderr, "load: %llu of %llu events\n", (unsigned long long)s.events,
                    (unsigned long long)wanted);
            fail("not all events came in time");
        }
        epoll_wait(poll, &e, 1, 1000);
    }
    r->ns += load_ns() - start;
    r->rounds++;
    r->events += s.events;
    r->bytes += s.bytes;
    r->gaps += s.gaps;
    r->disorder += s.disorder;
    load_histogram_add(r->first, s.first_ns - start);
    memcpy(r->resumed, s.resumed, sizeof(r->resumed));
    close(s.fd);
    close(poll);
}

int load_follow(const struct load_args *args)
{
    int port = (int)load_number(args, "port", 0, 1, 65535);
    const char *target = load_text(args, "target", NULL);
    uint64_t wanted = load_number(args, "events", 1, 1, 1000000000);
    uint64_t limit = load_number(args, "seconds", 60, 1, 600) * 1000000000u;
    uint64_t rounds = load_number(args, "rounds", 1, 1, 100000);
    uint64_t lasting = load_number(args, "for_ms", 0, 0, 600000) * 1000000u;
    struct replay r = {.first = load_alloc(sizeof(*r.first))};
    uint64_t start = load_ns();
    double seconds;

    while (r.rounds < rounds || load_ns() - start < lasting)
        replay_once(&r, port, target, wanted, limit);
    seconds = (double)r.ns / 1e9;
    printf(
        "{\"rounds\":%llu,\"events\":%llu,\"bytes\":%llu,\"seconds\":%.4f,\"per_second\":%.0f,"
        "\"first_p50_ms\":%.3f,\"first_max_ms\":%.3f,\"resumed\":\"%s\",\"gaps\":%llu,"
        "\"disorder\":%llu}\n",
        (unsigned long long)r.rounds, (unsigned long long)r.events, (unsigned long long)r.bytes,
        seconds, (double)r.events / seconds, load_histogram_at(r.first, 0.5),
        (double)r.first->most / 1e6, r.resumed, (unsigned long long)r.gaps,
        (unsigned long long)r.disorder);
    free(r.first);
    return r.disorder > 0;
}

/* ---- live ---- */

enum { WARM_UP_NS = 300000000 };

struct live {
    int port, poll, publisher;
    unsigned streams;
    uint64_t rate, count; /* events in all */
    uint64_t start, wall_start, published;
    struct load_stream *reading;
    const char *topic;
    struct load_stream *list;
    struct load_histogram *arrived, *times;
};

/* An event's data is when it was published. `arrived` counts until the kernel had it for the stream: what the hub answers for.
 * `times` counts until it was read here, among a hundred streams and whatever else runs on this core. */
static void take_time(void *ctx, const char *data, size_t len)
{
    struct live *live = ctx;
    uint64_t sent = strtoull(data, NULL, 10), arrived = live->reading->arrived_ns;

    if (sent < live->wall_start + WARM_UP_NS)
        return;
    load_histogram_add(live->arrived, arrived > sent ? arrived - sent : 0);
    load_histogram_add(live->times, load_wall_ns() - sent);
}

static void publish_time(struct live *live)
{
    char data[101], request[512], answers[4096];
    ssize_t n;
    int len;

    /* Answers are read late, they only must not pile up. */
    while ((n = recv(live->publisher, answers, sizeof(answers), MSG_DONTWAIT)) > 0) {
        for (const char *at = answers, *end = answers + n;
             (at = memmem(at, (size_t)(end - at), "HTTP/1.1 ", 9)) != NULL; at += 9) {
            if (end - at < 12 || memcmp(at + 9, "201", 3) == 0)
                continue;
            fprintf(stderr, "%.*s\n", (int)(end - at), at);
            fail("a live publish was refused");
        }
    }
    snprintf(data, sizeof(data), "%-100llu", (unsigned long long)load_wall_ns());
    len =
        snprintf(request, sizeof(request),
                 "POST /events/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n%s",
                 live->topic, data);
    if (send(live->publisher, request, (size_t)len, 0) != len)
        load_die("publish");
    live->published++;
}

static uint64_t least_seen(const struct live *live)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < live->streams; i++) {
        if (live->list[i].events < least)
            least = live->list[i].events;
    }
    return least;
}

static void pump(struct live *live, int timeout_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(live->poll, events, 256, timeout_ms);

    for (int i = 0; i < n; i++) {
        struct load_stream *s = events[i].data.ptr;

        live->reading = s;
        while (load_stream_read(s, take_time, live))
            ;
        if (s->ended)
            fail("a live stream ended");
    }
}

static void run_live(struct live *live)
{
    uint64_t patience;

    /* Every stream must be there before the first event is. */
    for (unsigned i = 0; i < live->streams;) {
        pump(live, 100);
        while (i < live->streams && live->list[i].bytes > 0)
            i++;
    }
    live->start = load_ns();
    live->wall_start = load_wall_ns();
    while (live->published < live->count) {
        uint64_t due = live->start + live->published * 1000000000u / live->rate,
                 now = load_ns();

        if (now >= due)
            publish_time(live);
        pump(live, now >= due ? 0 : (int)((due - now) / 1000000u) + 1);
    }
    patience = load_ns() + 10000000000u;
    while (least_seen(live) < live->count) {
        if (load_ns() > patience)
            fail("live events did not come");
        pump(live, 100);
    }
}

int load_live(const struct load_args *args)
{
    struct live live = {
        .port = (int)load_number(args, "port", 0, 1, 65535),
        .streams = (unsigned)load_number(args, "streams", 100, 1, 5000),
        .rate = load_number(args, "rate", 100, 1, 100000),
        .topic = load_text(args, "topic", "live"),
        .times = load_alloc(sizeof(struct load_histogram)),
        .arrived = load_alloc(sizeof(struct load_histogram)),
        .poll = epoll_create1(0),
    };
    char target[256];

    live.count = live.rate * load_number(args, "ms", 5000, 500, 600000) / 1000;
    snprintf(target, sizeof(target), "/events/%s", live.topic);
    live.list = load_alloc(live.streams * sizeof(*live.list));
    for (unsigned i = 0; i < live.streams; i++) {
        load_stream_open(&live.list[i], live.port, target, NULL);
        load_stream_stamp(&live.list[i]);
        load_watch(live.poll, EPOLL_CTL_ADD, live.list[i].fd, EPOLLIN, &live.list[i]);
    }
    live.publisher = load_dial(live.port, NULL);
    run_live(&live);
    printf("{\"deliveries\":%llu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
           "\"read_p50_ms\":%.3f,\"read_p99_ms\":%.3f,\"read_max_ms\":%.3f}\n",
           (unsigned long long)live.times->count, load_histogram_at(live.arrived, 0.5),
           load_histogram_at(live.arrived, 0.99), (double)live.arrived->most / 1e6,
           load_histogram_at(live.times, 0.5), load_histogram_at(live.times, 0.99),
           (double)live.times->most / 1e6);
    free(live.list);
    free(live.times);
    free(live.arrived);
    return 0;
}

/* ---- lag ---- */

/* Small segments and a small buffer, as over a network: else loopback takes half a megabyte off the server's hands at once. */
static const struct load_socket_options narrow = {.receive_bytes = 8192, .segment_bytes = 1400};

/* In the target {} is the reader's number, {/} its topic: number / 100, a slash, number % 100. */
static void open_lagging(struct load_stream *s, int port, const char *target, unsigned number)
{
    const char *place = strstr(target, "{}"), *split = strstr(target, "{/}");
    char full[2048];

    if (split)
        snprintf(full, sizeof(full), "%.*s%u/%u%s", (int)(split - target), target, number / 100,
                 number % 100, split + 3);
    else if (place)
        snprintf(full, sizeof(full), "%.*s%u%s", (int)(place - target), target, number,
                 place + 2);
    else
        snprintf(full, sizeof(full), "%s", target);
    load_stream_open(s, port, full, &narrow);
}

/* Takes the head, and nothing more that can be left there. */
static void await_head(struct load_stream *s, int poll)
{
    struct epoll_event e;
    char byte;

    load_watch(poll, EPOLL_CTL_ADD, s->fd, EPOLLIN, s);
    if (epoll_wait(poll, &e, 1, 30000) != 1 || recv(s->fd, &byte, 1, MSG_PEEK) != 1)
        fail("a reader was not answered");
    load_watch(poll, EPOLL_CTL_DEL, s->fd, 0, s);
}

static void
drain_all(struct load_stream *list, unsigned readers, int poll, uint64_t wanted, uint64_t limit)
{
    struct epoll_event events[256];
    unsigned left = readers;
    uint64_t start = load_ns();
    int wide = 256 * 1024;

    for (unsigned i = 0; i < readers; i++) {
        setsockopt(list[i].fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof(wide));
        load_watch(poll, EPOLL_CTL_ADD, list[i].fd, EPOLLIN, &list[i]);
    }
    while (left > 0 && load_ns() - start < limit) {
        int n = epoll_wait(poll, events, 256, 1000);

        for (int i = 0; i < n; i++) {
            struct load_stream *s = events[i].data.ptr;
            bool had = s->events >= wanted;

            while (load_stream_read(s, NULL, NULL))
                ;
            if (s->ended)
                fail("a lagging stream ended");
            left -= !had && s->events >= wanted;
        }
    }
}

int load_lag(const struct load_args *args)
{
    int port = (int)load_number(args, "port", 0, 1, 65535), poll = epoll_create1(0);
    const char *target = load_text(args, "target", NULL);
    unsigned readers = (unsigned)load_number(args, "readers", 1000, 1, 10000), complete = 0;
    uint64_t wanted = load_number(args, "events", 1, 1, 100000000), start;
    uint64_t events = 0, bytes = 0, gaps = 0, disorder = 0;
    struct load_stream *list = load_alloc(readers * sizeof(*list));
    char line[16];

    for (unsigned i = 0; i < readers; i++)
        open_lagging(&list[i], port, target, i);
    for (unsigned i = 0; i < readers; i++)
        await_head(&list[i], poll);
    printf("{\"opened\":%u}\n", readers);
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    start = load_ns();
    drain_all(list, readers, poll, wanted,
              load_number(args, "seconds", 120, 1, 600) * 1000000000u);
    for (unsigned i = 0; i < readers; i++) {
        complete += list[i].events == wanted && list[i].gaps == 0 && list[i].disorder == 0;
        events += list[i].events;
        bytes += list[i].bytes;
        gaps += list[i].gaps;
        disorder += list[i].disorder;
        close(list[i].fd);
    }
    printf("{\"readers\":%u,\"complete\":%u,\"events\":%llu,\"bytes\":%llu,\"gaps\":%llu,"
           "\"disorder\":%llu,\"seconds\":%.3f}\n",
           readers, complete, (unsigned long long)events, (unsigned long long)bytes,
           (unsigned long long)gaps, (unsigned long long)disorder,
           (double)(load_ns() - start) / 1e9);
    free(list);
    return complete < readers;
}
