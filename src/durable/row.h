/* SPDX-License-Identifier: MIT */
/*
 * A row: an event as it lies in the table `events`. Pure.
 *
 *     flags          1 byte: which of the optional parts are there
 *     alive          1 byte, only with more than one topic: those it is still held under
 *     id             ms, seq           varints
 *     time           wall_ms and clock_ms, each as the signed distance from id.ms
 *     class          varint: 0, a rule, CRIER_CLASS_KEPT + that
 *     expires        varint: distance from clock_ms         (optional)
 *     key            length and bytes                       (optional)
 *     type           length and bytes                       (optional)
 *     topics         count, then length and bytes of each (count only where it is not 1)
 *     id_at          varint
 *     sse            the rest: the event's lines, without an id line
 *
 * Varints are LEB128; signed ones zigzag.
 */
#ifndef CRIER_DURABLE_ROW_H
#define CRIER_DURABLE_ROW_H

#include "base/buf.h"
#include "journal/journal.h"

struct crier_row {
    struct crier_id id;
    uint64_t wall_ms, clock_ms, expires_ms; /* expires_ms 0: with history */
    uint32_t class_id;
    unsigned alive; /* one bit for each topic it is still held under */
    struct crier_slice topics[CRIER_TOPICS_PER_EVENT];
    size_t topic_count;
    struct crier_slice key, type; /* empty: none */
    struct crier_slice sse;
    size_t id_at;
};

/* Appends; whether there was memory, the buffer knows. */
void crier_row_write(struct crier_buf *buf, const struct crier_row *row);
/* Borrows from bytes. 0; -EUCLEAN: they are no row. */
int crier_row_read(struct crier_slice bytes, struct crier_row *ret_row);
/* Encoded bytes that count for limits: its lines with the id line. */
uint64_t crier_row_bytes(const struct crier_row *row);
/* Writes the whole event as one HTTP/1.1 chunk (as journal/segment.c does), and answers its sse
 * part: a slice of buf. */
struct crier_slice crier_row_frame(struct crier_buf *buf, const struct crier_row *row);

#endif
