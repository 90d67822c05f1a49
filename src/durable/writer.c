/* SPDX-License-Identifier: MIT */
/*
 * The writer: all that has been submitted while it wrote is its next transaction.
 *
 *     parcels ─▶ begin ─▶ each draft: known key? id, put, or forget ─▶ what must leave, leaves
 *                  ▲                                                          │
 *                  │                                                     floors, commit
 *                  │                                                          │
 *            next parcels ◀── parcels come back ◀── window, wake-ups ◀────────┘
 *
 * Results are decided while drafts are put, and come true with the commit: until then nobody
 * hears of them. When it fails, all of the transaction fails: with -ENOSPC nothing of it is
 * kept, and it goes on with the next; otherwise nothing is certain any more: those in it hear
 * that the outcome is unknown, all later ones that the disk has failed, until a restart.
 *
 * A key is known from the moment its draft is put, so that a repeat in the same transaction
 * finds it, and is forgotten again if the commit fails.
 *
 * Time is what those who publish and those who let history age have told: the writer has no
 * clock of its own, except to know when to sync and to wake once a second.
 *
 * What can fail: memory (the draft, or the transaction, is refused) and the disk. Once
 * committed, events must come into the window: without memory the writer makes the window
 * smaller, and waits until there is some.
 */
#include "durable/writer.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>
#include <time.h>

enum {
    TAKE_BYTES = 8 << 20, /* of drafts in one transaction */
    TAKE_DRAFTS = 16384,
    RETAIN_MORE = 256, /* leave with each transaction, beyond as many as came */
    RETAIN_IDLE = 8192,
    ROOM_AT_ONCE = 32, /* leave with each transaction of a file that is full */
    ROOM_STEPS = 64,
    SLEEP_MS = 1000,
};

size_t crier_draft_cost(const struct crier_draft *draft)
{
    size_t cost = sizeof(*draft) + draft->sse.len + draft->type.len + draft->key.len;

    for (size_t i = 0; i < draft->topic_count; i++)
        cost += draft->topics[i].len;
    return cost;
}

static uint64_t monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- one draft -------------------------------------------------------------------------- */

static int room_for_put(struct crier_writer *w)
{
    if (w->put_count < w->put_cap)
        return 0;
    size_t cap = w->put_cap ? w->put_cap * 2 : 256;
    struct crier_put *puts =
        crier_mem_resize(w->d->memory.journal.mem, w->puts, cap * sizeof(puts[0]));
    if (!puts)
        return -ENOMEM;
    w->puts = puts;
    w->put_cap = cap;
    return 0;
}

/* Is the key known? Then that is the answer. Unless its event leaves in this very transaction,
 * by a DELETE that came before: then the key is free. (Should the transaction fail, it is free
 * too early: whoever sends the draft again has put that DELETE before it.) */
static bool is_duplicate(struct crier_writer *w, struct crier_draft *draft)
{
    struct crier_keys *keys = &w->d->memory.keys;

    if (!draft->key.len)
        return false;
    crier_memory_lock(&w->d->memory);
    const struct crier_key *key = crier_keys_find(keys, draft->topics[0], draft->key);
    if (key && crier_leavings_free_key(&w->leavings, key->number)) {
        crier_keys_remove(keys, key->node.hash, key->number);
        key = NULL;
    }
    if (key) {
        draft->ret_id = key->id;
        w->d->duplicates++;
    }
    crier_memory_unlock(&w->d->memory);
    return key != NULL;
}

static int know_key(struct crier_writer *w, struct crier_put *put, uint64_t number)
{
    struct crier_keys *keys = &w->d->memory.keys;
    const struct crier_draft *draft = put->draft;
    int r = 0;

    put->key = NULL;
    if (!draft->key.len)
        return 0;
    crier_memory_lock(&w->d->memory);
    r = crier_keys_prepare(keys, draft->topics[0], draft->key, &put->key);
    if (r == 0)
        crier_keys_add(keys, put->key, number, put->id, put->now.boot_ms);
    crier_memory_unlock(&w->d->memory);
    return r;
}

static uint64_t id_line_bytes(struct crier_id id)
{
    char text[CRIER_ID_TEXT];

    return crier_id_format(id, text) + sizeof("id: \n") - 1;
}

static uint64_t
expiry(const struct crier_writer *w, const struct crier_draft *draft, uint64_t now_ms)
{
    uint64_t max = crier_store_max_age(w->d->store, draft->topics[0]);
    uint64_t ttl = draft->ttl_ms < max ? draft->ttl_ms : max;

    if (!draft->ttl_ms)
        return 0;
    return ttl < UINT64_MAX - now_ms ? now_ms + ttl : UINT64_MAX;
}

static int store_put(struct crier_writer *w, const struct crier_put *put, uint64_t number)
{
    const struct crier_draft *draft = put->draft;
    struct crier_store_event event = {
        .number = number,
        .id = put->id,
        .wall_ms = put->now.wall_ms,
        .clock_ms = put->now.boot_ms,
        .expires_ms = put->expires_ms,
        .topics = draft->topics,
        .topic_count = draft->topic_count,
        .type = draft->type,
        .key = draft->key,
        .sse = draft->sse,
        .id_at = draft->id_at,
        .bytes = draft->sse.len + id_line_bytes(put->id),
    };

    return crier_store_put(w->d->store, &event, crier_leavings_add, &w->leavings);
}

/* Is there too much in memory that workers have not read? */
static bool is_unread(struct crier_durable *d)
{
    return atomic_load_explicit(&d->memory.segments.stale_bytes, memory_order_relaxed) >
           d->limits.unread_bytes + CRIER_FULL_BEYOND;
}

/* 0; < 0: the transaction has failed. */
static int put_draft(struct crier_writer *w, struct crier_draft *draft, struct crier_now now)
{
    struct crier_durable *d = w->d;
    uint64_t number = crier_store_totals(d->store)->end + 1;
    struct crier_put put = {.draft = draft, .now = now};

    draft->result = 0;
    if (is_duplicate(w, draft)) {
        draft->result = CRIER_APPEND_DUPLICATE;
        return 0;
    }
    if (draft->sse.len > d->limits.max_event_bytes) {
        draft->result = -EMSGSIZE;
        return 0;
    }
    if (is_unread(d)) {
        draft->result = CRIER_APPEND_FULL;
        return 0;
    }
    put.id = crier_memory_next_id(d->memory.epoch, w->last, now.wall_ms);
    put.expires_ms = expiry(w, draft, now.boot_ms);
    int r = room_for_put(w);
    if (r == 0)
        r = know_key(w, &put, number);
    if (r < 0) {
        draft->result = r;
        return 0;
    }
    w->puts[w->put_count++] = put;
    r = store_put(w, &put, number);
    if (r < 0)
        return r; /* whatever it was: half of a put may be in the tables */
    w->last = put.id;
    draft->ret_id = put.id;
    return 0;
}

static int forget_draft(struct crier_writer *w, struct crier_draft *draft)
{
    int r = crier_store_forget(w->d->store, draft->topics[0], crier_leavings_add, &w->leavings);

    draft->result = 0;
    w->forgets++;
    return r;
}

/* ---- batches that have failed ------------------------------------------------------------ */

static bool has_failed(const struct crier_writer *w, const struct crier_draft *draft)
{
    if (draft->failed && atomic_load_explicit(draft->failed, memory_order_relaxed))
        return true;
    return draft->batch && draft->batch == w->failed;
}

/* ---- the transaction --------------------------------------------------------------------- */

/* The moment a parcel was handed in, on the store's clock, which never goes back. */
static struct crier_now moment(struct crier_writer *w, const struct crier_parcel *parcel)
{
    uint64_t clock_ms = crier_store_clock(w->d->store, parcel->now);

    if (clock_ms > w->put_clock_ms)
        w->put_clock_ms = clock_ms;
    return (struct crier_now){.wall_ms = parcel->now.wall_ms, .boot_ms = w->put_clock_ms};
}

static int write_parcel(struct crier_writer *w, struct crier_parcel *parcel)
{
    struct crier_now now = moment(w, parcel);

    for (size_t i = 0; i < parcel->count; i++) {
        struct crier_draft *draft = &parcel->drafts[i];
        int r = 0;

        if (has_failed(w, draft))
            draft->result = -ECANCELED;
        else if (draft->forget)
            r = forget_draft(w, draft);
        else
            r = put_draft(w, draft, now);
        if (r < 0)
            return r;
        if (draft->result < 0 || draft->result == CRIER_APPEND_FULL)
            crier_writer_note_failed(w, draft);
    }
    return 0;
}

/* What comes later of its batches must not go in without it. */
static void pass_refused(struct crier_writer *w, const struct crier_parcel *parcel)
{
    for (size_t i = 0; i < parcel->count; i++)
        crier_writer_note_failed(w, &parcel->drafts[i]);
}

static int retain(struct crier_writer *w)
{
    size_t most = w->put_count ? 2 * w->put_count + RETAIN_MORE : RETAIN_IDLE;
    int r =
        crier_store_retain(w->d->store, w->clock_ms, most, crier_leavings_add, &w->leavings);

    w->more = r > 0;
    return r < 0 ? r : 0;
}

static int commit(struct crier_writer *w)
{
    struct crier_durable *d = w->d;

    crier_reader_leaving(d, w->leavings.any);
    int r = crier_apply_floors(d, &w->leavings);
    if (r < 0)
        crier_store_abort(d->store);
    else
        r = crier_store_commit(d->store, w->told);
    crier_reader_leaving(d, false);
    return r;
}

/* Writes all of the parcels, and lets leave what must. 0, or why nothing of it is kept. */
static int transact(struct crier_writer *w)
{
    struct crier_durable *d = w->d;
    int r = crier_store_begin(d->store);

    if (r < 0)
        return r;
    for (struct crier_parcel *p = w->parcels; r == 0 && p; p = p->next) {
        if (p->refused)
            pass_refused(w, p);
        else
            r = write_parcel(w, p);
    }
    if (r == 0)
        r = retain(w);
    if (r < 0 || (!w->put_count && !w->forgets && !w->leavings.any)) {
        crier_store_abort(d->store);
        return r;
    }
    return commit(w);
}

/* ---- room -------------------------------------------------------------------------------- */

/* A few leave: of a topic that is to be forgotten, or what retention says. 1: there are
 * more. */
static int leave_some(struct crier_writer *w, const struct crier_draft *forget)
{
    struct crier_durable *d = w->d;
    uint64_t before = monotonic_us();
    int r;

    w->put_count = 0;
    w->forgets = forget != NULL;
    crier_leavings_clear(&w->leavings, d->memory.first);
    int more = crier_store_begin(d->store);
    if (more < 0)
        return more;
    more = forget ? crier_store_forget_some(d->store, forget->topics[0], ROOM_AT_ONCE,
                                            crier_leavings_add, &w->leavings)
                  : crier_store_retain(d->store, w->clock_ms, ROOM_AT_ONCE, crier_leavings_add,
                                       &w->leavings);
    if (more < 0 || !w->leavings.any) {
        crier_store_abort(d->store);
        return more < 0 ? more : 0;
    }
    r = commit(w);
    if (r < 0)
        return r;
    crier_writer_committed(w, monotonic_us() - before);
    return more;
}

static int forget_bit_by_bit(struct crier_writer *w)
{
    int r = 0;

    for (struct crier_parcel *p = w->parcels; p; p = p->next) {
        for (size_t i = 0; i < p->count; i++) {
            struct crier_draft *draft = &p->drafts[i];
            if (p->refused || !draft->forget || draft->result != -ENOSPC)
                continue;
            while ((r = leave_some(w, draft)) > 0)
                draft->result = CRIER_APPEND_UNKNOWN; /* of what it asks for, a part is done */
            if (r < 0)
                return r;
            draft->result = 0;
        }
    }
    return r;
}

/* There was no room for all of a transaction. What lets events leave takes less room the less
 * it lets leave at once; were it left to the next transaction, that would fail as this one
 * did. */
static void make_room(struct crier_writer *w)
{
    int r = forget_bit_by_bit(w), more = 1;

    for (int i = 0; r == 0 && more && i < ROOM_STEPS; i++) {
        more = leave_some(w, NULL);
        r = more < 0 ? more : 0;
    }
    w->more = r == 0 && more;
    if (r < 0 && crier_writer_result(r) == CRIER_APPEND_UNKNOWN)
        atomic_store(&w->d->state, CRIER_JOURNAL_FAILED);
    w->put_count = 0;
}

/* ---- syncing ----------------------------------------------------------------------------- */

/* Cannot be told from here on whether anything is written: nothing is tried. */
static bool is_broken(const struct crier_writer *w)
{
    return atomic_load(&w->d->state) == CRIER_JOURNAL_FAILED;
}

static void sync_if_due(struct crier_writer *w, bool now)
{
    struct crier_durable *d = w->d;
    uint64_t ms = monotonic_us() / 1000;

    atomic_store(&d->sync_due, w->unsynced);
    if (!w->unsynced || (!now && ms < w->sync_at))
        return;
    /* Of a disk that has failed nothing is asked, and nothing is due any more. */
    int r = is_broken(w) ? 0 : crier_store_sync(d->store);
    w->unsynced = r == -ENOSPC || r == -ENOMEM; /* the last synced state is whole: once more */
    if (r < 0 && !w->unsynced)
        atomic_store(&d->state, CRIER_JOURNAL_FAILED);
    w->sync_at = ms + d->sync_ms;
    atomic_store(&d->sync_due, w->unsynced);
    atomic_fetch_add(&d->sync_tries, 1);
}

/* ---- the loop ---------------------------------------------------------------------------- */

/* What time alone changes in memory; before keys are looked for. */
static void pass_time(struct crier_writer *w)
{
    struct crier_memory *memory = &w->d->memory;

    crier_memory_lock(memory);
    if (w->clock_ms > memory->boot_ms)
        memory->boot_ms = w->clock_ms;
    crier_keys_expire(&memory->keys, memory->boot_ms, memory->limits.key_age_ms);
    crier_memory_retain(memory);
    crier_memory_release(memory);
    crier_memory_unlock(memory);
}

static void write_all(struct crier_writer *w)
{
    struct crier_durable *d = w->d;

    pass_time(w);
    w->put_count = w->forgets = 0;
    w->failed = NULL;
    crier_leavings_clear(&w->leavings, d->memory.first);
    if (is_broken(w)) {
        crier_writer_fail_all(w, -EIO);
        w->more = false;
    } else {
        uint64_t before = monotonic_us();
        int r = transact(w);
        if (r < 0)
            crier_writer_failed(w, r);
        if (r == -ENOSPC)
            make_room(w);
        else if (r == 0 && (w->put_count || w->forgets || w->leavings.any))
            crier_writer_committed(w, monotonic_us() - before);
        if (r == 0 && (w->put_count || w->forgets || w->leavings.any))
            atomic_store(&d->state, CRIER_JOURNAL_OK);
    }
    crier_writer_give_back(w);
}

/* Takes what is submitted, up to what one transaction should hold. Under `queue`. */
static void take_parcels(struct crier_writer *w)
{
    struct crier_durable *d = w->d;
    struct crier_parcel **end = &d->first_parcel;
    size_t bytes = 0, drafts = 0;

    while (*end && bytes < TAKE_BYTES && drafts < TAKE_DRAFTS) {
        bytes += (*end)->bytes;
        drafts += (*end)->count;
        end = &(*end)->next;
    }
    w->parcels = d->first_parcel;
    d->first_parcel = *end;
    if (!d->first_parcel)
        d->last_parcel = &d->first_parcel;
    *end = NULL;
    if (end == &d->first_parcel)
        w->parcels = NULL;
}

static void sleep_until(struct crier_writer *w, uint64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    pthread_cond_timedwait(&w->d->filled, &w->d->queue, &t);
}

/* false: it is over. */
static bool wait_for_work(struct crier_writer *w)
{
    struct crier_durable *d = w->d;

    pthread_mutex_lock(&d->queue);
    while (!d->first_parcel && !d->trim && !w->more && !d->stopping) {
        uint64_t now = monotonic_us() / 1000;
        if (w->unsynced && now >= w->sync_at)
            break;
        sleep_until(w, w->unsynced ? w->sync_at : now + SLEEP_MS);
    }
    take_parcels(w);
    w->told = d->seen;
    w->trim = d->trim;
    d->trim = false;
    bool over = d->stopping && !w->parcels;
    pthread_mutex_unlock(&d->queue);
    w->clock_ms = crier_store_clock(d->store, w->told);
    return !over;
}

void *crier_writer_run(void *durable)
{
    struct crier_durable *d = durable;
    struct crier_writer w = {.d = d, .last = d->totals.last};

    crier_leavings_init(&w.leavings, d->memory.journal.mem);
    while (wait_for_work(&w)) {
        if (w.parcels || w.trim || w.more)
            write_all(&w);
        sync_if_due(&w, false);
    }
    sync_if_due(&w, true);
    crier_leavings_deinit(&w.leavings);
    crier_mem_free(d->memory.journal.mem, w.puts);
    return NULL;
}
