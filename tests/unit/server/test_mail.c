/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/rng.h"
#include "server/mail.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static const struct crier_slice no_text = {NULL, 0};

struct post {
    struct crier_mem mem;
    struct crier_wake wake;
    struct crier_mail mail;
};

static void post_init(struct post *p, uint64_t generation)
{
    p->mem = crier_mem_libc;
    assert_int_equal(crier_wake_init(&p->wake), 0);
    assert_int_equal(crier_mail_init(&p->mail, &p->mem, &p->wake, 3, generation), 0);
}

static void post_deinit(struct post *p)
{
    crier_mail_deinit(&p->mail);
    crier_wake_deinit(&p->wake);
}

static bool is_awake(const struct post *p)
{
    uint64_t count;

    return read(p->wake.fd, &count, sizeof(count)) == sizeof(count);
}

static struct crier_ref
add(struct post *p, enum crier_addressee kind, void *owner, size_t limit)
{
    struct crier_ref ref = {0, 0};

    assert_int_equal(crier_mail_register(&p->mail, kind, owner, limit, &ref), 0);
    assert_int_not_equal(ref.generation, 0);
    assert_int_equal(crier_ref_worker(ref), 3);
    return ref;
}

static int send_kind(struct post *p, enum crier_letter_kind kind, struct crier_ref ref)
{
    struct crier_letter *letter = crier_letter_new(&p->mail, kind, ref, no_text, no_text);

    assert_non_null(letter);
    return crier_mail_send(&p->mail, letter);
}

/* An event of exactly `size` encoded bytes, at least 9. */
static int send_event(struct post *p, struct crier_ref ref, size_t size)
{
    char text[256];
    struct crier_letter *letter =
        crier_letter_new(&p->mail, CRIER_LETTER_EVENT, ref, no_text, no_text);

    assert_non_null(letter);
    assert_true(size >= 9 && size < sizeof(text));
    memset(text, 'x', sizeof(text));
    assert_int_equal(crier_encoded_new(&(struct crier_event){.data = {text, size - 8}}, NULL,
                                       &letter->encoded),
                     0);
    assert_int_equal(crier_encoded_bytes(letter->encoded).len, size);
    return crier_mail_send(&p->mail, letter);
}

/* Takes all; returns how many had an owner. */
static int take(struct post *p, void *owner)
{
    struct crier_list letters;
    int found = 0;

    crier_mail_take(&p->mail, &letters);
    crier_list_for_each_safe (node, &letters) {
        struct crier_letter *letter = CRIER_CONTAINER(node, struct crier_letter, node);
        void *is = crier_mail_owner(&p->mail, letter);

        assert_true(is == NULL || is == owner);
        found += is != NULL;
        crier_list_remove(node);
        crier_letter_free(&p->mail, letter);
    }
    return found;
}

/* Invariant: what is gone stays gone, whoever has its place now. */
static void references(void **state)
{
    struct post p;
    int a, b;
    struct crier_ref ref, next, other;

    post_init(&p, UINT64_MAX); /* generation 0 is left out when they wrap */
    ref = add(&p, CRIER_TO_STREAM, &a, 100);
    assert_int_equal(send_event(&p, ref, 20), 0);
    crier_mail_unregister(&p.mail, ref);
    crier_mail_unregister(&p.mail, ref);
    crier_mail_unregister(&p.mail, (struct crier_ref){0, 0});
    next = add(&p, CRIER_TO_STREAM, &b, 100);
    assert_int_equal(next.slot, ref.slot);
    assert_int_equal(next.generation, 1);
    assert_int_equal(take(&p, NULL), 0); /* the letter was for the one before */
    assert_int_equal(send_event(&p, ref, 20), CRIER_GONE);
    assert_int_equal(send_kind(&p, CRIER_LETTER_FINISH, ref), CRIER_GONE);
    crier_mail_unregister(&p.mail, ref);
    assert_int_equal(send_event(&p, next, 20), 0);
    assert_int_equal(take(&p, &b), 1);

    /* Another worker's, no place at all, the wrong kind. */
    other = next;
    other.slot += (uint64_t)1 << 32;
    assert_int_equal(send_event(&p, other, 20), CRIER_GONE);
    other.slot = (uint64_t)3 << 32;
    assert_int_equal(send_event(&p, other, 20), CRIER_GONE);
    other.slot |= UINT32_MAX;
    assert_int_equal(send_event(&p, other, 20), CRIER_GONE);
    assert_int_equal(send_kind(&p, CRIER_LETTER_REPLY, next), CRIER_GONE);
    post_deinit(&p);
}

/* Invariant: posted and waiting bytes together stay within the limit; one alone fits; the first
 * letter wakes, the others need not. */
static void limits(void **state)
{
    struct post p;
    int a;
    struct crier_ref ref;

    post_init(&p, 0);
    ref = add(&p, CRIER_TO_STREAM, &a, 50);
    assert_false(is_awake(&p));
    assert_int_equal(send_event(&p, ref, 80), 0);
    assert_true(is_awake(&p));
    assert_int_equal(send_event(&p, ref, 9), CRIER_FULL);
    assert_false(is_awake(&p));
    assert_int_equal(take(&p, &a), 1);
    assert_int_equal(send_event(&p, ref, 30), 0);
    assert_int_equal(send_event(&p, ref, 20), 0);
    assert_int_equal(send_event(&p, ref, 9), CRIER_FULL);
    assert_int_equal(take(&p, &a), 2);
    crier_mail_waiting(&p.mail, ref, 41);
    assert_int_equal(send_event(&p, ref, 10), CRIER_FULL);
    assert_int_equal(send_event(&p, ref, 9), 0);
    assert_int_equal(send_kind(&p, CRIER_LETTER_FINISH, ref), 0);
    assert_int_equal(take(&p, &a), 2);
    post_deinit(&p);
}

/* Invariant: a request is answered once. */
static void replies(void **state)
{
    struct post p;
    int a;
    struct crier_ref ref;

    post_init(&p, 7);
    ref = add(&p, CRIER_TO_REQUEST, &a, 0);
    assert_int_equal(send_event(&p, ref, 20), CRIER_GONE);
    assert_int_equal(send_kind(&p, CRIER_LETTER_REPLY, ref), 0);
    assert_int_equal(send_kind(&p, CRIER_LETTER_REPLY, ref), CRIER_GONE);
    assert_int_equal(take(&p, &a), 1);
    assert_int_equal(send_kind(&p, CRIER_LETTER_REPLY, ref), CRIER_GONE);
    post_deinit(&p); /* no letters */
    post_init(&p, 7);
    ref = add(&p, CRIER_TO_REQUEST, &a, 0);
    assert_int_equal(send_kind(&p, CRIER_LETTER_REPLY, ref), 0);
    post_deinit(&p); /* an unread one */
}

enum { THREADS = 8, OWNERS = 20, LETTERS = 4000 };

struct owner {
    struct crier_ref ref;
    uint64_t generation;
    uint64_t next[THREADS]; /* letters of each thread come in order */
};

struct world {
    struct post post;
    pthread_mutex_t mutex; /* of the references */
    struct crier_ref refs[OWNERS];
    struct owner owners[OWNERS];
    _Atomic uint64_t accepted, running, errors;
};

struct writer {
    struct world *world;
    unsigned id;
};

static void *write_letters(void *ctx)
{
    struct writer *writer = ctx;
    struct world *w = writer->world;
    struct crier_rng rng = {writer->id};

    for (uint64_t i = 1; i <= LETTERS; i++) {
        size_t which = crier_rng_between(&rng, 0, OWNERS - 1);
        char text[64];
        int len = snprintf(text, sizeof(text), "%u %llu", writer->id, (unsigned long long)i),
            r = CRIER_ENOMEM;
        struct crier_ref ref;
        struct crier_letter *letter;

        pthread_mutex_lock(&w->mutex);
        ref = w->refs[which];
        pthread_mutex_unlock(&w->mutex);
        do {
            letter = crier_letter_new(&w->post.mail, CRIER_LETTER_EVENT, ref, no_text, no_text);
            if (!letter || crier_encoded_new(&(struct crier_event){.data = {text, (size_t)len}},
                                             NULL, &letter->encoded) < 0) {
                atomic_fetch_add(&w->errors, 1);
                break;
            }
            r = crier_mail_send(&w->post.mail, letter);
            if (r == CRIER_FULL)
                sched_yield();
        } while (r == CRIER_FULL);
        if (r == 0)
            atomic_fetch_add(&w->accepted, 1);
        else if (r != CRIER_GONE)
            atomic_fetch_add(&w->errors, 1);
    }
    atomic_fetch_sub(&w->running, 1);
    return NULL;
}

/* An owner goes, another comes. */
static void replace(struct world *w, size_t which)
{
    struct owner *owner = &w->owners[which];

    crier_mail_unregister(&w->post.mail, owner->ref);
    *owner = (struct owner){0};
    owner->ref = add(&w->post, CRIER_TO_STREAM, owner, 200);
    owner->generation = owner->ref.generation;
    pthread_mutex_lock(&w->mutex);
    w->refs[which] = owner->ref;
    pthread_mutex_unlock(&w->mutex);
}

static void read_letter(struct world *w, struct crier_letter *letter)
{
    struct owner *owner = crier_mail_owner(&w->post.mail, letter);
    unsigned id;
    unsigned long long i;

    if (!owner)
        return;
    assert_int_equal(letter->ref.generation, owner->generation);
    assert_int_equal(
        sscanf(crier_encoded_bytes(letter->encoded).data, "data: %u %llu", &id, &i), 2);
    assert_true(id < THREADS && i > owner->next[id]);
    owner->next[id] = i;
}

/* Invariant: every letter that was accepted is taken once, in the order of its thread, and
 * never given to a later owner of the place. */
static void many_threads(void **state)
{
    static struct world w;
    pthread_t threads[THREADS];
    struct writer writers[THREADS];
    struct crier_rng rng = {test_seed("mail")};
    uint64_t taken = 0;
    bool over = false;

    post_init(&w.post, 1);
    assert_int_equal(pthread_mutex_init(&w.mutex, NULL), 0);
    for (size_t i = 0; i < OWNERS; i++)
        replace(&w, i);
    atomic_store(&w.running, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){&w, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_letters, &writers[i]), 0);
    }
    while (!over) {
        struct crier_list letters;

        over = atomic_load(&w.running) == 0; /* and once more after that */
        crier_mail_take(&w.post.mail, &letters);
        crier_list_for_each_safe (node, &letters) {
            struct crier_letter *letter = CRIER_CONTAINER(node, struct crier_letter, node);

            read_letter(&w, letter);
            taken++;
            crier_list_remove(node);
            crier_letter_free(&w.post.mail, letter);
        }
        if (crier_rng_between(&rng, 0, 9) == 0)
            replace(&w, crier_rng_between(&rng, 0, OWNERS - 1));
        sched_yield();
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&w.errors), 0);
    assert_int_equal(taken, atomic_load(&w.accepted));
    assert_true(taken > 0);
    pthread_mutex_destroy(&w.mutex);
    post_deinit(&w.post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(limits),
        cmocka_unit_test(replies),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
