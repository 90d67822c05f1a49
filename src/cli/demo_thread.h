/* SPDX-License-Identifier: MIT */
/* The demo publisher on a thread of its own, into a hub. */
#ifndef CRIER_CLI_DEMO_THREAD_H
#define CRIER_CLI_DEMO_THREAD_H

#include "cli/demo.h"
#include "crier/hub.h"
#include <pthread.h>

struct crier_demo_thread {
    struct crier_demo demo;
    struct crier_hub *hub;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t over; /* `ended` was set */
    bool ended, running;
};

/* Borrows hub until stop. 0, -errno. */
int crier_demo_start(struct crier_demo_thread *, struct crier_hub *hub) CRIER_MUST_CHECK;
/* One that was not started (zeroed) is fine. */
void crier_demo_stop(struct crier_demo_thread *);

#endif
