#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes what pages are made of as C, each with its Content-Security-Policy.

    embed.py live live.html live.css live.js live_page.c live_page.h
    embed.py problem problem.css problem_style.h

live: the style sheet and the script become part of the page, so that it is one resource that needs
no other. problem: the style of the pages that src/http/problem_page.c writes.

The policies name style and script by their SHA-256: nothing else can run or style. Run by meson at
build time; what it writes is never committed.
"""

import base64
import hashlib
import pathlib
import sys

STYLE = '<link rel="stylesheet" href="live.css">'
SCRIPT = '<script type="module" src="live.js"></script>'

# img-src data: is for the icon alone, which is part of the page too.
LIVE_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PROBLEM_POLICY = (
    "default-src 'none'; style-src '{style}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

LIVE_HEADER = """/* SPDX-License-Identifier: MIT */
/* The live page as one HTML document, and its policy. Made by web/embed.py. */
#ifndef CRIER_WEB_LIVE_PAGE_H
#define CRIER_WEB_LIVE_PAGE_H

#include <stddef.h>

extern const char crier_live_page[];     /* followed by a NUL */
extern const size_t crier_live_page_len; /* without it */
extern const char crier_live_page_csp[]; /* the value of Content-Security-Policy */

#endif
"""


PROBLEM_HEADER = """/* SPDX-License-Identifier: MIT */
/* The style of the problem pages, and their policy. Made by web/embed.py. */
#ifndef CRIER_WEB_PROBLEM_STYLE_H
#define CRIER_WEB_PROBLEM_STYLE_H

#define CRIER_PROBLEM_STYLE \\
{style}

/* The value of Content-Security-Policy: goes with that style between the tags, byte for byte. */
#define CRIER_PROBLEM_CSP \\
    {policy}

#endif
"""


def read(path):
    text = pathlib.Path(path).read_bytes().decode("utf-8")
    # An HTML parser turns CR into LF and drops U+0000 before the browser takes the hash.
    if "\r" in text or "\0" in text:
        sys.exit(f"{path}: has a carriage return or a NUL; the page's hashes would not match")
    return text


def replace_once(page, placeholder, element):
    if page.count(placeholder) != 1:
        sys.exit(f"live.html: needs {placeholder} exactly once")
    return page.replace(placeholder, element)


def check_inline(tag, text, end):
    if end in text.lower() or "<!--" in text:
        sys.exit(f"the text of {tag} must hold neither {end} nor <!--")


def inline(page, placeholder, tag, text, end):
    check_inline(tag, text, end)
    return replace_once(page, placeholder, f"{tag}{text}{end}>")


def source_hash(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def c_bytes(data):
    """A list of characters: a string literal of this length is beyond what C11 promises."""
    items = [str(b) if b < 0x80 else f"'\\x{b:02x}'" for b in data] + ["0"]
    lines = [",".join(items[i : i + 24]) for i in range(0, len(items), 24)]
    return ",\n".join(lines)


def c_string(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def live(html, css, js, out_c, out_h):
    style, script = read(css), read(js)
    page = inline(read(html), STYLE, "<style>", style, "</style")
    page = inline(page, SCRIPT, '<script type="module">', script, "</script")
    policy = LIVE_POLICY.format(script=source_hash(script), style=source_hash(style))
    data = page.encode()
    pathlib.Path(out_h).write_text(LIVE_HEADER)
    pathlib.Path(out_c).write_text(
        "/* SPDX-License-Identifier: MIT */\n/* Made by web/embed.py. */\n"
        '#include "live_page.h"\n\n'
        f"const char crier_live_page[] = {{\n{c_bytes(data)}}};\n"
        f"const size_t crier_live_page_len = {len(data)};\n"
        f'const char crier_live_page_csp[] = "{policy}";\n'
    )


def problem(css, out_h):
    style = read(css)
    check_inline("<style>", style, "</style")
    if not style.isascii():
        sys.exit(f"{css}: must be plain ASCII")
    lines = [f"    {c_string(line)}" for line in style.splitlines(keepends=True)]
    policy = PROBLEM_POLICY.format(style=source_hash(style))
    pathlib.Path(out_h).write_text(
        PROBLEM_HEADER.format(style=" \\\n".join(lines), policy=c_string(policy))
    )


if __name__ == "__main__":
    if len(sys.argv) == 7 and sys.argv[1] == "live":
        live(*sys.argv[2:])
    elif len(sys.argv) == 4 and sys.argv[1] == "problem":
        problem(*sys.argv[2:])
    else:
        sys.exit(__doc__)
