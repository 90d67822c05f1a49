/* SPDX-License-Identifier: MIT */
/*
 * crier journal import: lines from standard input into a folder that no hub has.
 *
 *     read(2) ──▶ lines ──▶ the first one: makes or opens the store
 *                   │
 *                   └─────▶ put, put, ... commit, put, put, ... commit
 *
 * Ids and times stay: who has seen an event of the exported journal goes on from it here. So
 * ids must grow, and be of the store's epoch (journal.h); a new store takes that of the first
 * line, and begins one millisecond before it.
 *
 * One transaction holds up to BATCH_EVENTS events. A bad line ends it all: what came before it
 * is committed, and its number is told.
 */
#include "cli/journal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/journal_line.h"
#include "event/event.h"
#include "net/sys.h"
#include <string.h>
#include <unistd.h>

enum {
    BATCH_EVENTS = 10000,
    BATCH_BYTES = 16 * 1024 * 1024,
    READ_BYTES = 64 * 1024,
    EPOCH_IDS = 10000, /* of the sequence numbers of a millisecond, each epoch has as many */
    EPOCHS = 999,
    /* The largest event, when each of its bytes is written as \u0000. */
    LINE_BYTES = 64 * 1024 * 1024 * 6 + 64 * 1024,
};

struct import {
    const struct crier_journal_flags *flags;
    struct crier_store *store;
    struct crier_buf input, sse;
    size_t used; /* of input: lines taken */
    bool input_ended;
    uint64_t line, imported; /* lines read; events committed */
    uint64_t clock_ms;       /* of the event before: ages never grow along the journal */
    uint64_t batch_events, batch_bytes;
    bool begun;
    int left_error;
};

static int commit(struct import *im);

/* ---- what is said ------------------------------------------------------------------------ */

static int write_failed(const struct import *im, int error)
{
    crier_command_say(&crier_journal_command,
                      "cannot write to %s: %s%s (imported so far: %llu events)",
                      im->flags->data, strerror(-error),
                      error == -ENOSPC ? ": the disk is full, or the file has reached "
                                         "--data-bytes"
                                       : "",
                      (unsigned long long)im->imported);
    return CRIER_EXIT_FAILED;
}

/* What came before it is committed first. */
static int bad_line(struct import *im, const char *fault)
{
    int r = commit(im);

    if (r < 0)
        return write_failed(im, r);
    crier_command_say(&crier_journal_command,
                      "line %llu: %s (what is before it is imported: %llu events)",
                      (unsigned long long)im->line, fault, (unsigned long long)im->imported);
    return CRIER_EXIT_FAILED;
}

/* ---- lines ------------------------------------------------------------------------------- */

/* Reads more of standard input, behind what is not used yet. 0, -errno. */
static int read_more(struct import *im)
{
    ssize_t n;

    crier_buf_consume(&im->input, im->used);
    im->used = 0;
    if (im->input.len > LINE_BYTES)
        return -EMSGSIZE;
    if (crier_buf_reserve(&im->input, READ_BYTES) < 0)
        return -ENOMEM;
    do
        n = read(STDIN_FILENO, im->input.data + im->input.len, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    im->input.len += (size_t)n;
    im->input_ended = n == 0;
    return 0;
}

/* 1: *ret_line is the next line that is not empty, until the next call; 0: there is none. */
static int next_line(struct import *im, struct crier_slice *ret_line)
{
    size_t looked = 0;

    for (;;) {
        struct crier_slice rest =
            crier_slice_sub(crier_buf_slice(&im->input), im->used, im->input.len);
        size_t end = looked + crier_slice_find(crier_slice_sub(rest, looked, rest.len), '\n');

        if (end < rest.len || (im->input_ended && rest.len > 0)) {
            struct crier_slice line = crier_slice_sub(rest, 0, end);

            im->used += end < rest.len ? end + 1 : end;
            im->line++;
            looked = 0;
            if (crier_slice_trim(line).len > 0 && !crier_slice_eq(line, CRIER_SLICE("\r"))) {
                *ret_line = line;
                return 1;
            }
            continue;
        }
        if (im->input_ended)
            return 0;
        looked = rest.len;
        int r = read_more(im);
        if (r < 0)
            return r;
    }
}

/* ---- events ------------------------------------------------------------------------------ */

/* When it was published, by the store's clock: as long ago as the wall says. */
static uint64_t clock_of(struct import *im, uint64_t wall_ms, struct crier_now now)
{
    uint64_t clock_ms = crier_store_clock(im->store, now);
    uint64_t age = now.wall_ms > wall_ms ? now.wall_ms - wall_ms : 0;

    clock_ms = age < clock_ms ? clock_ms - age : 1;
    if (clock_ms < im->clock_ms)
        clock_ms = im->clock_ms;
    im->clock_ms = clock_ms;
    return clock_ms;
}

static uint64_t after(uint64_t clock_ms, uint64_t ttl_ms)
{
    if (ttl_ms == 0)
        return 0;
    return ttl_ms > UINT64_MAX - clock_ms ? UINT64_MAX : clock_ms + ttl_ms;
}

static int encode(struct import *im, const struct crier_journal_line *line, size_t *ret_id_at)
{
    const struct crier_event event = {.data = line->data,
                                      .type = line->type,
                                      .retry_ms = line->retry_ms,
                                      .flags =
                                          CRIER_DATA | (line->has_retry ? CRIER_RETRY : 0u)};

    crier_buf_clear(&im->sse);
    return crier_event_append(&im->sse, &event, ret_id_at);
}

/* Bytes of the event as it goes over the wire, with "id: ...\n". */
static uint64_t bytes_of(const struct import *im, struct crier_id id)
{
    char text[CRIER_ID_TEXT];

    return im->sse.len + crier_id_format(id, text) + sizeof("id: \n") - 1;
}

/* What was kept aside for a topic makes way for a newer event. */
static void left(void *ctx, const struct crier_store_leaving *leaving)
{
    struct import *im = ctx;

    if (im->left_error == 0)
        im->left_error = crier_store_raise_floors(im->store, leaving);
}

static int put(struct import *im, const struct crier_journal_line *line, struct crier_now now)
{
    uint64_t clock_ms = clock_of(im, line->wall_ms, now);
    struct crier_store_event event = {
        .number = crier_store_totals(im->store)->end + 1,
        .id = line->id,
        .wall_ms = line->wall_ms,
        .clock_ms = clock_ms,
        .expires_ms = after(clock_ms, line->ttl_ms),
        .topics = line->topics,
        .topic_count = line->topic_count,
        .type = line->type,
        .key = line->key,
    };
    int r = encode(im, line, &event.id_at);

    if (r < 0)
        return r;
    event.sse = crier_buf_slice(&im->sse);
    event.bytes = bytes_of(im, line->id);
    im->batch_events++;
    im->batch_bytes += event.bytes;
    r = crier_store_put(im->store, &event, left, im);
    return r == 0 ? im->left_error : r;
}

/* ---- batches ----------------------------------------------------------------------------- */

static int commit(struct import *im)
{
    int r;

    if (!im->begun)
        return 0;
    im->begun = false;
    r = crier_store_commit(im->store, crier_sys_now());
    if (r == 0)
        im->imported += im->batch_events;
    im->batch_events = im->batch_bytes = 0;
    return r;
}

static int add(struct import *im, const struct crier_journal_line *line)
{
    int r = im->begun ? 0 : crier_store_begin(im->store);

    if (r < 0)
        return r;
    im->begun = true;
    r = put(im, line, crier_sys_now());
    if (r < 0) {
        crier_store_abort(im->store);
        im->begun = false;
    } else if (im->batch_events >= BATCH_EVENTS || im->batch_bytes >= BATCH_BYTES) {
        r = commit(im);
    }
    return r;
}

/* ---- ids --------------------------------------------------------------------------------- */

/* NULL, or why the store cannot take the id. */
static const char *id_fault(const struct import *im, struct crier_id id)
{
    const struct crier_store_totals *totals = crier_store_totals(im->store);
    struct crier_id last = totals->end > 0 ? totals->last : totals->start;

    if (id.seq / EPOCH_IDS != totals->epoch)
        return "its id is of another journal's life than those before it: import each journal "
               "into a folder of its own";
    if (crier_id_cmp(id, last) <= 0)
        return "its id is not greater than the newest one in the folder: an export is imported "
               "whole, from its first line, into a new folder";
    return NULL;
}

static bool match_all(const void *ctx, struct crier_slice topic)
{
    return true;
}

static int take_clock(void *ctx, const struct crier_record *record)
{
    *(uint64_t *)ctx = record->boot_ms; /* of a view: the store's clock */
    return 0;
}

/* When the newest event that is there was published: none after it may be older. */
static int read_clock(struct import *im)
{
    static const struct crier_slice everything = {"", 0};
    const struct crier_filter filter = {
        .match = match_all, .prefixes = &everything, .prefix_count = 1};
    struct crier_view_slice slice = {.filter = &filter};
    struct crier_view *view;
    int r = crier_view_begin(im->store, &view);

    if (r < 0)
        return r;
    r = crier_view_newest(view, &filter, 1, 0, &slice.until);
    if (r == 0 && slice.until > 0) {
        slice.position = slice.until - 1;
        r = crier_view_read(view, &slice, take_clock, &im->clock_ms);
    }
    view = crier_view_end(view);
    return r;
}

/* -1: the store is open; otherwise the exit status. */
static int open_store(struct import *im, struct crier_id first)
{
    struct crier_now now = crier_sys_now();
    int status;

    if (first.seq / EPOCH_IDS < 1 || first.seq / EPOCH_IDS > EPOCHS)
        return bad_line(im,
                        "its id is none of a Crier hub's: the sequence numbers of those are "
                        "10000 to 9999999");
    /* A new store begins just before its first event. */
    if (!crier_journal_exists(im->flags))
        now.wall_ms = first.ms - 1;
    status =
        crier_journal_open_new(im->flags, (unsigned)(first.seq / EPOCH_IDS), now, &im->store);
    if (status < 0) {
        int r = read_clock(im);

        status = r < 0 ? crier_journal_failed("cannot read the journal", r) : -1;
    }
    return status;
}

/* ---- the verb ---------------------------------------------------------------------------- */

/* -1: go on; otherwise the exit status, the transaction still open. */
static int take_line(struct import *im, struct crier_slice text)
{
    struct crier_journal_line line;
    const char *fault = crier_journal_line_read(text, &line);
    int status = -1, r;

    if (fault)
        return bad_line(im, fault);
    if (!im->store)
        status = open_store(im, line.id);
    if (status < 0 && (fault = id_fault(im, line.id)))
        status = bad_line(im, fault);
    if (status < 0 && (r = add(im, &line)) < 0)
        status = write_failed(im, r);
    crier_journal_line_release(&line);
    return status;
}

static int import_lines(struct import *im)
{
    int status = -1, r = 0;

    while (status < 0) {
        struct crier_slice line;

        r = next_line(im, &line);
        if (r <= 0)
            break;
        status = take_line(im, line);
    }
    if (r == -EMSGSIZE) {
        im->line++;
        return bad_line(im, "it is longer than any event");
    }
    return r < 0 ? crier_journal_failed("cannot read standard input", r) : status;
}

static int finish(struct import *im)
{
    if (!im->store) {
        crier_command_say(&crier_journal_command, "standard input holds no events: nothing is "
                                                  "imported");
        return CRIER_EXIT_DONE;
    }
    crier_command_say(&crier_journal_command, "imported %llu events into %s",
                      (unsigned long long)im->imported, im->flags->data);
    return CRIER_EXIT_DONE;
}

int crier_journal_import(const struct crier_journal_flags *flags)
{
    struct import im = {.flags = flags};
    int status, r;

    crier_buf_init(&im.input, &crier_mem_libc);
    crier_buf_init(&im.sse, &crier_mem_libc);
    status = import_lines(&im);
    r = im.store ? commit(&im) : 0;
    if (r < 0)
        status = write_failed(&im, r);
    if (status < 0)
        status = finish(&im);
    im.store = crier_store_close(im.store);
    crier_buf_deinit(&im.input);
    crier_buf_deinit(&im.sse);
    return status;
}
