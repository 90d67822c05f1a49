/* SPDX-License-Identifier: MIT */
/*
 * Publish bodies that hold many events, read as they arrive, in any split (http-api.md,
 * "Publishing").
 *
 *     crier_batch_feed(&batch, bytes);
 *     while ((r = crier_batch_next(&batch, &item)) == 0) publish(item)
 *     CRIER_BATCH_MORE: feed again.   < 0: batch.fault and batch.fault_line say what was wrong
 *     at the end of the body: crier_batch_end, then next() until MORE
 */
#ifndef CRIER_HTTP_BATCH_H
#define CRIER_HTTP_BATCH_H

#include "base/buf.h"
#include "event/parse.h"
#include "http/problem.h"

enum crier_batch_kind { CRIER_BATCH_NDJSON = 1, CRIER_BATCH_EVENT_STREAM = 2 };
enum { CRIER_BATCH_MORE = 1 };

/* One publish as it was asked for. Views, valid until the next call. Topic rules are checked by
 * the caller (topic empty: the path's); everything else is checked here: types (no "crier:"
 * ones, no CR, LF, NUL), key (1 to 128 printable ASCII), retry (500 to 3,600,000), ttl (a
 * number of seconds >= 1, or a duration string), data UTF-8. */
struct crier_batch_item {
    bool has_topic;
    struct crier_slice topic, type, key;
    struct crier_slice data;
    bool has_retry;
    uint32_t retry_ms;
    uint64_t ttl_ms; /* 0: none */
    uint64_t line;   /* physical line it began on, from 1 */
};

struct crier_batch {
    const struct crier_mem *mem;
    enum crier_batch_kind kind;
    size_t max_event; /* bytes of one line or block */
    bool path_has_topic;
    bool ended;
    bool incomplete; /* event-stream: an unfinished last block was dropped */
    /* After < 0: BAD_BODY, BAD_TOPIC, BAD_PARAMETER, TOO_LARGE or INTERNAL. */
    enum crier_problem fault;
    const char *fault_detail; /* a sentence, static text */
    uint64_t fault_line;
    struct crier_parser parser; /* event-stream */
    struct crier_slice input;   /* NDJSON */
    struct crier_buf line;      /* NDJSON: a line cut by a split */
    struct json_t *document;    /* NDJSON: jansson's; holds the item's strings */
    uint64_t line_number;
    bool line_taken; /* `line` was handed out and goes at the next call */
    bool finished;   /* the parser has been told of the end */
    int failed;      /* what next() answers from now on */
};

/* NDJSON: a JSON object a line (LF or CRLF; empty lines are passed over), members topic, data,
 * event, retry, ttl, key; an unknown member, or one twice, is an error that names the known
 * ones; `data` missing is an error; a `data` that is no string is taken as its own characters,
 * integers of many digits and members that are in it twice included. jansson reads the lines:
 * a number no double holds (1e999), a NUL in a member's name and very deep nesting are errors.
 * The last line needs no LF. event-stream: see http-api.md (a block's own id is its key, retry
 * is dropped, crier:gap passes, other crier: events are dropped, no topic member). 0, -ENOMEM.
 */
int crier_batch_init(struct crier_batch *,
                     const struct crier_mem *mem,
                     enum crier_batch_kind kind,
                     size_t max_event,
                     bool path_has_topic) CRIER_MUST_CHECK;
void crier_batch_deinit(struct crier_batch *);
void crier_batch_feed(struct crier_batch *, struct crier_slice bytes); /* borrows until MORE */
void crier_batch_end(struct crier_batch *);
/* 0: *ret. CRIER_BATCH_MORE. -EINVAL, -ENOMEM: fault, fault_detail, fault_line. Errors stay. */
int crier_batch_next(struct crier_batch *, struct crier_batch_item *ret) CRIER_MUST_CHECK;

#endif
