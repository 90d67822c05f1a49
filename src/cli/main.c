/* SPDX-License-Identifier: MIT */
/* crier: which command? */
#include "cli/command.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const struct crier_command *command;
    int (*main)(int argc, char **argv);
} commands[] = {
    {&crier_serve_command, crier_serve_main},
    {&crier_pub_command, crier_pub_main},
    {&crier_sub_command, crier_sub_main},
    {&crier_journal_command, crier_journal_main},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void show_usage(FILE *file)
{
    (void)fputs("crier " CRIER_VERSION
                ": a Server-Sent Events hub\n\nusage: crier COMMAND [options]\n\n",
                file);
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(file, "  crier %-8s%s\n", commands[i].command->name,
                      commands[i].command->summary);
    (void)fputs("\n  crier COMMAND --help   what a command can do\n"
                "  crier --version        show the version\n\n"
                "Try it:\n\n"
                "  crier serve                  # listens on localhost:8080\n"
                "  crier sub news               # in a second terminal\n"
                "  crier pub news 'hello'       # in a third\n",
                file);
}

static int unknown_command(const char *name)
{
    const char *names[COMMANDS];
    const char *near;

    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].command->name;
    near = crier_options_near(crier_slice_of(name), names, COMMANDS);
    if (near)
        (void)fprintf(stderr,
                      "crier: unknown command %s, did you mean %s? (crier --help lists them)\n",
                      name, near);
    else
        (void)fprintf(stderr, "crier: unknown command %s (crier --help lists them)\n", name);
    return CRIER_EXIT_USAGE;
}

static int run(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].command->name) == 0)
            return commands[i].main(argc, argv);
    return unknown_command(name);
}

/* Where a standard descriptor is closed the next one opened would take its place: what is meant
 * for standard error would go to a server. The lowest free one is what open gives. */
static void fill_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    fill_descriptors();
    /* A closed pipe or connection is an error of the write that meets it. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (!word) {
        show_usage(stderr);
        return CRIER_EXIT_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        char help[] = "--help", *only[] = {help, NULL};

        if (argc > 2)
            return run(argv[2], 1, only);
        show_usage(stdout);
        return CRIER_EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        (void)puts("crier " CRIER_VERSION);
        return CRIER_EXIT_DONE;
    }
    return run(word, argc - 2, argv + 2);
}
