/* SPDX-License-Identifier: MIT */
/*
 * What other threads have to say to a worker's streams and requests: references that name them,
 * and a queue of letters to them.
 *
 *     any thread      crier_mail_send(letter to ref) ──▶ letters ──▶ wakes the worker
 *     the worker      crier_mail_take ──▶ each letter: crier_mail_owner(ref) or nobody
 *
 * A reference is a place in the worker's table and the generation that place had: places are
 * used again, generations are not, so that a reference to what is gone means nothing. The
 * table's first generation is drawn at random: a reference to another server's stream means
 * nothing either. One mutex guards table and queue.
 */
#ifndef CRIER_SERVER_MAIL_H
#define CRIER_SERVER_MAIL_H

#include "base/list.h"
#include "crier/server.h"
#include "net/wake.h"
#include <pthread.h>

enum crier_addressee {
    CRIER_TO_NOBODY = 0, /* a free place */
    CRIER_TO_STREAM = 1,
    CRIER_TO_REQUEST = 2,
};

enum crier_letter_kind {
    CRIER_LETTER_EVENT = 1,  /* to a stream: send this */
    CRIER_LETTER_FINISH = 2, /* to a stream */
    CRIER_LETTER_REPLY = 3,  /* to a request */
};

struct crier_letter {
    struct crier_list node;
    enum crier_letter_kind kind;
    struct crier_ref ref;
    struct crier_encoded *encoded; /* EVENT: one reference */
    unsigned status;               /* REPLY; its texts follow this struct */
    bool has_type;
    struct crier_slice type, body;
};

struct crier_slot {
    uint64_t generation;
    void *owner;
    enum crier_addressee kind;
    bool over;      /* takes no more: a reply is on its way, the stream is to end */
    size_t letters; /* not yet read by the worker */
    size_t posted;  /* STREAM: bytes of these */
    size_t waiting; /* STREAM: bytes it has not sent yet, as it told last */
    size_t limit;   /* STREAM: of both together */
    uint32_t next;  /* the next free place; 0: none */
};

struct crier_mail {
    const struct crier_mem *mem;
    struct crier_wake *wake; /* the worker's */
    unsigned worker;
    bool ready; /* the mutex was made */
    pthread_mutex_t mutex;
    struct crier_slot *slots; /* [1 .. count] */
    uint32_t count, room, free;
    uint64_t generation;
    struct crier_list letters;
};

int crier_mail_init(struct crier_mail *,
                    const struct crier_mem *,
                    struct crier_wake *,
                    unsigned worker,
                    uint64_t generation) CRIER_MUST_CHECK;
/* Letters that were not taken go unread. */
void crier_mail_deinit(struct crier_mail *);

/* ---- the worker ------------------------------------------------------------------------- */

/* limit: bytes that may wait for a stream. 0, -ENOMEM. */
int crier_mail_register(struct crier_mail *,
                        enum crier_addressee,
                        void *owner,
                        size_t limit,
                        struct crier_ref *ret) CRIER_MUST_CHECK;
void crier_mail_unregister(struct crier_mail *, struct crier_ref); /* zero is fine */
/* A stream tells how much it has not sent yet. */
void crier_mail_waiting(struct crier_mail *, struct crier_ref, size_t bytes);
/* A stream is to end: from now on events for it are CRIER_GONE. Zero is fine. */
void crier_mail_close(struct crier_mail *, struct crier_ref);
/* Is a letter to it on its way? */
bool crier_mail_expects(struct crier_mail *, struct crier_ref);
/* All letters so far, in order. */
void crier_mail_take(struct crier_mail *, struct crier_list *ret_letters);
/* Whom a taken letter is for; NULL: gone. It is no more counted as posted. */
void *crier_mail_owner(struct crier_mail *, const struct crier_letter *);
/* Takes; NULL is fine. */
void crier_letter_free(struct crier_mail *, struct crier_letter *);

/* ---- any thread ------------------------------------------------------------------------- */

static inline uint32_t crier_ref_worker(struct crier_ref ref)
{
    return (uint32_t)(ref.slot >> 32);
}

/* A letter with copies of the texts. NULL: out of memory. */
struct crier_letter *crier_letter_new(struct crier_mail *,
                                      enum crier_letter_kind,
                                      struct crier_ref,
                                      struct crier_slice type,
                                      struct crier_slice body);
/* Takes the letter, in any case. 0, CRIER_GONE, CRIER_FULL. */
int crier_mail_send(struct crier_mail *, struct crier_letter *) CRIER_MUST_CHECK;

#endif
