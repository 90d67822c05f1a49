/* SPDX-License-Identifier: MIT */
/*
 * The memory journal.
 *
 *      kept aside                the window (segments)
 *     .. 17 .... 240 .. | 901 902 903 ................ 1500 |
 *                         ^ first                         ^ end
 *     topics:    name --> 17      floors:  hash --> newest number lost
 *                name --> 901 907 1490     keys:  (topic, key) --> number
 *
 * One mutex guards all of it. What workers do for every event needs none: crier_cursor_next
 * reads segments by their `count`, and a scan reads what it holds a reference on.
 *
 * Append, in order: everything that can fail (the segment's room, the topics' and the heap's,
 * the key's entry), then the writing, which cannot; then retention; and for the whole batch
 * once `end` and the sleepers to be woken.
 *
 * Ids. ms is the wall clock or, when that has gone back, the last id's; the sequence starts at
 * epoch * 10,000. After 10,000 events in one millisecond the ids run ahead into the next.
 * Position 0 has an id of its own (the clock when the journal was made), so that every position
 * has one.
 *
 * Invariants: crier_memory_check (check.c) lists and asserts them.
 *
 * What can fail: a draft for want of memory or of room; the others of its batch are not touched
 * by that.
 */
#include "journal/memory.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    SEGMENT_SHARE = 64, /* a segment is this part of max_bytes: what is freed at once */
    SEGMENT_MIN = 64 << 10,
    SEGMENT_MAX = 1 << 20,
};

struct crier_memory *crier_memory_of(struct crier_journal *journal)
{
    return CRIER_CONTAINER(journal, struct crier_memory, journal);
}

void crier_memory_lock(struct crier_memory *memory)
{
    int r = pthread_mutex_lock(&memory->mutex);
    assert(r == 0);
    (void)r;
}

void crier_memory_unlock(struct crier_memory *memory)
{
    int r = pthread_mutex_unlock(&memory->mutex);
    assert(r == 0);
    (void)r;
}

void crier_memory_see(struct crier_memory *memory, struct crier_now now)
{
    if (now.boot_ms > memory->boot_ms)
        memory->boot_ms = now.boot_ms;
}

struct crier_held crier_memory_held(const struct crier_memory *memory, uint64_t number)
{
    struct crier_held held = {number, NULL, NULL};

    if (number >= memory->first) {
        struct crier_stored *stored = crier_segments_at(&memory->segments, number);
        if (stored && crier_stored_alive(stored))
            held.stored = stored;
        return held;
    }
    held.kept = crier_kept_find(&memory->kept, number);
    if (held.kept)
        held.stored = crier_kept_stored(held.kept);
    return held;
}

/* ---- append -------------------------------------------------------------- */

/* What one draft needs; all of it reserved before anything is changed. */
struct plan {
    struct crier_id id;
    uint64_t hashes[CRIER_TOPICS_PER_EVENT];
    struct crier_topic *topics[CRIER_TOPICS_PER_EVENT];
    size_t topic_count; /* reserved so far */
    struct crier_key *key;
};

struct crier_id crier_memory_next_id(unsigned epoch, struct crier_id last, uint64_t wall_ms)
{
    uint64_t base = (uint64_t)epoch * CRIER_EPOCH_IDS;

    if (wall_ms > last.ms)
        return (struct crier_id){wall_ms, base};
    if (last.seq + 1 < base + CRIER_EPOCH_IDS)
        return (struct crier_id){last.ms, last.seq + 1};
    return (struct crier_id){last.ms + 1, base};
}

static void cancel(struct crier_memory *memory, struct plan *plan)
{
    for (size_t i = 0; i < plan->topic_count; i++)
        crier_topics_release(&memory->topics, plan->topics[i]);
    crier_keys_cancel(&memory->keys, plan->key);
}

static int
reserve(struct crier_memory *memory, const struct crier_draft *draft, struct plan *plan)
{
    uint64_t number = atomic_load_explicit(&memory->end, memory_order_relaxed) + 1;
    int r = 0;

    if (draft->ttl_ms)
        r = crier_deadlines_reserve(&memory->deadlines);
    if (r == 0 && draft->key.len && !memory->backed)
        r = crier_keys_prepare(&memory->keys, draft->topics[0], draft->key, &plan->key);
    for (size_t i = 0; r == 0 && i < draft->topic_count; i++) {
        plan->hashes[i] = crier_journal_hash(&memory->journal, draft->topics[i]);
        r = crier_topics_reserve(&memory->topics, plan->hashes[i], draft->topics[i],
                                 &plan->topics[i]);
        if (r == 0)
            plan->topic_count++;
    }
    if (r == 0)
        r = crier_segments_reserve(&memory->segments, crier_stored_size(draft, plan->id),
                                   number, memory->last);
    if (r < 0)
        cancel(memory, plan);
    return r;
}

/* The topic has a newer event than the one kept aside for it. */
static void
leave_kept(struct crier_memory *memory, struct crier_topic *topic, struct crier_slice name)
{
    struct crier_held held = crier_memory_held(memory, crier_topic_first(topic));

    assert(held.kept);
    for (size_t i = 0; i < held.stored->topic_count; i++) {
        if (crier_slice_eq(crier_stored_topic(held.stored, i), name)) {
            crier_memory_drop(memory, held, 1u << i, CRIER_LEAVING_EVICTED);
            return;
        }
    }
    assert(false);
}

static void commit(struct crier_memory *memory,
                   const struct crier_draft *draft,
                   struct plan *plan,
                   struct crier_now now,
                   uint64_t expires_ms)
{
    uint64_t number = atomic_load_explicit(&memory->end, memory_order_relaxed) + 1;
    struct crier_stored *stored = crier_segments_room(&memory->segments);

    crier_stored_write(stored, draft, plan->hashes, plan->id, now);
    if (expires_ms) {
        stored->expires_ms = expires_ms;
        crier_deadlines_add(&memory->deadlines, expires_ms, number);
    }
    if (plan->key)
        stored->key = crier_keys_add(&memory->keys, plan->key, number, plan->id, now.boot_ms);
    crier_segments_publish(&memory->segments,
                           crier_type_hash(&memory->journal.hash_key, draft->type));
    memory->last = plan->id;
    memory->events++;
    memory->bytes += stored->sse_len;
    memory->appended++;
    atomic_store(&memory->end, number);
    for (size_t i = 0; i < draft->topic_count; i++) {
        crier_topic_push(plan->topics[i], number, stored->sse_len);
        if (crier_topic_first(plan->topics[i]) < memory->first)
            leave_kept(memory, plan->topics[i], draft->topics[i]);
    }
}

static uint64_t
expiry(const struct crier_memory *memory, const struct crier_draft *draft, uint64_t now_ms)
{
    uint64_t max = memory->limits.max_age_ms;

    return draft->ttl_ms ? now_ms + (draft->ttl_ms < max ? draft->ttl_ms : max) : 0;
}

static int
append_one(struct crier_memory *memory, struct crier_draft *draft, struct crier_now now)
{
    uint64_t stale = atomic_load_explicit(&memory->segments.stale_bytes, memory_order_relaxed);
    struct plan plan = {.id = crier_memory_next_id(memory->epoch, memory->last, now.wall_ms)};

    assert(draft->topic_count >= 1 && draft->topic_count <= CRIER_TOPICS_PER_EVENT);
    if (draft->key.len) {
        const struct crier_key *key =
            crier_keys_find(&memory->keys, draft->topics[0], draft->key);
        if (key) {
            memory->duplicates++;
            draft->ret_id = key->id;
            return CRIER_APPEND_DUPLICATE;
        }
    }
    if (draft->sse.len > memory->limits.max_event_bytes)
        return -EMSGSIZE;
    if (stale > memory->limits.unread_bytes + CRIER_FULL_BEYOND) {
        memory->full++;
        return CRIER_APPEND_FULL;
    }
    int r = reserve(memory, draft, &plan);
    if (r < 0) {
        memory->full++;
        return r;
    }
    commit(memory, draft, &plan, now, expiry(memory, draft, now.boot_ms));
    draft->ret_id = plan.id;
    return 0;
}

int crier_memory_take(struct crier_memory *memory,
                      const struct crier_draft *draft,
                      struct crier_id id,
                      struct crier_now now,
                      uint64_t expires_ms)
{
    struct plan plan = {.id = id};

    assert(memory->backed && !expires_ms == !draft->ttl_ms);
    int r = reserve(memory, draft, &plan);
    if (r < 0)
        return r;
    commit(memory, draft, &plan, now, expires_ms);
    crier_memory_rouse(memory);
    return 0;
}

static void
append_or_forget(struct crier_memory *memory, struct crier_draft *draft, struct crier_now now)
{
    if (draft->forget) {
        crier_memory_forget(memory, draft->topics[0], CRIER_LEAVING_FORGOTTEN);
        draft->result = 0;
    } else {
        draft->result = append_one(memory, draft, now);
        if (draft->result == 0)
            crier_memory_rouse(memory);
    }
    if (draft->result != 0)
        return;
    crier_memory_retain(memory);
    crier_memory_release(memory);
}

static bool
memory_submit(struct crier_journal *journal, struct crier_parcel *parcel, struct crier_now now)
{
    struct crier_memory *memory = crier_memory_of(journal);
    const void *failed = NULL; /* a batch that has ended */

    crier_memory_lock(memory);
    crier_memory_see(memory, now);
    now.boot_ms = memory->boot_ms;
    uint64_t from = atomic_load_explicit(&memory->end, memory_order_relaxed);
    crier_memory_retain(memory);
    crier_memory_release(memory);
    for (size_t i = 0; i < parcel->count; i++) {
        struct crier_draft *draft = &parcel->drafts[i];

        if (draft->batch && draft->batch == failed) {
            draft->result = -ECANCELED;
            continue;
        }
        append_or_forget(memory, draft, now);
        if (draft->result < 0 || draft->result == CRIER_APPEND_FULL)
            failed = draft->batch;
    }
    crier_memory_wake(memory, from);
    crier_memory_unlock(memory);
    return true;
}

static bool memory_writable(struct crier_journal *journal)
{
    struct crier_memory *memory = crier_memory_of(journal);
    uint64_t limit = memory->limits.unread_bytes;

    if (atomic_load_explicit(&memory->segments.stale_bytes, memory_order_relaxed) <= limit)
        return true;
    crier_memory_lock(memory);
    crier_memory_release(memory);
    bool writable =
        atomic_load_explicit(&memory->segments.stale_bytes, memory_order_relaxed) <= limit;
    crier_memory_unlock(memory);
    return writable;
}

static void memory_trim(struct crier_journal *journal, struct crier_now now)
{
    struct crier_memory *memory = crier_memory_of(journal);

    crier_memory_lock(memory);
    crier_memory_see(memory, now);
    crier_memory_retain(memory);
    crier_memory_release(memory);
    crier_memory_unlock(memory);
}

/* ---- life ---------------------------------------------------------------- */

void crier_memory_deinit(struct crier_memory *memory)
{
    assert(!memory->cursors && !memory->watches.count);
    crier_topics_deinit(&memory->topics);
    crier_kept_deinit(&memory->kept);
    crier_floors_deinit(&memory->floors);
    crier_keys_deinit(&memory->keys);
    crier_deadlines_deinit(&memory->deadlines);
    crier_segments_deinit(&memory->segments);
    pthread_mutex_destroy(&memory->mutex);
}

static void memory_free(struct crier_journal *journal)
{
    struct crier_memory *memory = crier_memory_of(journal);

    crier_memory_deinit(memory);
    crier_mem_free(journal->mem, memory);
}

static const struct crier_journal_ops memory_ops = {
    .free = memory_free,
    .submit = memory_submit,
    .writable = memory_writable,
    .attach = crier_memory_attach,
    .detach = crier_memory_detach,
    .next = crier_memory_next,
    .sleep = crier_memory_sleep,
    .awake = crier_memory_awake,
    .watch = crier_memory_watch,
    .unwatch = crier_memory_unwatch,
    .locate = crier_memory_locate,
    .scan = crier_memory_scan,
    .topic = crier_memory_topic,
    .topics = crier_memory_topics,
    .trim = memory_trim,
    .stats = crier_memory_stats,
};

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

struct crier_journal_limits
crier_journal_limits_filled(const struct crier_journal_limits *limits)
{
    static const struct crier_journal_limits none;
    const struct crier_journal_limits *l = limits ? limits : &none;

    return (struct crier_journal_limits){
        .max_events = or_default(l->max_events, 100000),
        .max_bytes = or_default(l->max_bytes, UINT64_C(256) << 20),
        .max_age_ms = or_default(l->max_age_ms, UINT64_C(24) * 3600 * 1000),
        .kept_bytes = or_default(l->kept_bytes, UINT64_C(32) << 20),
        .unread_bytes = or_default(l->unread_bytes, UINT64_C(64) << 20),
        .lap_ms = or_default(l->lap_ms, 2000),
        .max_event_bytes = or_default(l->max_event_bytes, UINT64_C(1) << 20),
        .max_keys = or_default(l->max_keys, 100000),
        .key_age_ms = or_default(l->key_age_ms, UINT64_C(10) * 60 * 1000),
        .max_floors = or_default(l->max_floors, 100000),
        .window_bytes = or_default(l->window_bytes, UINT64_C(32) << 20),
        .replay_bytes = or_default(l->replay_bytes, UINT64_C(16) << 20),
        .pending_bytes = or_default(l->pending_bytes, UINT64_C(32) << 20),
    };
}

static uint32_t segment_size(uint64_t max_bytes)
{
    uint64_t size = max_bytes / SEGMENT_SHARE;
    return (uint32_t)(size < SEGMENT_MIN   ? SEGMENT_MIN
                      : size > SEGMENT_MAX ? SEGMENT_MAX
                                           : size);
}

/* No table has more entries than memory has bytes: on 32 bits a larger limit is none. */
static size_t entries(uint64_t limit)
{
    return limit < SIZE_MAX ? (size_t)limit : SIZE_MAX;
}

static void set_up(struct crier_memory *memory, const struct crier_memory_past *past)
{
    const struct crier_mem *mem = memory->journal.mem;
    const struct crier_hash_key *key = &memory->journal.hash_key;

    memory->epoch = past->epoch;
    memory->first = past->end + 1;
    memory->start = past->start;
    memory->last = memory->before_first = past->last;
    memory->boot_ms = past->boot_ms;
    atomic_init(&memory->end, past->end);
    crier_segments_init(&memory->segments, mem, segment_size(memory->limits.max_bytes));
    memory->merge_looks = CRIER_MERGE_LOOKS;
    crier_watches_init(&memory->watches);
    crier_topics_init(&memory->topics, mem);
    crier_kept_init(&memory->kept, mem);
    crier_floors_init(&memory->floors, mem, key, entries(memory->limits.max_floors));
    crier_keys_init(&memory->keys, mem, key, entries(memory->limits.max_keys));
    crier_deadlines_init(&memory->deadlines, mem);
}

int crier_memory_init(struct crier_memory *memory, const struct crier_memory_past *past)
{
    set_up(memory, past);
    if (pthread_mutex_init(&memory->mutex, NULL) != 0)
        return -ENOMEM;
    /* Cursors always have a segment to stand in. */
    if (crier_segments_reserve(&memory->segments, 0, past->end + 1, past->last) == 0)
        return 0;
    crier_memory_deinit(memory);
    return -ENOMEM;
}

int crier_journal_new_memory(const struct crier_mem *mem,
                             const struct crier_hash_key *key,
                             const struct crier_journal_limits *limits,
                             unsigned epoch,
                             struct crier_now now,
                             struct crier_journal **ret_journal)
{
    struct crier_journal_limits wanted = crier_journal_limits_filled(limits);

    if (epoch < 1 || epoch > 999 || wanted.max_event_bytes > UINT32_MAX / 4)
        return -EINVAL;
    struct crier_memory *memory = crier_mem_zalloc(mem, sizeof(*memory));
    if (!memory)
        return -ENOMEM;
    memory->journal = (struct crier_journal){.ops = &memory_ops, .mem = mem, .hash_key = *key};
    memory->limits = wanted;
    struct crier_id start = {now.wall_ms, (uint64_t)epoch * CRIER_EPOCH_IDS};
    if (crier_memory_init(memory, &(struct crier_memory_past){.epoch = epoch,
                                                              .boot_ms = now.boot_ms,
                                                              .start = start,
                                                              .last = start}) < 0) {
        crier_mem_free(mem, memory);
        return -ENOMEM;
    }
    *ret_journal = &memory->journal;
    return 0;
}
