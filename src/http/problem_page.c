/* SPDX-License-Identifier: MIT */
/*
 * The page at /-/problems/<slug>. Its style comes from web/problem.css at build time, together
 * with the policy that names its hash: a browser that finds one byte changed drops the style.
 */
#include "http/problem.h"

#include "http/response.h"
#include "problem_style.h"

static void append_html(struct crier_buf *buf, struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case '&':
            crier_buf_append(buf, CRIER_SLICE("&amp;"));
            break;
        case '<':
            crier_buf_append(buf, CRIER_SLICE("&lt;"));
            break;
        case '>':
            crier_buf_append(buf, CRIER_SLICE("&gt;"));
            break;
        default:
            crier_buf_byte(buf, text.data[i]);
        }
    }
}

static void
append_section(struct crier_buf *buf, struct crier_slice heading, struct crier_slice text)
{
    crier_buf_append(buf, CRIER_SLICE("<h2>"));
    append_html(buf, heading);
    crier_buf_append(buf, CRIER_SLICE("</h2>\n<p>"));
    append_html(buf, text);
    crier_buf_append(buf, CRIER_SLICE("</p>\n"));
}

static void append_head(struct crier_buf *buf, struct crier_slice title)
{
    crier_buf_append(buf,
                     CRIER_SLICE("<!doctype html>\n<html lang=\"en\">\n<head>\n"
                                 "<meta charset=\"utf-8\">\n"
                                 "<meta name=\"viewport\" content=\"width=device-width\">\n"
                                 "<title>"));
    append_html(buf, title);
    crier_buf_append(buf, CRIER_SLICE(" - Crier</title>\n<style>" CRIER_PROBLEM_STYLE
                                      "</style>\n</head>\n"));
}

void crier_problem_page(struct crier_buf *buf, enum crier_problem problem)
{
    unsigned status = crier_problem_status(problem);

    append_head(buf, crier_problem_title(problem));
    crier_buf_append(buf, CRIER_SLICE("<body>\n<h1>"));
    append_html(buf, crier_problem_title(problem));
    crier_buf_append(buf, CRIER_SLICE("</h1>\n<p>Code <code>"));
    crier_buf_append(buf, crier_problem_slug(problem));
    crier_buf_append(buf, CRIER_SLICE("</code>, status "));
    crier_buf_u64(buf, status);
    crier_buf_byte(buf, ' ');
    append_html(buf, crier_slice_of(crier_status_reason(status)));
    crier_buf_append(buf, CRIER_SLICE("</p>\n"));
    append_section(buf, CRIER_SLICE("What it means"), crier_problem_meaning(problem));
    append_section(buf, CRIER_SLICE("Likely causes"), crier_problem_causes(problem));
    append_section(buf, CRIER_SLICE("What to do"), crier_problem_remedy(problem));
    crier_buf_append(buf, CRIER_SLICE("</body>\n</html>\n"));
}

const char *crier_problem_page_csp(void)
{
    return CRIER_PROBLEM_CSP;
}
