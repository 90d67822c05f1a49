/* SPDX-License-Identifier: MIT */
/**
 * @file
 * For tests of programs that use libcrier: connections to a server that never touch the
 * network, a clock that is moved by hand, peers that stall or vanish. Nothing sleeps, nothing
 * depends on timing. Not part of crier.h: include it in tests.
 *
 *     struct crier_test_clock *clock = crier_test_clock_new();
 *     struct crier_server *server = crier_server_new(.clock = crier_test_clock_of(clock));
 *     crier_server_route(server, "GET", "/events", handler, NULL);
 *
 *     struct crier_test_peer *peer = crier_test_connect(server);
 *     crier_test_get(peer, "/events");
 *     crier_test_clock_advance(clock, 1000);
 *     crier_test_settle(server);
 *     assert(strstr(crier_test_received(peer).data, "data: tick"));
 *
 * One thread; the server has one worker and is stepped here, it need not listen.
 */
#ifndef CRIER_TESTING_H
#define CRIER_TESTING_H

#include "crier/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a clock moved by hand --------------------------------------------------------------- */

struct crier_test_clock;

/** Starts at 2026-01-01T00:00:00Z, one hour after boot. NULL: out of memory. */
CRIER_API struct crier_test_clock *crier_test_clock_new(void) CRIER_MUST_CHECK;
/** *Takes*; NULL is fine. Returns NULL. After everything that was given it. */
CRIER_API struct crier_test_clock *crier_test_clock_free(struct crier_test_clock *clock);
/** For the option .clock of a hub, a server or a client; *borrowed* from clock. */
CRIER_API const struct crier_clock *crier_test_clock_of(struct crier_test_clock *clock);
/** Both clocks go on. */
CRIER_API void crier_test_clock_advance(struct crier_test_clock *clock, uint64_t ms);
/** Only the wall clock jumps, back or forth. */
CRIER_API void crier_test_clock_jump(struct crier_test_clock *clock, int64_t ms);

/* ---- peers ------------------------------------------------------------------------------- */

/** A client at the other end of an in-memory connection. */
struct crier_test_peer;

/**
 * Connects, as a client on this machine.
 * @return NULL: out of memory or descriptors, server is NULL, or it has several workers
 */
CRIER_API struct crier_test_peer *
crier_test_connect(struct crier_server *server) CRIER_MUST_CHECK;
/** *Takes*; NULL is fine. Returns NULL. Closes, if that has not been done. */
CRIER_API struct crier_test_peer *crier_test_peer_free(struct crier_test_peer *peer);

/**
 * Sends bytes, and steps the server until it is idle.
 * @return 0; CRIER_GONE: it was closed; CRIER_FULL: the server reads no more for now;
 *         CRIER_ENOMEM: peer is NULL
 */
CRIER_API int crier_test_send(struct crier_test_peer *peer, struct crier_slice bytes);
/** Sends "GET path HTTP/1.1" with Host: localhost and Accept: text/event-stream. */
CRIER_API int crier_test_get(struct crier_test_peer *peer, const char *path);
/**
 * All bytes received so far, followed by a NUL; a stalled peer receives nothing. *Borrowed*
 * until the next call on the peer.
 */
CRIER_API struct crier_slice crier_test_received(struct crier_test_peer *peer);
/** Forgets what was received so far. */
CRIER_API void crier_test_forget(struct crier_test_peer *peer);
/** Has the server closed the connection? The peer, as clients do, then closes it as well. */
CRIER_API bool crier_test_ended(struct crier_test_peer *peer);

/** It takes nothing more (true), as one whose network is stuck, or goes on (false). */
CRIER_API void crier_test_stall(struct crier_test_peer *peer, bool stalled);
/** It closes its side in an orderly way, as a browser that leaves the page. */
CRIER_API void crier_test_close(struct crier_test_peer *peer);
/** It is gone from one moment to the next, with what was on its way: a reset. */
CRIER_API void crier_test_drop(struct crier_test_peer *peer);

/* ---- the loop ---------------------------------------------------------------------------- */

/**
 * Steps the server until it has nothing to do at this moment of its clock.
 * @return 0, or what crier_server_step() answered last
 */
CRIER_API int crier_test_settle(struct crier_server *server);

#ifdef __cplusplus
}
#endif

#endif
