/* SPDX-License-Identifier: MIT */
/*
 * Runs are found by the hash of their filter's key, and then by looking whether the position
 * lies in them. They stay until their memory is needed: the least lately used that nobody holds
 * leaves first. A reader holds one for as long as it copies from it, or from the moment it was
 * read for it until it comes for it.
 *
 * Room is made before a run is read, for as much as it is meant to take; an event larger than
 * that is taken all the same.
 *
 * Threads: everything under the mutex, but for what lies in a run that is held.
 */
#include "durable/runs.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

enum { AREA_FIRST = 4096 };

int crier_runs_init(struct crier_runs *runs, const struct crier_mem *mem, uint64_t max_bytes)
{
    memset(runs, 0, sizeof(*runs));
    runs->mem = mem;
    runs->max_bytes = max_bytes;
    crier_list_init(&runs->ages);
    for (size_t i = 0; i < CRIER_RUN_BUCKETS; i++)
        crier_list_init(&runs->buckets[i]);
    return pthread_mutex_init(&runs->mutex, NULL) == 0 ? 0 : -ENOMEM;
}

static void run_free(struct crier_runs *runs, struct crier_run *run)
{
    assert(run->refs == 0);
    crier_list_remove(&run->age);
    crier_list_remove(&run->bucket);
    runs->bytes -= run->cost;
    crier_mem_free(runs->mem, run->area);
    crier_mem_free(runs->mem, run);
}

void crier_runs_deinit(struct crier_runs *runs)
{
    while (!crier_list_empty(&runs->ages))
        run_free(runs, CRIER_CONTAINER(runs->ages.next, struct crier_run, age));
    assert(runs->bytes == 0);
    pthread_mutex_destroy(&runs->mutex);
}

bool crier_runs_make_room(struct crier_runs *runs, size_t bytes)
{
    pthread_mutex_lock(&runs->mutex);
    crier_list_for_each_safe (node, &runs->ages) {
        struct crier_run *run = CRIER_CONTAINER(node, struct crier_run, age);
        if (runs->bytes + bytes <= runs->max_bytes)
            break;
        if (run->refs == 0)
            run_free(runs, run);
    }
    bool room = runs->bytes + bytes <= runs->max_bytes || runs->bytes == 0;
    pthread_mutex_unlock(&runs->mutex);
    return room;
}

/* FNV-1a: keys lie in a bucket by it, and are compared. */
static size_t bucket_of(struct crier_slice key)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 16777619u;
    return hash % CRIER_RUN_BUCKETS;
}

bool crier_run_is_stale(const struct crier_runs *runs, const struct crier_run *run)
{
    return run->forgotten != atomic_load(&runs->forgotten);
}

static bool is_run_for(const struct crier_run *run, struct crier_slice key, uint64_t position)
{
    return run->from <= position && position < run->to &&
           crier_slice_eq((struct crier_slice){run->key, run->key_len}, key);
}

bool crier_run_share(struct crier_runs *runs,
                     struct crier_run *run,
                     struct crier_slice key,
                     uint64_t position)
{
    if (!key.len || crier_run_is_stale(runs, run) || !is_run_for(run, key, position))
        return false;
    pthread_mutex_lock(&runs->mutex);
    run->refs++;
    runs->shared++;
    pthread_mutex_unlock(&runs->mutex);
    return true;
}

struct crier_run *
crier_runs_find(struct crier_runs *runs, struct crier_slice key, uint64_t position)
{
    struct crier_run *found = NULL;

    if (!key.len)
        return NULL;
    pthread_mutex_lock(&runs->mutex);
    crier_list_for_each_safe (node, &runs->buckets[bucket_of(key)]) {
        struct crier_run *run = CRIER_CONTAINER(node, struct crier_run, bucket);
        if (crier_run_is_stale(runs, run)) {
            crier_list_remove(&run->bucket); /* not to be found again */
            if (run->refs == 0)
                run_free(runs, run);
            continue;
        }
        if (is_run_for(run, key, position)) {
            found = run;
            break;
        }
    }
    if (found) {
        found->refs++;
        runs->shared++;
        crier_list_remove(&found->age);
        crier_list_push_back(&runs->ages, &found->age);
    }
    pthread_mutex_unlock(&runs->mutex);
    return found;
}

struct crier_run *crier_run_new(struct crier_runs *runs, struct crier_slice key, uint64_t from)
{
    struct crier_run *run = crier_mem_zalloc(runs->mem, sizeof(*run) + key.len);

    if (!run)
        return NULL;
    run->refs = 1;
    run->from = run->to = from;
    run->key_len = key.len;
    if (key.len)
        memcpy(run->key, key.data, key.len);
    run->cost = sizeof(*run) + key.len;
    crier_list_init(&run->bucket);
    pthread_mutex_lock(&runs->mutex);
    run->forgotten = atomic_load(&runs->forgotten);
    runs->bytes += run->cost;
    crier_list_init(&run->age);
    crier_list_push_back(&runs->ages, &run->age);
    pthread_mutex_unlock(&runs->mutex);
    return run;
}

static int grow(struct crier_runs *runs, struct crier_run *run, size_t bytes)
{
    size_t size = run->size ? run->size : AREA_FIRST;

    while (size - run->used < bytes)
        size *= 2;
    if (size == run->size)
        return 0;
    char *area = crier_mem_resize(runs->mem, run->area, size);
    if (!area)
        return -ENOMEM;
    pthread_mutex_lock(&runs->mutex);
    runs->bytes += size - run->size;
    run->cost += size - run->size;
    pthread_mutex_unlock(&runs->mutex);
    run->area = area;
    run->size = size;
    return 0;
}

int crier_run_add(struct crier_runs *runs,
                  struct crier_run *run,
                  const struct crier_record *record)
{
    size_t bytes = sizeof(struct crier_run_event) + crier_stored_record_size(record);
    int r = grow(runs, run, bytes);

    if (r < 0)
        return r;
    struct crier_run_event *event = (void *)(run->area + run->used);
    event->number = record->number;
    crier_stored_copy((void *)event->stored, record);
    run->used += bytes;
    return 0;
}

void crier_run_publish(struct crier_runs *runs, struct crier_run *run, uint64_t to)
{
    run->to = to;
    if (!run->key_len)
        return;
    size_t bucket = bucket_of((struct crier_slice){run->key, run->key_len});
    pthread_mutex_lock(&runs->mutex);
    crier_list_push_back(&runs->buckets[bucket], &run->bucket);
    pthread_mutex_unlock(&runs->mutex);
}

void crier_run_ref(struct crier_runs *runs, struct crier_run *run)
{
    pthread_mutex_lock(&runs->mutex);
    run->refs++;
    pthread_mutex_unlock(&runs->mutex);
}

void crier_run_unref(struct crier_runs *runs, struct crier_run *run)
{
    pthread_mutex_lock(&runs->mutex);
    assert(run->refs > 0);
    /* What cannot be found is of no more use. */
    if (--run->refs == 0 && crier_list_empty(&run->bucket))
        run_free(runs, run);
    pthread_mutex_unlock(&runs->mutex);
}

void crier_runs_forget(struct crier_runs *runs)
{
    atomic_fetch_add(&runs->forgotten, 1);
}

const struct crier_stored *crier_run_stored(const struct crier_run_event *run_event)
{
    return (const void *)run_event->stored;
}

struct crier_run_event *crier_run_next(const struct crier_run *run,
                                       const struct crier_run_event *run_event)
{
    size_t at = 0;

    if (run_event)
        at = (size_t)((const char *)run_event - run->area) + sizeof(*run_event) +
             crier_run_stored(run_event)->size;
    return at < run->used ? (void *)(run->area + at) : NULL;
}
