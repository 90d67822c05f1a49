/* SPDX-License-Identifier: MIT */
/*
 * Reading the past, a slice at a time.
 *
 *     lock; anything lost?  --yes-->  CRIER_SCAN_GAP (first round), or the slice ends (later)
 *       | no
 *     collect: pin a few events, or one segment
 *     unlock;  show them to fn;  lock;  return the pins;  once more
 *
 * Three ways to collect: the lists of the topics, merged, where they are named or patterns fit
 * few of them (cost by events found); what is kept aside, then the window's index (patterns
 * that may fit many); or picked numbers. fn always runs without the mutex.
 *
 * Why the floors are asked after every lock: what leaves history between two rounds is no
 * longer found by the next, and the position would pass over it in silence. The slice ends
 * there instead, and the next one begins by telling. In a round, the pinned events stay. Only
 * DELETE marks events in a segment that is being walked; coming upon such a mark, the walk goes
 * back to the lock and the floors (unless no loss was counted since they were asked last).
 *
 * Where the window is backed by a disk, it may move past the position between two rounds: the
 * slice ends there too, and goes on with what the disk has.
 *
 * What can fail: memory for merging more than CRIER_MERGE_INLINE topics.
 */
#include "journal/match.h"
#include <assert.h>

enum { BATCH_FIRST = 8, BATCH = 64 };

/* An event held in place. */
struct pin {
    uint64_t number;
    unsigned alive;
    const struct crier_stored *stored;
    struct crier_segment *segment; /* one of the two */
    struct crier_kept_event *kept;
};

struct slice {
    struct crier_memory *memory;
    struct crier_scan *scan;
    crier_scan_fn *fn;
    void *ctx;
    uint64_t limit;   /* until, or the end before it: found anew in every round */
    uint64_t checked; /* losses counted when the floors were asked last */
    bool done;        /* by fn or by max_looks */
    struct pin pins[BATCH];
    size_t pin_count;
};

static void find_limit(struct slice *slice)
{
    uint64_t end = atomic_load_explicit(&slice->memory->end, memory_order_relaxed);
    slice->limit = slice->scan->until < end ? slice->scan->until : end;
}

static bool lost(struct slice *slice)
{
    const struct crier_scan *scan = slice->scan;
    slice->checked = atomic_load_explicit(&slice->memory->floors.losses, memory_order_relaxed);
    return crier_floors_after(&slice->memory->floors, scan->filter, scan->position,
                              scan->losses);
}

/* Has the window moved past the position, to where only a disk holds what comes next? */
static bool passed(const struct slice *slice)
{
    return slice->memory->backed && slice->scan->position + 1 < slice->memory->first;
}

static bool may_look(const struct slice *slice)
{
    return !slice->scan->max_looks || slice->scan->looks < slice->scan->max_looks;
}

/* One more look; the last one ends the slice. */
static void look(struct slice *slice)
{
    slice->scan->looks++;
    if (!may_look(slice))
        slice->done = true;
}

static void
show(struct slice *slice, uint64_t number, const struct crier_stored *stored, unsigned alive)
{
    struct crier_record record;

    crier_stored_view(stored, number, alive, &record);
    int r = slice->fn(slice->ctx, &record);
    slice->scan->position = r == CRIER_SCAN_STOP ? number - 1 : number;
    if (r)
        slice->done = true;
}

/* ---- pins: exact topics and picks ---------------------------------------- */

static void pin(struct slice *slice, struct crier_held held)
{
    struct pin *p = &slice->pins[slice->pin_count++];

    *p = (struct pin){held.number, crier_stored_alive(held.stored), held.stored, NULL,
                      held.kept};
    if (p->kept) {
        p->kept->refs++;
    } else {
        p->segment = crier_segments_find(&slice->memory->segments, held.number);
        crier_segment_ref(p->segment);
    }
}

static void unpin_all(struct slice *slice)
{
    for (size_t i = 0; i < slice->pin_count; i++) {
        if (slice->pins[i].kept)
            crier_kept_unref(&slice->memory->kept, slice->pins[i].kept);
        else
            crier_segment_unref(&slice->memory->segments, slice->pins[i].segment);
    }
    slice->pin_count = 0;
}

/* Shows what is pinned, without the mutex. `reached`: the position if all of it is taken. */
static void show_pins(struct slice *slice, uint64_t reached)
{
    bool ended = slice->done;

    slice->done = false;
    crier_memory_unlock(slice->memory);
    for (size_t i = 0; i < slice->pin_count && !slice->done; i++)
        show(slice, slice->pins[i].number, slice->pins[i].stored, slice->pins[i].alive);
    crier_memory_lock(slice->memory);
    if (!slice->done)
        slice->scan->position = reached;
    slice->done = slice->done || ended;
    unpin_all(slice);
}

/* Pins up to `max` events of the filter's topics. *ret_reached: how far it has looked. 0,
 * CRIER_MERGE_MANY, -ENOMEM. */
static int collect_topics(struct slice *slice, size_t max, uint64_t *ret_reached)
{
    const struct crier_scan *scan = slice->scan;
    struct crier_merge merge;
    uint64_t number = 0, reached = scan->position;

    int r = crier_merge_init(&merge, slice->memory, scan->filter, false, scan->position);
    if (r != 0)
        return r;
    while (slice->pin_count < max && !slice->done) {
        number = crier_merge_next(&merge);
        if (!number || number > slice->limit) {
            reached = slice->limit;
            break;
        }
        look(slice);
        struct crier_held held = crier_memory_held(slice->memory, number);
        if (crier_match_rest(scan->filter, held.stored, scan->now_boot_ms))
            pin(slice, held);
        reached = number;
    }
    crier_merge_deinit(&merge);
    *ret_reached = reached;
    return 0;
}

/* 0; CRIER_MERGE_MANY: walk, from where the slice is; -ENOMEM. */
static int scan_topics(struct slice *slice)
{
    uint64_t reached;

    for (size_t max = BATCH_FIRST; !slice->done && slice->scan->position < slice->limit;
         max = BATCH) {
        int r = collect_topics(slice, max, &reached);
        if (r != 0)
            return r;
        show_pins(slice, reached);
        if (lost(slice) || passed(slice))
            break;
        find_limit(slice);
    }
    return 0;
}

/* Pins the picks after the position, a batch. Answers the last one looked at, or the position.
 */
static uint64_t collect_picks(struct slice *slice, struct crier_matcher *matcher)
{
    const struct crier_scan *scan = slice->scan;
    uint64_t reached = scan->position;
    unsigned alive;

    for (size_t i = 0; i < scan->pick_count && slice->pin_count < BATCH && !slice->done; i++) {
        if (scan->picks[i] <= scan->position)
            continue;
        if (scan->picks[i] > slice->limit ||
            (slice->memory->backed && scan->picks[i] < slice->memory->first))
            break;
        look(slice);
        reached = scan->picks[i];
        struct crier_held held = crier_memory_held(slice->memory, reached);
        if (held.stored && crier_matcher_look(matcher, held.stored, &alive) == CRIER_MATCH_YES)
            pin(slice, held);
    }
    return reached;
}

static void scan_picks(struct slice *slice)
{
    const struct crier_scan *scan = slice->scan;
    struct crier_matcher matcher;

    crier_matcher_init(&matcher, slice->memory, scan->filter, scan->now_boot_ms);
    while (!slice->done) {
        uint64_t reached = collect_picks(slice, &matcher);
        if (reached == scan->position)
            return;
        show_pins(slice, reached);
    }
}

/* ---- walking: patterns --------------------------------------------------- */

/* Looks at one event of a wanted topic. false: back to the lock, something may be lost. */
static bool walk_event(struct slice *slice,
                       enum crier_match match,
                       uint64_t number,
                       const struct crier_stored *stored,
                       unsigned alive)
{
    switch (match) {
    case CRIER_MATCH_YES:
        show(slice, number, stored, alive);
        return true;
    case CRIER_MATCH_LOST:
        if (atomic_load_explicit(&slice->memory->floors.losses, memory_order_acquire) !=
            slice->checked)
            return false;
        break;
    case CRIER_MATCH_NO:
        break;
    }
    slice->scan->position = number;
    return true;
}

/* Kept-aside events after the position, a batch. false: there are none before the limit. */
static bool walk_kept(struct slice *slice, struct crier_matcher *matcher)
{
    const struct crier_scan *scan = slice->scan;
    struct crier_kept_event *kept;
    unsigned alive = 0;

    for (uint64_t at = scan->position; slice->pin_count < BATCH; at = kept->number) {
        kept = crier_kept_after(&slice->memory->kept, at);
        if (!kept || kept->number > slice->limit)
            break;
        pin(slice, (struct crier_held){kept->number, crier_kept_stored(kept), kept});
    }
    if (!slice->pin_count)
        return false;
    crier_memory_unlock(slice->memory);
    for (size_t i = 0; i < slice->pin_count && !slice->done; i++) {
        const struct pin *p = &slice->pins[i];
        look(slice);
        enum crier_match match = crier_matcher_look(matcher, p->stored, &alive);
        if (!walk_event(slice, match, p->number, p->stored, alive))
            break;
    }
    crier_memory_lock(slice->memory);
    unpin_all(slice);
    return true;
}

static void walk_segment(struct slice *slice, struct crier_matcher *matcher)
{
    struct crier_scan *scan = slice->scan;
    struct crier_segment *segment =
        crier_segments_find(&slice->memory->segments, scan->position + 1);
    unsigned alive = 0;

    assert(segment);
    uint64_t last = crier_segment_last(segment);
    if (last > slice->limit)
        last = slice->limit;
    crier_segment_ref(segment);
    crier_memory_unlock(slice->memory);
    while (scan->position < last && !slice->done) {
        uint64_t number = scan->position + 1;
        uint32_t i = (uint32_t)(number - segment->base);
        look(slice);
        enum crier_match match = crier_matcher_entry(matcher, segment, i, &alive);
        if (!walk_event(slice, match, number, crier_segment_at(segment, i), alive))
            break;
    }
    crier_memory_lock(slice->memory);
    crier_segment_unref(&slice->memory->segments, segment);
}

static void scan_walk(struct slice *slice)
{
    struct crier_scan *scan = slice->scan;
    struct crier_matcher matcher;

    crier_matcher_init(&matcher, slice->memory, scan->filter, scan->now_boot_ms);
    while (!slice->done && scan->position < slice->limit) {
        if (!walk_kept(slice, &matcher)) {
            /* Nothing is held between what is kept aside and the window. */
            uint64_t before = slice->memory->first - 1;
            if (scan->position < before)
                scan->position = before < slice->limit ? before : slice->limit;
            if (scan->position < slice->limit)
                walk_segment(slice, &matcher);
        }
        if (lost(slice) || passed(slice))
            break;
        find_limit(slice);
    }
}

/* ---- the slice ----------------------------------------------------------- */

static int read_on(struct slice *slice)
{
    int merged = scan_topics(slice);
    if (merged != CRIER_MERGE_MANY)
        return merged;
    scan_walk(slice);
    return 0;
}

int crier_memory_read(struct crier_memory *memory,
                      struct crier_scan *what,
                      crier_scan_fn *fn,
                      void *ctx)
{
    struct slice slice = {.memory = memory, .scan = what, .fn = fn, .ctx = ctx};

    find_limit(&slice);
    if (what->position >= slice.limit)
        return 0;
    if (!what->picks)
        return read_on(&slice);
    scan_picks(&slice);
    return 0;
}

static int scan(struct slice *slice, struct crier_start *ret_gap)
{
    struct crier_scan *scan = slice->scan;

    find_limit(slice);
    if (scan->position >= slice->limit)
        return 0;
    if (scan->picks) {
        scan_picks(slice);
        return 0;
    }
    if (lost(slice)) {
        struct crier_start gap;
        int r = crier_memory_gap_start(slice->memory, scan->filter, scan->position,
                                       slice->limit, &gap);
        if (r < 0)
            return r;
        *ret_gap = gap;
        scan->losses = gap.losses;
        return CRIER_SCAN_GAP;
    }
    return read_on(slice);
}

int crier_memory_scan(struct crier_journal *journal,
                      struct crier_scan *what,
                      crier_scan_fn *fn,
                      void *ctx,
                      struct crier_start *ret_gap)
{
    struct slice slice = {
        .memory = crier_memory_of(journal), .scan = what, .fn = fn, .ctx = ctx};

    what->looks = 0;
    crier_memory_lock(slice.memory);
    int r = scan(&slice, ret_gap);
    /* A scan's reference may have been what kept a dropped segment: nothing else to do for it.
     */
    crier_memory_unlock(slice.memory);
    return r;
}
