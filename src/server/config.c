/* SPDX-License-Identifier: MIT */
/* The defaults, each with what it bounds told in config.h, and what can be read off this
 * machine: how many cores this process may use, and how many descriptors. */
#include "server/config.h"

#include <sched.h>
#include <sys/resource.h>

enum { CONFIG_PORT = 8080 };

/* As many as this process may run on at once: a container is often given a part of the
 * machine. */
static unsigned config_cores(void)
{
    cpu_set_t set;
    int count;

    /* Fails on machines with more than 1,024: such a one says with --workers what it wants. */
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    count = CPU_COUNT(&set);
    return count > 0 ? (unsigned)count : 1;
}

/* Descriptors less those that are not connections: an eighth, from 64 to 1,024, for listeners,
 * wake-ups, files, and refusals that are being said. */
static uint64_t config_max_connections(void)
{
    enum { MOST = 1 << 20 };
    struct rlimit limit;
    uint64_t all = 1024, reserve;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        all = limit.rlim_cur > MOST ? MOST : limit.rlim_cur;
    reserve = all / 8;
    if (reserve < 64)
        reserve = 64;
    if (reserve > 1024)
        reserve = 1024;
    return all > reserve ? all - reserve : 1;
}

static const struct crier_journal_limits config_journal = {
    .max_events = 100000,
    .max_bytes = (uint64_t)256 << 20,
    .max_age_ms = (uint64_t)24 * 3600 * 1000,
    .kept_bytes = (uint64_t)32 << 20,
    .unread_bytes = (uint64_t)64 << 20,
    .lap_ms = 2000,
    .max_event_bytes = 1 << 20,
    .max_keys = 100000,
    .key_age_ms = (uint64_t)10 * 60 * 1000,
    .max_floors = 100000,
};

static const struct crier_http_limits config_http = {
    .target_bytes = 8 << 10,
    .head_bytes = 32 << 10,
    .headers = 128,
    .chunk_extension_bytes = 4 << 10,
    .trailer_bytes = 8 << 10,
};

void crier_config_defaults(struct crier_config *config)
{
    *config = (struct crier_config){
        .listens = {{.ip = {.family = 4, .bytes = {127, 0, 0, 1}}, .port = CONFIG_PORT},
                    {.ip = {.family = 6, .bytes = {[15] = 1}}, .port = CONFIG_PORT}},
        .listen_count = 2,
        .workers = config_cores(),
        .log_level = CRIER_LOG_INFO,
        .log_fd = -1,
        .journal = config_journal,
        .fanout = crier_fanout_defaults,
        .http = config_http,
        .socket = {.user_timeout_ms = 30000, .keepalive_s = 30, .notsent_lowat = 16 << 10},
        .heartbeat_ms = 15000,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .stream_body_timeout_ms = 300000,
        .idle_timeout_ms = 75000,
        .stall_timeout_ms = 30000,
        .linger_ms = 2000,
        .drain_ms = 5000,
        .retry_min_ms = 2000,
        .retry_max_ms = 4000,
        .max_connections = config_max_connections(),
        .max_per_address = 1000,
        .max_page_bytes = (uint64_t)2 << 20,
        .max_pages_bytes = (uint64_t)32 << 20,
        .max_body = (uint64_t)1 << 20,
        .queue_bytes = 64 << 10,
    };
}

bool crier_config_is_public(const struct crier_config *config)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        if (!crier_ip_is_loopback(&config->listens[i].ip))
            return true;
    }
    return config->host_count > 0;
}
