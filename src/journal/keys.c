/* SPDX-License-Identifier: MIT */
/*
 * Idempotency keys.
 *
 *     map: hash of (topic, key) --> entry          order: oldest --> ... --> newest
 *
 * An entry leaves with its event (which remembers the entry's hash), when it is too old (they
 * age in order, so only the start of the list is looked at), or as the oldest of too many. The
 * texts are compared, not only their hashes: a publish swallowed by mistake would be lost.
 *
 * What can fail: prepare, before anything changed; adding cannot, once prepare has succeeded.
 */
#include "journal/keys.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

void crier_keys_init(struct crier_keys *keys,
                     const struct crier_mem *mem,
                     const struct crier_hash_key *hash_key,
                     size_t max)
{
    keys->mem = mem;
    keys->hash_key = hash_key;
    crier_map_init(&keys->map, mem);
    crier_list_init(&keys->order);
    keys->max = max;
    keys->dropped = keys->expired = 0;
}

static void leave(struct crier_keys *keys, struct crier_key *key)
{
    crier_list_remove(&key->order);
    crier_map_remove(&keys->map, &key->node);
    crier_mem_free(keys->mem, key);
}

static struct crier_key *oldest(const struct crier_keys *keys)
{
    if (crier_list_empty(&keys->order))
        return NULL;
    return CRIER_CONTAINER(keys->order.next, struct crier_key, order);
}

void crier_keys_deinit(struct crier_keys *keys)
{
    for (struct crier_key *key; (key = oldest(keys)) != NULL;)
        leave(keys, key);
    crier_map_deinit(&keys->map);
}

static uint64_t
hash_of(const struct crier_keys *keys, struct crier_slice topic, struct crier_slice key)
{
    uint64_t hash = crier_hash(keys->hash_key, topic) * 31 + crier_hash(keys->hash_key, key);
    return hash ? hash : 1;
}

static bool same(const struct crier_key *key, struct crier_slice topic, struct crier_slice text)
{
    return crier_slice_eq(topic, (struct crier_slice){key->text, key->topic_len}) &&
           crier_slice_eq(text, (struct crier_slice){key->text + key->topic_len, key->key_len});
}

struct crier_key *
crier_keys_find(const struct crier_keys *keys, struct crier_slice topic, struct crier_slice key)
{
    uint64_t hash = hash_of(keys, topic, key);

    for (struct crier_map_node *n = crier_map_first(&keys->map, hash); n;
         n = crier_map_next(n)) {
        struct crier_key *found = CRIER_CONTAINER(n, struct crier_key, node);
        if (same(found, topic, key))
            return found;
    }
    return NULL;
}

int crier_keys_prepare(struct crier_keys *keys,
                       struct crier_slice topic,
                       struct crier_slice key,
                       struct crier_key **ret_key)
{
    struct crier_key *made = crier_mem_zalloc(keys->mem, sizeof(*made) + topic.len + key.len);
    if (!made)
        return -ENOMEM;
    made->topic_len = (uint32_t)topic.len;
    made->key_len = (uint32_t)key.len;
    memcpy(made->text, topic.data, topic.len);
    memcpy(made->text + topic.len, key.data, key.len);
    crier_list_init(&made->order);
    if (crier_map_insert(&keys->map, &made->node, hash_of(keys, topic, key)) < 0) {
        crier_mem_free(keys->mem, made);
        return -ENOMEM;
    }
    *ret_key = made;
    return 0;
}

void crier_keys_cancel(struct crier_keys *keys, struct crier_key *key)
{
    if (key)
        leave(keys, key);
}

uint64_t crier_keys_add(struct crier_keys *keys,
                        struct crier_key *key,
                        uint64_t number,
                        struct crier_id id,
                        uint64_t boot_ms)
{
    uint64_t hash = key->node.hash;

    key->number = number;
    key->id = id;
    key->boot_ms = boot_ms;
    crier_list_push_back(&keys->order, &key->order);
    if (keys->map.count > keys->max) {
        leave(keys, oldest(keys));
        keys->dropped++;
    }
    return hash;
}

void crier_keys_remove(struct crier_keys *keys, uint64_t hash, uint64_t number)
{
    for (struct crier_map_node *n = crier_map_first(&keys->map, hash); n;
         n = crier_map_next(n)) {
        struct crier_key *key = CRIER_CONTAINER(n, struct crier_key, node);
        if (key->number == number) {
            leave(keys, key);
            return;
        }
    }
}

void crier_keys_expire(struct crier_keys *keys, uint64_t boot_ms, uint64_t age_ms)
{
    for (struct crier_key *key; (key = oldest(keys)) != NULL;) {
        if (boot_ms - key->boot_ms < age_ms)
            return;
        leave(keys, key);
        keys->expired++;
    }
}

void crier_keys_check(const struct crier_keys *keys)
{
    size_t count = 0;
    uint64_t last = 0;

    crier_list_for_each (node, &keys->order) {
        const struct crier_key *key = CRIER_CONTAINER(node, struct crier_key, order);
        assert(key->number > last);
        last = key->number;
        count++;
    }
    assert(count == keys->map.count && count <= keys->max);
    (void)count;
    (void)last;
}
