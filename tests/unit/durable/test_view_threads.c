/* SPDX-License-Identifier: MIT */
/*
 * Views in several threads while one writes: each sees a whole commit, whoever had the view
 * before; and one more thread that verifies meanwhile. Run under ThreadSanitizer too.
 */
#include "view_support.h"

#include <pthread.h>

enum { READERS = 3, COMMITS = 200, VIEWS_MIN = 200 };

struct shared {
    struct twins *t;
    _Atomic bool done;
    _Atomic unsigned faults;
};

struct count {
    uint64_t events, last;
    bool ordered;
};

static int count_event(void *ctx, const struct crier_record *record)
{
    struct count *count = ctx;

    count->ordered = count->ordered && record->number > count->last &&
                     record->sse.len + CRIER_FRAME_HEAD + CRIER_FRAME_TAIL == record->frame.len;
    count->last = record->number;
    count->events++;
    return 0;
}

/* As many events as the totals of the same commit say. */
static bool look(struct crier_store *store)
{
    static const struct crier_slice everything;
    struct twin_want want = {.matched = ~0u};
    struct count count = {0, 0, true};
    struct crier_view *view;

    want.filter = (struct crier_filter){
        .match = twin_match, .ctx = &want, .prefixes = &everything, .prefix_count = 1};
    if (crier_view_begin(store, &view) < 0)
        return false;
    struct crier_view_slice slice = {.filter = &want.filter, .until = UINT64_MAX};
    int r = crier_view_read(view, &slice, count_event, &count);
    bool right = r == 0 && count.ordered && count.events == view->totals.events &&
                 slice.position == view->totals.end;
    crier_view_end(view);
    return right;
}

static void *reader(void *arg)
{
    struct shared *shared = arg;

    for (unsigned n = 0; n < VIEWS_MIN || !atomic_load(&shared->done); n++) {
        if (!look(shared->t->store))
            atomic_fetch_add(&shared->faults, 1);
    }
    return NULL;
}

static void note(void *ctx, const char *fault)
{
    print_error("%s\n", fault);
    (void)ctx;
}

static void *verifier(void *arg)
{
    struct shared *shared = arg;

    for (unsigned n = 0; n < 10 || !atomic_load(&shared->done); n++) {
        if (crier_store_verify(shared->t->store, note, NULL) != 0)
            atomic_fetch_add(&shared->faults, 1);
    }
    return NULL;
}

static void while_writing(void **state)
{
    struct shared shared = {.t = malloc(sizeof(struct twins))};
    pthread_t threads[READERS + 1];

    assert_non_null(shared.t);
    twins_make(shared.t, test_seed("while_writing"));
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &shared), 0);
    assert_int_equal(pthread_create(&threads[READERS], NULL, verifier, &shared), 0);
    for (int i = 0; i < COMMITS; i++)
        twins_batch(shared.t);
    atomic_store(&shared.done, true);
    for (size_t i = 0; i < READERS + 1; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&shared.faults), 0);
    twins_drop(shared.t);
    free(shared.t);
}

/* More views at once than are kept to be used again. */
static void many(void **state)
{
    struct twins *t = malloc(sizeof(*t));
    struct crier_view *views[CRIER_VIEWS_IDLE + 4];

    assert_non_null(t);
    twins_make(t, test_seed("many"));
    for (int round = 0; round < 3; round++) {
        twins_batch(t);
        for (size_t i = 0; i < CRIER_VIEWS_IDLE + 4; i++)
            views[i] = twins_view(t);
        for (size_t i = 0; i < CRIER_VIEWS_IDLE + 4; i++) {
            assert_int_equal(views[i]->end, t->end);
            assert_null(crier_view_end(views[i]));
        }
        assert_true(look(t->store));
    }
    twins_drop(t);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_writing),
        cmocka_unit_test(many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
