#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the live page together and writes it as C.

    embed.py live.html live.css live.js live_page.c live_page.h

The style sheet and the script become part of the page, so that it is one resource that needs no
other, and its Content-Security-Policy names both by their SHA-256: nothing else can run or style.
Run by meson at build time; what it writes is never committed.
"""

import base64
import hashlib
import pathlib
import sys

STYLE = '<link rel="stylesheet" href="live.css">'
SCRIPT = '<script type="module" src="live.js"></script>'

# img-src data: is for the icon alone, which is part of the page too.
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADER = """/* SPDX-License-Identifier: MIT */
/* The live page as one HTML document, and its policy. Made by web/embed.py. */
#ifndef CRIER_WEB_LIVE_PAGE_H
#define CRIER_WEB_LIVE_PAGE_H

#include <stddef.h>

extern const char crier_live_page[];     /* followed by a NUL */
extern const size_t crier_live_page_len; /* without it */
extern const char crier_live_page_csp[]; /* the value of Content-Security-Policy */

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


def inline(page, placeholder, tag, text, end):
    if end in text.lower() or "<!--" in text:
        sys.exit(f"the text of {tag} must hold neither {end} nor <!--")
    return replace_once(page, placeholder, f"{tag}{text}{end}>")


def source_hash(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def c_bytes(data):
    """A list of characters: a string literal of this length is beyond what C11 promises."""
    items = [str(b) if b < 0x80 else f"'\\x{b:02x}'" for b in data] + ["0"]
    lines = [",".join(items[i : i + 24]) for i in range(0, len(items), 24)]
    return ",\n".join(lines)


def main(html, css, js, out_c, out_h):
    style, script = read(css), read(js)
    page = inline(read(html), STYLE, "<style>", style, "</style")
    page = inline(page, SCRIPT, '<script type="module">', script, "</script")
    policy = POLICY.format(script=source_hash(script), style=source_hash(style))
    data = page.encode()
    pathlib.Path(out_h).write_text(HEADER)
    pathlib.Path(out_c).write_text(
        "/* SPDX-License-Identifier: MIT */\n/* Made by web/embed.py. */\n"
        '#include "live_page.h"\n\n'
        f"const char crier_live_page[] = {{\n{c_bytes(data)}}};\n"
        f"const size_t crier_live_page_len = {len(data)};\n"
        f'const char crier_live_page_csp[] = "{policy}";\n'
    )


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
