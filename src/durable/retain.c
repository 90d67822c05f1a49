/* SPDX-License-Identifier: MIT */
/*
 * What leaves history, a bounded number of steps at a time:
 *
 *     deadlines due ──▶ expired
 *     class c over its events or bytes ──▶ its oldest: newest of a topic? ──▶ kept aside (c)
 *                                                          └── else ──▶ evicted
 *     class c, or what is kept aside of it, too old ──▶ evicted
 *     more kept aside than there is room for ──▶ the oldest of all of it, evicted
 *
 * The same rules as the memory journal's (journal/retain.c), for each class. What is kept aside
 * is one event of a topic at most, for the topics whose newest it is; for the others it had, it
 * leaves.
 */
#include "durable/file.h"
#include <string.h>

struct retaining {
    struct crier_store *store;
    uint64_t clock_ms;
    size_t left_to_do;
    crier_store_left_fn *left;
    void *ctx;
};

enum { FRONT_NONE = 1 };

/* ---- fronts ------------------------------------------------------------------------------ */

/* The oldest number of a class. 0, FRONT_NONE. */
static int front(struct crier_store *store, uint32_t class_id, uint64_t *ret_number)
{
    unsigned char bytes[4];
    MDB_val key = {4, bytes}, value;
    MDB_cursor *cursor = NULL;
    int r = crier_batch_cursor(store, CRIER_TABLE_ORDER, &cursor);

    for (int i = 3; i >= 0; i--, class_id >>= 8)
        bytes[i] = (unsigned char)class_id;
    if (r == 0)
        r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_SET));
    if (r == -ENOENT)
        return FRONT_NONE;
    if (r < 0)
        return r;
    *ret_number = crier_get_u64(value.mv_data);
    return 0;
}

static int drop_all(struct retaining *t, uint64_t number, enum crier_store_why why)
{
    t->left_to_do--;
    return crier_batch_drop(t->store, number, ~0u, why, t->left, t->ctx);
}

/* ---- ttl --------------------------------------------------------------------------------- */

static int expire(struct retaining *t)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    int r = 0;

    while (r == 0 && t->left_to_do) {
        r = crier_batch_cursor(t->store, CRIER_TABLE_DEADLINES, &cursor);
        if (r == 0)
            r = crier_file_error(mdb_cursor_get(cursor, &key, &value, MDB_FIRST));
        if (r == -ENOENT)
            return 0;
        if (r < 0)
            return r;
        if (key.mv_size != 16)
            return -EUCLEAN;
        if (crier_get_u64(key.mv_data) > t->clock_ms)
            return 0;
        r = drop_all(t, crier_get_u64((const char *)key.mv_data + 8), CRIER_STORE_EXPIRED);
    }
    return r;
}

/* ---- one class --------------------------------------------------------------------------- */

/* The topics whose newest event it is. */
static int newest_of(struct crier_store *store,
                     uint64_t number,
                     const struct crier_row *row,
                     unsigned *ret_mask)
{
    struct crier_touched *touched;
    unsigned mask = 0;

    for (size_t i = 0; i < row->topic_count; i++) {
        if (!(row->alive >> i & 1))
            continue;
        int r = crier_batch_touch(store, row->topics[i], false, &touched);
        if (r < 0)
            return r == -ENOENT ? -EUCLEAN : r;
        if (crier_touched_row(touched)->last == number)
            mask |= 1u << i;
    }
    *ret_mask = mask;
    return 0;
}

/* Moves the event from its class to what is kept aside of it; for `mask` it stays. */
static int keep_aside(struct crier_store *store, uint64_t number, unsigned mask)
{
    struct crier_touched *touched;
    struct crier_row row;
    int r = crier_batch_row(store, number, &row);

    if (r < 0)
        return r;
    struct crier_class *c = &store->classes[row.class_id];
    uint64_t bytes = crier_row_bytes(&row);
    r = crier_batch_order(store, row.class_id, number, false);
    row.class_id |= CRIER_CLASS_KEPT;
    if (r == 0)
        r = crier_batch_order(store, row.class_id, number, true);
    if (r == 0)
        r = crier_batch_rewrite(store, number, &row);
    c->events--;
    c->bytes -= bytes;
    c->kept_events++;
    c->kept_bytes += bytes;
    store->totals.kept_events++;
    store->totals.kept_bytes += bytes;
    for (size_t i = 0; r == 0 && i < row.topic_count; i++) {
        if (!(mask >> i & 1))
            continue;
        r = crier_batch_touch(store, row.topics[i], false, &touched);
        if (r == 0)
            crier_touched_row(touched)->kept = number;
    }
    return r;
}

/* The oldest event of a class leaves it. */
static int evict(struct retaining *t, uint64_t number, const struct crier_row *row)
{
    struct crier_store *store = t->store;
    unsigned alive = row->alive, kept = 0;
    int r = newest_of(store, number, row, &kept);

    if (r < 0)
        return r;
    if (kept && crier_row_bytes(row) > store->limits.kept_bytes) {
        store->totals.kept_dropped++;
        kept = 0;
    }
    if (!kept)
        return drop_all(t, number, CRIER_STORE_EVICTED);
    t->left_to_do--;
    if (alive & ~kept)
        r = crier_batch_drop(store, number, alive & ~kept, CRIER_STORE_EVICTED, t->left,
                             t->ctx);
    return r < 0 ? r : keep_aside(store, number, kept);
}

static bool is_too_old(const struct retaining *t, uint64_t clock_ms, uint64_t max_age_ms)
{
    return max_age_ms && t->clock_ms >= clock_ms && t->clock_ms - clock_ms >= max_age_ms;
}

static bool is_over(const struct crier_class *c, const struct crier_rule *limits)
{
    return (limits->max_events && c->events > limits->max_events) ||
           (limits->max_bytes && c->bytes > limits->max_bytes);
}

static int retain_class(struct retaining *t, uint32_t class_id)
{
    struct crier_rule limits = crier_store_class_limits(t->store, class_id);
    const struct crier_class *c = &t->store->classes[class_id];
    struct crier_row row;
    uint64_t number;
    int r = 0;

    while (r == 0 && t->left_to_do && c->events) {
        bool over = is_over(c, &limits);
        if (!over && !limits.max_age_ms)
            return 0;
        r = front(t->store, class_id, &number);
        if (r == 0)
            r = crier_batch_row(t->store, number, &row);
        if (r != 0)
            return r < 0 ? r : -EUCLEAN;
        if (is_too_old(t, row.clock_ms, limits.max_age_ms))
            r = drop_all(t, number, CRIER_STORE_EVICTED);
        else if (over)
            r = evict(t, number, &row);
        else
            return 0;
    }
    return r;
}

/* ---- kept aside -------------------------------------------------------------------------- */

static int retain_kept_age(struct retaining *t, uint32_t class_id)
{
    struct crier_rule limits = crier_store_class_limits(t->store, class_id);
    const struct crier_class *c = &t->store->classes[class_id];
    struct crier_row row;
    uint64_t number;
    int r = 0;

    while (r == 0 && t->left_to_do && c->kept_events && limits.max_age_ms) {
        r = front(t->store, CRIER_CLASS_KEPT + class_id, &number);
        if (r == 0)
            r = crier_batch_row(t->store, number, &row);
        if (r != 0)
            return r < 0 ? r : -EUCLEAN;
        if (!is_too_old(t, row.clock_ms, limits.max_age_ms))
            return 0;
        r = drop_all(t, number, CRIER_STORE_EVICTED);
    }
    return r;
}

/* The oldest of all that is kept aside. */
static int kept_front(struct crier_store *store, uint64_t *ret_number)
{
    uint64_t oldest = UINT64_MAX, number;

    for (uint32_t i = 0; i <= store->rules.count; i++) {
        if (!store->classes[i].kept_events)
            continue;
        int r = front(store, CRIER_CLASS_KEPT + i, &number);
        if (r != 0)
            return r < 0 ? r : -EUCLEAN;
        if (number < oldest)
            oldest = number;
    }
    *ret_number = oldest;
    return oldest == UINT64_MAX ? -EUCLEAN : 0;
}

static int retain_kept_bytes(struct retaining *t)
{
    struct crier_store_totals *totals = &t->store->totals;
    uint64_t number;
    int r = 0;

    while (r == 0 && t->left_to_do && totals->kept_bytes > t->store->limits.kept_bytes) {
        r = kept_front(t->store, &number);
        if (r < 0)
            return r;
        totals->kept_dropped++;
        r = drop_all(t, number, CRIER_STORE_EVICTED);
    }
    return r;
}

int crier_store_retain(struct crier_store *store,
                       uint64_t clock_ms,
                       size_t max_events,
                       crier_store_left_fn *left,
                       void *ctx)
{
    struct retaining t = {store, clock_ms, max_events, left, ctx};
    int r = crier_batch_flush(store);

    if (r == 0)
        r = expire(&t);
    for (uint32_t i = 0; r == 0 && i <= store->rules.count; i++) {
        r = retain_class(&t, i);
        if (r == 0)
            r = retain_kept_age(&t, i);
    }
    if (r == 0)
        r = retain_kept_bytes(&t);
    return r < 0 ? r : t.left_to_do == 0;
}
