/* SPDX-License-Identifier: MIT */
/* What the durable journal's tests share; header only. */
#ifndef CRIER_TESTS_UNIT_DURABLE_SUPPORT_H
#define CRIER_TESTS_UNIT_DURABLE_SUPPORT_H

#include "../journal/journal_support.h"
#include "durable/durable.h"
#include <ftw.h>
#include <pthread.h>
#include <unistd.h>

enum { TEST_DIR = 256 };

static inline void test_dir_make(char *dir)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, TEST_DIR, "%s/crier-test-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
}

static inline int
test_dir_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void test_dir_remove(const char *dir)
{
    assert_int_equal(nftw(dir, test_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline struct crier_journal *test_durable(const char *dir,
                                                 const struct crier_mem *mem,
                                                 struct crier_journal_limits limits,
                                                 struct crier_now now)
{
    struct crier_durable_options options = {
        .dir = dir, .sync = CRIER_SYNC_NONE, .limits = &limits};
    struct crier_journal *journal = NULL;
    struct crier_buf fault;

    crier_buf_init(&fault, &crier_mem_libc);
    int r = crier_durable_open(mem, &test_key, TEST_EPOCH, &options, now, &journal, &fault);
    if (r < 0)
        fail_msg("%d: %.*s", r, (int)fault.len, fault.data ? fault.data : "");
    crier_buf_deinit(&fault);
    return journal;
}

/* Trims, and comes back when that is done. */
static inline void test_trim(struct crier_journal *journal, struct crier_now now)
{
    crier_journal_trim(journal, now);
    crier_journal_append(journal, NULL, 0, now);
}

/* A wait that a thread can stand still for. */
struct test_wait {
    struct crier_wait wait;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool woken;
};

static inline void test_wake(struct crier_wait *wait)
{
    struct test_wait *w = CRIER_CONTAINER(wait, struct test_wait, wait);

    pthread_mutex_lock(&w->mutex);
    w->woken = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->mutex);
}

static inline void test_wait_init(struct test_wait *w)
{
    *w = (struct test_wait){.wait.wake = test_wake};
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->cond, NULL);
}

static inline void test_wait_deinit(struct test_wait *w)
{
    pthread_mutex_destroy(&w->mutex);
    pthread_cond_destroy(&w->cond);
}

static inline void test_wait_for(struct test_wait *w)
{
    pthread_mutex_lock(&w->mutex);
    while (!w->woken)
        pthread_cond_wait(&w->cond, &w->mutex);
    w->woken = false;
    pthread_mutex_unlock(&w->mutex);
}

#endif
