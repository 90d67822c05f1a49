/* SPDX-License-Identifier: MIT */
/* The help, written from the option table: what an option is called, what it does, its default,
 * its variable. */
#include "cli/options.h"

enum { WIDTH = 100, COLUMN = 34 };

static void pad(struct crier_buf *buf, size_t line_start, size_t column)
{
    while (buf->len - line_start < column)
        crier_buf_byte(buf, ' ');
}

/* Appends text in lines of at most WIDTH columns from COLUMN on; the current line began at
 * line_start. */
static void append_wrapped(struct crier_buf *buf, struct crier_slice text, size_t line_start)
{
    bool first = true;

    if (buf->len - line_start > COLUMN - 2) {
        crier_buf_byte(buf, '\n');
        line_start = buf->len;
    }
    pad(buf, line_start, COLUMN);
    while (text.data) {
        struct crier_slice word = crier_slice_cut(&text, ' ');

        if (!first && buf->len - line_start + 1 + word.len > WIDTH) {
            crier_buf_byte(buf, '\n');
            line_start = buf->len;
            pad(buf, line_start, COLUMN);
            first = true;
        }
        if (!first)
            crier_buf_byte(buf, ' ');
        crier_buf_append(buf, word);
        first = false;
    }
    crier_buf_byte(buf, '\n');
}

static void append_names(struct crier_buf *buf, const struct crier_option *option)
{
    if (!option->name) {
        crier_buf_printf(buf, "      %s", option->env);
        return;
    }
    if (option->letter)
        crier_buf_printf(buf, "  -%c, --%s", option->letter, option->name);
    else
        crier_buf_printf(buf, "      --%s", option->name);
    if (option->argument)
        crier_buf_printf(buf, " %s", option->argument);
}

static void append_option(struct crier_buf *buf, const struct crier_option *option)
{
    struct crier_buf text;
    size_t line_start = buf->len;

    if (option->kind == CRIER_OPTION_HEADING) {
        crier_buf_printf(buf, "\n%s\n", option->help);
        return;
    }
    append_names(buf, option);
    crier_buf_init(&text, buf->mem);
    crier_buf_append(&text, crier_slice_of(option->help));
    if (option->repeat)
        crier_buf_append(&text, CRIER_SLICE(" (repeatable)"));
    if (option->fallback)
        crier_buf_printf(&text, " [default: %s]", option->fallback);
    if (option->name && option->env)
        crier_buf_printf(&text, " [%s]", option->env);
    append_wrapped(buf, crier_buf_slice(&text), line_start);
    crier_buf_deinit(&text);
}

void crier_options_help(struct crier_buf *buf, const struct crier_command *command)
{
    size_t line_start;

    crier_buf_printf(buf, "usage: %s\n\n%s\n", command->synopsis, command->about);
    if (command->options[0].kind != CRIER_OPTION_HEADING)
        crier_buf_byte(buf, '\n');
    for (size_t i = 0; i < command->option_count; i++)
        append_option(buf, &command->options[i]);
    line_start = buf->len;
    crier_buf_append(buf, CRIER_SLICE("  -h, --help"));
    append_wrapped(buf, CRIER_SLICE("show this and exit"), line_start);
    if (command->epilogue)
        crier_buf_printf(buf, "\n%s\n", command->epilogue);
}
