/* SPDX-License-Identifier: MIT */
/*
 * How a server reads hubs. A channel is a hub as the server knows it, shared by its workers; an
 * outlet is one worker's reading of one channel: its cursor, its fan-out, the publishes it
 * gathers, the streams that wait for their place.
 *
 *     server ── channels ──▶ channel ──▶ hub (its journal), who follows what
 *                               ▲ ▲
 *     worker 0 ── outlets ──────┘ │      cursor, fan-out, publisher, joining
 *     worker 1 ── outlets ────────┘
 *
 * Channels are made by a mount, or by the first stream that follows the hub; they stay for the
 * life of the server, which keeps the hub.
 */
#ifndef CRIER_SERVER_OUTLET_H
#define CRIER_SERVER_OUTLET_H

#include "hub/fanout.h"
#include "local/hub.h"
#include "server/presence.h"
#include "server/publisher.h"

struct crier_server;
struct crier_worker;

struct crier_channel {
    struct crier_list node; /* in the server's channels */
    struct crier_hub *hub;  /* one reference */
    struct crier_presence *presence;
};

struct crier_outlet {
    struct crier_list node; /* in the worker's outlets */
    struct crier_worker *worker;
    uint16_t index; /* among the worker's */
    struct crier_channel *channel;
    struct crier_journal *journal; /* the channel's hub's */
    struct crier_cursor cursor;
    struct crier_now now; /* of this tick, by the hub's clock */
    struct crier_fanout *fanout;
    struct crier_publisher publisher;
    struct crier_list joining; /* streams that wait for their place */
    bool caught_up;            /* the journal was read to its end in this tick */
};

/* The channel of a hub, made if need be. Any thread. 0, -ENOMEM. */
int crier_channel_of(struct crier_server *,
                     struct crier_hub *,
                     struct crier_channel **ret) CRIER_MUST_CHECK;
/* All of the server's; when no worker has an outlet any more. */
void crier_channels_free(struct crier_server *);

/* This worker's outlet of a channel, made if need be. 0, -ENOMEM. */
int crier_outlet_of(struct crier_worker *,
                    struct crier_channel *,
                    struct crier_outlet **ret) CRIER_MUST_CHECK;
/* Nothing follows and nothing is gathered any more. Takes. */
void crier_outlet_free(struct crier_outlet *);
/* Steps 3 to 5 of a tick: reads, lets newcomers join, sends. true: work is left. */
bool crier_outlet_fan_out(struct crier_outlet *);

#endif
