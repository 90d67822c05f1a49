/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The event codec: events as bytes and back (WHATWG HTML, 9.2 "Server-sent events"). No
 * sockets, no clock, no threads.
 *
 * Layout of an encoded event; only LF line ends:
 *
 *     : comment          one line for each line of the comment
 *     retry: 3000        only with CRIER_RETRY
 *     event: type        unless the type is empty or "message"
 *     id: id             only if there is one (an empty id resets the reader's)
 *     data: line 1       one for each line of data; CR, LF and CRLF each end a line; k line
 *     data: line 2       ends make k + 1 lines, so that nothing is lost; empty data is "data: "
 *                        a blank line ends it
 *
 * Without data there is no data line and NO blank line: a block without data is never sent
 * (popular clients call onmessage("") at every blank line).
 *
 * Round trip: what encode writes, the parser gives back, for valid UTF-8 without CR in data.
 */
#ifndef CRIER_EVENT_H
#define CRIER_EVENT_H

#include "crier/error.h"
#include "crier/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- events ------------------------------------------------------------------------------ */

enum crier_event_flags {
    CRIER_RETRY = 1u << 0, /**< retry_ms is there (it may be 0) */
    CRIER_DATA = 1u << 1,  /**< data is there although its pointer is NULL: it is empty */
    CRIER_ID = 1u << 2,    /**< so is the id: it is empty, which resets the reader's */
};

/**
 * What SSE calls an event. Absent is not empty: data and id are there when their pointer is not
 * NULL or their flag is set; retry_ms only with its flag.
 */
struct crier_event {
    struct crier_slice data;
    struct crier_slice type;    /**< empty and "message" mean the same */
    struct crier_slice id;      /**< of a hub's event: left out, the hub gives the id */
    struct crier_slice comment; /**< empty: none */
    uint32_t retry_ms;
    unsigned flags; /**< enum crier_event_flags */
};

/**
 * The exact number of bytes crier_event_encode() writes. Any thread.
 */
CRIER_API size_t crier_event_size(const struct crier_event *event);

/**
 * Writes an event into buf. *Borrows* event for the call. Any thread.
 *
 * @param cap bytes there is room for: at least crier_event_size(event)
 * @param ret_len bytes written; may be NULL
 * @return 0; CRIER_EINVAL: CR, LF or NUL in id or type, which would start a line of its own
 *         (nothing is stripped or escaped); CRIER_EMSGSIZE: it does not fit
 */
CRIER_API int
crier_event_encode(const struct crier_event *event, char *buf, size_t cap, size_t *ret_len);

/* ---- events encoded once ----------------------------------------------------------------- */

/**
 * An event that was encoded once, to be sent to many: immutable, counted references.
 */
struct crier_encoded;

/**
 * Encodes an event. *Copies*; the caller has one reference. Any thread.
 *
 * @param mem NULL: the C library's; *borrowed* until the last reference is returned
 * @return 0; CRIER_EINVAL as crier_event_encode(); CRIER_ENOMEM
 */
CRIER_API int crier_encoded_new(const struct crier_event *event,
                                const struct crier_mem *mem,
                                struct crier_encoded **ret_encoded) CRIER_MUST_CHECK;
/** One more reference; returns its argument (NULL: NULL). Any thread. */
CRIER_API struct crier_encoded *crier_encoded_ref(struct crier_encoded *encoded);
/** *Takes* one reference; NULL is fine. Returns NULL. Any thread. */
CRIER_API struct crier_encoded *crier_encoded_unref(struct crier_encoded *encoded);
/** Its bytes, as crier_event_encode() writes them; *borrowed* while there is a reference. Any
 *  thread. */
CRIER_API struct crier_slice crier_encoded_bytes(const struct crier_encoded *encoded);

/* ---- ids of hubs ------------------------------------------------------------------------- */

enum { CRIER_ID_TEXT = 41 /**< 20 digits, '-', 20 digits */ };

/**
 * "<milliseconds>-<sequence>", as in Redis Streams: one total order over all topics of a hub,
 * only ever growing.
 */
struct crier_id {
    uint64_t ms;
    uint64_t seq;
};

/** < 0, 0, > 0. Any thread. */
CRIER_API int crier_id_cmp(struct crier_id a, struct crier_id b);
/** Writes it; returns its length; no NUL is added. Any thread. */
CRIER_API size_t crier_id_format(struct crier_id id, char text[CRIER_ID_TEXT]);
/**
 * Reads exactly what crier_id_format() writes: no leading zeros, no overflow. Any thread.
 * @return 0; CRIER_EINVAL
 */
CRIER_API int crier_id_parse(struct crier_slice text, struct crier_id *ret_id);

/* ---- the parser -------------------------------------------------------------------------- */

/**
 * An incremental event-stream parser, to the letter of the standard (9.2.5, 9.2.6), pull style:
 * bytes are fed in any split, items are taken out until none is left. Its memory is bounded,
 * its cost linear however the bytes are split. One thread at a time.
 *
 *     crier_parser_feed(parser, bytes);
 *     while ((r = crier_parser_next(parser, &item)) == 0)
 *         use(item);
 *     r == CRIER_MORE: feed again.  r < 0: it is over.
 */
struct crier_parser;

enum crier_item_kind {
    CRIER_ITEM_EVENT = 1,   /**< dispatched: data, type ("message" when absent), id */
    CRIER_ITEM_ID = 2,      /**< a block without data moved the last event id */
    CRIER_ITEM_RETRY = 3,   /**< retry_ms: takes effect at once, not at dispatch */
    CRIER_ITEM_COMMENT = 4, /**< one comment line, without the colon; only if asked for */
};

struct crier_item {
    enum crier_item_kind kind;
    /** *Borrowed* until the next call on the parser. id: the last event id, as of here. */
    struct crier_slice data, type, id, comment;
    bool own_id;       /**< the block itself carried a valid id field */
    uint32_t retry_ms; /**< clamped to UINT32_MAX */
    uint64_t line;     /**< physical number, from 1, of the block's first line */
};

enum crier_parser_flags {
    CRIER_PARSER_COMMENTS = 1u << 0, /**< report comments */
    CRIER_PARSER_STRICT = 1u << 1,   /**< ill-formed UTF-8 is CRIER_EILSEQ, not U+FFFD */
};

struct crier_parser_options {
    size_t size;                 /**< of this struct: how options grow */
    const struct crier_mem *mem; /**< *borrowed*; NULL: the C library's */
    int64_t max_event_bytes;     /**< of one block, line and fields together: 1 MiB */
    unsigned flags;              /**< enum crier_parser_flags */
    struct crier_slice last_id;  /**< known from before: seeds the id buffer; *copied* */
};

/**
 * Makes a parser. NULL: out of memory, or an option is not valid.
 * @param options *borrowed* for the call; NULL: all defaults
 */
CRIER_API struct crier_parser *
crier_parser_new_with(const struct crier_parser_options *options) CRIER_MUST_CHECK;
/** *Takes*; NULL is fine. Returns NULL. */
CRIER_API struct crier_parser *crier_parser_free(struct crier_parser *parser);
/**
 * Feeds bytes, *borrowed* until crier_parser_next() has answered CRIER_MORE.
 * @return 0; CRIER_EBUSY: bytes fed before are not used up; CRIER_ENOMEM: parser is NULL
 */
CRIER_API int crier_parser_feed(struct crier_parser *parser, struct crier_slice bytes);
/**
 * Takes out the next item.
 * @return 0; CRIER_MORE; CRIER_EMSGSIZE: over max_event_bytes; CRIER_EILSEQ; CRIER_ENOMEM.
 *         Errors stay until crier_parser_end()
 */
CRIER_API int crier_parser_next(struct crier_parser *parser, struct crier_item *ret_item);
/**
 * The stream has ended. What is unfinished is dropped, as the standard says. After it the
 * parser is at the start of a new stream, errors forgotten, the last event id kept.
 * @return 0; CRIER_PARTIAL: a line or block was dropped; CRIER_ENOMEM: parser is NULL
 */
CRIER_API int crier_parser_end(struct crier_parser *parser);
/** What a reconnecting client sends as Last-Event-ID; *borrowed* until the next call. */
CRIER_API struct crier_slice crier_parser_last_id(const struct crier_parser *parser);

#ifdef __cplusplus
}
inline struct crier_parser *crier_parser_new(crier_parser_options options = {})
{
    options.size = sizeof(options);
    return crier_parser_new_with(&options);
}
#else
/** crier_parser_new(.flags = CRIER_PARSER_COMMENTS): options by name. */
#define crier_parser_new(...)                                                                  \
    crier_parser_new_with(&(const struct crier_parser_options){                                \
        .size = sizeof(struct crier_parser_options), __VA_ARGS__})
#endif

#endif
