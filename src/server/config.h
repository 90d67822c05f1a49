/* SPDX-License-Identifier: MIT */
/* What a server is told: filled by the command line (cli/serve.c), read by everyone. Zero is
 * never "off" here: crier_config_defaults fills everything. Immutable once the server runs, but
 * for the tokens (SIGHUP). Each number has a flag, and /-/stats shows every limit
 * (status.c). */
#ifndef CRIER_SERVER_CONFIG_H
#define CRIER_SERVER_CONFIG_H

#include "crier/server.h"
#include "http/request.h"
#include "hub/fanout.h"
#include "journal/journal.h"
#include "net/address.h"
#include "net/socket.h"

enum {
    CRIER_CONFIG_LISTENS = 16,
    CRIER_CONFIG_HOSTS = 32,
    CRIER_CONFIG_ORIGINS = 64,
    CRIER_CONFIG_PROXIES = 32
};

struct crier_config {
    struct crier_address listens[CRIER_CONFIG_LISTENS]; /* --listen */
    size_t listen_count;
    struct crier_slice hosts[CRIER_CONFIG_HOSTS]; /* --host; lower case is not needed */
    size_t host_count;
    /* --cors-origin; "*" and "null" are words */
    struct crier_slice origins[CRIER_CONFIG_ORIGINS];
    size_t origin_count;
    struct crier_cidr proxies[CRIER_CONFIG_PROXIES]; /* --trust-proxy */
    size_t proxy_count;

    unsigned workers;
    bool library;           /* a program's server: hints name its options, not flags */
    bool any_host;          /* requests for any Host are answered on loopback addresses too */
    bool inherit;           /* LISTEN_FDS is looked at */
    bool stop_on_signals;   /* SIGTERM and SIGINT stop it */
    bool reload_on_hup;     /* SIGHUP: the tokens are read again */
    bool anonymous_publish; /* --anonymous-publish */
    bool public_topics;     /* --public-topics */
    const char *token_file; /* --publish-token-file; NULL: none */
    const char *token_text; /* CRIER_PUBLISH_TOKEN; NULL: none */
    const char *congestion; /* --congestion; NULL: the system's */
    enum crier_log_level log_level;
    int log_fd; /* -1: none */
    void (*on_log)(void *ctx, enum crier_log_level level, struct crier_slice line);
    void *log_ctx;

    /* --history-events, --history-bytes, --history-age, --keep-bytes, --unread-bytes,
     * --lap-time, --max-event-size, --max-keys, --key-age, --max-floors */
    struct crier_journal_limits journal;
    /* --window-bytes, --windows-bytes, --pin-bytes; the rest has no flags (hub/fanout.h) */
    struct crier_fanout_limits fanout;
    /* --max-target-size, --max-head-size, --max-headers, --max-chunk-extensions,
     * --max-trailer-size */
    struct crier_http_limits http;
    /* --peer-timeout, --keepalive, --unsent-bytes */
    struct crier_socket_options socket;

    uint64_t heartbeat_ms;    /* 15,000: --heartbeat; 0: none */
    uint64_t head_timeout_ms; /* 10,000: --head-timeout */
    uint64_t body_timeout_ms; /* 30,000 without progress: --body-timeout */
    /* 300,000: pauses of a published event stream: --publish-pause */
    uint64_t stream_body_timeout_ms;
    /* 75,000: a kept-alive connection between requests: --idle-timeout */
    uint64_t idle_timeout_ms;
    uint64_t stall_timeout_ms; /* 30,000: a peer that takes nothing: --stall-timeout */
    uint64_t linger_ms;        /* 2,000: reading on after an early refusal: --linger */
    uint64_t drain_ms;         /* 5,000: --drain */
    uint32_t retry_min_ms, retry_max_ms; /* 2,000 to 4,000: --retry; 0: none is told */
    /* in all; default: descriptors less a reserve: --max-connections */
    uint64_t max_connections;
    uint64_t max_per_address; /* 1,000: --max-connections-per-address */
    uint64_t max_page_bytes;  /* 2 MiB: a JSON history page ends there: --max-page-size */
    uint64_t max_pages_bytes; /* 32 MiB: unsent ones of a worker: --max-pages-size */

    /* Of programs' handlers and streams. */
    uint64_t max_body;         /* 1 MiB: of a request to a handler */
    uint64_t queue_bytes;      /* 64 KiB: what a stream has not sent yet */
    uint64_t max_age_ms;       /* of a stream; 0: no limit */
    struct crier_encoded *bye; /* one reference; NULL: none */
    char *texts;               /* what hosts and origins point into; owned */
};

void crier_config_defaults(struct crier_config *);
/* From the options of a program; what is not valid: -EINVAL and *ret_fault, a sentence (static
 * text). 0, -ENOMEM. */
int crier_config_from_options(const struct crier_server_options *,
                              const struct crier_mem *,
                              struct crier_config *ret,
                              const char **ret_fault) CRIER_MUST_CHECK;
/* What it owns: bye and texts. */
void crier_config_release(const struct crier_mem *, struct crier_config *);
/* --listen is on an address that is not loopback, or any --host is given: others than this
 * machine's users may come. */
bool crier_config_is_public(const struct crier_config *);

#endif
