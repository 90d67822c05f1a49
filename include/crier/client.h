/* SPDX-License-Identifier: MIT */
/**
 * @file
 * An EventSource client (WHATWG HTML 9.2, and what its readers learnt since): follows a URL,
 * comes back by itself, resumes after the last event id. http and https; HTTP/1.1.
 *
 * It comes back after network faults, ends of the stream, 408, 425, 429 and 5xx: with full
 * jitter over an exponential bound (first 1 s, factor 2, at most 30 s, reset after a healthy
 * minute); `retry:` replaces the first delay; not before Retry-After. It stops for good at 204
 * and other 2xx but 200, a wrong content type, and other 4xx. on_down may decide otherwise.
 * Redirects (301, 302, 303, 307, 308) are followed, at most 20; credentials (Authorization,
 * Cookie, and headers marked secret) go to the URL's own origin only. 307 and 308 send the
 * request again as it was, its body too, also to another origin; 303 makes a GET of it, and
 * so do 301 and 302 of a POST.
 *
 * Requests other than GET are sent again only with .repeat.
 *
 * Proxies (http ones; https goes through them by CONNECT) are taken from http_proxy,
 * https_proxy, all_proxy and no_proxy unless .proxy says otherwise; their credentials from
 * their URL. Those of the environment are not asked for what is on this machine (localhost and
 * names under it, 127.0.0.0/8, ::1).
 *
 * Names are looked up on a thread of their own, so that step never waits.
 *
 * Threads. All calls on one thread at a time; callbacks come from run or step. crier_client_stop
 * may be called by any thread and is async-signal-safe. Anything may be called inside a
 * callback; run, step and free: CRIER_EBUSY.
 */
#ifndef CRIER_CLIENT_H
#define CRIER_CLIENT_H

#include "crier/event.h"

#ifdef __cplusplus
extern "C" {
#endif

struct crier_client;

enum crier_down_kind {
    CRIER_DOWN_UNREACHABLE = 1, /**< no connection, or none that answered in HTTP */
    CRIER_DOWN_REFUSED = 2,     /**< an answer that is no stream */
    CRIER_DOWN_ENDED = 3,       /**< the stream ended, cleanly or not */
    CRIER_DOWN_INVALID = 4,     /**< what can never work: a bad URL or option, an untrusted
                                     certificate, an event over the limit */
};

/** Why it is down; *borrowed* for the callback. */
struct crier_down {
    enum crier_down_kind kind;
    struct crier_slice reason; /**< "connection refused", "503 Service Unavailable: ..." */
    unsigned status;           /**< of the answer; 0: there was none */
    bool will_retry;           /**< what it will do unless on_down says otherwise … */
    int64_t delay_ms;          /**< … and after how long; with will_retry false: how long it
                                    would wait if on_down says CRIER_DECIDE_RETRY */
};

/** What on_down returns. */
enum crier_decision {
    CRIER_DECIDE_DEFAULT = 0, /**< as proposed */
    CRIER_DECIDE_RETRY = 1,   /**< come back, after delay_ms if it had meant to stop: 1 to 30 s.
                                 Not from a URL or option that is wrong: it stays so */
    CRIER_DECIDE_STOP = 2,
};

/** A request header. */
struct crier_client_header {
    const char *name, *value;
    bool secret; /**< only to the URL's own origin, as Authorization and Cookie always */
};

struct crier_client_options {
    size_t size;                     /**< of this struct */
    const struct crier_mem *mem;     /**< *borrowed*; NULL: the C library's */
    const struct crier_clock *clock; /**< *borrowed*; NULL: the system's */
    const char *url;
    const char *method; /**< NULL: GET */
    const struct crier_client_header *headers;
    size_t header_count;
    struct crier_slice body;
    const char *content_type;   /**< of body */
    bool repeat;                /**< a request other than GET may be sent again */
    const char *bearer;         /**< sent as Authorization: Bearer; NULL: none */
    const char *last_event_id;  /**< where to resume; NULL: from now */
    const char *proxy;          /**< "http://host:port"; "": none; NULL: the environment's */
    const char *ca_file;        /**< PEM certificates to trust, instead of the system's */
    bool insecure;              /**< https without looking at the certificate: for tests */
    int64_t connect_timeout_ms; /**< of the look-up, of each address, and of the handshakes of
                                     proxies and TLS: 10,000; CRIER_OFF */
    int64_t idle_timeout_ms;    /**< without a byte, comments are life; and from the request to
                                     the end of its answer's head: 45,000; CRIER_OFF */
    int64_t max_event_bytes;    /**< 32 MiB; a larger one ends it for good; CRIER_OFF */
    int64_t first_delay_ms, max_delay_ms, healthy_ms; /**< 1,000; 30,000; 60,000 */

    /** The stream is there. status, headers: crier_client_header(). */
    void (*on_open)(struct crier_client *client, void *ctx);
    /** An event: item->data, type, id (the last event id). A Crier hub begins with one of type
     *  crier:connected, and tells losses with crier:gap. */
    void (*on_event)(struct crier_client *client, const struct crier_item *item, void *ctx);
    void (*on_comment)(struct crier_client *client, struct crier_slice comment, void *ctx);
    /** `retry:` came: the first delay is this from now on, but a day at most. */
    void (*on_retry)(struct crier_client *client, uint32_t retry_ms, void *ctx);
    /** It is down; each end is told once, with its reason. Returns enum crier_decision. */
    int (*on_down)(struct crier_client *client, const struct crier_down *down, void *ctx);
    void *ctx;
};

/**
 * Makes a client. *Copies* the options.
 * @return NULL only without memory; a bad URL or option is reported by run or the first step,
 *         through on_down
 */
CRIER_API struct crier_client *
crier_client_new_with(const struct crier_client_options *options) CRIER_MUST_CHECK;
/** *Takes*; NULL is fine. Returns NULL; inside one of its callbacks: nothing happens, and the
 *  client is returned. */
CRIER_API struct crier_client *crier_client_free(struct crier_client *client);

/**
 * Follows until it is over, or stopped.
 * @return CRIER_STOPPED: crier_client_stop() was called; CRIER_OVER: it will not come back
 *         (crier_client_reason()); CRIER_EBUSY: inside a callback; CRIER_ENOMEM
 */
CRIER_API int crier_client_run(struct crier_client *client) CRIER_MUST_CHECK;
/**
 * Or inside a foreign event loop: when fd is readable, or timeout milliseconds have passed,
 * step. Never blocks.
 * @return 0: go on; else as run
 */
CRIER_API int crier_client_step(struct crier_client *client) CRIER_MUST_CHECK;
/** The descriptor to poll for reading; stays the same. */
CRIER_API int crier_client_fd(struct crier_client *client);
/** Milliseconds until step has something to do although fd is not readable; -1: never. */
CRIER_API int crier_client_timeout(struct crier_client *client);
/** Ends it: run and step answer CRIER_STOPPED, no callback comes. Any thread. */
CRIER_API int crier_client_stop(struct crier_client *client);

/** What to give as last_event_id to go on later; *borrowed* until the next step. */
CRIER_API struct crier_slice crier_client_last_event_id(const struct crier_client *client);
/** A header of the answer, inside on_open; data NULL: there is none. */
CRIER_API struct crier_slice crier_client_header(const struct crier_client *client,
                                                 const char *name);
/** Why it is down or over; "" while nothing is wrong. *Borrowed* until the next step. */
CRIER_API const char *crier_client_reason(const struct crier_client *client);

#ifdef __cplusplus
}
inline struct crier_client *crier_client_new(crier_client_options options)
{
    options.size = sizeof(options);
    return crier_client_new_with(&options);
}
#else
/** crier_client_new(.url = "http://localhost:8080/events/news", .on_event = print) */
#define crier_client_new(...)                                                                  \
    crier_client_new_with(&(const struct crier_client_options){                                \
        .size = sizeof(struct crier_client_options), __VA_ARGS__})
#endif

#endif
