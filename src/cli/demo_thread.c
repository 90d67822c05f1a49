/* SPDX-License-Identifier: MIT */
#include "cli/demo_thread.h"

#include "net/sys.h"
#include <signal.h>
#include <time.h>

static int
publish(void *ctx, struct crier_slice topic, struct crier_slice type, struct crier_slice data)
{
    const struct crier_publication p = {
        .size = sizeof(p), .topic = topic, .event = {.data = data, .type = type}};

    return crier_hub_publish_with(ctx, &p, NULL);
}

static struct timespec after(uint64_t ms)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static void *run(void *arg)
{
    struct crier_demo_thread *demo = arg;

    pthread_mutex_lock(&demo->mutex);
    while (!demo->ended) {
        struct timespec due =
            after(crier_demo_step(&demo->demo, crier_sys_now(), publish, demo->hub));

        (void)pthread_cond_timedwait(&demo->over, &demo->mutex, &due);
    }
    pthread_mutex_unlock(&demo->mutex);
    return NULL;
}

static void deinit(struct crier_demo_thread *demo)
{
    pthread_cond_destroy(&demo->over);
    pthread_mutex_destroy(&demo->mutex);
}

int crier_demo_start(struct crier_demo_thread *demo, struct crier_hub *hub)
{
    pthread_condattr_t attributes;
    sigset_t all, before;
    int r;

    crier_demo_init(&demo->demo, crier_sys_now().wall_ms, crier_sys_now());
    demo->hub = hub;
    pthread_mutex_init(&demo->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&demo->over, &attributes);
    pthread_condattr_destroy(&attributes);
    /* The signals are the server's. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    r = pthread_create(&demo->thread, NULL, run, demo);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    demo->running = r == 0;
    if (!demo->running)
        deinit(demo);
    return -r;
}

void crier_demo_stop(struct crier_demo_thread *demo)
{
    if (!demo->running)
        return;
    pthread_mutex_lock(&demo->mutex);
    demo->ended = true;
    pthread_cond_signal(&demo->over);
    pthread_mutex_unlock(&demo->mutex);
    pthread_join(demo->thread, NULL);
    deinit(demo);
    demo->running = false;
}
