/* SPDX-License-Identifier: MIT */
/*
 * An incremental event-stream parser to the letter of WHATWG HTML 9.2.6, pull style: bytes are
 * fed in any split, items are taken out until none is left. See parse.c for the states.
 *
 *     crier_parser_feed(&p, bytes);
 *     while ((r = crier_parser_next(&p, &item)) == 0) use(item);
 *     r == CRIER_PARSER_MORE: feed again.  r < 0: over.
 */
#ifndef CRIER_EVENT_PARSE_H
#define CRIER_EVENT_PARSE_H

#include "base/buf.h"
#include "event/event.h"

enum {
    CRIER_PARSER_MORE = 1,    /* all that was fed is used up */
    CRIER_PARSER_PARTIAL = 2, /* from end(): an unfinished line or block was dropped */
};

enum crier_item_kind {
    CRIER_ITEM_EVENT =
        1,             /* dispatched: data, type ("message" when absent), id = last event id */
    CRIER_ITEM_ID = 2, /* a block without data moved the last event id */
    CRIER_ITEM_RETRY = 3,   /* retry_ms; takes effect at once, not at dispatch (P9) */
    CRIER_ITEM_COMMENT = 4, /* one comment line, without the colon; only if asked for */
};

struct crier_item {
    enum crier_item_kind kind;
    struct crier_slice data, type, id, comment; /* borrowed until the next call on the parser */
    bool own_id;                                /* the block itself carried a valid id field */
    uint32_t retry_ms;                          /* clamped to UINT32_MAX */
    uint64_t line; /* physical number, from 1, of the block's first line */
};

enum crier_parser_flags {
    CRIER_PARSER_COMMENTS = 1u << 0, /* report comments */
    CRIER_PARSER_STRICT = 1u << 1,   /* ill-formed UTF-8 is -EILSEQ instead of U+FFFD */
};

struct crier_parser {
    const struct crier_mem *mem;
    size_t max_bytes; /* bound on line + data + type + id of one block */
    unsigned flags;
    struct crier_slice input; /* what is fed and not yet looked at */
    struct crier_buf line, data, type, id_buffer, last_id, comment;
    uint64_t line_number, block_line; /* lines ended; first line of the block, 0 before it */
    uint8_t bom_seen;                 /* bytes of the BOM matched; 4 = past the start */
    bool skip_lf, line_taken, block_open, own_id, clear_pending;
    int failed;
};

/* max_bytes 0: 1 MiB. last_id seeds the id buffer (as browsers do on reconnect, P13). 0,
 * -ENOMEM. */
int crier_parser_init(struct crier_parser *p,
                      const struct crier_mem *mem,
                      size_t max_bytes,
                      unsigned flags,
                      struct crier_slice last_id) CRIER_MUST_CHECK;
void crier_parser_deinit(struct crier_parser *p);
/* Borrows bytes until next() has answered CRIER_PARSER_MORE; until then it must not be called
 * again. */
void crier_parser_feed(struct crier_parser *p, struct crier_slice bytes);
/* 0: *ret_item. CRIER_PARSER_MORE. -EMSGSIZE: over max_bytes. -EILSEQ. -ENOMEM. Errors stay. */
int crier_parser_next(struct crier_parser *p, struct crier_item *ret_item) CRIER_MUST_CHECK;
/* End of input: 0, or CRIER_PARSER_PARTIAL when something was dropped (P13): an unfinished
 * line, or a block with data, type or id but no blank line (comments and retry leave nothing
 * behind). After it the parser is at the start of a new stream, errors forgotten, the last
 * event id kept. */
int crier_parser_end(struct crier_parser *p);
struct crier_slice crier_parser_last_id(const struct crier_parser *p);

#endif
