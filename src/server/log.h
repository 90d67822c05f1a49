/* SPDX-License-Identifier: MIT */
/*
 * Log lines: `time=... level=warning event=refused reason="unknown-host" peer=192.0.2.1 ...`,
 * one write(2) each to standard error. Values that are not plain are quoted and escaped, so
 * that nothing an outsider sends can forge a line or a key; they are cut at 200 bytes. Lines an
 * outsider can cause are rate-limited by kind, and what was held back is counted and told
 * ("suppressed=1234"). Any thread.
 */
#ifndef CRIER_SERVER_LOG_H
#define CRIER_SERVER_LOG_H

#include "server/config.h"

struct crier_log; /* one for a server */

/* Rate limits are kept for each. */
enum crier_log_kind {
    CRIER_LOG_KIND_SERVER = 0, /* never limited: start, drain, end */
    CRIER_LOG_KIND_CONNECT,
    CRIER_LOG_KIND_REFUSED,
    CRIER_LOG_KIND_LIMIT,
    CRIER_LOG_KIND_ACCEPT,
    CRIER_LOG_KIND_COUNT,
};

struct crier_log_field {
    const char *key;
    struct crier_slice text; /* used when is_text; may be empty */
    uint64_t number;
    bool is_text;
};
#define CRIER_LOG_TEXT(k, v)                                                                   \
    ((struct crier_log_field){.key = (k), .text = (v), .is_text = true})
#define CRIER_LOG_NUMBER(k, v) ((struct crier_log_field){.key = (k), .number = (v)})

/* fd -1: nowhere. */
int crier_log_new(const struct crier_mem *,
                  enum crier_log_level level,
                  int fd,
                  struct crier_log **ret) CRIER_MUST_CHECK;
struct crier_log *crier_log_free(struct crier_log *);
/* Lines go to a function from now on, without their LF, one at a time. */
void crier_log_hand(struct crier_log *,
                    void (*fn)(void *ctx, enum crier_log_level, struct crier_slice line),
                    void *ctx);
/* Is this inside that function, on this thread? */
bool crier_log_is_handing(struct crier_log *);
bool crier_log_enabled(const struct crier_log *, enum crier_log_level);
void crier_log_write(struct crier_log *,
                     enum crier_log_level,
                     enum crier_log_kind,
                     struct crier_now now,
                     const char *event,
                     const struct crier_log_field *fields,
                     size_t count);
/* crier_log(log, level, kind, now, "start", CRIER_LOG_TEXT("address", a),
 * CRIER_LOG_NUMBER("workers", 4)) */
#define crier_log(log, level, kind, now, event, ...)                                           \
    crier_log_write(log, level, kind, now, event,                                              \
                    (const struct crier_log_field[]){__VA_ARGS__},                             \
                    sizeof((const struct crier_log_field[]){__VA_ARGS__}) /                    \
                        sizeof(struct crier_log_field))

#endif
