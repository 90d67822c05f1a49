/* SPDX-License-Identifier: MIT */
/*
 * Where a stream starts: from what a subscriber asked for to a position, and from that to an id
 * with which it could come back.
 *
 * The position is put just before the first event that will be sent, wherever that is cheap to
 * know; the id then is that of the event one before. For a single topic its floor is older than
 * that, so resuming there tells no gap. (For several topics and patterns one may be told in
 * vain: a kept-aside event of a quiet topic is older than what busy topics have lost.)
 *
 * An id that comes back is one of
 *
 *     another epoch, before our start, after the newest          unknown: everything held
 *     start .. the event before the window                       by order, known or not
 *     in the window                                              an event has it, or unknown
 *
 * and then the floors say whether a matching event after it is gone. Ids older than the window
 * are taken by order because their events are not there any more to be compared with.
 *
 * Threads: all under the mutex, but for sorting the picks. What can fail: memory for picks, and
 * for merging more than CRIER_MERGE_INLINE topics.
 */
#include "base/mem.h"
#include "journal/match.h"
#include "journal/picks.h"
#include <assert.h>

struct locating {
    struct crier_memory *memory;
    const struct crier_filter *filter;
    uint64_t end;
};

/* ---- the oldest and the newest matching ---------------------------------- */

/* The first matching number after `position` in the window; 0: none. */
static uint64_t
window_up(const struct locating *l, struct crier_matcher *matcher, uint64_t position)
{
    const struct crier_segment *segment = NULL;
    uint64_t number = position + 1 > l->memory->first ? position + 1 : l->memory->first;
    unsigned alive;

    for (; number <= l->end; number++) {
        if (!segment || number > crier_segment_last(segment))
            segment = crier_segments_find(&l->memory->segments, number);
        if (crier_matcher_entry(matcher, segment, (uint32_t)(number - segment->base), &alive) ==
            CRIER_MATCH_YES)
            return number;
    }
    return 0;
}

static uint64_t look_up(const struct locating *l, uint64_t position)
{
    struct crier_matcher matcher;
    struct crier_kept_event *kept;
    unsigned alive;

    crier_matcher_init(&matcher, l->memory, l->filter, l->memory->boot_ms);
    for (uint64_t at = position; (kept = crier_kept_after(&l->memory->kept, at)) != NULL;
         at = kept->number) {
        if (crier_matcher_look(&matcher, crier_kept_stored(kept), &alive) == CRIER_MATCH_YES)
            return kept->number;
    }
    return window_up(l, &matcher, position);
}

static int merge_up(const struct locating *l, uint64_t position, uint64_t *ret_number)
{
    struct crier_merge merge;
    uint64_t number;

    int r = crier_merge_init(&merge, l->memory, l->filter, false, position);
    if (r != 0)
        return r;
    while ((number = crier_merge_next(&merge)) != 0) {
        struct crier_held held = crier_memory_held(l->memory, number);
        if (crier_match_rest(l->filter, held.stored, l->memory->boot_ms))
            break;
    }
    crier_merge_deinit(&merge);
    *ret_number = number;
    return 0;
}

/* The oldest matching event after `position`; *ret_number 0: there is none. 0, -ENOMEM. */
static int oldest_after(const struct locating *l, uint64_t position, uint64_t *ret_number)
{
    int r = merge_up(l, position, ret_number);
    if (r != CRIER_MERGE_MANY)
        return r;
    *ret_number = look_up(l, position);
    return 0;
}

/* The count-th newest matching number, or the oldest if there are fewer; 0: none. */
static uint64_t look_down(const struct locating *l, uint64_t count)
{
    struct crier_matcher matcher;
    const struct crier_segment *segment = NULL;
    struct crier_kept_event *kept;
    uint64_t found = 0;
    unsigned alive;

    crier_matcher_init(&matcher, l->memory, l->filter, l->memory->boot_ms);
    for (uint64_t number = l->end; count && number >= l->memory->first; number--) {
        if (!segment || number < segment->base)
            segment = crier_segments_find(&l->memory->segments, number);
        if (crier_matcher_entry(&matcher, segment, (uint32_t)(number - segment->base),
                                &alive) == CRIER_MATCH_YES) {
            found = number;
            count--;
        }
    }
    for (uint64_t at = l->memory->first;
         count && (kept = crier_kept_before(&l->memory->kept, at)) != NULL; at = kept->number) {
        if (crier_matcher_look(&matcher, crier_kept_stored(kept), &alive) == CRIER_MATCH_YES) {
            found = kept->number;
            count--;
        }
    }
    return found;
}

static int merge_down(const struct locating *l, uint64_t count, uint64_t *ret_number)
{
    struct crier_merge merge;
    uint64_t number, found = 0;

    int r = crier_merge_init(&merge, l->memory, l->filter, true, 0);
    if (r != 0)
        return r;
    while (count && (number = crier_merge_next(&merge)) != 0) {
        struct crier_held held = crier_memory_held(l->memory, number);
        if (!crier_match_rest(l->filter, held.stored, l->memory->boot_ms))
            continue;
        found = number;
        count--;
    }
    crier_merge_deinit(&merge);
    *ret_number = found;
    return 0;
}

/* ---- starts -------------------------------------------------------------- */

static void start_at(const struct locating *l, uint64_t position, struct crier_start *ret_start)
{
    *ret_start = (struct crier_start){
        .position = position,
        .id = crier_memory_id(l->memory, position),
        .until = l->end,
        .losses = atomic_load_explicit(&l->memory->floors.losses, memory_order_relaxed),
    };
}

/* Just before the oldest matching event after `position`, or at the end. */
static int
start_before_oldest(const struct locating *l, uint64_t position, struct crier_start *ret_start)
{
    uint64_t number;
    int r = oldest_after(l, position, &number);
    if (r == 0)
        start_at(l, number ? number - 1 : l->end, ret_start);
    return r;
}

int crier_memory_gap_start(struct crier_memory *memory,
                           const struct crier_filter *filter,
                           uint64_t position,
                           uint64_t limit,
                           struct crier_start *ret_start)
{
    struct locating l = {memory, filter,
                         atomic_load_explicit(&memory->end, memory_order_relaxed)};
    uint64_t number;

    int r = oldest_after(&l, position, &number);
    if (r < 0)
        return r;
    uint64_t to = number ? number - 1 : l.end;
    start_at(&l, to < limit ? to : limit, ret_start);
    ret_start->gap = CRIER_GAP_LAGGED;
    if (number) {
        ret_start->has_oldest = true;
        ret_start->oldest = crier_memory_held(memory, number).stored->id;
    }
    return 0;
}

static int start_at_gap(const struct locating *l,
                        uint64_t position,
                        enum crier_gap gap,
                        struct crier_start *ret_start)
{
    int r = crier_memory_gap_start(l->memory, l->filter, position, l->end, ret_start);
    if (r == 0)
        ret_start->gap = gap;
    return r;
}

static int
start_at_last(const struct locating *l, uint64_t count, struct crier_start *ret_start)
{
    uint64_t number = 0;
    int r = merge_down(l, count, &number);

    if (r == CRIER_MERGE_MANY) {
        number = look_down(l, count);
        r = 0;
    }
    if (r == 0)
        start_at(l, number ? number - 1 : l->end, ret_start);
    return r;
}

/* The newest event published before boot time `ms`: all after it are as asked for. */
static int start_at_time(const struct locating *l, uint64_t ms, struct crier_start *ret_start)
{
    uint64_t low = l->memory->first, high = l->end + 1;
    const struct crier_kept_event *kept = crier_kept_since(&l->memory->kept, ms);

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (crier_segments_at(&l->memory->segments, middle)->boot_ms < ms)
            low = middle + 1;
        else
            high = middle;
    }
    return start_before_oldest(l, (kept ? kept->number : low) - 1, ret_start);
}

/* ---- ids ----------------------------------------------------------------- */

/* The newest number in the window whose id is <= id; first - 1 if there is none. */
static uint64_t window_by_id(const struct crier_memory *memory, struct crier_id id)
{
    uint64_t low = memory->first,
             high = atomic_load_explicit(&memory->end, memory_order_relaxed) + 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (crier_id_cmp(crier_segments_at(&memory->segments, middle)->id, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

bool crier_memory_find_id(const struct crier_memory *memory,
                          struct crier_id id,
                          uint64_t *ret_number)
{
    uint64_t number = window_by_id(memory, id);

    if (number < memory->first ||
        crier_id_cmp(crier_segments_at(&memory->segments, number)->id, id) != 0)
        return false;
    *ret_number = number;
    return true;
}

/* The position an id stands for; false: it is unknown. */
static bool position_of(const struct locating *l, struct crier_id id, uint64_t *ret_position)
{
    const struct crier_memory *memory = l->memory;

    if (id.seq / CRIER_EPOCH_IDS != memory->epoch)
        return false;
    if (crier_id_cmp(id, memory->start) < 0 || crier_id_cmp(id, memory->last) > 0)
        return false;
    if (crier_id_cmp(id, memory->before_first) <= 0) {
        /* Between what is kept aside all positions are alike: the last before the next event.
         */
        const struct crier_kept_event *kept = crier_kept_after_id(&memory->kept, id);
        *ret_position = (kept ? kept->number : memory->first) - 1;
        return true;
    }
    return crier_memory_find_id(memory, id, ret_position);
}

static int
start_at_id(const struct locating *l, struct crier_id id, struct crier_start *ret_start)
{
    uint64_t position;

    if (id.ms == 0 && id.seq == 0)
        return start_before_oldest(l, 0, ret_start);
    if (!position_of(l, id, &position))
        return start_at_gap(l, 0, CRIER_GAP_UNKNOWN, ret_start);
    if (crier_floors_after_id(&l->memory->floors, l->filter, id))
        return start_at_gap(l, position, CRIER_GAP_EVICTED, ret_start);
    start_at(l, position, ret_start);
    ret_start->id = id;
    return 0;
}

/* ---- the newest of each topic -------------------------------------------- */

struct picks {
    const struct locating *l;
    struct crier_picks list;
};

static int pick(struct picks *picks, const struct crier_topic *topic)
{
    const struct locating *l = picks->l;
    size_t i = topic->len;

    while (i-- > 0) {
        uint64_t number = crier_topic_at(topic, i);
        if (number & CRIER_NUMBER_DEAD)
            continue;
        if (crier_match_rest(l->filter, crier_memory_held(l->memory, number).stored,
                             l->memory->boot_ms))
            break;
    }
    if (i == SIZE_MAX)
        return 0;
    return crier_picks_add(&picks->list, crier_topic_at(topic, i));
}

static int pick_prefix(struct picks *picks, struct crier_slice prefix)
{
    const struct crier_filter *filter = picks->l->filter;
    struct crier_tree_node *node = crier_tree_at_least(&picks->l->memory->topics.tree, prefix);
    int r = 0;

    for (; r == 0 && node && crier_slice_starts(node->key, prefix);
         node = crier_tree_next(node)) {
        if (filter->match(filter->ctx, node->key))
            r = pick(picks, CRIER_CONTAINER(node, struct crier_topic, tree));
    }
    return r;
}

static int pick_all(struct picks *picks)
{
    const struct crier_filter *filter = picks->l->filter;
    int r = 0;

    for (size_t i = 0; r == 0 && i < filter->topic_count; i++) {
        const struct crier_topic *topic = crier_topics_find(
            &picks->l->memory->topics, filter->topic_hashes[i], filter->topics[i]);
        if (topic)
            r = pick(picks, topic);
    }
    for (size_t i = 0; r == 0 && filter->match && i < filter->prefix_count; i++)
        r = pick_prefix(picks, filter->prefixes[i]);
    return r;
}

static int
start_at_latest(const struct locating *l, uint64_t count, struct crier_start *ret_start)
{
    struct picks picks = {.l = l, .list.mem = l->memory->journal.mem};

    int r = pick_all(&picks);
    if (r < 0) {
        crier_mem_free(l->memory->journal.mem, picks.list.numbers);
        return r;
    }
    crier_picks_sort(&picks.list, count);
    start_at(l, picks.list.count ? picks.list.numbers[0] - 1 : l->end, ret_start);
    ret_start->picks = picks.list.numbers;
    ret_start->pick_count = picks.list.count;
    return 0;
}

/* ---- the answer ---------------------------------------------------------- */

static int
start(const struct locating *l, const struct crier_since *since, struct crier_start *ret_start)
{
    switch (since->kind) {
    case CRIER_SINCE_NOW:
        start_at(l, l->end, ret_start);
        return 0;
    case CRIER_SINCE_EARLIEST:
        return start_before_oldest(l, 0, ret_start);
    case CRIER_SINCE_LAST:
        return start_at_last(l, since->count, ret_start);
    case CRIER_SINCE_LATEST:
        return start_at_latest(l, since->count, ret_start);
    case CRIER_SINCE_AGO:
        return start_at_time(
            l, l->memory->boot_ms > since->ms ? l->memory->boot_ms - since->ms : 0, ret_start);
    case CRIER_SINCE_ID:
        return start_at_id(l, since->id, ret_start);
    case CRIER_SINCE_UNKNOWN:
        return start_at_gap(l, 0, CRIER_GAP_UNKNOWN, ret_start);
    }
    assert(false);
    return -EINVAL;
}

int crier_memory_locate(struct crier_journal *journal,
                        const struct crier_filter *filter,
                        const struct crier_since *since,
                        struct crier_now now,
                        struct crier_wait *wait,
                        struct crier_start *ret_start)
{
    struct crier_memory *memory = crier_memory_of(journal);
    struct crier_start found;

    crier_memory_lock(memory);
    crier_memory_see(memory, now);
    crier_memory_retain(memory);
    struct locating l = {memory, filter,
                         atomic_load_explicit(&memory->end, memory_order_relaxed)};
    int r = start(&l, since, &found);
    crier_memory_unlock(memory);
    if (r == 0)
        *ret_start = found;
    return r;
}
