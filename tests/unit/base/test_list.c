/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/list.h"
#include "base/rng.h"

enum { NODES = 12 };

struct thing {
    int number;
    struct crier_list node;
};

static void check(const struct crier_list *head, const int *model, size_t count)
{
    size_t i = 0;

    crier_list_for_each (node, head) {
        assert_true(i < count);
        assert_int_equal(CRIER_CONTAINER(node, struct thing, node)->number, model[i]);
        assert_ptr_equal(node->next->prev, node);
        i++;
    }
    assert_int_equal(i, count);
    assert_int_equal(crier_list_empty(head), count == 0);
}

/* Invariant: a list is its nodes in the order they were pushed (against an array). */
static void against_model(void **state)
{
    struct crier_rng rng = {test_seed("against_model")};
    struct thing things[NODES];
    struct crier_list head;
    int model[NODES];
    size_t count = 0;

    crier_list_init(&head);
    for (int i = 0; i < NODES; i++) {
        things[i].number = i;
        crier_list_init(&things[i].node);
    }
    for (int round = 0; round < 20000; round++) {
        struct thing *thing = &things[crier_rng_between(&rng, 0, NODES - 1)];

        if (crier_list_empty(&thing->node)) {
            crier_list_push_back(&head, &thing->node);
            model[count++] = thing->number;
        } else {
            size_t at = 0;

            crier_list_remove(&thing->node);
            while (model[at] != thing->number)
                at++;
            count--;
            memmove(model + at, model + at + 1, (count - at) * sizeof(model[0]));
        }
        check(&head, model, count);
    }
}

/* Invariant: splice empties `from` behind the nodes of `to`; the safe walk may unlink. */
static void splice(void **state)
{
    static const int all[] = {0, 1, 2, 3}, even[] = {0, 2};
    struct thing things[4];
    struct crier_list to, from;

    crier_list_init(&to);
    crier_list_init(&from);
    crier_list_splice(&to, &from);
    check(&to, NULL, 0);
    for (int i = 0; i < 4; i++) {
        things[i].number = i;
        crier_list_push_back(i < 2 ? &to : &from, &things[i].node);
    }
    crier_list_splice(&to, &from);
    check(&to, all, 4);
    check(&from, NULL, 0);
    crier_list_for_each_safe (node, &to) {
        if (CRIER_CONTAINER(node, struct thing, node)->number % 2)
            crier_list_remove(node);
    }
    check(&to, even, 2);
    crier_list_splice(&from, &to);
    check(&from, even, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_model),
        cmocka_unit_test(splice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
