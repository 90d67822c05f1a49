/* SPDX-License-Identifier: MIT */
/*
 * How fast the codec is, on one core and in CPU time, so that others on the machine count less.
 *
 *     codec EVENT_BYTES      an event of so many bytes on the wire: id, type, one line of data
 *
 * Prints one JSON object: events and bytes per second of encoding into the caller's buffer, and
 * of parsing a stream that comes in chunks of 64 KiB, as from a socket, cut anywhere. The same
 * events are in the stream that codec.mjs gives to npm's eventsource-parser.
 */
#include "crier/event.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNK = 64 << 10, STREAM = 16 << 20, SECONDS = 1 };

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "codec: %s\n", what);
    exit(1);
}

static void check(bool truth, const char *what)
{
    if (!truth)
        die(what);
}

static void report(const char *what, double seconds, double events, double bytes)
{
    printf("\"%s\":{\"events\":%.0f,\"bytes\":%.0f}", what, events / seconds, bytes / seconds);
}

/* Encodes event after event over the buffer; answers how many bytes are full. */
static size_t fill(const struct crier_event *event, char *stream, size_t cap, double *events)
{
    size_t at = 0, len;

    while (crier_event_encode(event, stream + at, cap - at, &len) == 0) {
        at += len;
        ++*events;
    }
    return at;
}

static size_t encode(const struct crier_event *event, char *stream)
{
    double start = cpu_now(), events = 0, bytes = 0;
    size_t len = 0;

    do {
        len = fill(event, stream, STREAM, &events);
        bytes += (double)len;
    } while (cpu_now() - start < (double)SECONDS);
    report("encode", cpu_now() - start, events, bytes);
    return len;
}

static void parse(struct crier_slice stream, size_t data_len)
{
    struct crier_parser *parser = crier_parser_new(.max_event_bytes = STREAM);
    double start = cpu_now(), events = 0, bytes = 0;
    struct crier_item item;

    check(parser != NULL, "out of memory");
    do {
        for (size_t at = 0, n; at < stream.len; at += n) {
            n = stream.len - at < CHUNK ? stream.len - at : CHUNK;
            check(crier_parser_feed(parser, (struct crier_slice){stream.data + at, n}) == 0,
                  "feed");
            for (int r; (r = crier_parser_next(parser, &item)) == 0; events++)
                check(item.data.len == data_len, "another event came out");
        }
        bytes += (double)stream.len;
    } while (cpu_now() - start < (double)SECONDS);
    report("parse", cpu_now() - start, events, bytes);
    crier_parser_free(parser);
}

int main(int argc, char **argv)
{
    size_t bytes = argc == 2 ? (size_t)strtoul(argv[1], NULL, 10) : 0, overhead;
    struct crier_event event = {.type = CRIER_SLICE("tick"),
                                .id = CRIER_SLICE("1769860800000-1230000"),
                                .data = CRIER_SLICE("")};
    char *stream = malloc(STREAM), *data = malloc(STREAM);

    check(stream && data, "out of memory");
    overhead = crier_event_size(&event);
    check(bytes > overhead && bytes < STREAM, "give a size of events, more than 60 bytes");
    memset(data, 'x', bytes);
    event.data = (struct crier_slice){data, bytes - overhead};
    printf("{");
    size_t len = encode(&event, stream);
    printf(",");
    parse((struct crier_slice){stream, len}, event.data.len);
    printf("}\n");
    free(stream);
    free(data);
    return 0;
}
