/* SPDX-License-Identifier: MIT */
/*
 * One mutex guards the list of what was heard. News are taken out one at a time, so that those
 * behind can still be called off, by what is told before them.
 *
 * The owner is woken under the mutex: whoever rings last must not touch a bell whose owner has
 * heard it already, and is gone.
 */
#include "hub/bell.h"

#include "base/err.h"

int crier_bell_init(struct crier_bell *bell, void (*ring)(void *ctx), void *ctx)
{
    if (pthread_mutex_init(&bell->mutex, NULL) != 0)
        return -ENOMEM;
    if (pthread_cond_init(&bell->cond, NULL) != 0) {
        pthread_mutex_destroy(&bell->mutex);
        return -ENOMEM;
    }
    crier_list_init(&bell->heard);
    bell->ring = ring;
    bell->ctx = ctx;
    return 0;
}

void crier_bell_deinit(struct crier_bell *bell)
{
    pthread_cond_destroy(&bell->cond);
    pthread_mutex_destroy(&bell->mutex);
}

void crier_news_init(struct crier_news *news, void (*tell)(struct crier_news *))
{
    crier_list_init(&news->node);
    news->tell = tell;
}

void crier_bell_ring(struct crier_bell *bell, struct crier_news *news)
{
    pthread_mutex_lock(&bell->mutex);
    if (crier_list_empty(&news->node)) {
        bool first = crier_list_empty(&bell->heard);

        crier_list_push_back(&bell->heard, &news->node);
        pthread_cond_signal(&bell->cond);
        if (first && bell->ring)
            bell->ring(bell->ctx);
    }
    pthread_mutex_unlock(&bell->mutex);
}

void crier_bell_forget(struct crier_bell *bell, struct crier_news *news)
{
    pthread_mutex_lock(&bell->mutex);
    crier_list_remove(&news->node);
    pthread_mutex_unlock(&bell->mutex);
}

static struct crier_news *take(struct crier_bell *bell)
{
    struct crier_news *news = NULL;

    pthread_mutex_lock(&bell->mutex);
    if (!crier_list_empty(&bell->heard)) {
        news = CRIER_CONTAINER(bell->heard.next, struct crier_news, node);
        crier_list_remove(&news->node);
    }
    pthread_mutex_unlock(&bell->mutex);
    return news;
}

void crier_bell_answer(struct crier_bell *bell)
{
    struct crier_news *news;

    while ((news = take(bell)) != NULL)
        news->tell(news);
}

void crier_bell_await(struct crier_bell *bell)
{
    pthread_mutex_lock(&bell->mutex);
    while (crier_list_empty(&bell->heard))
        pthread_cond_wait(&bell->cond, &bell->mutex);
    pthread_mutex_unlock(&bell->mutex);
}
