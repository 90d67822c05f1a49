/* SPDX-License-Identifier: MIT */
/*
 * The file from inside: what the store's files share. docs/journal-format.md says the same for
 * people; a change here is a new version of the format.
 *
 * All numbers are big-endian, so that LMDB's own order of bytes is theirs, and the file is the
 * same on every machine of the same page size.
 *
 *   table      key                      value
 *   meta       "format"                 crier_format
 *              "totals"                 what crier_store_totals tells and restarts keep
 *              "rules"                  the rules in force, as text: when they change, `order`
 *                                       and the classes are made anew
 *              "class" class            crier_class
 *   events     number                   a row (row.h)
 *   topics     name                     crier_topic_row
 *   postings   serial of the topic      its events' numbers, ascending (DUPSORT, DUPFIXED)
 *   order      class                    its events' numbers, ascending (DUPSORT, DUPFIXED)
 *   deadlines  expires_ms number        nothing
 *   keys       number                   nothing: this event has a key (it is in its row)
 *   floors     hash                     crier_loss: number ms seq serial
 *
 * Classes. An event belongs to class 0, or to that of the first rule that takes its first topic
 * (1 ..). When its class is over its limits it leaves, or, for the topics whose newest event it
 * is, moves to the class that keeps aside what class c loses: CRIER_CLASS_KEPT + c.
 *
 * Files: store.c (open, close), meta.c (totals, classes, topic rows), folder.c, head.c (whose
 * file is it?), room.c (how large it may be), row.c (an event as bytes), batch.c (what is put),
 * leave.c and retain.c (what leaves), floors.c, keys.c, reclass.c (rules), anchor.c, view.c,
 * find.c, read.c and place.c (reading), verify.c, entries.c, page.c, pages.c, compact.c,
 * rules.c.
 */
#ifndef CRIER_DURABLE_FILE_H
#define CRIER_DURABLE_FILE_H

#include "base/map.h"
#include "durable/anchor.h"
#include "durable/row.h"
#include "durable/store.h"
#include <lmdb.h>

#define CRIER_FORMAT_NAME "crier journal" /* begins the value of "format", with its NUL */
enum { CRIER_FORMAT_VERSION = CRIER_STORE_FORMAT };

enum {
    CRIER_TABLE_META = 0,
    CRIER_TABLE_EVENTS,
    CRIER_TABLE_TOPICS,
    CRIER_TABLE_POSTINGS,
    CRIER_TABLE_ORDER,
    CRIER_TABLE_DEADLINES,
    CRIER_TABLE_KEYS,
    CRIER_TABLE_FLOORS,
    CRIER_TABLES,
};

enum { CRIER_CLASSES = CRIER_RULES + 1, CRIER_CLASS_KEPT = 0x8000 };

/* What a topic holds. serial: drawn from totals when the topic is made, never used again. */
struct crier_topic_row {
    uint64_t serial;
    uint64_t events, bytes;
    uint64_t first, last; /* numbers */
    uint64_t kept;        /* number of the event kept aside for it; 0: none is */
};
enum { CRIER_TOPIC_ROW_BYTES = 48 };

/* Counters of a class, of what it keeps aside apart. */
struct crier_class {
    uint64_t events, bytes;
    uint64_t kept_events, kept_bytes;
};
enum { CRIER_CLASS_BYTES = 32 };

/* A topic touched by the transaction under way: its row as it will be, and the numbers to be
 * added to its postings; written at the latest by crier_batch_flush. */
struct crier_touched;

enum { CRIER_VIEWS_IDLE = 8 };

struct crier_store {
    const struct crier_mem *mem;
    char *dir;
    int lock_fd;
    bool read_only;
    enum crier_sync sync;
    MDB_env *env;
    MDB_dbi tables[CRIER_TABLES];
    struct crier_rules rules;
    struct crier_journal_limits limits;
    struct crier_store_totals totals, before; /* before: as they were at begin */
    uint64_t topic_serial, before_serial;     /* the last one drawn */
    struct crier_class classes[CRIER_CLASSES], before_classes[CRIER_CLASSES];
    uint64_t clock_shift;       /* the store's clock is boot_ms + this (it may wrap) */
    struct crier_anchor anchor; /* CRIER_SYNC_INTERVAL */
    uint64_t measured;          /* commits since free pages were counted */
    uint64_t max_bytes;         /* of the file */
    uint64_t room_bytes;        /* what this transaction may still put (room.c) */
    uint64_t scattered;         /* pages that it may still write again for little */
    uint64_t page_size;

    /* ---- the transaction under way: batch.c ---- */
    MDB_txn *txn;
    MDB_cursor *cursors[CRIER_TABLES]; /* opened when first needed, closed with it */
    struct crier_map touched;          /* struct crier_touched, by the hash of the name */
    struct crier_touched *touched_list;
    struct crier_touched *filled;          /* those with numbers to be added */
    bool unflushed;                        /* there are such, or some in `added` */
    struct crier_buf scratch;              /* a row being put */
    struct crier_buf copy;                 /* a row that was read */
    struct crier_buf added[CRIER_CLASSES]; /* numbers to be added to `order`, each 8 bytes */

    /* ---- reading: view.c; any thread ---- */
    struct crier_view *_Atomic idle_views[CRIER_VIEWS_IDLE]; /* to be used again; NULL: none */
};

/* ---- shared ------------------------------------------------------------------------------ */

/* An LMDB result as ours: MDB_MAP_FULL and ENOSPC are -ENOSPC, MDB_NOTFOUND -ENOENT, what tells
 * of a broken file -EUCLEAN, other errno values themselves, the rest -EIO. 0 stays. */
int crier_file_error(int rc);

static inline void crier_put_u64(unsigned char out[8], uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        out[i] = (unsigned char)value;
}

static inline uint64_t crier_get_u64(const void *bytes)
{
    const unsigned char *in = bytes;
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}

static inline MDB_val crier_val(const void *data, size_t size)
{
    return (MDB_val){size, (void *)(uintptr_t)data};
}

/* A key of `order`. */
static inline void crier_class_key(uint32_t class_id, unsigned char key[4])
{
    for (int i = 3; i >= 0; i--, class_id >>= 8)
        key[i] = (unsigned char)class_id;
}

/* A key of `deadlines`. */
static inline void crier_deadline_key(uint64_t ms, uint64_t number, unsigned char key[16])
{
    crier_put_u64(key, ms);
    crier_put_u64(key + 8, number);
}

/* meta.c: an entry of `meta`; -ENOENT. */
int crier_meta_get(const struct crier_store *store, MDB_txn *txn, MDB_val key, MDB_val *ret);
/* In the transaction under way. */
int crier_meta_put(const struct crier_store *store, MDB_val key, MDB_val value);
/* Reads the counters of a class into the store; one that has none is left as it is. */
int crier_class_get(struct crier_store *store, MDB_txn *txn, uint32_t class_id);
/* Writes totals, and the classes that changed, in the transaction under way. */
int crier_store_save(struct crier_store *store) CRIER_MUST_CHECK;
/* head.c: looks at data.mdb before LMDB does. 0; 1: there is none yet; -EILSEQ,
 * -EUCLEAN, ... */
int crier_file_look(const struct crier_store *store) CRIER_MUST_CHECK;
/* room.c: the bytes to map for a file of at most so many (0: the default), or, if it is larger
 * already, for that. */
size_t crier_room_map(struct crier_store *store, uint64_t max_file_bytes);
/* How large the file is, and what of it is free. */
void crier_store_measure(struct crier_store *store);
/* When a transaction begins: how many pages may be put into. */
int crier_room_begin(struct crier_store *store) CRIER_MUST_CHECK;
/* An event is to be put. 0; -ENOSPC: the rest is for what leaves. */
int crier_room_take(struct crier_store *store,
                    const struct crier_store_event *event) CRIER_MUST_CHECK;
/* A topic is touched by it for the first time in this transaction. */
void crier_room_take_topic(struct crier_store *store);
/* reclass.c: takes the rules (NULL: those the file was last written with); when topics belong
 * to others than before, every event is put into its class anew. */
int crier_store_apply_rules(struct crier_store *store,
                            const struct crier_rules *wanted) CRIER_MUST_CHECK;
/* The value of "totals". 0, -EUCLEAN. ret_topic_serial may be NULL. */
int crier_totals_read(MDB_val value,
                      struct crier_store_totals *ret_totals,
                      uint64_t *ret_topic_serial);
/* A key of `order`. 0, -EUCLEAN. */
int crier_class_key_read(MDB_val key, uint32_t *ret_class_id);
/* Is it the key of a class in `meta`? */
bool crier_class_meta_key_read(MDB_val key, uint32_t *ret_class_id);
/* 0, -EUCLEAN. */
int crier_class_read(MDB_val value, struct crier_class *ret_class);
void crier_topic_row_write(const struct crier_topic_row *row,
                           unsigned char out[CRIER_TOPIC_ROW_BYTES]);
/* 0, -EUCLEAN. */
int crier_topic_row_read(MDB_val value, struct crier_topic_row *ret_row);
/* In any transaction. 0, -ENOENT, -EUCLEAN, ... */
int crier_topic_row_get(const struct crier_store *store,
                        MDB_txn *txn,
                        struct crier_slice name,
                        struct crier_topic_row *ret_row);
/* The class of an event by its first topic: 0 or its rule's number. */
uint32_t crier_store_class(const struct crier_store *store, struct crier_slice topic);
/* The limits of a class (0: the store's own). */
struct crier_rule crier_store_class_limits(const struct crier_store *store, uint32_t class_id);
/* Reads an event's row in a transaction. The row borrows from it. 0, -ENOENT, -EUCLEAN. */
int crier_row_get(const struct crier_store *store,
                  MDB_txn *txn,
                  uint64_t number,
                  struct crier_row *ret_row);

/* view.c: ends the views kept to be used again; before the environment is closed. */
void crier_views_free(struct crier_store *store);

/* batch.c */
void crier_changes_init(struct crier_store *store);
void crier_changes_deinit(struct crier_store *store);
/* The topic's row as this transaction leaves it; made, if it is to be. -ENOENT: there is
 * none. */
int crier_batch_touch(struct crier_store *store,
                      struct crier_slice name,
                      bool make,
                      struct crier_touched **ret) CRIER_MUST_CHECK;
struct crier_topic_row *crier_touched_row(struct crier_touched *touched);
/* Writes an event's row again (its class or what it is held under has changed). */
int crier_batch_rewrite(struct crier_store *store,
                        uint64_t number,
                        const struct crier_row *row) CRIER_MUST_CHECK;
/* Takes a number out of a class in `order`, or puts one in. */
int crier_batch_order(struct crier_store *store, uint32_t class_id, uint64_t number, bool add)
    CRIER_MUST_CHECK;
/* Copies an event's row out of the file: what it borrows is valid until the next such call. */
int crier_batch_row(struct crier_store *store,
                    uint64_t number,
                    struct crier_row *ret_row) CRIER_MUST_CHECK;
/* Writes the touched topics and collected numbers, so that tables can be read. */
int crier_batch_flush(struct crier_store *store) CRIER_MUST_CHECK;
/* Only the numbers: postings and `order` can be read then, rows of topics not. */
int crier_batch_flush_numbers(struct crier_store *store) CRIER_MUST_CHECK;
/* The cursor of a table in the transaction under way. */
int crier_batch_cursor(struct crier_store *store, int table, MDB_cursor **ret) CRIER_MUST_CHECK;
/* Takes an event out of the topics in mask (of its row's topics that it is still held under),
 * and tells `left`; of its last, out of everything. */
int crier_batch_drop(struct crier_store *store,
                     uint64_t number,
                     unsigned mask,
                     enum crier_store_why why,
                     crier_store_left_fn *left,
                     void *ctx) CRIER_MUST_CHECK;

#endif
