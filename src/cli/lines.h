/* SPDX-License-Identifier: MIT */
/*
 * Lines of text made into publish lines of application/x-ndjson, as they come, in any split.
 * Pure.
 *
 *     hello "you"\n   ─▶   {"event":"greeting","data":"hello \"you\""}\n
 *
 * LF and CRLF end a line; an empty line is an event with empty data; the last line needs no
 * end.
 */
#ifndef CRIER_CLI_LINES_H
#define CRIER_CLI_LINES_H

#include "base/buf.h"

enum { CRIER_LINE_BYTES = 16 * 1024 * 1024 };

struct crier_lines {
    struct crier_buf members; /* what each object begins with: "\"event\":\"x\"," or nothing */
    struct crier_buf part;    /* a line whose end has not come */
    uint64_t count;           /* lines made so far */
    const char *fault;        /* after < 0: what is wrong with line count + 1 (static text) */
};

void crier_lines_init(struct crier_lines *lines, const struct crier_mem *mem);
void crier_lines_deinit(struct crier_lines *lines);
/* Each object is to have this member too; json says how its value is written. */
void crier_lines_member(struct crier_lines *lines,
                        const char *name,
                        struct crier_slice value,
                        bool text);
/* Appends the objects of all lines that are complete. 0; -EINVAL: fault, what was appended
 * before it is fine; -ENOMEM. */
int crier_lines_feed(struct crier_lines *lines,
                     struct crier_slice bytes,
                     struct crier_buf *out) CRIER_MUST_CHECK;
int crier_lines_end(struct crier_lines *lines, struct crier_buf *out)
    CRIER_MUST_CHECK; /* the last line, if it has no end */

#endif
