/* SPDX-License-Identifier: MIT */
/*
 * A hub is a journal, a clock and a count of those who use it: the caller, servers, streams and
 * readers. It has no thread: publishing lets history age, and so does whoever reads or asks,
 * once a second. (A journal on disk has threads of its own.)
 *
 *     made ──▶ journal ──▶ the last reference goes: the journal is closed, what was submitted
 *       │                  is written and done (refs is 0: calls are refused) ──▶ gone
 *       └────▶ no journal, but an error and a sentence: what could not be opened (disk.c)
 *
 * Closing a journal on disk waits for its threads. Threads that must not stand still, and those
 * of the journal itself, leave that to a thread that is started for it.
 *
 * Two hubs know nothing of each other; each draws its own hash key and epoch (the part of its
 * ids by which those of another life are told).
 *
 * Threads: all is set when it is made but for `refs` and `aged_ms`; the journal takes care of
 * itself.
 */
#include "local/hub.h"

#include "base/mem.h"
#include "base/options.h"
#include "hub/topic.h"
#include "net/sys.h"
#include <limits.h>
#include <pthread.h>
#include <signal.h>

enum {
    AGE_EVERY_MS = 1000,
    TOPICS_DEFAULT = 100,
    EPOCHS = 999,
    OPTIONS_0_2 = offsetof(struct crier_hub_options, dir),
};

_Thread_local unsigned crier_stepping;

/* ---- life -------------------------------------------------------------------------------- */

struct crier_hub *crier_hub_ref(struct crier_hub *hub)
{
    if (hub)
        atomic_fetch_add_explicit(&hub->refs, 1, memory_order_relaxed);
    return hub;
}

static void destroy(struct crier_hub *hub)
{
    crier_journal_free(hub->journal);
    crier_buf_deinit(&hub->fault);
    crier_mem_free(hub->mem, hub);
}

static void *run_destroy(void *hub)
{
    destroy(hub);
    return NULL;
}

/* Without a thread it would stay open, as a process that ends leaves it: nothing is lost. */
static void destroy_elsewhere(struct crier_hub *hub)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, run_destroy, hub) == 0)
        (void)pthread_detach(thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct crier_hub *crier_hub_unref(struct crier_hub *hub)
{
    if (!hub || atomic_fetch_sub_explicit(&hub->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    if (crier_hub_would_block(hub))
        destroy_elsewhere(hub);
    else
        destroy(hub);
    return NULL;
}

struct crier_now crier_hub_now(const struct crier_hub *hub)
{
    return hub->clock ? hub->clock->read(hub->clock->ctx) : crier_sys_now();
}

void crier_hub_age(struct crier_hub *hub, struct crier_now now)
{
    uint64_t last = atomic_load_explicit(&hub->aged_ms, memory_order_relaxed);

    if (now.boot_ms < last + AGE_EVERY_MS)
        return;
    /* One of those who come at the same moment is enough. */
    if (atomic_compare_exchange_strong_explicit(&hub->aged_ms, &last, now.boot_ms,
                                                memory_order_relaxed, memory_order_relaxed))
        crier_journal_trim(hub->journal, now);
}

/* No limit of a hub can be switched off. */
static bool read_limit(int64_t option, uint64_t *ret_limit)
{
    *ret_limit = (uint64_t)option;
    return option >= 0;
}

static bool read_limits(const struct crier_hub_options *options,
                        struct crier_journal_limits *ret_limits)
{
    struct crier_journal_limits limits;

    if (!read_limit(options->history_events, &limits.max_events) ||
        !read_limit(options->history_bytes, &limits.max_bytes) ||
        !read_limit(options->history_age_ms, &limits.max_age_ms) ||
        !read_limit(options->keep_bytes, &limits.kept_bytes) ||
        !read_limit(options->unread_bytes, &limits.unread_bytes) ||
        !read_limit(options->lap_ms, &limits.lap_ms) ||
        !read_limit(options->max_event_bytes, &limits.max_event_bytes) ||
        !read_limit(options->max_keys, &limits.max_keys) ||
        !read_limit(options->key_age_ms, &limits.key_age_ms) ||
        !read_limit(options->max_floors, &limits.max_floors) ||
        !read_limit(options->window_bytes, &limits.window_bytes) ||
        !read_limit(options->replay_bytes, &limits.replay_bytes) ||
        !read_limit(options->pending_bytes, &limits.pending_bytes))
        return false;
    *ret_limits = crier_journal_limits_filled(&limits);
    return true;
}

static int start_journal(struct crier_hub *hub, const struct crier_hub_options *options)
{
    struct crier_now now = crier_hub_now(hub);
    uint32_t random;
    unsigned epoch;
    int r;

    r = crier_sys_random(&hub->hash_key, sizeof(hub->hash_key));
    if (r == 0)
        r = crier_sys_random(&random, sizeof(random));
    if (r < 0)
        return r;
    atomic_init(&hub->refs, 1);
    atomic_init(&hub->aged_ms, now.boot_ms);
    epoch = 1 + random % EPOCHS;
    if (crier_hub_asks_for_disk(options))
        return crier_hub_open_disk(hub, epoch, options);
    return crier_journal_new_memory(hub->mem, &hub->hash_key, &hub->limits, epoch, now,
                                    &hub->journal);
}

/* The options as they were read. 0: a hub, or one that knows why it cannot be used. */
static int set_up(struct crier_hub *hub, const struct crier_hub_options *options)
{
    if (read_limits(options, &hub->limits))
        return start_journal(hub, options);
    if (!crier_hub_asks_for_disk(options))
        return -EINVAL;
    atomic_init(&hub->refs, 1);
    return crier_hub_refuse(hub, CRIER_EINVAL,
                            "a limit of the hub is negative: none can be switched off");
}

struct crier_hub *crier_hub_new_with(const struct crier_hub_options *options)
{
    struct crier_hub_options o;

    crier_options_read_grown(&o, sizeof(o), OPTIONS_0_2, options);

    const struct crier_mem *mem = o.mem ? o.mem : &crier_mem_libc;
    struct crier_hub *hub = crier_mem_zalloc(mem, sizeof(*hub));
    if (!hub)
        return NULL;
    hub->mem = mem;
    hub->clock = o.clock;
    crier_buf_init(&hub->fault, mem);
    if (set_up(hub, &o) < 0) {
        crier_buf_deinit(&hub->fault);
        return crier_mem_free(mem, hub);
    }
    return hub;
}

struct crier_hub *crier_hub_new_on(struct crier_journal *journal,
                                   const struct crier_clock *clock,
                                   const struct crier_journal_limits *limits)
{
    struct crier_hub *hub = crier_mem_zalloc(journal->mem, sizeof(*hub));

    if (!hub)
        return NULL;
    hub->mem = journal->mem;
    hub->clock = clock;
    hub->hash_key = journal->hash_key;
    hub->limits = crier_journal_limits_filled(limits);
    hub->journal = journal;
    atomic_init(&hub->refs, 1);
    atomic_init(&hub->aged_ms, crier_hub_now(hub).boot_ms);
    return hub;
}

struct crier_hub *crier_hub_free(struct crier_hub *hub)
{
    return crier_hub_unref(hub);
}

/* ---- what may be asked of it ------------------------------------------------------------- */

int crier_hub_check(const struct crier_hub *hub)
{
    if (!hub)
        return CRIER_ENOMEM;
    if (hub->error)
        return hub->error;
    return atomic_load_explicit(&hub->refs, memory_order_relaxed) ? 0 : CRIER_ECANCELED;
}

bool crier_hub_would_block(const struct crier_hub *hub)
{
    return crier_stepping && hub->journal && hub->journal->may_wait;
}

int crier_hub_result(int draft_result)
{
    switch (draft_result) {
    case CRIER_APPEND_DUPLICATE:
        return 0;
    case CRIER_APPEND_FULL:
        return CRIER_EWOULDBLOCK;
    case CRIER_APPEND_UNKNOWN:
        return CRIER_EUNKNOWN;
    default:
        return draft_result;
    }
}

const char *crier_hub_error(const struct crier_hub *hub)
{
    if (!hub)
        return crier_strerror(CRIER_ENOMEM);
    return hub->error ? hub->fault.data : "";
}

/* ---- topics and counters ----------------------------------------------------------------- */

int crier_hub_forget(struct crier_hub *hub, struct crier_slice topic)
{
    int r = crier_hub_check(hub);

    if (r < 0)
        return r;
    if (crier_topic_fault(topic))
        return CRIER_EINVAL;
    if (crier_hub_would_block(hub))
        return CRIER_EWOULDBLOCK;
    return crier_hub_result(crier_journal_forget(hub->journal, topic, crier_hub_now(hub)));
}

/* Some topics, copied under the journal's mutex, so that fn is called without it. */
enum { LISTED_AT_ONCE = 16 };

struct listed {
    struct crier_topic_info info;
    char name[CRIER_TOPIC_BYTES + 1];
};

struct listing {
    struct listed topics[LISTED_AT_ONCE];
    int count;
};

static bool list_topic(void *ctx, const struct crier_topic_info *info)
{
    struct listing *listing = ctx;
    struct listed *listed = &listing->topics[listing->count++];

    listed->info = *info;
    memcpy(listed->name, info->name.data, info->name.len);
    listed->name[info->name.len] = '\0';
    listed->info.name.data = listed->name;
    return listing->count < LISTED_AT_ONCE;
}

int crier_hub_topics(struct crier_hub *hub,
                     struct crier_slice prefix,
                     struct crier_slice after,
                     size_t limit,
                     bool (*fn)(void *ctx, const struct crier_topic_info *info),
                     void *ctx)
{
    size_t most = limit ? (limit < INT_MAX ? limit : INT_MAX) : TOPICS_DEFAULT, told = 0;
    char name[CRIER_TOPIC_BYTES];
    struct listing listing;
    int r = crier_hub_check(hub);

    if (r < 0)
        return r;
    if (crier_hub_would_block(hub))
        return CRIER_EWOULDBLOCK;
    crier_hub_age(hub, crier_hub_now(hub));
    do {
        listing.count = 0;
        r = crier_journal_topics(hub->journal, prefix, after, LISTED_AT_ONCE, NULL, list_topic,
                                 &listing);
        if (r < 0)
            return r;
        for (int i = 0; i < listing.count && told < most; i++) {
            told++;
            if (!fn(ctx, &listing.topics[i].info))
                return (int)told;
        }
        if (listing.count) {
            after = listing.topics[listing.count - 1].info.name;
            memcpy(name, after.data, after.len);
            after.data = name;
        }
    } while (listing.count == LISTED_AT_ONCE && told < most);
    return (int)told;
}

static enum crier_disk disk_of(const struct crier_hub *hub,
                               const struct crier_journal_stats *stats)
{
    enum crier_journal_state state = crier_journal_state(hub->journal);

    if (!stats->disk.durable)
        return CRIER_DISK_NONE;
    return state == CRIER_JOURNAL_FAILED ? CRIER_DISK_FAILED
           : state == CRIER_JOURNAL_FULL ? CRIER_DISK_FULL
                                         : CRIER_DISK_OK;
}

int crier_hub_stats_with(struct crier_hub *hub, size_t size, struct crier_hub_stats *ret_stats)
{
    struct crier_journal_stats now;
    struct crier_hub_stats stats;
    int r = crier_hub_check(hub);

    if (r < 0)
        return r;
    crier_hub_age(hub, crier_hub_now(hub));
    crier_journal_get_stats(hub->journal, &now);
    stats = (struct crier_hub_stats){
        .events = now.events,
        .bytes = now.bytes,
        .topics = now.topics,
        .published = now.appended,
        .duplicates = now.duplicates,
        .evicted = now.evicted,
        .expired = now.expired,
        .forgotten = now.forgotten,
        .first = now.first,
        .last = now.last,
        .disk = disk_of(hub, &now),
        .disk_bytes = now.disk.file_bytes,
        .disk_free_bytes = now.disk.free_bytes,
        .pending_bytes = now.disk.pending_bytes,
        .commits = now.disk.commits,
        .disk_refused = now.disk.refused_full + now.disk.refused_failed + now.disk.unknown,
    };
    /* A caller of a later release knows more counters: they are 0. */
    if (size > sizeof(stats))
        memset((char *)ret_stats + sizeof(stats), 0, size - sizeof(stats));
    memcpy(ret_stats, &stats, size < sizeof(stats) ? size : sizeof(stats));
    return 0;
}
