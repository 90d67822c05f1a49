/* SPDX-License-Identifier: MIT */
/*
 * crier serve: a program on the library. The command line and the environment are made into a
 * struct crier_config and checked; then a hub, a server that mounts it, and run.
 *
 *     crier_config_defaults ─▶ options ─▶ checks ─▶ hub, server, mounts ─▶ crier_server_run
 *
 * Only what the library's options do not offer, tokens and limits by the dozen, goes past its
 * public headers (server/server.h).
 *
 * Every member of the config has a row in the table below, and each row a flag and a variable;
 * but for the token itself, which only the environment may hold, and for the slice sizes of
 * config.fanout, which bound no resource (hub/fanout.h). The first --listen replaces the
 * default addresses, further ones add to it.
 *
 * What is refused here is what cannot be meant: a hub that strangers could publish to without a
 * token, limits that contradict each other. What only trying can tell (an address in use, a
 * token file that is not there) is the server's to report.
 */
#include "cli/command.h"

#include "cli/demo_thread.h"
#include "durable/sync.h"
#include "http/target.h"
#include "net/sys.h"
#include "server/server.h"
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct serve {
    struct crier_config config;
    bool listens_given;
    bool demo; /* --demo */

    /* ---- a journal on disk; what is 0 was not given ---- */
    const char *data; /* --data */
    const char *sync; /* --sync */
    struct crier_rules rules;
    char *retain[CRIER_RULES]; /* --retain: the rules as texts; owned */
    /* --data-bytes, --memory-bytes, --replay-bytes, --pending-bytes */
    uint64_t data_bytes, memory_bytes, replay_bytes, pending_bytes;
};

/* ---- values that are more than a number ---- */

static const char *add_listen(void *target, struct crier_slice value)
{
    struct serve *s = target;
    struct crier_address addresses[2];
    size_t count;
    const char *fault = crier_address_parse(value, addresses, &count);

    if (fault)
        return fault;
    if (!s->listens_given)
        s->config.listen_count = 0;
    s->listens_given = true;
    if (s->config.listen_count + count > CRIER_CONFIG_LISTENS)
        return "at most 16 addresses can be listened on";
    for (size_t i = 0; i < count; i++)
        s->config.listens[s->config.listen_count++] = addresses[i];
    return NULL;
}

static const char *add_host(void *target, struct crier_slice value)
{
    struct serve *s = target;
    struct crier_authority authority;

    if (crier_authority_parse(value, &authority) < 0 || authority.host.len == 0 ||
        authority.has_port)
        return "write a host name without scheme and port, as in events.example.org";
    if (s->config.host_count == CRIER_CONFIG_HOSTS)
        return "at most 32 host names can be given";
    s->config.hosts[s->config.host_count++] = value;
    return NULL;
}

static bool is_origin(struct crier_slice value)
{
    struct crier_origin origin;

    return crier_slice_eq(value, CRIER_SLICE("*")) || crier_origin_parse(value, &origin) == 0;
}

static const char *add_origin(void *target, struct crier_slice value)
{
    struct serve *s = target;

    if (!is_origin(value))
        return "write an origin as browsers send it, without a path or a last slash, as in "
               "https://example.org, or *";
    if (s->config.origin_count == CRIER_CONFIG_ORIGINS)
        return "at most 64 origins can be given";
    s->config.origins[s->config.origin_count++] = value;
    return NULL;
}

static const char *add_proxy(void *target, struct crier_slice value)
{
    struct serve *s = target;
    struct crier_cidr cidr;
    const char *fault = crier_cidr_parse(value, &cidr);

    if (fault)
        return fault;
    if (s->config.proxy_count == CRIER_CONFIG_PROXIES)
        return "at most 32 proxy ranges can be given";
    s->config.proxies[s->config.proxy_count++] = cidr;
    return NULL;
}

static const char *set_log_level(void *target, struct crier_slice value)
{
    static const struct {
        const char *name;
        enum crier_log_level level;
    } levels[] = {
        {"error", CRIER_LOG_ERROR},
        {"warning", CRIER_LOG_WARNING},
        {"info", CRIER_LOG_INFO},
        {"debug", CRIER_LOG_DEBUG},
    };
    struct serve *s = target;

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (crier_slice_eq(value, crier_slice_of(levels[i].name))) {
            s->config.log_level = levels[i].level;
            return NULL;
        }
    }
    return "write error, warning, info or debug";
}

static const char *set_retry(void *target, struct crier_slice value)
{
    struct serve *s = target;
    uint64_t min, max;
    const char *fault = crier_duration_range_parse(value, &min, &max);

    if (fault)
        return fault;
    if (min < 500 || max > 3600000)
        return "it must lie between 500ms and 1h: faster would be a storm, slower looks dead";
    s->config.retry_min_ms = (uint32_t)min;
    s->config.retry_max_ms = (uint32_t)max;
    return NULL;
}

static const char *set_keepalive(void *target, struct crier_slice value)
{
    struct serve *s = target;
    uint64_t ms;

    if (crier_duration_parse(value, &ms) < 0 || ms < 1000 || ms > 3600000)
        return "write a duration of 1s to 1h, as in 30s";
    s->config.socket.keepalive_s = (unsigned)(ms / 1000);
    return NULL;
}

/* It is the hub's to read again. */
static const char *set_sync(void *target, struct crier_slice value)
{
    struct serve *s = target;
    enum crier_sync sync;
    uint64_t ms;

    s->sync = value.data;
    return crier_sync_parse(value, &sync, &ms);
}

static const char *add_rule(void *target, struct crier_slice value)
{
    struct serve *s = target;
    const char *fault = crier_rules_add(&s->rules, value);
    char *text;

    if (fault)
        return fault;
    text = strndup(value.data, value.len);
    s->retain[s->rules.count - 1] = text;
    return text ? NULL : "out of memory";
}

/* ---- the options ---- */

#define MEMBER(member) CRIER_MEMBER(struct serve, config.member)

enum {
    SECOND = 1000,
    HOUR = 3600 * SECOND,
};

static const struct crier_option serve_options[] = {
    {.kind = CRIER_OPTION_HEADING, .help = "Where it listens, and for whom"},
    {.name = "listen",
     .letter = 'l',
     .kind = CRIER_OPTION_CALL,
     .argument = "ADDR:PORT",
     .call = add_listen,
     .repeat = true,
     .env = "CRIER_LISTEN",
     .fallback = "127.0.0.1:8080 and [::1]:8080",
     .help = "listen on this address; :8080 means all of the machine's. Other than loopback "
             "needs a publish token, or "
             "--anonymous-publish"},
    {.name = "host",
     .kind = CRIER_OPTION_CALL,
     .argument = "NAME",
     .call = add_host,
     .repeat = true,
     .env = "CRIER_HOST",
     .help = "a name this hub is reached by, through a proxy on this machine for instance; "
             "others than localhost are refused "
             "on loopback addresses"},
    {.name = "cors-origin",
     .kind = CRIER_OPTION_CALL,
     .argument = "ORIGIN",
     .call = add_origin,
     .repeat = true,
     .env = "CRIER_CORS_ORIGIN",
     .help =
         "web pages of this origin may follow, and publish where that is allowed; * for all"},
    {.name = "trust-proxy",
     .kind = CRIER_OPTION_CALL,
     .argument = "CIDR",
     .call = add_proxy,
     .repeat = true,
     .env = "CRIER_TRUST_PROXY",
     .help = "believe X-Forwarded-For from proxies in this range, as in 10.0.0.0/8"},

    {.kind = CRIER_OPTION_HEADING, .help = "Who may do what"},
    {.name = "publish-token-file",
     .kind = CRIER_OPTION_TEXT,
     .argument = "FILE",
     MEMBER(token_file),
     .env = "CRIER_PUBLISH_TOKEN_FILE",
     .help = "publishing needs one of the tokens in this file: one a line, at least 16 bytes; "
             "reread on SIGHUP"},
    {.kind = CRIER_OPTION_TEXT,
     .argument = "TOKEN",
     MEMBER(token_text),
     .env = "CRIER_PUBLISH_TOKEN",
     .help = "a publish token, from the environment only"},
    {.name = "anonymous-publish",
     .kind = CRIER_OPTION_FLAG,
     MEMBER(anonymous_publish),
     .env = "CRIER_ANONYMOUS_PUBLISH",
     .help = "anyone who reaches the hub may publish"},
    {.name = "public-topics",
     .kind = CRIER_OPTION_FLAG,
     MEMBER(public_topics),
     .env = "CRIER_PUBLIC_TOPICS",
     .help = "anyone may list topics, see the counters and follow patterns that begin with a "
             "wildcard"},

    {.kind = CRIER_OPTION_HEADING,
     .help =
         "History: what can be replayed; an event leaves when the first of these is reached"},
    {.name = "history-events",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     MEMBER(journal.max_events),
     .min = 1,
     .env = "CRIER_HISTORY_EVENTS",
     .fallback = "100000",
     .help = "events kept"},
    {.name = "history-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(journal.max_bytes),
     .min = 64 * 1024,
     .env = "CRIER_HISTORY_BYTES",
     .fallback = "256M",
     .help = "bytes of events kept"},
    {.name = "history-age",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(journal.max_age_ms),
     .min = SECOND,
     .env = "CRIER_HISTORY_AGE",
     .fallback = "24h",
     .help = "age events are kept to"},
    {.name = "keep-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(journal.kept_bytes),
     .min = 1,
     .env = "CRIER_KEEP_BYTES",
     .fallback = "32M",
     .help = "bytes kept aside for the newest event of topics gone quiet"},
    {.name = "unread-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(journal.unread_bytes),
     .min = 1024 * 1024,
     .env = "CRIER_UNREAD_BYTES",
     .fallback = "64M",
     .help = "bytes over the limits above for events a worker has not read yet; beyond, "
             "publishers wait"},
    {.name = "lap-time",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(journal.lap_ms),
     .min = 1,
     .max = HOUR,
     .env = "CRIER_LAP_TIME",
     .fallback = "2s",
     .help = "history goes on without a worker that has not moved for so long"},
    {.name = "max-event-size",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(journal.max_event_bytes),
     .min = 256,
     .max = 64 * 1024 * 1024,
     .env = "CRIER_MAX_EVENT_SIZE",
     .fallback = "1M",
     .help = "largest event, encoded"},
    {.name = "max-keys",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     MEMBER(journal.max_keys),
     .min = 1,
     .env = "CRIER_MAX_KEYS",
     .fallback = "100000",
     .help = "idempotency keys remembered"},
    {.name = "key-age",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(journal.key_age_ms),
     .min = SECOND,
     .env = "CRIER_KEY_AGE",
     .fallback = "10m",
     .help = "how long an idempotency key is remembered"},
    {.name = "max-floors",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     MEMBER(journal.max_floors),
     .min = 1,
     .env = "CRIER_MAX_FLOORS",
     .fallback = "100000",
     .help = "topics, and beginnings of topics, of which it is remembered what they have lost; "
             "for others a gap may be told though there is none"},

    {.kind = CRIER_OPTION_HEADING, .help = "History on disk: it outlives the process"},
    {.name = "data",
     .letter = 'd',
     .kind = CRIER_OPTION_TEXT,
     .argument = "DIR",
     CRIER_MEMBER(struct serve, data),
     .env = "CRIER_DATA",
     .fallback = "none: history is in memory",
     .help = "keep history in this folder, which is made if it is not there; one process at a "
             "time can have it"},
    {.name = "sync",
     .kind = CRIER_OPTION_CALL,
     .argument = "MODE",
     .call = set_sync,
     .env = "CRIER_SYNC",
     .fallback = "always",
     .help = "when events are safe from a power cut: always, before their publishers are "
             "answered; interval[=T], at the latest T (100ms) later; none, when the system "
             "likes. A crash of crier loses nothing in any mode"},
    {.name = "retain",
     .kind = CRIER_OPTION_CALL,
     .argument = "RULE",
     .call = add_rule,
     .repeat = true,
     .has_commas = true,
     .env = "CRIER_RETAIN",
     .help = "limits of their own for topics that match, as in 'orders/**=10000,1GiB,7d': "
             "events, bytes and age of all of them together; the first rule that matches a "
             "topic counts. In the variable, spaces separate rules"},
    {.name = "data-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     CRIER_MEMBER(struct serve, data_bytes),
     .min = 1024 * 1024,
     .env = "CRIER_DATA_BYTES",
     .fallback = "64G",
     .help = "largest file; beyond, publishes are refused as when the disk is full"},
    {.name = "memory-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     CRIER_MEMBER(struct serve, memory_bytes),
     .min = 1024 * 1024,
     .env = "CRIER_MEMORY_BYTES",
     .fallback = "32M",
     .help = "newest bytes of history that are in memory too; what is older is read from disk"},
    {.name = "replay-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     CRIER_MEMBER(struct serve, replay_bytes),
     .min = 1024 * 1024,
     .env = "CRIER_REPLAY_BYTES",
     .fallback = "16M",
     .help = "memory for what is read from disk; beyond, followers that read wait for each "
             "other"},
    {.name = "pending-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     CRIER_MEMBER(struct serve, pending_bytes),
     .min = 64 * 1024,
     .env = "CRIER_PENDING_BYTES",
     .fallback = "32M",
     .help = "bytes published and not written yet; beyond, publishers wait"},

    {.kind = CRIER_OPTION_HEADING, .help = "Pages of history"},
    {.name = "max-page-size",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(max_page_bytes),
     .min = 1024,
     .max = 1024 * 1024 * 1024,
     .env = "CRIER_MAX_PAGE_SIZE",
     .fallback = "2M",
     .help = "a page of JSON history ends after the event that reaches this"},
    {.name = "max-pages-size",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(max_pages_bytes),
     .min = 1024,
     .env = "CRIER_MAX_PAGES_SIZE",
     .fallback = "32M",
     .help = "pages of history that their readers have not taken yet, for each worker; beyond, "
             "history is refused"},

    {.kind = CRIER_OPTION_HEADING, .help = "Streams"},
    {.name = "heartbeat",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(heartbeat_ms),
     .min = SECOND,
     .max = 300 * SECOND,
     .env = "CRIER_HEARTBEAT",
     .fallback = "15s",
     .help = "a sign of life on streams where nothing else was sent for so long"},
    {.name = "retry",
     .kind = CRIER_OPTION_CALL,
     .argument = "MIN..MAX",
     .call = set_retry,
     .env = "CRIER_RETRY",
     .fallback = "2s..4s",
     .help = "how long browsers wait before they reconnect, drawn anew for each connection"},
    {.name = "stall-timeout",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(stall_timeout_ms),
     .min = SECOND,
     .max = HOUR,
     .env = "CRIER_STALL_TIMEOUT",
     .fallback = "30s",
     .help = "a follower that takes nothing for so long is disconnected"},
    {.name = "window-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(fanout.window_bytes),
     .min = 16 * 1024,
     .max = 1024 * 1024 * 1024,
     .env = "CRIER_WINDOW_BYTES",
     .fallback = "1M",
     .help = "newest bytes of a feed kept ready for followers that are a little behind"},
    {.name = "windows-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(fanout.windows_bytes),
     .min = 16 * 1024,
     .env = "CRIER_WINDOWS_BYTES",
     .fallback = "32M",
     .help = "the same for all feeds of a worker; beyond, followers read history"},
    {.name = "pin-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(fanout.pin_bytes),
     .min = 1,
     .env = "CRIER_PIN_BYTES",
     .fallback = "2M",
     .help = "rests of events over 2K that a follower has half taken, for each worker; beyond, "
             "they are read from history again"},
    {.name = "drain",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(drain_ms),
     .max = HOUR,
     .env = "CRIER_DRAIN",
     .fallback = "5s",
     .help = "time to say farewell in after SIGTERM"},

    {.kind = CRIER_OPTION_HEADING, .help = "Connections and requests"},
    {.name = "max-connections",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     MEMBER(max_connections),
     .min = 1,
     .env = "CRIER_MAX_CONNECTIONS",
     .fallback = "what the descriptor limit allows",
     .help = "connections in all"},
    {.name = "max-connections-per-address",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     MEMBER(max_per_address),
     .min = 1,
     .env = "CRIER_MAX_CONNECTIONS_PER_ADDRESS",
     .fallback = "1000",
     .help = "connections from one address (IPv6: one /64)"},
    {.name = "max-target-size",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(http.target_bytes),
     .min = 256,
     .max = 1024 * 1024,
     .env = "CRIER_MAX_TARGET_SIZE",
     .fallback = "8K",
     .help = "longest path and query of a request"},
    {.name = "max-head-size",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(http.head_bytes),
     .min = 1024,
     .max = 1024 * 1024,
     .env = "CRIER_MAX_HEAD_SIZE",
     .fallback = "32K",
     .help = "largest head of a request"},
    {.name = "max-headers",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     MEMBER(http.headers),
     .min = 8,
     .max = 10000,
     .env = "CRIER_MAX_HEADERS",
     .fallback = "128",
     .help = "most header lines of a request"},
    {.name = "max-chunk-extensions",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(http.chunk_extension_bytes),
     .min = 1,
     .max = 1024 * 1024,
     .env = "CRIER_MAX_CHUNK_EXTENSIONS",
     .fallback = "4K",
     .help = "chunk extensions in a whole body"},
    {.name = "max-trailer-size",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(http.trailer_bytes),
     .min = 2,
     .max = 1024 * 1024,
     .env = "CRIER_MAX_TRAILER_SIZE",
     .fallback = "8K",
     .help = "largest trailers of a body"},
    {.name = "head-timeout",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(head_timeout_ms),
     .min = 100,
     .max = HOUR,
     .env = "CRIER_HEAD_TIMEOUT",
     .fallback = "10s",
     .help = "a request's head must be complete by then"},
    {.name = "body-timeout",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(body_timeout_ms),
     .min = 100,
     .max = HOUR,
     .env = "CRIER_BODY_TIMEOUT",
     .fallback = "30s",
     .help = "longest pause within a published body"},
    {.name = "publish-pause",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(stream_body_timeout_ms),
     .min = 100,
     .env = "CRIER_PUBLISH_PAUSE",
     .fallback = "5m",
     .help = "the same for a published event stream"},
    {.name = "idle-timeout",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(idle_timeout_ms),
     .min = 100,
     .env = "CRIER_IDLE_TIMEOUT",
     .fallback = "75s",
     .help = "a connection between two requests is closed after this"},
    {.name = "peer-timeout",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(socket.user_timeout_ms),
     .min = SECOND,
     .max = HOUR,
     .env = "CRIER_PEER_TIMEOUT",
     .fallback = "30s",
     .help = "a peer that acknowledges nothing for so long is gone (TCP_USER_TIMEOUT)"},
    {.name = "keepalive",
     .kind = CRIER_OPTION_CALL,
     .argument = "T",
     .call = set_keepalive,
     .env = "CRIER_KEEPALIVE",
     .fallback = "30s",
     .help = "a silent peer is probed after this (TCP keep-alive)"},
    {.name = "unsent-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     MEMBER(socket.notsent_lowat),
     .min = 1024,
     .max = 16 * 1024 * 1024,
     .env = "CRIER_UNSENT_BYTES",
     .fallback = "16K",
     .help = "bytes of a stream handed to the kernel ahead of the network (TCP_NOTSENT_LOWAT)"},
    {.name = "linger",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     MEMBER(linger_ms),
     .max = 60 * SECOND,
     .env = "CRIER_LINGER",
     .fallback = "2s",
     .help = "read on for so long after an early refusal, so that it arrives"},

    {.kind = CRIER_OPTION_HEADING, .help = "The process"},
    {.name = "workers",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     MEMBER(workers),
     .min = 1,
     .max = 256,
     .env = "CRIER_WORKERS",
     .fallback = "one for each core",
     .help = "threads that serve"},
    {.name = "congestion",
     .kind = CRIER_OPTION_TEXT,
     .argument = "NAME",
     MEMBER(congestion),
     .env = "CRIER_CONGESTION",
     .fallback = "the system's",
     .help = "TCP congestion control, as in bbr"},
    {.name = "log-level",
     .kind = CRIER_OPTION_CALL,
     .argument = "LEVEL",
     .call = set_log_level,
     .env = "CRIER_LOG_LEVEL",
     .fallback = "info",
     .help = "error, warning, info or debug (each connection)"},
    {.name = "demo",
     .kind = CRIER_OPTION_FLAG,
     CRIER_MEMBER(struct serve, demo),
     .env = "CRIER_DEMO",
     .help = "publish something to look at, to topics under demo/"},
};

const struct crier_command crier_serve_command = {
    .name = "serve",
    .synopsis = "crier serve [options]",
    .summary = "run a hub",
    .about = "Runs a hub: anyone on this machine can publish with curl, any browser can follow "
             "with EventSource.\n"
             "Sizes take K, M or G, durations ms, s, m, h or d. Each option can be given as "
             "the environment variable\n"
             "in brackets, lists with commas; the command line wins.",
    .options = serve_options,
    .option_count = sizeof(serve_options) / sizeof(serve_options[0]),
    .min_operands = 0,
    .max_operands = 0,
    .operands = "it takes options only; to listen elsewhere write --listen ADDR:PORT",
    .epilogue = "SIGTERM and SIGINT drain and end it, SIGHUP rereads the tokens.\n"
                "Exit status: 0 ended as asked, 1 it failed, 2 the command line was wrong.",
};

/* ---- what cannot be meant ---- */

/* NULL, or a sentence. */
static const char *publishing_fault(const struct crier_config *config)
{
    bool token = config->token_file || config->token_text;

    if (token && config->anonymous_publish)
        return "--anonymous-publish and a publish token contradict each other: leave one of "
               "them away";
    if (crier_config_is_public(config) && !token && !config->anonymous_publish)
        return "others than this machine's users could come (a --listen that is not loopback, "
               "or a --host), and nobody could "
               "publish: give --publish-token-file FILE or CRIER_PUBLISH_TOKEN, or "
               "--anonymous-publish to let anyone";
    return NULL;
}

static const char *limits_fault(const struct crier_config *config)
{
    if (config->journal.max_event_bytes > config->journal.max_bytes)
        return "--max-event-size must not be larger than --history-bytes";
    if (config->http.target_bytes > config->http.head_bytes)
        return "--max-target-size must not be larger than --max-head-size";
    if (config->fanout.window_bytes > config->fanout.windows_bytes)
        return "--window-bytes must not be larger than --windows-bytes";
    if (config->max_page_bytes > config->max_pages_bytes)
        return "--max-page-size must not be larger than --max-pages-size";
    return NULL;
}

/* What says how history is kept on disk, where it is in memory. */
static const char *data_fault(const struct serve *s)
{
    if (s->data)
        return *s->data ? NULL : "--data (empty): name a folder";
    if (s->sync)
        return "--sync needs --data DIR: without it history is in memory";
    if (s->rules.count > 0)
        return "--retain needs --data DIR: without it history is in memory";
    if (s->data_bytes > 0)
        return "--data-bytes needs --data DIR: without it history is in memory";
    if (s->memory_bytes > 0)
        return "--memory-bytes needs --data DIR: without it all of history is in memory";
    if (s->replay_bytes > 0)
        return "--replay-bytes needs --data DIR: without it history is in memory";
    if (s->pending_bytes > 0)
        return "--pending-bytes needs --data DIR: without it history is in memory";
    return NULL;
}

/* ---- a hub, and a server around it ---- */

static struct crier_hub *make_hub(const struct serve *s)
{
    const struct crier_journal_limits *limits = &s->config.journal;

    return crier_hub_new(.dir = s->data, .sync = s->sync,
                         .retain = (const char *const *)s->retain,
                         .retain_count = s->rules.count, .file_bytes = (int64_t)s->data_bytes,
                         .window_bytes = (int64_t)s->memory_bytes,
                         .replay_bytes = (int64_t)s->replay_bytes,
                         .pending_bytes = (int64_t)s->pending_bytes,
                         .history_events = (int64_t)limits->max_events,
                         .history_bytes = (int64_t)limits->max_bytes,
                         .history_age_ms = (int64_t)limits->max_age_ms,
                         .keep_bytes = (int64_t)limits->kept_bytes,
                         .unread_bytes = (int64_t)limits->unread_bytes,
                         .lap_ms = (int64_t)limits->lap_ms,
                         .max_event_bytes = (int64_t)limits->max_event_bytes,
                         .max_keys = (int64_t)limits->max_keys,
                         .key_age_ms = (int64_t)limits->key_age_ms,
                         .max_floors = (int64_t)limits->max_floors);
}

static int mount(struct crier_server *server, struct crier_hub *hub)
{
    int r = crier_server_mount_by_config(server, "/events", hub, CRIER_SITE_EVENTS);

    if (r == 0)
        r = crier_server_mount_by_config(server, "/-", hub, CRIER_SITE_ADMIN);
    return r == 0 ? crier_server_live_page(server, "/") : r;
}

/* A second signal means now, and is no success. */
static int exit_status(int result, const struct crier_server *server)
{
    return result < 0 || atomic_load(&server->stops) > 1 ? CRIER_EXIT_FAILED : CRIER_EXIT_DONE;
}

/* Which history is served: that it is the right folder shows by how much is in it. */
static void
log_journal(const struct serve *s, struct crier_server *server, struct crier_hub *hub)
{
    struct crier_hub_stats stats;

    if (!s->data || crier_hub_stats(hub, &stats) < 0)
        return;
    SERVER_LOG(
        server, CRIER_LOG_INFO, "journal", CRIER_LOG_TEXT("data", crier_slice_of(s->data)),
        CRIER_LOG_TEXT("sync", crier_slice_of(s->sync ? s->sync : "always")),
        CRIER_LOG_NUMBER("events", stats.events), CRIER_LOG_NUMBER("topics", stats.topics),
        CRIER_LOG_NUMBER("bytes", stats.bytes));
}

static int run_hub(const struct serve *s, struct crier_hub *hub)
{
    struct crier_server *server =
        crier_server_new_from(&s->config, &crier_mem_libc, &crier_sys_clock);
    struct crier_demo_thread demo = {.running = false};
    int r = server ? mount(server, hub) : CRIER_ENOMEM;

    if (r == 0)
        r = crier_server_listen(server);
    if (r == 0)
        log_journal(s, server, hub);
    if (r == 0 && s->demo)
        r = crier_demo_start(&demo, hub);
    if (r == 0)
        r = crier_server_run(server);
    crier_demo_stop(&demo);
    if (r < 0 && !*crier_server_error(server))
        (void)fprintf(stderr, "crier serve: %s\n", crier_strerror(r));
    r = server ? exit_status(r, server) : CRIER_EXIT_FAILED;
    crier_server_free(server);
    return r;
}

/* Large blocks (history's segments, windows of a burst) each get pages of their own, which go
 * back to the system when they are freed. By default glibc raises this threshold at the first
 * such free, and from then on they lie in the heap, held in place by whatever small thing was
 * allocated behind them. */
static void tune_allocator(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
#endif
}

/* From the first to the last moment: one that comes while the hub starts, or when it has just
 * ended as asked, must not end it by force. */
static void hold_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a log that nobody reads any more */
}

static int serve(struct serve *s)
{
    struct crier_hub *hub;
    int status;

    tune_allocator();
    hold_signals();
    s->config.inherit = s->config.stop_on_signals = s->config.reload_on_hup = true;
    s->config.log_fd = STDERR_FILENO;
    hub = make_hub(s);
    if (!hub || *crier_hub_error(hub)) {
        (void)fprintf(stderr, "crier serve: %s\n",
                      hub ? crier_hub_error(hub) : "out of memory");
        crier_hub_free(hub);
        return CRIER_EXIT_FAILED;
    }
    status = run_hub(s, hub);
    crier_hub_free(hub);
    return status;
}

/* The whole command line has been read. */
static int start(struct serve *s)
{
    const char *fault = publishing_fault(&s->config);

    if (!fault)
        fault = limits_fault(&s->config);
    if (!fault)
        fault = data_fault(s);
    if (fault)
        return crier_command_usage(&crier_serve_command, "%s", fault);
    return serve(s);
}

int crier_serve_main(int argc, char **argv)
{
    struct serve s = {.listens_given = false};
    size_t operands;
    int r;

    crier_config_defaults(&s.config);
    r = crier_command_options(&crier_serve_command, argc, argv, &s, &operands);
    if (r < 0)
        r = start(&s);
    for (size_t i = 0; i < s.rules.count; i++)
        free(s.retain[i]);
    return r;
}
