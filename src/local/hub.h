/* SPDX-License-Identifier: MIT */
/* The hub (crier/hub.h), as servers and readers see it from inside. */
#ifndef CRIER_LOCAL_HUB_H
#define CRIER_LOCAL_HUB_H

#include "base/buf.h"
#include "base/clock.h"
#include "crier/hub.h"
#include "journal/journal.h"

struct crier_hub {
    const struct crier_mem *mem;
    const struct crier_clock *clock; /* NULL: the system's */
    struct crier_hash_key hash_key;
    struct crier_journal_limits limits; /* none is 0, but of those for a disk */
    struct crier_journal *journal;      /* NULL: it cannot be used … */
    int error;                          /* … because of this */
    struct crier_buf fault;             /* … in words, with a NUL */
    _Atomic size_t refs;                /* 0: its journal is being closed */
    _Atomic uint64_t aged_ms; /* boot clock: when history was last looked through for age */
};

/* A hub on a journal that is there already: takes it (and frees it in the end), but for its mem
 * and hash key nothing of it is looked at. limits are copied (0: the default). NULL: out of
 * memory, and nothing was taken. */
struct crier_hub *crier_hub_new_on(struct crier_journal *journal,
                                   const struct crier_clock *clock,
                                   const struct crier_journal_limits *limits) CRIER_MUST_CHECK;
/* All of these: any thread. */
struct crier_hub *crier_hub_ref(struct crier_hub *hub);   /* returns its argument; NULL: NULL */
struct crier_hub *crier_hub_unref(struct crier_hub *hub); /* returns NULL */
struct crier_now crier_hub_now(const struct crier_hub *hub);
/* Lets history age, if nobody has for a second. */
void crier_hub_age(struct crier_hub *hub, struct crier_now now);
/* 0: it can be used. Otherwise the answer to every call: CRIER_ENOMEM for NULL, hub->error,
 * CRIER_ECANCELED while it is closed. */
int crier_hub_check(const struct crier_hub *hub);
/* May this thread not stand still for what the hub has to do now? */
bool crier_hub_would_block(const struct crier_hub *hub);
/* A draft's result as one of the public table: 0, or < 0. */
int crier_hub_result(int draft_result);

/* disk.c: a hub that was asked for a disk: opens its journal, or tells in hub->error and
 * hub->fault why not. 0: one of both; -ENOMEM. */
int crier_hub_open_disk(struct crier_hub *hub,
                        unsigned epoch,
                        const struct crier_hub_options *options) CRIER_MUST_CHECK;
/* Is one of the options set that a disk is for? */
bool crier_hub_asks_for_disk(const struct crier_hub_options *options);
/* Makes the hub one that only knows why it cannot be used. 0, -ENOMEM. */
int crier_hub_refuse(struct crier_hub *hub, int error, const char *format, ...)
    CRIER_PRINTF(3, 4) CRIER_MUST_CHECK;

/* How many callbacks this thread is in that must not stand still: those of a server's tick,
 * those that tell what became of a submission (a journal's own thread serves everybody).
 * Whoever calls them counts. */
extern _Thread_local unsigned crier_stepping;

#endif
