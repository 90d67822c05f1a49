/* SPDX-License-Identifier: MIT */
/*
 * Floors. When "a/b/c" loses an event, it is noted here under the topic and under "a/b", "a"
 * and "", so that a resume of a topic or of a pattern asks once for each selector: is what I
 * have seen older than the newest you have lost? A prefix's entry lives under another hash than
 * the topic of the same name: "a/b" has not lost what "a/b/c" lost.
 *
 *     raise --> entry --> end of `order`                (bounded: max entries)
 *                         start of `order` --> `lost`   (what leaves raises the hub-wide floor)
 *
 * Whoever finds no entry is held against `lost`: a gap may be told in vain then, never hidden.
 * A topic's losses come in order, so a new entry of a topic needs nothing of `lost`. A prefix's
 * do not (a kept-aside event leaves long after younger ones): a new entry of a prefix starts at
 * `lost`.
 *
 * Why each loss has a serial: a stream that starts at a kept-aside event, long before what
 * other topics have lost, is at a position below their floors from its first moment. That is no
 * news. Only losses that were counted after it started are.
 *
 * Out of memory: `lost` is raised instead.
 *
 * A durable journal keeps an image of the table on its disk. What was raised since the last
 * image hangs in `changed`; what made room is noted in `left`, for as long as there is memory
 * for that: an entry that stays on the disk in vain says nothing that is not true.
 */
#include "journal/floor.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

/* Sets prefixes apart from topics in the one table. */
#define PREFIX_MARK UINT64_C(0x9e3779b97f4a7c15)

struct floor {
    struct crier_map_node node;
    struct crier_list order;
    struct crier_list changed; /* empty: as the image has it */
    struct crier_loss loss;
};

void crier_floors_init(struct crier_floors *floors,
                       const struct crier_mem *mem,
                       const struct crier_hash_key *key,
                       size_t max)
{
    floors->mem = mem;
    floors->key = key;
    crier_map_init(&floors->map, mem);
    crier_list_init(&floors->order);
    crier_list_init(&floors->changed);
    floors->left = NULL;
    floors->left_count = floors->left_cap = 0;
    floors->imaged = false;
    floors->max = max;
    floors->root = floors->lost = (struct crier_loss){0};
    atomic_init(&floors->losses, 0);
    floors->dropped = 0;
}

static void leave(struct crier_floors *floors, struct floor *floor)
{
    crier_list_remove(&floor->order);
    crier_list_remove(&floor->changed);
    crier_map_remove(&floors->map, &floor->node);
    crier_mem_free(floors->mem, floor);
}

void crier_floors_deinit(struct crier_floors *floors)
{
    while (!crier_list_empty(&floors->order))
        leave(floors, CRIER_CONTAINER(floors->order.next, struct floor, order));
    crier_map_deinit(&floors->map);
    floors->left = crier_mem_free(floors->mem, floors->left);
}

static void merge(struct crier_loss *into, const struct crier_loss *loss)
{
    if (loss->number > into->number) {
        into->number = loss->number;
        into->id = loss->id;
    }
    if (loss->serial > into->serial)
        into->serial = loss->serial;
}

static struct floor *find(const struct crier_floors *floors, uint64_t hash)
{
    struct crier_map_node *node = crier_map_first(&floors->map, hash);
    return node ? CRIER_CONTAINER(node, struct floor, node) : NULL;
}

static struct floor *make(struct crier_floors *floors, uint64_t hash)
{
    struct floor *floor = crier_mem_zalloc(floors->mem, sizeof(*floor));
    if (!floor)
        return NULL;
    if (crier_map_insert(&floors->map, &floor->node, hash) < 0)
        return crier_mem_free(floors->mem, floor);
    crier_list_init(&floor->changed);
    crier_list_push_back(&floors->order, &floor->order);
    return floor;
}

static void note_left(struct crier_floors *floors, uint64_t hash)
{
    if (!floors->imaged)
        return;
    if (floors->left_count == floors->left_cap) {
        size_t cap = floors->left_cap ? floors->left_cap * 2 : 64;
        uint64_t *left = crier_mem_resize(floors->mem, floors->left, cap * sizeof(left[0]));
        if (!left)
            return;
        floors->left = left;
        floors->left_cap = cap;
    }
    floors->left[floors->left_count++] = hash;
}

static void raise_one(struct crier_floors *floors,
                      uint64_t hash,
                      const struct crier_loss *loss,
                      bool prefix)
{
    struct floor *floor = find(floors, hash);
    if (!floor) {
        floor = make(floors, hash);
        if (!floor) {
            merge(&floors->lost, loss);
            return;
        }
        if (prefix)
            floor->loss = floors->lost;
    }
    merge(&floor->loss, loss);
    crier_list_remove(&floor->order);
    crier_list_push_back(&floors->order, &floor->order);
    if (floors->imaged) {
        crier_list_remove(&floor->changed);
        crier_list_push_back(&floors->changed, &floor->changed);
    }
    if (floors->map.count > floors->max) {
        struct floor *oldest = CRIER_CONTAINER(floors->order.next, struct floor, order);
        merge(&floors->lost, &oldest->loss);
        note_left(floors, oldest->node.hash);
        leave(floors, oldest);
        floors->dropped++;
    }
}

uint64_t crier_floor_prefix(const struct crier_hash_key *key, struct crier_slice prefix)
{
    return crier_hash(key, prefix) ^ PREFIX_MARK;
}

static uint64_t prefix_hash(const struct crier_floors *floors, struct crier_slice prefix)
{
    return crier_floor_prefix(floors->key, prefix);
}

void crier_floors_raise(struct crier_floors *floors,
                        uint64_t hash,
                        struct crier_slice topic,
                        uint64_t number,
                        struct crier_id id)
{
    uint64_t serial = atomic_load_explicit(&floors->losses, memory_order_relaxed) + 1;
    struct crier_loss loss = {number, id, serial};

    atomic_store_explicit(&floors->losses, serial, memory_order_release);
    raise_one(floors, hash, &loss, false);
    for (size_t i = topic.len; i-- > 0;) {
        if (topic.data[i] == '/')
            raise_one(floors, prefix_hash(floors, crier_slice_sub(topic, 0, i)), &loss, true);
    }
    merge(&floors->root, &loss);
}

/* ---- the image on disk ------------------------------------------------------------------ */

int crier_floors_restore(struct crier_floors *floors,
                         uint64_t hash,
                         const struct crier_loss *loss)
{
    struct floor *floor = floors->map.count < floors->max ? make(floors, hash) : NULL;

    if (floor)
        floor->loss = *loss;
    else
        merge(&floors->lost, loss);
    return 0;
}

void crier_floors_image(struct crier_floors *floors,
                        const struct crier_loss *root,
                        const struct crier_loss *lost)
{
    floors->root = *root;
    merge(&floors->lost, lost);
    atomic_store_explicit(&floors->losses, root->serial, memory_order_relaxed);
    floors->imaged = true;
}

int crier_floors_each_change(const struct crier_floors *floors,
                             int (*fn)(void *ctx, uint64_t hash, const struct crier_loss *loss),
                             void *ctx)
{
    int r = 0;

    /* What has left first: it may have come back since. */
    for (size_t i = 0; r == 0 && i < floors->left_count; i++)
        r = fn(ctx, floors->left[i], NULL);
    crier_list_for_each (node, &floors->changed) {
        const struct floor *floor = CRIER_CONTAINER(node, struct floor, changed);
        if (r == 0)
            r = fn(ctx, floor->node.hash, &floor->loss);
    }
    return r;
}

void crier_floors_saved(struct crier_floors *floors)
{
    floors->left_count = 0;
    crier_list_for_each_safe (node, &floors->changed)
        crier_list_remove(node);
}

/* The floor under a topic's or a prefix's hash. */
static const struct crier_loss *loss_of(const struct crier_floors *floors, uint64_t hash)
{
    const struct floor *floor = find(floors, hash);
    return floor ? &floor->loss : &floors->lost;
}

/* The floor of the i-th selector: topics first, then prefixes. */
static const struct crier_loss *
selector_loss(const struct crier_floors *floors, const struct crier_filter *filter, size_t i)
{
    if (i < filter->topic_count)
        return loss_of(floors, filter->topic_hashes[i]);
    struct crier_slice prefix = filter->prefixes[i - filter->topic_count];
    return prefix.len ? loss_of(floors, prefix_hash(floors, prefix)) : &floors->root;
}

bool crier_floors_after(const struct crier_floors *floors,
                        const struct crier_filter *filter,
                        uint64_t position,
                        uint64_t known)
{
    if (floors->root.number <= position || floors->root.serial <= known)
        return false; /* nobody has: the common case, asked by every slice */
    for (size_t i = 0; i < filter->topic_count + filter->prefix_count; i++) {
        const struct crier_loss *loss = selector_loss(floors, filter, i);
        if (loss->number > position && loss->serial > known)
            return true;
    }
    return false;
}

bool crier_floors_after_id(const struct crier_floors *floors,
                           const struct crier_filter *filter,
                           struct crier_id id)
{
    if (!floors->root.number || crier_id_cmp(floors->root.id, id) <= 0)
        return false;
    for (size_t i = 0; i < filter->topic_count + filter->prefix_count; i++) {
        const struct crier_loss *loss = selector_loss(floors, filter, i);
        if (loss->number && crier_id_cmp(loss->id, id) > 0)
            return true;
    }
    return false;
}

void crier_floors_check(const struct crier_floors *floors, uint64_t end)
{
    size_t count = 0;

    crier_list_for_each (node, &floors->order) {
        const struct floor *floor = CRIER_CONTAINER(node, struct floor, order);
        assert(floor->loss.number > 0 && floor->loss.number <= floors->root.number);
        assert(floor->loss.serial <= atomic_load(&floors->losses));
        (void)floor;
        count++;
    }
    assert(count == floors->map.count && count <= floors->max);
    assert(floors->root.number <= end && floors->lost.number <= floors->root.number);
    (void)count;
    (void)end;
}
