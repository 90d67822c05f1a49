/* SPDX-License-Identifier: MIT */
/* A program from outside the tree, on an installed library: the codec there and back, and a hub published
 * to and read. Says "ok". */
#include <crier/crier.h>

#include <stdio.h>
#include <string.h>

static bool same(struct crier_slice a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

static bool codec(void)
{
    struct crier_event event = {.data = CRIER_SLICE("one\ntwo"), .type = CRIER_SLICE("note")};
    struct crier_parser *parser = crier_parser_new();
    struct crier_item item;
    char bytes[128];
    size_t len;
    bool good = false;

    if (crier_event_encode(&event, bytes, sizeof(bytes), &len) == 0 &&
        crier_parser_feed(parser, (struct crier_slice){bytes, len}) == 0 &&
        crier_parser_next(parser, &item) == 0)
        good = item.kind == CRIER_ITEM_EVENT && same(item.data, "one\ntwo") &&
               same(item.type, "note");
    crier_parser_free(parser);
    return good;
}

static bool hub(void)
{
    struct crier_hub *hub = crier_hub_new(.history_events = 100);
    struct crier_reader *reader = crier_reader_new(hub, .selector = "news/*");
    struct crier_event event = {.data = CRIER_SLICE("hello")};
    struct crier_receipt receipt;
    struct crier_message message;
    bool good = false;

    if (crier_reader_next(reader, &message) == CRIER_EMPTY &&
        crier_hub_publish(hub, "news/today", &event, &receipt) == 0 &&
        crier_reader_next(reader, &message) == 0)
        good = same(message.topic, "news/today") && same(message.event.data, "hello") &&
               crier_id_cmp(message.id, receipt.id) == 0;
    crier_reader_free(reader);
    crier_hub_free(hub);
    return good;
}

int main(void)
{
    if (!codec())
        return 1;
    if (!hub())
        return 2;
    return puts("ok") < 0;
}
