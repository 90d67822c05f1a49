/* SPDX-License-Identifier: MIT */
/*
 * Channels are found by their hub, outlets by their channel: a server has few of either. A
 * channel may be made while workers run (the first stream that follows its hub), so that the
 * list is guarded; it only grows. An outlet is its worker's alone.
 */
#include "server/outlet.h"

#include "base/mem.h"
#include "server/stream.h"

/* ---- channels --------------------------------------------------------------------------- */

static struct crier_channel *channel_find(struct crier_server *server,
                                          const struct crier_hub *hub)
{
    crier_list_for_each (node, &server->channels) {
        struct crier_channel *channel = CRIER_CONTAINER(node, struct crier_channel, node);

        if (channel->hub == hub)
            return channel;
    }
    return NULL;
}

static int
channel_new(struct crier_server *server, struct crier_hub *hub, struct crier_channel **ret)
{
    struct crier_channel *channel = crier_mem_zalloc(server->mem, sizeof(*channel));
    int r;

    if (!channel)
        return -ENOMEM;
    r = crier_presence_new(server->mem, hub->journal, &channel->presence);
    if (r < 0) {
        crier_mem_free(server->mem, channel);
        return r;
    }
    channel->hub = crier_hub_ref(hub);
    crier_list_push_back(&server->channels, &channel->node);
    *ret = channel;
    return 0;
}

int crier_channel_of(struct crier_server *server,
                     struct crier_hub *hub,
                     struct crier_channel **ret)
{
    int r = 0;

    pthread_mutex_lock(&server->channels_mutex);
    *ret = channel_find(server, hub);
    if (!*ret)
        r = channel_new(server, hub, ret);
    pthread_mutex_unlock(&server->channels_mutex);
    return r;
}

void crier_channels_free(struct crier_server *server)
{
    crier_list_for_each_safe (node, &server->channels) {
        struct crier_channel *channel = CRIER_CONTAINER(node, struct crier_channel, node);

        crier_list_remove(&channel->node);
        crier_presence_free(channel->presence);
        crier_hub_unref(channel->hub);
        crier_mem_free(server->mem, channel);
    }
}

/* ---- outlets ---------------------------------------------------------------------------- */

static void wake_from_journal(void *ctx)
{
    crier_worker_wake(ctx);
}

static int outlet_init(struct crier_outlet *outlet)
{
    struct crier_worker *worker = outlet->worker;
    const struct crier_sink sink = {.send = crier_stream_take,
                                    .gap = crier_stream_gap,
                                    .broken = crier_stream_broken,
                                    .ctx = worker};
    int r;

    outlet->cursor.wake = wake_from_journal;
    outlet->cursor.wake_ctx = worker;
    r = crier_journal_attach(outlet->journal, &outlet->cursor);
    if (r < 0)
        return r;
    return crier_fanout_new(worker->server->mem, outlet->journal, &outlet->cursor, &sink,
                            &worker->server->config->fanout, &outlet->fanout);
}

static int outlet_new(struct crier_worker *worker,
                      struct crier_channel *channel,
                      struct crier_outlet **ret)
{
    const struct crier_mem *mem = worker->server->mem;
    struct crier_outlet *outlet = crier_mem_zalloc(mem, sizeof(*outlet));
    int r;

    if (!outlet)
        return -ENOMEM;
    outlet->worker = worker;
    outlet->channel = channel;
    outlet->now = crier_hub_now(channel->hub);
    outlet->journal = channel->hub->journal;
    crier_list_init(&outlet->joining);
    outlet->index = worker->outlet_count++;
    crier_publisher_init(&outlet->publisher);
    crier_list_push_back(&worker->outlets, &outlet->node);
    r = outlet_init(outlet);
    if (r < 0) {
        crier_outlet_free(outlet);
        return r;
    }
    *ret = outlet;
    return 0;
}

int crier_outlet_of(struct crier_worker *worker,
                    struct crier_channel *channel,
                    struct crier_outlet **ret)
{
    crier_list_for_each (node, &worker->outlets) {
        struct crier_outlet *outlet = CRIER_CONTAINER(node, struct crier_outlet, node);

        if (outlet->channel == channel) {
            *ret = outlet;
            return 0;
        }
    }
    return outlet_new(worker, channel, ret);
}

void crier_outlet_free(struct crier_outlet *outlet)
{
    crier_publisher_await(outlet);
    crier_list_remove(&outlet->node);
    crier_fanout_free(outlet->fanout);
    if (outlet->cursor.journal)
        crier_journal_detach(&outlet->cursor);
    crier_publisher_deinit(outlet);
    crier_mem_free(outlet->worker->server->mem, outlet);
}

bool crier_outlet_fan_out(struct crier_outlet *outlet)
{
    bool more = crier_fanout_read(outlet->fanout);

    outlet->caught_up = !more;
    /* Newcomers start at the worker's cursor, right after it has moved, and nowhere else. */
    crier_list_for_each_safe (node, &outlet->joining) {
        if (!crier_stream_join(CRIER_CONTAINER(node, struct crier_opening, node)->stream))
            more = true;
    }
    crier_worker_free_doomed(outlet->worker);
    /* An on_close may have made another stream follow, meanwhile. */
    return crier_fanout_pump(outlet->fanout, outlet->now) || more ||
           !crier_list_empty(&outlet->joining);
}
