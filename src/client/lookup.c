/* SPDX-License-Identifier: MIT */
/*
 * Name look-ups on threads.
 *
 *     start ─▶ job ─▶ thread: getaddrinfo ─▶ done, wake ─▶ take
 *               │                              │
 *               └── deinit: abandoned          └── lets go of the job
 *
 * Ownership and threads. A job has two owners, the look-up and the thread; who lets go last
 * frees it. So a caller that goes away while a name server hangs neither waits nor leaves
 * anything behind: the thread ends when getaddrinfo does, and takes the job with it. For the
 * same reason a job lives in the C library's memory, as getaddrinfo's lists do: the caller's
 * allocator may be gone by then.
 *
 * The thread is detached, and all signals are blocked in it: they are the program's. The result
 * is written before `done` (release) and read after it (acquire).
 *
 * What can fail: memory, descriptors, threads, and the look-up itself.
 */
#include "client/lookup.h"

#include "base/mem.h"
#include "net/wake.h"
#include <assert.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { HOST_BYTES = 256, PORT_BYTES = 6 };

struct crier_lookup_job {
    atomic_uint owners;
    atomic_bool done;
    struct crier_wake wake;
    char host[HOST_BYTES], port[PORT_BYTES];
    int result; /* of getaddrinfo */
    struct addrinfo *list;
};

/* ---- jobs ---- */

static void let_go(struct crier_lookup_job *job)
{
    if (atomic_fetch_sub_explicit(&job->owners, 1, memory_order_acq_rel) > 1)
        return;
    if (job->list)
        freeaddrinfo(job->list);
    crier_wake_deinit(&job->wake);
    (void)crier_mem_free(&crier_mem_libc, job);
}

static int look_up(struct crier_lookup_job *job, int flags)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};

    return getaddrinfo(job->host, job->port, &hints, &job->list);
}

static void *run(void *argument)
{
    struct crier_lookup_job *job = argument;

    job->result = look_up(job, 0);
    atomic_store_explicit(&job->done, true, memory_order_release);
    crier_wake_signal(&job->wake);
    let_go(job);
    return NULL;
}

static int start_thread(struct crier_lookup_job *job)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int r = pthread_attr_init(&attributes);

    if (r != 0)
        return -r;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_fetch_add_explicit(&job->owners, 1, memory_order_relaxed);
    r = pthread_create(&thread, &attributes, run, job);
    if (r != 0)
        atomic_fetch_sub_explicit(&job->owners, 1, memory_order_relaxed);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return -r;
}

static int job_new(struct crier_slice host, uint16_t port, struct crier_lookup_job **ret_job)
{
    struct crier_lookup_job *job = crier_mem_zalloc(&crier_mem_libc, sizeof(*job));
    int r;

    assert(host.len < HOST_BYTES);
    if (!job)
        return -ENOMEM;
    r = crier_wake_init(&job->wake);
    if (r < 0) {
        (void)crier_mem_free(&crier_mem_libc, job);
        return r;
    }
    atomic_init(&job->owners, 1);
    (void)snprintf(job->host, sizeof(job->host), "%.*s", CRIER_SLICE_ARG(host));
    (void)snprintf(job->port, sizeof(job->port), "%u", (unsigned)port);
    *ret_job = job;
    return 0;
}

/* ---- look-ups ---- */

void crier_lookup_init(struct crier_lookup *lookup)
{
    *lookup = (struct crier_lookup){.job = NULL};
}

void crier_lookup_deinit(struct crier_lookup *lookup)
{
    if (lookup->list)
        freeaddrinfo(lookup->list);
    if (lookup->job)
        let_go(lookup->job);
    crier_lookup_init(lookup);
}

static int result_of(struct crier_lookup_job *job,
                     int result,
                     struct addrinfo **ret_list,
                     const char **ret_fault)
{
    if (result == 0) {
        *ret_list = job->list;
        job->list = NULL;
        return 0;
    }
    *ret_fault = gai_strerror(result);
    return result == EAI_MEMORY ? -ENOMEM : -ENOENT;
}

int crier_lookup_start(struct crier_lookup *lookup,
                       struct crier_slice host,
                       uint16_t port,
                       const char **ret_fault)
{
    struct crier_lookup_job *job;
    int r;

    assert(!lookup->job && !lookup->list);
    if (host.len >= HOST_BYTES) {
        *ret_fault = "the host name is too long";
        return -ENOENT;
    }
    r = job_new(host, port, &job);
    if (r == 0) {
        int known = look_up(job, AI_NUMERICHOST);

        if (known != EAI_NONAME) {
            r = result_of(job, known, &lookup->list, ret_fault);
            let_go(job);
            return r;
        }
        r = start_thread(job);
        if (r < 0)
            let_go(job);
    }
    if (r < 0)
        *ret_fault = strerror(-r);
    else
        lookup->job = job;
    return r;
}

int crier_lookup_take(struct crier_lookup *lookup,
                      struct addrinfo **ret_list,
                      const char **ret_fault)
{
    struct crier_lookup_job *job = lookup->job;
    int r = 0;

    assert(lookup->job || lookup->list);
    if (job && !atomic_load_explicit(&job->done, memory_order_acquire))
        return CRIER_LOOKUP_WAIT;
    if (job)
        r = result_of(job, job->result, ret_list, ret_fault);
    else
        *ret_list = lookup->list;
    lookup->list = NULL;
    crier_lookup_deinit(lookup);
    return r;
}

int crier_lookup_fd(const struct crier_lookup *lookup)
{
    return lookup->job ? lookup->job->wake.fd : -1;
}
