/* SPDX-License-Identifier: MIT */
/*
 * The writer from inside: writer.c makes transactions, settle.c says what has become of them.
 */
#ifndef CRIER_DURABLE_WRITER_H
#define CRIER_DURABLE_WRITER_H

#include "durable/inside.h"

/* A draft that is put and not committed. */
struct crier_put {
    const struct crier_draft *draft;
    struct crier_id id;
    struct crier_now now; /* boot_ms: the store's clock */
    uint64_t expires_ms;
    struct crier_key *key; /* in the table already */
};

struct crier_writer {
    struct crier_durable *d;
    struct crier_parcel *parcels; /* of this transaction */
    struct crier_put *puts;
    size_t put_count, put_cap;
    size_t forgets;
    struct crier_now told; /* the latest moment anybody told */
    uint64_t clock_ms;     /* the same on the store's clock */
    uint64_t put_clock_ms; /* of the newest event */
    struct crier_leavings leavings;
    struct crier_id last;
    const void *failed; /* the last batch that has failed in it */
    bool trim;
    bool more;        /* more must leave than did */
    bool unsynced;    /* committed, and not on the disk for sure */
    uint64_t sync_at; /* monotonic ms: when it is to be */
};

/* The batch this draft belongs to has failed. */
void crier_writer_note_failed(struct crier_writer *w, const struct crier_draft *draft);
/* It is on the disk: into the window, out of it, and whoever waits for it is woken. */
void crier_writer_committed(struct crier_writer *w, uint64_t took_us);
/* What those hear whose transaction has failed with r. */
int crier_writer_result(int r);
/* Nothing of it is kept, or nobody knows. */
void crier_writer_failed(struct crier_writer *w, int r);
/* Everybody in it hears the same. */
void crier_writer_fail_all(struct crier_writer *w, int result);
/* The parcels go back to whoever submitted them. */
void crier_writer_give_back(struct crier_writer *w);

#endif
