/* SPDX-License-Identifier: MIT */
/* The journal's interface: every call goes to the implementation's table of functions; what is
 * pure (hashes, filters, interest) is answered here. */
#include "journal/journal.h"
#include <pthread.h>

void crier_journal_free(struct crier_journal *journal)
{
    if (journal)
        journal->ops->free(journal);
}

uint64_t crier_journal_hash(const struct crier_journal *journal, struct crier_slice topic)
{
    uint64_t hash = crier_hash(&journal->hash_key, topic);
    return hash ? hash : 1; /* 0 marks events with several topics */
}

bool crier_journal_submit(struct crier_journal *journal,
                          struct crier_parcel *parcel,
                          struct crier_now now)
{
    return journal->ops->submit(journal, parcel, now);
}

/* A parcel whose sender stands still. */
struct awaited {
    struct crier_parcel parcel;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool done;
};

static void awaited_done(struct crier_parcel *parcel)
{
    struct awaited *a = CRIER_CONTAINER(parcel, struct awaited, parcel);

    pthread_mutex_lock(&a->mutex);
    a->done = true;
    pthread_cond_signal(&a->cond);
    pthread_mutex_unlock(&a->mutex);
}

void crier_journal_append(struct crier_journal *journal,
                          struct crier_draft *drafts,
                          size_t count,
                          struct crier_now now)
{
    struct awaited a = {
        .parcel = {.drafts = drafts, .count = count, .done = awaited_done},
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .cond = PTHREAD_COND_INITIALIZER,
    };

    if (crier_journal_submit(journal, &a.parcel, now))
        return;
    pthread_mutex_lock(&a.mutex);
    while (!a.done)
        pthread_cond_wait(&a.cond, &a.mutex);
    pthread_mutex_unlock(&a.mutex);
}

bool crier_journal_writable(struct crier_journal *journal)
{
    return journal->ops->writable(journal);
}

int crier_journal_attach(struct crier_journal *journal, struct crier_cursor *cursor)
{
    return journal->ops->attach(journal, cursor);
}

void crier_journal_detach(struct crier_cursor *cursor)
{
    if (cursor->journal)
        cursor->journal->ops->detach(cursor->journal, cursor);
}

int crier_cursor_next(struct crier_cursor *cursor,
                      struct crier_record *ret_record,
                      bool (*wanted)(void *ctx, uint64_t topic_hash),
                      void *ctx)
{
    return cursor->journal->ops->next(cursor, ret_record, wanted, ctx);
}

bool crier_cursor_sleep(struct crier_cursor *cursor)
{
    return cursor->journal->ops->sleep(cursor);
}

void crier_cursor_awake(struct crier_cursor *cursor, struct crier_now now)
{
    cursor->journal->ops->awake(cursor, now);
}

static void interest_bit(struct crier_interest *interest, uint64_t bit)
{
    atomic_fetch_or_explicit(&interest->bits[bit >> 6 & 7], UINT64_C(1) << (bit & 63),
                             memory_order_relaxed);
}

/* Two bits: the hash's lowest nine, and the nine above. */
void crier_interest_add(struct crier_interest *interest, uint64_t topic_hash)
{
    interest_bit(interest, topic_hash);
    interest_bit(interest, topic_hash >> 9);
}

static void interest_set(struct crier_interest *interest, uint64_t word)
{
    for (size_t i = 0; i < 8; i++)
        atomic_store_explicit(&interest->bits[i], word, memory_order_relaxed);
}

void crier_interest_all(struct crier_interest *interest)
{
    interest_set(interest, UINT64_MAX);
}

void crier_interest_clear(struct crier_interest *interest)
{
    interest_set(interest, 0);
}

bool crier_interest_has(const struct crier_interest *interest, uint64_t hash)
{
    uint64_t one = atomic_load_explicit(&interest->bits[hash >> 6 & 7], memory_order_relaxed);
    uint64_t two = atomic_load_explicit(&interest->bits[hash >> 15 & 7], memory_order_relaxed);
    return (one >> (hash & 63) & 1) && (two >> (hash >> 9 & 63) & 1);
}

void crier_cursor_interest_add(struct crier_cursor *cursor, uint64_t topic_hash)
{
    crier_interest_add(&cursor->interest, topic_hash);
}

void crier_cursor_interest_all(struct crier_cursor *cursor)
{
    crier_interest_all(&cursor->interest);
}

void crier_cursor_interest_clear(struct crier_cursor *cursor)
{
    crier_interest_clear(&cursor->interest);
}

bool crier_journal_watch(struct crier_journal *journal, struct crier_watch *watch)
{
    return journal->ops->watch(journal, watch);
}

void crier_journal_unwatch(struct crier_journal *journal, struct crier_watch *watch)
{
    journal->ops->unwatch(journal, watch);
}

int crier_journal_locate(struct crier_journal *journal,
                         const struct crier_filter *filter,
                         const struct crier_since *since,
                         struct crier_now now,
                         struct crier_wait *wait,
                         struct crier_start *ret_start)
{
    return journal->ops->locate(journal, filter, since, now, wait, ret_start);
}

int crier_journal_scan(struct crier_journal *journal,
                       struct crier_scan *scan,
                       crier_scan_fn *fn,
                       void *ctx,
                       struct crier_start *ret_gap)
{
    return journal->ops->scan(journal, scan, fn, ctx, ret_gap);
}

int crier_journal_forget(struct crier_journal *journal,
                         struct crier_slice topic,
                         struct crier_now now)
{
    struct crier_draft draft = {.topics = {topic}, .topic_count = 1, .forget = true};

    crier_journal_append(journal, &draft, 1, now);
    return draft.result;
}

int crier_journal_topic(struct crier_journal *journal,
                        struct crier_slice name,
                        struct crier_wait *wait,
                        struct crier_topic_info *ret_info)
{
    return journal->ops->topic(journal, name, wait, ret_info);
}

int crier_journal_topics(struct crier_journal *journal,
                         struct crier_slice prefix,
                         struct crier_slice after,
                         size_t limit,
                         struct crier_wait *wait,
                         crier_topic_fn *fn,
                         void *ctx)
{
    return journal->ops->topics(journal, prefix, after, limit, wait, fn, ctx);
}

void crier_journal_unwait(struct crier_journal *journal, struct crier_wait *wait)
{
    if (wait->job)
        journal->ops->unwait(journal, wait);
}

enum crier_journal_state crier_journal_state(struct crier_journal *journal)
{
    return journal->ops->state ? journal->ops->state(journal) : CRIER_JOURNAL_OK;
}

void crier_journal_trim(struct crier_journal *journal, struct crier_now now)
{
    journal->ops->trim(journal, now);
}

void crier_journal_get_stats(struct crier_journal *journal,
                             struct crier_journal_stats *ret_stats)
{
    journal->ops->stats(journal, ret_stats);
}

/* ---- filters ------------------------------------------------------------- */

bool crier_filter_type(const struct crier_filter *filter, struct crier_slice type)
{
    if (!filter->type_count)
        return true;
    if (!type.len)
        type = CRIER_SLICE("message");
    for (size_t i = 0; i < filter->type_count; i++) {
        if (crier_slice_eq(filter->types[i], type))
            return true;
    }
    return false;
}

bool crier_filter_topic(const struct crier_filter *filter,
                        struct crier_slice topic,
                        uint64_t hash)
{
    for (size_t i = 0; i < filter->topic_count; i++) {
        if (filter->topic_hashes[i] == hash && crier_slice_eq(filter->topics[i], topic))
            return true;
    }
    return filter->match && filter->match(filter->ctx, topic);
}

bool crier_filter_match(const struct crier_filter *filter, const struct crier_record *record)
{
    if (!crier_filter_type(filter, record->type))
        return false;
    for (size_t i = 0; i < record->topic_count; i++) {
        if (crier_filter_topic(filter, record->topics[i], record->topic_hashes[i]))
            return true;
    }
    return false;
}
