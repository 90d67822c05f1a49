/* SPDX-License-Identifier: MIT */
#include "http/field.h"

#include "base/ascii.h"

bool crier_token_char(char c)
{
    if (crier_is_alpha(c) || crier_is_digit(c))
        return true;
    switch (c) {
    case '!':
    case '#':
    case '$':
    case '%':
    case '&':
    case '\'':
    case '*':
    case '+':
    case '-':
    case '.':
    case '^':
    case '_':
    case '`':
    case '|':
    case '~':
        return true;
    default:
        return false;
    }
}

bool crier_token_valid(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!crier_token_char(text.data[i]))
            return false;
    }
    return text.len > 0;
}

/* Index of the first sep outside quotes, or the length. An unfinished quote reaches to the end.
 */
static size_t find_unquoted(struct crier_slice text, char sep)
{
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        if (quoted && text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"')
            quoted = !quoted;
        else if (!quoted && text.data[i] == sep)
            return i;
    }
    return text.len;
}

bool crier_field_value_valid(struct crier_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool crier_list_next(struct crier_slice *list, char sep, struct crier_slice *ret_element)
{
    size_t at;

    if (!list->data)
        return false;
    at = find_unquoted(*list, sep);
    *ret_element = crier_slice_trim(crier_slice_sub(*list, 0, at));
    if (at == list->len)
        *list = (struct crier_slice){NULL, 0};
    else
        *list = crier_slice_sub(*list, at + 1, list->len);
    return true;
}
