/* SPDX-License-Identifier: MIT */
/*
 * crier journal dump and export: events in order, as lines.
 *
 *     a view ──▶ one slice: at most 4,096 looks, about 256 KiB of lines ──▶ the view ends
 *        ▲                                                                    │
 *        └──────────────────────── standard output takes them ◀───────────────┘
 *
 * A view is never open while a pipe makes us wait: what a running hub overwrites meanwhile
 * could not be used again, and its file would grow. What is exported ends where history ended
 * when this began; what leaves history meanwhile, and was not reached, is not in it.
 */
#include "cli/journal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cli/journal_line.h"
#include "client/verdict.h"
#include "event/render.h"
#include "hub/since.h"
#include "hub/subscription.h"
#include "net/sys.h"

enum { SLICE_LOOKS = 4096, SLICE_BYTES = 256 * 1024, DUMP_DATA = 60 };

struct reading;
typedef int write_fn(struct reading *r, const struct crier_record *record);

struct reading {
    const struct crier_journal_flags *flags;
    write_fn *write;
    struct crier_store *store;
    struct crier_subscription *subscription;
    struct crier_view *view; /* of the slice under way */
    struct crier_buf out;
    struct crier_view_slice slice;
    uint64_t *picks; /* --since latest */
    uint64_t left;   /* events until --limit */
};

/* ---- what a line is ---------------------------------------------------------------------- */

static int write_exported(struct reading *r, const struct crier_record *record)
{
    struct crier_slice key = {NULL, 0};
    uint64_t ttl_ms = 0;
    int e = crier_view_extras(r->view, record->number, &key, &ttl_ms);

    if (e < 0 && e != -ENOENT)
        return e;
    crier_journal_line_write(&r->out, record, key, ttl_ms);
    return crier_buf_error(&r->out);
}

/* The beginning of the data, in one line without what would move a cursor. */
static void dump_data(struct crier_buf *out, struct crier_slice sse)
{
    struct crier_buf data;
    size_t len;

    crier_buf_init(&data, out->mem);
    crier_render_data(&data, sse);
    len = data.len;
    crier_buf_append(out, CRIER_SLICE("  "));
    crier_journal_size(out, len);
    if (len > 0)
        crier_buf_append(out, CRIER_SLICE("  "));
    if (len > DUMP_DATA) /* not within a character */
        for (len = DUMP_DATA; len > 0 && ((unsigned char)data.data[len] & 0xc0) == 0x80;)
            len--;
    crier_plain_text(out, crier_slice_sub(crier_buf_slice(&data), 0, len));
    if (len < data.len)
        crier_buf_append(out, CRIER_SLICE("..."));
    if (crier_buf_error(&data) < 0)
        out->failed = true;
    crier_buf_deinit(&data);
}

static int write_dumped(struct reading *r, const struct crier_record *record)
{
    struct crier_slice type = record->type.len > 0 ? record->type : CRIER_SLICE("message");

    crier_id_append(&r->out, record->id);
    crier_buf_append(&r->out, CRIER_SLICE("  "));
    crier_time_format(&r->out, record->wall_ms);
    for (size_t i = 0; i < record->topic_count; i++) {
        crier_buf_append(&r->out, i > 0 ? CRIER_SLICE(",") : CRIER_SLICE("  "));
        crier_buf_append(&r->out, record->topics[i]);
    }
    crier_buf_append(&r->out, CRIER_SLICE("  "));
    crier_plain_text(&r->out, type);
    dump_data(&r->out, record->sse);
    crier_buf_byte(&r->out, '\n');
    return crier_buf_error(&r->out);
}

/* ---- where to start ---------------------------------------------------------------------- */

static uint64_t store_clock(const struct reading *r)
{
    return crier_store_clock(r->store, crier_sys_now());
}

static int start_at_last(struct reading *r, uint64_t count)
{
    uint64_t number;
    int e = crier_view_newest(r->view, r->slice.filter, count, r->slice.clock_ms, &number);

    if (e == 0)
        r->slice.position = number > 0 ? number - 1 : r->slice.until;
    return e;
}

static int start_at_latest(struct reading *r, uint64_t count)
{
    size_t picked;
    int e = crier_view_latest(r->view, r->slice.filter, count, r->slice.clock_ms, &r->picks,
                              &picked);

    if (e < 0)
        return e;
    r->slice.picks = r->picks;
    r->slice.pick_count = picked;
    r->slice.until = picked > 0 ? r->picks[picked - 1] : 0;
    return 0;
}

static int start_since(struct reading *r, const struct crier_since *since)
{
    uint64_t clock_ms = r->slice.clock_ms;

    switch (since->kind) {
    case CRIER_SINCE_NOW:
        r->slice.position = r->slice.until;
        return 0;
    case CRIER_SINCE_LAST:
        return start_at_last(r, since->count);
    case CRIER_SINCE_LATEST:
        return start_at_latest(r, since->count);
    case CRIER_SINCE_AGO:
        return crier_view_before(r->view, clock_ms > since->ms ? clock_ms - since->ms : 0,
                                 &r->slice.position);
    case CRIER_SINCE_ID:
        return crier_view_position(r->view, since->id, &r->slice.position);
    case CRIER_SINCE_EARLIEST:
    case CRIER_SINCE_UNKNOWN:
        break;
    }
    return 0;
}

/* -1: go on; otherwise the exit status. */
static int start(struct reading *r, const struct crier_since *since)
{
    int e = crier_view_begin(r->store, &r->view);

    if (e == 0) {
        e = start_since(r, since);
        r->view = crier_view_end(r->view);
    }
    if (e == -ENOENT) {
        crier_command_say(&crier_journal_command, "--since %s: no event of this journal has it",
                          r->flags->since);
        return CRIER_EXIT_FAILED;
    }
    return e < 0 ? crier_journal_failed("cannot read the journal", e) : -1;
}

/* ---- reading ----------------------------------------------------------------------------- */

struct taken {
    struct reading *reading;
    int error;
};

static int take(void *ctx, const struct crier_record *record)
{
    struct taken *taken = ctx;
    struct reading *r = taken->reading;

    taken->error = r->write(r, record);
    if (taken->error < 0)
        return CRIER_SCAN_STOP;
    r->left--;
    return r->left == 0 || r->out.len >= SLICE_BYTES ? CRIER_SCAN_TAKEN : 0;
}

static int read_slice(struct reading *r)
{
    struct taken taken = {.reading = r};
    int e = crier_view_begin(r->store, &r->view);

    if (e < 0)
        return e;
    r->slice.clock_ms = store_clock(r);
    e = crier_view_read(r->view, &r->slice, take, &taken);
    r->view = crier_view_end(r->view);
    return e < 0 ? e : taken.error;
}

static int read_all(struct reading *r)
{
    int status = -1;

    while (status < 0 && r->slice.position < r->slice.until && r->left > 0) {
        uint64_t before = r->slice.position;
        int e = read_slice(r);

        /* Where nothing was taken and nothing passed over, there is nothing more. */
        if (e == 0 && r->slice.position == before)
            break;
        if (r->out.len > 0)
            status = crier_journal_print(&r->out);
        crier_buf_clear(&r->out);
        if (e < 0 && status < 0)
            status = crier_journal_failed("cannot read the journal", e);
    }
    return status < 0 ? CRIER_EXIT_DONE : status;
}

/* ---- the verbs --------------------------------------------------------------------------- */

static int subscribe(struct reading *r)
{
    static const struct crier_slice all = {"**", 2};
    /* Only its hash key is looked at. */
    struct crier_journal journal = {.mem = &crier_mem_libc,
                                    .hash_key = crier_store_totals(r->store)->hash_key};
    struct crier_wish wish = {.selectors = r->flags->selectors,
                              .selector_count = r->flags->selector_count};

    if (wish.selector_count == 0) {
        wish.selectors = &all;
        wish.selector_count = 1;
    }
    return crier_subscription_new(&crier_mem_libc, &journal, &wish, &r->subscription);
}

static int run(struct reading *r, const struct crier_since *since)
{
    int e = subscribe(r), status;

    if (e == -E2BIG)
        return crier_command_usage(&crier_journal_command,
                                   "--topic: at most 10 patterns can be given");
    if (e < 0)
        return crier_command_no_memory(&crier_journal_command);
    r->slice = (struct crier_view_slice){.filter = &r->subscription->filter,
                                         .until = crier_store_totals(r->store)->end,
                                         .clock_ms = store_clock(r),
                                         .max_looks = SLICE_LOOKS};
    r->left = r->flags->limit > 0 ? r->flags->limit : UINT64_MAX;
    crier_buf_init(&r->out, &crier_mem_libc);
    status = start(r, since);
    if (status < 0)
        status = read_all(r);
    crier_buf_deinit(&r->out);
    crier_mem_free(&crier_mem_libc, r->picks);
    crier_subscription_free(r->subscription);
    return status;
}

static int read_journal(const struct crier_journal_flags *flags, write_fn *write)
{
    struct reading r = {.flags = flags, .write = write};
    struct crier_since since = {.kind = CRIER_SINCE_EARLIEST};
    const char *fault = NULL;
    int status;

    if (flags->since)
        fault = crier_since_fault(crier_slice_of(flags->since), crier_sys_now(), &since);
    if (fault)
        return crier_command_usage(&crier_journal_command, "--since %s: %s", flags->since,
                                   fault);
    status = crier_journal_open(flags, CRIER_JOURNAL_LOOK, &r.store);
    if (status < 0)
        status = run(&r, &since);
    r.store = crier_store_close(r.store);
    return status;
}

int crier_journal_dump(const struct crier_journal_flags *flags)
{
    return read_journal(flags, write_dumped);
}

int crier_journal_export(const struct crier_journal_flags *flags)
{
    return read_journal(flags, write_exported);
}
