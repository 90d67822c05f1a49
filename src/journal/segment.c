/* SPDX-License-Identifier: MIT */
/*
 * Segments of history.
 *
 *     area  | stored 0 | stored 1 | stored 2 |  free  | entry 2 | entry 1 | entry 0 |
 *           0                                used     size - 16 * count          size
 *
 * Events grow upwards and the dense index downwards, so neither ever moves and a reader needs
 * no lock: it loads `count` (acquire) and may then read every event and entry below it. The
 * appender writes both first and stores count (release) last.
 *
 * Ownership. The list holds one reference on each segment it links, a cursor one on the segment
 * it reads, a scan one for as long as it looks at a segment without the mutex. References are
 * only counted under the mutex. A segment that left the list keeps its contents until the last
 * reader returns it.
 *
 * Invariants: numbers are dense (base + count is the next segment's base); used + 16 * count <=
 * size; all but the last segment have `next` set.
 *
 * What can fail: only crier_segments_reserve, before anything changed.
 */
#include "journal/segment.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

static_assert(sizeof(struct crier_entry) == 16,
              "the index is dense: four entries a cache line");
static_assert(sizeof(struct crier_stored) % 8 == 0, "topics follow the head directly");
static_assert(CRIER_TOPICS_PER_EVENT <= 8, "alive is one byte");

enum { ID_LINE = 4 + CRIER_ID_TEXT + 1 }; /* "id: " id LF */

static struct crier_slice plain_type(struct crier_slice type)
{
    return crier_slice_eq(type, CRIER_SLICE("message")) ? (struct crier_slice){NULL, 0} : type;
}

uint32_t crier_type_hash(const struct crier_hash_key *key, struct crier_slice type)
{
    type = plain_type(type);
    return type.len ? (uint32_t)crier_hash(key, type) : 0;
}

/* Writes the id's line into `line` and answers its length. */
static size_t id_line(struct crier_id id, char line[ID_LINE])
{
    memcpy(line, "id: ", 4);
    size_t len = 4 + crier_id_format(id, line + 4);
    line[len++] = '\n';
    return len;
}

size_t crier_stored_size(const struct crier_draft *draft, struct crier_id id)
{
    char line[ID_LINE];
    size_t size = sizeof(struct crier_stored);

    for (size_t i = 0; i < draft->topic_count; i++)
        size += sizeof(struct crier_stored_topic) + draft->topics[i].len;
    size += plain_type(draft->type).len;
    size += CRIER_FRAME_HEAD + draft->sse.len + id_line(id, line) + CRIER_FRAME_TAIL;
    return (size + 7) & ~(size_t)7;
}

static char *put(char *at, const void *bytes, size_t len)
{
    if (len)
        memcpy(at, bytes, len);
    return at + len;
}

/* The event as one HTTP/1.1 chunk with a size line of fixed width. Returns its end. */
static char *put_frame(char *at, const struct crier_draft *draft, struct crier_id id)
{
    static const char digits[] = "0123456789abcdef";
    char line[ID_LINE];
    size_t line_len = id_line(id, line);
    size_t len = draft->sse.len + line_len;

    assert(draft->id_at <= draft->sse.len);
    for (int shift = 28; shift >= 0; shift -= 4)
        *at++ = digits[(len >> shift) & 15];
    at = put(at, "\r\n", 2);
    at = put(at, draft->sse.data, draft->id_at);
    at = put(at, line, line_len);
    at = put(at, draft->sse.data + draft->id_at, draft->sse.len - draft->id_at);
    return put(at, "\r\n", 2);
}

void crier_stored_write(struct crier_stored *stored,
                        const struct crier_draft *draft,
                        const uint64_t *hashes,
                        struct crier_id id,
                        struct crier_now now)
{
    char *start = (char *)stored;
    char *at = (char *)&stored->topics[draft->topic_count];
    struct crier_slice type = plain_type(draft->type);

    stored->id = id;
    stored->wall_ms = now.wall_ms;
    stored->boot_ms = now.boot_ms;
    stored->expires_ms = 0;
    stored->key = 0;
    stored->size = (uint32_t)crier_stored_size(draft, id);
    stored->topic_count = (uint8_t)draft->topic_count;
    atomic_init(&stored->alive, (uint8_t)((1u << draft->topic_count) - 1));
    for (size_t i = 0; i < draft->topic_count; i++) {
        struct crier_slice topic = draft->topics[i];
        stored->topics[i] =
            (struct crier_stored_topic){hashes[i], (uint32_t)(at - start), (uint32_t)topic.len};
        at = put(at, topic.data, topic.len);
    }
    stored->type_at = (uint32_t)(at - start);
    stored->type_len = (uint32_t)type.len;
    at = put(at, type.data, type.len);
    stored->frame_at = (uint32_t)(at - start);
    at = put_frame(at, draft, id);
    stored->sse_len =
        (uint32_t)(at - start) - stored->frame_at - CRIER_FRAME_HEAD - CRIER_FRAME_TAIL;
    assert((size_t)(at - start) <= stored->size);
}

size_t crier_stored_record_size(const struct crier_record *record)
{
    size_t size = sizeof(struct crier_stored) + record->type.len + record->frame.len;

    for (size_t i = 0; i < record->topic_count; i++)
        size += sizeof(struct crier_stored_topic) + record->topics[i].len;
    return (size + 7) & ~(size_t)7;
}

void crier_stored_copy(struct crier_stored *stored, const struct crier_record *record)
{
    char *start = (char *)stored;
    char *at = (char *)&stored->topics[record->topic_count];

    stored->id = record->id;
    stored->wall_ms = record->wall_ms;
    stored->boot_ms = record->boot_ms;
    stored->expires_ms = record->expires_ms;
    stored->key = 0;
    stored->size = (uint32_t)crier_stored_record_size(record);
    stored->topic_count = (uint8_t)record->topic_count;
    atomic_init(&stored->alive, (uint8_t)((1u << record->topic_count) - 1));
    for (size_t i = 0; i < record->topic_count; i++) {
        struct crier_slice topic = record->topics[i];
        stored->topics[i] = (struct crier_stored_topic){
            record->topic_hashes[i], (uint32_t)(at - start), (uint32_t)topic.len};
        at = put(at, topic.data, topic.len);
    }
    stored->type_at = (uint32_t)(at - start);
    stored->type_len = (uint32_t)record->type.len;
    at = put(at, record->type.data, record->type.len);
    stored->frame_at = (uint32_t)(at - start);
    at = put(at, record->frame.data, record->frame.len);
    stored->sse_len = (uint32_t)record->sse.len;
    assert((size_t)(at - start) <= stored->size);
}

struct crier_slice crier_stored_topic(const struct crier_stored *stored, size_t i)
{
    assert(i < stored->topic_count);
    return (struct crier_slice){(const char *)stored + stored->topics[i].at,
                                stored->topics[i].len};
}

struct crier_slice crier_stored_type(const struct crier_stored *stored)
{
    return (struct crier_slice){(const char *)stored + stored->type_at, stored->type_len};
}

unsigned crier_stored_alive(const struct crier_stored *stored)
{
    return atomic_load_explicit(&stored->alive, memory_order_acquire);
}

void crier_stored_view(const struct crier_stored *stored,
                       uint64_t number,
                       unsigned mask,
                       struct crier_record *ret_record)
{
    const char *frame = (const char *)stored + stored->frame_at;
    size_t n = 0;

    for (size_t i = 0; i < stored->topic_count; i++) {
        if (!(mask >> i & 1))
            continue;
        ret_record->topics[n] = crier_stored_topic(stored, i);
        ret_record->topic_hashes[n++] = stored->topics[i].hash;
    }
    ret_record->topic_count = n;
    ret_record->number = number;
    ret_record->id = stored->id;
    ret_record->wall_ms = stored->wall_ms;
    ret_record->boot_ms = stored->boot_ms;
    ret_record->expires_ms = stored->expires_ms;
    ret_record->type = crier_stored_type(stored);
    ret_record->sse = (struct crier_slice){frame + CRIER_FRAME_HEAD, stored->sse_len};
    ret_record->frame = (struct crier_slice){frame, CRIER_FRAME_HEAD + (size_t)stored->sse_len +
                                                        CRIER_FRAME_TAIL};
}

/* ---- one segment --------------------------------------------------------- */

static struct crier_entry *entry_at(const struct crier_segment *segment, uint32_t i)
{
    return (struct crier_entry *)(void *)((uintptr_t)segment->area + segment->size) - 1 - i;
}

const struct crier_entry *crier_segment_entry(const struct crier_segment *segment, uint32_t i)
{
    return entry_at(segment, i);
}

struct crier_stored *crier_segment_at(const struct crier_segment *segment, uint32_t i)
{
    return (struct crier_stored *)((uintptr_t)segment->area + entry_at(segment, i)->offset);
}

uint64_t crier_segment_last(const struct crier_segment *segment)
{
    return segment->base + atomic_load_explicit(&segment->count, memory_order_acquire) - 1;
}

void crier_segment_ref(struct crier_segment *segment)
{
    assert(segment->refs > 0);
    segment->refs++;
}

void crier_segment_unref(struct crier_segments *segments, struct crier_segment *segment)
{
    assert(segment->refs > 0);
    if (--segment->refs)
        return;
    segments->held_bytes -= sizeof(*segment) + segment->size;
    crier_mem_free(segments->mem, segment);
}

/* ---- the list ------------------------------------------------------------ */

void crier_segments_init(struct crier_segments *segments,
                         const struct crier_mem *mem,
                         uint32_t size)
{
    memset(segments, 0, sizeof(*segments));
    atomic_init(&segments->stale_bytes, 0);
    segments->mem = mem;
    segments->size = size & ~(uint32_t)15;
}

void crier_segments_deinit(struct crier_segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        crier_segment_unref(segments, crier_segments_get(segments, i));
    assert(segments->held_bytes == 0);
    segments->list = crier_mem_free(segments->mem, segments->list);
    segments->count = segments->head = segments->cap = 0;
}

struct crier_segment *crier_segments_get(const struct crier_segments *segments, size_t i)
{
    assert(i < segments->count);
    return segments->list[segments->head + i];
}

struct crier_segment *crier_segments_tail(const struct crier_segments *segments)
{
    return segments->count ? crier_segments_get(segments, segments->count - 1) : NULL;
}

/* Room for one more pointer. */
static int grow_list(struct crier_segments *segments)
{
    if (segments->head + segments->count < segments->cap)
        return 0;
    if (segments->head > segments->cap / 2) {
        memmove(segments->list, segments->list + segments->head,
                segments->count * sizeof(segments->list[0]));
        segments->head = 0;
        return 0;
    }
    size_t cap = segments->cap ? segments->cap * 2 : 16;
    struct crier_segment **list =
        crier_mem_resize(segments->mem, segments->list, cap * sizeof(list[0]));
    if (!list)
        return -ENOMEM;
    segments->list = list;
    segments->cap = cap;
    return 0;
}

static int add_segment(struct crier_segments *segments,
                       uint32_t size,
                       uint64_t number,
                       struct crier_id before)
{
    struct crier_segment *tail = crier_segments_tail(segments);
    int r = grow_list(segments);
    if (r < 0)
        return r;
    struct crier_segment *segment = crier_mem_alloc(segments->mem, sizeof(*segment) + size);
    if (!segment)
        return -ENOMEM;

    atomic_init(&segment->next, NULL);
    atomic_init(&segment->count, 0);
    segment->base = number;
    segment->before = before;
    segment->size = size;
    segment->used = 0;
    segment->refs = 1;
    segment->bytes_before = tail ? tail->bytes_before + tail->used : 0;
    segments->held_bytes += sizeof(*segment) + size;
    segments->list[segments->head + segments->count++] = segment;
    if (tail)
        atomic_store_explicit(&tail->next, segment, memory_order_release);
    return 0;
}

int crier_segments_reserve(struct crier_segments *segments,
                           size_t bytes,
                           uint64_t number,
                           struct crier_id before)
{
    const struct crier_segment *tail = crier_segments_tail(segments);
    size_t need = bytes + sizeof(struct crier_entry);

    if (tail) {
        size_t count = atomic_load_explicit(&tail->count, memory_order_relaxed);
        if (tail->used + count * sizeof(struct crier_entry) + need <= tail->size)
            return 0;
    }
    /* An event that is too large for an ordinary segment gets one of its own. */
    size_t size = (need + 15) & ~(size_t)15;
    if (size < segments->size)
        size = segments->size;
    assert(size <= UINT32_MAX);
    return add_segment(segments, (uint32_t)size, number, before);
}

struct crier_stored *crier_segments_room(struct crier_segments *segments)
{
    struct crier_segment *tail = crier_segments_tail(segments);
    return (struct crier_stored *)(void *)(tail->area + tail->used);
}

void crier_segments_publish(struct crier_segments *segments, uint32_t type_hash)
{
    struct crier_segment *tail = crier_segments_tail(segments);
    const struct crier_stored *stored = crier_segments_room(segments);
    uint32_t count = atomic_load_explicit(&tail->count, memory_order_relaxed);
    struct crier_entry *entry = entry_at(tail, count);

    entry->topic = stored->topic_count == 1 ? stored->topics[0].hash : CRIER_ENTRY_MANY;
    entry->type = type_hash;
    entry->offset = tail->used;
    tail->used += stored->size;
    assert(tail->used + ((size_t)count + 1) * sizeof(*entry) <= tail->size);
    atomic_store_explicit(&tail->count, count + 1, memory_order_release);
}

struct crier_segment *crier_segments_find(const struct crier_segments *segments,
                                          uint64_t number)
{
    size_t low = 0, high = segments->count;

    while (low < high) { /* the last segment whose base <= number */
        size_t middle = low + (high - low) / 2;
        if (crier_segments_get(segments, middle)->base <= number)
            low = middle + 1;
        else
            high = middle;
    }
    /* Empty segments have no event: walk back over them (at most the newest is empty). */
    while (low > 0) {
        struct crier_segment *segment = crier_segments_get(segments, low - 1);
        if (crier_segment_last(segment) >= segment->base)
            return number <= crier_segment_last(segment) ? segment : NULL;
        low--;
    }
    return NULL;
}

struct crier_stored *crier_segments_at(const struct crier_segments *segments, uint64_t number)
{
    const struct crier_segment *segment = crier_segments_find(segments, number);
    return segment ? crier_segment_at(segment, (uint32_t)(number - segment->base)) : NULL;
}

void crier_segments_age(struct crier_segments *segments, uint64_t first)
{
    uint64_t bytes = atomic_load_explicit(&segments->stale_bytes, memory_order_relaxed);

    while (segments->stale + 1 < segments->count) {
        const struct crier_segment *segment = crier_segments_get(segments, segments->stale);
        if (crier_segment_last(segment) >= first)
            break;
        bytes += segment->size;
        segments->stale++;
    }
    atomic_store_explicit(&segments->stale_bytes, bytes, memory_order_relaxed);
}

void crier_segments_drop(struct crier_segments *segments)
{
    struct crier_segment *segment = crier_segments_get(segments, 0);

    assert(segments->stale > 0 && segments->count > 1);
    atomic_fetch_sub_explicit(&segments->stale_bytes, segment->size, memory_order_relaxed);
    segments->stale--;
    segments->head++;
    segments->count--;
    crier_segment_unref(segments, segment);
}

void crier_segments_check(const struct crier_segments *segments, uint64_t end)
{
    uint64_t stale = 0;

    assert(segments->count > 0 && segments->stale < segments->count);
    for (size_t i = 0; i < segments->count; i++) {
        const struct crier_segment *segment = crier_segments_get(segments, i);
        const struct crier_segment *next =
            i + 1 < segments->count ? crier_segments_get(segments, i + 1) : NULL;
        uint32_t count = atomic_load(&segment->count);
        assert(segment->refs >= 1);
        assert(segment->used + (size_t)count * sizeof(struct crier_entry) <= segment->size);
        assert(atomic_load(&segment->next) == next);
        assert(segment->base + count == (next ? next->base : end + 1));
        if (i < segments->stale)
            stale += segment->size;
        (void)next;
        (void)count;
    }
    assert(stale == atomic_load(&segments->stale_bytes));
    (void)stale; /* in builds without assertions */
    (void)end;
}
