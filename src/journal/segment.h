/* SPDX-License-Identifier: MIT */
/*
 * Segments: the memory the window of history is made of, and how an event lies in it.
 */
#ifndef CRIER_JOURNAL_SEGMENT_H
#define CRIER_JOURNAL_SEGMENT_H

#include "journal/journal.h"

/* One topic of a stored event. */
struct crier_stored_topic {
    uint64_t hash;
    uint32_t at; /* its name, counted from the start of the stored event */
    uint32_t len;
};

/* An event as it lies in a segment or is kept aside: this head, the topics, then their names,
 * the type and the frame. Written once; after that only `alive` changes. */
struct crier_stored {
    struct crier_id id;
    uint64_t wall_ms, boot_ms;
    uint64_t expires_ms; /* boot clock; 0: with history */
    uint64_t key;        /* hash of (first topic, idempotency key); 0: it has none */
    uint32_t size;       /* of all of it, a multiple of 8 */
    uint32_t type_at, type_len;
    uint32_t frame_at, sse_len;
    uint8_t topic_count;
    _Atomic uint8_t alive; /* one bit for each topic the event is still history of */
    struct crier_stored_topic topics[];
};

/* One event of the dense index. */
struct crier_entry {
    uint64_t topic; /* hash of its topic, or CRIER_ENTRY_MANY */
    uint32_t type;  /* crier_type_hash */
    uint32_t offset;
};

#define CRIER_ENTRY_MANY                                                                       \
    UINT64_C(                                                                                  \
        0) /* several topics: look at the event. No hash is ever 0                        \
                 */

struct crier_segment {
    struct crier_segment *_Atomic next; /* set once, when the segment is full */
    uint64_t base;                      /* number of its first event */
    uint64_t bytes_before;              /* stored bytes of all earlier segments */
    struct crier_id before;             /* id of event base - 1 */
    uint32_t size;                      /* bytes of area */
    uint32_t used;                      /* appender's, under the mutex */
    uint32_t refs;                      /* under the mutex */
    _Atomic uint32_t count;             /* events that may be read */
    _Alignas(16) unsigned char area[];
};

/* The window's segments, oldest first. All under the mutex. */
struct crier_segments {
    const struct crier_mem *mem;
    struct crier_segment **list; /* list[head .. head + count) */
    size_t head, count, cap;
    size_t stale; /* so many from the head hold nothing but what is before the window */
    _Atomic uint64_t stale_bytes;
    uint64_t held_bytes; /* memory of all segments, those only readers still hold included */
    uint32_t size;       /* of an ordinary segment's area */
};

uint32_t crier_type_hash(const struct crier_hash_key *key, struct crier_slice type);

/* What the stored form of a draft takes, with an id line for `id`. */
size_t crier_stored_size(const struct crier_draft *draft, struct crier_id id);
/* Writes everything but expires_ms and key (0); all topics alive. */
void crier_stored_write(struct crier_stored *stored,
                        const struct crier_draft *draft,
                        const uint64_t *hashes,
                        struct crier_id id,
                        struct crier_now now);
/* The same from a record that was read elsewhere: its frame is complete. */
size_t crier_stored_record_size(const struct crier_record *record);
void crier_stored_copy(struct crier_stored *stored, const struct crier_record *record);
struct crier_slice crier_stored_topic(const struct crier_stored *stored, size_t i);
struct crier_slice crier_stored_type(const struct crier_stored *stored);
unsigned crier_stored_alive(const struct crier_stored *stored);
/* The event with the topics whose bits are in `mask`. Borrows from stored. */
void crier_stored_view(const struct crier_stored *stored,
                       uint64_t number,
                       unsigned mask,
                       struct crier_record *ret_record);

const struct crier_entry *crier_segment_entry(const struct crier_segment *segment, uint32_t i);
struct crier_stored *crier_segment_at(const struct crier_segment *segment, uint32_t i);

void crier_segments_init(struct crier_segments *segments,
                         const struct crier_mem *mem,
                         uint32_t size);
void crier_segments_deinit(struct crier_segments *segments); /* no reader may hold one */
/* Makes room for one event of `bytes` in the last segment, or in a new one. 0, -ENOMEM. */
int crier_segments_reserve(struct crier_segments *segments,
                           size_t bytes,
                           uint64_t number,
                           struct crier_id before) CRIER_MUST_CHECK;
/* Where the reserved event goes; publish makes it readable. */
struct crier_stored *crier_segments_room(struct crier_segments *segments);
void crier_segments_publish(struct crier_segments *segments, uint32_t type_hash);
struct crier_segment *crier_segments_tail(const struct crier_segments *segments);
struct crier_segment *crier_segments_get(const struct crier_segments *segments, size_t i);
/* The segment that holds `number`, or NULL. */
struct crier_segment *crier_segments_find(const struct crier_segments *segments,
                                          uint64_t number);
/* The event with that number, or NULL. */
struct crier_stored *crier_segments_at(const struct crier_segments *segments, uint64_t number);
/* Number of the last event of a segment (base - 1 while it is empty). */
uint64_t crier_segment_last(const struct crier_segment *segment);
/* Counts as stale what lies wholly before `first`. */
void crier_segments_age(struct crier_segments *segments, uint64_t first);
/* Takes the oldest segment (a stale one) out; it lives on while readers hold it. */
void crier_segments_drop(struct crier_segments *segments);
void crier_segment_ref(struct crier_segment *segment);
void crier_segment_unref(struct crier_segments *segments, struct crier_segment *segment);
void crier_segments_check(const struct crier_segments *segments, uint64_t end);

#endif
