/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/rng.h"
#include "server/agenda.h"

enum { COUNT = 60, ROUNDS = 20000 };

/* The naive model: an array that is searched. */
struct world {
    struct crier_agenda agenda;
    struct crier_appointment appointments[COUNT];
    bool set[COUNT];
    uint64_t due[COUNT], order[COUNT], orders, now;
};

static int model_first(const struct world *w)
{
    int first = -1;

    for (int i = 0; i < COUNT; i++) {
        if (w->set[i] && (first < 0 || w->due[i] < w->due[first] ||
                          (w->due[i] == w->due[first] && w->order[i] < w->order[first])))
            first = i;
    }
    return first;
}

static void set(struct world *w, int i, uint64_t due)
{
    assert_int_equal(crier_agenda_set(&w->agenda, &w->appointments[i], due), 0);
    w->set[i] = true;
    w->due[i] = due;
    w->order[i] = ++w->orders;
}

static void take_due(struct world *w)
{
    struct crier_appointment *a;

    while ((a = crier_agenda_next(&w->agenda, w->now)) != NULL) {
        int i = (int)(a - w->appointments);

        assert_int_equal(i, model_first(w));
        assert_true(w->due[i] <= w->now);
        assert_int_equal(a->place, 0);
        w->set[i] = false;
    }
    assert_true(model_first(w) < 0 || w->due[model_first(w)] > w->now);
}

static void check_timeout(const struct world *w)
{
    int first = model_first(w), timeout = crier_agenda_timeout(&w->agenda, w->now);

    if (first < 0)
        assert_int_equal(timeout, -1);
    else if (w->due[first] <= w->now)
        assert_int_equal(timeout, 0);
    else if (w->due[first] - w->now < INT32_MAX)
        assert_int_equal(timeout, w->due[first] - w->now);
    else
        assert_int_equal(timeout, INT32_MAX);
}

/* Invariant: after any operations it gives back what an array that is searched would. */
static void against_a_model(void **state)
{
    struct crier_rng rng = {test_seed("agenda")};
    struct world w = {.now = 5000};
    struct test_mem mem;

    test_mem_init(&mem, 0);
    crier_agenda_init(&w.agenda, &mem.mem);
    for (int round = 0; round < ROUNDS; round++) {
        int i = (int)crier_rng_between(&rng, 0, COUNT - 1);

        switch (crier_rng_between(&rng, 0, 9)) {
        case 0:
        case 1:
            crier_agenda_clear(&w.agenda, &w.appointments[i]);
            w.set[i] = false;
            break;
        case 2:
            w.now += crier_rng_between(&rng, 0, 40);
            take_due(&w);
            break;
        case 3:
            set(&w, i, UINT64_MAX - crier_rng_between(&rng, 0, 3));
            break;
        default: /* often equal ones */
            set(&w, i, w.now + crier_rng_between(&rng, 0, 30));
            break;
        }
        crier_agenda_check(&w.agenda);
        check_timeout(&w);
    }
    crier_agenda_deinit(&w.agenda);
    assert_int_equal(mem.alive, 0);
}

/* Invariant: without memory it is as it was; what was taken out can be set again. */
static void without_memory(void **state)
{
    struct world w = {.now = 10};
    struct test_mem mem;
    int count = 0;

    test_mem_init(&mem, 2);
    mem.stay = true;
    crier_agenda_init(&w.agenda, &mem.mem);
    while (crier_agenda_set(&w.agenda, &w.appointments[count], 10) == 0) {
        w.set[count] = true;
        w.due[count] = 10;
        w.order[count] = ++w.orders;
        count++;
        assert_true(count < COUNT);
    }
    assert_true(count > 0);
    assert_int_equal(w.appointments[count].place, 0);
    crier_agenda_check(&w.agenda);
    set(&w, 0, 20); /* moving needs no memory */
    crier_agenda_check(&w.agenda);
    assert_ptr_equal(crier_agenda_next(&w.agenda, 10), &w.appointments[1]);
    w.set[1] = false;
    set(&w, 1, 30);
    take_due(&w);
    crier_agenda_deinit(&w.agenda);
    assert_int_equal(mem.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests_name("agenda", tests, NULL, NULL);
}
