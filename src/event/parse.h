/* SPDX-License-Identifier: MIT */
/* The event-stream parser (crier/event.h says what it does), to be embedded. */
#ifndef CRIER_EVENT_PARSE_H
#define CRIER_EVENT_PARSE_H

#include "base/buf.h"
#include "base/eol.h"
#include "event/event.h"

struct crier_parser {
    const struct crier_mem *mem;
    size_t max_bytes; /* bound on line + data + type + id of one block */
    unsigned flags;
    struct crier_slice input; /* what is fed and not yet looked at */
    struct crier_eol eol;     /* of input */
    struct crier_buf line, data, type, id_buffer, last_id, comment;
    uint64_t line_number, block_line; /* lines ended; first line of the block, 0 before it */
    uint8_t bom_seen;                 /* bytes of the BOM matched; 4 = past the start */
    bool skip_lf, line_taken, block_open, own_id, clear_pending;
    int failed;
};

/* max_bytes 0: 1 MiB. last_id seeds the id buffer (as browsers do on reconnect, P13). 0,
 * -ENOMEM: there is nothing to deinit. */
int crier_parser_init(struct crier_parser *p,
                      const struct crier_mem *mem,
                      size_t max_bytes,
                      unsigned flags,
                      struct crier_slice last_id) CRIER_MUST_CHECK;
void crier_parser_deinit(struct crier_parser *p);
#endif
