/* SPDX-License-Identifier: MIT */
/*
 * An event of a journal as a line of text, as crier journal export and import have it. Pure.
 *
 *     {"id":"1763700000123-40000","topic":"orders/42","event":"paid","retry":3000,
 *      "ttl":"3600s","key":"k","time":"2025-11-21T04:40:00.123Z","data":"..."}
 *
 * event, retry, ttl and key are left out where there is none. ttl is what the event was
 * published with, counted from time, so that the same event is always the same line. An event
 * of several topics has "topics", an array, instead of "topic".
 */
#ifndef CRIER_CLI_JOURNAL_LINE_H
#define CRIER_CLI_JOURNAL_LINE_H

#include "base/buf.h"
#include "journal/journal.h"

struct crier_journal_line {
    struct crier_id id;
    struct crier_slice topics[CRIER_TOPICS_PER_EVENT];
    size_t topic_count;
    struct crier_slice type, key, data; /* type, key: empty: none */
    bool has_retry;
    uint32_t retry_ms;
    uint64_t ttl_ms; /* 0: none */
    uint64_t wall_ms;
    struct json_t *document; /* what was read; holds the slices */
};

/* Appends the line of a record, with its line end. */
void crier_journal_line_write(struct crier_buf *buf,
                              const struct crier_record *record,
                              struct crier_slice key,
                              uint64_t ttl_ms);
/* NULL: *ret is what the line says, until crier_journal_line_release. Otherwise a sentence for
 * people (static text), and nothing is to be released. */
const char *crier_journal_line_read(struct crier_slice text, struct crier_journal_line *ret);
void crier_journal_line_release(struct crier_journal_line *line);

#endif
