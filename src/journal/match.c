/* SPDX-License-Identifier: MIT */
/*
 * Matching by looking.
 *
 * Walking the index, an event costs one comparison of its topic's hash with what is remembered:
 * 1,024 places, direct-mapped, so no memory is needed and a wrong guess only costs asking
 * again. The event itself is touched when its topic is wanted or not yet known, or when it has
 * several.
 *
 * An event of a wanted topic that is no longer alive is told apart (CRIER_MATCH_LOST) from one
 * past its ttl: whoever walks without the mutex must then see whether that loss is news.
 */
#include "journal/match.h"
#include <string.h>

void crier_matcher_init(struct crier_matcher *matcher,
                        const struct crier_memory *memory,
                        const struct crier_filter *filter,
                        uint64_t now_ms)
{
    memset(matcher->memo, 0, sizeof(matcher->memo));
    matcher->filter = filter;
    matcher->now_ms = now_ms;
    matcher->type_count = filter->type_count <= CRIER_MATCH_TYPES ? filter->type_count : 0;
    for (size_t i = 0; i < matcher->type_count; i++)
        matcher->types[i] = crier_type_hash(&memory->journal.hash_key, filter->types[i]);
}

static bool past_ttl(const struct crier_stored *stored, uint64_t now_ms)
{
    return stored->expires_ms && stored->expires_ms <= now_ms;
}

bool crier_match_rest(const struct crier_filter *filter,
                      const struct crier_stored *stored,
                      uint64_t now_ms)
{
    return !past_ttl(stored, now_ms) && crier_filter_type(filter, crier_stored_type(stored));
}

static bool ask(const struct crier_filter *filter, const struct crier_stored *stored, size_t i)
{
    struct crier_slice name = crier_stored_topic(stored, i);

    for (size_t t = 0; t < filter->topic_count; t++) {
        if (filter->topic_hashes[t] == stored->topics[i].hash &&
            crier_slice_eq(filter->topics[t], name))
            return true;
    }
    return filter->match && filter->match(filter->ctx, name);
}

static bool
topic_wanted(struct crier_matcher *matcher, const struct crier_stored *stored, size_t i)
{
    uint64_t hash = stored->topics[i].hash;
    size_t slot = hash % CRIER_MATCH_MEMO;

    if (matcher->memo[slot].hash != hash) {
        matcher->memo[slot].wanted = ask(matcher->filter, stored, i);
        matcher->memo[slot].hash = hash;
    }
    return matcher->memo[slot].wanted;
}

enum crier_match crier_matcher_look(struct crier_matcher *matcher,
                                    const struct crier_stored *stored,
                                    unsigned *ret_alive)
{
    unsigned alive = crier_stored_alive(stored), wanted = 0;

    for (size_t i = 0; i < stored->topic_count; i++) {
        if (topic_wanted(matcher, stored, i))
            wanted |= 1u << i;
    }
    if (!wanted || !crier_match_rest(matcher->filter, stored, matcher->now_ms))
        return CRIER_MATCH_NO;
    *ret_alive = alive;
    return wanted & alive ? CRIER_MATCH_YES : CRIER_MATCH_LOST;
}

static bool type_possible(const struct crier_matcher *matcher, uint32_t type)
{
    for (size_t i = 0; i < matcher->type_count; i++) {
        if (matcher->types[i] == type)
            return true;
    }
    return !matcher->type_count;
}

enum crier_match crier_matcher_entry(struct crier_matcher *matcher,
                                     const struct crier_segment *segment,
                                     uint32_t i,
                                     unsigned *ret_alive)
{
    const struct crier_entry *entry = crier_segment_entry(segment, i);
    size_t slot = entry->topic % CRIER_MATCH_MEMO;

    if (entry->topic != CRIER_ENTRY_MANY && matcher->memo[slot].hash == entry->topic &&
        !matcher->memo[slot].wanted)
        return CRIER_MATCH_NO;
    if (!type_possible(matcher, entry->type))
        return CRIER_MATCH_NO;
    return crier_matcher_look(matcher, crier_segment_at(segment, i), ret_alive);
}
