/* SPDX-License-Identifier: MIT */
/*
 * All that points at events, compared with them.
 *
 * Every pointer is followed: each entry of a topic's list, of order, deadlines and keys must
 * lead to an event that agrees. A table has each entry once, so with as many entries as the
 * events say there are, none is missing either.
 */
#include "durable/verify.h"

#define N(number) ((unsigned long long)(number))

static int event_of(struct crier_verify *verify, uint64_t number, struct crier_row *ret_row)
{
    int r = crier_view_event(verify->view, number, ret_row);
    /* A row that cannot be read was told with the events. */
    return r == -EUCLEAN ? -ENOENT : r;
}

static int
compare_count(struct crier_verify *verify, int table, const char *name, uint64_t want)
{
    uint64_t count;
    int r = crier_verify_count(verify, table, &count);

    if (r == 0 && count != want)
        crier_verify_tell(verify, "Table %s has %llu entries where events say %llu.", name,
                          N(count), N(want));
    return r;
}

/* ---- topics and their lists -------------------------------------------------------------- */

struct list {
    uint64_t events, bytes, first, last;
};

static bool held_under(const struct crier_row *row, struct crier_slice topic)
{
    for (size_t i = 0; i < row->topic_count; i++) {
        if ((row->alive >> i & 1) && crier_slice_eq(row->topics[i], topic))
            return true;
    }
    return false;
}

static int check_list(struct crier_verify *verify,
                      struct crier_slice name,
                      uint64_t serial,
                      struct list *list)
{
    struct crier_row row;
    MDB_cursor *cursor;
    uint64_t number;

    int r = crier_view_cursor(verify->view, CRIER_TABLE_POSTINGS, &cursor);
    if (r == 0)
        r = crier_find_posting(cursor, serial, false, 0, &number);
    while (r == 0) {
        r = event_of(verify, number, &row);
        if (r == -ENOENT || (r == 0 && !held_under(&row, name)))
            return crier_verify_tell(verify, "Topic %.*s lists event %llu, which is not its.",
                                     CRIER_SLICE_ARG(name), N(number));
        if (r < 0)
            return r;
        list->events++;
        list->bytes += crier_row_bytes(&row);
        list->first = list->first ? list->first : number;
        list->last = number;
        r = crier_find_posting_next(cursor, false, &number);
    }
    return r == -ENOENT ? 0 : r;
}

static int check_topic(struct crier_verify *verify, MDB_val key, MDB_val value)
{
    struct crier_slice name = {key.mv_data, key.mv_size};
    struct crier_topic_row topic;
    struct list list = {0, 0, 0, 0};

    if (crier_topic_row_read(value, &topic) < 0)
        return crier_verify_tell(verify, "Topic %.*s is damaged: it cannot be read.",
                                 CRIER_SLICE_ARG(name));
    if (topic.serial == 0 || topic.serial > verify->view->topic_serial)
        crier_verify_tell(verify, "Topic %.*s is damaged: its serial was never given.",
                          CRIER_SLICE_ARG(name));
    int r = check_list(verify, name, topic.serial, &list);
    if (r < 0)
        return r;
    if (list.events == 0 || list.events != topic.events || list.bytes != topic.bytes ||
        list.first != topic.first || list.last != topic.last)
        crier_verify_tell(verify, "Topic %.*s is damaged: its list is not what it says.",
                          CRIER_SLICE_ARG(name));
    return 0;
}

/* ---- order, deadlines, keys, floors ------------------------------------------------------ */

static int check_order(struct crier_verify *verify, MDB_val key, MDB_val value)
{
    struct crier_row row;
    uint32_t class_id;

    if (crier_class_key_read(key, &class_id) < 0 || value.mv_size != 8)
        return crier_verify_tell(verify, "Table order is damaged: an entry makes no sense.");
    uint64_t number = crier_get_u64(value.mv_data);
    int r = event_of(verify, number, &row);
    if (r == -ENOENT || (r == 0 && row.class_id != class_id))
        return crier_verify_tell(verify, "Event %llu is in the wrong class.", N(number));
    return r;
}

static int check_deadline(struct crier_verify *verify, MDB_val key, MDB_val value)
{
    struct crier_row row;

    (void)value;
    if (key.mv_size != 16)
        return crier_verify_tell(verify,
                                 "Table deadlines is damaged: an entry makes no sense.");
    uint64_t number = crier_get_u64((const unsigned char *)key.mv_data + 8);
    int r = event_of(verify, number, &row);
    if (r == -ENOENT || (r == 0 && row.expires_ms != crier_get_u64(key.mv_data)))
        return crier_verify_tell(verify, "Event %llu expires at another time than it says.",
                                 N(number));
    return r;
}

static int check_key(struct crier_verify *verify, MDB_val key, MDB_val value)
{
    struct crier_row row;

    (void)value;
    if (key.mv_size != 8)
        return crier_verify_tell(verify, "Table keys is damaged: an entry makes no sense.");
    uint64_t number = crier_get_u64(key.mv_data);
    int r = event_of(verify, number, &row);
    if (r == -ENOENT || (r == 0 && !row.key.len))
        return crier_verify_tell(verify, "Event %llu has no key, but is said to.", N(number));
    return r;
}

static bool loss_fits(const struct crier_verify *verify, const struct crier_loss *loss)
{
    const struct crier_store_totals *totals = &verify->view->totals;

    if (loss->number == 0)
        return loss->id.ms == 0 && loss->id.seq == 0;
    return loss->number <= totals->end && crier_id_cmp(loss->id, totals->start) > 0 &&
           crier_id_cmp(loss->id, totals->last) <= 0;
}

static int check_floor(struct crier_verify *verify, MDB_val key, MDB_val value)
{
    const unsigned char *at = value.mv_data;

    if (key.mv_size != 8 || value.mv_size != 32)
        return crier_verify_tell(verify, "Table floors is damaged: an entry makes no sense.");
    struct crier_loss loss = {crier_get_u64(at),
                              {crier_get_u64(at + 8), crier_get_u64(at + 16)},
                              crier_get_u64(at + 24)};
    if (loss.number == 0 || !loss_fits(verify, &loss))
        crier_verify_tell(verify, "Table floors is damaged: an event was lost that never was.");
    return 0;
}

/* ---- totals ------------------------------------------------------------------------------ */

static void check_totals(struct crier_verify *verify, uint64_t topics)
{
    const struct crier_store_totals *totals = &verify->view->totals;
    uint64_t kept_events = 0, kept_bytes = 0;

    for (size_t i = 0; i < CRIER_CLASSES; i++) {
        kept_events += verify->classes[i].kept_events;
        kept_bytes += verify->classes[i].kept_bytes;
    }
    if (totals->events != verify->events || totals->bytes != verify->bytes ||
        totals->topics != topics || totals->kept_events != kept_events ||
        totals->kept_bytes != kept_bytes)
        crier_verify_tell(verify,
                          "The totals are damaged: they say %llu events of %llu bytes in %llu "
                          "topics, %llu of %llu bytes kept aside; there are %llu of %llu in "
                          "%llu, and %llu of %llu.",
                          N(totals->events), N(totals->bytes), N(totals->topics),
                          N(totals->kept_events), N(totals->kept_bytes), N(verify->events),
                          N(verify->bytes), N(topics), N(kept_events), N(kept_bytes));
    if (!loss_fits(verify, &totals->root) || !loss_fits(verify, &totals->lost))
        crier_verify_tell(verify, "The totals are damaged: what was lost never was.");
    if (totals->epoch < 1 || totals->epoch > 999 ||
        crier_id_cmp(totals->start, totals->last) > 0 ||
        (totals->end == 0) != (crier_id_cmp(totals->start, totals->last) == 0))
        crier_verify_tell(verify, "The totals are damaged: their ids make no sense.");
}

static int check_class(struct crier_verify *verify, MDB_val key, MDB_val value)
{
    struct crier_class class;
    uint32_t class_id;

    if (!crier_class_meta_key_read(key, &class_id))
        return 0; /* of something else */
    if (class_id >= CRIER_CLASSES || crier_class_read(value, &class) < 0)
        return crier_verify_tell(verify, "Table meta is damaged: a class makes no sense.");
    const struct crier_class *seen = &verify->classes[class_id];
    if (class.events != seen->events || class.bytes != seen->bytes ||
        class.kept_events != seen->kept_events || class.kept_bytes != seen->kept_bytes)
        crier_verify_tell(verify, "The counters of class %u are wrong.", (unsigned)class_id);
    return 0;
}

int crier_verify_entries(struct crier_verify *verify)
{
    uint64_t topics;

    int r = crier_verify_count(verify, CRIER_TABLE_TOPICS, &topics);
    if (r == 0)
        check_totals(verify, topics);
    if (r == 0)
        r = crier_verify_walk(verify, CRIER_TABLE_TOPICS, check_topic);
    if (r == 0)
        r = compare_count(verify, CRIER_TABLE_POSTINGS, "postings", verify->entries);
    if (r == 0)
        r = crier_verify_walk(verify, CRIER_TABLE_ORDER, check_order);
    if (r == 0)
        r = compare_count(verify, CRIER_TABLE_ORDER, "order", verify->events);
    if (r == 0)
        r = crier_verify_walk(verify, CRIER_TABLE_DEADLINES, check_deadline);
    if (r == 0)
        r = compare_count(verify, CRIER_TABLE_DEADLINES, "deadlines", verify->deadlines);
    if (r == 0)
        r = crier_verify_walk(verify, CRIER_TABLE_KEYS, check_key);
    if (r == 0)
        r = compare_count(verify, CRIER_TABLE_KEYS, "keys", verify->keys);
    if (r == 0)
        r = crier_verify_walk(verify, CRIER_TABLE_FLOORS, check_floor);
    return r == 0 ? crier_verify_walk(verify, CRIER_TABLE_META, check_class) : r;
}
