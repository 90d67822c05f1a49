/* SPDX-License-Identifier: MIT */
/*
 * What the parts of `load` share: arguments, sockets, time, a histogram, and a reader that counts events. See load.c.
 */
#ifndef CRIER_BENCH_LOAD_H
#define CRIER_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- arguments: name=value ---------------------------------------------------------------- */

struct load_args {
    int count;
    char **list;
};

/* The named argument or the fallback; a number must lie between least and most. */
const char *load_text(const struct load_args *args, const char *name, const char *fallback);
uint64_t load_number(const struct load_args *args,
                     const char *name,
                     uint64_t fallback,
                     uint64_t least,
                     uint64_t most);

/* ---- small things ------------------------------------------------------------------------- */

/* Ends the program, with errno's text if there is one. */
_Noreturn void load_die(const char *what);
void *load_alloc(size_t bytes);
uint64_t load_ns(void);      /* monotonic */
uint64_t load_wall_ns(void); /* the wall's */

struct load_socket_options {
    int receive_bytes, segment_bytes; /* 0: the system's */
};
/* A connected, non-blocking socket to the port on loopback. */
int load_dial(int port, const struct load_socket_options *options);
/* Adds a socket to an epoll, or changes what it waits for. */
void load_watch(int poll, int operation, int fd, uint32_t events, void *data);

/* Times in ns, to 1.6 percent: 64 steps a power of two. */
enum { LOAD_STEPS = 64, LOAD_BUCKETS = 64 * LOAD_STEPS };
struct load_histogram {
    uint64_t count, most;
    uint64_t buckets[LOAD_BUCKETS];
};
void load_histogram_add(struct load_histogram *h, uint64_t ns);
/* The time that `share` (0 .. 1) of all do not exceed, in ms. */
double load_histogram_at(const struct load_histogram *h, double share);

/* ---- a stream being read -------------------------------------------------------------------- */

enum { LOAD_CARRY = 1024, LOAD_READ = 256 * 1024 };

struct load_stream {
    int fd;
    bool body; /* the head is over */
    bool own;  /* the block under way is one of crier's own events */
    bool ended;
    /* Asked for by load_stream_stamp: when the kernel had what was read last (CLOCK_REALTIME). */
    bool stamped;
    uint64_t arrived_ns;
    char resumed[8]; /* Crier-Resumed */
    uint64_t events, bytes, gaps;
    uint64_t disorder; /* ids that were not greater than the one before */
    uint64_t last_ms, last_seq;
    uint64_t first_ns; /* when its first event was read */
    size_t carry_len;
    char carry[LOAD_CARRY]; /* a line that is not complete yet */
};

/* What to do with an event's data line (without "data: "); may be NULL. */
typedef void load_data_fn(void *ctx, const char *data, size_t len);

void load_stream_open(struct load_stream *stream,
                      int port,
                      const char *target,
                      const struct load_socket_options *options);
void load_stream_stamp(struct load_stream *stream);
/* Reads once. false: there was nothing. A stream that ends is `ended`. */
bool load_stream_read(struct load_stream *stream, load_data_fn *fn, void *ctx);

/* ---- the parts ---------------------------------------------------------------------------------- */

int load_publish(const struct load_args *args); /* load_publish.c */
int load_follow(const struct load_args *args);  /* load_follow.c */
int load_live(const struct load_args *args);
int load_lag(const struct load_args *args);

#endif
