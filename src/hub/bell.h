/* SPDX-License-Identifier: MIT */
/*
 * A bell: how other threads tell one thread that something it waits for has come: a parcel is
 * back from the journal, a question can be asked once more.
 *
 *     any thread    crier_bell_ring(news) ──▶ heard ──▶ `ring`: its owner is woken
 *     its owner     crier_bell_answer ──▶ each news: tell(news)
 *
 * News belong to their owner, are rung at most once at a time, and can be called off: whoever
 * frees what news are a part of forgets them first.
 */
#ifndef CRIER_HUB_BELL_H
#define CRIER_HUB_BELL_H

#include "base/list.h"
#include <pthread.h>

struct crier_news {
    struct crier_list node; /* the bell's */
    /* In the owner's thread, without the mutex. May forget others, and free these. */
    void (*tell)(struct crier_news *);
};

struct crier_bell {
    pthread_mutex_t mutex;
    pthread_cond_t cond; /* for an owner that stands still */
    struct crier_list heard;
    void (*ring)(void *ctx); /* under the mutex, for the first news: it must only signal */
    void *ctx;
};

/* 0, -ENOMEM. */
int crier_bell_init(struct crier_bell *, void (*ring)(void *ctx), void *ctx);
/* Nobody rings it any more. */
void crier_bell_deinit(struct crier_bell *);
void crier_news_init(struct crier_news *, void (*tell)(struct crier_news *));
/* Any thread. What was rung and is not told yet stays where it stands. */
void crier_bell_ring(struct crier_bell *, struct crier_news *);
/* The owner: they are not told, if they have not been. */
void crier_bell_forget(struct crier_bell *, struct crier_news *);
/* The owner: tells all that was heard, in order. */
void crier_bell_answer(struct crier_bell *);
/* The owner, with nothing else to do: stands still until something is heard. */
void crier_bell_await(struct crier_bell *);

#endif
