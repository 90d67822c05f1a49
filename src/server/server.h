/* SPDX-License-Identifier: MIT */
/*
 * The server: what its workers share. Everybody in this layer knows it; users of the library
 * see it as an opaque handle (crier/server.h).
 *
 *   made ──listen──▶ listening ──start──▶ serving ──stop──▶ draining ──▶ ended
 *     │                                      ▲
 *     └──── start without listening ─────────┘   (tests: connections are handed in)
 */
#ifndef CRIER_SERVER_SERVER_H
#define CRIER_SERVER_SERVER_H

#include "base/mem.h"
#include "net/listener.h"
#include "net/wake.h"
#include "server/admission.h"
#include "server/limits.h"
#include "server/log.h"
#include "server/sites.h"
#include <pthread.h>

struct crier_mail;
struct crier_worker;

enum {
    CRIER_READ_BYTES = 64 * 1024,          /* the input buffer of a worker */
    CRIER_CONN_TICK_BYTES = 256 * 1024,    /* one connection may append or read in a tick */
    CRIER_WORKER_TICK_BYTES = 1024 * 1024, /* one tick may append */
    CRIER_OUT_BYTES = 64 * 1024, /* a connection with more unsent answers is not read */
};

struct crier_server {
    const struct crier_mem *mem;
    const struct crier_clock *clock;
    struct crier_config settings;
    const struct crier_config *config; /* settings, for all but who makes them */
    struct crier_hash_key hash_key;
    struct crier_log *log;
    struct crier_tokens *tokens;
    struct crier_limits *limits;
    struct crier_sites sites;
    struct crier_list channels; /* the hubs it serves; guarded by the mutex while it runs */
    pthread_mutex_t channels_mutex;
    struct crier_listener *listeners;
    size_t listener_count;
    struct crier_worker *workers;
    size_t worker_count;
    _Atomic size_t workers_made;       /* as many, once other threads may look at them */
    uint64_t started_ms;               /* boot clock */
    char url[CRIER_ADDRESS_TEXT + 16]; /* once it listens */
    const char *note;       /* why a call was refused, though it can serve; NULL: none was */
    struct crier_buf error; /* a sentence: why it does not serve */
    int failed;             /* the result that goes with it */
    bool listening, started, ended;
    _Atomic bool busy;            /* it is being run or stepped */
    struct crier_wake stop;       /* readable from the first stop on: never drained */
    int signals;                  /* signalfd; -1: none */
    sigset_t signals_before;      /* the thread's mask, to be restored */
    _Atomic unsigned stops;       /* how often it was told to */
    _Atomic int stop_signal;      /* the signal that told it; 0: none */
    _Atomic bool draining;        /* new requests are sent away */
    _Atomic bool drained;         /* all workers were idle: they end */
    _Atomic bool cut;             /* time was up, or it was told twice, with streams left */
    _Atomic uint64_t drain_until; /* boot clock */
    _Atomic uint64_t publishing;  /* requests being read or appended: a drain waits for them */
};

/* By the whole configuration, as `crier serve` has it; *copied*, what it points to borrowed for
 * the server's life. NULL: out of memory. */
struct crier_server *crier_server_new_from(const struct crier_config *,
                                           const struct crier_mem *,
                                           const struct crier_clock *) CRIER_MUST_CHECK;
/* Without listeners, if it does not listen: connections are handed in. 0, or as run. */
int crier_server_start(struct crier_server *) CRIER_MUST_CHECK;
/* The live page, with all that it needs from a hub mounted at /events and /-. As route. */
int crier_server_live_page(struct crier_server *, const char *path) CRIER_MUST_CHECK;
/* Mounts where the configuration says who may do what (http-api.md), not permissions. */
int crier_server_mount_by_config(struct crier_server *,
                                 const char *path,
                                 struct crier_hub *,
                                 enum crier_site_kind) CRIER_MUST_CHECK;
/* Notes the first fault, for run and crier_server_error(); returns result. */
int crier_server_fail(struct crier_server *, int result, const char *format, ...)
    CRIER_PRINTF(3, 4);

/* "what: the error in words". */
int crier_server_fail_errno(struct crier_server *, const char *what, int error);
void crier_server_close_listeners(struct crier_server *);
void crier_server_log_listeners(struct crier_server *);

struct crier_now crier_server_now(const struct crier_server *);
/* Where letters to this reference go; NULL: nowhere. Any thread. */
struct crier_mail *crier_server_mail(struct crier_server *, struct crier_ref);
/* A worker has seen that it is to stop: from the first on new requests are sent away. */
void crier_server_begin_drain(struct crier_server *);
/* SIGTERM, SIGINT (stop) or SIGHUP (the tokens are read again). */
void crier_server_signal(struct crier_server *, int signal);

#define SERVER_LOG(server, level, event, ...)                                                  \
    crier_log((server)->log, level, CRIER_LOG_KIND_SERVER, crier_server_now(server), event,    \
              __VA_ARGS__)

#endif
