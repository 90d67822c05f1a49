/* SPDX-License-Identifier: MIT */
/*
 * Load for durable.mjs, in C and over plain sockets, so that the hub is what is measured and not its clients. One thread,
 * epoll, loopback only; every run is bounded in count and in time. Each part prints one line of JSON.
 *
 *     load disk file=F [seconds=1]          appends 4 KiB and calls fdatasync, again and again; F is removed
 *     load evict file=F                     asks the system to forget F's pages (nobody may have it mapped)
 *     load publish port=P [connections=1] [pipeline=1] [batch=1] [events=N] [ms=5000] [size=100] [topics=1] [first=0]
 *                                           publishes; batch > 1: NDJSON bodies of so many lines
 *     load follow port=P target=T [events=N] [seconds=60] [rounds=1] [for_ms=0]
 *                                           follows T until it has N events; again for so many rounds, or for_ms=N milliseconds
 *     load live port=P [streams=100] [rate=100] [ms=5000] [topic=live]
 *                                           publishes at a rate and says how long deliveries took
 *     load lag port=P target=T [readers=1000] [events=N] [seconds=120]
 *                                           opens readers that do not read ({} in T: their numbers; {/}: their topics), says so, waits for a
 *                                           line on standard input, then reads until each has N events
 *
 * With topics=N > 1, event i belongs to the topic t/G/K: k = i * 7919 modulo N is G * 100 + K. 7919 is a prime, so N events one
 * after the other belong to N different topics.
 */
#include "load.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Noreturn void load_die(const char *what)
{
    if (errno)
        fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    else
        fprintf(stderr, "load: %s\n", what);
    exit(1);
}

void *load_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes);

    if (!memory)
        load_die("memory");
    return memory;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t load_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t load_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

/* ---- arguments ---- */

const char *load_text(const struct load_args *args, const char *name, const char *fallback)
{
    size_t len = strlen(name);

    for (int i = 0; i < args->count; i++) {
        if (strncmp(args->list[i], name, len) == 0 && args->list[i][len] == '=')
            return args->list[i] + len + 1;
    }
    if (!fallback) {
        fprintf(stderr, "load: %s=... is missing\n", name);
        exit(2);
    }
    return fallback;
}

uint64_t load_number(const struct load_args *args,
                     const char *name,
                     uint64_t fallback,
                     uint64_t least,
                     uint64_t most)
{
    const char *text = load_text(args, name, "");
    char *end;
    uint64_t number;

    if (!*text)
        return fallback;
    number = strtoull(text, &end, 10);
    if (*end || number < least || number > most) {
        fprintf(stderr, "load: %s=%s: a number from %llu to %llu is wanted\n", name, text,
                (unsigned long long)least, (unsigned long long)most);
        exit(2);
    }
    return number;
}

/* ---- a histogram ---- */

void load_histogram_add(struct load_histogram *h, uint64_t ns)
{
    unsigned power = ns < LOAD_STEPS ? 0 : 63u - (unsigned)__builtin_clzll(ns) - 5u;

    h->buckets[power * (LOAD_STEPS / 2) + (ns >> power)]++;
    h->count++;
    if (ns > h->most)
        h->most = ns;
}

double load_histogram_at(const struct load_histogram *h, double share)
{
    uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;

    for (unsigned i = 0; i < LOAD_BUCKETS; i++) {
        unsigned power = i < LOAD_STEPS ? 0 : i / (LOAD_STEPS / 2) - 1;

        seen += h->buckets[i];
        if (seen > wanted || seen == h->count)
            return (double)((uint64_t)(i - power * (LOAD_STEPS / 2)) << power) / 1e6;
    }
    return (double)h->most / 1e6;
}

/* ---- the disk by itself ---- */

static int measure_disk(const struct load_args *args)
{
    const char *path = load_text(args, "file", NULL);
    uint64_t wanted = load_number(args, "seconds", 1, 1, 60) * 1000000000u;
    struct load_histogram *h = load_alloc(sizeof(*h));
    char *page = load_alloc(4096);
    uint64_t start = load_ns(), now = start;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (fd < 0)
        load_die(path);
    unlink(path); /* whatever happens, it does not stay */
    while (now - start < wanted) {
        uint64_t before = now;

        memset(page, (int)(h->count & 0xff), 4096);
        if (write(fd, page, 4096) != 4096 || fdatasync(fd) < 0)
            load_die(path);
        now = load_ns();
        load_histogram_add(h, now - before);
    }
    close(fd);
    printf("{\"syncs\":%llu,\"per_second\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%."
           "3f}\n",
           (unsigned long long)h->count, (double)h->count / ((double)(now - start) / 1e9),
           load_histogram_at(h, 0.5), load_histogram_at(h, 0.99), (double)h->most / 1e6);
    free(page);
    free(h);
    return 0;
}

static int evict(const struct load_args *args)
{
    const char *path = load_text(args, "file", NULL);
    int fd = open(path, O_RDWR), r;

    if (fd < 0 || fdatasync(fd) < 0)
        load_die(path);
    r = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    printf("{\"evicted\":%s}\n", r == 0 ? "true" : "false");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct load_args *args);
    } parts[] = {
        {"disk", measure_disk},  {"evict", evict},    {"publish", load_publish},
        {"follow", load_follow}, {"live", load_live}, {"lag", load_lag},
    };
    struct load_args args = {.count = argc - 2, .list = argv + 2};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(argv[1], parts[i].name) == 0)
            return parts[i].run(&args);
    }
    fprintf(stderr, "usage: load disk|evict|publish|follow|live|lag name=value...\n");
    return 2;
}
