/* SPDX-License-Identifier: MIT */
/*
 * Connections, counted in all and by address.
 *
 *     within          a place: 0
 *     over a limit    still counted: it is told so and leaves (CRIER_LIMIT_...)
 *     1,000 further   not counted: CRIER_LIMIT_ALL and an empty ticket; closed without a word
 *
 * So the descriptors that refusals take are bounded too, by a flood from one address as by one
 * from many. Peers without an address (unix sockets) count in all only.
 *
 * One mutex: it is taken twice in the life of a connection, next to a dozen system calls.
 * Entries live while they are held by a ticket, so the map is never larger than the number of
 * connections; its hash is keyed, for addresses are chosen by outsiders.
 *
 * Invariants
 *
 * (1) limits->all is the number of tickets with `counted`
 *
 * (2) entry->count is the number of tickets that point at the entry, and never 0
 *
 * Out of memory: enter counts nothing, move leaves everything as it was.
 */
#include "server/limits.h"

#include "base/list.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>

enum { LIMITS_REFUSALS = 1000 };

struct limit_entry {
    struct crier_map_node node;
    struct crier_ip ip; /* crier_ip_limit_key */
    uint64_t count;
    bool warned; /* since it went over its limit */
};

struct crier_limits {
    const struct crier_mem *mem;
    struct crier_hash_key key;
    uint64_t max_all, max_per_address;
    pthread_mutex_t mutex; /* of all below */
    struct crier_map map;
    uint64_t all;
};

int crier_limits_new(const struct crier_mem *mem,
                     const struct crier_hash_key *key,
                     uint64_t max_all,
                     uint64_t max_per_address,
                     struct crier_limits **ret)
{
    struct crier_limits *limits = crier_mem_zalloc(mem, sizeof(*limits));

    if (!limits || pthread_mutex_init(&limits->mutex, NULL) != 0) {
        crier_mem_free(mem, limits);
        return -ENOMEM;
    }
    limits->mem = mem;
    limits->key = *key;
    limits->max_all = max_all;
    limits->max_per_address = max_per_address;
    crier_map_init(&limits->map, mem);
    *ret = limits;
    return 0;
}

struct crier_limits *crier_limits_free(struct crier_limits *limits)
{
    struct crier_map_node *node;

    if (!limits)
        return NULL;
    /* A server that ends at once does not ask every connection for its ticket back. */
    while ((node = crier_map_walk(&limits->map, NULL))) {
        crier_map_remove(&limits->map, node);
        crier_mem_free(limits->mem, CRIER_CONTAINER(node, struct limit_entry, node));
    }
    crier_map_deinit(&limits->map);
    pthread_mutex_destroy(&limits->mutex);
    return crier_mem_free(limits->mem, limits);
}

/* ---- entries; the mutex is held ------------------------------------------------------ */

static uint64_t limit_hash(const struct crier_limits *limits, const struct crier_ip *ip)
{
    return crier_hash(&limits->key, (struct crier_slice){(const char *)ip, sizeof(*ip)});
}

static int limit_entry_hold(struct crier_limits *limits,
                            const struct crier_ip *ip,
                            struct limit_entry **ret)
{
    static_assert(sizeof(struct crier_ip) == 17, "hashed as bytes: there must be no padding");
    struct crier_ip key = crier_ip_limit_key(ip);
    uint64_t hash = limit_hash(limits, &key);
    struct limit_entry *entry;

    for (struct crier_map_node *n = crier_map_first(&limits->map, hash); n;
         n = crier_map_next(n)) {
        entry = CRIER_CONTAINER(n, struct limit_entry, node);
        if (crier_ip_eq(&entry->ip, &key)) {
            entry->count++;
            *ret = entry;
            return 0;
        }
    }
    entry = crier_mem_zalloc(limits->mem, sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    entry->ip = key;
    entry->count = 1;
    if (crier_map_insert(&limits->map, &entry->node, hash) < 0) {
        crier_mem_free(limits->mem, entry);
        return -ENOMEM;
    }
    *ret = entry;
    return 0;
}

static void limit_entry_drop(struct crier_limits *limits, struct limit_entry *entry)
{
    if (!entry)
        return;
    assert(entry->count > 0);
    entry->count--;
    /* Not at the limit itself: each refused connection that leaves would make room for a new
     * warning. */
    if (entry->count < limits->max_per_address)
        entry->warned = false;
    if (entry->count > 0)
        return;
    crier_map_remove(&limits->map, &entry->node);
    crier_mem_free(limits->mem, entry);
}

static void limit_ticket_drop(struct crier_limits *limits, struct crier_limit_ticket *ticket)
{
    limit_entry_drop(limits, ticket->address);
    if (ticket->counted) {
        assert(limits->all > 0);
        limits->all--;
    }
    *ticket = (struct crier_limit_ticket){0};
}

/* The ticket is counted; is there a place for it? The address first: that is the nearer reason.
 */
static int limit_outcome(struct crier_limits *limits, struct crier_limit_ticket *ticket)
{
    const struct limit_entry *entry = ticket->address;
    uint64_t here = entry ? entry->count : 0;

    if ((here > limits->max_per_address && here - limits->max_per_address > LIMITS_REFUSALS) ||
        (limits->all > limits->max_all && limits->all - limits->max_all > LIMITS_REFUSALS)) {
        limit_ticket_drop(limits, ticket);
        return CRIER_LIMIT_ALL;
    }
    if (here > limits->max_per_address)
        return CRIER_LIMIT_ADDRESS;
    return limits->all > limits->max_all ? CRIER_LIMIT_ALL : 0;
}

/* ---- tickets ------------------------------------------------------------------------- */

/* Counts the ticket under this address, and no longer where it was counted before. */
static int limit_ticket_place(struct crier_limits *limits,
                              const struct crier_ip *ip,
                              struct crier_limit_ticket *ticket)
{
    struct limit_entry *entry = NULL;

    if (ip->family != 0) {
        int r = limit_entry_hold(limits, ip, &entry);

        if (r < 0)
            return r;
    }
    limit_entry_drop(limits, ticket->address);
    limits->all += !ticket->counted;
    *ticket = (struct crier_limit_ticket){.address = entry, .counted = true};
    return limit_outcome(limits, ticket);
}

int crier_limits_move(struct crier_limits *limits,
                      const struct crier_ip *ip,
                      struct crier_limit_ticket *ticket)
{
    int r;

    pthread_mutex_lock(&limits->mutex);
    r = limit_ticket_place(limits, ip, ticket);
    pthread_mutex_unlock(&limits->mutex);
    return r;
}

int crier_limits_enter(struct crier_limits *limits,
                       const struct crier_ip *ip,
                       struct crier_limit_ticket *ticket)
{
    struct crier_limit_ticket fresh = {0};
    int r = crier_limits_move(limits, ip, &fresh);

    if (r >= 0)
        *ticket = fresh;
    return r;
}

void crier_limits_leave(struct crier_limits *limits, struct crier_limit_ticket *ticket)
{
    pthread_mutex_lock(&limits->mutex);
    limit_ticket_drop(limits, ticket);
    pthread_mutex_unlock(&limits->mutex);
}

bool crier_limits_warn_once(struct crier_limits *limits,
                            const struct crier_limit_ticket *ticket)
{
    struct limit_entry *entry = ticket->address;
    bool first = false;

    if (!entry)
        return false;
    pthread_mutex_lock(&limits->mutex);
    if (entry->count > limits->max_per_address && !entry->warned)
        first = entry->warned = true;
    pthread_mutex_unlock(&limits->mutex);
    return first;
}

uint64_t crier_limits_count(struct crier_limits *limits)
{
    uint64_t all;

    pthread_mutex_lock(&limits->mutex);
    all = limits->all;
    pthread_mutex_unlock(&limits->mutex);
    return all;
}
