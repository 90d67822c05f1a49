/* SPDX-License-Identifier: MIT */
/*
 * Time as it is handed into the pure layers; they never read a clock themselves.
 *   wall  milliseconds since 1970 (CLOCK_REALTIME): may jump. Only for ids and for people.
 *   boot  milliseconds since boot, sleep included (CLOCK_BOOTTIME): never goes back. For ages,
 *         ttl, timeouts and heartbeats.
 */
#ifndef CRIER_BASE_CLOCK_H
#define CRIER_BASE_CLOCK_H

#include "base/slice.h"

struct crier_buf;

/* RFC 3339: "2026-11-21T09:03:34.123Z". Seconds 60 and any offset are accepted, fractions of
 * any length (cut to ms); 0 or -EINVAL; -ERANGE before 1970. */
int crier_time_parse(struct crier_slice text, uint64_t *ret_wall_ms);
/* Always with .mmmZ; what is past year 9999 becomes its last millisecond. */
void crier_time_format(struct crier_buf *buf, uint64_t wall_ms);
/* "30s", "10m", "2h", "7d", also "250ms"; a bare number is -EINVAL; overflow -ERANGE. */
int crier_duration_parse(struct crier_slice text, uint64_t *ret_ms);

#endif
