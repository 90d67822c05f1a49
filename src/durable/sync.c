/* SPDX-License-Identifier: MIT */
#include "durable/sync.h"

#include "base/clock.h"

const char *
crier_sync_parse(struct crier_slice text, enum crier_sync *ret_sync, uint64_t *ret_ms)
{
    const struct crier_slice every = CRIER_SLICE("interval=");
    enum crier_sync sync = CRIER_SYNC_INTERVAL;
    uint64_t ms = 0;

    if (crier_slice_eq(text, CRIER_SLICE("always")))
        sync = CRIER_SYNC_ALWAYS;
    else if (crier_slice_eq(text, CRIER_SLICE("none")))
        sync = CRIER_SYNC_NONE;
    else if (crier_slice_eq(text, CRIER_SLICE("interval")))
        ms = CRIER_SYNC_MS;
    else if (!crier_slice_starts(text, every))
        return "'sync' is always, interval (every 100 ms), interval=250ms or the like, or none";
    else if (crier_duration_parse(crier_slice_sub(text, every.len, text.len - every.len), &ms) <
                 0 ||
             ms < 1 || ms > CRIER_SYNC_MOST_MS)
        return "the interval of 'sync' is a duration of 1ms to 1h, with its unit, as in "
               "interval=250ms";
    *ret_sync = sync;
    *ret_ms = ms;
    return NULL;
}
