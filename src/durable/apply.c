/* SPDX-License-Identifier: MIT */
/*
 * What a transaction takes out of history, and what that means for memory.
 *
 *     store ──left──▶ leavings ──before the commit──▶ floors raised, their image written
 *                        │
 *                        └──────after it────────────▶ out of the window; keys free again
 *
 * Why floors first: a reader asks the floors after it has found what it could. If it no longer
 * finds an event, the transaction that took it out is committed, so its floor was raised
 * before: the reader sees the loss. Should the commit fail, a gap may be told in vain, never
 * hidden.
 *
 * Of a topic that loses much at once only the newest loss counts, so only that is kept.
 *
 * What can fail: memory, noted in `failed`; the transaction is given up then.
 */
#include "base/mem.h"
#include "durable/inside.h"
#include <assert.h>
#include <string.h>

struct lost_topic {
    struct crier_map_node node;
    struct crier_list order;
    uint64_t number;
    struct crier_id id;
    size_t len;
    char name[];
};

struct left_number {
    uint64_t number;
    uint64_t hash; /* of the topic it has left */
};

struct left_key {
    uint64_t number;
    size_t topic_len, key_len;
};

void crier_leavings_init(struct crier_leavings *leavings, const struct crier_mem *mem)
{
    memset(leavings, 0, sizeof(*leavings));
    leavings->mem = mem;
    crier_map_init(&leavings->topics, mem);
    crier_list_init(&leavings->lost);
    crier_buf_init(&leavings->numbers, mem);
    crier_buf_init(&leavings->keys, mem);
}

void crier_leavings_clear(struct crier_leavings *leavings, uint64_t window_first)
{
    while (!crier_list_empty(&leavings->lost)) {
        struct lost_topic *topic =
            CRIER_CONTAINER(leavings->lost.next, struct lost_topic, order);
        crier_list_remove(&topic->order);
        crier_map_remove(&leavings->topics, &topic->node);
        crier_mem_free(leavings->mem, topic);
    }
    crier_buf_clear(&leavings->numbers);
    crier_buf_clear(&leavings->keys);
    leavings->window_first = window_first;
    leavings->any = leavings->failed = false;
}

void crier_leavings_deinit(struct crier_leavings *leavings)
{
    crier_leavings_clear(leavings, 0);
    crier_map_deinit(&leavings->topics);
    crier_buf_deinit(&leavings->numbers);
    crier_buf_deinit(&leavings->keys);
}

/* ---- gathering -------------------------------------------------------------------------- */

static struct lost_topic *
find_topic(const struct crier_leavings *leavings, uint64_t hash, struct crier_slice name)
{
    for (struct crier_map_node *n = crier_map_first(&leavings->topics, hash); n;
         n = crier_map_next(n)) {
        struct lost_topic *topic = CRIER_CONTAINER(n, struct lost_topic, node);
        if (crier_slice_eq((struct crier_slice){topic->name, topic->len}, name))
            return topic;
    }
    return NULL;
}

static struct lost_topic *
add_topic(struct crier_leavings *leavings, uint64_t hash, struct crier_slice name)
{
    struct lost_topic *topic = crier_mem_zalloc(leavings->mem, sizeof(*topic) + name.len);

    if (!topic)
        return NULL;
    topic->len = name.len;
    memcpy(topic->name, name.data, name.len);
    if (crier_map_insert(&leavings->topics, &topic->node, hash) < 0)
        return crier_mem_free(leavings->mem, topic);
    crier_list_push_back(&leavings->lost, &topic->order);
    return topic;
}

static void lose(struct crier_leavings *leavings,
                 uint64_t hash,
                 struct crier_slice name,
                 const struct crier_store_leaving *leaving)
{
    struct lost_topic *topic = find_topic(leavings, hash, name);

    if (!topic)
        topic = add_topic(leavings, hash, name);
    if (!topic) {
        leavings->failed = true;
        return;
    }
    if (leaving->number > topic->number) {
        topic->number = leaving->number;
        topic->id = leaving->id;
    }
}

static void free_key(struct crier_leavings *leavings, const struct crier_store_leaving *leaving)
{
    struct left_key key = {leaving->number, leaving->first_topic.len, leaving->key.len};

    crier_buf_add(&leavings->keys, (const char *)&key, sizeof(key));
    crier_buf_append(&leavings->keys, leaving->first_topic);
    crier_buf_append(&leavings->keys, leaving->key);
}

/* The first of `keys`; takes it from them. */
static struct left_key next_key(struct crier_slice *keys)
{
    struct left_key key;

    memcpy(&key, keys->data, sizeof(key));
    *keys = crier_slice_sub(*keys, sizeof(key) + key.topic_len + key.key_len, keys->len);
    return key;
}

bool crier_leavings_free_key(const struct crier_leavings *leavings, uint64_t number)
{
    struct crier_slice keys = crier_buf_slice(&leavings->keys);

    while (keys.len) {
        if (next_key(&keys).number == number)
            return true;
    }
    return false;
}

void crier_leavings_add(void *ctx, const struct crier_store_leaving *leaving)
{
    struct crier_leavings *leavings = ctx;

    leavings->any = true;

    for (size_t i = 0; i < leaving->topic_count; i++) {
        uint64_t hash = leaving->topic_hashes[i];
        struct left_number left = {leaving->number, hash};

        if (leaving->why != CRIER_STORE_EXPIRED)
            lose(leavings, hash, leaving->topics[i], leaving);
        if (leaving->number >= leavings->window_first)
            crier_buf_add(&leavings->numbers, (const char *)&left, sizeof(left));
    }
    if (leaving->gone && leaving->key.len)
        free_key(leavings, leaving);
    if (crier_buf_error(&leavings->numbers) < 0 || crier_buf_error(&leavings->keys) < 0)
        leavings->failed = true;
}

/* ---- floors ----------------------------------------------------------------------------- */

static int save_floor(void *ctx, uint64_t hash, const struct crier_loss *loss)
{
    struct crier_durable *d = ctx;

    return loss ? crier_store_put_floor(d->store, hash, loss)
                : crier_store_drop_floor(d->store, hash);
}

int crier_apply_floors(struct crier_durable *d, struct crier_leavings *leavings)
{
    struct crier_floors *floors = &d->memory.floors;

    if (leavings->failed)
        return -ENOMEM;
    crier_memory_lock(&d->memory);
    crier_list_for_each (node, &leavings->lost) {
        const struct lost_topic *topic = CRIER_CONTAINER(node, struct lost_topic, order);
        crier_floors_raise(floors, topic->node.hash,
                           (struct crier_slice){topic->name, topic->len}, topic->number,
                           topic->id);
    }
    crier_memory_unlock(&d->memory);
    /* Only this thread raises floors: they may be read without the mutex. */
    crier_store_set_floors(d->store, &floors->root, &floors->lost);
    return crier_floors_each_change(floors, save_floor, d);
}

/* ---- after the commit ------------------------------------------------------------------- */

static unsigned bit_of(const struct crier_stored *stored, uint64_t hash)
{
    unsigned alive = crier_stored_alive(stored);

    for (size_t i = 0; i < stored->topic_count; i++) {
        if (stored->topics[i].hash == hash && (alive >> i & 1))
            return 1u << i;
    }
    return 0;
}

static void leave_window(struct crier_memory *memory, const struct left_number *left)
{
    struct crier_held held = crier_memory_held(memory, left->number);
    unsigned bit = held.stored ? bit_of(held.stored, left->hash) : 0;

    if (bit)
        crier_memory_drop(memory, held, bit, CRIER_LEAVING_MEMORY);
}

static void leave_keys(struct crier_durable *d, struct crier_slice keys)
{
    while (keys.len) {
        const char *at = keys.data + sizeof(struct left_key);
        struct left_key key = next_key(&keys);
        struct crier_slice topic = {at, key.topic_len};
        struct crier_slice text = {topic.data + topic.len, key.key_len};
        const struct crier_key *found = crier_keys_find(&d->memory.keys, topic, text);
        if (found && found->number == key.number)
            crier_keys_remove(&d->memory.keys, found->node.hash, key.number);
    }
}

void crier_apply_leavings(struct crier_durable *d, const struct crier_leavings *leavings)
{
    struct crier_slice numbers = crier_buf_slice(&leavings->numbers);
    struct left_number left;

    for (; numbers.len; numbers = crier_slice_sub(numbers, sizeof(left), numbers.len)) {
        memcpy(&left, numbers.data, sizeof(left));
        leave_window(&d->memory, &left);
    }
    leave_keys(d, crier_buf_slice(&leavings->keys));
}

/* ---- at the start ----------------------------------------------------------------------- */

static int load_floor(void *ctx, uint64_t hash, const struct crier_loss *loss)
{
    struct crier_durable *d = ctx;

    return crier_floors_restore(&d->memory.floors, hash, loss);
}

static int load_key(void *ctx, const struct crier_store_key *stored)
{
    struct crier_durable *d = ctx;
    struct crier_key *key = crier_keys_find(&d->memory.keys, stored->topic, stored->key);

    /* It had been pushed out by others, and was used again. */
    if (key)
        crier_keys_remove(&d->memory.keys, key->node.hash, key->number);
    int r = crier_keys_prepare(&d->memory.keys, stored->topic, stored->key, &key);
    if (r < 0)
        return r;
    crier_keys_add(&d->memory.keys, key, stored->number, stored->id, stored->clock_ms);
    return 0;
}

int crier_apply_load(struct crier_durable *d)
{
    uint64_t clock_ms = d->memory.boot_ms, age_ms = d->limits.key_age_ms;

    int r = crier_store_each_floor(d->store, load_floor, d);
    if (r < 0)
        return r;
    crier_floors_image(&d->memory.floors, &d->totals.root, &d->totals.lost);
    return crier_store_each_key(d->store, d->memory.keys.max,
                                clock_ms > age_ms ? clock_ms - age_ms : 0, load_key, d);
}
