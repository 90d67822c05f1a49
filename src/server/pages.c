/* SPDX-License-Identifier: MIT */
/* The pages: the live page (web/, put together at build time) and the explanations of
 * problems. */
#include "server/pages.h"
#include "http/response.h"
#include "live_page.h"

static void answer_page(struct crier_exchange *ex, struct crier_slice body, const char *csp)
{
    struct crier_buf headers;

    crier_buf_init(&headers, ex->conn->worker->server->mem);
    crier_http_header(&headers, CRIER_SLICE("Content-Security-Policy"), crier_slice_of(csp));
    crier_http_header(&headers, CRIER_SLICE("Referrer-Policy"), CRIER_SLICE("no-referrer"));
    crier_exchange_answer(
        ex, &(struct crier_answer){.status = 200,
                                   .type = CRIER_SLICE("text/html; charset=utf-8"),
                                   .body = body,
                                   .headers = crier_buf_slice(&headers)});
    crier_buf_deinit(&headers);
}

void crier_page_live(struct crier_exchange *ex)
{
    answer_page(ex, (struct crier_slice){crier_live_page, crier_live_page_len},
                crier_live_page_csp);
}

void crier_page_problem(struct crier_exchange *ex)
{
    enum crier_problem problem = crier_problem_find(ex->rest);
    struct crier_buf body;

    if (problem == CRIER_PROBLEM_NONE) {
        crier_exchange_refuse_for(ex, CRIER_PROBLEM_NOT_FOUND, NULL);
        return;
    }
    crier_buf_init(&body, ex->conn->worker->server->mem);
    crier_problem_page(&body, problem);
    answer_page(ex, crier_buf_slice(&body), crier_problem_page_csp());
    crier_buf_deinit(&body);
}
