/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/list.h"
#include "base/rng.h"
#include "base/tree.h"

enum { KEYS = 200, PRIORITIES = 50 };

struct thing {
    struct crier_tree_node node;
    char text[8];
    struct crier_slice key;
    bool in_tree;
};

/* Keys "", "b", "ba", "bb", ...: prefixes of each other, sorted as the array is. */
static void make_keys(struct thing *things)
{
    for (int i = 0; i < KEYS; i++) {
        int len = i == 0 ? 0 : snprintf(things[i].text, sizeof(things[i].text), "%03d", i);

        if (i % 10 == 0 && len > 0)
            len--; /* "010" becomes "01", still between "009" and "011" */
        things[i].key = (struct crier_slice){things[i].text, (size_t)len};
        assert_true(i == 0 || crier_slice_cmp(things[i - 1].key, things[i].key) < 0);
    }
}

/* The first thing in the tree from index `from` on: what at_least and after should find. */
static struct crier_tree_node *model_from(struct thing *things, int from)
{
    for (int i = from; i < KEYS; i++) {
        if (things[i].in_tree)
            return &things[i].node;
    }
    return NULL;
}

static void check_lookups(const struct crier_tree *tree, struct thing *things, int i)
{
    struct crier_slice key = things[i].key;

    assert_ptr_equal(crier_tree_find(tree, key), things[i].in_tree ? &things[i].node : NULL);
    assert_ptr_equal(crier_tree_at_least(tree, key), model_from(things, i));
    assert_ptr_equal(crier_tree_after(tree, key), model_from(things, i + 1));
    if (things[i].in_tree)
        assert_ptr_equal(crier_tree_next(&things[i].node), model_from(things, i + 1));
}

/* Invariant: order, heap and links hold after each operation (crier_tree_check), and lookups
 * agree with a sorted array of flags. Few priorities, so that ties happen. */
static void against_model(void **state)
{
    struct crier_rng rng = {test_seed("against_model")};
    static struct thing things[KEYS];
    struct crier_tree tree = {0};
    size_t count = 0;

    make_keys(things);
    crier_tree_check(&tree);
    assert_null(crier_tree_at_least(&tree, (struct crier_slice){NULL, 0}));
    for (int round = 0; round < 5000; round++) {
        /* In the second half more leaves than comes, so that it gets empty now and then. */
        int i = (int)crier_rng_between(&rng, 0, round < 2500 ? KEYS - 1 : KEYS / 40);

        if (things[i].in_tree) {
            crier_tree_remove(&tree, &things[i].node);
            count--;
        } else {
            crier_tree_insert(&tree, &things[i].node, things[i].key,
                              crier_rng_between(&rng, 1, PRIORITIES));
            count++;
        }
        things[i].in_tree = !things[i].in_tree;
        assert_int_equal(tree.count, count);
        crier_tree_check(&tree);
        check_lookups(&tree, things, i);
        check_lookups(&tree, things, (int)crier_rng_between(&rng, 0, KEYS - 1));
    }
}

static int depth(const struct crier_tree_node *node)
{
    int left, right;

    if (!node)
        return 0;
    left = depth(node->left);
    right = depth(node->right);
    return 1 + (left > right ? left : right);
}

/* Invariant: keys that come in order, the worst case of a plain search tree, make no list. */
static void ascending_keys(void **state)
{
    struct crier_rng rng = {test_seed("ascending_keys")};
    static struct thing things[900];
    struct crier_tree tree = {0};

    for (int i = 0; i < 900; i++) {
        snprintf(things[i].text, sizeof(things[i].text), "%04d", i);
        crier_tree_insert(&tree, &things[i].node, crier_slice_of(things[i].text),
                          crier_rng_next(&rng));
    }
    crier_tree_check(&tree);
    assert_in_range(depth(tree.root), 10, 60);
    while (tree.root)
        crier_tree_remove(&tree, tree.root);
    assert_int_equal(tree.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_model),
        cmocka_unit_test(ascending_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
