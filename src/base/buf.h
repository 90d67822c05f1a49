/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer. Out of memory is sticky: a failed append changes nothing, sets
 * `failed`, and every later append is ignored too, so that a chain of appends needs one check
 * at its end (crier_buf_error). The bytes are followed by no NUL.
 */
#ifndef CRIER_BASE_BUF_H
#define CRIER_BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"
#include <stdarg.h>

struct crier_mem;

struct crier_buf {
    const struct crier_mem *mem;
    char *data;
    size_t len;
    size_t cap;
    bool failed;
};

/* Borrows mem; allocates nothing. */
void crier_buf_init(struct crier_buf *buf, const struct crier_mem *mem);
/* Zeroed is fine; idempotent. */
void crier_buf_deinit(struct crier_buf *buf);
/* Empty again, failed off, the memory kept. */
void crier_buf_clear(struct crier_buf *buf);
/* Room for `more` bytes. 0 or -ENOMEM (sets failed). */
int crier_buf_reserve(struct crier_buf *buf, size_t more);
/* 0 or -ENOMEM. */
int crier_buf_error(const struct crier_buf *buf);

/* All of these copy. */
void crier_buf_append(struct crier_buf *buf, struct crier_slice bytes);
void crier_buf_add(struct crier_buf *buf, const void *bytes, size_t len);
void crier_buf_byte(struct crier_buf *buf, char byte);
void crier_buf_u64(struct crier_buf *buf, uint64_t value); /* decimal */
void crier_buf_printf(struct crier_buf *buf, const char *fmt, ...) CRIER_PRINTF(2, 3);
void crier_buf_vprintf(struct crier_buf *buf, const char *fmt, va_list args) CRIER_PRINTF(2, 0);
/* Quoted and escaped (RFC 8259 7); text is valid UTF-8. */
void crier_buf_json_string(struct crier_buf *buf, struct crier_slice text);
/* The same without the quotes, for a string that is put together from parts. */
void crier_buf_json_escape(struct crier_buf *buf, struct crier_slice text);

/* Drops the first n bytes (moves the rest). */
void crier_buf_consume(struct crier_buf *buf, size_t n);
/* Borrows until the next change. */
struct crier_slice crier_buf_slice(const struct crier_buf *buf);

#endif
