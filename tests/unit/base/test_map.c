/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"

enum { KEYS = 300 };

struct thing {
    struct crier_map_node node;
    unsigned key;
    bool in_map;
};

/* Few hashes for many keys: chains and equal hashes are the normal case here. */
static uint64_t hash_of(unsigned key)
{
    return (key % 97) * UINT64_C(0x100000001);
}

static struct thing *find(const struct crier_map *map, unsigned key)
{
    for (struct crier_map_node *n = crier_map_first(map, hash_of(key)); n;
         n = crier_map_next(n)) {
        struct thing *thing = CRIER_CONTAINER(n, struct thing, node);

        if (thing->key == key)
            return thing;
    }
    return NULL;
}

static void check(const struct crier_map *map, const struct thing *things, size_t count)
{
    bool seen[KEYS] = {false};
    size_t walked = 0;

    for (struct crier_map_node *n = crier_map_walk(map, NULL); n; n = crier_map_walk(map, n)) {
        struct thing *thing = CRIER_CONTAINER(n, struct thing, node);

        assert_true(thing->in_map);
        assert_false(seen[thing->key]);
        seen[thing->key] = true;
        walked++;
    }
    assert_int_equal(walked, count);
    assert_int_equal(map->count, count);
    for (unsigned key = 0; key < KEYS; key++)
        assert_ptr_equal(find(map, key), things[key].in_map ? &things[key] : NULL);
}

static void random_operations(struct crier_map *map, struct crier_rng *rng, int rounds)
{
    struct thing things[KEYS] = {0};
    size_t count = 0;

    for (int round = 0; round < rounds; round++) {
        unsigned key = (unsigned)crier_rng_between(rng, 0, KEYS - 1);

        if (things[key].in_map) {
            crier_map_remove(map, &things[key].node);
            things[key].in_map = false;
            count--;
        } else {
            things[key].key = key;
            assert_int_equal(crier_map_insert(map, &things[key].node, hash_of(key)), 0);
            things[key].in_map = true;
            count++;
        }
        check(map, things, count);
    }
}

/* Invariant: the map holds exactly what was inserted and not removed (against an array of
 * flags), each node once in a walk. */
static void against_model(void **state)
{
    struct crier_rng rng = {test_seed("against_model")};
    struct test_mem t;
    struct crier_map map;

    test_mem_init(&t, 0);
    crier_map_init(&map, &t.mem);
    assert_null(crier_map_first(&map, 1));
    assert_null(crier_map_walk(&map, NULL));
    random_operations(&map, &rng, 3000);
    crier_map_deinit(&map);
    crier_map_deinit(&map);
    assert_int_equal(t.alive, 0);
}

/* Invariant: only the first insertion can fail; a table that cannot grow still holds all. */
static void out_of_memory(void **state)
{
    struct crier_rng rng = {test_seed("out_of_memory")};
    struct thing thing = {0};
    struct test_mem t;
    struct crier_map map;

    test_mem_init(&t, 1);
    crier_map_init(&map, &t.mem);
    assert_int_equal(crier_map_insert(&map, &thing.node, 5), -ENOMEM);
    assert_int_equal(map.count, 0);
    assert_null(crier_map_first(&map, 5));

    for (size_t nth = 2; nth < 5; nth++) {
        test_mem_init(&t, nth);
        t.stay = true;
        crier_map_init(&map, &t.mem);
        random_operations(&map, &rng, 500);
        assert_true(t.failed);
        crier_map_deinit(&map);
        assert_int_equal(t.alive, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_model),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
