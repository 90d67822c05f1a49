/* SPDX-License-Identifier: MIT */
/*
 * Log lines in logfmt.
 *
 *     time=2026-11-21T09:03:34.123Z level=warning event=refused    always, in this order
 *     reason=unknown-host host="a b"                               the caller's fields
 *     suppressed=17 dropped=3                                      if there is any to tell
 *
 * Forging. Keys and events are the server's own words. A value that is empty or holds anything
 * but plain printable ASCII is put in quotes and escaped (\" \\ \n \r \t \xNN): a line has
 * exactly one LF, its last byte, and nothing outside of quotes comes from an outsider but plain
 * values without '='. Values are cut at VALUE_MOST bytes, and marked "...".
 *
 * Floods. Each kind has a bucket: LOG_BURST lines at once, then one a second. What is held back
 * is counted and told by the next line of that kind. Server lines and everything at debug level
 * are not limited.
 *
 * Blocking. A line is one write(2) of at most LINE_MOST bytes (PIPE_BUF: lines of several
 * processes in one pipe do not mix). A pipe whose reader stands still would stop the workers
 * one by one, so a descriptor that cannot take a line now gets none; the next line that is
 * written tells how many are missing.
 *
 * One mutex around bucket, line and write: lines come out in one piece and in order. The line's
 * memory is taken when the log is made; writing a line allocates nothing and cannot fail
 * visibly.
 */
#include "server/log.h"

#include "base/mem.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum {
    VALUE_MOST = 200,
    LINE_MOST = 4096,
    /* Room kept for what the log itself adds at a line's end: left_out, suppressed and dropped
     * with 20 digits each, and the LF, are 92 bytes. */
    LINE_TAIL = 128,
    LOG_BURST = 10,
    LOG_LINE_MS = 1000, /* a bucket fills by one line in this time */
};

struct log_bucket {
    uint64_t credit_ms; /* LOG_LINE_MS a line */
    uint64_t filled_ms; /* boot clock */
    uint64_t suppressed;
};

struct crier_log {
    const struct crier_mem *mem;
    enum crier_log_level level;
    int fd; /* -1: none */
    void (*hand)(void *ctx, enum crier_log_level level, struct crier_slice line);
    void *hand_ctx;
    _Atomic(pthread_t) hander; /* while handing: who runs `hand` */
    _Atomic bool handing;
    pthread_mutex_t mutex; /* of all below */
    struct log_bucket buckets[CRIER_LOG_KIND_COUNT];
    struct crier_buf line; /* LINE_MOST bytes, never grows */
    uint64_t dropped;
};

int crier_log_new(const struct crier_mem *mem,
                  enum crier_log_level level,
                  int fd,
                  struct crier_log **ret)
{
    struct crier_log *log = crier_mem_zalloc(mem, sizeof(*log));

    if (!log)
        return -ENOMEM;
    log->mem = mem;
    log->level = level;
    log->fd = fd;
    crier_buf_init(&log->line, mem);
    if (crier_buf_reserve(&log->line, LINE_MOST) < 0 ||
        pthread_mutex_init(&log->mutex, NULL) != 0) {
        crier_buf_deinit(&log->line);
        crier_mem_free(mem, log);
        return -ENOMEM;
    }
    for (size_t i = 0; i < CRIER_LOG_KIND_COUNT; i++)
        log->buckets[i].credit_ms = (uint64_t)LOG_BURST * LOG_LINE_MS;
    *ret = log;
    return 0;
}

struct crier_log *crier_log_free(struct crier_log *log)
{
    if (!log)
        return NULL;
    pthread_mutex_destroy(&log->mutex);
    crier_buf_deinit(&log->line);
    return crier_mem_free(log->mem, log);
}

void crier_log_hand(struct crier_log *log,
                    void (*fn)(void *ctx, enum crier_log_level, struct crier_slice line),
                    void *ctx)
{
    log->hand = fn;
    log->hand_ctx = ctx;
}

bool crier_log_enabled(const struct crier_log *log, enum crier_log_level level)
{
    return level <= log->level && (log->hand || log->fd >= 0);
}

/* ---- one value ----------------------------------------------------------------------- */

static bool log_is_plain(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return text.len > 0;
}

static void log_escape(struct crier_buf *line, unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        crier_buf_byte(line, '\\');
        crier_buf_byte(line, (char)c);
        break;
    case '\n':
        crier_buf_append(line, CRIER_SLICE("\\n"));
        break;
    case '\r':
        crier_buf_append(line, CRIER_SLICE("\\r"));
        break;
    case '\t':
        crier_buf_append(line, CRIER_SLICE("\\t"));
        break;
    default:
        if (c < ' ' || c >= 0x7f)
            crier_buf_printf(line, "\\x%02x", c);
        else
            crier_buf_byte(line, (char)c);
    }
}

static void log_value(struct crier_buf *line, struct crier_slice text)
{
    struct crier_slice shown = crier_slice_sub(text, 0, VALUE_MOST);
    bool plain = log_is_plain(shown);

    if (!plain)
        crier_buf_byte(line, '"');
    if (plain)
        crier_buf_append(line, shown);
    else
        for (size_t i = 0; i < shown.len; i++)
            log_escape(line, (unsigned char)shown.data[i]);
    if (shown.len < text.len)
        crier_buf_append(line, CRIER_SLICE("..."));
    if (!plain)
        crier_buf_byte(line, '"');
}

/* ---- one line ------------------------------------------------------------------------ */

static struct crier_slice log_level_name(enum crier_log_level level)
{
    switch (level) {
    case CRIER_LOG_ERROR:
        return CRIER_SLICE("error");
    case CRIER_LOG_WARNING:
        return CRIER_SLICE("warning");
    case CRIER_LOG_INFO:
        return CRIER_SLICE("info");
    case CRIER_LOG_DEBUG:
        return CRIER_SLICE("debug");
    }
    return CRIER_SLICE("unknown");
}

static void log_number(struct crier_buf *line, const char *key, uint64_t number)
{
    crier_buf_byte(line, ' ');
    crier_buf_append(line, crier_slice_of(key));
    crier_buf_byte(line, '=');
    crier_buf_u64(line, number);
}

/* The most bytes a field can take: each byte of a value as \xNN, quotes, dots, blank and '='.
 */
static size_t log_field_most(const struct crier_log_field *field)
{
    size_t value = field->text.len < VALUE_MOST ? field->text.len : VALUE_MOST;

    return strlen(field->key) + 4 * value + 32;
}

static void log_line(struct crier_log *log,
                     enum crier_log_level level,
                     struct crier_now now,
                     const char *event,
                     const struct crier_log_field *fields,
                     size_t count)
{
    struct crier_buf *line = &log->line;

    crier_buf_clear(line);
    crier_buf_append(line, CRIER_SLICE("time="));
    crier_time_format(line, now.wall_ms);
    crier_buf_append(line, CRIER_SLICE(" level="));
    crier_buf_append(line, log_level_name(level));
    crier_buf_append(line, CRIER_SLICE(" event="));
    crier_buf_append(line, crier_slice_of(event));
    for (size_t i = 0; i < count; i++) {
        if (line->len + log_field_most(&fields[i]) + LINE_TAIL > LINE_MOST) {
            log_number(line, "left_out", count - i);
            break;
        }
        if (!fields[i].is_text) {
            log_number(line, fields[i].key, fields[i].number);
            continue;
        }
        crier_buf_byte(line, ' ');
        crier_buf_append(line, crier_slice_of(fields[i].key));
        crier_buf_byte(line, '=');
        log_value(line, fields[i].text);
    }
}

/* ---- whether, and out ---------------------------------------------------------------- */

static bool log_admit(struct crier_log *log,
                      enum crier_log_level level,
                      enum crier_log_kind kind,
                      uint64_t boot_ms)
{
    struct log_bucket *bucket = &log->buckets[kind];
    const uint64_t full = (uint64_t)LOG_BURST * LOG_LINE_MS;

    if (kind == CRIER_LOG_KIND_SERVER || level == CRIER_LOG_DEBUG)
        return true;
    /* Threads hand in their own `now`: one may be a little older than the last. */
    if (boot_ms > bucket->filled_ms) {
        uint64_t passed = boot_ms - bucket->filled_ms;

        bucket->credit_ms =
            passed > full - bucket->credit_ms ? full : bucket->credit_ms + passed;
        bucket->filled_ms = boot_ms;
    }
    if (bucket->credit_ms < LOG_LINE_MS) {
        bucket->suppressed++;
        return false;
    }
    bucket->credit_ms -= LOG_LINE_MS;
    return true;
}

static bool log_can_write(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    /* A regular file is always ready; one that cannot be polled is simply written to. */
    return poll(&p, 1, 0) != 0;
}

/* With what was held back before it. */
static void log_finish(struct crier_log *log, const struct log_bucket *bucket)
{
    if (bucket->suppressed)
        log_number(&log->line, "suppressed", bucket->suppressed);
    if (log->dropped)
        log_number(&log->line, "dropped", log->dropped);
}

static void log_put(struct crier_log *log, struct log_bucket *bucket)
{
    ssize_t n;

    if (!log_can_write(log->fd)) {
        log->dropped++;
        return;
    }
    log_finish(log, bucket);
    crier_buf_byte(&log->line, '\n');
    assert(crier_buf_error(&log->line) == 0 && log->line.len <= LINE_MOST);
    do
        n = write(log->fd, log->line.data, log->line.len);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        log->dropped++;
        return;
    }
    bucket->suppressed = 0;
    log->dropped = 0;
}

static void
log_hand_over(struct crier_log *log, enum crier_log_level level, struct log_bucket *bucket)
{
    log_finish(log, bucket);
    crier_buf_byte(&log->line, '\0');
    assert(crier_buf_error(&log->line) == 0 && log->line.len <= LINE_MOST);
    bucket->suppressed = 0;
    log->dropped = 0;
    atomic_store(&log->hander, pthread_self());
    atomic_store(&log->handing, true);
    log->hand(log->hand_ctx, level,
              crier_slice_sub(crier_buf_slice(&log->line), 0, log->line.len - 1));
    atomic_store(&log->handing, false);
}

bool crier_log_is_handing(struct crier_log *log)
{
    return atomic_load(&log->handing) &&
           pthread_equal(atomic_load(&log->hander), pthread_self());
}

void crier_log_write(struct crier_log *log,
                     enum crier_log_level level,
                     enum crier_log_kind kind,
                     struct crier_now now,
                     const char *event,
                     const struct crier_log_field *fields,
                     size_t count)
{
    assert(kind < CRIER_LOG_KIND_COUNT);
    if (!crier_log_enabled(log, level))
        return;
    /* What a program's function does makes no lines: it would wait for itself. */
    if (crier_log_is_handing(log)) {
        log->dropped++;
        return;
    }
    pthread_mutex_lock(&log->mutex);
    if (log_admit(log, level, kind, now.boot_ms)) {
        log_line(log, level, now, event, fields, count);
        if (log->hand)
            log_hand_over(log, level, &log->buckets[kind]);
        else
            log_put(log, &log->buckets[kind]);
    }
    pthread_mutex_unlock(&log->mutex);
}
