/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The HTTP server: routes, plain replies, event streams, and the whole HTTP interface of a hub.
 *
 *     static void clock_stream(struct crier_request *request, void *ctx)
 *     {
 *         crier_stream_every(crier_stream_open(request), 1000, send_time, NULL);
 *     }
 *
 *     struct crier_server *server = crier_server_new(.port = 8080);
 *     crier_server_route(server, "GET", "/events", clock_stream, NULL);
 *     return crier_server_main(server);
 *
 * Threads. With one worker (the default) every callback runs on the thread that runs or steps
 * the server. With more, crier_server_run() starts them: the callbacks of one stream stay on
 * its worker, those of different streams run at once. crier_request_…, crier_response_… and
 * crier_stream_… may only be called inside a callback of that request's or stream's worker.
 * From any thread: crier_server_post(), crier_server_post_encoded(), crier_server_finish(),
 * crier_server_reply(), crier_server_stop(), crier_server_stats(). Callbacks must not block: everything else of their worker waits.
 *
 * Anything may be called inside any callback, the closing of the very object included; run,
 * step and free of the server whose callback it is: CRIER_EBUSY.
 */
#ifndef CRIER_SERVER_H
#define CRIER_SERVER_H

#include "crier/hub.h"

#include <stdarg.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct crier_server;
struct crier_request;
struct crier_stream;

/* ---- the server -------------------------------------------------------------------------- */

enum crier_log_level {
    CRIER_LOG_ERROR = 0,
    CRIER_LOG_WARNING = 1,
    CRIER_LOG_INFO = 2,
    CRIER_LOG_DEBUG = 3,
};

struct crier_server_options {
    size_t size;                     /**< of this struct */
    const struct crier_mem *mem;     /**< *borrowed*; NULL: the C library's */
    const struct crier_clock *clock; /**< *borrowed*; NULL: the system's */
    const char *host; /**< an address, "localhost" (both of 127.0.0.1 and [::1]), "*"; NULL:
                           127.0.0.1 */
    int port;         /**< 0: any free one, told by crier_server_port() */
    int workers;      /**< threads that serve; 0: 1 */
    /**
     * Host names requests may come for, separated by spaces, beside this machine's own: on a
     * loopback address any other is answered 421, which stops DNS rebinding. "*": any.
     */
    const char *hosts;
    /** Origins whose pages may read answers (CORS), separated by spaces; "*": every one. */
    const char *cors;
    bool stop_on_signals; /**< SIGINT and SIGTERM stop it; a second one cuts off (see run) */
    int64_t
        heartbeat_ms; /**< a comment on a stream that was quiet so long: 15,000; CRIER_OFF */
    int64_t retry_ms; /**< what streams tell clients to wait before they come back: drawn
                               for each from 2,000 to 4,000; CRIER_OFF: nothing is told */
    int64_t grace_ms; /**< how long a stop may take: 5,000 */
    const struct crier_event *bye; /**< sent to every stream at a stop; *copied*; NULL: none */
    int64_t max_body;              /**< of a request: 1 MiB, then 413 */
    int64_t queue_bytes;           /**< of one stream, not yet sent: 64 KiB, then CRIER_FULL */
    int64_t max_age_ms;            /**< a stream is ended when it is so old: no limit */
    int64_t head_timeout_ms, body_timeout_ms; /**< 10,000; 30,000 without progress */
    int64_t idle_timeout_ms;                  /**< between requests: 75,000 */
    int64_t stall_timeout_ms;                 /**< a peer that takes nothing: 30,000 */
    int64_t max_connections;                  /**< in all: open files less a reserve */
    int64_t max_per_address;                  /**< 1,000 */
    /** Log lines (key=value, without a line end), on any worker's thread; NULL: none. */
    void (*on_log)(void *ctx, enum crier_log_level level, struct crier_slice line);
    void *log_ctx;
    enum crier_log_level log_level; /**< with on_log; CRIER_LOG_ERROR is 0 */
};

/**
 * Makes a server; it does not listen yet. *Copies* the options.
 * @return NULL only without memory. Everything else, the port too, is reported by
 *         crier_server_run() or the first crier_server_step(), and by crier_server_error()
 */
CRIER_API struct crier_server *
crier_server_new_with(const struct crier_server_options *options) CRIER_MUST_CHECK;
/**
 * *Takes*; NULL is fine. Streams still open are cut; each gets its on_close. Inside a callback
 * of the server: nothing happens, and the server is returned; else NULL. Threads that post,
 * reply or ask for counters have ended before: a reference may outlive what it means, but not
 * the server.
 */
CRIER_API struct crier_server *crier_server_free(struct crier_server *server);
/** Why it does not serve: "cannot listen on 127.0.0.1:8080: address in use"; "" if nothing is
 *  wrong. *Borrowed* for its life. */
CRIER_API const char *crier_server_error(const struct crier_server *server);
/**
 * Listens now, rather than at the start of run or the first step. Connections wait in the
 * kernel until then.
 * @return 0; the error run would have; CRIER_ENOMEM: server is NULL
 */
CRIER_API int crier_server_listen(struct crier_server *server);
/** The port it listens on; 0: it does not (yet). */
CRIER_API int crier_server_port(const struct crier_server *server);
/** Where a browser on this machine finds it: "http://127.0.0.1:8080/"; "": it does not listen.
 *  *Borrowed* for its life. */
CRIER_API const char *crier_server_url(const struct crier_server *server);

/**
 * Serves until it is stopped, on this thread and, with more workers, on further ones.
 *
 * With stop_on_signals SIGINT and SIGTERM are blocked in this thread and those it starts, and
 * read by the server, until run returns; other threads of the program have to block them too.
 *
 * @return 0: it was stopped, and every stream got its end; CRIER_CUT: some did not within
 *         grace_ms, or a second stop cut them off; CRIER_EADDRINUSE, CRIER_EACCES and others:
 *         it could not listen (crier_server_error()); CRIER_EINVAL: an option, a route or a
 *         mount was not valid; CRIER_EBUSY: inside a callback; CRIER_ENOMEM
 */
CRIER_API int crier_server_run(struct crier_server *server) CRIER_MUST_CHECK;

/**
 * Or inside a foreign event loop, with one worker: when fd is readable, or timeout
 * milliseconds have passed (-1: none), step. Never blocks.
 * @return 0: go on; CRIER_STOPPED, CRIER_CUT: it has ended, as run; or an error, as run;
 *         CRIER_EINVAL: it has several workers
 */
CRIER_API int crier_server_step(struct crier_server *server) CRIER_MUST_CHECK;
/** The descriptor to poll for reading; stays the same. < 0: as step. Listens, if need be. */
CRIER_API int crier_server_fd(struct crier_server *server);
/** Milliseconds until step has something to do although fd is not readable; -1: never. */
CRIER_API int crier_server_timeout(struct crier_server *server);

/**
 * Begins to stop: no new streams; each one gets what is queued, `bye`, and its clean end; run
 * and step answer at the end of that or of grace_ms. Called again, it cuts off at once. Any
 * thread; async-signal-safe.
 * @return 0; CRIER_ENOMEM: server is NULL
 */
CRIER_API int crier_server_stop(struct crier_server *server);

/**
 * All that is left of a small program's main(): listens, tells where on standard error, runs,
 * tells there why it could not, frees the server. *Takes* server: not for programs whose other
 * threads use it. Inline, as the program prints here, at its own wish; the library never does.
 * @return main's result. 0: it was stopped; 1: it could not listen, or an option was not valid
 */
static inline __attribute__((unused)) int crier_server_main(struct crier_server *server)
{
    int r = crier_server_listen(server);
    if (r == 0) {
        fprintf(stderr, "listening on %s\n", crier_server_url(server));
        r = crier_server_run(server);
    }
    if (r < 0)
        fprintf(stderr, "%s\n", server ? crier_server_error(server) : crier_strerror(r));
    crier_server_free(server);
    return r < 0;
}

struct crier_server_stats {
    uint64_t connections, streams;        /**< now */
    uint64_t accepted, requests, refused; /**< since it was made */
    uint64_t streams_opened, streams_closed;
    uint64_t sent_events, sent_bytes; /**< events handed to streams, and their bytes */
    uint64_t full;                    /**< sends that a full queue refused */
    uint64_t stalled;                 /**< connections closed because the peer took
                                                 nothing */
};

/** Counters. Any thread. @return 0; CRIER_ENOMEM: server is NULL */
CRIER_API int crier_server_stats_with(struct crier_server *server,
                                      size_t size,
                                      struct crier_server_stats *ret_stats);
#define crier_server_stats(server, ret_stats)                                                  \
    crier_server_stats_with((server), sizeof(struct crier_server_stats), (ret_stats))

/* ---- routes ------------------------------------------------------------------------------ */

/**
 * Answers a request: with crier_reply(), a stream, or later (crier_request_later()). One that
 * does none of these is answered 500.
 */
typedef void crier_handler(struct crier_request *request, void *ctx);

/**
 * Adds a route. pattern is a path; a segment "{name}" stands for any one segment that is not
 * empty, "{name...}" at the end for one or more. Both are compared percent-decoded, segment by
 * segment. A route with more literal segments goes before one with fewer, then one without
 * "...", then one for just this method, then the first. A path that is known for other methods only is answered 405 with
 * Allow, a method that no route has 501; HEAD is answered by GET's handler, without its body;
 * OPTIONS by the server, but where a route has it; a browser's question before a request (CORS)
 * also where the route has every method. Routes and mounts are made before it runs.
 *
 * Pages of other origins cannot act behind their user's back: a request other than GET and HEAD
 * that a browser sends for one (Sec-Fetch-Site, Origin) is answered 403, unless .cors allows the
 * origin, or it carries an Authorization header. A path with a NUL in it is answered 400.
 * @param method "GET", "POST", any token of at most 32 bytes; "*": every method
 * @return 0; CRIER_EINVAL: a bad method or pattern; CRIER_EEXIST: there is this route;
 *         CRIER_EBUSY: it runs; CRIER_ENOMEM, also for server NULL. What failed is also
 *         reported by run
 */
CRIER_API int crier_server_route(struct crier_server *server,
                                 const char *method,
                                 const char *pattern,
                                 crier_handler *handler,
                                 void *ctx);
/**
 * Adds a route for GET and HEAD that answers with these bytes (*copied*), an ETag, and 304
 * where the client has them.
 */
CRIER_API int crier_server_static(struct crier_server *server,
                                  const char *path,
                                  const char *content_type,
                                  struct crier_slice body);
/**
 * The same with the contents of a file, read now (at most 16 MiB); its type by its name
 * (.html, .css, .js, .json, .svg, .png, .txt …).
 * @return as crier_server_route(), or what reading it failed with: CRIER_ENOENT, …
 */
CRIER_API int
crier_server_file(struct crier_server *server, const char *path, const char *file);

/** Who asks for what; *borrowed* for the call. */
struct crier_visit {
    struct crier_request *request;
    struct crier_slice topic; /**< or the selector; empty: several (a batch, a query) */
    bool local; /**< from this machine: over loopback, for a loopback host, through no proxy */
};

/** true: it may. Must not wait. */
typedef bool crier_permission(void *ctx, const struct crier_visit *visit);

/** CRIER_ANYONE, as .may_publish: anybody may publish who reaches the server. */
CRIER_API bool crier_permit_anyone(void *ctx, const struct crier_visit *visit);
#define CRIER_ANYONE crier_permit_anyone
/** CRIER_LOCAL, as .may_publish or .may_subscribe: whoever is on this machine. */
CRIER_API bool crier_permit_local(void *ctx, const struct crier_visit *visit);
#define CRIER_LOCAL crier_permit_local

struct crier_mount_options {
    size_t size; /**< of this struct */
    /** NULL: everybody may follow topics, who is local patterns too. */
    crier_permission *may_subscribe;
    crier_permission *may_publish; /**< NULL: nobody over HTTP (403) */
    void *ctx;
};

/**
 * Mounts the HTTP interface of a hub (docs/http-api.md, "Following" and "Publishing") under a
 * path: GET to follow, POST and PUT to publish, DELETE to forget. The server keeps the hub.
 * @return as crier_server_route()
 */
CRIER_API int crier_server_mount_with(struct crier_server *server,
                                      const char *path,
                                      struct crier_hub *hub,
                                      const struct crier_mount_options *options);
/**
 * Mounts health, topics, stats and the pages of problems under a path, for operators.
 * @param options may_subscribe: who may read them; NULL: who is local (health: everybody)
 */
CRIER_API int crier_server_mount_admin_with(struct crier_server *server,
                                            const char *path,
                                            struct crier_hub *hub,
                                            const struct crier_mount_options *options);

/* ---- requests, inside a handler ---------------------------------------------------------- */
/* All slices are *borrowed* while the handler runs, also after it has answered. One that puts its
 * answer off copies what is needed for it: the client may leave at any moment, and the request
 * with it. Data NULL: there is none, or memory is out. */

/** As sent: "GET". */
CRIER_API struct crier_slice crier_request_method(const struct crier_request *request);
/** As sent, percent-encoded, without the query. */
CRIER_API struct crier_slice crier_request_path(const struct crier_request *request);
/** What "{name}" or "{name...}" of the route's pattern stands for, percent-decoded. */
CRIER_API struct crier_slice crier_request_param(const struct crier_request *request,
                                                 const char *name);
/** The first query parameter of that name, both decoded as browsers do ('+' is a space, a '%'
 *  that begins no escape stands for itself). */
CRIER_API struct crier_slice crier_request_query(const struct crier_request *request,
                                                 const char *name);
/** The first header of that name, compared without case. */
CRIER_API struct crier_slice crier_request_header(const struct crier_request *request,
                                                  const char *name);
/** The whole body; empty if there is none. */
CRIER_API struct crier_slice crier_request_body(const struct crier_request *request);
/** The peer's address, "192.0.2.1". */
CRIER_API struct crier_slice crier_request_peer(const struct crier_request *request);
/** The header Last-Event-ID, else the query parameter lastEventId; empty is as if absent. */
CRIER_API struct crier_slice crier_request_last_event_id(const struct crier_request *request);
/** From this machine: see struct crier_visit. */
CRIER_API bool crier_request_is_local(const struct crier_request *request);
/** The server it came to. */
CRIER_API struct crier_server *crier_request_server(struct crier_request *request);

/**
 * Adds a header to the answer, a plain one or a stream's. *Copies*.
 * @return 0; CRIER_EINVAL: a control character in it (CR, LF), no token as its name,
 *         Content-Type (which has its own parameter), or a header that frames the message
 *         (Content-Length, Transfer-Encoding, Connection, Keep-Alive, Upgrade, Trailer);
 *         CRIER_EBUSY: it is answered already; CRIER_ENOMEM, also for request NULL
 */
CRIER_API int
crier_response_header(struct crier_request *request, const char *name, const char *value);
/**
 * The status of the stream that follows, instead of 200 (a browser's EventSource takes no
 * other). @return 0; CRIER_EINVAL: not from 200 to 599, or one without a body
 */
CRIER_API int crier_response_status(struct crier_request *request, unsigned status);

/**
 * Answers. *Copies*.
 * @param status 200 to 599; 204, 205 and 304 have no body
 * @param content_type NULL: there is no body
 * @return 0; CRIER_EINVAL: a bad status or type, or a body where there is none; CRIER_EBUSY: it is answered already;
 *         CRIER_ENOMEM, also for request NULL
 */
CRIER_API int crier_reply(struct crier_request *request,
                          unsigned status,
                          const char *content_type,
                          struct crier_slice body);
/** The same with text made as by printf. */
CRIER_API int crier_replyf(struct crier_request *request,
                           unsigned status,
                           const char *content_type,
                           const char *format,
                           ...) CRIER_PRINTF(4, 5);

/**
 * A reference to a request or a stream: plain numbers, to be kept and copied anywhere, valid in
 * any thread as long as the server is there; once what it meant is gone, an outcome, never a
 * crash. Zero means nothing.
 */
struct crier_ref {
    uint64_t slot, generation;
};

/**
 * The request will be answered later, by crier_server_reply(). Inside its handler only.
 * @return a reference; zero: request is NULL, answered already, or memory is out
 */
CRIER_API struct crier_ref crier_request_later(struct crier_request *request);
/**
 * Answers a request that was put off. *Copies*. Any thread.
 * @return 0: it will be sent; CRIER_GONE: the client has left, or it is answered already;
 *         CRIER_EINVAL as crier_reply(); CRIER_ENOMEM, also for server NULL
 */
CRIER_API int crier_server_reply(struct crier_server *server,
                                 struct crier_ref ref,
                                 unsigned status,
                                 const char *content_type,
                                 struct crier_slice body);

/* ---- streams ----------------------------------------------------------------------------- */

/** Why a stream has ended. */
enum crier_close {
    CRIER_CLOSE_FINISHED = 1, /**< crier_stream_finish(), and all was sent */
    CRIER_CLOSE_PEER = 2,     /**< the client left */
    CRIER_CLOSE_STALLED = 3,  /**< it took nothing for stall_timeout_ms */
    CRIER_CLOSE_STOPPED = 4,  /**< the server stops */
    CRIER_CLOSE_EXPIRED = 5,  /**< it was older than max_age_ms */
    CRIER_CLOSE_ERROR = 6,    /**< memory was out, it could not be opened, its pull failed, or
                                   the hub's history lost an event that was half sent */
};

/** "finished", "peer", … Static text. Any thread. */
CRIER_API const char *crier_close_name(enum crier_close why);

struct crier_stream_options {
    size_t size; /**< of this struct */
    /**
     * Exactly once, after the last callback of the stream, for every reason, also when opening
     * itself fails (stream is NULL then). The stream cannot take anything any more.
     */
    void (*on_close)(struct crier_stream *stream, enum crier_close why, void *ctx);
    void *ctx;
    int64_t heartbeat_ms; /**< 0: the server's; CRIER_OFF: none */
    int64_t retry_ms;     /**< 0: the server's; CRIER_OFF: none is told */
    int64_t queue_bytes;  /**< 0: the server's */
};

/**
 * Answers with an event stream: the head goes out, with a first byte of the body (browsers and
 * proxies wait for one). A stream lives until its on_close; it is *borrowed* by everybody.
 *
 * A HEAD request gets the head alone; the stream takes what is sent and is closed as finished
 * when the handler returns.
 *
 * @return NULL: request is NULL or answered already, or memory is out (the client is answered
 *         500). All stream calls take NULL
 */
CRIER_API struct crier_stream *
crier_stream_open_with(struct crier_request *request,
                       const struct crier_stream_options *options);

/**
 * Queues an event; it leaves when the peer takes it. *Copies*.
 * @return 0; CRIER_FULL: more than queue_bytes would wait, nothing was queued (an event alone
 *         in the queue always fits); CRIER_EINVAL: CR, LF or NUL in type or id; CRIER_GONE: it is
 *         finished or closed; CRIER_ENOMEM, also for stream NULL
 */
CRIER_API int crier_stream_send(struct crier_stream *stream, const struct crier_event *event);
/** The same; data as by printf. type NULL or "": none. */
CRIER_API int
crier_stream_sendf(struct crier_stream *stream, const char *type, const char *format, ...)
    CRIER_PRINTF(3, 4);
/** The same for an event that was encoded once. */
CRIER_API int crier_stream_send_encoded(struct crier_stream *stream,
                                        const struct crier_encoded *encoded);
/** Bytes queued and not yet taken by the kernel. */
CRIER_API size_t crier_stream_queued(const struct crier_stream *stream);

/**
 * Calls fn every so many milliseconds, the first time after so many; several may run. It ends
 * with the stream, when fn returns CRIER_DONE, or at crier_stream_finish(). What else fn returns
 * does not matter, so that it may return a send's result.
 * @return 0; CRIER_EINVAL: ms is not positive; CRIER_GONE; CRIER_ENOMEM
 */
CRIER_API int crier_stream_every(struct crier_stream *stream,
                                 int64_t ms,
                                 int (*fn)(struct crier_stream *stream, void *ctx),
                                 void *ctx);
/**
 * Calls fn only when the peer takes more: the queue is never full inside it. fn sends
 * something and returns 0 (again when there is room), or n milliseconds until it is asked
 * again (at most a day), or CRIER_DONE: it is not asked any more; an error ends the stream
 * (CRIER_CLOSE_ERROR). 0 without having sent anything counts as 10. A later call replaces fn;
 * NULL ends it.
 * @return 0; CRIER_GONE; CRIER_ENOMEM
 */
CRIER_API int crier_stream_pull(struct crier_stream *stream,
                                int (*fn)(struct crier_stream *stream, void *ctx),
                                void *ctx);

struct crier_follow_options {
    size_t size; /**< of this struct */
    const char *const *selectors;
    size_t selector_count;
    const char *const *types; /**< only events of these types; 0: all */
    size_t type_count;
    const char *since;   /**< as struct crier_reader_options, when there is no last id */
    const char *last_id; /**< NULL: the request's */
    bool envelope;       /**< data is one JSON object with id, topic, event, data, time */
    bool quiet;          /**< without the opening event crier:connected */
};

/**
 * From now on the stream carries the hub's events for this selector too: those after the
 * request's last event id, then live ones; none lost, none twice, however slow the peer. What
 * is sent beside them goes out between events, without its id, and without its type if it has
 * no data. The stream keeps the hub. Once for a stream.
 * @return 0; CRIER_EINVAL: no selector, a bad one, or a bad since; CRIER_E2BIG: too many
 *         selectors or types; CRIER_EBUSY: it follows already; CRIER_GONE; CRIER_ENOMEM
 */
CRIER_API int
crier_stream_follow(struct crier_stream *stream, struct crier_hub *hub, const char *selector);
/** The same for several selectors, some types, another start. *Copies* the options. */
CRIER_API int crier_stream_follow_with(struct crier_stream *stream,
                                       struct crier_hub *hub,
                                       const struct crier_follow_options *options);

/**
 * A clean end, after all that is queued or was posted. Timers and pull end at once; on_close
 * comes when all is sent. Called again: nothing.
 * @return 0; CRIER_GONE: it is closed; CRIER_ENOMEM: stream is NULL
 */
CRIER_API int crier_stream_finish(struct crier_stream *stream);

/** A reference for crier_server_post(). Zero: stream is NULL, or memory is out. */
CRIER_API struct crier_ref crier_stream_ref(struct crier_stream *stream);
/**
 * Sends an event on a stream from any thread. *Copies*.
 * @return 0: the stream's worker will queue it; CRIER_GONE: the stream has ended, or was told
 *         to; CRIER_FULL: more than its queue_bytes would wait; CRIER_EINVAL; CRIER_ENOMEM, also for server NULL
 */
CRIER_API int crier_server_post(struct crier_server *server,
                                struct crier_ref ref,
                                const struct crier_event *event);
/** The same for an event that was encoded once; takes a reference of its own. */
CRIER_API int crier_server_post_encoded(struct crier_server *server,
                                        struct crier_ref ref,
                                        struct crier_encoded *encoded);
/** crier_stream_finish() from any thread. @return 0; CRIER_GONE; CRIER_ENOMEM */
CRIER_API int crier_server_finish(struct crier_server *server, struct crier_ref ref);

#ifdef __cplusplus
}
inline struct crier_server *crier_server_new(crier_server_options options = {})
{
    options.size = sizeof(options);
    return crier_server_new_with(&options);
}
inline struct crier_stream *crier_stream_open(crier_request *request,
                                              crier_stream_options options = {})
{
    options.size = sizeof(options);
    return crier_stream_open_with(request, &options);
}
inline int crier_server_mount(crier_server *server,
                              const char *path,
                              crier_hub *hub,
                              crier_mount_options options = {})
{
    options.size = sizeof(options);
    return crier_server_mount_with(server, path, hub, &options);
}
inline int crier_server_mount_admin(crier_server *server,
                                    const char *path,
                                    crier_hub *hub,
                                    crier_mount_options options = {})
{
    options.size = sizeof(options);
    return crier_server_mount_admin_with(server, path, hub, &options);
}
#else
/** crier_server_new(.port = 8080): options by name. */
#define crier_server_new(...)                                                                  \
    crier_server_new_with(&(const struct crier_server_options){                                \
        .size = sizeof(struct crier_server_options), __VA_ARGS__})
/* The size comes last, so that a call without options is fine too: before C23 a macro's "..."
 * must not be empty beside another parameter. */
#define CRIER_OPEN_(request, ...)                                                              \
    crier_stream_open_with((request), &(const struct crier_stream_options){__VA_ARGS__})
/** crier_stream_open(request, .on_close = gone, .ctx = job): options by name. */
#define crier_stream_open(...)                                                                 \
    CRIER_OPEN_(__VA_ARGS__, .size = sizeof(struct crier_stream_options))
#define CRIER_MOUNT_(call, server, path, hub, ...)                                             \
    call((server), (path), (hub), &(const struct crier_mount_options){__VA_ARGS__})
/** crier_server_mount(server, "/events", hub, .may_publish = CRIER_LOCAL) */
#define crier_server_mount(...)                                                                \
    CRIER_MOUNT_(crier_server_mount_with, __VA_ARGS__,                                         \
                 .size = sizeof(struct crier_mount_options))
/** crier_server_mount_admin(server, "/-", hub) */
#define crier_server_mount_admin(...)                                                          \
    CRIER_MOUNT_(crier_server_mount_admin_with, __VA_ARGS__,                                   \
                 .size = sizeof(struct crier_mount_options))
#endif

#endif
