/* SPDX-License-Identifier: MIT */
/* Name look-ups, with a resolver of our own in the place of the C library's: it answers, fails,
 * or hangs until it is let go. */
#include "client/lookup.h"
#include "crier/client.h"
#include "support.h"
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

/* What the resolver was told, and saw. */
static sem_t go_on; /* posted: a look-up that hangs answers */
static atomic_int asked, freed, unblocked;
static pthread_t asked_on;

static struct addrinfo *list_of(const char *port)
{
    struct sockaddr_in *address = calloc(1, sizeof(*address));
    struct addrinfo *list = calloc(1, sizeof(*list));

    assert_non_null(address);
    assert_non_null(list);
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *list = (struct addrinfo){.ai_family = AF_INET,
                              .ai_socktype = SOCK_STREAM,
                              .ai_addr = (struct sockaddr *)address,
                              .ai_addrlen = sizeof(*address)};
    return list;
}

static bool any_signal_unblocked(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM, SIGCHLD};
    sigset_t set;

    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        if (!sigismember(&set, signals[i]))
            return true;
    return false;
}

int getaddrinfo(const char *host,
                const char *port,
                const struct addrinfo *hints,
                struct addrinfo **ret)
{
    if (hints->ai_flags & AI_NUMERICHOST) {
        if (strcmp(host, "192.0.2.1") != 0)
            return EAI_NONAME;
        *ret = list_of(port);
        return 0;
    }
    asked_on = pthread_self();
    atomic_fetch_add(&unblocked, any_signal_unblocked());
    atomic_fetch_add(&asked, 1);
    if (strcmp(host, "hang.test") == 0)
        while (sem_wait(&go_on) < 0)
            continue;
    if (strcmp(host, "no.test") == 0)
        return EAI_AGAIN;
    *ret = list_of(port);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list->ai_addr);
    free(list);
    atomic_fetch_add(&freed, 1);
}

static int setup(void **state)
{
    atomic_store(&asked, 0);
    atomic_store(&freed, 0);
    atomic_store(&unblocked, 0);
    return sem_init(&go_on, 0, 0);
}

/* As crier_lookup_take, when it is there. */
static int take(struct crier_lookup *lookup, struct addrinfo **ret_list, const char **ret_fault)
{
    struct pollfd p = {.fd = crier_lookup_fd(lookup), .events = POLLIN};

    if (p.fd >= 0)
        assert_int_equal(poll(&p, 1, 10000), 1);
    return crier_lookup_take(lookup, ret_list, ret_fault);
}

/* Waits until the resolver was asked, or lists were freed, so often. */
static void wait_for(atomic_int *count, int wanted)
{
    for (int i = 0; atomic_load(count) < wanted; i++) {
        assert_true(i < 10000);
        (void)poll(NULL, 0, 1);
    }
}

/* A name is looked up on another thread, whose signals are blocked, those of ours are not. */
static void test_name(void **state)
{
    struct crier_lookup lookup;
    struct addrinfo *list = NULL;
    const char *fault = NULL;

    crier_lookup_init(&lookup);
    assert_int_equal(crier_lookup_fd(&lookup), -1);
    assert_int_equal(crier_lookup_start(&lookup, CRIER_SLICE("yes.test:"), 80, &fault), 0);
    assert_true(any_signal_unblocked());
    assert_int_equal(take(&lookup, &list, &fault), 0);
    assert_false(pthread_equal(asked_on, pthread_self()));
    assert_int_equal(atomic_load(&unblocked), 0);
    assert_int_equal(((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_port,
                     htons(80));
    assert_int_equal(crier_lookup_fd(&lookup), -1);
    freeaddrinfo(list);
    crier_lookup_deinit(&lookup);
}

/* An address needs no thread, and is there at once. */
static void test_address(void **state)
{
    struct crier_lookup lookup;
    struct addrinfo *list = NULL;
    const char *fault = NULL;

    crier_lookup_init(&lookup);
    assert_int_equal(crier_lookup_start(&lookup, CRIER_SLICE("192.0.2.1"), 80, &fault), 0);
    assert_int_equal(crier_lookup_fd(&lookup), -1);
    assert_int_equal(crier_lookup_take(&lookup, &list, &fault), 0);
    assert_non_null(list);
    freeaddrinfo(list);
    assert_int_equal(crier_lookup_start(&lookup, CRIER_SLICE("192.0.2.1"), 80, &fault), 0);
    crier_lookup_deinit(&lookup);
    crier_lookup_deinit(&lookup);
    assert_int_equal(atomic_load(&freed), 2);
    assert_int_equal(atomic_load(&asked), 0);
}

/* A failure is told in words, and leaves the result alone. */
static void test_failure(void **state)
{
    struct crier_lookup lookup;
    struct addrinfo *list = NULL;
    const char *fault = NULL;

    crier_lookup_init(&lookup);
    assert_int_equal(crier_lookup_start(&lookup, CRIER_SLICE("no.test"), 80, &fault), 0);
    assert_int_equal(take(&lookup, &list, &fault), -ENOENT);
    assert_string_equal(fault, gai_strerror(EAI_AGAIN));
    assert_null(list);
    crier_lookup_deinit(&lookup);
}

/* One that hangs is abandoned at once; what it finds later is freed by its thread. */
static void test_abandoned(void **state)
{
    struct crier_lookup lookup;
    struct addrinfo *list = NULL;
    const char *fault = NULL;

    crier_lookup_init(&lookup);
    assert_int_equal(crier_lookup_start(&lookup, CRIER_SLICE("hang.test"), 80, &fault), 0);
    wait_for(&asked, 1);
    assert_int_equal(crier_lookup_take(&lookup, &list, &fault), CRIER_LOOKUP_WAIT);
    crier_lookup_deinit(&lookup);
    assert_int_equal(crier_lookup_fd(&lookup), -1);
    assert_int_equal(atomic_load(&freed), 0);
    assert_int_equal(sem_post(&go_on), 0);
    wait_for(&freed, 1);
}

static struct crier_now now;

static struct crier_now read_now(void *ctx)
{
    return now;
}

static int note_down(struct crier_client *client, const struct crier_down *down, void *ctx)
{
    *(struct crier_down *)ctx = *down;
    return CRIER_DECIDE_DEFAULT;
}

/* A client never waits for a look-up that hangs: neither stepping, nor when it gives it up, nor
 * when it is freed, after which its allocator is not used. */
static void test_client(void **state)
{
    struct crier_clock clock = {read_now, NULL};
    struct crier_down down = {.status = 0};
    struct crier_client *client;
    struct test_mem mem;

    test_mem_init(&mem, 0);
    now = (struct crier_now){1000, 1000};
    client = crier_client_new(.url = "http://hang.test/", .mem = &mem.mem, .clock = &clock,
                              .proxy = "", .on_down = note_down, .ctx = &down);
    assert_non_null(client);
    assert_int_equal(crier_client_step(client), 0);
    wait_for(&asked, 1);
    assert_int_equal(crier_client_timeout(client), 10000);
    now.boot_ms += 9999;
    assert_int_equal(crier_client_step(client), 0);
    assert_int_equal(down.kind, 0);
    now.boot_ms += 1;
    assert_int_equal(crier_client_step(client), 0);
    assert_int_equal(down.kind, CRIER_DOWN_UNREACHABLE);
    assert_true(down.will_retry);
    assert_string_equal(crier_client_reason(client),
                        "cannot look up the host hang.test: no answer from the name server");
    now.boot_ms += 30000;
    assert_int_equal(crier_client_step(client), 0);
    wait_for(&asked, 2);
    assert_null(crier_client_free(client));
    assert_int_equal(mem.alive, 0);
    mem.fail_at = mem.calls + 1; /* a use after this would be a failure */
    assert_int_equal(sem_post(&go_on), 0);
    assert_int_equal(sem_post(&go_on), 0);
    wait_for(&freed, 2);
    assert_false(mem.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_name, setup),
        cmocka_unit_test_setup(test_address, setup),
        cmocka_unit_test_setup(test_failure, setup),
        cmocka_unit_test_setup(test_abandoned, setup),
        cmocka_unit_test_setup(test_client, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
