/* SPDX-License-Identifier: MIT */
/*
 * What one delivery costs the server's CPU, beside the floor, in one run:
 *
 *     fanout CRIER [STREAMS [RATE [SECONDS [ROUNDS]]]]        (1000, 100/s, 5 s, 3 rounds)
 *
 * Two servers run on core 0: `CRIER serve --workers 1`, and the floor, a bare loop of send() over as many sockets. This
 * program runs on core 1: it publishes (one request an event, on one kept connection), reads all streams, and checks that each got every event
 * once and in order. Rounds are interleaved: crier, floor, crier, floor. CPU is the server's own run time in nanoseconds
 * (schedstat), without the run of the floor's sockets being set up.
 *
 * Both listeners use the same congestion control (named in the output); loopback only.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 100 };
static const char *const congestion = "cubic";

struct sink {
    int fd;
    bool checked; /* a stream of crier: look at the data */
    char line[512];
    size_t line_len;
    uint64_t next; /* the number it must get next */
    uint64_t bytes;
};

static void die(const char *what)
{
    fprintf(stderr, "fanout: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* Run time of all threads of a process, in nanoseconds. */
static uint64_t cpu_ns(pid_t pid)
{
    char path[600];
    uint64_t sum = 0;
    struct dirent *e;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    dir = opendir(path);
    if (!dir)
        die("the server is gone");
    while ((e = readdir(dir)) != NULL) {
        unsigned long long run = 0;
        FILE *f;

        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, e->d_name);
        f = fopen(path, "r");
        if (f && fscanf(f, "%llu", &run) == 1)
            sum += run;
        if (f)
            fclose(f);
    }
    closedir(dir);
    return sum;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int dial(int port)
{
    struct sockaddr_in a = loopback(port);
    int one = 1;

    for (int tries = 0; tries < 500; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (fd < 0)
            die("socket");
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            return fd;
        }
        close(fd);
        usleep(10000); /* the server is starting */
    }
    die("connect");
    return -1;
}

static int port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);

    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        die("port");
    return ntohs(a.sin_port);
}

static int free_port(void)
{
    struct sockaddr_in a = loopback(0);
    int fd = socket(AF_INET, SOCK_STREAM, 0), port;

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        die("port");
    port = port_of(fd);
    close(fd);
    return port;
}

/* The floor: accepts `streams` sockets, then at each byte on `control` sends `size` bytes to all. */
static pid_t start_floor(int streams, size_t size, int *port, int *control)
{
    int pipes[2], one = 1;
    struct sockaddr_in a = loopback(0);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pid_t pid;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, congestion,
               (socklen_t)strlen(congestion));
    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 4096) < 0 ||
        pipe(pipes) < 0)
        die("floor");
    *port = port_of(listener);
    pid = fork();
    if (pid == 0) {
        int *fds = calloc((size_t)streams, sizeof(int));
        char *bytes = malloc(size), byte;

        pin(0);
        close(pipes[1]);
        memset(bytes, 'x', size);
        for (int i = 0; i < streams; i++) {
            fds[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        }
        while (read(pipes[0], &byte, 1) == 1) {
            for (int i = 0; i < streams; i++) {
                if (send(fds[i], bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
                    _exit(3);
            }
        }
        _exit(0);
    }
    close(listener);
    close(pipes[0]);
    *control = pipes[1];
    return pid;
}

static pid_t start_crier(const char *binary, int port)
{
    pid_t pid = fork();

    if (pid == 0) {
        char listen[64];
        int null = open("/dev/null", O_WRONLY);

        pin(0);
        dup2(null, STDERR_FILENO);
        snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
        execl(binary, binary, "serve", "--workers", "1", "--listen", listen,
              "--max-connections-per-address", "100000", "--congestion", congestion,
              (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void open_stream(struct sink *s, int port)
{
    const char *request = "GET /events/bench?connected=0 HTTP/1.1\r\nHost: "
                          "localhost\r\nAccept: text/event-stream\r\n\r\n";
    char head[2048];
    size_t len = 0;

    s->fd = dial(port);
    s->checked = true;
    if (write(s->fd, request, strlen(request)) < 0)
        die("request");
    /* Up to the opening's retry line: from there on only events come. */
    while (len < sizeof(head) - 1) {
        ssize_t n = read(s->fd, head + len, 1);

        if (n != 1)
            die("head of a stream");
        head[++len] = 0;
        if (len > 8 && strstr(head + (len > 40 ? len - 40 : 0), "retry: ") &&
            head[len - 1] == '\n')
            break;
    }
    if (read(s->fd, head, 2) != 2) /* the chunk's CRLF */
        die("head of a stream");
}

static void take_line(struct sink *s)
{
    if (s->line_len > 6 && memcmp(s->line, "data: ", 6) == 0) {
        uint64_t n = strtoull(s->line + 6, NULL, 10);

        if (n != s->next) {
            fprintf(stderr, "fanout: a stream got event %llu where %llu was due\n",
                    (unsigned long long)n, (unsigned long long)s->next);
            exit(1);
        }
        s->next++;
    }
    s->line_len = 0;
}

static void drain(struct sink *s)
{
    char buf[65536];
    ssize_t n;

    while ((n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
        s->bytes += (uint64_t)n;
        for (ssize_t i = 0; s->checked && i < n; i++) {
            if (buf[i] == '\n')
                take_line(s);
            else if (s->line_len < sizeof(s->line) - 1)
                s->line[s->line_len++] = buf[i], s->line[s->line_len] = 0;
        }
        if (n < (ssize_t)sizeof(buf))
            return;
    }
    if (n == 0) {
        fprintf(stderr, "fanout: a stream was closed\n");
        exit(1);
    }
}

static void pump(int ep, int timeout_ms)
{
    struct epoll_event events[512];
    int n;

    while ((n = epoll_wait(ep, events, 512, timeout_ms)) > 0) {
        for (int i = 0; i < n; i++)
            drain(events[i].data.ptr);
        timeout_ms = 0;
    }
}

static void publish(int fd, uint64_t number)
{
    char data[DATA + 1], request[512], answer[1024];
    int len;

    memset(data, '.', DATA);
    data[DATA] = 0;
    len = snprintf(data, sizeof(data), "%llu ", (unsigned long long)number);
    data[len] = '.';
    len = snprintf(
        request, sizeof(request),
        "POST /events/bench HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", DATA,
        data);
    if (write(fd, request, (size_t)len) != len || read(fd, answer, sizeof(answer)) <= 0 ||
        !strstr(answer, "201"))
        die("publish");
}

/* One round: `count` events at `rate`, all read. Returns the server's CPU for it. */
static uint64_t
run_round(pid_t server, int ep, int publisher, int control, uint64_t first, int count, int rate)
{
    uint64_t cpu = cpu_ns(server), start = now_ns();

    for (int i = 0; i < count; i++) {
        uint64_t due = start + (uint64_t)i * 1000000000u / (uint64_t)rate;

        while (now_ns() < due)
            pump(ep, 1);
        if (control >= 0) {
            if (write(control, "x", 1) != 1)
                die("floor");
        } else {
            publish(publisher, first + (uint64_t)i);
        }
        pump(ep, 0);
    }
    for (int i = 0; i < 200; i++)
        pump(ep, 1);
    return cpu_ns(server) - cpu;
}

struct bench {
    const char *binary;
    int streams, rate, seconds, rounds;
    struct sink *sinks; /* the first half follows crier, the other the floor */
    int crier_port, floor_port, crier_poll, floor_poll;
    int control, publisher;
    pid_t crier, floor;
    uint64_t next; /* number of the next event */
};

static int number(const char *text, int most)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (*end || n < 1 || n > most) {
        fprintf(stderr, "fanout: '%s' is no number from 1 to %d\n", text, most);
        exit(2);
    }
    return (int)n;
}

static void read_arguments(struct bench *b, int argc, char **argv)
{
    if (argc < 2 || argc > 6) {
        fprintf(stderr, "usage: fanout CRIER [STREAMS [RATE [SECONDS [ROUNDS]]]]\n");
        exit(2);
    }
    b->binary = argv[1];
    b->streams = argc > 2 ? number(argv[2], 9000) : 1000;
    b->rate = argc > 3 ? number(argv[3], 100000) : 100;
    b->seconds = argc > 4 ? number(argv[4], 60) : 5;
    b->rounds = argc > 5 ? number(argv[5], 100) : 3;
}

static void start(struct bench *b)
{
    /* Chunk head, id line, data line, blank line, chunk end. */
    size_t size = 10 + 26 + 6 + DATA + 2 + 2;

    b->crier_port = free_port();
    b->crier = start_crier(b->binary, b->crier_port);
    b->floor = start_floor(b->streams, size, &b->floor_port, &b->control);
    pin(1);
    b->sinks = calloc((size_t)b->streams * 2, sizeof(*b->sinks));
    b->crier_poll = epoll_create1(0);
    b->floor_poll = epoll_create1(0);
    if (!b->sinks || b->crier_poll < 0 || b->floor_poll < 0)
        die("start");
    for (int i = 0; i < b->streams * 2; i++) {
        struct sink *s = &b->sinks[i];
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};

        if (i < b->streams)
            open_stream(s, b->crier_port);
        else
            s->fd = dial(b->floor_port);
        epoll_ctl(i < b->streams ? b->crier_poll : b->floor_poll, EPOLL_CTL_ADD, s->fd, &e);
    }
    b->publisher = dial(b->crier_port);
}

static void run(struct bench *b)
{
    int count = b->rate * b->seconds;
    double sum_crier = 0, sum_floor = 0, deliveries = (double)count * b->streams;

    for (int r = 0; r < b->rounds; r++) {
        double crier = (double)run_round(b->crier, b->crier_poll, b->publisher, -1, b->next,
                                         count, b->rate) /
                       deliveries / 1000;
        double floor =
            (double)run_round(b->floor, b->floor_poll, -1, b->control, 0, count, b->rate) /
            deliveries / 1000;

        b->next += (uint64_t)count;
        printf("round %d: crier %.2f us a delivery, floor %.2f us, ratio %.3f\n", r + 1, crier,
               floor, crier / floor);
        sum_crier += crier;
        sum_floor += floor;
    }
    printf("mean: crier %.2f us, floor %.2f us, ratio %.3f\n", sum_crier / b->rounds,
           sum_floor / b->rounds, sum_crier / sum_floor);
}

static int check(const struct bench *b)
{
    for (int i = 0; i < b->streams; i++) {
        if (b->sinks[i].next != b->next) {
            fprintf(stderr, "fanout: stream %d has %llu of %llu events\n", i,
                    (unsigned long long)b->sinks[i].next, (unsigned long long)b->next);
            return 1;
        }
    }
    printf("all %d streams have all %llu events, in order\n", b->streams,
           (unsigned long long)b->next);
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    int status;

    read_arguments(&b, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    start(&b);
    printf("streams %d, %d events/s of %d B, %d s a round, congestion control %s\n", b.streams,
           b.rate, DATA, b.seconds, congestion);
    run(&b);
    status = check(&b);
    kill(b.crier, SIGTERM);
    close(b.control);
    waitpid(b.crier, NULL, 0);
    waitpid(b.floor, NULL, 0);
    return status;
}
