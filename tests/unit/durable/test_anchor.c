/* SPDX-License-Identifier: MIT */
/* DIR/synced: when the file is put back to its last synced state, and when not. */
#include "anchor_support.h"
#include <fcntl.h>

enum { HEAD = 16 + 36 + 16, SLOT = HEAD + 2 * 65536 + 8 };

static void shop_interval(struct shop *s)
{
    shop_init(s);
    s->sync = CRIER_SYNC_INTERVAL;
    shop_open(s);
}

/* The bytes of a file, for as long as the test runs. */
static void copy(const struct shop *s, const char *from, const char *to)
{
    char path[TEST_DIR + 20];
    char *bytes = malloc(8 << 20);

    assert_non_null(bytes);
    shop_path(s, from, path);
    int in = open(path, O_RDONLY);
    assert_true(in >= 0);
    ssize_t len = read(in, bytes, 8 << 20);
    close(in);
    shop_path(s, to, path);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(out, bytes, (size_t)len), len);
    close(out);
    free(bytes);
}

static void poke(const struct shop *s, off_t at, const char *bytes, size_t len)
{
    char path[TEST_DIR + 20];

    shop_path(s, "synced", path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    if (lseek(fd, 0, SEEK_END) > at)
        assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
    close(fd);
}

static void other_boot(const struct shop *s)
{
    char boot[37] = "00000000-0000-0000-0000-000000000000";

    for (int i = 0; i < 2; i++)
        poke(s, i * SLOT + 16, boot, 36);
}

static bool has_synced(const struct shop *s)
{
    char path[TEST_DIR + 20];

    shop_path(s, "synced", path);
    return access(path, F_OK) == 0;
}

/* The folder as a power cut, or a kill, leaves it. */
static void cut(struct shop *s)
{
    copy(s, "data.mdb", "cut");
    copy(s, "synced", "cut.synced");
    shop_close(s);
    copy(s, "cut", "data.mdb");
    copy(s, "cut.synced", "synced");
}

static uint64_t end_of(struct shop *s)
{
    shop_open(s);
    shop_verify(s);
    return crier_store_totals(s->store)->end;
}

static void closed_in_order(void **state)
{
    struct shop s;

    shop_interval(&s);
    assert_true(has_synced(&s));
    shop_publish(&s, "a");
    shop_close(&s);
    assert_false(has_synced(&s));
    assert_int_equal(end_of(&s), 1);
    shop_end(&s);
}

static void same_boot_keeps(void **state)
{
    struct shop s;

    shop_interval(&s);
    shop_publish(&s, "a");
    assert_int_equal(crier_store_sync(s.store), 0);
    shop_publish(&s, "a");
    cut(&s);
    assert_int_equal(end_of(&s), 2);
    shop_end(&s);
}

static void other_boot_puts_back(void **state)
{
    struct shop s;

    shop_interval(&s);
    shop_publish(&s, "a");
    assert_int_equal(crier_store_sync(s.store), 0);
    for (int i = 0; i < 50; i++)
        shop_publish(&s, "a");
    cut(&s);
    other_boot(&s);
    s.read_only = true;
    shop_refused(&s, -ESTALE);
    s.read_only = false;
    assert_int_equal(end_of(&s), 1);
    shop_end(&s);
}

/* Of two slots the whole one counts; of none, nothing is put back. (A slot is torn while it is
 * written: what the other one needs is there still.) */
static void torn(void **state)
{
    for (int slots = 1; slots <= 3; slots++) {
        struct shop s;

        shop_interval(&s); /* slot 1 */
        shop_publish(&s, "a");
        assert_int_equal(crier_store_sync(s.store), 0); /* slot 0 */
        cut(&s);
        other_boot(&s);
        for (int i = 0; i < 2; i++) {
            if (slots >> i & 1)
                poke(&s, i * SLOT + HEAD + 100, "torn", 4);
        }
        assert_int_equal(end_of(&s), slots == 1 ? 0 : 1);
        shop_end(&s);
    }
}

/* A file that was put in the place of the one that was synced is left as it is. */
static void another_file(void **state)
{
    struct shop s;

    shop_interval(&s);
    shop_publish(&s, "old");
    assert_int_equal(crier_store_sync(s.store), 0);
    copy(&s, "data.mdb", "backup");
    for (int i = 0; i < 30; i++) {
        shop_publish(&s, "new");
        assert_int_equal(crier_store_sync(s.store), 0);
    }
    cut(&s);
    other_boot(&s);
    copy(&s, "backup", "data.mdb");
    assert_int_equal(end_of(&s), 1);
    shop_end(&s);
}

/* Put back, then killed while the rules are put in force: the second time it is put back to what
 * the first start had synced, whose pages nobody has used again. */
static void killed_while_made_anew(void **state)
{
    struct shop s;

    shop_interval(&s);
    for (int i = 0; i < 40; i++)
        shop_publish(&s, i % 2 ? "a" : "b");
    cut(&s);
    other_boot(&s);
    shop_rule(&s, "a=1000");
    shop_open(&s);
    assert_true(has_synced(&s));
    cut(&s); /* never synced since it was opened */
    other_boot(&s);
    assert_int_equal(end_of(&s), 0); /* nothing was ever synced but the start */
    shop_end(&s);
}

static void other_syncs_remove_it(void **state)
{
    static const enum crier_sync syncs[] = {CRIER_SYNC_ALWAYS, CRIER_SYNC_NONE};

    for (int i = 0; i < 2; i++) {
        struct shop s;

        shop_interval(&s);
        shop_publish(&s, "a");
        cut(&s);
        s.sync = syncs[i];
        assert_int_equal(end_of(&s), 1);
        assert_false(has_synced(&s));
        shop_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_in_order),       cmocka_unit_test(same_boot_keeps),
        cmocka_unit_test(other_boot_puts_back),  cmocka_unit_test(torn),
        cmocka_unit_test(another_file),          cmocka_unit_test(killed_while_made_anew),
        cmocka_unit_test(other_syncs_remove_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
