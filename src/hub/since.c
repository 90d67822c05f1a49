/* SPDX-License-Identifier: MIT */
#include "hub/since.h"

#include "base/clock.h"

enum { LAST_MOST = 1000, LATEST_MOST = 1000 };

/* last:N */
static bool parse_last(struct crier_slice text, struct crier_since *since)
{
    struct crier_slice prefix = CRIER_SLICE("last:");
    uint64_t count;

    if (!crier_slice_starts(text, prefix) ||
        crier_slice_to_u64(crier_slice_sub(text, prefix.len, text.len), &count) < 0 ||
        count < 1 || count > LAST_MOST)
        return false;
    *since = (struct crier_since){.kind = CRIER_SINCE_LAST, .count = count};
    return true;
}

static struct crier_since ago(uint64_t ms)
{
    return (struct crier_since){.kind = CRIER_SINCE_AGO, .ms = ms};
}

/* The clock of the wall, measured back from now: ages count on the one that never jumps. */
static struct crier_since at(uint64_t wall_ms, struct crier_now now)
{
    if (wall_ms >= now.wall_ms)
        return (struct crier_since){.kind = CRIER_SINCE_NOW};
    return ago(now.wall_ms - wall_ms);
}

const char *
crier_since_fault(struct crier_slice text, struct crier_now now, struct crier_since *ret_since)
{
    struct crier_id id;
    uint64_t ms;

    if (crier_slice_eq(text, CRIER_SLICE("now")))
        *ret_since = (struct crier_since){.kind = CRIER_SINCE_NOW};
    else if (crier_slice_eq(text, CRIER_SLICE("earliest")))
        *ret_since = (struct crier_since){.kind = CRIER_SINCE_EARLIEST};
    else if (crier_slice_eq(text, CRIER_SLICE("latest")))
        *ret_since = (struct crier_since){.kind = CRIER_SINCE_LATEST, .count = LATEST_MOST};
    else if (parse_last(text, ret_since))
        return NULL;
    else if (crier_id_parse(text, &id) == 0)
        *ret_since = (struct crier_since){.kind = CRIER_SINCE_ID, .id = id};
    else if (crier_duration_parse(text, &ms) == 0)
        *ret_since = ago(ms);
    else if (crier_time_parse(text, &ms) == 0)
        *ret_since = at(ms, now);
    else
        return "'since' is now, earliest, latest, last:N (1 to 1000), a duration back such as "
               "30s, 10m, 2h or 7d, an RFC 3339 time such as 2026-01-31T12:00:00Z, or an event "
               "id.";
    return NULL;
}

struct crier_since crier_since_last_id(struct crier_slice text)
{
    struct crier_since since = {.kind = CRIER_SINCE_UNKNOWN};

    if (crier_id_parse(text, &since.id) == 0)
        since.kind = CRIER_SINCE_ID;
    return since;
}
