/* SPDX-License-Identifier: MIT */
/**
 * @file
 * libcrier: Server-Sent Events in C. This header includes all others; each is usable alone.
 *
 *     crier/event.h    the codec: events as bytes and back. No sockets, no clock
 *     crier/hub.h      topics, history, readers as positions in it. No HTTP
 *     crier/server.h   routes, replies, streams, the HTTP interface of a hub
 *     crier/client.h   an EventSource client
 *     crier/testing.h  for tests (not included here)
 *
 * Conventions
 *
 * Names. Functions and types begin with crier_, constants with CRIER_. Types are struct
 * crier_x, without typedefs.
 *
 * Results. 0 is success, negative an error of the one table (crier/error.h), positive an
 * outcome that the function documents. Out-parameters come last, are named ret_…, and are
 * untouched on failure. Every function takes a NULL handle and answers CRIER_ENOMEM (or what
 * nothing is: NULL, 0, an empty slice), so that a chain of calls needs one check at its end.
 * Only making, publishing, running and stepping must be checked.
 *
 * Text is a slice: a pointer and a length (struct crier_slice). Those that the library hands
 * out are followed by a NUL that is not counted. What callbacks are given is borrowed until
 * they return.
 *
 * Ownership is told by three words. *Borrows*: the pointer is used until the call returns, or
 * as long as is said. *Copies*: the same, and what was needed was copied. *Takes*: it belongs
 * to the library from then on.
 *
 * Options. crier_x_new(.port = 8080) in C and crier_x_new({.port = 8080}) in C++ fill in a
 * struct of options by name; 0 is the default of each; CRIER_OFF means none or off. Its first
 * member is its size, by which later releases know which options a program was built with.
 *
 * Memory. Each object takes an allocator; being out of memory is an error that is returned,
 * never an abort. A server, stream or reader keeps its hub alive.
 *
 * Threads. Objects belong to one thread at a time, unless a function says "any thread".
 * Threads are started only for more than one worker, for hubs on disk, and to look names up;
 * all signals are blocked in them. There are no mutable globals (but a count of each thread's
 * own), no signal handlers, no output, no exit.
 *
 * Callbacks. Anything may be called inside any callback, the closing of the very object
 * included; only run, step and free of the object whose callback it is answer CRIER_EBUSY.
 */
#ifndef CRIER_CRIER_H
#define CRIER_CRIER_H

#include "crier/client.h"
#include "crier/error.h"
#include "crier/event.h"
#include "crier/hub.h"
#include "crier/server.h"
#include "crier/types.h"

#endif
