/* SPDX-License-Identifier: MIT */
/*
 * Is the file sound?
 *
 *     1. pages     each by itself and all as trees (pages.c), read from the file, not through
 *                  LMDB: it trusts what it reads. With faults here nothing more is looked at.
 *     2. events    each row: its ids, times and topics make sense; its lines are an event,
 *                  which, encoded anew, is the same bytes. What is counted here
 *     3. entries   is compared with all that points at events: topics and their lists, order,
 *                  classes, deadlines, keys, floors, totals (entries.c).
 *
 * LMDB has no checksums. A byte that was flipped inside the text of an event, and left it text,
 * is not found; wherever else one is flipped, something no longer agrees with something.
 *
 * All of it is one view's: a writer may go on meanwhile (its free pages grow for so long). What
 * can fail: memory, and reading.
 */
#include "durable/verify.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "durable/page.h"
#include "durable/pages.h"
#include "hub/topic.h"
#include <stdarg.h>

enum {
    EPOCH_IDS = 10000,
    SNAPSHOTS = 100, /* tries to look at one before it is overwritten */
    BLOCK_MAX = 256 << 20,
    FAULTS_TOLD = 100,
};

int crier_verify_tell(struct crier_verify *verify, const char *fmt, ...)
{
    va_list args;

    if (verify->faults++ >= FAULTS_TOLD)
        return 0;
    crier_buf_clear(&verify->text);
    va_start(args, fmt);
    crier_buf_vprintf(&verify->text, fmt, args);
    va_end(args);
    if (crier_buf_error(&verify->text) == 0)
        crier_page_plain(verify->text.data, verify->text.len);
    crier_buf_byte(&verify->text, '\0');
    verify->fn(verify->ctx,
               crier_buf_error(&verify->text) < 0 ? "Out of memory." : verify->text.data);
    return 0;
}

int crier_verify_walk(struct crier_verify *verify,
                      int table,
                      int (*fn)(struct crier_verify *verify, MDB_val key, MDB_val value))
{
    MDB_cursor *cursor;
    MDB_val key, value;

    int r = crier_file_error(
        mdb_cursor_open(verify->view->txn, verify->store->tables[table], &cursor));
    if (r < 0)
        return r;
    while (r == 0) {
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
        if (r == 0)
            r = fn(verify, key, value);
    }
    mdb_cursor_close(cursor);
    return r == -ENOENT ? 0 : r;
}

int crier_verify_count(struct crier_verify *verify, int table, uint64_t *ret_count)
{
    MDB_stat stat;

    int r = crier_file_error(mdb_stat(verify->view->txn, verify->store->tables[table], &stat));
    if (r == 0)
        *ret_count = stat.ms_entries;
    return r;
}

/* ---- events ------------------------------------------------------------------------------ */

struct last {
    uint64_t number, clock_ms;
    struct crier_id id;
};

static const char *order_fault(const struct crier_verify *verify,
                               uint64_t number,
                               const struct crier_row *row,
                               const struct last *last)
{
    const struct crier_store_totals *totals = &verify->view->totals;

    if (number == 0 || number > totals->end)
        return "its number was never given";
    if (row->id.seq / EPOCH_IDS != totals->epoch || crier_id_cmp(row->id, last->id) <= 0 ||
        crier_id_cmp(row->id, totals->last) > 0)
        return "its id is out of order";
    if (number == totals->end && crier_id_cmp(row->id, totals->last) != 0)
        return "it is the newest, but its id is not the newest id";
    if (row->clock_ms < last->clock_ms || row->clock_ms > totals->clock_ms)
        return "its time is out of order";
    if (row->expires_ms && row->expires_ms <= row->clock_ms)
        return "it expires before it was published";
    return NULL;
}

static const char *topics_fault(const struct crier_row *row)
{
    if (row->topic_count == 0 || row->topic_count > CRIER_TOPICS_PER_EVENT)
        return "it has no topics, or too many";
    if (row->alive == 0 || row->alive >> row->topic_count)
        return "it is held under none of its topics";
    for (size_t i = 0; i < row->topic_count; i++) {
        if (!crier_utf8_valid(row->topics[i]) || crier_topic_fault(row->topics[i]))
            return "a topic of it is none";
        for (size_t j = 0; j < i; j++) {
            if (crier_slice_eq(row->topics[i], row->topics[j]))
                return "it has a topic twice";
        }
    }
    if ((row->class_id & ~(uint32_t)CRIER_CLASS_KEPT) >= CRIER_CLASSES)
        return "its class is none";
    return crier_utf8_valid(row->key) && crier_utf8_valid(row->type) ? NULL : "it is not UTF-8";
}

/* The next item of the event's lines. 0, CRIER_MORE, <0. */
static int next_item(struct crier_verify *verify, struct crier_event *event, bool *ret_done)
{
    struct crier_item item;

    int r = crier_parser_next(&verify->parser, &item);
    if (r != 0)
        return r;
    if (item.kind == CRIER_ITEM_RETRY) {
        event->retry_ms = item.retry_ms;
        event->flags |= CRIER_RETRY;
    } else if (item.kind == CRIER_ITEM_EVENT && !*ret_done) {
        event->data = item.data;
        event->type = item.type;
        event->id = item.id;
        event->flags |= CRIER_DATA;
        /* Encoded at once: what the item borrows is gone with the next. */
        crier_buf_clear(&verify->event);
        r = crier_event_append(&verify->event, event, NULL);
        *ret_done = true;
        return r;
    } else {
        return -EILSEQ;
    }
    return 0;
}

static bool same_type(struct crier_slice a, struct crier_slice b)
{
    if (crier_slice_eq(a, CRIER_SLICE("message")))
        a.len = 0;
    if (crier_slice_eq(b, CRIER_SLICE("message")))
        b.len = 0;
    return a.len == b.len && crier_slice_eq(a, b);
}

/* Reads the event's lines and writes them again. *ret_fault NULL: they are the same. */
static int
lines_fault(struct crier_verify *verify, const struct crier_row *row, const char **ret_fault)
{
    struct crier_buf *frame = &verify->view->frame;
    struct crier_event event = {0};
    struct crier_slice sse;
    bool done = false;
    int r = 0;

    *ret_fault = "its lines are not those of one event";
    if (row->id_at > row->sse.len || row->sse.len > BLOCK_MAX)
        return 0;
    crier_buf_clear(frame);
    sse = crier_row_frame(frame, row);
    if (crier_buf_error(frame) < 0)
        return -ENOMEM;
    crier_parser_end(&verify->parser);
    crier_parser_feed(&verify->parser, sse);
    while (r == 0)
        r = next_item(verify, &event, &done);
    if (r == -ENOMEM)
        return r;
    if (r != CRIER_MORE || !done || crier_parser_end(&verify->parser) != 0)
        return 0;
    if (crier_slice_eq(crier_buf_slice(&verify->event), sse) &&
        same_type(event.type, row->type))
        *ret_fault = NULL;
    return 0;
}

static void count_event(struct crier_verify *verify, const struct crier_row *row)
{
    struct crier_class *class = &verify->classes[row->class_id & ~(uint32_t)CRIER_CLASS_KEPT];
    uint64_t bytes = crier_row_bytes(row);

    verify->events++;
    verify->bytes += bytes;
    verify->entries += (uint64_t)__builtin_popcount(row->alive);
    verify->deadlines += row->expires_ms != 0;
    verify->keys += row->key.len != 0;
    if (row->class_id & CRIER_CLASS_KEPT) {
        class->kept_events++;
        class->kept_bytes += bytes;
    } else {
        class->events++;
        class->bytes += bytes;
    }
}

static int
check_event(struct crier_verify *verify, MDB_val key, MDB_val value, struct last *last)
{
    struct crier_row row;
    const char *fault;

    if (key.mv_size != 8)
        return crier_verify_tell(verify, "An event's number is not a number.");
    uint64_t number = crier_get_u64(key.mv_data);
    if (crier_row_read((struct crier_slice){value.mv_data, value.mv_size}, &row) < 0)
        return crier_verify_tell(verify, "Event %llu is damaged: it cannot be read.",
                                 (unsigned long long)number);
    fault = order_fault(verify, number, &row, last);
    if (!fault)
        fault = topics_fault(&row);
    if (!fault) {
        int r = lines_fault(verify, &row, &fault);
        if (r < 0)
            return r;
    }
    if (fault)
        crier_verify_tell(verify, "Event %llu is damaged: %s.", (unsigned long long)number,
                          fault);
    if ((row.class_id & ~(uint32_t)CRIER_CLASS_KEPT) < CRIER_CLASSES)
        count_event(verify, &row);
    *last = (struct last){number, row.clock_ms, row.id};
    return 0;
}

static int check_events(struct crier_verify *verify)
{
    struct last last = {0, 0, verify->view->totals.start};
    MDB_cursor *cursor;
    MDB_val key, value;

    int r = crier_view_cursor(verify->view, CRIER_TABLE_EVENTS, &cursor);
    while (r == 0) {
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
        if (r == 0)
            r = check_event(verify, key, value, &last);
    }
    return r == -ENOENT ? 0 : r;
}

/* ---- the frame --------------------------------------------------------------------------- */

static int check_kinds(struct crier_verify *verify)
{
    for (int i = 0; i < CRIER_TABLES; i++) {
        bool lists = i == CRIER_TABLE_POSTINGS || i == CRIER_TABLE_ORDER;
        unsigned flags = 0, want = lists ? MDB_DUPSORT | MDB_DUPFIXED : 0;
        int r = crier_file_error(
            mdb_dbi_flags(verify->view->txn, verify->store->tables[i], &flags));
        if (r < 0)
            return r;
        if (flags != want)
            return crier_verify_tell(verify, "A table is of the wrong kind.");
    }
    return 0;
}

static int check_all(struct crier_verify *verify)
{
    int r = check_kinds(verify);

    if (r == 0 && !verify->faults)
        r = check_events(verify);
    if (r == 0 && !verify->faults)
        r = crier_verify_entries(verify);
    if (verify->faults > FAULTS_TOLD) {
        uint64_t more = verify->faults - FAULTS_TOLD;
        verify->faults = 0;
        crier_verify_tell(verify, "And %llu more.", (unsigned long long)more);
    }
    return r;
}

/* Checks the pages that a new transaction sees, and begins a view on them. */
static int begin_checked(struct crier_verify *verify)
{
    struct crier_store *store = verify->store;
    struct crier_buf path;
    int r = -ESTALE;

    crier_buf_init(&path, store->mem);
    crier_buf_printf(&path, "%s/data.mdb", store->dir);
    crier_buf_byte(&path, '\0');
    if (crier_buf_error(&path) < 0)
        return -ENOMEM;
    for (int i = 0; r == -ESTALE && i < SNAPSHOTS; i++) {
        MDB_txn *txn;
        r = crier_file_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
        if (r < 0)
            break;
        r = crier_pages_check(store->mem, path.data, mdb_txn_id(txn), verify->fn, verify->ctx);
        verify->pages_sound = r == 0;
        if (r == 0)
            r = crier_view_adopt(store, txn, &verify->view);
        else
            mdb_txn_abort(txn);
    }
    crier_buf_deinit(&path);
    return r == -ESTALE ? -EBUSY : r;
}

int crier_store_verify(struct crier_store *store,
                       void (*fn)(void *ctx, const char *fault),
                       void *ctx)
{
    static const struct crier_slice none;
    struct crier_verify verify = {.store = store, .fn = fn, .ctx = ctx};

    int r = crier_parser_init(&verify.parser, store->mem, BLOCK_MAX, CRIER_PARSER_STRICT, none);
    if (r < 0)
        return r;
    crier_buf_init(&verify.text, store->mem);
    crier_buf_init(&verify.event, store->mem);
    r = begin_checked(&verify);
    if (r == 0)
        r = check_all(&verify);
    crier_view_end(verify.view);
    crier_buf_deinit(&verify.event);
    crier_buf_deinit(&verify.text);
    crier_parser_deinit(&verify.parser);
    if (r == -EUCLEAN && verify.pages_sound && !verify.faults)
        fn(ctx, "The totals, or an entry of another table, cannot be read.");
    return r == 0 && verify.faults ? -EUCLEAN : r;
}
