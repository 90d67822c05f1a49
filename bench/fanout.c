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

enum { DATA = 100, PORT_CRIER = 18480, PORT_FLOOR = 18481 };
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
    CPU_SET(core, &set);
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

/* The floor: accepts `streams` sockets, then at each byte on `control` sends `size` bytes to all. */
static pid_t start_floor(int streams, size_t size, int *control)
{
    int pipes[2], one = 1;
    struct sockaddr_in a = loopback(PORT_FLOOR);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pid_t pid;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, congestion,
               (socklen_t)strlen(congestion));
    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 4096) < 0 ||
        pipe(pipes) < 0)
        die("floor");
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

static pid_t start_crier(const char *binary)
{
    pid_t pid = fork();

    if (pid == 0) {
        char listen[64];
        int null = open("/dev/null", O_WRONLY);

        pin(0);
        dup2(null, STDERR_FILENO);
        snprintf(listen, sizeof(listen), "127.0.0.1:%d", PORT_CRIER);
        execl(binary, binary, "serve", "--workers", "1", "--listen", listen,
              "--max-connections-per-address", "100000", "--congestion", congestion,
              (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void open_stream(struct sink *s)
{
    const char *request = "GET /events/bench?connected=0 HTTP/1.1\r\nHost: "
                          "localhost\r\nAccept: text/event-stream\r\n\r\n";
    char head[2048];
    size_t len = 0;

    s->fd = dial(PORT_CRIER);
    s->checked = true;
    if (write(s->fd, request, strlen(request)) < 0)
        die("request");
    /* Up to the opening's retry line: from there on only events come. */
    while (len < sizeof(head) - 1) {
        ssize_t n = read(s->fd, head + len, 1);

        if (n != 1)
            die("head of a stream");
        head[++len - 1 + 1] = 0;
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

int main(int argc, char **argv)
{
    int streams = argc > 2 ? atoi(argv[2]) : 1000, rate = argc > 3 ? atoi(argv[3]) : 100;
    int seconds = argc > 4 ? atoi(argv[4]) : 5, rounds = argc > 5 ? atoi(argv[5]) : 3;
    int count = rate * seconds, control, publisher, crier_ep = epoll_create1(0),
        floor_ep = epoll_create1(0);
    struct sink *sinks = calloc((size_t)streams * 2, sizeof(*sinks));
    pid_t crier, floor_pid;
    size_t size =
        10 + 26 + 6 + DATA + 2 + 2; /* chunk head, id line, data line, blank line, chunk end */
    double sum_crier = 0, sum_floor = 0;
    uint64_t next = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: fanout CRIER [STREAMS [RATE [SECONDS [ROUNDS]]]]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    crier = start_crier(argv[1]);
    floor_pid = start_floor(streams, size, &control);
    pin(1);
    for (int i = 0; i < streams * 2; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &sinks[i]};

        if (i < streams)
            open_stream(&sinks[i]);
        else
            sinks[i].fd = dial(PORT_FLOOR);
        epoll_ctl(i < streams ? crier_ep : floor_ep, EPOLL_CTL_ADD, sinks[i].fd, &e);
    }
    publisher = dial(PORT_CRIER);
    printf("streams %d, %d events/s of %d B, %d s a round, congestion control %s\n", streams,
           rate, DATA, seconds, congestion);
    for (int r = 0; r < rounds; r++) {
        double a, b;

        a = (double)run_round(crier, crier_ep, publisher, -1, next, count, rate) / count /
            streams;
        next += (uint64_t)count;
        b = (double)run_round(floor_pid, floor_ep, -1, control, 0, count, rate) / count /
            streams;
        printf("round %d: crier %.2f us a delivery, floor %.2f us, ratio %.3f\n", r + 1,
               a / 1000, b / 1000, a / b);
        sum_crier += a;
        sum_floor += b;
    }
    for (int i = 0; i < streams; i++) {
        if (sinks[i].next != next) {
            fprintf(stderr, "fanout: stream %d has %llu of %llu events\n", i,
                    (unsigned long long)sinks[i].next, (unsigned long long)next);
            return 1;
        }
    }
    printf("all %d streams have all %llu events, in order\n", streams,
           (unsigned long long)next);
    printf("mean: crier %.2f us, floor %.2f us, ratio %.3f\n", sum_crier / rounds / 1000,
           sum_floor / rounds / 1000, sum_crier / sum_floor);
    kill(crier, SIGTERM);
    close(control);
    waitpid(crier, NULL, 0);
    waitpid(floor_pid, NULL, 0);
    return 0;
}
